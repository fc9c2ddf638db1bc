"""The page's parts on traffic: by layer, by chip step, busiest cores and links, real time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from snndeploy.report import svg
from snndeploy.report.svg import Bar, Column, Markup, column, element, find, join, quiet, shown
from snndeploy.report.terminal import number, percent, si
from snndeploy.report.traffic import link_text

Report = Mapping[str, Any]
COUNTS = {  # head: key, also of a chip step
    "spikes": "spikes",
    "messages": "messages",
    "from the host": "messages_from_host",
    "hops": "hops",
    "between chips": "inter_chip_hops",
    "message bytes": "message_bytes",
    "synaptic operations": "synaptic_operations",
    "neuron updates": "neuron_updates",
    "host bytes": "host_io_bytes",
}
KINDS = {
    "send": "a core sends",
    "receive": "a core receives",
    "link": "a link",
    "barrier": "the barrier",
    "host": "the host's attention",
}
DRAWN = ("messages", "synaptic_operations", "host_io_bytes")  # under the time, one chart each
STEPS_IN_TABLE = 40


def seconds(value: float) -> str:
    return si(value, "s").replace(" u", " µ")


def layers(report: Report) -> Markup | None:
    rows = find(report, "traffic.layers")
    if not rows:
        return None
    counts = [column(head, f"{key}_per_sample", number) for head, key in COUNTS.items()]
    said = (
        "A sample. Messages and hops count where they are sent, synaptic operations at the layer"
        " whose synapses they are."
    )
    kinds = [column("population", "name"), column("kind", "kind")]
    return join(svg.table([*kinds, *counts], rows), quiet(said))


def steps(report: Report) -> Markup | None:
    """A chart of every chip step's time, and of what happens in it; a table where it is short."""
    rows = find(report, "traffic.steps")
    if not rows:
        return None
    times = [_time_bar(row) for row in rows]
    drawn = [_titled("time of a step, and what sets it", times)]
    drawn += [
        _titled(key.replace("_", " ").replace("io ", ""), [_bar(row, key) for row in rows])
        for key in DRAWN
        if any(find(row, key) for row in rows)
    ]
    used = [kind for kind in KINDS if any(bar.kind == kind for bar in times)]
    legend = svg.legend([(kind, KINDS[kind]) for kind in used])
    charts = element("div", join(*drawn), class_="halves")
    return join(legend, charts, _step_table(rows) if len(rows) <= STEPS_IN_TABLE else None)


def _titled(title: str, bars: Sequence[Bar]) -> Markup:
    return element("div", element("h3", title), svg.columns(bars, title))


def _time_bar(row: Report) -> Bar:
    shares = svg.numbers(row, "bound_by")
    kind = max(shares, key=lambda name: shares[name], default="")
    known = kind if kind in KINDS else "unknown"
    time = shown(row, "seconds", seconds) or svg.ABSENT
    set_by = f", set by {KINDS[kind]}" if kind in KINDS else ""
    return Bar(find(row, "seconds"), f"{_name(row)}{time}{set_by}", known)


def _bar(row: Report, key: str) -> Bar:
    kind = "host" if key == "host_io_bytes" else "rate"
    value = shown(row, key, number) or svg.ABSENT
    return Bar(find(row, key), f"{_name(row)}{value}", kind)


def _name(row: Report) -> str:
    return shown(row, "step", "step {}: ".format) or ""


def _step_table(rows: Sequence[Report]) -> Markup:
    counts: list[Column] = [column(head, key, number) for head, key in COUNTS.items()]
    return svg.table(
        [
            column("chip step", "step"),
            column("time", "seconds", seconds),
            column("host link", "host_link_seconds", seconds),
            *counts,
        ],
        rows,
    )


def busiest(report: Report) -> Markup | None:
    cores, links = (find(report, f"traffic.busiest_{kind}") for kind in ("cores", "links"))
    time = [
        column("busy a sample", "busy_seconds_per_sample", seconds),
        column("share of the latency", "utilisation", percent),
    ]
    sets = column("sets the time of steps", "binds", percent)
    core_columns: list[Column] = [
        column("core", "core"),
        column("chip", "chip"),
        ("router", lambda row: shown(row, "router", str)),
        column("populations", "populations", ", ".join),
        *time,
        column("sending", "send_seconds_per_sample", seconds),
        column("receiving", "receive_seconds_per_sample", seconds),
        column("synaptic operations", "synaptic_operations_per_sample", number),
        sets,
    ]
    link_columns: list[Column] = [
        ("link", lambda row: link_text(row) if _has_ends(row) else None),
        column("messages a step", "messages_per_step", number),
        column("most in a step", "most_messages_in_a_step", number),
        *time,
        column("share of its worst step", "utilisation_in_worst_step", percent),
        sets,
    ]
    tables = [svg.table(core_columns, cores) if cores else None]
    tables.append(svg.table(link_columns, links) if links else None)
    return join(*tables) if any(tables) else None


def _has_ends(row: Report) -> bool:
    ends = ("from_router", "to_router", "from_chip", "to_chip")
    return all(find(row, key) is not None for key in ends)


def real_time(report: Report) -> Markup | None:
    found = find(report, "real_time")
    if not found:
        return None
    limit = shown(found, "limited_by", lambda what: f"Sustained, limited by {what}:")
    tables = (
        svg.pairs("Sustained", _rates(found, "")),
        svg.pairs("The chip alone, pipelined",
                  [*_rates(found, "chip."),
                   ("a sample", shown(found, "chip.seconds_per_sample", seconds)),
                   ("limited by", find(found, "chip.limit.what")),
                   ("for this share of the time", shown(found, "chip.limit.share", percent))]),
        svg.pairs("The host link",
                  [("a sample", shown(found, "host_link.seconds_per_sample", seconds)),
                   ("times the chip's time", shown(found, "host_link.times_chip", number)),
                   ("bytes a second", shown(found, "host_link.bytes_per_second", number)),
                   ("speed is", find(found, "host_link.mark"))]),
    )  # fmt: skip
    if not any(tables):
        return None
    return join(
        element("p", limit) if limit else None, element("div", join(*tables), class_="thirds")
    )


def _rates(found: Report, where: str) -> list[tuple[str, str | None]]:
    return [
        ("samples a second", shown(found, f"{where}samples_per_second", number)),
        ("steps a second", shown(found, f"{where}steps_per_second", number)),
    ]
