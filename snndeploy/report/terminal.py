"""The report as text of at most 90 columns."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from snndeploy.report import answers
from snndeploy.report.lines import WIDTH, bullets, warnings_text, wrap
from snndeploy.report.traffic import link_text
from snndeploy.report.verdict import plan_text

BUSIEST = 3  # cores and links that are shown

FLAGS = (  # question, key of `partition`, the answer of a spike-driven network
    ("every layer on the chip reads spikes (after rewriting)", "synapses_binary", True),
    ("needs a product of two signals on the chip", "needs_dynamic_multiply", False),
    ("needs the whole time window on the chip", "needs_full_window", False),
)
SCOPES = {
    "incremental": "events x cost, each its own",
    "all-in": "synaptic operations x what the whole chip spends",
}
PAPERS = {"paper": "first layer x T", "paper_gac_equation_11": "GAC Eq. 11"}


def render(report: Mapping[str, Any]) -> str:
    """The whole terminal report."""
    parts = [
        warnings_text(report.get("warnings", ())),
        _head(report),
        _accuracy(report["accuracy"], answers.accuracy_note(report)),
        _error(report),
        answers.heads_text(report.get("heads", ())),
        _layers(report["spikes"]),
        _cost(report),
        _traffic(report["traffic"]),
        _real_time(report["real_time"]),
        _energy(report["energy"]),
        flag_lines(report["partition"]),
        plan_text(report["plan"]) if "plan" in report else "",
        mapping_text(report["mapping"]),
        _notes(report["notes"]),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Columns: the first to the left, the others to the right; a long first cell is shortened."""
    listed = [list(row) for row in rows]
    widths = [max(len(row[i]) for row in [list(head), *listed]) for i in range(len(head))]
    room = WIDTH - 2 - sum(width + 2 for width in widths[1:])
    widths[0] = min(widths[0], max(room, 12))
    return "\n".join(_row(row, widths) for row in [list(head), *listed])


def _row(cells: Sequence[str], widths: Sequence[int]) -> str:
    first = cells[0]
    if len(first) > widths[0]:
        first = "…" + first[-(widths[0] - 1) :]
    rest = "".join(f"  {cell:>{width}}" for cell, width in zip(cells[1:], widths[1:], strict=True))
    return f"  {first:<{widths[0]}}{rest}".rstrip()


def number(value: float) -> str:
    """Three digits that mean something, with thousands marked."""
    if value == 0:
        return "0"
    if abs(value) >= 999.5:
        digits = len(str(int(abs(value)))) - 3
        return f"{round(value / 10**digits) * 10**digits:,}"
    return f"{value:.3g}"


def si(value: float, unit: str) -> str:
    """1.23e-6, 'J' -> '1.23 uJ'."""
    if value == 0:
        return f"0 {unit}"
    scales = ((1, ""), (1e-3, "m"), (1e-6, "u"), (1e-9, "n"), (1e-12, "p"))
    fitting = (scale for scale in scales if abs(value) >= 0.9995 * scale[0])
    factor, prefix = next(fitting, scales[-1])
    return f"{number(value / factor)} {prefix}{unit}"


def percent(value: float | None) -> str:
    """Two decimals, rounded down: only what is complete reads 100.00 %, only nothing 0.00 %."""
    if value is None:
        return "-"
    hundredths = math.floor(10000 * value + 1e-6)
    if value < 1:
        hundredths = min(hundredths, 9999)
    if hundredths == 0 < value:
        return "<0.01 %"
    return f"{hundredths / 100:.2f} %"


def _head(report: Mapping[str, Any]) -> str:
    model, target = report["model"], report["target"]
    samples = report["samples"]
    first = (
        f"{model['name']} on {target['name']}: {samples:,} sample{'s' if samples != 1 else ''} of"
        f" {report['data'] or 'the given data'}, T={report['timesteps']}"
    )
    second = f"weights {model['weights']}, {model['parameters']:,} parameters"
    return wrap(first, "") + "\n" + wrap(second)


def _accuracy(accuracy: Mapping[str, Any], note: str) -> str:
    if all(accuracy[key] is None for key in answers.PAIRS):
        return ""
    return (
        (f"Accuracy {note}" if note else "Accuracy")
        + "\n"
        + table(
            ("", "float model", "chip integers", "same answer"),
            [("", *(percent(accuracy[key]) for key in ("reference", "chip", "agreement")))],
        )
    )


def _error(report: Mapping[str, Any]) -> str:
    """Where values are what counts."""
    if not answers.shows_error(report):
        return ""
    return "Error of the answers\n" + table(*answers.error_rows(report["error"]))


def _layers(spikes: Mapping[str, Any]) -> str:
    rows = [
        (
            layer["name"],
            layer["kind"],
            f"{layer['neurons']:,}",
            number(layer["spikes_per_sample"]),
            f"{layer['rate']:.4f}",
            percent(layer.get("agreement")),
        )
        for layer in spikes["layers"]
    ]
    rate = spikes["rate"]
    rows.append(
        ("all spiking", "", "", number(spikes["total_per_sample"]),
         "-" if rate is None else f"{rate:.4f}", "")
    )  # fmt: skip
    return "Spikes a sample\n" + table(
        ("population", "kind", "neurons", "spikes", "rate", "as float"), rows
    )


def _cost(report: Mapping[str, Any]) -> str:
    operations, traffic, latency = report["operations"], report["traffic"], report["latency"]
    macs, refined = operations["mac_per_sample"], report.get("attention")
    by_host = macs["encoder"] + (macs["attention"] if refined and refined["unit"] == "host" else 0)
    synaptic = operations["synaptic_operations_per_sample"]
    rows = [
        ("multiply-accumulates on the host", number(by_host)),
        *_attention_rows(macs, refined),
        ("synaptic operations on the chip", number(sum(synaptic.values()))),
        ("  of these in the readout", number(synaptic["readout"])),
        *_met_rows(sum(synaptic.values()), operations["synapses_met_per_sample"]),
        ("neuron updates", number(traffic["neuron_updates_per_sample"])),
        ("messages sent", number(traffic["messages_per_sample"])),
        ("router hops", number(traffic["hops_per_sample"])),
        ("busiest link, messages a step", number(traffic["max_link_load"])),
        ("host link", f"{number(traffic['host_io_bytes_per_sample'])} B"),
        (f"latency ({latency['model']}, {latency['steps']} steps)",
         si(latency["seconds_per_sample"], "s")),
        ("interval between answers when pipelined",
         si(latency["pipelined_interval_seconds"], "s")),
    ]  # fmt: skip
    if "cycle" in latency:
        cycle = latency["cycle"]
        rows.append(("cycle against analytic", f"{cycle['times_analytic']:.2f} times"))
        rows.append(("  messages that met a full queue", number(cycle["stalled_messages"])))
    if "host_link_seconds_per_sample" in latency:
        seconds = si(latency["host_link_seconds_per_sample"], "s")
        rows.append(("host link beside the steps", seconds))
    return "Work, traffic and time a sample\n" + "\n".join(_row(row, (44, 16)) for row in rows)


def _met_rows(operations: float, met: float) -> list[tuple[str, str]]:
    """Synapses of the network that spikes met, where the chip counts others."""
    return [] if met == operations else [("  synapses met, zero weights included", number(met))]


def _attention_rows(
    macs: Mapping[str, Any], refined: Mapping[str, Any] | None
) -> list[tuple[str, str]]:
    """Multiplications behind the host's own, and what attention holds back."""
    synapses = [("multiply-accumulates of synapses on the chip", number(macs["body"]))]
    synapses = synapses if macs["body"] else []
    if refined is None:
        return synapses
    by_host = refined["unit"] == "host"
    what = "  of these in attention" if by_host else "multiply-accumulates in attention, chip"
    attention = [(what, number(macs["attention"]))]
    if refined["full_windows"]:
        waits = f"  waiting for {refined['full_windows']} full windows"
        attention.append((waits, f"{number(refined['buffer_bytes'])} B"))
    return [*attention, *synapses] if by_host else [*synapses, *attention]


def _traffic(traffic: Mapping[str, Any]) -> str:
    """Who causes the traffic, and the cores and links that are busiest with it."""
    columns = {
        "messages": "messages",
        "from host": "messages_from_host",
        "hops": "hops",
        "syn. ops": "synaptic_operations",
        "updates": "neuron_updates",
    }
    rows = [
        (row["name"], *(_count(row.get(f"{key}_per_sample")) for key in columns.values()))
        for row in traffic["layers"]
    ]
    text = "Traffic a sample, by layer\n" + table(("population", *columns), rows)
    cores = [
        (f"core {row['core']}: {', '.join(row['populations'])}", *_busy(row))
        for row in traffic["busiest_cores"][:BUSIEST]
    ]
    links = [
        (
            f"link {link_text(row)}: {number(row['messages_per_step'])} messages a step",
            *_busy(row),
        )
        for row in traffic["busiest_links"][:BUSIEST]
    ]
    if not cores + links:
        return text
    head = ("", "a sample", "of latency", "sets steps")
    return text + "\n\nBusiest cores and links\n" + table(head, cores + links)


def _count(value: float | None) -> str:
    return "-" if value is None else number(value)


def _busy(row: Mapping[str, Any]) -> tuple[str, str, str]:
    """Time, share of the latency, and share of the steps that it sets the time of."""
    return (
        si(row["busy_seconds_per_sample"], "s"),
        percent(row["utilisation"]),
        percent(row["binds"]),
    )


def _real_time(real_time: Mapping[str, Any]) -> str:
    """What is sustained sample after sample, and what limits it."""
    chip, host = real_time["chip"], real_time.get("host_link")
    text = f"Real time: {_rates(real_time)} sustained, limited by {real_time['limited_by']}"
    if host is None:
        said = [text, "the host link is not timed"]
    elif real_time["limited_by"] == chip["limit"]["what"]:
        said = [text, f"the host link needs {_host(host)}"]
    else:
        said = [
            f"{text}: {_host(host)}",
            f"the chip alone: {_rates(chip)}, limited by {chip['limit']['what']}",
        ]
    return wrap("; ".join(said), "")


def _host(host: Mapping[str, Any]) -> str:
    times = host.get("times_chip")
    compared = "" if times is None else f", {number(times)} times the chip's time"
    return f"{si(host['seconds_per_sample'], 's')} a sample{compared} (speed {host['mark']})"


def _rates(found: Mapping[str, Any]) -> str:
    if "samples_per_second" not in found:
        return "no time at all"
    return (
        f"{number(found['samples_per_second'])} samples/s"
        f" ({number(found['steps_per_second'])} steps/s)"
    )


def _energy(energy: Mapping[str, Any]) -> str:
    chip = energy["chip"]
    marks = {name: entry["mark"] for name, entry in chip["provenance"].items()}
    rows = [
        (name, si(joules, "J"), percent(joules / chip["total_j"]), marks[name])
        for name, joules in sorted(chip["breakdown"].items(), key=lambda item: -item[1])
        if joules > 0
    ]
    total = si(chip["total_j"], "J") if marks else "not stated"
    rows.append(("total", total, "", ""))
    text = f"Chip energy a sample ({SCOPES[chip['scope']]})\n" + table(
        ("", "energy", "share", "cost is"), rows
    )
    for key, title in PAPERS.items():
        if key not in energy:
            continue
        paper = energy[key]
        head = (
            f"Papers' formula ({title}): {paper['total_mj']:.4g} mJ"
            f" = MAC {paper['mac_mj']:.4g} + AC {paper['ac_mj']:.4g}"
            f" (encoder attention {paper['encoder_attention_mj']:.4g})"
        )
        text += "\n\n" + wrap(head, "") + "\n"
        text += wrap(paper["convention"])
    return text


def flag_lines(partition: Mapping[str, Any]) -> str:
    """The three flags and their reasons."""
    text = "Is it spike-driven?\n" + "\n".join(
        _row((label, "yes" if partition[key] else "no"), (56, 4)) for label, key, _ in FLAGS
    )
    reasons = list(dict.fromkeys(partition["reasons"]))
    return text + ("\n" + bullets(reasons) if reasons else "")


def mapping_text(mapping: Mapping[str, Any]) -> str:
    """Cores, chips, use and what binds."""
    use = ", ".join(
        f"{name.replace('_', ' ')} {percent(value)}"
        for name, value in mapping["utilisation"].items()
    )
    cores, chips = mapping["cores"], mapping["chips"]
    return (
        f"Mapping: {mapping['neurons']:,} neurons on {cores:,} core{'s' if cores != 1 else ''}"
        f" of {chips:,} chip{'s' if chips != 1 else ''}\n"
        + wrap(f"mean use: {use}")
        + "\n"
        + wrap(f"what binds: {mapping['binding']}")
    )


def _notes(notes: Sequence[str]) -> str:
    if not notes:
        return ""
    return "Notes\n" + bullets(notes)
