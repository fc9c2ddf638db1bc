"""input, view, permute and expand: values keep, places change."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from snndeploy.graph import Axes, Node, Signal, sizes
from snndeploy.ops.kind import OpKind, same


def _input(node: Node, inputs: Sequence[Any], batch: int, timesteps: int) -> Any:
    raise AssertionError("the input's value is given, not computed")


def input_axes(node: Node, inputs: Sequence[Axes]) -> Axes:
    return node.axes


def input_signal(node: Node, signals: Sequence[Signal], inputs: Sequence[Node]) -> Signal:
    return Signal(node.attributes["signal"], node.attributes.get("bound"), not node.has_time)


def _view(node: Node, inputs: Sequence[Any], batch: int, timesteps: int) -> Any:
    return inputs[0].reshape(sizes(node.axes, batch, timesteps))


def _permute(node: Node, inputs: Sequence[Any], batch: int, timesteps: int) -> Any:
    return inputs[0].permute(*node.attributes["order"])


def _expand(node: Node, inputs: Sequence[Any], batch: int, timesteps: int) -> Any:
    return inputs[0].expand(sizes(node.axes, batch, timesteps))


def permute_axes(node: Node, inputs: Sequence[Axes]) -> Axes:
    return tuple(inputs[0][index] for index in node.attributes["order"])


def given_axes(node: Node, inputs: Sequence[Axes]) -> Axes:
    """The front end works these out from the concrete shapes (`frontend.axes`)."""
    return node.axes


INPUT = OpKind("input", _input, input_axes, input_signal)
VIEW = OpKind("view", _view, given_axes, same, linear=True, view=True)
PERMUTE = OpKind("permute", _permute, permute_axes, same, linear=True, view=True)
EXPAND = OpKind("expand", _expand, given_axes, same, linear=True, view=True)
