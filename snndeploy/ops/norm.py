"""norm: batch normalisation with running statistics, y = x * scale + shift per channel.

The front end folds mean, variance, gamma and beta into `scale` and `shift` (float64, kept so).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from snndeploy.graph import Axes, Node
from snndeploy.ops.kind import OpKind, has_time, real, refuse_batch
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
    refuse_batch((channels,), "normalises")
    if has_time(channels):
        raise ValueError(
            "it normalises the time dimension; fold time into the batch before it, or use (batch,"
            " channels, ...) inputs"
        )
    return inputs[0]


NORM = OpKind("norm", evaluate, axes, real, linear=True)
