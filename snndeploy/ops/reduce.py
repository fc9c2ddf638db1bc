"""mean, sum, max and min over named dimensions; over time, the whole window is needed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from snndeploy.graph import Axes, Dimension, Node, Signal
from snndeploy.ops.kind import OpKind, all_constant, has_time, real, refuse_batch


def axes(node: Node, inputs: Sequence[Axes]) -> Axes:
    reduced = set(node.attributes["dimensions"])
    refuse_batch([inputs[0][index] for index in sorted(reduced)], "reduces")
    kept: list[Dimension] = []
    for index, dimension in enumerate(inputs[0]):
        if index not in reduced:
            kept.append(dimension)
        elif node.attributes["keep"]:
            kept.append(())
    return tuple(kept)


def contracts_time(node: Node, inputs: Sequence[Node]) -> bool:
    return any(has_time(inputs[0].axes[index]) for index in node.attributes["dimensions"])


def _over(function: Callable[..., Any]) -> Callable[..., Any]:
    def evaluate(node: Node, inputs: Sequence[Any], batch: int, timesteps: int) -> Any:
        return function(
            inputs[0], dim=tuple(node.attributes["dimensions"]), keepdim=node.attributes["keep"]
        )

    return evaluate


def sum_signal(node: Node, signals: Sequence[Signal], inputs: Sequence[Node]) -> Signal:
    if signals[0].kind == "real":
        return real(node, signals, inputs)
    return Signal("integer", None, all_constant(signals))


def extreme_signal(node: Node, signals: Sequence[Signal], inputs: Sequence[Node]) -> Signal:
    return signals[0]


MEAN = OpKind("mean", _over(torch.mean), axes, real, contracts_time, linear=True)
SUM = OpKind("sum", _over(torch.sum), axes, sum_signal, contracts_time, linear=True)
MAX = OpKind("max", _over(torch.amax), axes, extreme_signal, contracts_time)
MIN = OpKind("min", _over(torch.amin), axes, extreme_signal, contracts_time)
