"""The operators of ai.onnx that are read: each declared once, as what torch computes.

A node whose inputs are all known without the model's input is folded instead, by onnx's own
reference (`FOLDED` names what only ever is).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from snndeploy.frontend.onnx.call import NodeCall, Refused
from snndeploy.frontend.onnx.layers import (
    arithmetic,
    average_pool,
    batch_norm,
    convolution,
    global_pool,
    max_pool,
    product,
    transposed_convolution,
)

Run = Callable[[NodeCall], Any]
KEPT_TYPES = (1, 9, 10, 11, 16)  # float32, bool, float16, float64, bfloat16: all read as numbers


def each(function: Callable[[Any], Any]) -> Run:
    return lambda call: function(call.data())


def both(function: Callable[[Any, Any], Any]) -> Run:
    return lambda call: function(call.data(0), call.data(1))


def several(function: Callable[[Any, Any], Any]) -> Run:
    def run(call: NodeCall) -> Any:
        first, *rest = call.all_data()
        for value in rest:
            first = function(first, value)
        return first

    return run


def clip(call: NodeCall) -> Any:
    low, high = (call.numbers(name, index, None) for index, name in ((1, "min"), (2, "max")))
    limits = [value[0] if isinstance(value, tuple) else value for value in (low, high)]
    return call.data() if limits == [None, None] else torch.clamp(call.data(), *limits)


def cast(call: NodeCall) -> Any:
    """Between kinds of numbers nothing changes but their width; comparisons become 0 and 1."""
    if call.whole("to") not in KEPT_TYPES:
        raise Refused(f"it casts to type {call.whole('to')}; only floats are computed with")
    value = call.data()
    return value if call.whole("to") == 9 else value.to(torch.float32)


def softmax(function: Callable[..., Any]) -> Run:
    def run(call: NodeCall) -> Any:
        axis = call.whole("axis", -1)
        return function(call.data(), dim=axis)

    return run


def flatten(call: NodeCall) -> Any:
    axis = call.whole("axis", 1)
    if axis != 1:
        raise Refused(f"its axis is {axis}; only 1 keeps the samples")
    return call.data().flatten(1)


def reshape(call: NodeCall) -> Any:
    """0 keeps a dimension; a fixed batch size becomes that of the run."""
    x, shape = call.data(), list(call.numbers("shape", 1))
    if 0 in shape:
        call.only("allowzero", 0)
    for index, size in enumerate(shape):
        if size == 0:
            shape[index] = x.shape[index]
    if call.batch and shape and shape[0] == call.batch[0] and x.shape[0] == call.batch[1]:
        shape[0] = call.batch[1]
    return x.reshape(shape)


def transpose(call: NodeCall) -> Any:
    x = call.data()
    return x.permute(*call.numbers("perm", None, tuple(range(x.dim()))[::-1]))


def squeeze(call: NodeCall) -> Any:
    axes = call.numbers("axes", 1)
    x = call.data()
    if any(x.shape[axis] != 1 for axis in axes):
        raise Refused(f"it squeezes axes {axes} of a value of shape {tuple(x.shape)}")
    return torch.squeeze(x, tuple(axes))


def unsqueeze(call: NodeCall) -> Any:
    axes, x = call.numbers("axes", 1), call.data()
    rank = x.dim() + len(axes)
    for axis in sorted(axis % rank for axis in axes):
        x = x.unsqueeze(axis)
    return x


def gather(call: NodeCall) -> Any:
    """One place, or places, that are known."""
    indices, axis = call.inputs[1], call.whole("axis", 0)
    if not isinstance(indices, np.ndarray):
        raise Refused("its indices are computed from the model's input")
    x = call.data()
    if indices.ndim == 0:
        return x.select(axis, int(indices))
    if indices.ndim > 1:
        raise Refused("its indices have several dimensions")
    size = x.shape[axis]
    return torch.cat([x.narrow(axis, int(index) % size, 1) for index in indices], axis)


def part(call: NodeCall) -> Any:
    """Slice: starts, ends, axes, steps."""
    x = call.data()
    starts, ends = call.numbers("starts", 1), call.numbers("ends", 2)
    axes = call.numbers("axes", 3, tuple(range(len(starts))))
    steps = call.numbers("steps", 4, (1,) * len(starts))
    chosen = [slice(None)] * x.dim()
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        if step < 1:
            raise Refused(f"its step is {step}; forward steps are needed")
        chosen[axis] = slice(start, end, step)
    return x[tuple(chosen)]


def split(call: NodeCall) -> Any:
    axis, x = call.whole("axis", 0), call.data()
    sizes = call.numbers("split", 1, None)
    if sizes is None:
        return torch.chunk(x, call.outputs, axis)
    return torch.split(x, [int(size) for size in sizes], axis)


def reduce(function: Callable[..., Any]) -> Run:
    def run(call: NodeCall) -> Any:
        x = call.data()
        axes = call.numbers("axes", 1, None)
        if axes is None and call.whole("noop_with_empty_axes", 0):
            return x
        chosen = tuple(range(x.dim())) if axes is None else tuple(axes)
        return function(x, dim=chosen, keepdim=bool(call.whole("keepdims", 1)))

    return run


def pad(call: NodeCall) -> Any:
    call.only("mode", "constant")
    if call.given(3):
        raise Refused("it names axes; pads of every dimension are needed")
    value = call.numbers("value", 2, (0.0,))
    pads, x = call.numbers("pads", 1), call.data()
    pairs = [(pads[index], pads[index + x.dim()]) for index in range(x.dim())][::-1]
    fill = value[0] if isinstance(value, tuple) else value
    return functional.pad(x, [size for pair in pairs for size in pair], value=float(fill))


def expand(call: NodeCall) -> Any:
    x, shape = call.data(), call.numbers("shape", 1)
    return x.expand(torch.broadcast_shapes(tuple(x.shape), tuple(shape)))


def where(call: NodeCall) -> Any:
    return torch.where(call.data(0).bool(), call.data(1), call.data(2))


def argmax(call: NodeCall) -> Any:
    call.only("select_last_index", 0)
    return call.data().argmax(call.whole("axis", 0), keepdim=bool(call.whole("keepdims", 1)))


def dropout(call: NodeCall) -> Any:
    if call.given(2) and bool(np.any(call.inputs[2])):
        raise Refused("it is in training mode; export the model for inference")
    return call.data()


OPERATORS: Mapping[str, Run] = {
    "Conv": convolution,
    "ConvTranspose": transposed_convolution,
    "Gemm": product,
    "MatMul": product,
    "BatchNormalization": batch_norm,
    "Relu": each(torch.relu),
    "Sigmoid": each(torch.sigmoid),
    "Tanh": each(torch.tanh),
    "Clip": clip,
    "Floor": each(torch.floor),
    "Round": each(torch.round),
    "Neg": each(torch.neg),
    "Identity": each(lambda x: x),
    "Dropout": dropout,
    "Softmax": softmax(torch.softmax),
    "LogSoftmax": softmax(torch.log_softmax),
    "ArgMax": argmax,
    "MaxPool": max_pool,
    "AveragePool": average_pool,
    "GlobalAveragePool": global_pool(torch.mean),
    "GlobalMaxPool": global_pool(torch.amax),
    "Add": arithmetic(torch.add),
    "Sub": arithmetic(torch.sub),
    "Mul": arithmetic(torch.mul),
    "Div": arithmetic(torch.div),
    "Sum": several(torch.add),
    "Max": several(torch.maximum),
    "Min": several(torch.minimum),
    "Greater": both(torch.gt),
    "GreaterOrEqual": both(torch.ge),
    "Less": both(torch.lt),
    "LessOrEqual": both(torch.le),
    "Where": where,
    "Cast": cast,
    "Flatten": flatten,
    "Reshape": reshape,
    "Transpose": transpose,
    "Squeeze": squeeze,
    "Unsqueeze": unsqueeze,
    "Concat": lambda call: torch.cat(call.all_data(), call.whole("axis")),
    "Gather": gather,
    "Slice": part,
    "Split": split,
    "Expand": expand,
    "Pad": pad,
    "ReduceMean": reduce(torch.mean),
    "ReduceSum": reduce(torch.sum),
    "ReduceMax": reduce(torch.amax),
    "ReduceMin": reduce(torch.amin),
}
FOLDED = frozenset(
    {"Constant", "Shape", "ConstantOfShape", "Range", "Sqrt", "Reciprocal", "Pow", "Exp", "Abs",
     "Equal", "Not"}
)  # fmt: skip
"""Of constants alone; Shape asks its input for nothing but its shape."""
