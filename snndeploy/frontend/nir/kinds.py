"""What each primitive of NIR becomes: one function a kind."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from snndeploy.frontend.nir.reader import Primitive
from snndeploy.frontend.nir.writer import Writer, require_rank, require_shape
from snndeploy.graph import Node

LARGEST = 1 << 16  # of stride, padding, dilation, kernel


def add_linear(write: Writer, part: Primitive, x: Node) -> Node:
    """y = W x + b over the last dimension."""
    weight, shape = np.asarray(part.value.weight), write.shape(x)
    if weight.ndim != 2 or not weight.size:
        raise part.refuse(f"has a weight of shape {weight.shape}; (outputs, inputs) is due")
    require_shape(part, weight.shape[1:], shape)
    return write.add(part, "", "linear", x, parameters=_weights(part, weight))


def add_scale(write: Writer, part: Primitive, x: Node) -> Node:
    scale = np.asarray(part.value.scale)
    _require_neurons(part, scale, write.shape(x))
    return write.scaled(part, "", x, scale, 0.0)


def add_conv2d(write: Writer, part: Primitive, x: Node) -> Node:
    return _convolve(write, part, x, 2)


def add_conv1d(write: Writer, part: Primitive, x: Node) -> Node:
    """A plane of one row."""
    return _convolve(write, part, x, 1)


def _convolve(write: Writer, part: Primitive, x: Node, rank: int) -> Node:
    weight, shape = np.asarray(part.value.weight), write.shape(x)
    if weight.ndim != rank + 2 or not weight.size:
        raise part.refuse(f"has a weight of shape {weight.shape}; {rank + 2} dimensions are due")
    require_rank(part, rank + 1, shape)
    groups = int(part.value.groups)
    if groups < 1 or len(weight) % groups or weight.shape[1] * groups != shape[0]:
        raise part.refuse(
            f"has {groups} groups, a weight of shape {weight.shape}, and gets {shape[0]} channels"
        )
    stride, dilation = (_sizes(part, name, rank, 1) for name in ("stride", "dilation"))
    padding = _padding(part, weight.shape[2:], dilation, stride)
    if rank == 1:
        weight = weight[:, :, None]
        shape, stride, dilation = (shape[0], 1, shape[1]), [1, *stride], [1, *dilation]
        padding = [0, 0, *padding]
    planes = write.as_planes(part, x, (shape[0], shape[1], shape[2]))
    made = write.add(
        part, "", "conv", planes, parameters=_weights(part, weight),
        stride=stride, padding=padding, dilation=dilation, groups=groups,
    )  # fmt: skip
    _require_plane(part, made)
    return write.as_steps(part, made, None if rank == 2 else (made.shape[1], made.shape[3]))


def _padding(part: Primitive, kernel: Any, dilation: list[int], stride: list[int]) -> list[int]:
    """Before and behind each dimension; 'same' puts the odd one behind, as torch does."""
    given = part.value.padding
    if isinstance(given, str) and given == "same":
        if max(stride) > 1:
            raise part.refuse("has padding 'same' and a stride, which no size meets")
        totals = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
        return [side for total in totals for side in (total // 2, total - total // 2)]
    if isinstance(given, str):
        return [0, 0] * len(kernel)
    return [side for size in _sizes(part, "padding", len(kernel), 0) for side in (size, size)]


def add_sum_pool(write: Writer, part: Primitive, x: Node) -> Node:
    """The average times the size of the window."""
    return _pool(write, part, x, prod(_sizes(part, "kernel_size", 2, 1)))


def add_average_pool(write: Writer, part: Primitive, x: Node) -> Node:
    """Padding counts as zeros, as in the frameworks' default."""
    return _pool(write, part, x, 1)


def _pool(write: Writer, part: Primitive, x: Node, factor: int) -> Node:
    shape = write.shape(x)
    require_rank(part, 3, shape)
    kernel, stride = (_sizes(part, name, 2, 1) for name in ("kernel_size", "stride"))
    rows, columns = _sizes(part, "padding", 2, 0)
    made = write.as_planes(part, x, (shape[0], shape[1], shape[2]))
    if rows or columns:
        padding = [rows, rows, columns, columns]
        made = write.add(part, "padded", "pad", made, padding=padding)
    made = write.add(part, "", "avg_pool", made, kernel=kernel, stride=stride)
    _require_plane(part, made)
    made = write.scaled(part, "summed", made, float(factor), 0.0)
    return write.as_steps(part, made)


def add_flatten(write: Writer, part: Primitive, x: Node) -> Node:
    """Dimensions start to end become one; they are counted without batch and time."""
    shape = write.shape(x)
    start, end = (int(v) % len(shape) for v in (part.value.start_dim, part.value.end_dim))
    if start > end:
        raise part.refuse(f"flattens dimensions {start} to {end}")
    if start == end:
        return x
    atoms = [(("feature", size),) for size in shape]
    joined = tuple(("feature", size) for size in shape[start : end + 1])
    lead = x.axes[: write.lead]
    return write.add(part, "", "view", x, axes=(*lead, *atoms[:start], joined, *atoms[end + 1 :]))


LINEAR: dict[str, Callable[[Writer, Primitive, Node], Node]] = {
    "Affine": add_linear,
    "AvgPool2d": add_average_pool,
    "Conv1d": add_conv1d,
    "Conv2d": add_conv2d,
    "Flatten": add_flatten,
    "Input": lambda write, part, x: x,
    "Linear": add_linear,
    "Output": lambda write, part, x: x,
    "Scale": add_scale,
    "SumPool2d": add_sum_pool,
}
"""What remembers nothing: the same in a graph of all steps and of one."""


def _weights(part: Primitive, weight: np.ndarray) -> dict[str, np.ndarray]:
    bias = getattr(part.value, "bias", None)
    found = {"weight": weight.astype(np.float32)}
    if bias is None or not np.asarray(bias).any():
        return found
    bias = np.asarray(bias)
    if bias.shape != (len(weight),):
        raise part.refuse(f"has a bias of shape {bias.shape} for {len(weight)} outputs")
    return {**found, "bias": bias.astype(np.float32)}


def _sizes(part: Primitive, name: str, count: int, least: int) -> list[int]:
    """A field of one whole number for all dimensions, or of one each."""
    values = np.asarray(getattr(part.value, name))
    sizes = np.broadcast_to(values.reshape(-1), count) if values.size in (1, count) else None
    whole = sizes is not None and sizes.dtype.kind in "iuf" and (sizes == np.rint(sizes)).all()
    if sizes is None or not whole or sizes.min() < least or sizes.max() > LARGEST:
        raise part.refuse(f"has {name} {values.tolist()}; {count} whole numbers of at least"
                          f" {least} are due")  # fmt: skip
    return [int(size) for size in sizes]


def _require_plane(part: Primitive, made: Node) -> None:
    if min(made.shape[-2:]) < 1:
        raise part.refuse("has a kernel that is larger than what it reads")


def _require_neurons(part: Primitive, values: np.ndarray, shape: tuple[int, ...]) -> None:
    if values.size != 1:
        require_shape(part, values.shape, shape)
