"""The core map of a program, as `compile --map` takes it: no weights, the mapping alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snndeploy.backends.backend import Backend, Written

if TYPE_CHECKING:
    import numpy as np

    from snndeploy.program import Program


def _emit(program: Program, x: np.ndarray, output: Path, options: Mapping[str, Any]) -> Written:
    from snndeploy.files.writing import write_bytes
    from snndeploy.mapping import map_text

    write_bytes(output, map_text(program.layout).encode())
    return Written(f"{program.layout.cores:,} cores")


BACKEND = Backend(
    name="map",
    writes="a core map",
    command="export",
    form="file",
    allowed=None,
    emit=_emit,
)
