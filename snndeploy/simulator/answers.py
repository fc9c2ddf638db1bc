"""The answers of a program: integers that the host reads, and what it makes of them."""

from __future__ import annotations

import numpy as np

from snndeploy.engines.boundary import split_outputs
from snndeploy.metrics import Meaning
from snndeploy.network import Network, Readout
from snndeploy.ops.answer import Head, finished, head_of
from snndeploy.program import Program


def heads_of(program: Program) -> tuple[Head, ...]:
    """Every head of a program, the answer first."""
    network, model = program.network, program.model
    if not program.has_float_model:
        plain = ((r.population, network.by_name[r.population].neurons) for r in network.readouts)
        return tuple(Head(name, (neurons,), Meaning()) for name, neurons in plain)
    return tuple(head_of(model, name) for name in model.outputs)


def answers_of(network: Network, outputs: np.ndarray) -> list[np.ndarray]:
    """The answers of every head, float64 (samples, values), from `boundary.read_outputs`."""
    read = split_outputs(network, outputs)
    return [_answer(r, found) for r, found in zip(network.readouts, read, strict=True)]


def logits_of(network: Network, outputs: np.ndarray) -> np.ndarray:
    """Those of the first head."""
    return answers_of(network, outputs)[0]


def _answer(readout: Readout, readings: np.ndarray) -> np.ndarray:
    """The rest of the model on the real values; answers of every step are averaged."""
    values = readout.values(readings)
    if readout.finish is not None:
        values = finished(readout.finish, values)
    return values.mean(axis=1).reshape(len(readings), -1)
