"""The graph's reference executor: real numbers, torch, one node after the other.

What is constant over time is computed for one step (`hoist=True`), which is what a host does, and
spread over the steps where something that changes needs it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch

from snndeploy.graph import Graph, Node, sizes
from snndeploy.ops import KINDS


def evaluate(
    graph: Graph,
    x: np.ndarray,
    record: Iterable[str] = (),
    *,
    hoist: bool = True,
    double: bool = False,
) -> dict[str, Any]:
    """Tensors of the recorded nodes (default: the outputs) for a batch.

    x: (samples, ...) as the model takes it.  hoist needs inferred signals; a constant node's
    tensor then has one time step.  double computes in float64.
    """
    wanted = tuple(record) or graph.outputs
    dtype = torch.float64 if double else torch.float32
    batch = x.shape[_batch_dimension(graph.input)]
    remaining = {name: len(users) for name, users in graph.users.items()}
    values: dict[str, Any] = {}
    with torch.no_grad():
        for node in graph.nodes:
            if node.op == "input":
                values[node.name] = torch.as_tensor(np.ascontiguousarray(x)).to(dtype)
                continue
            values[node.name] = _run(graph, node, values, batch, hoist)
            for source in dict.fromkeys(node.inputs):
                remaining[source] -= 1
                if remaining[source] == 0 and source not in wanted:
                    del values[source]
    return {name: values[name] for name in wanted}


def by_step(node: Node, tensor: Any, samples: int) -> np.ndarray:
    """A node's tensor as (samples, steps, *step_shape); steps is 1 for a hoisted node."""
    atoms = [atom for dimension in node.axes for atom in dimension]
    known = [samples if label == "batch" else size for label, size in atoms]
    timed = [index for index, (label, _) in enumerate(atoms) if label == "time"]
    steps = 1
    if timed:
        others = int(np.prod([size for i, size in enumerate(known) if i != timed[0]]))
        steps = tensor.numel() // others
        known[timed[0]] = steps
    batch = next(index for index, (label, _) in enumerate(atoms) if label == "batch")
    features = [i for i in range(len(atoms)) if i != batch and i not in timed]
    arranged = tensor.reshape(known).permute(batch, *timed, *features)
    return arranged.reshape(samples, steps, *node.step_shape).numpy()


def _run(graph: Graph, node: Node, values: dict[str, Any], batch: int, hoist: bool) -> Any:
    constant = hoist and _is_constant(node)
    inputs = [
        values[name]
        if constant or not (hoist and _is_constant(graph.by_name[name]))
        else spread(graph.by_name[name], values[name], batch)
        for name in node.inputs
    ]
    steps = 1 if constant else graph.timesteps
    return KINDS[node.op].evaluate(node, inputs, batch, steps)


def spread(node: Node, tensor: Any, batch: int) -> Any:
    """Repeat a hoisted node's tensor over its time axis."""
    if not node.has_time:
        return tensor
    atoms = [atom for dimension in node.axes for atom in dimension]
    one = [batch if label == "batch" else 1 if label == "time" else size for label, size in atoms]
    full = [batch if label == "batch" else size for label, size in atoms]
    return tensor.reshape(one).expand(full).reshape(sizes(node.axes, batch))


def _is_constant(node: Node) -> bool:
    return node.signal is not None and node.signal.constant


def _batch_dimension(node: Node) -> int:
    for index, dimension in enumerate(node.axes):
        if any(label == "batch" for label, _ in dimension):
            return index
    raise AssertionError("the input has no batch axis")


def node_inputs(graph: Graph, node: Node) -> Sequence[Node]:
    return [graph.by_name[name] for name in node.inputs]
