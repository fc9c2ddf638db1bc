"""Operators of torch on (batch, channels, length) written as those on planes one column wide."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

aten = torch.ops.aten


def _of_line(function: Callable[[Any], Any], x: Any) -> Any:
    """A function of (batch, channels, length, 1); NotImplemented without a batch."""
    return function(x.unsqueeze(-1)).squeeze(-1) if x.dim() == 3 else NotImplemented


def _column(values: Sequence[int], beside: int) -> list[int]:
    return [int(values[0]), beside]


def convolution(
    x: Any,
    weight: Any,
    bias: Any = None,
    stride: Sequence[int] = (1,),
    padding: Sequence[int] | str = (0,),
    dilation: Sequence[int] = (1,),
    groups: int = 1,
) -> Any:
    kernel, named = weight.unsqueeze(-1), isinstance(padding, str)
    conv = aten.conv2d.padding if named else aten.conv2d.default
    around = padding if named else _column(padding, 0)  # type: ignore[arg-type]
    steps, spread = _column(stride, 1), _column(dilation, 1)
    return _of_line(lambda plane: conv(plane, kernel, bias, steps, around, spread, groups), x)


def transposed(
    x: Any,
    weight: Any,
    bias: Any = None,
    stride: Sequence[int] = (1,),
    padding: Sequence[int] = (0,),
    output_padding: Sequence[int] = (0,),
    groups: int = 1,
    dilation: Sequence[int] = (1,),
) -> Any:
    kernel, steps, spread = weight.unsqueeze(-1), _column(stride, 1), _column(dilation, 1)
    cut, extra = _column(padding, 0), _column(output_padding, 0)
    return _of_line(
        lambda plane: aten.conv_transpose2d.input(
            plane, kernel, bias, steps, cut, extra, groups, spread
        ),
        x,
    )


def average_pool(
    x: Any,
    kernel_size: Sequence[int],
    stride: Sequence[int] = (),
    padding: Sequence[int] = (0,),
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Any:
    window, steps = _column(kernel_size, 1), _column(stride or kernel_size, 1)
    around = _column(padding, 0)
    return _of_line(
        lambda plane: aten.avg_pool2d(plane, window, steps, around, ceil_mode, count_include_pad),
        x,
    )


def maximum_pool(
    x: Any,
    kernel_size: Sequence[int],
    stride: Sequence[int] = (),
    padding: Sequence[int] = (0,),
    dilation: Sequence[int] = (1,),
    ceil_mode: bool = False,
) -> Any:
    window, steps = _column(kernel_size, 1), _column(stride or kernel_size, 1)
    around, spread = _column(padding, 0), _column(dilation, 1)
    return _of_line(
        lambda plane: aten.max_pool2d(plane, window, steps, around, spread, ceil_mode), x
    )


def adaptive_average(x: Any, output_size: Sequence[int]) -> Any:
    size = _column(output_size, 1)
    return _of_line(lambda plane: aten.adaptive_avg_pool2d(plane, size), x)


def adaptive_maximum(x: Any, output_size: Sequence[int]) -> Any:
    """Both results of torch's; nobody can read the second, which this one is not."""
    size = _column(output_size, 1)
    found = _of_line(lambda plane: aten.adaptive_max_pool2d(plane, size)[0], x)
    return found if found is NotImplemented else (found, found)


def nearest(
    x: Any, output_size: Sequence[int] | None, scale_factors: Sequence[float] | None
) -> Any:
    size = None if output_size is None else _column(output_size, 1)
    by = None if scale_factors is None else [scale_factors[0], 1.0]
    return _of_line(lambda plane: aten.upsample_nearest2d.vec(plane, size, by), x)


def pad(x: Any, amounts: Sequence[int], mode: str = "constant", value: float | None = None) -> Any:
    if len(amounts) != 2:
        return NotImplemented
    both = [0, 0, *amounts]
    return _of_line(lambda plane: aten.pad(plane, both, mode, value), x)


LINES: dict[Any, Any] = {
    aten.conv1d.default: convolution,
    aten.conv1d.padding: convolution,
    aten.conv_transpose1d.default: transposed,
    aten.avg_pool1d.default: average_pool,
    aten.max_pool1d.default: maximum_pool,
    aten.adaptive_avg_pool1d.default: adaptive_average,
    aten.adaptive_max_pool1d.default: adaptive_maximum,
    aten.upsample_nearest1d.vec: nearest,
    aten.pad.default: pad,
}
