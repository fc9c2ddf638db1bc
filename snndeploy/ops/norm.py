"""norm: batch normalisation with running statistics, y = x * scale + shift per channel.

The front end folds mean, variance, gamma and beta into `scale` and `shift` (float64, kept so).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from snndeploy.graph import Axes, Node
from snndeploy.ops.kind import OpKind, real


def evaluate(node: Node, inputs: Sequence[Any], batch: int, timesteps: int) -> Any:
    x = inputs[0]
    shape = [1] * x.dim()
    shape[node.attributes["channel_axis"]] = -1
    scale = torch.as_tensor(node.parameters["scale"]).to(x.dtype).reshape(shape)
    shift = torch.as_tensor(node.parameters["shift"]).to(x.dtype).reshape(shape)
    return x * scale + shift


def axes(node: Node, inputs: Sequence[Axes]) -> Axes:
    return inputs[0]


NORM = OpKind("norm", evaluate, axes, real, linear=True)
