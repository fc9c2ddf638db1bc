"""conv_transpose and upsample: every position writes a kernel, or itself, into a larger plane.

    conv_transpose   y[o, stride * r + u - padding] = sum over i of weight[o, i, u] * x[i, r] + bias
    upsample         y[c, q] = x[c, q // factor]

q, r and u are (row, column) pairs; what is written to the same place is added up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np
import torch

from snndeploy.connections import Shape, Transposed
from snndeploy.connections.transposed import sources_first
from snndeploy.connections.transposing import upsampling
from snndeploy.graph import Axes, Node
from snndeploy.ops import common
from snndeploy.ops.call import Call, Translated, pair, weights
from snndeploy.ops.conv import two
from snndeploy.ops.form import Form, Transpose, one_input, require_plane, without_bias
from snndeploy.ops.kind import Cost, FixedPoint, Layer, OpKind, Record, Role, Summed, Trait
from snndeploy.ops.linear import stays
from snndeploy.ops.record import biased, extents, is_whole
from snndeploy.tensors import tensor


def evaluate(node: Node, inputs: Sequence[Any], batch: int, timesteps: int) -> Any:
    (x,), bias, chosen = inputs, node.parameters.get("bias"), node.attributes
    return torch.nn.functional.conv_transpose2d(
        x,
        tensor(sources_first(node.parameters["weight"], chosen["groups"]), x.dtype),
        None if bias is None else tensor(bias, x.dtype),
        chosen["stride"],
        chosen["padding"],
        chosen["extra"],
        chosen["groups"],
    )


def connection(node: Node) -> Transposed:
    chosen = node.attributes
    return Transposed(
        np.asarray(node.parameters["weight"], dtype=np.float64),
        two(chosen["stride"]),
        two(chosen["padding"]),
        two(chosen["extra"]),
        int(chosen["groups"]),
    )


def axes(node: Node, inputs: Sequence[Axes]) -> Axes:
    *outer, channels, rows, columns = inputs[0]
    common.refuse_batch((channels, rows, columns), "convolves")
    source = (prod(n for _, n in channels), prod(n for _, n in rows), prod(n for _, n in columns))
    return (*outer, *map(common.feature, connection(node).output_shape(source)))


def contracts_time(node: Node, inputs: Sequence[Node]) -> bool:
    return any(common.has_time(dimension) for dimension in inputs[0].axes[-3:])


def macs(node: Node, inputs: Sequence[Node]) -> int:
    return int(node.parameters["weight"].size) * prod(inputs[0].shape[-2:])


def fan_out(node: Node, source: Node) -> np.ndarray:
    channels, rows, columns = source.shape[-3:]
    return connection(node).fan_out((channels, rows, columns))


def valid_macs(node: Node, source: Node) -> int:
    return int(fan_out(node, source).sum()) * source.shape[-3]


def forms(node: Node, inputs: Sequence[Node], shapes: Sequence[Shape]) -> list[Form]:
    require_plane(inputs[0], shapes[0])
    return [Transpose(connection(node), shapes[0])]


def terms(node: Node, x: Any, value: Any) -> tuple[float, bool]:
    """An output reads the taps of one phase of the stride."""
    return float(connection(node).neuron_sums(np.abs(node.parameters["weight"])).max()), True


def record(node: Node, inputs: Sequence[Sequence[int]], found: Sequence[int]) -> bool:
    weight, groups = node.parameters["weight"], node.attributes["groups"]
    good = weight.ndim == 4 and weight.size > 0 and len(inputs[0]) == 4
    good = good and is_whole(groups, 1, len(weight)) and biased(node, len(weight))
    good = good and extents(node, "stride", 2, 1)
    good = good and extents(node, "padding", 2, 0) and extents(node, "extra", 2, 0)
    channels, rows, columns = inputs[0][1:]
    return good and not connection(node).fault((channels, rows, columns))


def translate(call: Call) -> Translated:
    groups, parameters = int(call.get("groups", 1)), weights(call)
    if pair(call.get("dilation", [1, 1])) != [1, 1]:
        raise ValueError("a dilated transposed convolution is not supported")
    weight = sources_first(parameters["weight"], groups)
    padding = pair(call.get("padding", [0, 0]))
    beyond = [max(pad + 1 - size, 0) for pad, size in zip(padding, weight.shape[2:], strict=True)]
    weight = np.pad(weight, ((0, 0), (0, 0), *((more, more) for more in beyond)))
    attributes = {
        "stride": pair(call.get("stride", [1, 1])),
        "padding": [pad + more for pad, more in zip(padding, beyond, strict=True)],
        "extra": pair(call.get("output_padding", [0, 0])),
        "groups": groups,
    }
    return Translated("conv_transpose", attributes, {**parameters, "weight": weight})


CONV_TRANSPOSE = OpKind(
    name="conv_transpose", role=Role.LAYER,
    evaluate=evaluate, axes=axes, signal=common.real, contracts_time=contracts_time,
    blocked=common.behind_spikes,
    chip=Layer(
        forms=forms, without_constant=without_bias, missing=one_input, over_time=None,
        macs=macs, valid_macs=valid_macs, fan_out=fan_out, shared=True, absorbs=stays,
    ),
    cost=Cost(
        summed=common.no_spikes, multiplications=lambda node, inputs: valid_macs(node, inputs[0]),
        work=common.layer_work(macs),
    ),
    traits=Trait.NONE, fixed=FixedPoint(on_grid=False, terms=terms),
    record=Record(fewest=1, most=1, rule=record),
    torch={"aten.conv_transpose2d.input": translate},
)  # fmt: skip


def repeated(node: Node, inputs: Sequence[Any], batch: int, timesteps: int) -> Any:
    rows, columns = node.attributes["factor"]
    return inputs[0].repeat_interleave(rows, -2).repeat_interleave(columns, -1)


def repeated_axes(node: Node, inputs: Sequence[Axes]) -> Axes:
    *outer, rows, columns = inputs[0]
    common.refuse_batch((rows, columns), "repeats values")
    sizes = (prod(size for _, size in dimension) for dimension in (rows, columns))
    larger = (size * by for size, by in zip(sizes, node.attributes["factor"], strict=True))
    return (*outer, *map(common.feature, larger))


def repeats_time(node: Node, inputs: Sequence[Node]) -> bool:
    return any(common.has_time(dimension) for dimension in inputs[0].axes[-2:])


def repeated_forms(node: Node, inputs: Sequence[Node], shapes: Sequence[Shape]) -> list[Form]:
    require_plane(inputs[0], shapes[0])
    return [Transpose(upsampling(shapes[0][0], two(node.attributes["factor"])), shapes[0])]


def repeated_summed(node: Node, inputs: Sequence[Node], parts: Sequence[Summed]) -> Summed:
    return parts[0]


def repeated_record(node: Node, inputs: Sequence[Sequence[int]], found: Sequence[int]) -> bool:
    return len(inputs[0]) == 4 and extents(node, "factor", 2, 1)


def translate_upsample(call: Call) -> Translated:
    factors = [new / old for new, old in zip(call.result[-2:], call.shape[-2:], strict=True)]
    stated = [float(scale) for scale in call.get("scale_factors", factors)]
    if stated != factors or any(factor % 1 for factor in factors):
        raise ValueError(
            f"it repeats rows and columns {stated[0]:g} and {stated[1]:g} times; only whole numbers"
            " of times are supported"
        )
    return Translated("upsample", {"factor": [int(factor) for factor in factors]}, {})


UPSAMPLE = OpKind(
    name="upsample", role=Role.LINEAR,
    evaluate=repeated, axes=repeated_axes, signal=common.same, contracts_time=repeats_time,
    blocked=common.possible, chip=common.by_form(repeated_forms),
    cost=replace(common.MOVED, summed=repeated_summed),
    traits=Trait.KEEPS_VALUE | Trait.KEEPS_COUNT, fixed=common.ON_GRID,
    record=Record(fewest=1, most=1, rule=repeated_record),
    torch={"aten.upsample_nearest2d.vec": translate_upsample},
)  # fmt: skip
