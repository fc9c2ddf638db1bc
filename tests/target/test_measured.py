"""Every number that a target marks as measured has a row in docs/silicon.md, and no row is left."""

import tomllib
from pathlib import Path

from snndeploy import shelf
from snndeploy.target import Target

PAGE = Path(__file__).resolve().parents[2] / "docs/silicon.md"
HEAD = ["target", "key", "value", "network", "from"]


def rows():
    """(target, key, value with its unit, network) of the table."""
    lines = [line.strip() for line in PAGE.read_text(encoding="utf-8").splitlines()]
    cells = [[cell.strip(" `") for cell in line.strip("|").split("|")] for line in lines]
    start = cells.index(HEAD) + 2
    found = []
    for line, cell in zip(lines[start:], cells[start:], strict=True):
        if not line.startswith("|"):
            break
        found.append(tuple(cell[:4]))
    return found


def written(value):
    """A value as the table writes it."""
    if isinstance(value, tuple):
        return ", ".join(f"{item:g}" for item in value)
    return str(value).lower() if isinstance(value, bool) else f"{value}"


def measured():
    """The same of the shipped targets; a board's chip is its base's, number for number."""
    found = {}
    for name in shelf.target_names():
        own = tomllib.loads(Path(shelf.target_path(name)).read_text(encoding="utf-8"))
        for key, quantity in Target.load(name).quantities.items():
            section, _, bare = key.partition(".")
            if quantity.mark == "measured" and bare in own.get(section, {}):
                said = f"{written(quantity.value)} {quantity.unit}".strip()
                found[name, key] = (name, key, said, quantity.source.partition(": ")[0])
    return found


def test_every_measured_number_has_a_row_and_every_row_a_number():
    assert measured(), "no target states a measured number"
    assert sorted(rows()) == sorted(measured().values())


def test_static_power_is_within_what_was_measured():
    static = Target.load("loihi2").quantity("energy.static_power_per_chip_w")
    assert static.mark == "measured"
    assert 0.232 <= static.value <= 0.282  # PilotNet LIF and PilotNet SDNN, one chip each
