"""The one loop over spikes that traffic needs, compiled by numba to run at the speed of memory."""

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
