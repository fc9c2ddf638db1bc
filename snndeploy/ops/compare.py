"""compare: 1 where x stands in a relation to y, else 0; y is a signal, a number or a stored array.

A stored array may have a time dimension of its own: rate coding compares an image with one array
of draws a step.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from snndeploy.connections import Shape
from snndeploy.graph import Axes, Block, Node, Signal
from snndeploy.ops import common
from snndeploy.ops.arithmetic import broadcast_axes
from snndeploy.ops.axes import expand_axes
from snndeploy.ops.call import Call, Translated, Translator, number
from snndeploy.ops.kind import (
    Firing,
    OnSpikes,
    OpKind,
    Record,
    Role,
    Trait,
)
from snndeploy.ops.pool import MOST_LEVELS
from snndeploy.ops.record import broadcasts, is_number
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
    """With a stored array the translation works them out (`ops.axes.expand_axes`)."""
    return node.axes or broadcast_axes(node, inputs)


def signal(node: Node, signals: Sequence[Signal], inputs: Sequence[Node]) -> Signal:
    new_steps = node.has_time and not any(source.has_time for source in inputs)
    changes = new_steps or _changes_in_time(node)
    return Signal("binary", 1.0, common.all_constant(signals) and not changes)


def _changes_in_time(node: Node) -> bool:
    """The stored array has one value a step."""
    other = node.parameters.get("other")
    if other is None:
        return False
    aligned = zip(reversed(node.axes), reversed(other.shape), strict=False)
    return any(common.has_time(dimension) and size > 1 for dimension, size in aligned)


def is_level(node: Node, source: Node) -> bool:
    """The node asks whether a count of few levels reaches a whole number above zero."""
    if node.attributes["relation"] != "ge" or source.signal is None:
        return False
    level = node.attributes.get("number", 0.0)
    few = 0 < (source.signal.bound or 0) <= MOST_LEVELS
    return few and source.signal.kind != "real" and level >= 1 and level % 1 == 0


def blocked(node: Node, inputs: Sequence[Node], driven: bool) -> Block | None:
    return (
        None
        if is_level(node, inputs[0])
        else common.on_spikes_alone("compares")(node, inputs, driven)
    )


def firing(node: Node, inputs: Sequence[Node], shape: Shape) -> Firing | None:
    """[v >= level] of a sum of spikes: as many arrive at once."""
    return Firing(None, int(node.attributes["number"])) if is_level(node, inputs[0]) else None


def record(node: Node, inputs: Sequence[Sequence[int]], found: Sequence[int]) -> bool:
    shapes = [*inputs]
    if len(inputs) == 1 and "other" in node.parameters:
        shapes.append(node.parameters["other"].shape)
    elif len(inputs) == 1 and not is_number(node.attributes["number"]):
        return False
    return node.attributes["relation"] in RELATIONS and broadcasts(node, shapes, found)


def _translator(relation: str) -> Translator:
    """A signal with another, with a number, or with a stored array."""

    def translate(call: Call) -> Translated:
        other = call.arguments.get("other")
        if isinstance(call.arguments.get("self"), np.ndarray):
            raise ValueError("its first operand is a stored tensor; write the signal first")
        if isinstance(other, np.ndarray) and other.size > 1:
            found = expand_axes(call.axes, call.result, call.timesteps)
            return Translated("compare", {"relation": relation}, {"other": other}, found)
        constant = number(other)
        stated = {} if constant is None else {"number": constant}
        return Translated("compare", {"relation": relation, **stated}, {})

    return translate


COMPARE = OpKind(
    name="compare", role=Role.FUNCTION,
    evaluate=evaluate, axes=axes, signal=signal, contracts_time=common.never,
    blocked=blocked, chip=OnSpikes(firing), cost=common.FREE,
    traits=Trait.SQUASHES, fixed=common.ON_GRID, record=Record(fewest=1, most=2, rule=record),
    torch={
        f"aten.{relation}.{form}": _translator(relation)
        for relation in RELATIONS
        for form in ("Tensor", "Scalar")
    },
)  # fmt: skip
