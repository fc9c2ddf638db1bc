"""Operators of torch written in others: pools and convolutions in three dimensions.

The papers pool and convolve (batch, time, channels, rows, columns) with operators made for
volumes.  Where the window is a whole dimension or a single place of it, they are plain ones:

  adaptive pool to 1     the mean or maximum over those dimensions
  pool (1, k, l)         a pool of each plane
  conv 1 x 1 x 1         a linear layer on the channels
  conv 1 x k x l         a convolution of each plane

What a window has of the first of its three dimensions besides stays as it is, and is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

aten = torch.ops.aten
OF_EACH_PLANE = [0, 2, 1, 3, 4]  # (batch, channels, depth, ...) with depth first, and back
LAST_FIRST, FIRST_LAST = [0, 1, 4, 2, 3], [0, 1, 3, 4, 2]  # of the three dimensions


def adaptive_average(x: Any, output_size: Sequence[int]) -> Any:
    return _adaptive(x, output_size, lambda x, over: x.mean(over, keepdim=True), aten.avg_pool2d)


def adaptive_maximum(x: Any, output_size: Sequence[int]) -> Any:
    """Both results of torch's; nobody can read the second, which this one is not."""
    found = _adaptive(x, output_size, lambda x, over: x.amax(over, keepdim=True), aten.max_pool2d)
    return NotImplemented if found is NotImplemented else (found, found)


def _adaptive(x: Any, output_size: Sequence[int], whole: Callable[..., Any], pool: Any) -> Any:
    places = zip(range(x.dim() - 3, x.dim()), x.shape[-3:], output_size, strict=True)
    changed = [(axis, out) for axis, size, out in places if out != size]
    if all(out == 1 for _, out in changed):
        return whole(x, [axis for axis, _ in changed]) if changed else x.clone()
    (_, rows, columns), (depth, *out) = x.shape[-3:], output_size
    if depth != x.shape[-3] or rows % out[0] or columns % out[1]:
        return NotImplemented
    kernel = [rows // out[0], columns // out[1]]
    return _of_planes(x, lambda planes: pool(planes, kernel))


def average_pool(
    x: Any,
    kernel_size: Sequence[int],
    stride: Sequence[int] = (),
    padding: Sequence[int] = (0,),
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Any:
    kernel, padding = _three(kernel_size), _three(padding)
    stride = _three(stride) if stride else kernel
    if (kernel[0], stride[0], padding[0]) != (1, 1, 0):
        return NotImplemented
    rest = (stride[1:], padding[1:], ceil_mode, count_include_pad, divisor_override)
    return _of_planes(x, lambda planes: aten.avg_pool2d(planes, kernel[1:], *rest))


def maximum_pool(
    x: Any,
    kernel_size: Sequence[int],
    stride: Sequence[int] = (),
    padding: Sequence[int] = (0,),
    dilation: Sequence[int] = (1,),
    ceil_mode: bool = False,
) -> Any:
    kernel, padding, dilation = _three(kernel_size), _three(padding), _three(dilation)
    stride = _three(stride) if stride else kernel
    if (kernel[0], stride[0], padding[0]) != (1, 1, 0):
        return NotImplemented
    rest = (stride[1:], padding[1:], dilation[1:], ceil_mode)
    return _of_planes(x, lambda planes: aten.max_pool2d(planes, kernel[1:], *rest))


def convolution(
    x: Any,
    weight: Any,
    bias: Any = None,
    stride: Sequence[int] = (1,),
    padding: Sequence[int] | str = (0,),
    dilation: Sequence[int] = (1,),
    groups: int = 1,
) -> Any:
    """Of a volume, with a kernel of depth 1, or 1 in the last dimension (lava-dl's time)."""
    if x.dim() == 5 and weight.shape[2] != 1 == weight.shape[4]:
        around = padding if isinstance(padding, str) else _last_first(padding)
        turned = convolution(
            x.permute(LAST_FIRST), weight.permute(LAST_FIRST), bias, _last_first(stride), around,
            _last_first(dilation), groups,
        )  # fmt: skip
        return turned if turned is NotImplemented else turned.permute(FIRST_LAST)
    stride, dilation = _three(stride), _three(dilation)
    padding = padding if isinstance(padding, str) else _three(padding)
    deep = not isinstance(padding, str) and padding[0] != 0
    if x.dim() != 5 or weight.shape[2] != 1 or stride[0] != 1 or deep:
        return NotImplemented
    if weight.shape[2:].numel() == 1 and stride == [1, 1, 1] and groups == 1:
        if isinstance(padding, str) or not any(padding):
            return _on_channels(x, weight.flatten(1), bias)
    kernel = weight.squeeze(2)
    around = padding if isinstance(padding, str) else padding[1:]
    conv = aten.conv2d.padding if isinstance(padding, str) else aten.conv2d.default
    return _of_planes(
        x, lambda planes: conv(planes, kernel, bias, stride[1:], around, dilation[1:], groups)
    )


def _on_channels(x: Any, weight: Any, bias: Any) -> Any:
    last = x.permute(0, 2, 3, 4, 1)
    return aten.linear(last, weight, bias).permute(0, 4, 1, 2, 3)


def _of_planes(x: Any, function: Callable[[Any], Any]) -> Any:
    """A function of (batch, channels, rows, columns) at every place of the depth."""
    if x.dim() == 4:  # (channels, depth, rows, columns): the first may be any dimension
        return function(x)
    first = x.permute(OF_EACH_PLANE)
    samples, depth, *plane = first.shape
    found = function(first.reshape(samples * depth, *plane))
    return found.reshape(samples, depth, *found.shape[1:]).permute(OF_EACH_PLANE)


def _last_first(values: Sequence[int]) -> list[int]:
    *places, last = _three(values)
    return [last, *places]


def _three(values: Sequence[int]) -> list[int]:
    return [int(value) for value in values] * (3 if len(values) == 1 else 1)


DECOMPOSITIONS: dict[Any, Any] = {
    aten.adaptive_avg_pool3d.default: adaptive_average,
    aten.adaptive_max_pool3d.default: adaptive_maximum,
    aten.avg_pool3d.default: average_pool,
    aten.max_pool3d.default: maximum_pool,
    aten.conv3d.default: convolution,
    aten.conv3d.padding: convolution,
}
