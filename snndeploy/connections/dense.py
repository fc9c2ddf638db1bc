"""dense: all-to-all, shared over pooling windows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from math import prod
from typing import ClassVar

import numpy as np

from snndeploy.connections.connection import Connection, Taps
from snndeploy.connections.shape import Shape


@dataclass(frozen=True, eq=False)
class Dense(Connection):
    """All-to-all connection, optionally shared over `pool` windows of the source plane.

    weight: (targets, channels, height // pool_h, width // pool_w).  The source neuron (c, y, x)
    uses column (c, y // pool_h, x // pool_w): sum pooling followed by a dense layer, without
    expanding it.  pool == (height, width) is a global sum.  Rows and columns past the last whole
    window connect to nothing.
    """

    pool: tuple[int, int] = (1, 1)

    kind = "dense"
    fields: ClassVar = {"pool": (2, 1)}
    groups = 1
    sparse = False
    has_plane = False

    def output_shape(self, source: Shape) -> Shape:
        return (self.weight.shape[0], 1, 1)

    def fault(self, source: Shape) -> str:
        if self.weight.ndim != 4:
            return "has a weight that has not four dimensions"
        expected = (source[0], source[1] // self.pool[0], source[2] // self.pool[1])
        found = self.weight.shape[1:]
        return "" if found == expected else f"reads {found}, its source has {expected}"

    def sums(self, payload: np.ndarray) -> np.ndarray:
        weight = self.weight.astype(np.int64)
        expanded = weight.repeat(self.pool[0], axis=2).repeat(self.pool[1], axis=3)
        rows, columns = expanded.shape[2:]
        read = payload[:, :, :rows, :columns].astype(np.int64)
        return np.einsum("ocyx,scyx->so", expanded, read)[:, :, None, None]

    def real_sums(self, payload: np.ndarray, weight: np.ndarray) -> np.ndarray:
        count, channels, *_ = payload.shape
        rows, columns = self.weight.shape[2:]
        high, wide = self.pool
        whole = payload[:, :, : rows * high, : columns * wide]
        windows = whole.reshape(count, channels, rows, high, columns, wide)
        pooled = windows.sum(axis=(3, 5)).reshape(count, -1)
        sums: np.ndarray = pooled @ weight.reshape(len(weight), -1).T
        return sums

    def multiplications(self, source: Shape) -> int:
        return self.weight.size

    def with_weight(self, weight: np.ndarray, groups: int | None = None) -> Dense:
        assert groups in (None, 1), "a dense layer has no groups"
        return replace(self, weight=weight)

    def axis_table(self, source: Shape, axis: int) -> np.ndarray:
        return _covered_table(source[1 + axis], self.weight.shape[2 + axis] * self.pool[axis])

    def taps(self, source: Shape, axis: int) -> Taps:
        """A window is a tap, and all of its positions lead to the one place there is."""
        position = np.arange(self.weight.shape[2 + axis] * self.pool[axis])
        return position // self.pool[axis], position, np.zeros_like(position)

    @property
    def tap_weight(self) -> np.ndarray:
        return self.weight

    @property
    def shared_by_position(self) -> bool:
        """A pooled layer repeats its weights over a window; a plain one has weights of its own for
        each source neuron."""
        return self.pool != (1, 1)

    @property
    def shared_lists(self) -> tuple[int, int]:
        """One list for each column of the matrix."""
        return prod(self.weight.shape[2:]), 1

    def one_to_one(self, channels: int) -> bool:
        return False

    def neuron_sums(self, values: np.ndarray) -> np.ndarray:
        """A weight counts for every neuron of its window."""
        sums: np.ndarray = (values.reshape(len(values), -1) * prod(self.pool)).sum(axis=1)
        return sums

    def tap_sums(self, source: Shape, taps: np.ndarray) -> np.ndarray:
        sums: np.ndarray = taps.sum(axis=(1, 2), keepdims=True) * prod(self.pool)
        return sums


@lru_cache(maxsize=4096)
def _covered_table(size: int, covered: int) -> np.ndarray:
    table = np.zeros((2, size), dtype=np.int32)
    table[1, :covered] = 1
    table.setflags(write=False)
    return table
