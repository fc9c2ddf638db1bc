"""The kernel of two convolutions in a row, and dilation written out."""

from __future__ import annotations

from collections.abc import Callable
from math import gcd

import numpy as np

from snndeploy.connections.conv import Conv


class NotComposable(Exception):
    """Two layers have no common kernel; the text says why."""


def spread(weight: np.ndarray, dilation: tuple[int, int]) -> np.ndarray:
    """The kernel with its dilation written out as zero taps."""
    if dilation == (1, 1):
        return weight
    outputs, inputs, rows, columns = weight.shape
    shape = ((rows - 1) * dilation[0] + 1, (columns - 1) * dilation[1] + 1)
    wide = np.zeros((outputs, inputs, *shape))
    wide[:, :, :: dilation[0], :: dilation[1]] = weight
    return wide


def kernel_product(outer: Conv, inner: Conv) -> tuple[np.ndarray, int]:
    """K[o, i, a*s + u, b*s + v] = sum over m of outer[o, m, a, b] * inner[m, i, u, v], groups."""
    first, second = spread(outer.weight, outer.dilation), spread(inner.weight, inner.dilation)
    if _is_depthwise(inner):
        each = np.arange(len(first)) // (len(first) // outer.groups) * first.shape[1]
        middle = each[:, None] + np.arange(first.shape[1])  # middle channel of (o, i)
        return _overlay(first, second[:, 0][middle], inner.stride, _each_pair), outer.groups
    if _is_depthwise(outer):
        return _overlay(first, second, inner.stride, _each_output), inner.groups
    groups = gcd(outer.groups, inner.groups)
    first, second = (
        _regrouped(first, outer.groups, groups),
        _regrouped(second, inner.groups, groups),
    )
    parts = [_overlay(f, s, inner.stride, _all_middle) for f, s in zip(first, second, strict=True)]
    return np.concatenate(parts), groups


def _is_depthwise(conv: Conv) -> bool:
    return conv.groups == conv.weight.shape[0] and conv.weight.shape[1] == 1


def _each_pair(tap: np.ndarray, kernels: np.ndarray) -> np.ndarray:
    return tap[:, :, None, None] * kernels


def _each_output(tap: np.ndarray, kernels: np.ndarray) -> np.ndarray:
    return tap[:, :1, None, None] * kernels


def _all_middle(tap: np.ndarray, kernels: np.ndarray) -> np.ndarray:
    product = tap @ kernels.reshape(len(kernels), -1)
    return product.reshape(len(tap), *kernels.shape[1:])


def _overlay(
    outer: np.ndarray,
    inner: np.ndarray,
    stride: tuple[int, int],
    times: Callable[[np.ndarray, np.ndarray], np.ndarray],
) -> np.ndarray:
    """Sum over the taps of `outer` of (tap times `inner`), each at the tap's place times stride."""
    taps, (rows, columns) = outer.shape[2:], inner.shape[2:]
    weight: np.ndarray | None = None
    for a in range(taps[0]):
        for b in range(taps[1]):
            product = times(outer[:, :, a, b], inner)
            if weight is None:
                shape = ((taps[0] - 1) * stride[0] + rows, (taps[1] - 1) * stride[1] + columns)
                weight = np.zeros((*product.shape[:2], *shape))
            top, left = a * stride[0], b * stride[1]
            weight[:, :, top : top + rows, left : left + columns] += product
    assert weight is not None
    return weight


def _regrouped(weight: np.ndarray, groups: int, fewer: int) -> np.ndarray:
    """A grouped kernel as one kernel a group, of fewer groups: the finer ones are zero blocks."""
    outputs, inputs, *taps = weight.shape
    each = groups // fewer
    parts = weight.reshape(fewer, each, outputs // groups, inputs, *taps)
    blocks = np.zeros((fewer, each, outputs // groups, each, inputs, *taps))
    for index in range(each):
        blocks[:, index, :, index] = parts[:, index]
    return blocks.reshape(fewer, outputs // fewer, each * inputs, *taps)
