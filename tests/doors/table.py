"""The table of docs/doors.md, from the rows that the journeys of this folder wrote.

    SNNDEPLOY_DOORS_TABLE=build/doors pytest -m doors tests/doors
    python tests/doors/table.py build/doors            # differs from docs/doors.md? exit code 1
    python tests/doors/table.py build/doors --write    # puts it there

Rows of networks that were not run now are left as they stand, so that the papers' own code, which
cannot be shipped, keeps its rows from the last time that somebody had it.
"""

from __future__ import annotations

import sys
from pathlib import Path

from journey import LEFT_OPEN, STAGES, Row, rows

PAGE = Path(__file__).resolve().parents[2] / "docs" / "doors.md"
BEGIN, END = "<!-- rows: made by tests/doors/table.py -->", "<!-- end of rows -->"
HEAD = ("system", "version", "network", "door", "target", *STAGES, "lines", "what was said")
KEY = 5  # system, version, network, door and target name a row
LONGEST = 160


def cells(row: Row) -> tuple[str, ...]:
    """A row as the page prints it."""
    reached = STAGES.index(row.reached) if row.reached else -1
    unproved = row.reached and any(said in row.said for said in LEFT_OPEN)
    passed = ["yes" if place <= reached else "no" for place in range(len(STAGES))]
    passed[STAGES.index("equal")] = "in part" if unproved else passed[STAGES.index("equal")]
    said = " ".join(row.said.split()).replace("|", "/")
    said = said if len(said) <= LONGEST else said[: LONGEST - 1].rsplit(" ", 1)[0] + " …"
    return (
        row.system, row.version, row.network, row.door, row.target, *passed, str(row.lines), said,
    )  # fmt: skip


def standing(page: str) -> dict[tuple[str, ...], tuple[str, ...]]:
    """The rows of the page, by what names them."""
    lines = page.partition(BEGIN)[2].partition(END)[0].strip().splitlines()[2:]
    found = (tuple(cell.strip() for cell in line.strip("|").split("|")) for line in lines)
    return {row[:KEY]: row for row in found}


def differing(page: str, new: dict[tuple[str, ...], tuple[str, ...]]) -> list[str]:
    """Where the page says something else than what was found; the words of a refusal may change."""
    old = standing(page)
    return [
        f"{' '.join(key)}: found {row[KEY:-1]}, docs/doors.md has {old.get(key, ())[KEY:-1]}"
        for key, row in new.items()
        if old.get(key, ())[:-1] != row[:-1]
    ]


def written(page: str, new: dict[tuple[str, ...], tuple[str, ...]]) -> str:
    """The page with these rows in place of those of the same networks."""
    table = standing(page) | new
    lines = [HEAD, ("---",) * len(HEAD), *(table[key] for key in sorted(table))]
    text = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    before, after = page.partition(BEGIN)[0], page.partition(END)[2]
    return f"{before}{BEGIN}\n\n{text}\n\n{END}{after}"


def main(folder: str, *flags: str) -> int:
    new = {found[:KEY]: found for found in map(cells, rows(Path(folder)))}
    if not new:
        print(f"{folder} holds no rows")
        return 1
    page = PAGE.read_text("utf-8")
    if "--write" in flags:
        PAGE.write_text(written(page, new), encoding="utf-8")
        return 0
    faults = differing(page, new)
    print("\n".join(faults) or f"{len(new)} networks: docs/doors.md says what was found")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
