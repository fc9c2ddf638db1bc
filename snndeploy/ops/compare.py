"""compare: 1 where x stands in a relation to y, else 0; y is a signal, a number or a stored array.

A stored array may have a time dimension of its own: rate coding compares an image with one array
of draws a step.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from snndeploy.graph import Axes, Node, Signal
from snndeploy.ops.elementwise import broadcast_axes
from snndeploy.ops.kind import OpKind, all_constant, has_time
from snndeploy.tensors import tensor

RELATIONS = {"ge": torch.ge, "gt": torch.gt, "le": torch.le, "lt": torch.lt, "eq": torch.eq}


def evaluate(node: Node, inputs: Sequence[Any], batch: int, timesteps: int) -> Any:
    x = inputs[0]
    if len(inputs) == 2:
        other = inputs[1]
    elif "other" in node.parameters:
        other = tensor(node.parameters["other"], x.dtype)
    else:
        other = torch.tensor(node.attributes["number"], dtype=x.dtype)
    return RELATIONS[node.attributes["relation"]](x, other).to(x.dtype)


def axes(node: Node, inputs: Sequence[Axes]) -> Axes:
    """With a stored array the front end works them out (`frontend.axes.expand_axes`)."""
    return node.axes or broadcast_axes(node, inputs)


def signal(node: Node, signals: Sequence[Signal], inputs: Sequence[Node]) -> Signal:
    new_steps = node.has_time and not any(source.has_time for source in inputs)
    changes = new_steps or _changes_in_time(node)
    return Signal("binary", 1.0, all_constant(signals) and not changes)


def _changes_in_time(node: Node) -> bool:
    """The stored array has one value a step."""
    other = node.parameters.get("other")
    if other is None:
        return False
    aligned = zip(reversed(node.axes), reversed(other.shape), strict=False)
    return any(has_time(dimension) and size > 1 for dimension, size in aligned)


COMPARE = OpKind("compare", evaluate, axes, signal)
