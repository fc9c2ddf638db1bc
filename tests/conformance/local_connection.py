"""local: a toy connection, like a convolution whose positions have weights of their own.

Everything that the compiler asks of a connection is in this file; the list `CONNECTIONS` is the
other place, and only the test adds it there.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from snndeploy.connections import Connection, Shape


@dataclass(frozen=True, eq=False)
class Local(Connection):
    """Target neuron (o, y, x) reads the window at (y, x) * stride, without padding.

    weight: (targets, channels, kernel_h, kernel_w, rows, columns).
    """

    stride: int = 1

    kind = "local"
    fields: ClassVar = {"stride": (0, 1)}
    groups = 1
    shared_by_position = False
    shared_lists = None
    sparse = True
    has_plane = True

    def output_shape(self, source: Shape) -> Shape:
        rows, columns = (
            (size - kernel) // self.stride + 1
            for size, kernel in zip(source[1:], self.weight.shape[2:4], strict=True)
        )
        return (self.weight.shape[0], rows, columns)

    def fault(self, source: Shape) -> str:
        if self.weight.ndim != 6:
            return "has a weight that has not six dimensions"
        found = (self.weight.shape[1], *self.weight.shape[4:])
        expected = (source[0], *self.output_shape(source)[1:])
        return "" if found == expected else f"reads {found}, its source has {expected}"

    def sums(self, payload: np.ndarray) -> np.ndarray:
        return self._sums(payload.astype(np.int64), self.weight.astype(np.int64))

    def real_sums(self, payload: np.ndarray, weight: np.ndarray) -> np.ndarray:
        return self._sums(payload, weight)

    def _sums(self, payload: np.ndarray, weight: np.ndarray) -> np.ndarray:
        rows, columns = weight.shape[4:]
        sums = np.zeros((len(payload), len(weight), rows, columns), dtype=payload.dtype)
        for row, column in np.ndindex(weight.shape[2:4]):
            seen = payload[:, :, row :: self.stride, column :: self.stride][..., :rows, :columns]
            sums += np.einsum("oiyx,siyx->soyx", weight[:, :, row, column], seen)
        return sums

    def multiplications(self, source: Shape) -> int:
        return self.weight.size

    def with_weight(self, weight: np.ndarray, groups: int | None = None) -> Local:
        assert groups in (None, 1)
        return replace(self, weight=weight)

    def axis_table(self, source: Shape, axis: int) -> np.ndarray:
        table = np.zeros((self.weight.shape[4 + axis] + 1, source[1 + axis]), dtype=np.int32)
        for place in range(len(table) - 1):
            first = place * self.stride
            table[place + 1 :, first : first + self.weight.shape[2 + axis]] += 1
        return table

    def taps(self, source: Shape, axis: int):
        """A tap is a place of the kernel at one target position."""
        kernel, places = self.weight.shape[2 + axis], self.weight.shape[4 + axis]
        row, target = np.divmod(np.arange(kernel * places), places)
        return np.arange(kernel * places), target * self.stride + row, target

    @property
    def tap_weight(self) -> np.ndarray:
        outputs, channels, *kernel, rows, columns = self.weight.shape
        size = (outputs, channels, kernel[0] * rows, kernel[1] * columns)
        return self.weight.transpose(0, 1, 2, 4, 3, 5).reshape(size)

    def one_to_one(self, channels: int) -> bool:
        return self.weight.shape[:4] == (channels, 1, 1, 1) == (1, 1, 1, 1) and self.stride == 1

    def neuron_sums(self, values: np.ndarray) -> np.ndarray:
        return values.sum(axis=(1, 2, 3)).max(axis=(1, 2), initial=0)

    def tap_sums(self, source: Shape, taps: np.ndarray) -> np.ndarray:
        return taps.sum(axis=(1, 2))


def taps_of_local(local: Local, source: Shape, target: Shape):
    """For `brute_force.TAPS`."""
    for o, y, x in np.ndindex(target):
        for i, row, column in np.ndindex(local.weight.shape[1:4]):
            neuron = (i, y * local.stride + row, x * local.stride + column)
            yield neuron, (o, y, x), (o, i, row, column, y, x)
