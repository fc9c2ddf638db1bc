"""All rows in the order of the page, and those that a user asks for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from snndeploy.errors import DeployError, near_names
from snndeploy.papers import (
    attention,
    awaited,
    energies,
    parameters,
    ratios,
    spikes,
    unreproduced,
)
from snndeploy.papers.row import Result, Row, compute

ALL = "all"


@dataclass(frozen=True)
class Section:
    """title and words: what stands in front of the table."""

    title: str
    words: str
    rows: tuple[Row, ...]


SECTIONS = (
    Section("Parameters and neurons", "", parameters.ROWS),
    Section(
        "Attention",
        "On LIF-SNN-3 with T = 60, unless the row says otherwise: parameters, and multiplications"
        " of a sample. Delta_MAC1 finds the scores, Delta_MAC2 refines the membrane.",
        attention.ROWS,
    ),
    Section(
        "Spikes",
        "Neurons times steps times the printed rate, which has two or three digits.",
        spikes.ROWS,
    ),
    Section("Energies", "", energies.ROWS),
    Section("Ratios", "", ratios.ROWS),
    Section(
        "Not reproduced",
        "What comes out instead, and why the printed number does not.",
        unreproduced.ROWS,
    ),
    Section(
        "Not computed",
        "These follow from rates that other tables of the papers print, and that we do not have:"
        " with the rate in place of RATE, the command gives the number.",
        awaited.ROWS,
    ),
)
ROWS = tuple(row for section in SECTIONS for row in section.rows)


def asked(names: Sequence[str]) -> tuple[Row, ...]:
    """The rows of those names in the page's order: "P4.1", "P4" for all of P4, or "all".

    Raises:
        DeployError: there is no such row.
    """
    for name in names:
        if name != ALL and not any(_is(row, name) for row in ROWS):
            groups = dict.fromkeys(part for row in ROWS for part in (row.id.split(".")[0], row.id))
            raise DeployError(
                f"there is no row {name!r}{near_names(name.upper(), [*groups, ALL])}"
                " (snndeploy reproduce lists them)"
            )
    return tuple(row for row in ROWS if any(name == ALL or _is(row, name) for name in names))


def computed(rows: Sequence[Row], step: Callable[[str], None] = lambda _: None) -> Iterator[Result]:
    """Each row's result; step: told the row that is being computed."""
    for row in rows:
        step(f"{row.id} {row.quantity}")
        yield compute(row)


def _is(row: Row, name: str) -> bool:
    return row.id.lower() == name.lower() or row.id.lower().startswith(f"{name.lower()}.")
