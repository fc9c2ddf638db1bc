"""avg_pool and max_pool over windows of the plane (no padding in avg_pool; -inf in max_pool)."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import torch

from snndeploy.graph import Axes, Node
from snndeploy.ops.kind import OpKind, feature, has_time, real, refuse_batch, same


def average(node: Node, inputs: Sequence[Any], batch: int, timesteps: int) -> Any:
    return torch.nn.functional.avg_pool2d(
        inputs[0], node.attributes["kernel"], node.attributes["stride"]
    )


def maximum(node: Node, inputs: Sequence[Any], batch: int, timesteps: int) -> Any:
    return torch.nn.functional.max_pool2d(
        inputs[0],
        node.attributes["kernel"],
        node.attributes["stride"],
        padding=node.attributes["padding"],
    )


def axes(node: Node, inputs: Sequence[Axes]) -> Axes:
    *outer, channels, rows, columns = inputs[0]
    refuse_batch((rows, columns), "pools")
    padding = node.attributes.get("padding", (0, 0))
    planes = []
    for index, dimension in enumerate((rows, columns)):
        size = prod(size for _, size in dimension)
        kernel, stride = node.attributes["kernel"][index], node.attributes["stride"][index]
        planes.append(feature((size + 2 * padding[index] - kernel) // stride + 1))
    return (*outer, channels, *planes)


def contracts_time(node: Node, inputs: Sequence[Node]) -> bool:
    return any(has_time(dimension) for dimension in inputs[0].axes[-2:])


AVERAGE_POOL = OpKind("avg_pool", average, axes, real, contracts_time, linear=True)
MAXIMUM_POOL = OpKind("max_pool", maximum, axes, same, contracts_time)
