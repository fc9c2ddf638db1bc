"""NetX: lava-dl's `.net` file of a sequential network."""

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
    title="NetX",
    neurons={
        "lif": ("threshold", "membrane_decay", "current_decay", "reset", "reset_amount"),
        "integrator": ("membrane_decay", "current_decay"),
        "input": ("payload_bound",),
    },
    connections=frozenset({"conv", "dense"}),
    features=frozenset(FEATURES) - {"attention", "soft reset", "host values"},
    lacks={
        "connections": "projection {quoted}: is connection '{name}'; a .net file holds 'conv' and"
        " 'dense'",
        "attention": "population {quoted}: has attention, which the format cannot hold",
        "relay": "population {quoted}: is a relay of graded values; NetX has none",
        "programmed": "population {quoted}: runs a neuron program; NetX's neurons are the fixed"
        " LIF, with a hard reset to zero and nothing else",
        "soft reset": "population {quoted}: resets by subtraction; NetX's neurons reset to zero",
        "host values": "population {quoted}: receives graded injections at every step; NetX drives"
        " a spiking input layer by its bias only. Use an encoder output that is constant over time",
    },
)


def _refusals(program: Program, options: Mapping[str, Any]) -> Iterable[UnsupportedError]:
    from snndeploy.backends.netx.export import describe

    if any(p.neuron.name not in ALLOWED.neurons for p in program.network.populations):
        return ()  # refused by name already, and no layer of the format describes it
    for readout in program.network.readouts:
        if readout.steps:
            said = (
                f"population {readout.population!r}: is read behind {len(readout.steps)} steps, and"
                " NetX's last layer is read once, at the end; take a mean or sum over time"
            )
            return (UnsupportedError(said, node=readout.population, reason="several readings"),)
    try:
        describe(program.network, options.get("round_biases", False))
    except UnsupportedError as error:  # a chain is followed link by link: the first that is none
        return (error,)
    return ()


def _emit(program: Program, x: np.ndarray, output: Path, options: Mapping[str, Any]) -> Written:
    from snndeploy.backends.netx.export import export_netx

    round_biases = options.get("round_biases", False)
    return Written(notes=export_netx(program.network, output, round_biases=round_biases))


BACKEND = Backend(
    name="netx",
    writes="lava-dl's .net file",
    command="export",
    form="file",
    allowed=ALLOWED,
    emit=_emit,
    options=frozenset({"round_biases"}),
    refusals=_refusals,
)
