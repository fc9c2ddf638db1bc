"""conv_transpose: y[o, s * r + u - p] = sum over i of weight[i, o, u] * x[i, r], plus bias.

The whole file that a new linear operation is, but for its line in `snndeploy/ops/__init__.py`.
"""

from __future__ import annotations

from math import prod

import numpy as np
import torch

from snndeploy.connections.algebra import LARGEST_DENSE, NotComposable
from snndeploy.ops import common
from snndeploy.ops.call import Translated, pair, weights
from snndeploy.ops.form import Matrix, one_input, require_plane, without_bias
from snndeploy.ops.kind import Cost, FixedPoint, Layer, OpKind, Record, Role, Trait
from snndeploy.ops.linear import stays
from snndeploy.ops.record import biased, extents
from snndeploy.tensors import tensor


def evaluate(node, inputs, batch, timesteps):
    (x,), bias = inputs, node.parameters.get("bias")
    return torch.nn.functional.conv_transpose2d(
        x,
        tensor(node.parameters["weight"], x.dtype),
        None if bias is None else tensor(bias, x.dtype),
        node.attributes["stride"],
        node.attributes["padding"],
    )


def axes(node, inputs):
    *outer, channels, rows, columns = inputs[0]
    common.refuse_batch((channels, rows, columns), "convolves")
    sizes = [
        (prod(size for _, size in dimension) - 1) * stride - 2 * padding + kernel
        for dimension, stride, padding, kernel in zip(
            (rows, columns), node.attributes["stride"], node.attributes["padding"],
            node.parameters["weight"].shape[2:], strict=True,
        )
    ]  # fmt: skip
    return (*outer, common.feature(node.parameters["weight"].shape[1]), *map(common.feature, sizes))


def contracts_time(node, inputs):
    return any(common.has_time(dimension) for dimension in inputs[0].axes[-3:])


def macs(node, inputs):
    return int(node.parameters["weight"].size) * prod(inputs[0].shape[-2:])


def fan_out(node, source):
    """Taps of each position that land inside the result."""
    reached = []
    for axis in (0, 1):
        first = np.arange(source.shape[axis - 2]) * node.attributes["stride"][axis]
        taps = np.arange(node.parameters["weight"].shape[2 + axis])
        places = first[:, None] + taps - node.attributes["padding"][axis]
        reached.append(((places >= 0) & (places < node.shape[axis - 2])).sum(1))
    return np.outer(*reached) * node.parameters["weight"].shape[1]


def valid_macs(node, source):
    return int(fan_out(node, source).sum()) * source.shape[-3]


def forms(node, inputs, shapes):
    """As a matrix, one row an output: the operation on every unit vector."""
    require_plane(inputs[0], shapes[0])
    size = prod(shapes[0]) * prod(node.step_shape)
    if size > LARGEST_DENSE:
        raise NotComposable(f"a transposed convolution that would take {size:,} weights")
    units = torch.eye(prod(shapes[0]), dtype=torch.float64).reshape(-1, *shapes[0])
    columns = evaluate(without_bias(node), [units], 1, 1).reshape(len(units), -1)
    return [Matrix(columns.T.numpy().reshape(-1, *shapes[0]))]


def terms(node, x, value):
    """Most weights that meet in one output are those of all input channels and taps."""
    return float(np.abs(node.parameters["weight"]).sum((0, 2, 3)).max()), True


def record(node, inputs, found):
    weight = node.parameters["weight"]
    good = weight.ndim == 4 and weight.size > 0 and len(inputs[0]) == 4
    good = good and inputs[0][1] == len(weight) and biased(node, weight.shape[1])
    return good and extents(node, "stride", 2, 1) and extents(node, "padding", 2, 0)


def translate(call):
    if pair(call.get("dilation", 1)) != [1, 1] or any(pair(call.get("output_padding", 0))):
        raise ValueError("a dilated or padded transposed convolution is not supported")
    if int(call.get("groups", 1)) != 1:
        raise ValueError("a grouped transposed convolution is not supported")
    attributes = {"stride": pair(call.get("stride", 1)), "padding": pair(call.get("padding", 0))}
    return Translated("conv_transpose", attributes, weights(call))


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
