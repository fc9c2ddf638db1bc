"""conv: y[o, r] = sum over i, u of weight[o, i, u] * x[i, stride * r + u - padding] + bias.

r and u are (row, column) pairs; x is zero outside.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np
import torch

from snndeploy.connections import Conv, Shape
from snndeploy.connections.algebra import identity, symmetric
from snndeploy.connections.conv import window_table
from snndeploy.graph import Axes, Node
from snndeploy.ops import common
from snndeploy.ops.call import Call, Translated, pair, weights
from snndeploy.ops.form import (
    Form,
    Kernel,
    one_input,
    require_plane,
    without_bias,
)
from snndeploy.ops.kind import (
    Cost,
    Layer,
    OpKind,
    Record,
    Role,
    Trait,
)
from snndeploy.ops.record import biased, extents, is_whole
from snndeploy.tensors import tensor


def evaluate(node: Node, inputs: Sequence[Any], batch: int, timesteps: int) -> Any:
    x = inputs[0]
    top, bottom, left, right = node.attributes["padding"]
    symmetric_ = top == bottom and left == right
    bias = node.parameters.get("bias")
    return torch.nn.functional.conv2d(
        x if symmetric_ else pad(node, x),
        tensor(node.parameters["weight"], x.dtype),
        None if bias is None else tensor(bias, x.dtype),
        stride=node.attributes["stride"],
        padding=(top, left) if symmetric_ else 0,
        dilation=node.attributes["dilation"],
        groups=node.attributes["groups"],
    )


def pad(node: Node, x: Any) -> Any:
    """Zero padding; `padding` is (top, bottom, left, right), since 'same' kernels may be even."""
    top, bottom, left, right = node.attributes["padding"]
    return torch.nn.functional.pad(x, (left, right, top, bottom))


def output_size(node: Node, height: int, width: int) -> tuple[int, int]:
    top, bottom, left, right = node.attributes["padding"]
    kernel = node.parameters["weight"].shape[2:]
    found = [
        (size + pads - dilation * (k - 1) - 1) // stride + 1
        for size, pads, dilation, k, stride in zip(
            (height, width),
            (top + bottom, left + right),
            node.attributes["dilation"],
            kernel,
            node.attributes["stride"],
            strict=True,
        )
    ]
    return found[0], found[1]


def axes(node: Node, inputs: Sequence[Axes]) -> Axes:
    *outer, channels, rows, columns = inputs[0]
    common.refuse_batch((channels, rows, columns), "convolves")
    height, width = (prod(size for _, size in d) for d in (rows, columns))
    height, width = output_size(node, height, width)
    return (
        *outer,
        common.feature(node.parameters["weight"].shape[0]),
        common.feature(height),
        common.feature(width),
    )


def contracts_time(node: Node, inputs: Sequence[Node]) -> bool:
    return any(common.has_time(dimension) for dimension in inputs[0].axes[-3:])


def macs(node: Node, inputs: Sequence[Node]) -> int:
    height, width = node.shape[-2:]
    return int(node.parameters["weight"].size) * height * width


def valid_macs(node: Node, source: Node) -> int:
    return int(fan_out(node, source).sum()) * source.shape[-3]


def fan_out(node: Node, source: Node) -> np.ndarray:
    """(height, width), the same for every channel; zero where the source itself is padding."""
    weight = node.parameters["weight"]
    top, bottom, left, right = node.attributes["padding"]
    border = source.attributes["padding"] if source.op == PAD.name else (0, 0, 0, 0)
    taps = []
    for axis, (before, after) in enumerate(((top, bottom), (left, right))):
        size = source.shape[axis - 2]
        padded = window_table(
            before + size + after,
            weight.shape[2 + axis],
            node.attributes["stride"][axis],
            0,
            node.attributes["dilation"][axis],
        )[-1].astype(np.int64)
        reached = padded[before : before + size]
        first, last = border[2 * axis], size - border[2 * axis + 1]
        reached[:first] = reached[last:] = 0
        taps.append(reached)
    return np.outer(*taps) * (weight.shape[0] // node.attributes["groups"])


def absorbs(node: Node, before: Node) -> Node | None:
    """A conv behind zero padding pads itself."""
    if before.op != PAD.name:
        return None
    both = zip(node.attributes["padding"], before.attributes["padding"], strict=True)
    padding = [first + second for first, second in both]
    return replace(node, inputs=before.inputs, attributes={**node.attributes, "padding": padding})


def forms(node: Node, inputs: Sequence[Node], shapes: Sequence[Shape]) -> list[Form]:
    require_plane(inputs[0], shapes[0])
    attributes = node.attributes
    weight, padding, dilation = symmetric(
        np.asarray(node.parameters["weight"], dtype=np.float64),
        tuple(attributes["padding"]),
        two(attributes["dilation"]),
    )
    conv = Conv(weight, two(attributes["stride"]), padding, dilation, int(attributes["groups"]))
    return [Kernel(conv, shapes[0])]


def two(values: Sequence[int]) -> tuple[int, int]:
    """Two integers of an attribute."""
    return int(values[0]), int(values[1])


def record(node: Node, inputs: Sequence[Sequence[int]], found: Sequence[int]) -> bool:
    weight, groups = node.parameters["weight"], node.attributes["groups"]
    good = weight.ndim == 4 and weight.size > 0 and len(inputs[0]) == 4
    good = good and is_whole(groups, 1, len(weight)) and len(weight) % groups == 0
    good = good and inputs[0][1] == weight.shape[1] * groups and biased(node, len(weight))
    steps = all(extents(node, key, 2, 1) for key in ("stride", "dilation"))
    return good and steps and extents(node, "padding", 4, 0)


def translate(call: Call) -> Translated:
    parameters = weights(call)
    dilation = pair(call.get("dilation", [1, 1]))
    kernel = parameters["weight"].shape[2:]
    attributes = {
        "stride": pair(call.get("stride", [1, 1])),
        "padding": _padding(call.get("padding", [0, 0]), kernel, dilation),
        "dilation": dilation,
        "groups": int(call.get("groups", 1)),
    }
    return Translated("conv", attributes, parameters)


def _padding(value: Any, kernel: Sequence[int], dilation: Sequence[int]) -> list[int]:
    """(top, bottom, left, right); 'same' puts the odd one after."""
    if value == "same":
        totals = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
        return [part for t in totals for part in (t // 2, t - t // 2)]
    if value == "valid":
        return [0, 0, 0, 0]
    rows, columns = pair(value)
    return [rows, rows, columns, columns]


CONV = OpKind(
    name="conv", role=Role.LAYER,
    evaluate=evaluate, axes=axes, signal=common.real, contracts_time=contracts_time,
    blocked=common.behind_spikes,
    chip=Layer(
        forms=forms, without_constant=without_bias, missing=one_input, over_time=None,
        macs=macs, valid_macs=valid_macs, fan_out=fan_out, shared=True, absorbs=absorbs,
    ),
    cost=Cost(
        summed=common.no_spikes, multiplications=lambda node, inputs: valid_macs(node, inputs[0]),
        work=common.layer_work(macs),
    ),
    traits=Trait.NONE, fixed=common.WEIGHTED, record=Record(fewest=1, most=1, rule=record),
    torch={"aten.conv2d.default": translate, "aten.conv2d.padding": translate},
)  # fmt: skip


def evaluate_pad(node: Node, inputs: Sequence[Any], batch: int, timesteps: int) -> Any:
    return pad(node, inputs[0])


def pad_axes(node: Node, inputs: Sequence[Axes]) -> Axes:
    *outer, rows, columns = inputs[0]
    common.refuse_batch((rows, columns), "pads")
    top, bottom, left, right = node.attributes["padding"]
    height, width = (prod(size for _, size in d) for d in (rows, columns))
    return (*outer, common.feature(height + top + bottom), common.feature(width + left + right))


def pad_contracts_time(node: Node, inputs: Sequence[Node]) -> bool:
    return any(common.has_time(dimension) for dimension in inputs[0].axes[-2:])


def pad_forms(node: Node, inputs: Sequence[Node], shapes: Sequence[Shape]) -> list[Form]:
    """A kernel of one tap, in place."""
    require_plane(inputs[0], shapes[0])
    unit, channels = identity(shapes[0][0]), shapes[0][0]
    weight, padding, _ = symmetric(unit.weight, tuple(node.attributes["padding"]), (1, 1))
    return [Kernel(Conv(weight, padding=padding, groups=channels), shapes[0])]


def pad_record(node: Node, inputs: Sequence[Sequence[int]], found: Sequence[int]) -> bool:
    return len(inputs[0]) >= 2 and extents(node, "padding", 4, 0)


def translate_pad(call: Call) -> Translated:
    amounts = [int(v) for v in call.get("pad")]
    mode = call.get("mode", "constant")
    if call.get("value", 0):
        raise ValueError("only padding with zeros, or with what lies at the edges, is supported")
    if any(amounts[4:]) or any(amount < 0 for amount in amounts):
        raise ValueError("only rows and columns can be padded, and not by negative amounts")
    left, right, top, bottom = (*amounts, 0, 0, 0, 0)[:4]
    padding = {"padding": [top, bottom, left, right]}
    if mode != "constant":
        return Translated("extend", {**padding, "mode": mode}, {})
    return Translated("pad", padding, {})


PAD = OpKind(
    name="pad", role=Role.LINEAR,
    evaluate=evaluate_pad, axes=pad_axes, signal=common.same, contracts_time=pad_contracts_time,
    blocked=common.possible, chip=common.by_form(pad_forms), cost=common.MOVED,
    traits=Trait.NONE, fixed=common.ON_GRID, record=Record(fewest=1, most=1, rule=pad_record),
    torch={"aten.pad.default": translate_pad, "aten.constant_pad_nd.default": translate_pad},
)  # fmt: skip
