"""NIR: a program's float model, for other frameworks; the integers stay behind."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snndeploy.backends.backend import FEATURES, Allowed, Backend, Written
from snndeploy.connections import CONNECTIONS
from snndeploy.errors import UnsupportedError
from snndeploy.neurons import NEURONS

if TYPE_CHECKING:
    import numpy as np

    from snndeploy.program import Program

ALLOWED = Allowed(
    title="NIR",
    neurons={name: tuple(field.name for field in fields(kind)) for name, kind in NEURONS.items()},
    connections=frozenset(connection.kind for connection in CONNECTIONS),
    features=frozenset(FEATURES) - {"attention"},
)
"""All but attention: what is written is not the integers, but the model that they stand for."""


def _refusals(program: Program, options: Mapping[str, Any]) -> Iterable[UnsupportedError]:
    from snndeploy.backends.nir.export import described

    try:
        described(program)
    except UnsupportedError as error:
        return (error,)
    return ()


def _emit(program: Program, x: np.ndarray, output: Path, options: Mapping[str, Any]) -> Written:
    from snndeploy.backends.nir.export import export_nir

    return Written(notes=export_nir(program, output))


BACKEND = Backend(
    name="nir",
    writes="a NIR graph of the float model",
    command="export",
    form="file",
    allowed=ALLOWED,
    emit=_emit,
    refusals=_refusals,
)
