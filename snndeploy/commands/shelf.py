"""The small commands: what is shipped, and the environment that Lava needs."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from snndeploy.commands.console import (
    FILE,
    Family,
    check_json,
    clear_step,
    json_option,
    say,
    show,
    show_step,
)

if TYPE_CHECKING:
    from snndeploy.target import Target


@click.group(cls=Family)
def targets() -> None:
    """The chips."""


@targets.command("list")
@json_option("them")
def list_targets(json_file: Path | None) -> None:
    """Names and descriptions, and for which no program is compiled."""
    from snndeploy.shelf import target_names
    from snndeploy.target import Target

    check_json(json_file)
    loaded = {name: Target.load(name) for name in target_names()}
    width = max(map(len, loaded))
    lines = [f"{name:<{width}}  {chip.description}\n" for name, chip in loaded.items()]
    for index, chip in enumerate(loaded.values()):
        if chip.not_compiled:
            lines[index] += f"{'':<{width}}  not compiled: {chip.not_compiled}\n"
    found = {name: _facts(chip) for name, chip in loaded.items()}
    show("".join(lines), found, json_file)


def _facts(chip: Target) -> dict[str, str]:
    """What it is, and why no program is compiled for it."""
    reason = {"not_compiled": chip.not_compiled} if chip.not_compiled else {}
    return {"description": chip.description, **reason}


@targets.command("show")
@click.argument("name")
@json_option("them")
def show_target(name: str, json_file: Path | None) -> None:
    """Every number with its unit, mark and source."""
    from snndeploy.target import Target

    check_json(json_file)
    target = Target.load(name)
    lines = [f"{target.name}: {target.description}"]
    if target.not_compiled:
        lines.append(f"  not compiled: {target.not_compiled}")
    for key, quantity in target.quantities.items():
        unit = f" {quantity.unit}" if quantity.unit else ""
        lines.append(f"  {key} = {quantity.value}{unit} [{quantity.mark}: {quantity.source}]")
    found: dict[str, object] = {
        key: asdict(quantity) for key, quantity in target.quantities.items()
    }
    if target.not_compiled:
        found["not_compiled"] = target.not_compiled
    show("\n".join(lines) + "\n", found, json_file)


@targets.command("check")
@click.argument("file", type=FILE)
def check_target(file: Path) -> None:
    """Validate a chip file."""
    from snndeploy.target import Target

    target = Target.load(str(file) if "/" in str(file) else f"./{file}")
    marks = ", ".join(f"{len(keys)} {mark}" for mark, keys in target.provenance().items())
    say(f"{file}: {target.name} is valid; {marks}")


@click.group(cls=Family)
def models() -> None:
    """The shipped networks."""


@models.command("list")
@json_option("them")
def list_models(json_file: Path | None) -> None:
    """Names, weights and descriptions."""
    from snndeploy.shelf import catalog

    check_json(json_file)
    entries = catalog()
    lines = [
        f"{entry.name:<28} {'trained' if entry.weights else 'random':<8} {entry.description}\n"
        for entry in entries
    ]
    found = {
        entry.name: {"trained": bool(entry.weights), "description": entry.description}
        for entry in entries
    }
    show("".join(lines), found, json_file)


@models.command("show")
@click.argument("name")
def show_model(name: str) -> None:
    """One network: file, source, weights, data."""
    from snndeploy.shelf import model_entry

    entry = model_entry(name)
    for key in ("name", "spec", "description", "paper", "input_shape", "input_signal", "weights",
                "test_data", "calibration_data"):  # fmt: skip
        value = getattr(entry, key)
        if value is not None:
            say(f"{key.replace('_', ' ')}: {value}")


@click.group(cls=Family)
def lava() -> None:
    """Lava, which runs in a Python 3.10 environment of its own."""


@lava.command("setup")
@click.option("--folder", type=FILE, help="Where (default: the user's cache folder).")
def setup_lava(folder: Path | None) -> None:
    """Create that environment, unless it is there already."""
    from snndeploy.backends.lava.environment import setup_environment

    show_step("create Lava's environment")
    python = setup_environment(folder)
    clear_step()
    say(f"Lava's Python: {python}")
