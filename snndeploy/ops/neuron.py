"""neuron: a trained neuron, by its own equation (`snndeploy.neurons`), step by step.

The node's attributes are what its module states, with `kind`, `time_axis` and `timesteps`.  A
neuron with attention in its membrane loop (the node has a `body`) refines U before it fires:
U = attention(H + X) (MA Eq. 14, Activate-PRE).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch

from snndeploy.graph import Axes, Block, Graph, Node, Signal
from snndeploy.neurons import Equation, equation_of
from snndeploy.ops import common
from snndeploy.ops.kind import OpKind, Record, Role, Trait
from snndeploy.ops.record import numbers


def time_axis(node: Node) -> int:
    return int(node.attributes["time_axis"])


def evaluate(node: Node, inputs: Sequence[Any], batch: int, timesteps: int) -> Any:
    spikes = torch.empty_like(inputs[0])
    for step, (_, fired) in enumerate(run(node, inputs[0])):
        spikes.select(time_axis(node), step).copy_(fired)
    return spikes


def run(node: Node, x: Any) -> Iterator[tuple[Any, Any]]:
    """Membrane U before the reset, and which neurons fired, at every step of the input."""
    neuron, axis = equation_of(node.attributes), time_axis(node)
    state = neuron.rest(x.select(axis, 0))
    fed_back = None
    for step in range(x.shape[axis]):
        current = x.select(axis, step)
        current = current + feedback(node, fed_back if step else torch.zeros_like(current))
        membrane = attended(node, neuron.charged(state, current))
        fired = neuron.fires(state, membrane)
        yield membrane, fired
        state = neuron.after(state, current, membrane, fired)
        fed_back = fired.to(current.dtype)


def replay(neuron: Equation, currents: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Membranes before the reset and spikes, (steps, ...), of a neuron on currents of that shape;
    in double precision."""
    x = torch.as_tensor(currents, dtype=torch.float64)
    kind = torch.bool if neuron.payload_bound == 1 else torch.int64
    membranes, spikes = torch.empty_like(x), torch.empty_like(x, dtype=kind)
    state = neuron.rest(x[0])
    for step in range(len(x)):
        membranes[step] = neuron.charged(state, x[step])
        fired = neuron.fires(state, membranes[step])
        spikes[step] = fired
        state = neuron.after(state, x[step], membranes[step], fired)
    return membranes.numpy(), spikes.numpy()


def total_current(node: Node, currents: np.ndarray, spikes: np.ndarray) -> np.ndarray:
    """The input of every step with what a recurrent neuron's last spikes add to it.

    currents, spikes: (samples, steps, ...), or one step of currents for all.
    """
    if node.feedback is None:
        return currents
    last = np.zeros(spikes.shape)
    last[:, 1:] = spikes[:, :-1]
    added = feedback(node, torch.as_tensor(last.reshape(-1, *spikes.shape[2:])))
    return currents + added.numpy().reshape(spikes.shape)


def feedback(node: Node, spikes: Any) -> Any:
    """What the last step's spikes (batch, ...) add to the input; 0 without recurrence."""
    return 0.0 if node.feedback is None else _inner(node.feedback, spikes)


def _inner(graph: Graph, value: Any) -> Any:
    from snndeploy.ops.evaluate import evaluate as evaluate_graph  # it knows this operation

    double = value.dtype == torch.float64
    (found,) = evaluate_graph(graph, value, hoist=False, double=double).values()
    return found


def attended(node: Node, membrane: Any) -> Any:
    """The membrane (batch, ...) as the neuron's attention refines it."""
    if node.body is None:
        return membrane
    return _inner(node.body, membrane)


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
    most = equation_of(node.attributes).payload_bound
    return Signal("binary" if most == 1 else "integer", float(most), constant=False)


def blocked(node: Node, inputs: Sequence[Node], driven: bool) -> Block | None:
    if node.body is None:
        return None
    return Block("refines its membrane by attention at every step", "needs_dynamic_multiply")


def record(node: Node, inputs: Sequence[Sequence[int]], found: Sequence[int]) -> bool:
    return not equation_of(node.attributes).faults() and numbers(node, "time_axis", "timesteps")


NEURON = OpKind(
    name="neuron", role=Role.NEURON,
    evaluate=evaluate, axes=axes, signal=signal, contracts_time=common.never,
    blocked=blocked, chip=None, cost=common.FREE, traits=Trait.NONE, fixed=None,
    record=Record(fewest=1, most=1, rule=record),
    torch={},  # neurons are recognised as modules (`frontend.adapters`)
)  # fmt: skip
