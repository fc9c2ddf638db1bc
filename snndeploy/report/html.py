"""The report as one HTML page: no file, font or script besides; light, dark and print.

What the report does not hold, or holds as null or not finite, does not appear.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from math import floor
from typing import Any

from snndeploy.report import answers, svg, traffic_page
from snndeploy.report.svg import Markup, bullets, card, column, element, find, join, quiet, shown
from snndeploy.report.terminal import FLAGS, PAPERS, number, percent, si
from snndeploy.target import MARKS

Report = Mapping[str, Any]
RATE_SCALES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8">
<meta name="generator" content="snndeploy">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
%s
<style>%s</style></head>
%s
</html>
"""


def page(report: Report) -> str:
    """The whole document."""
    title = f"{find(report, 'model.name') or 'model'} on {find(report, 'target.name') or 'chip'}"
    sections = [svg.section(name, content(report)) for name, content in SECTIONS.items()]
    main = element("main", join(header(report, title), figures(report), *sections))
    body = element("body", main, footer(report))
    return PAGE % (element("title", f"{title} – snndeploy report"), svg.STYLE, body)


def seconds(value: float) -> str:
    return si(value, "s").replace(" u", " µ")


def joules(value: float) -> str:
    return si(value, "J").replace(" u", " µ")


# The parts, from top to bottom.


def header(report: Report, title: str) -> Markup:
    samples = find(report, "samples")
    data = find(report, "data") or "the given data"
    steps = find(report, "timesteps")
    facts = (
        None if samples is None else f"{samples:,} sample{'s' if samples != 1 else ''} of {data}",
        None if steps is None else f"T = {steps}",
        shown(report, "model.parameters", lambda count: f"{count:,} parameters"),
        shown(report, "model.weights", lambda weights: f"weights {weights}"),
    )
    return element(
        "header",
        element("h1", title),
        element("p", join(*facts, between=" · "), class_="facts"),
        quiet(find(report, "target.description")),
    )


def figures(report: Report) -> Markup:
    """The key figures: what one would read out first."""
    accuracy = find(report, "accuracy") or {}
    operations = sums(report, "operations.synaptic_operations_per_sample")
    readout = find(report, "operations.synaptic_operations_per_sample.readout")
    cards = (
        card("accuracy on the chip", shown(accuracy, "chip", percent),
             svg.words(answers.accuracy_note(report) or None,
                       shown(accuracy, "reference", lambda v: f"float model {percent(v)}"))),
        card("same answer as the float model", shown(accuracy, "agreement", percent)),
        *error_cards(report),
        card("spikes a sample", shown(report, "spikes.total_per_sample", number),
             shown(report, "spikes.rate", lambda rate: f"rate {rate:.4f} a neuron and step")),
        card("synaptic operations a sample", None if operations is None else number(operations),
             f"{number(readout)} of them in the readout" if readout else None),
        card("latency a sample", shown(report, "latency.seconds_per_sample", seconds),
             svg.words(find(report, "latency.model"),
                        shown(report, "latency.steps", lambda steps: f"{steps} chip steps"),
                        shown(report, "latency.provenance", lambda mark: f"costs {mark}"))),
        card("chip energy a sample", shown(report, "energy.chip.total_j", joules),
             shares_text(report)),
    )  # fmt: skip
    return element("div", join(*cards), class_="cards")


def error_cards(report: Report) -> Iterator[Markup | None]:
    """Where values are what counts: their distance from targets and from the float model."""
    if not answers.shows_error(report):
        return
    for key, words in answers.PAIRS.items():
        if found := find(report, f"error.{key}"):
            detail = svg.words(
                f"mean absolute {answers.number(found['mae'])}",
                f"largest {answers.number(found['largest'])}",
                f"correlation {answers.number(found['correlation'])}",
            )
            yield card(f"squared error, {words}", answers.number(found["mse"]), detail)


def sums(report: Report, path: str) -> float | None:
    """The sum of the values at a path, or None where one is missing."""
    values = list((find(report, path) or {None: None}).values())
    return None if None in values else sum(values)


def shares_text(report: Report) -> str | None:
    """What the energy is made of, in a line."""
    shares = svg.numbers(report, "energy.chip.shares_by_mark")
    return svg.words(*(f"{share_text(share)} {mark}" for mark, share in shares.items()))


def share_text(share: float) -> str:
    return f"{100 * share:.0f} %" if share >= 0.005 else "under 1 %"


def spikes(report: Report) -> Markup | None:
    layers = find(report, "spikes.layers")
    if not layers:
        return None
    rates = [layer["rate"] for layer in layers if find(layer, "rate") is not None]
    top = next((scale for scale in RATE_SCALES if max(rates, default=1.0) <= scale), 1.0)
    equal = [layer["agreement"] for layer in layers if find(layer, "agreement") is not None]
    low = min(floor(10 * min(equal, default=1.0)) / 10, 0.9)
    found = find(report, "spikes")
    total = {"name": "all spiking", "spikes_per_sample": found.get("total_per_sample"),
             "rate": found.get("rate"), "total": True}  # fmt: skip
    columns = [
        column("population", "name"),
        column("kind", "kind"),
        column("neurons", "neurons", "{:,}".format),
        column("spikes a sample", "spikes_per_sample", number),
        svg.bars(f"rate (bar 0 to {top:g})", "rate", "{:.4f}".format, 0, top),
        svg.bars(f"as the float model (bar {low:.0%} to 100%)", "agreement", percent, low, 1),
    ]
    return svg.table(columns, [*layers, total], class_="totals")


def energy(report: Report) -> Markup | None:
    chip = find(report, "energy.chip") or {}
    sizes = {name: size for name, size in svg.numbers(chip, "breakdown").items() if size > 0}
    if not sizes:
        return None
    total, costs = sum(sizes.values()), find(chip, "provenance") or {}
    rows = [
        {"name": name, "energy": joules(size), "share": percent(size / total), "size": size,
         **(costs.get(name) or {})}
        for name, size in sorted(sizes.items(), key=lambda item: -item[1])
    ]  # fmt: skip
    bars = [
        svg.Row(row["name"], row["size"], f"{row['energy']} · {row['share']}", css(row.get("mark")))
        for row in rows
    ]
    shares = svg.numbers(chip, "shares_by_mark")
    beside = (
        element("p", element("strong", joules(total)), " a sample, by how the costs are known:"),
        svg.stack([(css(mark), share) for mark, share in shares.items()]),
        svg.legend([(css(mark), f"{mark} {share_text(share)}") for mark, share in shares.items()]),
        quiet(find(chip, "statement")),
        bullets([f"not counted: {text}" for text in find(chip, "absent") or []]),
    )
    drawn = svg.chart(bars, "Chip energy a sample by kind of event")
    names = {"cost": "name", "energy": "energy", "share": "share", "known as": "mark",
             "source of the cost": "source"}  # fmt: skip
    sources = svg.table([column(head, key) for head, key in names.items()], rows, class_="words")
    both = element("div", element("div", drawn), element("div", join(*beside)), class_="halves")
    return join(both, sources)


def css(mark: str | None) -> str:
    """A provenance mark as the name of its colour."""
    return mark.replace(" ", "-") if mark in MARKS else "unknown"


SYNAPTIC = "operations.synaptic_operations_per_sample"
WORK: dict[str, tuple[tuple[str, str, Callable[[Any], str]], ...]] = {  # name, path, writer
    "Work": (
        ("synaptic operations in the body", f"{SYNAPTIC}.body", number),
        ("synaptic operations in the readout", f"{SYNAPTIC}.readout", number),
        ("neuron updates", "traffic.neuron_updates_per_sample", number),
        ("MACs of the encoder, on the host", "operations.mac_per_sample.encoder", number),
        ("MACs of synapses that read integers", "operations.mac_per_sample.body", number),
        ("MACs of attention", "operations.mac_per_sample.attention", number),
    ),
    "Traffic": (
        ("messages sent", "traffic.messages_per_sample", number),
        ("messages received", "traffic.messages_received_per_sample", number),
        ("router hops", "traffic.hops_per_sample", number),
        ("of these between chips", "traffic.inter_chip_hops_per_sample", number),
        ("busiest link, messages a step", "traffic.max_link_load", number),
        ("host link, bytes", "traffic.host_io_bytes_per_sample", number),
    ),
    "Time": (
        ("latency", "latency.seconds_per_sample", seconds),
        ("chip steps", "latency.steps", str),
        ("between answers, pipelined", "latency.pipelined_interval_seconds", seconds),
        ("host link beside the steps", "latency.host_link_seconds_per_sample", seconds),
        ("timing model", "latency.model", str),
        ("least certain cost", "latency.provenance", str),
    ),
}


def work(report: Report) -> Markup | None:
    tables = [
        svg.pairs(title, [(name, shown(report, path, write)) for name, path, write in rows])
        for title, rows in WORK.items()
    ]
    return element("div", join(*tables), class_="thirds") if any(tables) else None


def papers(report: Report) -> Markup | None:
    found = [(title, find(report, f"energy.{key}")) for key, title in PAPERS.items()]
    rows = [{"title": title, **paper} for title, paper in found if paper]
    if not rows:
        return None
    mj = "{:.4g}".format
    columns = [
        column("formula", "title"),
        column("total, mJ", "total_mj", mj),
        column("MAC, mJ", "mac_mj", mj),
        column("of it attention, mJ", "encoder_attention_mj", mj),
        column("AC, mJ", "ac_mj", mj),
        column("input rate", "input_rate", "{:.4f}".format),
        column("convention", "convention"),
    ]
    said = "What the papers' formula gives at the chip's own firing rates; not the chip's energy."
    return join(quiet(said), svg.table(columns, rows, class_="words"))


def verdict(report: Report) -> Markup | None:
    flags = find(report, "partition") or {}
    asked = [(label, key, good) for label, key, good in FLAGS if flags.get(key) is not None]
    if not asked:
        return None
    driven = all(flags[key] is good for _, key, good in asked)
    lines = [
        element("li", verdict_word("yes" if flags[key] else "no", flags[key] is good), f" {label}")
        for label, key, good in asked
    ]
    answer = "Yes, as it runs on the chip." if driven else "Not entirely."
    known = len(asked) == len(FLAGS) or not driven
    reasons = bullets(find(flags, "reasons"))
    return join(
        element("p", verdict_word(answer, driven)) if known else None,
        element("ul", join(*lines), class_="answers"),
        element("h3", "Reasons") if reasons else None,
        reasons,
    )


def verdict_word(text: str, good: bool) -> Markup:
    return element("strong", text, class_="good" if good else "bad")


def mapping(report: Report) -> Markup | None:
    found = find(report, "mapping")
    if not found:
        return None
    sizes = [
        shown(found, f"{name}s", (name + "s: {:,}").format) for name in ("neuron", "core", "chip")
    ]
    columns = [
        column("resource of a core", "name"),
        svg.bars("mean use (bar 0 to 100%)", "use", percent, 0, 1),
    ]
    shares = svg.numbers(found, "utilisation")
    use = [{"name": name.replace("_", " "), "use": share} for name, share in shares.items()]
    return join(
        element("p", join(*sizes, between=" · ")),
        svg.table(columns, use) if use else None,
        shown(found, "binding", lambda text: element("p", f"What binds: {text}")),
    )


def quantization(report: Report) -> Markup | None:
    layers = find(report, "quantization.layers")
    if not layers:
        return None
    columns = [
        column("population", "population"),
        column("unit", "unit", "{:.3g}".format),
        column("threshold", "threshold", "{:,}".format),
        column("decay /4096", "membrane_decay"),
        column("weight bits", "weight_bits"),
        column("exponents", "exponents", lambda exponents: ", ".join(map(str, exponents))),
        column("precision", "weight_precision"),
        column("weight error, rms", "relative_weight_error", "{:.2%}".format),
        column("clipped", "clipped_weights", "{:,}".format),
        column("worst-case sum", "worst_case_sum", "{:,}".format),
        column("limit", "sum_limit", "{:,}".format),
        column("overflow excluded", "proved",
               lambda proved: verdict_word("proved" if proved else "not proved", proved)),
    ]  # fmt: skip
    notes = [f"{row['population']}: {note}" for row in layers for note in find(row, "notes") or ()]
    said = (
        "unit: the real value of one integer step of the input sum; a weight is its mantissa times"
        " 2 to its projection's exponent"
    )
    return join(svg.table(columns, layers), quiet(said), bullets(notes))


def footer(report: Report) -> Markup:
    versions = find(report, "made_with") or {}
    facts = (
        shown(report, "schema", str),
        svg.words(*(f"{name} {version}" for name, version in versions.items() if version)),
        shown(report, "engine", lambda engine: f"engine {engine}"),
        shown(report, "model.parameters_sha256", lambda code: f"weights sha256 {code}"),
    )
    return element("footer", element("p", join(*facts, between=" · ")))


SECTIONS: dict[str, Callable[[Report], Markup | None]] = {
    "Warnings": lambda report: bullets(find(report, "warnings")),
    "Spikes and agreement": spikes,
    "Chip energy": energy,
    "Work, traffic and time a sample": work,
    "Traffic by layer": traffic_page.layers,
    "Chip steps": traffic_page.steps,
    "Busiest cores and links": traffic_page.busiest,
    "Real time": traffic_page.real_time,
    "Energy by the papers' formula": papers,
    "Is it spike-driven?": verdict,
    "Mapping": mapping,
    "Quantization": quantization,
    "Notes": lambda report: bullets(find(report, "notes")),
}
