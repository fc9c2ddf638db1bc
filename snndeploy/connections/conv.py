"""conv: a kernel that every position shares."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from math import prod
from typing import ClassVar

import numpy as np

from snndeploy.connections.connection import Connection, Taps
from snndeploy.connections.shape import Shape


@dataclass(frozen=True, eq=False)
class Conv(Connection):
    """Shared-kernel connection: cross-correlation as in torch `conv2d`, zero padding.

    weight: (out_channels, in_channels / groups, kernel_h, kernel_w).
    """

    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1

    kind = "conv"
    fields: ClassVar = {"stride": (2, 1), "padding": (2, 0), "dilation": (2, 1), "groups": (0, 1)}
    sparse = True
    has_plane = True
    shared_by_position = True

    def output_shape(self, source: Shape) -> Shape:
        rows, columns = (
            (source[1 + axis] + 2 * pad - dilation * (kernel - 1) - 1) // stride + 1
            for axis, (kernel, stride, pad, dilation) in enumerate(self._axes())
        )
        return (self.weight.shape[0], rows, columns)

    def _axes(self) -> Iterator[tuple[int, int, int, int]]:
        """Kernel, stride, padding and dilation of each axis."""
        return zip(self.weight.shape[2:], self.stride, self.padding, self.dilation, strict=True)

    def fault(self, source: Shape) -> str:
        if self.weight.ndim != 4:
            return "has a weight that has not four dimensions"
        if self.weight.shape[0] % self.groups:
            return "does not share its channels among its groups"
        found, expected = (self.weight.shape[1] * self.groups,), source[:1]
        return "" if found == expected else f"reads {found}, its source has {expected}"

    def sums(self, payload: np.ndarray) -> np.ndarray:
        weight, payload = self.weight.astype(np.int64), payload.astype(np.int64)
        channels, heights, widths = self.output_shape(payload.shape[1:])
        (pad_y, pad_x), groups = self.padding, self.groups
        padded = np.pad(payload, ((0, 0), (0, 0), (pad_y, pad_y), (pad_x, pad_x)))
        inputs_each, outputs_each = payload.shape[1] // groups, channels // groups
        sums = np.zeros((payload.shape[0], channels, heights, widths), dtype=np.int64)
        for group in range(groups):
            outputs = slice(group * outputs_each, (group + 1) * outputs_each)
            inputs = padded[:, group * inputs_each : (group + 1) * inputs_each]
            for row in range(weight.shape[2]):
                for column in range(weight.shape[3]):
                    top, left = row * self.dilation[0], column * self.dilation[1]
                    seen = inputs[
                        :,
                        :,
                        top : top + (heights - 1) * self.stride[0] + 1 : self.stride[0],
                        left : left + (widths - 1) * self.stride[1] + 1 : self.stride[1],
                    ]
                    taps = weight[outputs, :, row, column]
                    sums[:, outputs] += np.einsum("oi,siyx->soyx", taps, seen)
        return sums

    def real_sums(self, payload: np.ndarray, weight: np.ndarray) -> np.ndarray:
        from snndeploy.tensors import convolve  # torch, which most users of a connection do without

        return convolve(payload, weight, self.stride, self.padding, self.dilation, self.groups)

    def multiplications(self, source: Shape) -> int:
        return self.weight.size * source[1] * source[2]

    def with_weight(self, weight: np.ndarray, groups: int | None = None) -> Conv:
        return replace(self, weight=weight, groups=self.groups if groups is None else groups)

    def axis_table(self, source: Shape, axis: int) -> np.ndarray:
        kernel, stride, padding, dilation = list(self._axes())[axis]
        return window_table(source[1 + axis], kernel, stride, padding, dilation)

    def taps(self, source: Shape, axis: int) -> Taps:
        kernel, stride, padding, dilation = list(self._axes())[axis]
        place = np.arange(source[1 + axis]) + padding - np.arange(kernel)[:, None] * dilation
        target, beside = np.divmod(place, stride)
        tap, position = np.nonzero((beside == 0) & (target >= 0))
        return tap, position, target[tap, position]

    @property
    def tap_weight(self) -> np.ndarray:
        return self.weight

    @property
    def shared_lists(self) -> tuple[int, int]:
        """A list is found by the channel and the kernel's offset, and holds the whole kernel."""
        return 1, prod(self.weight.shape[2:])

    def one_to_one(self, channels: int) -> bool:
        return (
            self.weight.shape == (channels, 1, 1, 1)
            and self.groups == channels
            and self.stride == (1, 1)
            and self.padding == (0, 0)
        )

    def neuron_sums(self, values: np.ndarray) -> np.ndarray:
        sums: np.ndarray = values.reshape(len(values), -1).sum(axis=1)
        return sums

    def tap_sums(self, source: Shape, taps: np.ndarray) -> np.ndarray:
        inside = [
            _inside(size, outputs, *axis)
            for size, outputs, axis in zip(
                source[1:], self.output_shape(source)[1:], self._axes(), strict=True
            )
        ]
        sums: np.ndarray = np.einsum("yk,okl,xl->oyx", inside[0], taps, inside[1], optimize=True)
        return sums


def _inside(
    size: int, outputs: int, kernel: int, stride: int, padding: int, dilation: int
) -> np.ndarray:
    """1 where an output's tap reads the source, int64 (outputs, kernel)."""
    at = np.arange(outputs)[:, None] * stride + np.arange(kernel)[None] * dilation - padding
    return ((at >= 0) & (at < size)).astype(np.int64)


@lru_cache(maxsize=4096)
def window_table(size: int, kernel: int, stride: int, padding: int, dilation: int) -> np.ndarray:
    """`axis_table` of sliding windows over `size` positions, read-only."""
    outputs = (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1
    taps = np.arange(outputs)[:, None] * stride + np.arange(kernel) * dilation - padding
    read = np.zeros((outputs + 1, size), dtype=np.int32)
    row, tap = np.nonzero((taps >= 0) & (taps < size))
    np.add.at(read, (row + 1, taps[row, tap]), 1)
    table = np.cumsum(read, axis=0, dtype=np.int32)
    table.setflags(write=False)
    return table
