"""What `snndeploy reproduce` prints: the page of all rows, or the lines of a few."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence

from snndeploy.papers.row import EXACT, TRUNCATED, WITHIN, Result, Row
from snndeploy.papers.rows import SECTIONS, Section

WIDTH = 100
HEAD = """# What we could and could not reproduce

Numbers of three papers and two supplements, computed here from their text: MA (attention spiking
neural networks) and its supplement MA-S, GAC (gated attention coding), ASA (inherent redundancy)
and its supplement ASA-S. This page is what `snndeploy reproduce all` prints; `snndeploy reproduce
ROW` computes one row. Networks are built from `models/`, traced, and counted as
[costs.md](costs.md) describes; the rates that tables print are in `models/rates/`. What the same
formulas say of networks that we trained is in [trained.md](trained.md).

Agreement is found by comparing. *exact*: ours rounds to every printed digit. *truncated*: cut off,
it gives them. *within the rounding of the rates*: rates that round to the printed ones give the
printed number; ours and the range stand beside it. *not printed*: no paper prints it, it follows
from the text. A percentage is our deviation from the printed number. Unless a row says otherwise
the convention is S1: the first layer at every step, rates of the driving layer, one refinement of
the membrane for each gate. `models/` in a command is the folder of the shipped models
(`snndeploy models show lif-snn-3` names it, where the package is installed).
"""
FOOT = """The papers disagree with each other on the same networks, too. NASAR of vanilla LIF-SNN-3
on Gesture is .173, .174, .214 (MA, three places) and .176 (ASA); TCSA there saves 3.4 times (MA)
or 2.45 times (ASA-S). We have not trained on Gesture, so we cannot say which holds.

Accuracies are no rows here: they need the papers' data, training and weights. Those that ASA
prints for its module belong to a network with one mask for a whole batch, 40 clips in the published
test script, so a clip's answer depends on the others
([attention.md](attention.md#asa-the-text-and-its-code)).
"""
COLUMNS = ("row", "quantity", "printed in", "printed", "ours", "agreement", "convention and notes")


def page(results: Iterable[Result]) -> str:
    """The page, in Markdown; results: of all rows, in their order."""
    found = {result.row.id: result for result in results}
    parts = [HEAD, _summary(list(found.values()))]
    for section in SECTIONS:
        parts.append(_section(section, [found[row.id] for row in section.rows]))
    return "\n".join([*parts, FOOT])


def _summary(results: Sequence[Result]) -> str:
    printed = [result for result in results if result.row.printed and result.low is not None]
    exact = sum(result.agreement == EXACT for result in printed)
    near = sum(result.agreement in (TRUNCATED, WITHIN) for result in printed)
    awaited = sum(bool(result.row.awaits) for result in results)
    return _wrapped(
        f"Of {len(printed)} printed numbers that were computed, {exact} are exact, and {near} are"
        f" truncated or within the rounding of their rates; {awaited} rows wait for tables that we"
        " do not have."
    )


def _section(section: Section, results: Sequence[Result]) -> str:
    lines = [f"## {section.title}", ""]
    if section.words:
        lines += [_wrapped(section.words)]
    lines += [f"| {' | '.join(COLUMNS)} |", "|---" * len(COLUMNS) + "|"]
    return "\n".join([*lines, *map(line, results), "", *_commands(section.rows)])


def line(result: Result) -> str:
    """One row of the page's table."""
    row = result.row
    cells = (
        row.id, row.quantity, row.source or "–", row.printed or "–", result.ours,
        result.agreement, _words(row),
    )  # fmt: skip
    return f"| {' | '.join(cells)} |"


def _words(row: Row) -> str:
    return "; ".join(
        part for part in (row.shown.reading, row.note, row.unreproduced, row.awaits) if part
    )


def _commands(rows: Sequence[Row]) -> list[str]:
    """Each command once, behind the rows that it shows."""
    rows_of: dict[str, list[str]] = {}
    for row in rows:
        if row.shown.command:
            rows_of.setdefault(row.shown.command, []).append(row.id)
    if not rows_of:
        return []
    listed = [f"{command}  # {', '.join(names)}" for command, names in rows_of.items()]
    return ["```sh", *listed, "```", ""]


def lines(results: Iterable[Result]) -> str:
    """A few rows, for a terminal."""
    return "\n".join(_block(result) for result in results)


def _block(result: Result) -> str:
    row = result.row
    pairs = (
        ("printed", f"{row.printed or '–'}  ({row.source})" if row.source else row.printed),
        ("ours", result.ours),
        ("agreement", result.agreement),
        ("convention", row.shown.reading),
        ("note", row.note),
        ("not reproduced", row.unreproduced),
        ("awaits", row.awaits),
        ("command", row.shown.command),
    )
    return "".join(
        [f"{row.id}  {row.quantity}\n", *(_pair(key, text) for key, text in pairs if text)]
    )


def _pair(key: str, text: str) -> str:
    if key == "command":
        return f"  {key:<16}{text}\n"  # in one line, to be copied
    return textwrap.fill(
        text, WIDTH, initial_indent=f"  {key:<16}", subsequent_indent=" " * 18
    ) + "\n"  # fmt: skip


def listing(rows: Sequence[Row]) -> str:
    """What there is to ask for, without computing it."""
    return "".join(f"{row.id:<7}{row.printed or '–':<14}{row.quantity}\n" for row in rows)


def _wrapped(text: str) -> str:
    return textwrap.fill(text, WIDTH, break_on_hyphens=False) + "\n"
