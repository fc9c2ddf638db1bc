"""linear: y = weight . x + bias over the last dimension."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import torch

from snndeploy.graph import Axes, Node
from snndeploy.ops.kind import OpKind, feature, has_time, real, refuse_batch
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
    refuse_batch(inputs[0][-1:], "is a linear layer")
    return (*inputs[0][:-1], feature(node.parameters["weight"].shape[0]))


def contracts_time(node: Node, inputs: Sequence[Node]) -> bool:
    return has_time(inputs[0].axes[-1])


def macs(node: Node, inputs: Sequence[Node]) -> int:
    positions = prod(
        size for dimension in inputs[0].axes[:-1] for label, size in dimension if label == "feature"
    )
    return int(node.parameters["weight"].size) * positions


LINEAR = OpKind("linear", evaluate, axes, real, contracts_time, macs, linear=True)
