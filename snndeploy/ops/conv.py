"""conv: y[o, r] = sum over i, u of weight[o, i, u] * x[i, stride * r + u - padding] + bias.

r and u are (row, column) pairs; x is zero outside.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import torch

from snndeploy.graph import Axes, Node
from snndeploy.ops.kind import OpKind, feature, has_time, real, refuse_batch, same
from snndeploy.tensors import tensor


def evaluate(node: Node, inputs: Sequence[Any], batch: int, timesteps: int) -> Any:
    x = inputs[0]
    top, bottom, left, right = node.attributes["padding"]
    symmetric = top == bottom and left == right
    bias = node.parameters.get("bias")
    return torch.nn.functional.conv2d(
        x if symmetric else pad(node, x),
        tensor(node.parameters["weight"], x.dtype),
        None if bias is None else tensor(bias, x.dtype),
        stride=node.attributes["stride"],
        padding=(top, left) if symmetric else 0,
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
    refuse_batch((channels, rows, columns), "convolves")
    height, width = (prod(size for _, size in d) for d in (rows, columns))
    height, width = output_size(node, height, width)
    return (
        *outer,
        feature(node.parameters["weight"].shape[0]),
        feature(height),
        feature(width),
    )


def contracts_time(node: Node, inputs: Sequence[Node]) -> bool:
    return any(has_time(dimension) for dimension in inputs[0].axes[-3:])


def macs(node: Node, inputs: Sequence[Node]) -> int:
    height, width = node.shape[-2:]
    return int(node.parameters["weight"].size) * height * width


CONV = OpKind("conv", evaluate, axes, real, contracts_time, macs, linear=True)


def evaluate_pad(node: Node, inputs: Sequence[Any], batch: int, timesteps: int) -> Any:
    return pad(node, inputs[0])


def pad_axes(node: Node, inputs: Sequence[Axes]) -> Axes:
    *outer, rows, columns = inputs[0]
    refuse_batch((rows, columns), "pads")
    top, bottom, left, right = node.attributes["padding"]
    height, width = (prod(size for _, size in d) for d in (rows, columns))
    return (*outer, feature(height + top + bottom), feature(width + left + right))


def pad_contracts_time(node: Node, inputs: Sequence[Node]) -> bool:
    return any(has_time(dimension) for dimension in inputs[0].axes[-2:])


PAD = OpKind("pad", evaluate_pad, pad_axes, same, pad_contracts_time, linear=True)
