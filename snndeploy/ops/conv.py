"""conv: y[o] = sum over i, u, v of weight[o, i, u, v] * x[i, stride * y + u - padding, ...] + bias."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import torch

from snndeploy.graph import Axes, Node
from snndeploy.ops.kind import OpKind, feature, has_time, real, same


def evaluate(node: Node, inputs: Sequence[Any], batch: int, timesteps: int) -> Any:
    x = inputs[0]
    bias = node.parameters.get("bias")
    return torch.nn.functional.conv2d(
        pad(node, x),
        torch.as_tensor(node.parameters["weight"]).to(x.dtype),
        None if bias is None else torch.as_tensor(bias).to(x.dtype),
        stride=node.attributes["stride"],
        padding=0,
        dilation=node.attributes["dilation"],
        groups=node.attributes["groups"],
    )


def pad(node: Node, x: Any) -> Any:
    """Zero padding; `padding` is (top, bottom, left, right), since 'same' kernels may be even."""
    top, bottom, left, right = node.attributes["padding"]
    if not any((top, bottom, left, right)):
        return x
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
    *outer, _, rows, columns = inputs[0]
    height, width = (prod(size for _, size in d) for d in (rows, columns))
    height, width = output_size(node, height, width)
    channels = node.parameters["weight"].shape[0]
    return (*outer, feature(channels), feature(height), feature(width))


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
    top, bottom, left, right = node.attributes["padding"]
    height, width = (prod(size for _, size in d) for d in (rows, columns))
    return (*outer, feature(height + top + bottom), feature(width + left + right))


PAD = OpKind("pad", evaluate_pad, pad_axes, same, linear=True)
