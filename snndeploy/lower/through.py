"""A connection with one more linear operation behind it: what `lower` does to every term."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from snndeploy.connections import Connection, Conv, Shape
from snndeploy.connections.algebra import (
    LARGEST_DENSE,
    NotComposable,
    average_pool,
    compose_conv,
    compose_dense,
    scale_outputs,
    symmetric,
)
from snndeploy.graph import Node


class Operation:
    """A linear node of the graph, applied to connections that end in values of `shape`.

    result: shape of its values, (channels, rows, columns).

    Raises:
        NotComposable: an operation that no connection can stand for.
    """

    def __init__(self, node: Node, source: Node, shape: Shape) -> None:
        self.node, self.shape = node, shape
        self.outer: Conv | None = None
        self.dense: np.ndarray | None = None
        self.factor: np.ndarray | None = None
        self.result = shape
        self.made: dict[tuple[int, Shape], Connection] = {}
        prepare = getattr(self, f"_{node.op}", None)
        if prepare is None:
            raise NotComposable(f"operation {node.op}")
        prepare(source)

    def behind(self, inner: Connection, source: Shape) -> Connection:
        """The operation behind `inner`, a connection from a population of shape `source`.

        One kernel that several populations share stays one.
        """
        key = (id(inner), source)
        if key not in self.made:
            self.made[key] = self._made(inner, source)
        return self.made[key]

    def _made(self, inner: Connection, source: Shape) -> Connection:
        if self.outer is not None:
            return compose_conv(self.outer, inner, source)
        if self.dense is not None:
            return compose_dense(self.dense, inner, source)
        return inner if self.factor is None else scale_outputs(inner, self.factor)

    def _conv(self, source: Node) -> None:
        self._plane(source)
        attributes = self.node.attributes
        weight, padding, dilation = symmetric(
            np.asarray(self.node.parameters["weight"], dtype=np.float64),
            tuple(attributes["padding"]),
            pair(attributes["dilation"]),
        )
        self._convolve(
            Conv(weight, pair(attributes["stride"]), padding, dilation, int(attributes["groups"]))
        )

    def _convolve(self, outer: Conv) -> None:
        self.outer, self.result = outer, outer.output_shape(self.shape)

    def _linear(self, source: Node) -> None:
        weight = np.asarray(self.node.parameters["weight"], dtype=np.float64)
        if weight.shape[1] != int(np.prod(self.shape)):
            raise NotComposable("a linear layer that reads a part of its input at a time")
        self.dense = weight.reshape(weight.shape[0], *self.shape)
        self.result = (weight.shape[0], 1, 1)

    def _norm(self, source: Node) -> None:
        scale = np.asarray(self.node.parameters["scale"])
        if scale.size != self.shape[0]:
            raise NotComposable("a norm over other dimensions than the channels")
        self.factor = scale

    def _scale(self, source: Node) -> None:
        self.factor = np.asarray(self.node.attributes["factor"])

    def _avg_pool(self, source: Node) -> None:
        self._plane(source)
        attributes = self.node.attributes
        pool = average_pool(self.shape[0], pair(attributes["kernel"]), pair(attributes["stride"]))
        self._convolve(pool)

    def _mean(self, source: Node) -> None:
        """Over the plane or groups of features; a mean over time is left to the readout."""
        self._reduce(source, mean=True)

    def _sum(self, source: Node) -> None:
        self._reduce(source, mean=False)

    def _reduce(self, source: Node, *, mean: bool) -> None:
        size = self._reduced(source)
        if size == 1:
            return
        channels, rows, columns = self.shape
        if size == rows * columns:
            window = average_pool(channels, (rows, columns), (rows, columns))
            if not mean:
                window = Conv(np.ones_like(window.weight), window.stride, groups=channels)
            self._convolve(window)
            return
        features = channels * rows * columns
        groups = np.eye(features // size).repeat(size, axis=1) / (size if mean else 1)
        self.dense = groups.reshape(-1, *self.shape)
        self.result = (features // size, 1, 1)

    def _reduced(self, source: Node) -> int:
        """How many neighbouring features become one; 1 for a reduction over time alone."""
        reduced = set(self.node.attributes["dimensions"])
        sizes = [
            (index in reduced, size)
            for index, dimension in enumerate(source.axes)
            for label, size in dimension
            if label == "feature" and size > 1
        ]
        gone = [size for hidden, size in sizes if hidden]
        size, features = int(np.prod(gone, dtype=np.int64)), int(np.prod(self.shape))
        plane = size == self.shape[1] * self.shape[2]
        last = all(hidden for hidden, _ in sizes[len(sizes) - len(gone) :])
        if last and (plane or features // size * features <= LARGEST_DENSE):
            return size
        raise NotComposable("a reduction over other dimensions than time, or rows and columns")

    def _view(self, source: Node) -> None:
        """Views may flatten channels, rows and columns, and undo that."""
        shape = self.node.step_shape
        flat = len(shape) < 3
        if not flat and tuple(shape[-3:]) != self.shape:
            raise NotComposable(f"a view from {self.shape} to {tuple(shape)}")

    def _permute(self, source: Node) -> None:
        """Permutations may move time and batch, not features."""
        order = [i for i in self.node.attributes["order"] if _is_feature(source, i)]
        if order != sorted(order):
            raise NotComposable("a change of the order of channels, rows or columns")

    def _plane(self, source: Node) -> None:
        if tuple(source.step_shape[-3:]) != self.shape:
            raise NotComposable("rearranged rows, columns or channels")


def _is_feature(node: Node, index: int) -> bool:
    return any(label == "feature" for label, _ in node.axes[index])


def pair(values: Sequence[int]) -> tuple[int, int]:
    """Two integers of an attribute."""
    return int(values[0]), int(values[1])
