"""The analysis as text of at most 80 columns."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

WIDTH = 80
SHOWN_STEPS = 8


def summary(document: Mapping[str, Any]) -> str:
    """What a person reads first, from the JSON document."""
    parts = [
        _head(document),
        _network(document),
        _rates(document["layers"]),
        _patterns(document),
        _entropies(document),
        *(_coding(entry) for entry in document.get("coding", ())),
        _notes(document["notes"]),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _head(document: Mapping[str, Any]) -> str:
    samples = document["samples"]
    where = "float model" if document["of"] == "model" else f"integers on {document['target']}"
    return wrap(
        f"{document['model']} ({where}): {samples:,} sample{'s' if samples != 1 else ''} of"
        f" {document['data'] or 'the given data'}, T={document['timesteps']}"
    )


def _network(document: Mapping[str, Any]) -> str:
    titles = {"all_layers": "all layers", "conv_only": "conv only", "chip_only": "chip only"}
    network = document["network"]
    shown = dict.fromkeys(network)
    if network.get("chip_only", {}).get("neurons") == network["all_layers"]["neurons"]:
        del shown["chip_only"]
    rows = [
        (
            titles[key],
            f"{network[key]['neurons']:,}",
            f"{network[key]['nasar_spikes_per_neuron_step']:.4f}",
            f"{network[key]['spikes_per_sample']:,.0f}",
        )
        for key in shown
    ]
    nsar = network["all_layers"]["nsar_by_step_spikes_per_neuron"]
    steps = " ".join(f"{value:.3f}" for value in nsar[:SHOWN_STEPS])
    more = f" … ({len(nsar)} steps)" if len(nsar) > SHOWN_STEPS else ""
    return (
        "Firing rate (NASAR: spikes a neuron and step)\n"
        + table(("", "neurons", "NASAR", "spikes a sample"), rows)
        + f"\n  NSAR by step: {steps}{more}"
    )


def _rates(layers: Iterable[Mapping[str, Any]]) -> str:
    rows = []
    for layer in layers:
        lsar = layer["lsar_by_step_spikes_per_neuron"]
        rows.append(
            (
                layer["name"],
                layer["kind"],
                "x".join(map(str, layer["shape"])),
                f"{layer['lasar_spikes_per_neuron_step']:.4f}",
                f"{min(lsar):.3f}..{max(lsar):.3f}",
            )
        )
    head = ("layer", "kind", "shape", "LASAR", "LSAR over t")
    return "Layers\n" + table(head, rows)


def _patterns(document: Mapping[str, Any]) -> str:
    rows = []
    for layer in document["layers"]:
        if "membranes" not in layer:
            continue
        membranes, patterns = layer["membranes"], layer["patterns"]
        ptd, ghosts = membranes["ptd_membrane_units"], patterns.get("ghosts")
        rows.append(
            (
                layer["name"],
                "-" if ptd is None else f"{ptd:.3f}",
                f"{membranes['variance_membrane_units_squared']:.3f}",
                f"{membranes['qe_membrane_units_squared']:.3f}",
                f"{layer['shape'][0]}",
                f"{len(patterns['noise_channels'])}",
                f"{len(layer['null_channels'])}",
                "-" if ghosts is None else f"{ghosts['pairs']}",
            )
        )
    if not rows:
        return ""
    widths = [
        layer["membranes"]["bin_width_membrane_units"]
        for layer in document["layers"]
        if "membranes" in layer
    ]
    least, most = f"{min(widths):.4g}", f"{max(widths):.4g}"
    said = least if least == most else f"{least} to {most}"
    limit = document["ghost_threshold_pearson"]
    head = ("layer", "PTD", "Var U", "QE", "channels", "noise", "null", "ghosts")
    text = (
        f"bin width {said}; ghosts: channel pairs with Pearson >= {limit:g}; noise: the channel's"
        " peak interval reaches V_th"
    )
    return "Membranes and patterns\n" + table(head, rows) + "\n" + wrap(text, "  ")


def _entropies(document: Mapping[str, Any]) -> str:
    rows = [
        (layer["name"], *_entropy_cells(layer["entropy"]))
        for layer in document["layers"]
        if "entropy" in layer
    ]
    if not rows:
        return ""
    largest = next(n["entropy"]["bits_largest"] for n in document["layers"] if "entropy" in n)
    text = (
        f"H: mean over neurons, from {document['samples']:,} samples, so at most {largest:.3g}"
        " bits; corrected: for the bias of so few; 1 step: of S^t alone, mean over t; pooled: any"
        " neuron of the layer; patterns: seen of a neuron"
    )
    head = ("layer", "H", "corrected", "1 step", "pooled", "patterns")
    title = f"Observer's entropy of the {document['timesteps']} bits of a neuron, in bits\n"
    return title + table(head, rows) + "\n" + wrap(text, "  ")


def _entropy_cells(entropy: Mapping[str, Any]) -> tuple[str, ...]:
    keys = ("bits_mean", "bits_mean_corrected", "bits_of_one_step_mean", "bits_pooled")
    return (*(f"{entropy[key]:.3f}" for key in keys), f"{entropy['patterns_seen_mean']:.1f}")


def _coding(entry: Mapping[str, Any]) -> str:
    lines = [f"Coding at {entry['layer']}: {entry['rule']}"]
    lines += _periods(entry) if "firing_period" in entry else _first_spikes(entry)
    if "dynamics_duration_mean_steps" in entry:
        duration = entry["dynamics_duration_mean_steps"]
        counted = entry["scheme"] in ("direct", "gac")
        firing = ", mean over what fires within T" if counted else ""
        lines.append(f"  dynamics duration {duration:.3g} steps{firing}")
    unlike = entry.get("firing_period", {}).get("count_unlike_first_spike", 0)
    if unlike:
        lines.append(wrap(f"{unlike:,} first spikes in 32-bit floats differ from T_p", "  "))
    if "entropy" in entry:
        names = ("H", "corrected", "1 step", "pooled")
        values = zip(names, _entropy_cells(entry["entropy"])[:4], strict=True)
        said = ", ".join(f"{name} {value}" for name, value in values)
        lines.append(wrap(f"entropy of an element's bits: {said} bits", "  "))
    return "\n".join(wrap(line) if not line.startswith(" ") else line for line in lines)


def _periods(entry: Mapping[str, Any]) -> list[str]:
    periods = entry["firing_period"]
    total = periods["neurons_times_samples"]
    shares = _shares(periods["count_by_steps"], total)
    if periods["count_longer_than_window"]:
        shares.append(f"longer: {periods['count_longer_than_window'] / total:.1%}")
    shares.append(f"never: {periods['count_never'] / total:.1%}")
    return [wrap("firing period T_p in steps: " + ", ".join(shares), "  ")]


def _first_spikes(entry: Mapping[str, Any]) -> list[str]:
    first = entry["first_spike"]
    total = first["elements_times_samples"]
    shares = _shares(first["count_by_steps"], total)
    if first["count_never"]:
        shares.append(f"never: {first['count_never'] / total:.1%}")
    spikes = f"{entry['spikes_per_element']:.3g} spikes an element; first at step "
    return [wrap(spikes + ", ".join(shares), "  ")]


def _shares(counts: Mapping[str, int], total: int) -> list[str]:
    """Of the steps that occur, the first few."""
    found = [f"{step}: {count / total:.1%}" for step, count in counts.items() if count]
    return [*found[:SHOWN_STEPS], "…"] if len(found) > SHOWN_STEPS else found


def _notes(notes: Sequence[str]) -> str:
    if not notes:
        return ""
    return "Notes\n" + "\n".join(
        textwrap.fill(note, WIDTH, initial_indent="  - ", subsequent_indent="    ")
        for note in notes
    )


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """The first column to the left and shortened to fit, the others to the right."""
    listed = [list(head), *(list(row) for row in rows)]
    widths = [max(len(row[column]) for row in listed) for column in range(len(head))]
    widths[0] = min(widths[0], max(12, WIDTH - 2 - sum(width + 2 for width in widths[1:])))
    return "\n".join(_row(row, widths) for row in listed)


def _row(cells: Sequence[str], widths: Sequence[int]) -> str:
    first = cells[0]
    if len(first) > widths[0]:
        first = "…" + first[-(widths[0] - 1) :]
    rest = "".join(f"  {cell:>{width}}" for cell, width in zip(cells[1:], widths[1:], strict=True))
    return f"  {first:<{widths[0]}}{rest}".rstrip()


def wrap(text: str, indent: str = "") -> str:
    return textwrap.fill(text, WIDTH, initial_indent=indent, subsequent_indent=indent + "  ")
