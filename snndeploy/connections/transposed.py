"""transposed: every source position writes a kernel into the plane; the adjoint of a convolution.

    y[o, q] = sum over i, r of weight[o, i, q + padding - stride * r] * x[i, r]

q, r and the taps are (row, column) pairs; taps outside the kernel are none.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from math import prod
from typing import ClassVar

import numpy as np

from snndeploy.connections.connection import Connection, Taps
from snndeploy.connections.conv import Conv
from snndeploy.connections.shape import Shape


@dataclass(frozen=True, eq=False)
class Transposed(Connection):
    """Shared-kernel connection as torch `conv_transpose2d`, its kernel with the targets first.

    weight: (out_channels, in_channels / groups, kernel_h, kernel_w).  padding: rows and columns cut
    off on each side; extra: added behind, less than the stride.
    """

    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)
    extra: tuple[int, int] = (0, 0)
    groups: int = 1

    kind = "transposed"
    fields: ClassVar = {"stride": (2, 1), "padding": (2, 0), "extra": (2, 0), "groups": (0, 1)}
    sparse = True
    has_plane = True
    shared_by_position = True

    def output_shape(self, source: Shape) -> Shape:
        rows, columns = (
            (source[1 + axis] - 1) * stride + kernel + extra - 2 * pad
            for axis, (kernel, stride, pad, extra) in enumerate(self._axes())
        )
        return (self.weight.shape[0], rows, columns)

    def _axes(self) -> Iterator[tuple[int, int, int, int]]:
        """Kernel, stride, padding and extra of each axis."""
        return zip(self.weight.shape[2:], self.stride, self.padding, self.extra, strict=True)

    def fault(self, source: Shape) -> str:
        if self.weight.ndim != 4:
            return "has a weight that has not four dimensions"
        if self.weight.shape[0] % self.groups:
            return "does not share its channels among its groups"
        for kernel, stride, pad, extra in self._axes():
            if pad >= kernel or extra >= stride:
                return f"cuts off {pad} of a kernel of {kernel}, or adds {extra} at stride {stride}"
        found, expected = (self.weight.shape[1] * self.groups,), source[:1]
        return "" if found == expected else f"reads {found}, its source has {expected}"

    def sums(self, payload: np.ndarray) -> np.ndarray:
        weight, payload = self.weight.astype(np.int64), payload.astype(np.int64)
        samples, inputs, *plane = payload.shape
        size = [(n - 1) * s + k + e for n, (k, s, _, e) in zip(plane, self._axes(), strict=True)]
        sums = np.zeros((samples, len(weight), *size), dtype=np.int64)
        outputs_each, inputs_each = len(weight) // self.groups, inputs // self.groups
        (high, wide), (rows, columns) = self.stride, plane
        for group in range(self.groups):
            outputs = slice(group * outputs_each, (group + 1) * outputs_each)
            read = payload[:, group * inputs_each : (group + 1) * inputs_each]
            for top, left in np.ndindex(weight.shape[2:]):
                written = sums[
                    :,
                    outputs,
                    top : top + (rows - 1) * high + 1 : high,
                    left : left + (columns - 1) * wide + 1 : wide,
                ]
                written += np.einsum("oi,siyx->soyx", weight[outputs, :, top, left], read)
        pad_y, pad_x = self.padding
        return sums[:, :, pad_y : size[0] - pad_y, pad_x : size[1] - pad_x]

    def real_sums(self, payload: np.ndarray, weight: np.ndarray) -> np.ndarray:
        from snndeploy.tensors import convolve_transposed  # torch, which most users do without

        return convolve_transposed(
            payload, sources_first(weight, self.groups), self.stride, self.padding, self.extra,
            (1, 1), self.groups,
        )  # fmt: skip

    def multiplications(self, source: Shape) -> int:
        return self.weight.size * source[1] * source[2]

    def with_weight(self, weight: np.ndarray, groups: int | None = None) -> Transposed:
        return replace(self, weight=weight, groups=self.groups if groups is None else groups)

    def as_conv(self) -> Conv:
        """The convolution that computes the same of `spread_out` payloads."""
        flipped = np.ascontiguousarray(self.weight[:, :, ::-1, ::-1])
        rows, columns = (kernel - 1 - pad for kernel, _, pad, _ in self._axes())
        return Conv(flipped, padding=(rows, columns), groups=self.groups)

    def spread_out(self, source: Shape) -> Shape:
        """The source with stride - 1 zeros between its rows and columns, and `extra` behind."""
        rows, columns = (
            (size - 1) * stride + 1 + extra
            for size, (_, stride, _, extra) in zip(source[1:], self._axes(), strict=True)
        )
        return (source[0], rows, columns)

    def axis_table(self, source: Shape, axis: int) -> np.ndarray:
        return _written_table(source[1 + axis], *list(self._axes())[axis])

    def taps(self, source: Shape, axis: int) -> Taps:
        kernel, stride, padding, _ = list(self._axes())[axis]
        size, targets = source[1 + axis], self.output_shape(source)[1 + axis]
        target = np.arange(size) * stride + np.arange(kernel)[:, None] - padding
        tap, position = np.nonzero((target >= 0) & (target < targets))
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
        """A neuron reads every stride-th tap, from where its place begins."""
        high, wide = self.stride
        each = [
            values[:, :, row::high, column::wide].sum(axis=(1, 2, 3))
            for row in range(min(high, values.shape[2]))
            for column in range(min(wide, values.shape[3]))
        ]
        most: np.ndarray = np.max(each, axis=0)
        return most

    def tap_sums(self, source: Shape, taps: np.ndarray) -> np.ndarray:
        read = [_read(size, *axis) for size, axis in zip(source[1:], self._axes(), strict=True)]
        sums: np.ndarray = np.einsum("yk,okl,xl->oyx", read[0], taps, read[1], optimize=True)
        return sums


def sources_first(weight: np.ndarray, groups: int) -> np.ndarray:
    """Torch's layout of a transposed kernel from ours, or ours from torch's: of each group, the
    first two dimensions change places."""
    first, second, *taps = weight.shape
    each = weight.reshape(groups, first // groups, second, *taps).swapaxes(1, 2)
    return np.ascontiguousarray(each.reshape(groups * second, first // groups, *taps))


def _read(size: int, kernel: int, stride: int, padding: int, extra: int) -> np.ndarray:
    """1 where a target position reads the source through a tap, int64 (targets, kernel)."""
    targets = (size - 1) * stride + kernel + extra - 2 * padding
    place = np.arange(targets)[:, None] + padding - np.arange(kernel)
    source, beside = np.divmod(place, stride)
    return ((beside == 0) & (source >= 0) & (source < size)).astype(np.int64)


@lru_cache(maxsize=4096)
def _written_table(size: int, kernel: int, stride: int, padding: int, extra: int) -> np.ndarray:
    """`axis_table` of kernels written at every stride-th position, read-only."""
    targets = (size - 1) * stride + kernel + extra - 2 * padding
    tap = np.arange(targets)[:, None] + padding - np.arange(size) * stride
    table = np.zeros((targets + 1, size), dtype=np.int32)
    np.cumsum((tap >= 0) & (tap < kernel), axis=0, out=table[1:])
    table.setflags(write=False)
    return table
