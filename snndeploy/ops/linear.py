"""linear: y = weight . x + bias over the last dimension."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
import torch

from snndeploy.connections import Shape
from snndeploy.connections.algebra import NotComposable
from snndeploy.graph import Axes, Node
from snndeploy.ops import common
from snndeploy.ops.call import Call, Translated, weights
from snndeploy.ops.form import Form, Matrix, one_input, without_bias
from snndeploy.ops.kind import (
    Cost,
    Layer,
    OpKind,
    Record,
    Role,
    Trait,
)
from snndeploy.ops.record import biased
from snndeploy.tensors import tensor


def evaluate(node: Node, inputs: Sequence[Any], batch: int, timesteps: int) -> Any:
    x = inputs[0]
    bias = node.parameters.get("bias")
    return torch.nn.functional.linear(
        x,
        tensor(node.parameters["weight"], x.dtype),
        None if bias is None else tensor(bias, x.dtype),
    )


def axes(node: Node, inputs: Sequence[Axes]) -> Axes:
    common.refuse_batch(inputs[0][-1:], "is a linear layer")
    return (*inputs[0][:-1], common.feature(node.parameters["weight"].shape[0]))


def contracts_time(node: Node, inputs: Sequence[Node]) -> bool:
    return common.has_time(inputs[0].axes[-1])


def macs(node: Node, inputs: Sequence[Node]) -> int:
    positions = prod(
        size for dimension in inputs[0].axes[:-1] for label, size in dimension if label == "feature"
    )
    return int(node.parameters["weight"].size) * positions


def valid_macs(node: Node, source: Node) -> int:
    return macs(node, [source])


def fan_out(node: Node, source: Node) -> np.ndarray:
    return np.array(len(node.parameters["weight"]), dtype=np.int64)


def stays(node: Node, before: Node) -> None:
    """It takes nothing of the node before into itself."""


def forms(node: Node, inputs: Sequence[Node], shapes: Sequence[Shape]) -> list[Form]:
    weight = np.asarray(node.parameters["weight"], dtype=np.float64)
    if weight.shape[1] != prod(shapes[0]):
        raise NotComposable("a linear layer that reads a part of its input at a time")
    return [Matrix(weight.reshape(len(weight), *shapes[0]))]


def record(node: Node, inputs: Sequence[Sequence[int]], found: Sequence[int]) -> bool:
    weight = node.parameters["weight"]
    good = weight.ndim == 2 and weight.size > 0 and inputs[0][-1] == weight.shape[1]
    return good and biased(node, len(weight))


def translate(call: Call) -> Translated:
    return Translated("linear", {}, weights(call))


def translate_product(call: Call) -> Translated:
    """x W"""
    weight = call.array("other") if "other" in call.arguments else call.array("mat2")
    if weight is None or weight.ndim != 2 or call.array("self") is not None:
        raise ValueError("it is no product of a signal with a stored matrix from the right")
    return Translated("linear", {}, {"weight": np.ascontiguousarray(weight.T)})


def translate_sum_with_product(call: Call) -> Translated:
    """bias + x W"""
    weight, bias = call.array("mat2"), call.array("self")
    plain = call.get("alpha", 1) == call.get("beta", 1) == 1
    if weight is None or bias is None or bias.ndim != 1 or not plain:
        raise ValueError("it is no sum of a stored bias and a product with a stored matrix")
    return Translated("linear", {}, {"weight": np.ascontiguousarray(weight.T), "bias": bias})


LINEAR = OpKind(
    name="linear", role=Role.LAYER,
    evaluate=evaluate, axes=axes, signal=common.real, contracts_time=contracts_time,
    blocked=common.behind_spikes,
    chip=Layer(
        forms=forms, without_constant=without_bias, missing=one_input, over_time=None,
        macs=macs, valid_macs=valid_macs, fan_out=fan_out, shared=False, absorbs=stays,
    ),
    cost=Cost(summed=common.no_spikes, multiplications=macs, work=common.layer_work(macs)),
    traits=Trait.NONE, fixed=common.WEIGHTED, record=Record(fewest=1, most=1, rule=record),
    torch={
        "aten.linear.default": translate,
        "aten.matmul.default": translate_product,
        "aten.mm.default": translate_product,
        "aten.addmm.default": translate_sum_with_product,
    },
)  # fmt: skip
