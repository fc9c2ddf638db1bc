"""SANA-FE 2.2.9: files for another simulator of the chip, which replays our spikes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snndeploy.backends.backend import FEATURES, Allowed, Backend, Written
from snndeploy.errors import UnsupportedError

if TYPE_CHECKING:
    import numpy as np

    from snndeploy.program import Program

ALLOWED = Allowed(
    title="SANA-FE",
    neurons={
        "lif": ("threshold", "membrane_decay", "current_decay", "reset", "reset_amount"),
        "integrator": ("membrane_decay", "current_decay"),
        "relay": ("payload_shift", "payload_bound"),
        "input": ("payload_bound",),
    },
    connections=frozenset({"conv", "dense"}),
    features=frozenset(FEATURES) - {"attention"},
    lacks={
        "connections": "{where} cannot be exported to SANA-FE: connection '{name}' has no list of"
        " its synapses; use 'conv' or 'dense', or --timing cycle",
        "programmed": "{where} cannot be exported to SANA-FE: it runs a neuron program, and"
        " SANA-FE's models have no such neuron; use --timing cycle",
        "attention": "{where}: SANA-FE has no unit for attention, so its time and energy would be"
        " missing. Use --timing cycle instead",
    },
)


def _refusals(program: Program, options: Mapping[str, Any]) -> Iterable[UnsupportedError]:
    from snndeploy.backends.sanafe.export import too_large

    return too_large(program.network, program.layout)


def _emit(program: Program, x: np.ndarray, output: Path, options: Mapping[str, Any]) -> Written:
    from snndeploy.backends.sanafe.export import export_program

    made = export_program(program, output)
    return Written(f"{made.synapses:,} synapses; run {made.steps} steps", made.notes)


BACKEND = Backend(
    name="sanafe",
    writes="a folder for SANA-FE 2.2.9",
    command="export",
    form="folder",
    allowed=ALLOWED,
    emit=_emit,
    refusals=_refusals,
)
