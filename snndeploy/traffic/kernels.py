"""The loops over spikes that traffic needs, compiled by numba to run at the speed of memory."""

from __future__ import annotations

import numba
import numpy as np


@numba.njit(cache=True, nogil=True, error_model="numpy")
def sum_by_group(
    values: np.ndarray, channels: np.ndarray, group_of: np.ndarray, sums: np.ndarray
) -> None:
    """Count the values that are not zero by the group of their neuron.

    values: integers (steps, positions, C).  channels: int64 (segments + 1,), bounds of the channel
    segments.  group_of: int32 (maps, segments, positions), a row of `sums` in each map.
    sums: int64 (groups, steps), added to.
    """
    for step in range(values.shape[0]):
        for segment in range(len(channels) - 1):
            block = values[step, :, channels[segment] : channels[segment + 1]]
            for position in range(block.shape[0]):
                row = block[position]
                count = np.int32(0)
                for channel in range(row.shape[0]):
                    count = np.int32(count + np.int32(row[channel] != 0))
                for number in range(group_of.shape[0]):
                    sums[group_of[number, segment, position], step] += count


@numba.njit(cache=True, nogil=True, error_model="numpy")
def sum_operations(
    values: np.ndarray,
    class_of: np.ndarray,
    first: np.ndarray,
    line: np.ndarray,
    counted: np.ndarray,
    sums: np.ndarray,
) -> None:
    """Count the operations that values which are not zero trigger, by line.

    values: integers (steps, positions, C).  class_of, first, line, counted: of
    `layout.operations.Operations`.  sums: int64 (lines, steps), added to.
    """
    channels = values.shape[2]
    spikes = np.zeros((len(first) - 1, channels), dtype=np.int32)
    for step in range(values.shape[0]):
        spikes[:] = 0
        for position in range(values.shape[1]):
            row, into = values[step, position], spikes[class_of[position]]
            for channel in range(channels):
                into[channel] += np.int32(row[channel] != 0)
        for klass in range(len(first) - 1):
            sent = spikes[klass]
            for entry in range(first[klass], first[klass + 1]):
                each = counted[entry]
                total = np.int64(0)
                for channel in range(channels):
                    total += np.int64(sent[channel]) * np.int64(each[channel])
                sums[line[entry], step] += total
