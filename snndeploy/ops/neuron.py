"""neuron: the papers' discrete leaky integrate-and-fire (MA Eq. 4, ASA Eq. 1-4, GAC Eq. 1).

    U = H + X ;  S = [U >= threshold]  (or >) ;  H = v_reset * S + decay * U * (1 - S)   hard
                                                 H = decay * (U - threshold * S)         soft
H starts at 0; v_reset is not decayed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from snndeploy.graph import Axes, Node, Signal
from snndeploy.ops.kind import OpKind


def time_axis(node: Node) -> int:
    return int(node.attributes["time_axis"])


def evaluate(node: Node, inputs: Sequence[Any], batch: int, timesteps: int) -> Any:
    x = inputs[0]
    axis = time_axis(node)
    carried = torch.zeros_like(x.select(axis, 0))
    spikes = torch.empty_like(x)
    for step in range(x.shape[axis]):
        membrane = carried + x.select(axis, step)
        fired = fires(node, membrane)
        spikes.select(axis, step).copy_(fired)
        carried = after_spike(node, membrane, fired)
    return spikes


def fires(node: Node, membrane: Any) -> Any:
    threshold = node.attributes["threshold"]
    return membrane >= threshold if node.attributes["fires_at"] == "ge" else membrane > threshold


def after_spike(node: Node, membrane: Any, fired: Any) -> Any:
    decay = node.attributes["decay"]
    if node.attributes["reset"] == "soft":
        return decay * (membrane - node.attributes["threshold"] * fired.to(membrane.dtype))
    v_reset = torch.tensor(node.attributes["v_reset"], dtype=membrane.dtype)
    return torch.where(fired, v_reset, decay * membrane)


def axes(node: Node, inputs: Sequence[Axes]) -> Axes:
    dimensions = list(inputs[0])
    axis = time_axis(node)
    if not dimensions[axis]:
        dimensions[axis] = (("time", 1),)
    if dimensions[axis] != (("time", node.attributes["timesteps"]),):
        raise ValueError(f"dimension {axis} of the neuron's input is not the time axis")
    return tuple(dimensions)


def signal(node: Node, signals: Sequence[Signal], inputs: Sequence[Node]) -> Signal:
    return Signal("binary", 1.0, constant=False)


NEURON = OpKind("neuron", evaluate, axes, signal)
