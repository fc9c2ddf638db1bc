"""What a linear operation does to a connection that stands before it.

    Same       nothing
    Scaled     every channel times a factor
    Kernel     a convolution
    Transpose  a transposed convolution
    Matrix     a dense layer
    Channels   a matrix on the channels of every position
    Delayed    nothing, some steps later

A value is (channels, rows, columns); a connection that ends in it becomes one that ends in the
operation's result.  A form may raise NotComposable: no connection computes the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Protocol

import numpy as np

from snndeploy.connections import Connection, Conv, Shape, Transposed
from snndeploy.connections.algebra import (
    LARGEST_DENSE,
    NotComposable,
    compose_conv,
    compose_dense,
    is_identity,
    scale_outputs,
)
from snndeploy.connections.transposing import compose_transposed
from snndeploy.graph import Node


class Form(Protocol):
    """result: shape of the operation's value."""

    @property
    def result(self) -> Shape: ...

    def behind(self, inner: Connection, source: Shape) -> Connection:
        """The operation behind `inner`, a connection from a population of shape `source`."""


@dataclass(frozen=True)
class Same:
    result: Shape

    def behind(self, inner: Connection, source: Shape) -> Connection:
        return inner


@dataclass(frozen=True)
class Scaled:
    """factor: one number, or one a channel."""

    factor: np.ndarray
    result: Shape

    def behind(self, inner: Connection, source: Shape) -> Connection:
        return scale_outputs(inner, self.factor)


@dataclass(frozen=True)
class Kernel:
    conv: Conv
    before: Shape

    @property
    def result(self) -> Shape:
        return self.conv.output_shape(self.before)

    def behind(self, inner: Connection, source: Shape) -> Connection:
        return compose_conv(self.conv, inner, source)


@dataclass(frozen=True)
class Transpose:
    transposed: Transposed
    before: Shape

    @property
    def result(self) -> Shape:
        return self.transposed.output_shape(self.before)

    def behind(self, inner: Connection, source: Shape) -> Connection:
        if is_identity(inner):
            return self.transposed
        return compose_transposed(self.transposed, inner)


@dataclass(frozen=True)
class Matrix:
    """weight: (targets, channels, rows, columns)."""

    weight: np.ndarray

    @property
    def result(self) -> Shape:
        return (len(self.weight), 1, 1)

    def behind(self, inner: Connection, source: Shape) -> Connection:
        return compose_dense(self.weight, inner, source)


@dataclass(frozen=True)
class Channels:
    """weight: (results, channels)."""

    weight: np.ndarray
    result: Shape

    def behind(self, inner: Connection, source: Shape) -> Connection:
        weight = self.weight[:, :, None, None]
        if not inner.has_plane:
            return compose_dense(weight, inner, source)
        return compose_conv(Conv(weight), inner, source)


@dataclass(frozen=True)
class Delayed:
    """Every term waits `steps`; who writes the terms down adds it to their delay."""

    steps: int
    result: Shape

    def behind(self, inner: Connection, source: Shape) -> Connection:
        return inner


Forms = Callable[[Node, Sequence[Node], Sequence[Shape]], Sequence[Form]]


def unchanged(node: Node, inputs: Sequence[Node], shapes: Sequence[Shape]) -> list[Form]:
    return [Same(shapes[0])]


def require_plane(source: Node, shape: Shape) -> None:
    """The node's rows, columns and channels are those of its value."""
    if tuple(source.step_shape[-3:]) != shape:
        raise NotComposable("rearranged rows, columns or channels")


def named_plane(source: Node, shape: Shape) -> Shape:
    """Channels, rows and columns as the node names them: its value's own, or features in a row."""
    seen = tuple(source.step_shape[-3:])
    if shape[1:] != (1, 1) or len(seen) != 3 or prod(seen) != shape[0]:
        require_plane(source, shape)
        return shape
    return (seen[0], seen[1], seen[2])


def of_named_plane(form: Kernel, shape: Shape) -> Form:
    """The kernel; on features in a row that are only named a plane, its matrix."""
    if form.before == shape:
        return form
    results = prod(form.result)
    if results * shape[0] > LARGEST_DENSE:
        raise NotComposable(f"a pool of features that would take {results * shape[0]:,} weights")
    each = np.eye(shape[0]).reshape(shape[0], *form.before)
    weight = form.conv.real_sums(each, form.conv.weight).reshape(shape[0], results)
    return Matrix(np.ascontiguousarray(weight.T).reshape(results, *shape))


def selected(
    rows: np.ndarray, total: int, source: Node, at: int, shape: Shape, *, flatten: bool = False
) -> Form:
    """The values of one feature dimension put at `rows` of `total` (-1: left out).

    at: which of the step's dimensions; the channels of a volume, or all features of a flat value,
    which moves by whole channels where it can, unless it shall be `flatten`ed.
    """
    flat, plane = len(source.step_shape) == 1, prod(shape[1:])
    if at or (not flat and (*source.step_shape, 1, 1)[:3] != shape):
        raise NotComposable("a part of the rows, columns or another dimension than the channels")
    if flat and not flatten:
        rows, total = _by_channel(rows, total, plane)
    matrix = np.zeros((total, len(rows)))
    matrix[rows[rows >= 0], np.flatnonzero(rows >= 0)] = 1.0
    if shape[0] == len(rows):
        return Channels(matrix, (total, *shape[1:]))
    if matrix.size > LARGEST_DENSE:
        raise NotComposable(f"a choice of features that would take {matrix.size:,} weights")
    return Matrix(matrix.reshape(total, *shape))


def _by_channel(rows: np.ndarray, total: int, plane: int) -> tuple[np.ndarray, int]:
    """The same choice of whole channels, or as it is where channels are torn apart."""
    first, place = rows[::plane], np.arange(plane)
    whole = np.where(first[:, None] < 0, -1, first[:, None] + place)
    torn = total % plane or np.any((first >= 0) & (first % plane != 0))
    if torn or not np.array_equal(whole.reshape(-1), rows):
        return rows, total
    return first // plane, total // plane  # -1 // plane is -1


def step_index(node: Node, index: int) -> int:
    """Which of the dimensions of one step a dimension is."""
    return len(replace(node, axes=node.axes[:index]).step_shape)


# constants and missing inputs


def adds_nothing(node: Node) -> Node:
    return node


def without_bias(node: Node) -> Node:
    if "bias" not in node.parameters:
        return node
    return replace(node, parameters={k: v for k, v in node.parameters.items() if k != "bias"})


def one_input(node: Node, values: Sequence[Node | None], inputs: Sequence[Node]) -> list[Node]:
    raise AssertionError(f"{node.name} has one input, which cannot be missing")
