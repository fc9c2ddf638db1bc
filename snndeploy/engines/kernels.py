"""Integer loops over sums and synapses, compiled by numba; without the interpreter lock."""

from __future__ import annotations

import numba
import numpy as np

Array = np.ndarray

_compile = numba.njit(cache=True, nogil=True, error_model="numpy")


@_compile
def add_shifted(total: Array, contribution: Array, exponent: int, begin: bool) -> None:
    """total = (0 if begin else total) + (contribution << exponent); flat arrays.

    contribution holds integers of any type; a negative exponent rounds down.
    """
    for i in range(total.shape[0]):
        value = np.int64(contribution[i])
        shifted = value << exponent if exponent >= 0 else value >> -exponent
        total[i] = shifted if begin else total[i] + shifted


@_compile
def gather_sums(
    payload: Array, weight: Array, stride: tuple[int, int], padding: tuple[int, int],
    dilation: tuple[int, int], sums: Array,
) -> None:  # fmt: skip
    """Convolution that adds one row of weights per spike: for low rates.

    payload: (images, H, W, C) uint8 of 0 and 1.   weight: (kernel_h, kernel_w, C, outputs) int8.
    sums: (images, H', W', outputs) float32, out; exact below 2^24.
    """
    images, height, width, channels = payload.shape
    channel = np.empty(height * width * channels, dtype=np.int32)  # of each spike, by position
    first = np.empty(height * width + 1, dtype=np.int64)
    total = np.empty(weight.shape[3], dtype=np.int32)
    for image in range(images):
        spikes = 0
        for y in range(height):
            for x in range(width):
                first[y * width + x] = spikes
                for c in range(channels):
                    if payload[image, y, x, c]:
                        channel[spikes] = c
                        spikes += 1
        first[height * width] = spikes
        for row in range(sums.shape[1]):
            for column in range(sums.shape[2]):
                total[:] = 0
                for tap_y in range(weight.shape[0]):
                    y = row * stride[0] + tap_y * dilation[0] - padding[0]
                    if y < 0 or y >= height:
                        continue
                    for tap_x in range(weight.shape[1]):
                        x = column * stride[1] + tap_x * dilation[1] - padding[1]
                        if x < 0 or x >= width:
                            continue
                        for spike in range(first[y * width + x], first[y * width + x + 1]):
                            added = weight[tap_y, tap_x, channel[spike]]
                            for output in range(added.shape[0]):
                                total[output] += added[output]
                for output in range(total.shape[0]):
                    sums[image, row, column, output] = total[output]
