"""Algebra of connections in real numbers: one kernel for two linear layers, exactly or not at all.

A conv behind a conv is one conv when the inner result, taken where the outer one pads with zeros,
would be zero as well.  At the top that is  inner_kernel <= inner_stride + inner_padding  (the
windows at index -1 and before see only the outside); at the bottom the same must hold for the
windows from index `rows` on.  Outer convs without padding compose always.
"""

from __future__ import annotations

from math import prod

import numpy as np

from snndeploy.connections.connection import Connection
from snndeploy.connections.conv import Conv
from snndeploy.connections.dense import Dense
from snndeploy.connections.product import NotComposable as NotComposable
from snndeploy.connections.product import kernel_product, spread
from snndeploy.connections.shape import Shape
from snndeploy.connections.transposed import Transposed
from snndeploy.connections.transposing import behind_transposed, transposed_adjoint
from snndeploy.tensors import convolve_transposed

# A composed dense layer larger than this is not built (weights).
LARGEST_DENSE = 50_000_000


def identity(channels: int) -> Conv:
    """Every spike goes to the neuron at its own place."""
    return Conv(np.ones((channels, 1, 1, 1)), groups=channels)


def average_pool(channels: int, kernel: tuple[int, int], stride: tuple[int, int]) -> Conv:
    weight = np.full((channels, 1, *kernel), 1.0 / prod(kernel))
    return Conv(weight, stride=stride, groups=channels)


def symmetric(
    weight: np.ndarray, padding: tuple[int, int, int, int], dilation: tuple[int, int]
) -> tuple[np.ndarray, tuple[int, int], tuple[int, int]]:
    """Kernel, symmetric padding and dilation that equal (top, bottom, left, right) padding.

    The side with less padding gets zero taps in the kernel instead, dilation written out.
    """
    top, bottom, left, right = padding
    if (top, left) != (bottom, right):
        weight, dilation = spread(weight, dilation), (1, 1)
        rows = (max(bottom - top, 0), max(top - bottom, 0))
        columns = (max(right - left, 0), max(left - right, 0))
        weight = np.pad(weight, ((0, 0), (0, 0), rows, columns))
    return weight, (max(top, bottom), max(left, right)), dilation


def scale_outputs(connection: Connection, factor: np.ndarray) -> Connection:
    """Every target channel times its factor (or one factor for all)."""
    factor = np.broadcast_to(np.asarray(factor, dtype=np.float64), connection.weight.shape[:1])
    each = factor.reshape(-1, *(1 for _ in connection.weight.shape[1:]))
    return connection.with_weight(connection.weight * each)


def is_identity(connection: Connection) -> bool:
    """Exactly the unit connection (weight one, in place)."""
    return _in_place(connection) and bool(np.all(connection.weight == 1.0))


def is_count(connection: Connection) -> bool:
    """Every spike counts some whole number of times, at its own place of the plane."""
    if not isinstance(connection, Conv) or connection.weight.shape[2:] != (1, 1):
        return False
    whole = np.all((connection.weight >= 0) & (connection.weight % 1 == 0))
    return bool(whole) and (connection.stride, connection.padding) == ((1, 1), (0, 0))


def _in_place(connection: Connection) -> bool:
    return connection.one_to_one(len(connection.weight))


def is_pooling(connection: Conv) -> bool:
    """A depthwise window sum that tiles the plane, with one factor a channel."""
    if connection.groups != connection.weight.shape[0]:
        return False
    kernel = connection.weight.shape[2:]
    uniform = np.all(connection.weight == connection.weight[:, :, :1, :1])
    return bool(
        connection.weight.shape[1] == 1
        and uniform
        and connection.padding == (0, 0)
        and connection.dilation == (1, 1)
        and tuple(connection.stride) == tuple(kernel)
    )


def sum_of(first: Connection, second: Connection) -> Connection | None:
    """One connection for the sum of two from the same source, or None."""
    same = type(first) is type(second) and first.weight.shape == second.weight.shape
    if not same or any(getattr(first, key) != getattr(second, key) for key in first.fields):
        return None
    return first.with_weight(first.weight + second.weight)


def compose_conv(outer: Conv, inner: Connection, source: Shape) -> Conv | Transposed:
    """outer . inner as one connection from `source`.

    Raises:
        NotComposable: when no single kernel computes the same.
    """
    if is_identity(inner):
        return outer
    match inner:
        case Conv():
            return _compose_convs(outer, inner, source)
        case Transposed():
            return behind_transposed(outer, inner)
        case Dense():
            raise NotComposable("a convolution behind a dense layer")
        case other:
            raise NotComposable(f"a convolution behind connection {other.kind!r}")


def _compose_convs(outer: Conv, inner: Conv, source: Shape) -> Conv:
    middle = inner.output_shape(source)
    for axis in (0, 1):
        _check_padding(outer, inner, source, middle, axis)
    weight, groups = kernel_product(outer, inner)
    stride = (outer.stride[0] * inner.stride[0], outer.stride[1] * inner.stride[1])
    padding = (
        inner.padding[0] + outer.padding[0] * inner.stride[0],
        inner.padding[1] + outer.padding[1] * inner.stride[1],
    )
    composed = Conv(weight, stride, padding, (1, 1), groups)
    if composed.output_shape(source) != outer.output_shape(middle):
        raise NotComposable("the composed kernel has another output size")
    return composed


def _check_padding(outer: Conv, inner: Conv, source: Shape, middle: Shape, axis: int) -> None:
    if outer.padding[axis] == 0:
        return
    reach = inner.dilation[axis] * (inner.weight.shape[2 + axis] - 1) + 1
    stride, pad = inner.stride[axis], inner.padding[axis]
    top = reach <= stride + pad
    bottom = middle[1 + axis] * stride - pad >= source[1 + axis]
    if not (top and bottom):
        raise NotComposable(
            "the outer layer pads with zeros where the inner one's result would not be zero"
        )


def compose_dense(weight: np.ndarray, inner: Connection, source: Shape) -> Dense:
    """A dense layer (targets, middle channels, rows, columns) behind `inner`, from `source`.

    Raises:
        NotComposable: when the result would be too large to store, or no dense layer.
    """
    match inner:
        case Dense():
            flat = weight.reshape(weight.shape[0], -1)
            return Dense(np.tensordot(flat, inner.weight, axes=(1, 0)), inner.pool)
        case Conv():
            return _dense_behind_conv(weight, inner, source)
        case Transposed():
            _require_small(weight, source)
            return Dense(transposed_adjoint(weight, inner))
        case other:
            raise NotComposable(f"a dense layer behind connection {other.kind!r}")


def _dense_behind_conv(weight: np.ndarray, inner: Conv, source: Shape) -> Dense:
    if is_pooling(inner):
        factor = inner.weight[:, 0, 0, 0]
        return Dense(weight * factor[None, :, None, None], inner.stride)
    _require_small(weight, source)
    return Dense(_adjoint(weight, inner, source))


def _require_small(weight: np.ndarray, source: Shape) -> None:
    size = weight.shape[0] * prod(source)
    if size > LARGEST_DENSE:
        raise NotComposable(f"the composed dense layer would have {size:,} weights")


def _adjoint(weight: np.ndarray, inner: Conv, source: Shape) -> np.ndarray:
    """weight . inner, by the transposed convolution."""
    shape = inner.output_shape(source)
    missing = [
        size - ((out - 1) * stride - 2 * pad + dilation * (kernel - 1) + 1)
        for size, out, stride, pad, dilation, kernel in zip(
            source[1:], shape[1:], inner.stride, inner.padding, inner.dilation,
            inner.weight.shape[2:], strict=True,
        )
    ]  # fmt: skip
    return convolve_transposed(
        weight, inner.weight, inner.stride, inner.padding, (missing[0], missing[1]),
        inner.dilation, inner.groups,
    )  # fmt: skip
