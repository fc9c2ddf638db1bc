"""Element by element: add, subtract, multiply, scale (by a constant), and host-only functions."""

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


ADD = OpKind("add", _binary(torch.add), broadcast_axes, add_signal, linear=True)
SUBTRACT = OpKind("subtract", _binary(torch.sub), broadcast_axes, add_signal, linear=True)
MULTIPLY = OpKind("multiply", _binary(torch.mul), broadcast_axes, multiply_signal)
SCALE = OpKind("scale", _scale, broadcast_axes, real, linear=True)
RELU = OpKind("relu", _unary(torch.relu), broadcast_axes, real)
SIGMOID = OpKind("sigmoid", _unary(torch.sigmoid), broadcast_axes, real)
TANH = OpKind("tanh", _unary(torch.tanh), broadcast_axes, real)
