"""Algebra of transposed connections in real numbers: one kernel for two layers, or not at all.

Behind a transposed layer of stride s, whose position r writes tap t at s * r + t - p:

    conv (stride 1), tap u     reads  q + u - p'            at  s * r + (t - u) - (p - p')
    transposed (stride s'), u  writes s' * q + u - p'       at  s' * s * r + (s' * t + u) - ...

Both are transposed layers again where nothing was cut off that the outer one would have read.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from snndeploy.connections.connection import Connection
from snndeploy.connections.conv import Conv
from snndeploy.connections.product import NotComposable, kernel_product, spread
from snndeploy.connections.transposed import Transposed, sources_first
from snndeploy.tensors import convolve

Pair = tuple[int, int]


def upsampling(channels: int, factor: Pair) -> Transposed:
    """Every value repeated over a window of its own."""
    return Transposed(np.ones((channels, 1, *factor)), factor, groups=channels)


def behind_transposed(outer: Conv, inner: Transposed) -> Transposed:
    """
    Raises:
        NotComposable: when no single kernel computes the same.
    """
    if outer.stride != (1, 1):
        raise NotComposable("a convolution with a stride behind a transposed one")
    if any(pad and cut for pad, cut in zip(outer.padding, inner.padding, strict=True)):
        raise NotComposable(
            "the outer layer pads with zeros where the inner one's result is cut off"
        )
    flipped = np.ascontiguousarray(spread(outer.weight, outer.dilation)[:, :, ::-1, ::-1])
    weight, groups = kernel_product(
        Conv(flipped, groups=outer.groups), Conv(inner.weight, groups=inner.groups)
    )
    cut = [
        had + reach - 1 - pad
        for had, reach, pad in zip(inner.padding, flipped.shape[2:], outer.padding, strict=True)
    ]
    return _with_cut(weight, inner.stride, (cut[0], cut[1]), inner.extra, groups)


def compose_transposed(outer: Transposed, inner: Connection) -> Transposed:
    """outer . inner.

    Raises:
        NotComposable: when no single kernel computes the same.
    """
    match inner:
        case Conv() if _of_each_position(inner):
            weight, groups = kernel_product(
                Conv(outer.weight, groups=outer.groups), Conv(inner.weight, groups=inner.groups)
            )
            return replace(outer, weight=weight, groups=groups)
        case Transposed():
            return _transposed_twice(outer, inner)
        case Conv():
            raise NotComposable("a transposed convolution behind one that reads several positions")
        case other:
            raise NotComposable(f"a transposed convolution behind connection {other.kind!r}")


def _of_each_position(conv: Conv) -> bool:
    return conv.weight.shape[2:] == conv.stride == (1, 1) and conv.padding == (0, 0)


def _transposed_twice(outer: Transposed, inner: Transposed) -> Transposed:
    if any(inner.padding):
        raise NotComposable("a transposed convolution behind one whose result is cut off")
    weight, groups = kernel_product(
        Conv(outer.weight, groups=outer.groups),
        Conv(spread(inner.weight, outer.stride), groups=inner.groups),
    )
    stride = (outer.stride[0] * inner.stride[0], outer.stride[1] * inner.stride[1])
    extra = (
        inner.extra[0] * outer.stride[0] + outer.extra[0],
        inner.extra[1] * outer.stride[1] + outer.extra[1],
    )
    return _with_cut(weight, stride, outer.padding, extra, groups)


def _with_cut(weight: np.ndarray, stride: Pair, cut: Pair, extra: Pair, groups: int) -> Transposed:
    """Rows or columns added (a cut below 0) are zero taps around the kernel."""
    rows, columns = (max(-amount, 0) for amount in cut)
    weight = np.pad(weight, ((0, 0), (0, 0), (rows, rows), (columns, columns)))
    return Transposed(weight, stride, (cut[0] + rows, cut[1] + columns), extra, groups)


def transposed_adjoint(weight: np.ndarray, inner: Transposed) -> np.ndarray:
    """A dense weight (targets, channels, rows, columns) . inner."""
    kernel = sources_first(inner.weight, inner.groups)
    return convolve(weight, kernel, inner.stride, inner.padding, (1, 1), inner.groups)
