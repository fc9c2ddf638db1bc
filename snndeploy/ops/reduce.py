"""mean, sum, max and min over named dimensions; over time, the whole window is needed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any, Literal

import numpy as np
import torch

from snndeploy.connections import Conv, Shape
from snndeploy.connections.algebra import LARGEST_DENSE, NotComposable, average_pool
from snndeploy.graph import Axes, Dimension, Node, Signal
from snndeploy.ops import common
from snndeploy.ops.call import Call, Translated, Translator
from snndeploy.ops.form import Form, Kernel, Matrix, Same, adds_nothing, one_input
from snndeploy.ops.kind import (
    Cost,
    Linear,
    OpKind,
    Record,
    Role,
    Summed,
    Trait,
)
from snndeploy.ops.record import is_whole


def axes(node: Node, inputs: Sequence[Axes]) -> Axes:
    reduced = set(node.attributes["dimensions"])
    common.refuse_batch([inputs[0][index] for index in sorted(reduced)], "reduces")
    kept: list[Dimension] = []
    for index, dimension in enumerate(inputs[0]):
        if index not in reduced:
            kept.append(dimension)
        elif node.attributes["keep"]:
            kept.append(())
    return tuple(kept)


def contracts_time(node: Node, inputs: Sequence[Node]) -> bool:
    return any(common.has_time(inputs[0].axes[index]) for index in node.attributes["dimensions"])


def _over(function: Callable[..., Any]) -> Callable[..., Any]:
    def evaluate(node: Node, inputs: Sequence[Any], batch: int, timesteps: int) -> Any:
        return function(
            inputs[0], dim=tuple(node.attributes["dimensions"]), keepdim=node.attributes["keep"]
        )

    return evaluate


def sum_signal(node: Node, signals: Sequence[Signal], inputs: Sequence[Node]) -> Signal:
    if signals[0].kind == "real":
        return common.real(node, signals, inputs)
    return Signal("integer", None, common.all_constant(signals))


def _summed(node: Node, inputs: Sequence[Node], parts: Sequence[Summed]) -> Summed:
    (part,) = parts
    reduced = [inputs[0].axes[index] for index in node.attributes["dimensions"]]
    labelled = [atom for dimension in reduced for atom in dimension]
    plane = prod(size for label, size in labelled if label == "feature")
    every = prod(size for _, size in labelled) if node.op == MEAN.name else 1
    return Summed(part.window * every, part.ones * plane)


def forms(node: Node, inputs: Sequence[Node], shapes: Sequence[Shape]) -> list[Form]:
    """Over the plane or groups of features; what happens to time is said beside it."""
    (shape,), mean = shapes, node.op == MEAN.name
    size = _reduced(node, inputs[0], shape)
    if size == 1:
        return [Same(shape)]
    channels, rows, columns = shape
    if size == rows * columns:
        window = average_pool(channels, (rows, columns), (rows, columns))
        if not mean:
            window = Conv(np.ones_like(window.weight), window.stride, groups=channels)
        return [Kernel(window, shape)]
    groups = np.eye(prod(shape) // size).repeat(size, axis=1) / (size if mean else 1)
    return [Matrix(groups.reshape(-1, *shape))]


def _reduced(node: Node, source: Node, shape: Shape) -> int:
    """How many neighbouring features become one; 1 for a reduction over time alone."""
    reduced = set(node.attributes["dimensions"])
    sizes = [
        (index in reduced, size)
        for index, dimension in enumerate(source.axes)
        for label, size in dimension
        if label == "feature" and size > 1
    ]
    gone = [size for hidden, size in sizes if hidden]
    size, features = prod(gone), prod(shape)
    plane = size == shape[1] * shape[2]
    last = all(hidden for hidden, _ in sizes[len(sizes) - len(gone) :])
    if last and (plane or features // size * features <= LARGEST_DENSE):
        return size
    raise NotComposable("a reduction over other dimensions than time, or rows and columns")


def over_time(node: Node, inputs: Sequence[Node], timesteps: int) -> np.ndarray | None:
    if not contracts_time(node, inputs):
        return None
    return np.full((1, timesteps), 1.0 / timesteps if node.op == MEAN.name else 1.0)


def record(node: Node, inputs: Sequence[Sequence[int]], found: Sequence[int]) -> bool:
    dimensions = node.attributes["dimensions"]
    inside = all(is_whole(index, 0, len(inputs[0]) - 1) for index in dimensions)
    return inside and 0 < len(dimensions) == len(set(dimensions)) and "keep" in node.attributes


def _translator(op: str) -> Translator:
    def translate(call: Call) -> Translated:
        dimensions = call.get("dim")
        if dimensions is None or dimensions == []:
            dimensions = list(range(len(call.shape)))
        listed = dimensions if isinstance(dimensions, (list, tuple)) else [dimensions]
        positive = sorted(int(d) % len(call.shape) for d in listed)
        keep = bool(call.get("keepdim", False))
        return Translated(op, {"dimensions": positive, "keep": keep}, {})

    return translate


def _adding(name: Literal["mean", "sum"], function: Any, signal: Any, divides: Any) -> OpKind:
    return OpKind(
        name=name, role=Role.LINEAR,
        evaluate=_over(function), axes=axes, signal=signal, contracts_time=contracts_time,
        blocked=common.possible,
        chip=Linear(
            forms=forms, without_constant=adds_nothing, missing=one_input, over_time=over_time
        ),
        cost=Cost(summed=_summed, multiplications=divides, work=common.additions_of_inputs),
        traits=Trait.NONE, fixed=common.AVERAGED, record=Record(fewest=1, most=1, rule=record),
        torch=dict.fromkeys(TORCH[name], _translator(name)),
    )  # fmt: skip


def _choosing(name: str, function: Any, extreme: str) -> OpKind:
    return OpKind(
        name=name, role=Role.SELECTION,
        evaluate=_over(function), axes=axes, signal=common.same, contracts_time=contracts_time,
        blocked=common.on_spikes_alone(f"takes the {extreme} of"), chip=None, cost=common.FREE,
        traits=Trait.FINISHES, fixed=common.ON_GRID, record=Record(fewest=1, most=1, rule=record),
        torch=dict.fromkeys(TORCH[name], _translator(name)),
    )  # fmt: skip


TORCH = {
    "mean": ("aten.mean.dim", "aten.mean.default"),
    "sum": ("aten.sum.dim_IntList", "aten.sum.default"),
    "max": ("aten.amax.default", "aten.max.default", "aten.max.dim"),
    "min": ("aten.amin.default", "aten.min.default", "aten.min.dim"),
}
MEAN = _adding("mean", torch.mean, common.real, common.one_an_element)
SUM = _adding("sum", torch.sum, sum_signal, common.no_multiplications)
MAX = _choosing("max", torch.amax, "maximum")
MIN = _choosing("min", torch.amin, "minimum")
