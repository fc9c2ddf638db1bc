"""Planes made larger, pooled by windows of any sizes, or normalised by themselves, in ONNX."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from snndeploy.backends.onnx.writer import Inputs, Writer
from snndeploy.connections.transposed import sources_first
from snndeploy.graph import Node
from snndeploy.ops.window_tables import Window

PAD_MODES = {"reflect": "reflect", "replicate": "edge"}


def conv_transpose(write: Writer, node: Node, inputs: Inputs) -> str:
    chosen, bias = node.attributes, node.parameters.get("bias")
    weight = sources_first(node.parameters["weight"], chosen["groups"])
    held = [write.constant(part) for part in (weight, bias) if part is not None]
    down, across = chosen["padding"]
    return write.add(
        "ConvTranspose", node.name, inputs[0][0], *held,
        strides=list(chosen["stride"]), pads=[down, across, down, across],
        output_padding=list(chosen["extra"]), group=chosen["groups"],
    )  # fmt: skip


def upsample(write: Writer, node: Node, inputs: Inputs) -> str:
    scales = [*[1.0] * (len(node.axes) - 2), *map(float, node.attributes["factor"])]
    return write.add(
        "Resize", node.name, inputs[0][0], "", write.constant(scales),
        mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor",
    )  # fmt: skip


def extend(write: Writer, node: Node, inputs: Inputs) -> str:
    """Opset 17 pads by reflection and repetition; a plane that goes on at its other end is put
    together of its parts."""
    mode, (top, bottom, left, right) = node.attributes["mode"], node.attributes["padding"]
    if mode in PAD_MODES:
        outer = [0] * (len(node.axes) - 2)
        pads = write.counts([*outer, top, left, *outer, bottom, right])
        return write.add("Pad", node.name, inputs[0][0], pads, mode=PAD_MODES[mode])
    x, rank = inputs[0][0], len(node.axes)
    x = _wrapped(write, f"{node.name}_rows", x, rank - 2, top, bottom)
    return _wrapped(write, node.name, x, rank - 1, left, right)


def _wrapped(write: Writer, name: str, x: str, axis: int, before: int, after: int) -> str:
    parts = [x]
    if before:
        where = ([-before], [np.iinfo(np.int64).max], [axis])
        parts.insert(0, write.add("Slice", f"{name}_before", x, *map(write.counts, where)))
    if after:
        where = ([0], [after], [axis])
        parts.append(write.add("Slice", f"{name}_after", x, *map(write.counts, where)))
    return write.add("Concat", name, *parts, axis=axis)


def group_norm(write: Writer, node: Node, inputs: Inputs) -> str:
    """An instance norm of a line of values for each group, then what is of each channel."""
    rank, groups = len(node.axes), node.attributes["groups"]
    lines = write.add("Reshape", f"{node.name}_groups", inputs[0][0],
                      write.counts([0, groups, -1]))  # fmt: skip
    one, zero = (write.constant(np.full(groups, value)) for value in (1.0, 0.0))
    epsilon = node.attributes["epsilon"]
    normed = write.add("InstanceNormalization", f"{node.name}_lines", lines, one, zero,
                       epsilon=epsilon)  # fmt: skip
    shape = write.add("Shape", f"{node.name}_shape", inputs[0][0])
    whole = write.add("Reshape", f"{node.name}_normed", normed, shape)
    return _affine(write, node, whole, [1, -1, *[1] * (rank - 2)])


def layer_norm(write: Writer, node: Node, inputs: Inputs) -> str:
    held = [write.constant(node.parameters[key]) for key in ("scale", "shift")]
    axis = len(node.axes) - node.parameters["scale"].ndim
    return write.add(
        "LayerNormalization", node.name, inputs[0][0], *held,
        axis=axis, epsilon=node.attributes["epsilon"],
    )  # fmt: skip


def _affine(write: Writer, node: Node, x: str, shape: Sequence[int]) -> str:
    scale, shift = (
        write.constant(np.asarray(node.parameters[key]).reshape(shape))
        for key in ("scale", "shift")
    )
    return write.add("Add", node.name, write.add("Mul", f"{node.name}_scaled", x, scale), shift)


def mean_windows(write: Writer, node: Node, inputs: Inputs) -> str:
    """A product with each window's shares, down and across."""
    (x, source), chosen = inputs[0], node.attributes
    rows, columns = (
        _shares(chosen[key], size)
        for key, size in zip(("rows", "columns"), source.shape[-2:], strict=True)
    )
    down = write.add("MatMul", f"{node.name}_rows", write.constant(rows), x)
    return write.add("MatMul", node.name, down, write.constant(columns.T))


def _shares(windows: Sequence[Window], size: int) -> np.ndarray:
    place = np.arange(size)
    return np.array([((start <= place) & (place < stop)) / count for start, stop, count in windows])


def max_windows(write: Writer, node: Node, inputs: Inputs) -> str:
    """Each window's values beside each other, a short one's last value again, and their largest."""
    x, rank = inputs[0][0], len(node.axes)
    x = _largest(write, f"{node.name}_rows", x, rank - 2, node.attributes["rows"])
    return _largest(write, node.name, x, rank - 1, node.attributes["columns"])


def _largest(write: Writer, name: str, x: str, axis: int, windows: Sequence[Window]) -> str:
    most = max(stop - start for start, stop, _ in windows)
    table = [[min(start + i, stop - 1) for i in range(most)] for start, stop, _ in windows]
    places = write.constant(table, np.int64)
    values = write.add("Gather", f"{name}_windows", x, places, axis=axis)
    return write.add("ReduceMax", name, values, axes=[axis + 1], keepdims=0)
