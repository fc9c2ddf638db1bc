"""Element by element: add, subtract, multiply, divide, scale (by a constant), and functions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import torch

from snndeploy.graph import Axes, Dimension, Node, Signal
from snndeploy.ops.kind import OpKind, all_constant, real, widest


def broadcast_axes(node: Node, inputs: Sequence[Axes]) -> Axes:
    """Dimensions aligned from the right; of two, the named (batch, time) one, else the larger."""
    rank = max(len(axes) for axes in inputs)
    padded = [((),) * (rank - len(axes)) + tuple(axes) for axes in inputs]
    return tuple(_join([axes[index] for axes in padded]) for index in range(rank))


def _join(dimensions: Sequence[Dimension]) -> Dimension:
    def rank(dimension: Dimension) -> tuple[bool, int, bool]:
        named = any(label != "feature" for label, _ in dimension)
        return (named, prod(size for _, size in dimension), bool(dimension))

    return max(dimensions, key=rank)


def add_signal(node: Node, signals: Sequence[Signal], inputs: Sequence[Node]) -> Signal:
    if widest(signals) == "real":
        return real(node, signals, inputs)
    bounds = [signal.bound for signal in signals]
    known = None if None in bounds else sum(b for b in bounds if b is not None)
    return Signal("integer", known, all_constant(signals))


def multiply_signal(node: Node, signals: Sequence[Signal], inputs: Sequence[Node]) -> Signal:
    kind = widest(signals)
    if kind == "real":
        return real(node, signals, inputs)
    bounds = [signal.bound for signal in signals]
    known = None
    if None not in bounds:
        known = 1.0
        for bound in bounds:
            known *= bound or 0.0
    return Signal(kind, known, all_constant(signals))


def _binary(function: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    def evaluate(node: Node, inputs: Sequence[Any], batch: int, timesteps: int) -> Any:
        return function(inputs[0], inputs[1])

    return evaluate


def _unary(function: Callable[[Any], Any]) -> Callable[..., Any]:
    def evaluate(node: Node, inputs: Sequence[Any], batch: int, timesteps: int) -> Any:
        return function(inputs[0])

    return evaluate


def _scale(node: Node, inputs: Sequence[Any], batch: int, timesteps: int) -> Any:
    """factor * x + offset with numbers known at compile time."""
    return inputs[0] * node.attributes["factor"] + node.attributes["offset"]


def scale_signal(node: Node, signals: Sequence[Signal], inputs: Sequence[Node]) -> Signal:
    """Integers times and plus whole numbers stay integers."""
    factor, offset = node.attributes["factor"], node.attributes["offset"]
    (signal,) = signals
    if (factor, offset) == (1.0, 0.0):
        return signal
    if signal.kind == "real" or factor % 1 or offset % 1:
        return real(node, signals, inputs)
    bound = None if signal.bound is None else abs(factor) * signal.bound + abs(offset)
    return Signal("integer", bound, signal.constant)


def integer_signal(node: Node, signals: Sequence[Signal], inputs: Sequence[Node]) -> Signal:
    (signal,) = signals
    return signal if signal.kind != "real" else Signal("integer", None, signal.constant)


def _clamp(node: Node, inputs: Sequence[Any], batch: int, timesteps: int) -> Any:
    return torch.clamp(inputs[0], node.attributes["minimum"], node.attributes["maximum"])


def clamp_signal(node: Node, signals: Sequence[Signal], inputs: Sequence[Node]) -> Signal:
    limits = [node.attributes[key] for key in ("minimum", "maximum")]
    (signal,) = signals
    if signal.kind == "real" or any(limit is not None and limit % 1 for limit in limits):
        return real(node, signals, inputs)
    if None in limits:
        return Signal("integer", None, signal.constant)
    return Signal("integer", max(abs(limit) for limit in limits), signal.constant)


ADD = OpKind("add", _binary(torch.add), broadcast_axes, add_signal, linear=True)
SUBTRACT = OpKind("subtract", _binary(torch.sub), broadcast_axes, add_signal, linear=True)
MULTIPLY = OpKind("multiply", _binary(torch.mul), broadcast_axes, multiply_signal)
DIVIDE = OpKind("divide", _binary(torch.div), broadcast_axes, real)
SCALE = OpKind("scale", _scale, broadcast_axes, scale_signal, linear=True)
FLOOR = OpKind("floor", _unary(torch.floor), broadcast_axes, integer_signal)
ROUND = OpKind("round", _unary(torch.round), broadcast_axes, integer_signal)
CLAMP = OpKind("clamp", _clamp, broadcast_axes, clamp_signal)
RELU = OpKind("relu", _unary(torch.relu), broadcast_axes, real)
SIGMOID = OpKind("sigmoid", _unary(torch.sigmoid), broadcast_axes, real)
TANH = OpKind("tanh", _unary(torch.tanh), broadcast_axes, real)
