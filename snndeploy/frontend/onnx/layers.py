"""Layers and pools of ai.onnx, in torch's words."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from snndeploy.frontend.onnx.call import NodeCall, Refused

CONVOLUTIONS = {3: functional.conv1d, 4: functional.conv2d, 5: functional.conv3d}
TRANSPOSED = {
    3: functional.conv_transpose1d, 4: functional.conv_transpose2d, 5: functional.conv_transpose3d,
}  # fmt: skip
AVERAGES = {3: functional.avg_pool1d, 4: functional.avg_pool2d, 5: functional.avg_pool3d}
MAXIMA = {3: functional.max_pool1d, 4: functional.max_pool2d, 5: functional.max_pool3d}


def of_rank(table: dict[int, Callable[..., Any]], x: Any) -> Callable[..., Any]:
    if x.dim() not in table:
        raise Refused(f"its input has {x.dim()} dimensions; {min(table)} to {max(table)} are known")
    return table[x.dim()]


def windows(call: NodeCall, x: Any, kernel: Sequence[int]) -> tuple[Any, Any, Any, Any]:
    """stride, dilation, and the pads (before, after) of every dimension of the plane."""
    rank = len(kernel)
    stride = call.numbers("strides", None, (1,) * rank)
    dilation = call.numbers("dilations", None, (1,) * rank)
    pads = call.numbers("pads", None, (0,) * (2 * rank))
    before, after = list(pads[:rank]), list(pads[rank:])
    how = call.attributes.get("auto_pad", "NOTSET")
    if how in ("SAME_UPPER", "SAME_LOWER"):
        for index in range(rank):
            size, reach = int(x.shape[2 + index]), (kernel[index] - 1) * dilation[index] + 1
            total = max((-(-size // stride[index]) - 1) * stride[index] + reach - size, 0)
            less, more = total // 2, total - total // 2
            upper = how == "SAME_UPPER"
            before[index], after[index] = (less, more) if upper else (more, less)
    elif how == "VALID":
        before, after = [0] * rank, [0] * rank
    elif how != "NOTSET":
        raise Refused(f"its auto_pad is {how!r}, which is unknown")
    return stride, dilation, before, after


def padded(x: Any, before: Sequence[int], after: Sequence[int], value: float) -> Any:
    pairs = [size for pair in zip(before, after, strict=True) for size in pair[::-1]][::-1]
    return functional.pad(x, pairs, value=value) if any(pairs) else x


def convolution(call: NodeCall) -> Any:
    x, weight = call.data(0), call.data(1)
    stride, dilation, before, after = windows(call, x, weight.shape[2:])
    padding: Any = tuple(before)
    if before != after:
        x, padding = padded(x, before, after, 0.0), 0
    run = of_rank(CONVOLUTIONS, x)
    groups = call.whole("group", 1)
    return run(x, weight, call.optional(2), stride, padding, dilation, groups)


def transposed_convolution(call: NodeCall) -> Any:
    x, weight = call.data(0), call.data(1)
    call.only("auto_pad", "NOTSET")
    if "output_shape" in call.attributes:
        raise Refused("it names its output_shape; pads and output_padding are needed")
    stride, dilation, before, after = windows(call, x, weight.shape[2:])
    if before != after:
        raise Refused("its pads differ on the two sides")
    extra = call.numbers("output_padding", None, (0,) * len(before))
    run, groups = of_rank(TRANSPOSED, x), call.whole("group", 1)
    return run(x, weight, call.optional(2), stride, tuple(before), extra, groups, dilation)


def prepared(
    operator: str, attributes: Mapping[str, Any], arrays: Mapping[int, np.ndarray]
) -> tuple[Mapping[str, Any], Mapping[int, np.ndarray]]:
    """A product with a constant matrix as x W^T + c, its numbers folded into W and c; a sum or
    product with a number a channel as the norm that it is."""
    if operator in AS_NORM and len(arrays) == 1:
        return attributes, {**arrays, **_norm(operator, *arrays.items())}
    weight = arrays.get(1)
    if operator not in ("Gemm", "MatMul") or weight is None or weight.ndim != 2:
        return attributes, arrays
    across = weight if attributes.get("transB", 0) else weight.T
    made = {**arrays, 1: across * np.float32(attributes.get("alpha", 1.0))}
    if 2 in arrays:
        bias = arrays[2] * np.float32(attributes.get("beta", 1.0))
        if bias.size not in (1, len(across)):
            raise Refused(f"it adds a constant of shape {bias.shape} to {len(across)} values")
        made[2] = np.broadcast_to(bias.reshape(-1), (len(across),))
    return {**attributes, "transB": 1, "alpha": 1.0, "beta": 1.0}, made


# scale and shift of x, when the other operand is c, the first or the second one
AS_NORM: Mapping[str, Callable[[Any, bool], tuple[Any, Any]]] = {
    "Add": lambda c, first: (np.ones_like(c), c),
    "Sub": lambda c, first: (-np.ones_like(c), c) if first else (np.ones_like(c), -c),
    "Mul": lambda c, first: (c, np.zeros_like(c)),
    "Div": lambda c, first: (1 / c, np.zeros_like(c)),
}
NORM = range(2, 6)  # where the inputs of the norm are held: mean, variance, scale, shift


def _norm(operator: str, constant: tuple[int, np.ndarray]) -> dict[int, np.ndarray]:
    """Norm with mean 0 and variance 1, whose scale and shift are exact; none for one number."""
    index, array = constant
    divides = operator == "Div" and (index == 0 or not array.all())
    if array.size == 1 or array.size != max(array.shape) or array.dtype.kind != "f" or divides:
        return {}
    vector = array.reshape(-1)
    scale, shift = AS_NORM[operator](vector, index == 0)
    return dict(zip(NORM, (np.zeros_like(vector), np.ones_like(vector), scale, shift), strict=True))


def arithmetic(function: Callable[[Any, Any], Any]) -> Callable[[NodeCall], Any]:
    """Of two values, or of one and a constant that may be a norm."""

    def run(call: NodeCall) -> Any:
        first, second = call.data(0), call.data(1)
        if NORM[-1] in call.constants:
            constant, x = (first, second) if 0 in call.constants else (second, first)
            aligned = (1,) * (x.dim() - constant.dim()) + tuple(constant.shape)
            if len(aligned) == x.dim() > 1 and aligned[1] == constant.numel() == x.shape[1]:
                mean, variance, scale, shift = (call.data(index) for index in NORM)
                return functional.batch_norm(x, mean, variance, scale, shift, False, 0.0, 0.0)
        return function(first, second)

    return run


def product(call: NodeCall) -> Any:
    """Gemm and MatMul: `prepared`, or of two values."""
    if call.attributes.get("transA", 0):
        raise Refused("it transposes its first input, whose first dimension is the samples")
    if not call.attributes.get("transB", 0):
        return torch.matmul(call.data(0), call.data(1))
    return functional.linear(call.data(0), call.data(1), call.optional(2))


def batch_norm(call: NodeCall) -> Any:
    call.only("training_mode", 0)
    scale, shift, mean, variance = (call.data(index) for index in range(1, 5))
    epsilon = call.attributes.get("epsilon", 1e-5)
    return functional.batch_norm(call.data(0), mean, variance, scale, shift, False, 0.0, epsilon)


def max_pool(call: NodeCall) -> Any:
    if call.outputs > 1:
        raise Refused("its indices are used")
    x, kernel = call.data(), call.numbers("kernel_shape")
    stride, dilation, before, after = windows(call, x, kernel)
    if before == after and all(2 * pad <= size for pad, size in zip(before, kernel, strict=True)):
        padding: Any = tuple(before)
    else:
        x, padding = padded(x, before, after, float("-inf")), 0
    ceil = bool(call.whole("ceil_mode", 0))
    return of_rank(MAXIMA, x)(x, kernel, stride, padding, dilation, ceil)


def average_pool(call: NodeCall) -> Any:
    x, kernel = call.data(), call.numbers("kernel_shape")
    stride, dilation, before, after = windows(call, x, kernel)
    if any(step != 1 for step in dilation):
        raise Refused("it is dilated")
    counts = bool(call.whole("count_include_pad", 0))
    padding: Any = tuple(before)
    if before != after:
        if not counts:
            raise Refused("its pads differ on the two sides, and it leaves them out of the mean")
        x, padding = padded(x, before, after, 0.0), 0
    ceil = bool(call.whole("ceil_mode", 0))
    return of_rank(AVERAGES, x)(x, kernel, stride, padding, ceil, counts)


def global_pool(function: Callable[..., Any]) -> Callable[[NodeCall], Any]:
    def run(call: NodeCall) -> Any:
        x = call.data()
        return function(x, dim=tuple(range(2, x.dim())), keepdim=True)

    return run
