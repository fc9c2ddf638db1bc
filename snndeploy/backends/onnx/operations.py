"""What each operation of a float graph is in ONNX: declared once, the same arithmetic as `ops`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any

import numpy as np
from onnx import TensorProto

from snndeploy.backends.onnx import planes
from snndeploy.backends.onnx.writer import Inputs, Writer
from snndeploy.graph import Node

Write = Callable[[Writer, Node, Inputs], str]
RELATIONS = {
    "ge": "GreaterOrEqual", "gt": "Greater", "le": "LessOrEqual", "lt": "Less", "eq": "Equal",
}  # fmt: skip


def standard(operator: str) -> Write:
    """An operator of the same inputs without attributes."""
    return lambda write, node, inputs: write.add(operator, node.name, *(name for name, _ in inputs))


def along(operator: str) -> Write:
    """One whose axis is the node's dimension."""
    return lambda write, node, inputs: write.add(
        operator, node.name, inputs[0][0], axis=node.attributes["dimension"]
    )


def sizes(node: Node) -> list[int]:
    """The shape for a reshape: -1 where the samples are, which is one dimension."""
    return [
        -1 if any(label == "batch" for label, _ in dimension) else prod(s for _, s in dimension)
        for dimension in node.axes
    ]


def number(write: Writer, name: str, operator: str, x: str, value: float) -> str:
    return write.add(operator, name, x, write.constant(value))


def conv(write: Writer, node: Node, inputs: Inputs) -> str:
    top, bottom, left, right = node.attributes["padding"]
    held = [write.constant(node.parameters[k]) for k in ("weight", "bias") if k in node.parameters]
    return write.add(
        "Conv", node.name, inputs[0][0], *held,
        strides=list(node.attributes["stride"]), pads=[top, left, bottom, right],
        dilations=list(node.attributes["dilation"]), group=node.attributes["groups"],
    )  # fmt: skip


def pad(write: Writer, node: Node, inputs: Inputs) -> str:
    top, bottom, left, right = node.attributes["padding"]
    outer = [0] * (len(node.axes) - 2)
    return write.add(
        "Pad", node.name, inputs[0][0], write.counts([*outer, top, left, *outer, bottom, right])
    )


def linear(write: Writer, node: Node, inputs: Inputs) -> str:
    weight, bias = node.parameters["weight"], node.parameters.get("bias")
    (x, _), held = inputs[0], [] if bias is None else [write.constant(bias)]
    if len(node.axes) == 2:
        return write.add("Gemm", node.name, x, write.constant(weight), *held, transB=1)
    name = node.name if bias is None else f"{node.name}_product"
    made = write.add("MatMul", name, x, write.constant(np.asarray(weight).T))
    return write.add("Add", node.name, made, *held) if held else made


def norm(write: Writer, node: Node, inputs: Inputs) -> str:
    shape = [1] * len(node.axes)
    shape[node.attributes["channel_axis"]] = -1
    scale, shift = (
        write.constant(np.asarray(node.parameters[key]).reshape(shape))
        for key in ("scale", "shift")
    )
    return write.add("Add", node.name, write.add("Mul", f"{node.name}_scaled", inputs[0][0], scale),
                     shift)  # fmt: skip


def average_pool(write: Writer, node: Node, inputs: Inputs) -> str:
    kept = node.attributes
    return write.add(
        "AveragePool", node.name, inputs[0][0],
        kernel_shape=list(kept["kernel"]), strides=list(kept["stride"]),
    )  # fmt: skip


def max_pool(write: Writer, node: Node, inputs: Inputs) -> str:
    kept = node.attributes
    return write.add(
        "MaxPool", node.name, inputs[0][0], kernel_shape=list(kept["kernel"]),
        strides=list(kept["stride"]), pads=[*kept["padding"], *kept["padding"]],
    )  # fmt: skip


def scale(write: Writer, node: Node, inputs: Inputs) -> str:
    """factor * x + offset."""
    x = number(write, f"{node.name}_scaled", "Mul", inputs[0][0], node.attributes["factor"])
    return number(write, node.name, "Add", x, node.attributes["offset"])


def clamp(write: Writer, node: Node, inputs: Inputs) -> str:
    limits = [node.attributes[key] for key in ("minimum", "maximum")]
    held = ["" if limit is None else write.constant(limit) for limit in limits]
    return write.add("Clip", node.name, inputs[0][0], *held)


def compare(write: Writer, node: Node, inputs: Inputs) -> str:
    first, *rest = [name for name, _ in inputs]
    if not rest:
        given = node.parameters.get("other", node.attributes.get("number"))
        rest = [write.constant(given)]
    holds = write.add(RELATIONS[node.attributes["relation"]], f"{node.name}_holds", first, rest[0])
    return write.add("Cast", node.name, holds, to=TensorProto.FLOAT)


def reduced(operator: str) -> Write:
    def write_it(write: Writer, node: Node, inputs: Inputs) -> str:
        axes, keep = sorted(node.attributes["dimensions"]), int(node.attributes["keep"])
        if operator == "ReduceSum":  # the first whose axes became an input
            return write.add(operator, node.name, inputs[0][0], write.counts(axes), keepdims=keep)
        return write.add(operator, node.name, inputs[0][0], axes=axes, keepdims=keep)

    return write_it


def top_k(write: Writer, node: Node, inputs: Inputs) -> str:
    count = write.counts([node.attributes["count"]])
    axis = node.attributes["dimension"]
    return write.several("TopK", node.name, 2, inputs[0][0], count, axis=axis)[0]


def top_k_mask(write: Writer, node: Node, inputs: Inputs) -> str:
    """1 at the places of the largest values: of equal ones the first, where torch may differ."""
    count, axis = write.counts([node.attributes["count"]]), node.attributes["dimension"]
    ranked = write.several("TopK", f"{node.name}_ranked", 2, inputs[0][0], count, axis=axis)
    shape = write.add("Shape", f"{node.name}_shape", ranked[1])
    ones = write.add("Expand", f"{node.name}_ones", write.constant([1.0]), shape)
    zeros = number(write, f"{node.name}_zeros", "Mul", inputs[0][0], 0.0)
    return write.add("ScatterElements", node.name, zeros, ranked[1], ones, axis=axis)


def argmax(write: Writer, node: Node, inputs: Inputs) -> str:
    axis = node.attributes["dimension"]
    place = write.add("ArgMax", f"{node.name}_place", inputs[0][0], axis=axis, keepdims=0)
    return write.add("Cast", node.name, place, to=TensorProto.FLOAT)


def view(write: Writer, node: Node, inputs: Inputs) -> str:
    return write.add("Reshape", node.name, inputs[0][0], write.counts(sizes(node)))


def permute(write: Writer, node: Node, inputs: Inputs) -> str:
    return write.add("Transpose", node.name, inputs[0][0], perm=list(node.attributes["order"]))


def expand(write: Writer, node: Node, inputs: Inputs) -> str:
    shape = [1 if size == -1 else size for size in sizes(node)]
    return write.add("Expand", node.name, inputs[0][0], write.counts(shape))


def take(write: Writer, node: Node, inputs: Inputs) -> str:
    chosen, axis = node.attributes, node.attributes["dimension"]
    where = [[chosen["start"]], [chosen["stop"]], [axis], [1 if chosen["drop"] else chosen["step"]]]
    name = f"{node.name}_kept" if chosen["drop"] else node.name
    kept = write.add("Slice", name, inputs[0][0], *map(write.counts, where))
    return write.add("Squeeze", node.name, kept, write.counts([axis])) if chosen["drop"] else kept


def delay(write: Writer, node: Node, inputs: Inputs) -> str:
    """What is late is pushed in behind zeros."""
    axis, steps = node.attributes["time_axis"], node.attributes["timesteps"]
    waits, rank = min(node.attributes["steps"], steps), len(node.axes)
    if waits == steps:
        return number(write, node.name, "Mul", inputs[0][0], 0.0)
    where = ([0], [steps - waits], [axis])
    kept = write.add("Slice", f"{node.name}_early", inputs[0][0], *map(write.counts, where))
    pads = [waits if index == axis else 0 for index in range(rank)]
    return write.add("Pad", node.name, kept, write.counts([*pads, *[0] * rank]))


def leaky(write: Writer, node: Node, inputs: Inputs) -> str:
    """y[t] = decay * y[t-1] + x[t]."""
    axis, steps = node.attributes["time_axis"], node.attributes["timesteps"]
    found: list[str] = []
    for x in each_step(write, node, inputs[0][0], axis, steps):
        if found:
            past = number(write, f"{node.name}_past", "Mul", found[-1], node.attributes["decay"])
            x = write.add("Add", f"{node.name}_step", past, x)
        found.append(x)
    return stacked(write, node, found, axis)


def each_step(write: Writer, node: Node, x: str, axis: int, steps: int) -> list[str]:
    """Every step of a value, without its time dimension."""
    places = [write.constant(step, np.int64) for step in range(steps)]
    return [write.add("Gather", f"{node.name}_input", x, place, axis=axis) for place in places]


def stacked(write: Writer, node: Node, steps: Sequence[str], axis: int) -> str:
    """The steps as one value, with its time dimension."""
    where = write.counts([axis])
    single = [write.add("Unsqueeze", f"{node.name}_step", step, where) for step in steps]
    return write.add("Concat", node.name, *single, axis=axis)


def weigh(write: Writer, node: Node, inputs: Inputs) -> str:
    shape = [-1 if i == node.attributes["time_axis"] else 1 for i in range(len(node.axes))]
    weights = np.asarray(node.attributes["weights"]).reshape(shape)
    return write.add("Mul", node.name, inputs[0][0], write.constant(weights))


def concatenate(write: Writer, node: Node, inputs: Inputs) -> str:
    """Parts that have one step where others have all are repeated; `new`: a dimension is made."""
    axis, names = node.attributes["dimension"], []
    for name, source in inputs:
        wanted = list(node.axes)
        if node.attributes["new"]:
            name = write.add("Unsqueeze", f"{node.name}_part", name, write.counts([axis]))
            held: list[Any] = [*source.axes[:axis], (), *source.axes[axis:]]
        else:
            held = list(source.axes)
        shape = [
            1 if i == axis or any(label == "batch" for label, _ in d) else prod(s for _, s in d)
            for i, d in enumerate(wanted)
        ]
        own = [prod(s for _, s in d) for d in held]
        if any(size not in (1, mine) for size, mine in zip(shape, own, strict=True)):
            name = write.add("Expand", f"{node.name}_every", name, write.counts(shape))
        names.append(name)
    return write.add("Concat", node.name, *names, axis=axis)


OPERATIONS: Mapping[str, Write] = {
    "conv": conv,
    "conv_transpose": planes.conv_transpose,
    "upsample": planes.upsample,
    "pad": pad,
    "extend": planes.extend,
    "linear": linear,
    "norm": norm,
    "group_norm": planes.group_norm,
    "layer_norm": planes.layer_norm,
    "avg_pool": average_pool,
    "max_pool": max_pool,
    "mean_windows": planes.mean_windows,
    "max_windows": planes.max_windows,
    "add": standard("Add"),
    "subtract": standard("Sub"),
    "multiply": standard("Mul"),
    "divide": standard("Div"),
    "scale": scale,
    "relu": standard("Relu"),
    "sigmoid": standard("Sigmoid"),
    "tanh": standard("Tanh"),
    "floor": standard("Floor"),
    "round": standard("Round"),
    "clamp": clamp,
    "compare": compare,
    "mean": reduced("ReduceMean"),
    "sum": reduced("ReduceSum"),
    "max": reduced("ReduceMax"),
    "min": reduced("ReduceMin"),
    "top_k": top_k,
    "top_k_mask": top_k_mask,
    "softmax": along("Softmax"),
    "log_softmax": along("LogSoftmax"),
    "argmax": argmax,
    "view": view,
    "permute": permute,
    "expand": expand,
    "take": take,
    "concatenate": concatenate,
    "delay": delay,
    "leaky": leaky,
    "weigh": weigh,
}
