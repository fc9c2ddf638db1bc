"""HTML and SVG by hand: elements that escape what they hold, bars, and the energy chart.

Markup is text that is already HTML; every other child of an element is escaped.
Charts take their colours from the page's style (classes), so that they follow light and dark.
"""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from snndeploy.printable import printable

ABSENT = "–"

CHART_WIDTH = 480
LABEL_WIDTH, VALUE_WIDTH = 132, 118
ROW_HEIGHT, BAR_HEIGHT = 25, 14
LABEL_LETTERS = 22
COLUMN_HEIGHT = 90


class Markup(str):
    """Text that is HTML already."""


Child = str | None
Column = tuple[str, Callable[[Any], Child]]  # head, and a row's cell


def escape(text: object) -> Markup:
    """Any value as HTML text; Markup stays, characters that HTML forbids become U+FFFD."""
    if isinstance(text, Markup):
        return text
    return Markup(html.escape(printable(str(text), keep="\n\t")))


def element(tag: str, *children: Child, **attributes: object) -> Markup:
    """One element; None children and attributes are left out.

    Attributes: a final underscore is dropped (`class_`), others become hyphens.
    """
    written = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{escape(value)}"'
        for name, value in attributes.items()
        if value is not None
    )
    inside = "".join(escape(child) for child in children if child is not None)
    return Markup(f"<{tag}{written}>{inside}</{tag}>")


def join(*parts: Child, between: str = "\n") -> Markup:
    """Parts one after the other; None is left out."""
    return Markup(between.join(escape(part) for part in parts if part is not None))


def bar(fraction: float, kind: str = "rate") -> Markup:
    """A bar for a table's cell: `fraction` (0..1) of the cell's width, over a pale track."""
    width = 100 * min(max(fraction, 0.0), 1.0)
    return element(
        "svg",
        element("rect", class_="track", width=100, height=8),
        element("rect", class_=f"fill-{kind}", width=f"{width:.2f}", height=8),
        class_="bar", viewBox="0 0 100 8", preserveAspectRatio="none", aria_hidden="true",
    )  # fmt: skip


def stack(parts: Sequence[tuple[str, float]]) -> Markup:
    """One bar cut into parts (kind, fraction) that add up to 1."""
    pieces = []
    start = 0.0
    for kind, fraction in parts:
        pieces.append(
            element("rect", class_=f"fill-{kind}", x=f"{100 * start:.2f}",
                    width=f"{100 * fraction:.2f}", height=8)
        )  # fmt: skip
        start += fraction
    return element(
        "svg", *pieces,
        class_="bar stack", viewBox="0 0 100 8", preserveAspectRatio="none", aria_hidden="true",
    )  # fmt: skip


@dataclass(frozen=True)
class Row:
    """One line of a chart.  kind: the colour's class.  value: what is written at the right."""

    label: str
    size: float
    value: str
    kind: str


def chart(rows: Sequence[Row], title: str) -> Markup:
    """Horizontal bars from zero, the longest over the full width."""
    largest = max((row.size for row in rows), default=0.0) or 1.0
    height = ROW_HEIGHT * len(rows)
    axis = element("line", class_="axis", x1=LABEL_WIDTH, x2=LABEL_WIDTH, y1=0, y2=height)
    drawn = [_chart_row(row, index, largest) for index, row in enumerate(rows)]
    return element(
        "svg", *drawn, axis,
        class_="chart", viewBox=f"0 0 {CHART_WIDTH} {height}", role="img", aria_label=title,
    )  # fmt: skip


def _chart_row(row: Row, index: int, largest: float) -> Markup:
    room = CHART_WIDTH - LABEL_WIDTH - VALUE_WIDTH
    top = index * ROW_HEIGHT + (ROW_HEIGHT - BAR_HEIGHT) / 2
    base = index * ROW_HEIGHT + ROW_HEIGHT / 2 + 4
    width = max(room * row.size / largest, 1.0)
    return element(
        "g",
        element("title", f"{row.label}: {row.value} ({row.kind})"),
        element("text", shorten(row.label, LABEL_LETTERS), x=LABEL_WIDTH - 8, y=base,
                text_anchor="end"),
        element("rect", class_=f"fill-{row.kind}", x=LABEL_WIDTH, y=top, width=f"{width:.2f}",
                height=BAR_HEIGHT),
        element("text", row.value, x=CHART_WIDTH, y=base, text_anchor="end", class_="value"),
    )  # fmt: skip


def shorten(text: str, letters: int) -> str:
    """At most so many letters, cut in the middle."""
    if len(text) <= letters:
        return text
    head = (letters - 1) // 2
    return f"{text[:head]}…{text[-(letters - 1 - head) :]}"


@dataclass(frozen=True)
class Bar:
    """One upright bar.  size: None where it is not known.  text: what pointing at it says."""

    size: float | None
    text: str
    kind: str


def columns(bars: Sequence[Bar], title: str) -> Markup:
    """Upright bars side by side from zero, the largest over the full height."""
    largest = max((bar.size for bar in bars if bar.size is not None), default=0.0) or 1.0
    room = CHART_WIDTH / max(len(bars), 1)
    drawn = []
    for index, bar in enumerate(bars):
        if bar.size is None:
            continue
        height = COLUMN_HEIGHT * max(bar.size, 0.0) / largest
        drawn.append(
            element("rect", element("title", bar.text), class_=f"fill-{bar.kind}",
                    x=f"{index * room:.2f}", y=f"{COLUMN_HEIGHT - height:.2f}",
                    width=f"{0.85 * room:.2f}", height=f"{height:.2f}")
        )  # fmt: skip
    axis = element("line", class_="axis", x1=0, x2=CHART_WIDTH, y1=COLUMN_HEIGHT, y2=COLUMN_HEIGHT)
    return element(
        "svg", *drawn, axis,
        class_="chart", viewBox=f"0 0 {CHART_WIDTH} {COLUMN_HEIGHT + 1}", role="img",
        aria_label=title,
    )  # fmt: skip


def legend(kinds: Iterable[tuple[str, str]]) -> Markup:
    """A coloured square and a text for each (kind, text)."""
    items = [
        element(
            "span",
            element(
                "svg",
                element("rect", class_=f"fill-{kind}", width=10, height=10),
                viewBox="0 0 10 10", class_="swatch", aria_hidden="true",
            ),
            text,
        )
        for kind, text in kinds
    ]  # fmt: skip
    return element("p", join(*items, between=" "), class_="legend")


def find(report: Any, path: str) -> Any:
    """The value at a dotted path, or None where it is missing, null, not finite or empty."""
    for key in path.split("."):
        report = report.get(key) if isinstance(report, Mapping) else None
    return report if is_known(report) else None


def is_known(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    return value is not None and value not in ("", [], {})


def numbers(report: Any, path: str) -> dict[str, float]:
    """The finite numbers of the mapping at a path; empty where it is missing."""
    values = find(report, path) or {}
    return {name: value for name, value in values.items() if is_known(value)}


def shown(report: Any, path: str, write: Callable[[Any], str]) -> str | None:
    """The value at a path as text, or None."""
    value = find(report, path)
    return None if value is None else write(value)


def section(title: str, *content: Child) -> Markup | None:
    """A titled part, or None when nothing is in it."""
    if not any(content):
        return None
    return element("section", element("h2", title), join(*content))


def table(columns: Sequence[Column], rows: Sequence[Any], class_: str | None = None) -> Markup:
    """One row an item; a column that is absent everywhere is left out."""
    kept = [(head, [cell(row) for row in rows]) for head, cell in columns]
    kept = [(head, cells) for head, cells in kept if any(cell is not None for cell in cells)]
    heads = element("tr", *(element("th", head, scope="col") for head, _ in kept))
    lines = []
    for index in range(len(rows)):
        first, *rest = (cells[index] for _, cells in kept)
        absent = "" if rows[index].get("total") else ABSENT
        written = [element("td", absent if cell is None else cell) for cell in rest]
        lines.append(element("tr", element("th", first, scope="row"), *written))
    inside = element(
        "table", element("thead", heads), element("tbody", join(*lines)), class_=class_
    )
    return element("div", inside, class_="scroll")


def column(head: str, path: str, write: Callable[[Any], str] = str) -> Column:
    """A column of the values at a path of every row."""
    return head, lambda row: shown(row, path, write)


def quiet(text: str | None) -> Markup | None:
    """A paragraph that explains."""
    return element("p", text, class_="quiet") if text else None


def pairs(title: str, rows: Sequence[tuple[str, str | None]]) -> Markup | None:
    """A small table of names and values; absent values and empty tables are left out."""
    lines = [
        element("tr", element("th", name, scope="row"), element("td", value))
        for name, value in rows
        if value is not None
    ]
    if not lines:
        return None
    return element(
        "table", element("caption", title), element("tbody", join(*lines)), class_="pairs"
    )


def bullets(lines: Sequence[str] | None) -> Markup | None:
    """A list without repetitions."""
    if not lines:
        return None
    return element("ul", join(*(element("li", line) for line in dict.fromkeys(lines))))


def card(name: str, value: str | None, detail: str | None = None) -> Markup | None:
    """A key figure."""
    if value is None:
        return None
    return element(
        "div",
        element("span", name, class_="name"),
        element("span", value, class_="value"),
        element("span", detail, class_="detail") if detail else None,
        class_="card",
    )


def words(*parts: str | None) -> str | None:
    """Parts separated by commas."""
    return ", ".join(filter(None, parts)) or None


def bars(head: str, key: str, write: Callable[[Any], str], low: float, top: float) -> Column:
    """A column of numbers with a bar from `low` to `top` beside; a total has only the room."""

    def cell(row: Any) -> Child:
        value = find(row, key)
        if value is None:
            return None
        drawn = bar((value - low) / (top - low), key)
        beside = element("span", class_="bar") if row.get("total") else drawn
        return element("span", write(value), beside, class_="barred")

    return head, cell


STYLE = """
:root { --ink: #1b2330; --quiet: #5b6675; --paper: #fff; --panel: #f5f7fa; --line: #dde3ea;
  --track: #e6ebf1; --rate: #2f6fb3; --agreement: #3a8f6f; --good: #1d7a4f; --bad: #b3401f;
  --published: #1f6f54; --code: #3f9e8c; --measured: #5a8f29; --fitted: #2f6fb3;
  --inherited: #d9a028; --assumed: #c65d2e; --unknown: #8a94a3; color-scheme: light dark }
@media screen and (prefers-color-scheme: dark) { :root { --ink: #e4e9f0; --quiet: #9aa6b5;
  --paper: #12161c; --panel: #1b212a; --line: #2d3642; --track: #2a323d; --rate: #5b9bdf;
  --agreement: #59b795; --good: #62c794; --bad: #f08a65; --published: #3fa884; --code: #7cc8bb;
  --measured: #8fc45c; --fitted: #5b9bdf; --inherited: #e3b553; --assumed: #e07a4b;
  --unknown: #7d8896 } }
* { box-sizing: border-box }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, Arial, sans-serif }
main, footer { max-width: 1080px; margin: 0 auto; padding: 0 24px }
header { padding: 28px 0 4px }
h1 { font-size: 28px; line-height: 1.2; margin: 0 0 6px; overflow-wrap: anywhere }
h2 { font-size: 19px; margin: 34px 0 10px; border-bottom: 1px solid var(--line) }
h3 { font-size: 15px; margin: 14px 0 4px }
p, li { margin: 5px 0; overflow-wrap: anywhere }
ul { margin: 6px 0; padding-left: 20px }
.facts { font-size: 16px }
.quiet, .legend { font-size: 13.5px } .quiet, footer { color: var(--quiet) }
footer { padding-top: 22px; padding-bottom: 30px; font-size: 12px }
.cards { display: grid; grid-template-columns: repeat(3, 1fr); gap: 12px; margin-top: 18px }
.card { background: var(--panel); border: 1px solid var(--line); border-radius: 8px;
  padding: 11px 15px; display: flex; flex-direction: column }
.card .name, .card .detail { color: var(--quiet); font-size: 13.5px }
.card .value { font-size: 27px; font-weight: 650; line-height: 1.25 }
.scroll { overflow-x: auto }
table { border-collapse: collapse; width: 100%; font-size: 14px; align-self: start }
table, text { font-variant-numeric: tabular-nums }
th, td { padding: 4px 0 4px 16px; text-align: right; border-bottom: 1px solid var(--line);
  vertical-align: baseline; white-space: nowrap }
th:first-child { text-align: left; padding-left: 0 }
thead th { color: var(--quiet); font-size: 13px; font-weight: 500; white-space: normal;
  vertical-align: bottom }
tbody th { font-weight: 500 }
.totals tbody tr:last-child > * { border-bottom: 0; font-weight: 650 }
.words td:last-child, .words th:last-child { text-align: left; white-space: normal;
  min-width: 200px; color: var(--quiet) }
caption { text-align: left; font-weight: 650; padding-bottom: 3px }
.pairs th { font-weight: 400; white-space: normal }
.halves, .thirds { display: grid; gap: 12px 34px; grid-template-columns: 1fr 1fr; margin: 12px 0 }
.thirds { grid-template-columns: repeat(3, 1fr) }
.barred { display: inline-flex; gap: 10px; align-items: center }
.bar { width: 120px; height: 10px; flex: none }
.stack { width: 100%; height: 16px; display: block; margin: 6px 0 }
.chart { width: 100%; max-width: 620px; height: auto; display: block }
.chart text { font-size: 12.5px; fill: var(--ink) } .axis { stroke: var(--quiet) }
.legend span { margin-right: 16px; white-space: nowrap }
.swatch { width: 11px; height: 11px; margin-right: 6px }
.answers { list-style: none; padding: 0 }
.answers strong { display: inline-block; width: 2.2em }
.good { color: var(--good) } .bad { color: var(--bad) } .track { fill: var(--track) }
.fill-rate, .fill-use, .fill-receive { fill: var(--rate) } .fill-send { fill: var(--code) }
.fill-link { fill: var(--inherited) } .fill-barrier { fill: var(--unknown) }
.fill-host { fill: var(--assumed) } .fill-agreement { fill: var(--agreement) }
.fill-published { fill: var(--published) } .fill-from-code { fill: var(--code) }
.fill-measured { fill: var(--measured) }
.fill-fitted { fill: var(--fitted) } .fill-inherited { fill: var(--inherited) }
.fill-assumed { fill: var(--assumed) } .fill-unknown { fill: var(--unknown) }
@media screen and (max-width: 760px) { .halves, .thirds { grid-template-columns: 1fr }
  .cards { grid-template-columns: 1fr 1fr } .card .value { font-size: 22px }
  main, footer { padding-left: 14px; padding-right: 14px } .barred .bar { width: 70px } }
@media print { body { font-size: 10.5pt } main, footer { max-width: none; padding: 0 }
  table { font-size: 8.5pt } th, td { padding-left: 9px } .barred .bar { width: 70px }
  .scroll { overflow: visible } tr, .card, .chart, .halves, .pairs { break-inside: avoid }
  h2, h3, caption { break-after: avoid } }
"""
