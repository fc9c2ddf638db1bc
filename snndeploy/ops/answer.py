"""What a model answers: the shape of each head, what its values mean, and its last part alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from snndeploy.graph import Graph, Node
from snndeploy.metrics import Meaning
from snndeploy.ops import Role, Trait, has, kind_of
from snndeploy.ops.evaluate import by_step, node_inputs, of_steps
from snndeploy.tensors import zeros


@dataclass(frozen=True)
class Head:
    """One value that the model returns.  shape: of an answer, (classes, ...) or () of a class."""

    name: str
    shape: tuple[int, ...]
    meaning: Meaning


def head_of(model: Graph, name: str) -> Head:
    node = model.by_name[name]
    meaning, shape = _meaning(model, node), node.step_shape
    shape = shape[:1] if prod(shape[1:]) == 1 else shape
    return Head(_named(model, node), shape if shape or meaning.is_class else (1,), meaning)


def _named(model: Graph, node: Node) -> str:
    """By the last module on its way, which a user knows."""
    while not node.module and node.inputs:
        node = model.by_name[node.inputs[0]]
    return node.label


def _meaning(model: Graph, node: Node) -> Meaning:
    """Of the values of a node."""
    while kind_of(node).role is Role.VIEW:
        node = model.by_name[node.inputs[0]]
    if has(node, Trait.CHOOSES):
        return Meaning(is_class=True)
    alone = kind_of(node).role is Role.FUNCTION and len(node.inputs) == 1
    return Meaning(level=_of_zero(model, node)) if alone else Meaning()


def _of_zero(model: Graph, node: Node) -> float:
    """f(0) of a function: what separates yes from no behind it."""
    (before,) = node_inputs(model, node)
    value = kind_of(node).evaluate(node, [zeros([1] * len(before.axes))], 1, 1)
    return float(value.reshape(-1)[0])


def answers_by_head(model: Graph, values: Mapping[str, Any], samples: int) -> list[np.ndarray]:
    """The answers (samples, values) of every head from its tensor; those of the steps averaged."""
    found = []
    for name in model.outputs:
        steps = by_step(model.by_name[name], values[name], samples)
        found.append(steps.mean(axis=1).reshape(samples, -1))
    return found


def finished(graph: Graph, values: np.ndarray) -> np.ndarray:
    """The rest of a model (`network.Readout.finish`) on values (samples, rows, classes), double:
    (samples, steps, ...)."""
    samples = len(values)
    tensors: dict[str, Any] = {graph.input.name: of_steps(graph.input, values)}
    for node in graph.nodes:
        if not node.is_input:
            inputs = [tensors[name] for name in node.inputs]
            tensors[node.name] = kind_of(node).evaluate(node, inputs, samples, graph.timesteps)
    (output,) = graph.outputs
    return by_step(graph.by_name[output], tensors[output], samples).astype(np.float64)
