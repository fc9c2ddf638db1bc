"""input, view, permute and expand: values keep, places change."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from snndeploy.connections import Shape
from snndeploy.connections.algebra import NotComposable
from snndeploy.graph import Axes, Node, Signal, sizes
from snndeploy.ops import common
from snndeploy.ops.axes import expand_axes, view_axes
from snndeploy.ops.call import Call, Translated, Translator, dimension
from snndeploy.ops.form import Form, Forms, unchanged
from snndeploy.ops.kind import (
    OpKind,
    Record,
    Role,
    Trait,
)


def _input(node: Node, inputs: Sequence[Any], batch: int, timesteps: int) -> Any:
    raise AssertionError("the input's value is given, not computed")


def given_axes(node: Node, inputs: Sequence[Axes]) -> Axes:
    """The node's own; the translation works them out from the concrete shapes (`ops.axes`)."""
    return node.axes


def input_signal(node: Node, signals: Sequence[Signal], inputs: Sequence[Node]) -> Signal:
    return Signal(node.attributes["signal"], node.attributes.get("bound"), not node.has_time)


INPUT = OpKind(
    name="input", role=Role.INPUT,
    evaluate=_input, axes=given_axes, signal=input_signal, contracts_time=common.never,
    blocked=common.possible, chip=None, cost=common.FREE, traits=Trait.NONE, fixed=common.ON_GRID,
    record=Record(fewest=0, most=0, rule=lambda node, inputs, found: True), torch={},
)  # fmt: skip


def _reshape(node: Node, inputs: Sequence[Any], batch: int, timesteps: int) -> Any:
    return inputs[0].reshape(sizes(node.axes, batch, timesteps))


def _permute(node: Node, inputs: Sequence[Any], batch: int, timesteps: int) -> Any:
    return inputs[0].permute(*node.attributes["order"])


def _expand(node: Node, inputs: Sequence[Any], batch: int, timesteps: int) -> Any:
    return inputs[0].expand(sizes(node.axes, batch, timesteps))


def permute_axes(node: Node, inputs: Sequence[Axes]) -> Axes:
    return tuple(inputs[0][index] for index in node.attributes["order"])


def view_forms(node: Node, inputs: Sequence[Node], shapes: Sequence[Shape]) -> list[Form]:
    """Views may flatten channels, rows and columns, and undo that; features without a plane stay
    as they are, whatever their order is called."""
    (shape,), seen = shapes, node.step_shape
    flat = tuple(seen) == (math.prod(shape), 1, 1)
    if len(seen) >= 3 and tuple(seen[-3:]) != shape and shape[1:] != (1, 1) and not flat:
        raise NotComposable(f"a view from {shape} to {tuple(seen)}")
    return unchanged(node, inputs, shapes)


def permute_forms(node: Node, inputs: Sequence[Node], shapes: Sequence[Shape]) -> list[Form]:
    """Permutations may move time and batch, not features."""
    axes = inputs[0].axes
    order = [
        index
        for index in node.attributes["order"]
        if any(label == "feature" for label, _ in axes[index])
    ]
    if order != sorted(order):
        raise NotComposable("a change of the order of channels, rows or columns")
    return unchanged(node, inputs, shapes)


def expand_forms(node: Node, inputs: Sequence[Node], shapes: Sequence[Shape]) -> list[Form]:
    if node.shape != inputs[0].shape:
        raise NotComposable("a repetition")
    return unchanged(node, inputs, shapes)


def view_record(node: Node, inputs: Sequence[Sequence[int]], found: Sequence[int]) -> bool:
    return math.prod(inputs[0]) == math.prod(found)


def permute_record(node: Node, inputs: Sequence[Sequence[int]], found: Sequence[int]) -> bool:
    order = node.attributes["order"]
    return all(type(index) is int for index in order) and sorted(order) == [*range(len(inputs[0]))]


def expand_record(node: Node, inputs: Sequence[Sequence[int]], found: Sequence[int]) -> bool:
    return np.broadcast_shapes(tuple(inputs[0]), tuple(found)) == tuple(found)


def translate_view(call: Call) -> Translated:
    return Translated("view", {}, {}, view_axes(call.axes, call.result, call.timesteps))


def translate_expand(call: Call) -> Translated:
    return Translated("expand", {}, {}, expand_axes(call.axes, call.result, call.timesteps))


def translate_permute(call: Call) -> Translated:
    order = [int(d) % len(call.shape) for d in call.get("dims")]
    return Translated("permute", {"order": order}, {})


def translate_transpose(call: Call) -> Translated:
    rank = len(call.shape)
    order = list(range(rank))
    first, second = dimension(call, "dim0", 0), dimension(call, "dim1", 1)
    if call.target.startswith("aten.t."):
        first, second = 0, rank - 1
    order[first], order[second] = order[second], order[first]
    return Translated("permute", {"order": order}, {})


def _view(
    name: str,
    evaluate: Callable[..., Any],
    axes: Callable[[Node, Sequence[Axes]], Axes],
    forms: Forms,
    record: Callable[[Node, Sequence[Sequence[int]], Sequence[int]], bool],
    torch: dict[str, Translator],
) -> OpKind:
    return OpKind(
        name=name, role=Role.VIEW,
        evaluate=evaluate, axes=axes, signal=common.same, contracts_time=common.never,
        blocked=common.possible, chip=common.by_form(forms), cost=common.MOVED,
        traits=Trait.KEEPS_VALUE | Trait.GIVES_ON | Trait.KEEPS_GATE | Trait.KEEPS_COUNT,
        fixed=common.ON_GRID, record=Record(fewest=1, most=1, rule=record), torch=torch,
    )  # fmt: skip


VIEW = _view(
    "view", _reshape, given_axes, view_forms, view_record,
    dict.fromkeys(
        (
            "aten.view.default", "aten.reshape.default", "aten._unsafe_view.default",
            "aten.flatten.using_ints", "aten.unsqueeze.default", "aten.squeeze.dim",
            "aten.squeeze.dims", "aten.squeeze.default",
        ),
        translate_view,
    ),
)  # fmt: skip
PERMUTE = _view(
    "permute", _permute, permute_axes, permute_forms, permute_record,
    {
        "aten.permute.default": translate_permute,
        "aten.transpose.int": translate_transpose,
        "aten.t.default": translate_transpose,
    },
)  # fmt: skip
EXPAND = _view(
    "expand", _expand, given_axes, expand_forms, expand_record,
    {"aten.expand.default": translate_expand, "aten.repeat.default": translate_expand},
)  # fmt: skip
