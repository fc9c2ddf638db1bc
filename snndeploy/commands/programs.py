"""A program file, for the commands that take nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from snndeploy.errors import ProgramError
from snndeploy.frontend.doors import DOORS

if TYPE_CHECKING:
    from snndeploy.program import Program


def load_program(path: Path) -> Program:
    """The program; a SPEC in its place is named as what it is.

    Raises:
        ProgramError: the file cannot be read, or is none.
    """
    from snndeploy.program import load

    try:
        return load(path)
    except ProgramError:
        for door in DOORS:
            if door.takes(str(path)):
                said = f"{path} is {door.kind}, and a program is needed: compile it first"
                raise ProgramError(said) from None
        raise
