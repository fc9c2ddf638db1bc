"""Running commands in process, and the two things every refusal must be: one line, no file."""

from __future__ import annotations

import os
from pathlib import Path

from click.testing import CliRunner, Result

from snndeploy.cli import main


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def listing(folder: Path) -> dict[str, tuple[int, int]]:
    """Every file below a folder with its size and time of change."""
    found = {}
    for parent, _, names in os.walk(folder):
        if "__pycache__" in parent:
            continue
        for name in names:
            state = (Path(parent) / name).lstat()
            found[str(Path(parent) / name)] = (state.st_size, state.st_mtime_ns)
    return found


def refused(folder: Path, *arguments: object) -> str:
    """The one line of a refused command, which wrote nothing below `folder`."""
    before = listing(folder)
    result = run(*arguments)
    assert listing(folder) == before, "a refused command wrote something"
    assert result.exit_code == 1, result.output
    assert result.stdout == ""
    said = result.stderr
    assert said.startswith("snndeploy: ") and said.endswith("\n") and said.count("\n") == 1, said
    return said.removeprefix("snndeploy: ").removesuffix("\n")


def compiling(
    folder: Path,
    spec: str = "tiny_model.py:net()",
    *more: object,
    weights: str | None = "net.safetensors",
) -> str:
    """A refused `compile`: its line, with the folder's name taken out."""
    given = ("--checkpoint", folder / weights) if weights else ("--random-weights",)
    arguments = ("compile", f"{folder}/{spec}", *given, "-o", folder / "new.snnp", *more)
    return refused(folder, *arguments).replace(f"{folder}/", "")


def simulating(folder: Path, program: Path, data: Path, *more: object) -> str:
    """A refused `simulate`: its line, with the folder's name taken out."""
    arguments = ("simulate", program, "--data", data, "-o", folder / "run", *more)
    return refused(folder, *arguments).replace(f"{folder}/", "")
