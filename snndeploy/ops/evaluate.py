"""The graph's reference executor: real numbers, torch, one node after the other.

What is constant over time is computed for one step (`hoist=True`), which is what a host does, and
spread over the steps where something that changes needs it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import torch

from snndeploy.graph import Graph, Node, sizes
from snndeploy.ops import kind_of
from snndeploy.tensors import tensor

Observe = Callable[[Node, Sequence[Any], Any], Any]
"""(node, its inputs' tensors, its tensor) -> the tensor that the nodes behind shall see."""


def evaluate(
    graph: Graph,
    x: np.ndarray,
    record: Iterable[str] = (),
    *,
    hoist: bool = True,
    double: bool = False,
    observe: Observe | None = None,
) -> dict[str, Any]:
    """Tensors of the recorded nodes (default: the outputs) for a batch.

    x: (samples, ...), as the graph's input node has it.  hoist needs inferred signals; a constant
    node's tensor then has one time step.  double computes in float64.  Nodes that the recorded
    ones do not need are not computed.
    """
    wanted = tuple(record) or graph.outputs
    graph = graph.select(wanted)
    dtype = torch.float64 if double else torch.float32
    batch = len(x)
    remaining = {name: len(users) for name, users in graph.users.items()}
    values: dict[str, Any] = {}
    with torch.no_grad():
        for node in graph.nodes:
            if node.is_input:
                values[node.name] = tensor(np.asarray(x), dtype)
                continue
            inputs = _inputs(graph, node, values, batch, hoist)
            steps = 1 if hoist and _is_constant(node) else graph.timesteps
            value = kind_of(node).evaluate(node, inputs, batch, steps)
            values[node.name] = value if observe is None else observe(node, inputs, value)
            for source in dict.fromkeys(node.inputs):
                remaining[source] -= 1
                if remaining[source] == 0 and source not in wanted:
                    del values[source]
    return {name: values[name] for name in wanted}


def by_step(node: Node, value: Any, samples: int) -> np.ndarray:
    """A node's tensor as (samples, steps, *step_shape); steps is 1 for a hoisted node."""
    atoms = [atom for dimension in node.axes for atom in dimension]
    known = [samples if label == "batch" else size for label, size in atoms]
    timed = [index for index, (label, _) in enumerate(atoms) if label == "time"]
    steps = 1
    if timed:
        others = int(np.prod([size for i, size in enumerate(known) if i != timed[0]]))
        steps = value.numel() // others
        known[timed[0]] = steps
    batch = next(index for index, (label, _) in enumerate(atoms) if label == "batch")
    features = [i for i in range(len(atoms)) if i != batch and i not in timed]
    arranged = value.reshape(known).permute(batch, *timed, *features)
    return arranged.reshape(samples, steps, *node.step_shape).numpy()


def of_steps(node: Node, values: np.ndarray) -> Any:
    """The node's tensor, double, from values (samples, steps, ...): the inverse of `by_step`."""
    samples, steps = values.shape[:2]
    atoms = [atom for dimension in node.axes for atom in dimension]
    known = [samples if label == "batch" else size for label, size in atoms]
    timed = [index for index, (label, _) in enumerate(atoms) if label == "time"]
    for index in timed:
        known[index] = steps
    batch = next(index for index, (label, _) in enumerate(atoms) if label == "batch")
    features = [i for i in range(len(atoms)) if i != batch and i not in timed]
    order = [batch, *timed, *features]
    arranged = torch.from_numpy(np.ascontiguousarray(values)).reshape([known[i] for i in order])
    return arranged.permute(*np.argsort(order).tolist()).reshape(sizes(node.axes, samples))


def _inputs(graph: Graph, node: Node, values: dict[str, Any], batch: int, hoist: bool) -> list[Any]:
    """The node's inputs; hoisted ones are spread where the node itself is not constant."""
    if not hoist or _is_constant(node):
        return [values[name] for name in node.inputs]
    return [
        spread(graph.by_name[name], values[name], batch)
        if _is_constant(graph.by_name[name])
        else values[name]
        for name in node.inputs
    ]


def spread(node: Node, value: Any, batch: int) -> Any:
    """Repeat a hoisted node's tensor over its time axis."""
    if not node.has_time:
        return value
    atoms = [atom for dimension in node.axes for atom in dimension]
    one = [batch if label == "batch" else 1 if label == "time" else size for label, size in atoms]
    full = [batch if label == "batch" else size for label, size in atoms]
    return value.reshape(one).expand(full).reshape(sizes(node.axes, batch))


def _is_constant(node: Node) -> bool:
    return node.signal is not None and node.signal.constant


def node_inputs(graph: Graph, node: Node) -> Sequence[Node]:
    return [graph.by_name[name] for name in node.inputs]
