"""norm: batch normalisation with running statistics, y = x * scale + shift per channel.

The translation folds mean, variance, gamma and beta into `scale` and `shift` (float64, kept so).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from snndeploy.connections import Shape
from snndeploy.connections.algebra import NotComposable
from snndeploy.graph import Axes, Node
from snndeploy.ops import common
from snndeploy.ops.call import Call, Translated
from snndeploy.ops.form import Form, Scaled, one_input
from snndeploy.ops.kind import (
    Cost,
    Linear,
    OpKind,
    Record,
    Role,
    Trait,
)
from snndeploy.ops.record import is_whole
from snndeploy.tensors import tensor


def evaluate(node: Node, inputs: Sequence[Any], batch: int, timesteps: int) -> Any:
    x = inputs[0]
    shape = [1] * x.dim()
    shape[node.attributes["channel_axis"]] = -1
    scale = tensor(node.parameters["scale"], x.dtype).reshape(shape)
    shift = tensor(node.parameters["shift"], x.dtype).reshape(shape)
    return x * scale + shift


def axes(node: Node, inputs: Sequence[Axes]) -> Axes:
    channels = inputs[0][node.attributes["channel_axis"]]
    common.refuse_batch((channels,), "normalises")
    if common.has_time(channels):
        raise ValueError(
            "it normalises the time dimension; fold time into the batch before it, or use (batch,"
            " channels, ...) inputs"
        )
    return inputs[0]


def forms(node: Node, inputs: Sequence[Node], shapes: Sequence[Shape]) -> list[Form]:
    scale = np.asarray(node.parameters["scale"])
    if scale.size != shapes[0][0]:
        raise NotComposable("a norm over other dimensions than the channels")
    return [Scaled(scale, shapes[0])]


def without_shift(node: Node) -> Node:
    zeros = np.zeros_like(node.parameters["shift"])
    return replace(node, parameters={**node.parameters, "shift": zeros})


def record(node: Node, inputs: Sequence[Sequence[int]], found: Sequence[int]) -> bool:
    axis = node.attributes["channel_axis"]
    if not is_whole(axis, 0, len(inputs[0]) - 1):
        return False
    keys = ("scale", "shift")
    return all(node.parameters[key].shape in ((1,), (inputs[0][axis],)) for key in keys)


def translate(call: Call) -> Translated:
    mean, variance = call.array("running_mean"), call.array("running_var")
    if mean is None or variance is None or call.get("training", False):
        raise ValueError("it has no running statistics; only evaluation mode compiles")
    ones = np.ones_like(mean, dtype=np.float64)
    weight, bias = call.array("weight"), call.array("bias")
    deviation = np.sqrt(variance.astype(np.float64) + float(call.get("eps", 1e-5)))
    scale = (ones if weight is None else weight.astype(np.float64)) / deviation
    shift = (0 * ones if bias is None else bias.astype(np.float64)) - mean * scale
    return Translated("norm", {"channel_axis": 1}, {"scale": scale, "shift": shift})


NORM = OpKind(
    name="norm", role=Role.LINEAR,
    evaluate=evaluate, axes=axes, signal=common.real, contracts_time=common.never,
    blocked=common.possible,
    chip=Linear(forms=forms, without_constant=without_shift, missing=one_input, over_time=None),
    cost=Cost(
        summed=common.no_spikes, multiplications=common.no_multiplications,
        work=common.macs_of_results,
    ),
    traits=Trait.KEEPS_VALUE, fixed=common.ROUNDED, record=Record(fewest=1, most=1, rule=record),
    torch={
        "aten._native_batch_norm_legit_no_training.default": translate,
        "aten.batch_norm.default": translate,
    },
)  # fmt: skip
