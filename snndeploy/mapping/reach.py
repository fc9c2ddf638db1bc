"""Reach: which source neurons a box of target neurons is wired to, without expanding a synapse.

Both kinds of connection are separable.  The number of synapses from the source neuron (c, y, x)
into a box of target neurons (channels, rows, columns) is

    channel_reach[c] * axis_reach(rows)[y] * axis_reach(columns)[x]

so two short vectors per box and one per channel range stand for all of them.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from snndeploy.connections import Connection, Conv, Dense, Shape

Range = tuple[int, int]


@lru_cache(maxsize=4096)
def _conv_axis(size: int, kernel: int, stride: int, padding: int, dilation: int) -> np.ndarray:
    outputs = (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1
    taps = np.arange(outputs)[:, None] * stride + np.arange(kernel) * dilation - padding
    read = np.zeros((outputs + 1, size), dtype=np.int32)
    row, tap = np.nonzero((taps >= 0) & (taps < size))
    np.add.at(read, (row + 1, taps[row, tap]), 1)
    return _frozen(np.cumsum(read, axis=0, dtype=np.int32))


@lru_cache(maxsize=4096)
def _dense_axis(size: int, covered: int) -> np.ndarray:
    read = np.zeros((2, size), dtype=np.int32)
    read[1, :covered] = 1
    return _frozen(read)


def _frozen(array: np.ndarray) -> np.ndarray:
    array.setflags(write=False)
    return array


def axis_table(connection: Connection, source: Shape, axis: int) -> np.ndarray:
    """Cumulative taps along one axis (0: rows, 1: columns), int32 (target size + 1, source size).

    Row b minus row a says how often target positions a..b-1 read each source position.
    """
    size = source[1 + axis]
    if isinstance(connection, Dense):
        return _dense_axis(size, connection.weight.shape[2 + axis] * connection.pool[axis])
    return _conv_axis(
        size,
        connection.weight.shape[2 + axis],
        connection.stride[axis],
        connection.padding[axis],
        connection.dilation[axis],
    )


def axis_reach(connection: Connection, source: Shape, axis: int, target: Range) -> np.ndarray:
    """How often the target positions of a range read each source position, int32 (source size,)."""
    table = axis_table(connection, source, axis)
    return table[target[1]] - table[target[0]]


def group_reach(connection: Connection, target: Range) -> np.ndarray:
    """Target channels of a range that each group of source channels feeds, int64 (groups,)."""
    if isinstance(connection, Dense):
        return np.array([target[1] - target[0]], dtype=np.int64)
    each = connection.weight.shape[0] // connection.groups
    first = np.arange(connection.groups, dtype=np.int64) * each
    return np.clip(np.minimum(target[1], first + each) - np.maximum(target[0], first), 0, None)


def channel_reach(connection: Connection, source_channels: int, target: Range) -> np.ndarray:
    """Target channels of a range that each source channel feeds, int64 (source channels,)."""
    groups = group_reach(connection, target)
    return np.repeat(groups, source_channels // len(groups))


def is_shared_by_position(connection: Connection) -> bool:
    """Whether one axon can serve all channels of a source position (a population axon).

    A convolution and a pooled dense layer repeat their weights over positions; a plain dense
    layer has weights of its own for each source neuron.
    """
    return isinstance(connection, Conv) or connection.pool != (1, 1)
