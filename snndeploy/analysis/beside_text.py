"""Two analyses side by side as text of at most 80 columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from snndeploy.analysis.summary import table, wrap

LAYER = (
    ("LASAR", "lasar_spikes_per_neuron_step", ".4f"),
    ("H", "entropy_bits_mean", ".2f"),
    ("PTD", "ptd_membrane_units", ".2f"),
    ("QE", "qe_membrane_units_squared", ".2f"),
)
COUNTS = (("noise", "noise_channels"), ("null", "null_channels"))


def beside_text(document: Mapping[str, Any]) -> str:
    """From the JSON document of `beside_json`."""
    a, b = (_subject(document[side]) for side in ("a", "b"))
    head = f"A: {a}\nB: {b}\n" + wrap(
        f"{document['samples']:,} samples of {document['data'] or 'the given data'}; differences"
        " are B - A"
    )
    parts = [head, _network(document["network"]), _layers(document["layers"]), _alone(document)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _subject(one: Mapping[str, Any]) -> str:
    where = "float model" if one["of"] == "model" else f"integers on {one['target']}"
    return f"{one['model']} ({where}), T={one['timesteps']}"


def _network(network: Mapping[str, Any]) -> str:
    nasar, spikes = network["nasar_spikes_per_neuron_step"], network["spikes_per_sample"]
    rows = [
        _row("NASAR", nasar, ".4f"),
        _row("spikes a sample", spikes, ",.0f"),
        _row("neurons", network["neurons"], ",.0f"),
    ]
    error = spikes["difference_standard_error"]
    change = f" ({spikes['difference'] / spikes['a']:+.1%})" if spikes["a"] else ""
    text = (
        f"spikes a sample: {spikes['difference']:+,.0f} ± {error:,.0f}{change}, the standard error"
        " of the difference on the same samples"
    )
    return "All layers\n" + table(("", "A", "B", "B - A"), rows) + "\n" + wrap(text, "  ")


def _row(name: str, both: Mapping[str, float], form: str) -> tuple[str, ...]:
    return (name, *(f"{both[key]:{form}}" for key in ("a", "b")), f"{both['difference']:+{form}}")


def _layers(layers: list[Mapping[str, Any]]) -> str:
    if not layers:
        return ""
    shown = [(title, key, form) for title, key, form in LAYER if any(key in n for n in layers)]
    counts = [(title, key) for title, key in COUNTS if any(key in n for n in layers)]
    head = ("layer", *(part for title, _, _ in shown for part in (f"{title} A", "B")))
    rows = [
        (
            layer["a"],
            *(cell for _, key, form in shown for cell in _cells(layer, key, form)),
            *("/".join(_cells(layer, key, "d")) for _, key in counts),
        )
        for layer in layers
    ]
    return "Layers, A and B\n" + table((*head, *(title for title, _ in counts)), rows)


def _cells(layer: Mapping[str, Any], key: str, form: str) -> tuple[str, str]:
    if key not in layer:
        return "-", "-"
    return f"{layer[key]['a']:{form}}", f"{layer[key]['b']:{form}}"


def _alone(document: Mapping[str, Any]) -> str:
    lines = [
        wrap(f"in {side.upper()} only: {', '.join(document[f'only_in_{side}'])}", "  ")
        for side in ("a", "b")
        if document[f"only_in_{side}"]
    ]
    return "Layers without a counterpart\n" + "\n".join(lines) if lines else ""
