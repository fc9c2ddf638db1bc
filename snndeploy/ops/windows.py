"""mean_windows and max_windows: pools whose windows are cut off at the edge, or uneven.

    mean   y[r, c] = sum of x over rows start[r]..stop[r]-1, columns start[c]..stop[c]-1
                     / (count[r] * count[c])
    max    y[r, c] = the largest of them

A window is [start, stop, count]: of ceil-mode, padded and adaptive pools alike.  Pools whose
windows are all alike are `ops.pool`'s.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
import torch

from snndeploy.connections import Conv, Shape
from snndeploy.connections.algebra import LARGEST_DENSE, NotComposable, symmetric
from snndeploy.graph import Axes, Block, Node
from snndeploy.ops import common
from snndeploy.ops.form import Form, Kernel, Matrix, named_plane, of_named_plane
from snndeploy.ops.kind import (
    Cost,
    Firing,
    FixedPoint,
    OnSpikes,
    OpKind,
    Record,
    Role,
    Summed,
    Trait,
)
from snndeploy.ops.pool import maximum_blocked
from snndeploy.ops.record import MOST, is_whole
from snndeploy.ops.window_tables import Window, regular
from snndeploy.tensors import tensor


def _window_conv(node: Node, shape: Shape) -> Conv | None:
    """Sums of the windows as a convolution, or None."""
    found = [
        regular(node.attributes[key], size)
        for key, size in zip(("rows", "columns"), shape[1:], strict=True)
    ]
    rows, columns = found
    if rows is None or columns is None:
        return None
    outside = (rows.before, rows.after, columns.before, columns.after)
    ones = np.ones((shape[0], 1, rows.kernel, columns.kernel))
    weight, padding, _ = symmetric(ones, outside, (1, 1))
    return Conv(weight, (rows.stride, columns.stride), padding, groups=shape[0])


def _members(windows: Sequence[Window], size: int) -> np.ndarray:
    """1 where a window has a position, float64 (windows, size)."""
    place = np.arange(size)
    return np.array([(start <= place) & (place < stop) for start, stop, _ in windows], dtype=float)


def _counts(node: Node) -> np.ndarray:
    """What each window's sum is divided by."""
    rows, columns = ([count for *_, count in node.attributes[key]] for key in ("rows", "columns"))
    return np.outer(rows, columns)


def mean(node: Node, inputs: Sequence[Any], batch: int, timesteps: int) -> Any:
    (x,) = inputs
    rows, columns = (
        tensor(_members(node.attributes[key], size), x.dtype)
        for key, size in zip(("rows", "columns"), x.shape[-2:], strict=True)
    )
    return rows @ x @ columns.T / tensor(_counts(node), x.dtype)


def maximum(node: Node, inputs: Sequence[Any], batch: int, timesteps: int) -> Any:
    (x,) = inputs
    for key, along in (("rows", -2), ("columns", -1)):
        windows = node.attributes[key]
        parts = [x.narrow(along, start, stop - start) for start, stop, _ in windows]
        x = torch.stack([part.amax(along) for part in parts], along)
    return x


def axes(node: Node, inputs: Sequence[Axes]) -> Axes:
    *outer, rows, columns = inputs[0]
    common.refuse_batch((rows, columns), "pools")
    return (*outer, *(common.feature(len(node.attributes[key])) for key in ("rows", "columns")))


def contracts_time(node: Node, inputs: Sequence[Node]) -> bool:
    return any(common.has_time(dimension) for dimension in inputs[0].axes[-2:])


def mean_forms(node: Node, inputs: Sequence[Node], shapes: Sequence[Shape]) -> list[Form]:
    """A kernel where all windows count the same; else a matrix, which no kernel reads."""
    seen, counts = named_plane(inputs[0], shapes[0]), _counts(node)
    (channels, *plane), conv = seen, _window_conv(node, seen)
    if conv is not None and np.all(counts == counts[0, 0]):
        kernel = Kernel(conv.with_weight(conv.weight / counts[0, 0]), seen)
        return [of_named_plane(kernel, shapes[0])]
    if channels**2 * prod(plane) * counts.size > LARGEST_DENSE:
        raise NotComposable(
            f"averages of windows of different sizes ({_sizes(node)}) of {channels} channels; an"
            " even pool, or a plane padded to a multiple of the window, has one"
        )
    rows, columns = (
        _members(node.attributes[key], size)
        for key, size in zip(("rows", "columns"), plane, strict=True)
    )
    each = np.einsum("ay,bx->abyx", rows, columns) / counts[:, :, None, None]
    matrix = np.einsum("oc,abyx->oabcyx", np.eye(channels), each)
    return [Matrix(matrix.reshape(-1, *shapes[0]))]


def _sizes(node: Node) -> str:
    pairs = {
        f"{down[2]}x{across[2]}"
        for down in node.attributes["rows"]
        for across in node.attributes["columns"]
    }
    return ", ".join(sorted(pairs))


def mean_summed(node: Node, inputs: Sequence[Node], parts: Sequence[Summed]) -> Summed | None:
    """Of windows that count the same, as many spikes as the fullest has."""
    counts = _counts(node)
    if np.any(counts != counts[0, 0]):
        return None
    return Summed(parts[0].window * int(counts[0, 0]), parts[0].ones * _most(node))


def _most(node: Node) -> int:
    """Members of the largest window."""
    return prod(
        max(stop - start for start, stop, _ in node.attributes[key]) for key in ("rows", "columns")
    )


def windows_blocked(node: Node, inputs: Sequence[Node], driven: bool) -> Block | None:
    rows, columns = inputs[0].step_shape[-2:]
    if _window_conv(node, (1, rows, columns)) is None:
        return Block(
            "takes the maximum of windows of different sizes",
            advice="choose a size that divides the plane, or a kernel and stride",
        )
    return maximum_blocked(node, inputs, driven)


def any_spike(node: Node, inputs: Sequence[Node], shape: Shape) -> Firing | None:
    conv = _window_conv(node, shape)
    return None if conv is None else Firing(conv, 1)


def record(node: Node, inputs: Sequence[Sequence[int]], found: Sequence[int]) -> bool:
    if len(inputs[0]) not in (3, 4):
        return False
    return all(
        is_whole(start, 0, stop - 1) and is_whole(stop, 1, size) and is_whole(count, 1, MOST)
        for key, size in zip(("rows", "columns"), inputs[0][-2:], strict=True)
        for start, stop, count in node.attributes[key]
    )


MEAN_WINDOWS = OpKind(
    name="mean_windows", role=Role.LINEAR,
    evaluate=mean, axes=axes, signal=common.real, contracts_time=contracts_time,
    blocked=common.possible, chip=common.by_form(mean_forms),
    cost=Cost(
        summed=mean_summed, multiplications=common.one_an_element, work=common.additions_of_inputs,
    ),
    traits=Trait.NONE,
    fixed=FixedPoint(on_grid=False, terms=lambda node, x, value: (_most(node), False)),
    record=Record(fewest=1, most=1, rule=record), torch={},
)  # fmt: skip
MAX_WINDOWS = OpKind(
    name="max_windows", role=Role.POOLING,
    evaluate=maximum, axes=axes, signal=common.same, contracts_time=contracts_time,
    blocked=windows_blocked, chip=OnSpikes(any_spike), cost=common.MOVED,
    traits=Trait.KEEPS_COUNT, fixed=common.ON_GRID,
    record=Record(fewest=1, most=1, rule=record), torch={},
)  # fmt: skip
