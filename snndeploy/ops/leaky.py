"""leaky and weigh: linear filters over the time steps, without spikes.

    leaky   y[t] = decay * y[t-1] + x[t],  y[-1] = 0     the membrane of a leaky integrator
    weigh   y[t] = weight[t] * x[t]                      what a network learned that steps count

Behind the last neuron they say how the membranes of the readout are integrated and read; in front
of a neuron the chip has nothing that does them.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
import torch

from snndeploy.graph import Axes, Block, Node, Signal
from snndeploy.ops import common
from snndeploy.ops.form import adds_nothing, one_input, unchanged
from snndeploy.ops.kind import Cost, Linear, OpKind, Record, Role, Trait, Work
from snndeploy.ops.record import is_number, is_whole


def same_axes(node: Node, inputs: Sequence[Axes]) -> Axes:
    """Those of the input, whose time is where the node says."""
    axis, steps = node.attributes["time_axis"], node.attributes["timesteps"]
    if inputs[0][axis] != (("time", steps),):
        raise ValueError(f"dimension {axis} of its input should be the {steps} time steps")
    return inputs[0]


def _record(rule: Any) -> Record:
    """The same shape in and out, with the steps where the node says; `rule`: of its numbers."""

    def whole(node: Node, inputs: Sequence[Sequence[int]], found: Sequence[int]) -> bool:
        axis, steps = node.attributes["time_axis"], node.attributes["timesteps"]
        same = list(inputs[0]) == list(found) and is_whole(axis, 0, len(found) - 1)
        return same and found[axis] == steps and rule(node)

    return Record(fewest=1, most=1, rule=whole)


def products(node: Node, inputs: Sequence[Node], timesteps: int) -> Work:
    return Work(prod(node.shape), prod(node.shape))


COST = Cost(
    summed=common.no_spikes, multiplications=common.one_an_element, work=products
)  # fmt: skip


def leak(node: Node, inputs: Sequence[Any], batch: int, timesteps: int) -> Any:
    axis, decay = node.attributes["time_axis"], node.attributes["decay"]
    x = inputs[0]
    found = [x.select(axis, 0)]
    for step in range(1, x.shape[axis]):
        found.append(decay * found[-1] + x.select(axis, step))
    return torch.stack(found, axis)


def leak_over_time(node: Node, inputs: Sequence[Node], timesteps: int) -> np.ndarray:
    """decay^(t - s) of step s in step t."""
    past = np.subtract.outer(np.arange(timesteps), np.arange(timesteps))
    rows: np.ndarray = np.where(past >= 0, float(node.attributes["decay"]) ** np.abs(past), 0.0)
    return rows


def leak_record(node: Node) -> bool:
    decay = node.attributes["decay"]
    return is_number(decay) and 0 <= decay <= 1


LEAKY = OpKind(
    name="leaky", role=Role.LINEAR,
    evaluate=leak, axes=same_axes, signal=common.real,
    contracts_time=lambda node, inputs: True, blocked=common.possible,
    chip=Linear(
        forms=unchanged, without_constant=adds_nothing, missing=one_input,
        over_time=leak_over_time,
    ),
    cost=COST, traits=Trait.FINISHES, fixed=None, record=_record(leak_record),
    torch={},  # the capture of time loops recognises it (`frontend`)
)  # fmt: skip


def weigh(node: Node, inputs: Sequence[Any], batch: int, timesteps: int) -> Any:
    axis, x = node.attributes["time_axis"], inputs[0]
    shape = [-1 if index == axis else 1 for index in range(x.dim())]
    weights = torch.as_tensor(node.attributes["weights"], dtype=x.dtype)
    return x * weights[: x.shape[axis]].reshape(shape)


def weighed(node: Node, signals: Sequence[Signal], inputs: Sequence[Node]) -> Signal:
    return Signal("real", None, constant=False)


def weigh_over_time(node: Node, inputs: Sequence[Node], timesteps: int) -> np.ndarray:
    rows: np.ndarray = np.diag(np.asarray(node.attributes["weights"], dtype=np.float64))
    return rows


def weigh_record(node: Node) -> bool:
    weights = node.attributes["weights"]
    return len(weights) == node.attributes["timesteps"] and all(map(is_number, weights))


WEIGH = OpKind(
    name="weigh", role=Role.LINEAR,
    evaluate=weigh, axes=same_axes, signal=weighed, contracts_time=common.never,
    blocked=lambda node, inputs, driven: Block("gives every time step a weight of its own"),
    chip=Linear(
        forms=unchanged, without_constant=adds_nothing, missing=one_input,
        over_time=weigh_over_time,
    ),
    cost=COST, traits=Trait.FINISHES, fixed=None, record=_record(weigh_record),
    torch={},  # a product with a stored tensor over time (`ops.arithmetic`)
)  # fmt: skip
