"""neuron: the papers' discrete leaky integrate-and-fire (MA Eq. 4, ASA Eq. 1-4, GAC Eq. 1).

    U = H + X ;  S = [U >= threshold]  (or >) ;  H = v_reset * S + decay * U * (1 - S)   hard
                                                 H = decay * (U - threshold * S)         soft
H starts at 0; v_reset is not decayed.  A neuron with attention in its membrane loop (the node has
a `body`) refines U before it fires: U = attention(H + X) (MA Eq. 14, Activate-PRE).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch

from snndeploy.graph import Axes, Node, Signal
from snndeploy.ops.kind import OpKind


def time_axis(node: Node) -> int:
    return int(node.attributes["time_axis"])


def evaluate(node: Node, inputs: Sequence[Any], batch: int, timesteps: int) -> Any:
    spikes = torch.empty_like(inputs[0])
    for step, (_, fired) in enumerate(run(node, inputs[0])):
        spikes.select(time_axis(node), step).copy_(fired)
    return spikes


def run(node: Node, x: Any) -> Iterator[tuple[Any, Any]]:
    """Membrane U before the reset, and which neurons fired, at every step of the input."""
    axis = time_axis(node)
    carried = torch.zeros_like(x.select(axis, 0))
    for step in range(x.shape[axis]):
        membrane = attended(node, carried + x.select(axis, step))
        fired = fires(node, membrane)
        yield membrane, fired
        carried = after_spike(node, membrane, fired)


def attended(node: Node, membrane: Any) -> Any:
    """The membrane (batch, ...) as the neuron's attention refines it."""
    if node.body is None:
        return membrane
    from snndeploy.ops.evaluate import evaluate as evaluate_graph  # it knows this operation

    double = membrane.dtype == torch.float64
    (refined,) = evaluate_graph(node.body, membrane, hoist=False, double=double).values()
    return refined


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
    axis, steps = time_axis(node), node.attributes["timesteps"]
    if axis >= len(dimensions):
        raise ValueError(
            f"its input has {len(dimensions)} dimensions, and dimension {axis} should be time"
        )
    if not dimensions[axis]:
        dimensions[axis] = (("time", 1),)
    if dimensions[axis] != (("time", steps),):
        meaning = " x ".join(f"{label} {size}" for label, size in dimensions[axis])
        raise ValueError(
            f"dimension {axis} of its input should be the {steps} time steps, but is {meaning}"
        )
    return tuple(dimensions)


def signal(node: Node, signals: Sequence[Signal], inputs: Sequence[Node]) -> Signal:
    return Signal("binary", 1.0, constant=False)


NEURON = OpKind("neuron", evaluate, axes, signal)
