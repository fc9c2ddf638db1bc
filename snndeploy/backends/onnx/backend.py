"""ONNX as a backend: the float model, with every neuron unrolled into standard operators."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from snndeploy.backends.backend import Backend, Written
from snndeploy.errors import UnsupportedError

if TYPE_CHECKING:
    import numpy as np

    from snndeploy.backends.onnx.export import Part
    from snndeploy.program import Program


def _refusals(program: Program, options: Mapping[str, Any]) -> tuple[UnsupportedError, ...]:
    if importlib.util.find_spec("onnx") is None:
        said = "the package onnx is not installed: pip install 'snndeploy[onnx]'"
        return (UnsupportedError(said, reason="onnx"),)
    from snndeploy.backends.onnx.export import missing

    return tuple(missing(program, _part(options)))


def _part(options: Mapping[str, Any]) -> Part:
    return cast("Part", options.get("part") or "network")


def _emit(program: Program, x: np.ndarray, output: Path, options: Mapping[str, Any]) -> Written:
    from snndeploy.backends.onnx.export import export_onnx

    part = _part(options)
    nodes, size = export_onnx(program, output, part)
    steps = program.model.timesteps
    return Written(
        f"{part}, {nodes:,} nodes, {size / 1e6:.1f} MB",
        (f"real numbers, as trained: neurons are unrolled over T={steps}; the chip's integers are"
         " in the program alone",) if part == "network" else (),
    )  # fmt: skip


BACKEND = Backend(
    name="onnx",
    writes="an ONNX file of the float model",
    command="export",
    form="file",
    allowed=None,
    emit=_emit,
    options=frozenset({"part"}),
    refusals=_refusals,
)
