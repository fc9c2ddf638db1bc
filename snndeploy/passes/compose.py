"""Algebra of connections in real numbers: one kernel for two linear layers, exactly or not at all.

A conv behind a conv is one conv when the inner result, taken where the outer one pads with zeros,
would be zero as well.  At the top that is  inner_kernel <= inner_stride + inner_padding  (the
windows at index -1 and before see only the outside); at the bottom the same must hold for the
windows from index `rows` on.  Outer convs without padding compose always.
"""

from __future__ import annotations

from math import prod

import numpy as np
import torch

from snndeploy.network import Connection, Conv, Dense, Shape

# A composed dense layer larger than this is not built (weights).
LARGEST_DENSE = 50_000_000


class NotComposable(Exception):
    """Two layers have no common kernel; the text says why."""


def identity(channels: int) -> Conv:
    """Every spike goes to the neuron at its own place."""
    return Conv(np.ones((channels, 1, 1, 1)), groups=channels)


def average_pool(channels: int, kernel: tuple[int, int], stride: tuple[int, int]) -> Conv:
    weight = np.full((channels, 1, *kernel), 1.0 / prod(kernel))
    return Conv(weight, stride=stride, groups=channels)


def symmetric(weight: np.ndarray, padding: tuple[int, int, int, int]) -> tuple[np.ndarray, tuple[int, int]]:
    """Kernel and symmetric padding that equal (top, bottom, left, right) padding.

    The side with less padding gets zero taps in the kernel instead.
    """
    top, bottom, left, right = padding
    rows = (max(bottom - top, 0), max(top - bottom, 0))
    columns = (max(right - left, 0), max(left - right, 0))
    if any((*rows, *columns)):
        weight = np.pad(weight, ((0, 0), (0, 0), rows, columns))
    return weight, (max(top, bottom), max(left, right))


def scale_outputs(connection: Connection, factor: np.ndarray) -> Connection:
    """Every target channel times its factor (or one factor for all)."""
    factor = np.broadcast_to(np.asarray(factor, dtype=np.float64), connection.weight.shape[:1])
    weight = connection.weight * factor[:, None, None, None]
    if isinstance(connection, Dense):
        return Dense(weight, connection.pool)
    return _conv(weight, connection)


def _conv(weight: np.ndarray, like: Conv) -> Conv:
    return Conv(weight, like.stride, like.padding, like.dilation, like.groups)


def is_identity(connection: Connection) -> bool:
    """Exactly the unit connection (weight one, in place)."""
    return is_pooling(connection) and connection.weight.shape[2:] == (1, 1) and bool(
        np.all(connection.weight == 1.0)
    )


def is_pooling(connection: Connection) -> bool:
    """A depthwise window sum that tiles the plane, with one factor a channel."""
    if not isinstance(connection, Conv) or connection.groups != connection.weight.shape[0]:
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
    if isinstance(first, Dense) and isinstance(second, Dense):
        if first.pool == second.pool and first.weight.shape == second.weight.shape:
            return Dense(first.weight + second.weight, first.pool)
        return None
    if isinstance(first, Conv) and isinstance(second, Conv):
        same = (first.stride, first.padding, first.dilation, first.groups) == (
            second.stride, second.padding, second.dilation, second.groups,
        )  # fmt: skip
        if same and first.weight.shape == second.weight.shape:
            return _conv(first.weight + second.weight, first)
    return None


def compose_conv(outer: Conv, inner: Connection, source: Shape) -> Conv:
    """outer . inner as one conv from `source`.

    Raises:
        NotComposable: when no single kernel computes the same.
    """
    if isinstance(inner, Dense):
        raise NotComposable("a convolution behind a dense layer")
    if is_identity(inner):
        return outer
    middle = inner.output_shape(source)
    for axis in (0, 1):
        _check_padding(outer, inner, source, middle, axis)
    weight, groups = _compose_weights(outer, inner)
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


def _compose_weights(outer: Conv, inner: Conv) -> tuple[np.ndarray, int]:
    """K[o, i, a*s + u, b*s + v] = sum over m of outer[o, m, a, b] * inner[m, i, u, v]."""
    first, second = _spread(outer), _spread(inner)
    strides = inner.stride
    rows = (first.shape[2] - 1) * strides[0] + second.shape[2]
    columns = (first.shape[3] - 1) * strides[1] + second.shape[3]
    depthwise = (
        outer.groups == outer.weight.shape[0] and outer.weight.shape[1] == 1,
        inner.groups == inner.weight.shape[0] and inner.weight.shape[1] == 1,
    )
    if outer.groups > 1 and not depthwise[0]:
        raise NotComposable("a grouped convolution behind another layer")
    if inner.groups > 1 and not depthwise[1]:
        raise NotComposable("a layer behind a grouped convolution")
    inputs = 1 if depthwise[0] and depthwise[1] else second.shape[1]
    inputs = first.shape[1] if depthwise[1] and not depthwise[0] else inputs
    weight = np.zeros((first.shape[0], inputs, rows, columns))
    for a in range(first.shape[2]):
        for b in range(first.shape[3]):
            tap = first[:, :, a, b]
            window = weight[:, :, a * strides[0] :, b * strides[1] :]
            window = window[:, :, : second.shape[2], : second.shape[3]]
            if depthwise[0]:  # one middle channel per output
                window += tap[:, :, None, None] * second
            elif depthwise[1]:  # one source channel per middle channel
                window += tap[:, :, None, None] * second[:, 0][None]
            else:
                window += np.einsum("om,miuv->oiuv", tap, second, optimize=True)
    return weight, weight.shape[0] if depthwise == (True, True) else 1


def _spread(conv: Conv) -> np.ndarray:
    """The kernel with its dilation written out as zero taps."""
    if conv.dilation == (1, 1):
        return conv.weight
    out, group, rows, columns = conv.weight.shape
    spread = np.zeros(
        (out, group, (rows - 1) * conv.dilation[0] + 1, (columns - 1) * conv.dilation[1] + 1)
    )
    spread[:, :, :: conv.dilation[0], :: conv.dilation[1]] = conv.weight
    return spread


def compose_dense(weight: np.ndarray, inner: Connection, source: Shape) -> Dense:
    """A dense layer (targets, middle channels, rows, columns) behind `inner`, from `source`.

    Raises:
        NotComposable: when the result would be too large to store.
    """
    if isinstance(inner, Dense):
        flat = weight.reshape(weight.shape[0], -1)
        return Dense(np.tensordot(flat, inner.weight, axes=(1, 0)), inner.pool)
    if is_pooling(inner):
        factor = inner.weight[:, 0, 0, 0]
        return Dense(weight * factor[None, :, None, None], tuple(inner.stride))
    size = weight.shape[0] * prod(source)
    if size > LARGEST_DENSE:
        raise NotComposable(f"the composed dense layer would have {size:,} weights")
    return Dense(_adjoint(weight, inner, source))


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
    result = torch.nn.functional.conv_transpose2d(
        torch.from_numpy(np.ascontiguousarray(weight)),
        torch.from_numpy(np.ascontiguousarray(inner.weight)),
        stride=inner.stride,
        padding=inner.padding,
        output_padding=missing,
        dilation=inner.dilation,
        groups=inner.groups,
    )
    return result.numpy()
