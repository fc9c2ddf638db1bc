"""How far a quantized kernel moves the input current of its neurons, on calibration spikes."""

from __future__ import annotations

import numpy as np

from snndeploy.connections import Connection, Dense
from snndeploy.tensors import convolve

LARGEST_WORK = 400_000_000  # multiply-accumulates spent on one candidate


def current_error(
    connection: Connection, weight: np.ndarray, used: np.ndarray, payloads: np.ndarray
) -> float:
    """Mean square of (used - weight) . payloads over targets, steps and (some) samples.

    payloads: (samples, steps, channels, rows, columns) or (samples, steps, features).
    """
    difference = (used - weight).astype(np.float32)
    frames = _frames(connection, payloads, weight)
    if isinstance(connection, Dense):
        pooled = _pooled(connection, frames)
        current = pooled @ difference.reshape(len(difference), -1).T
    else:
        current = convolve(
            frames, difference, connection.stride, connection.padding, connection.dilation,
            connection.groups,
        )  # fmt: skip
    return float(np.mean(np.square(current)))


def _frames(connection: Connection, payloads: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Evenly chosen frames (count, channels, rows, columns), float32."""
    frames = payloads.reshape(-1, *payloads.shape[2:])
    while frames.ndim < 4:
        frames = frames[..., None]
    positions = 1 if isinstance(connection, Dense) else frames.shape[2] * frames.shape[3]
    work = weight.size * positions
    count = int(np.clip(LARGEST_WORK // max(work, 1), 1, len(frames)))
    chosen = np.linspace(0, len(frames) - 1, count).astype(int)
    return frames[chosen].astype(np.float32)


def _pooled(connection: Dense, frames: np.ndarray) -> np.ndarray:
    """Sums over the pool's windows, flat: (count, columns of the weight)."""
    count, channels, *_ = frames.shape
    rows, columns = connection.weight.shape[2:]
    high, wide = connection.pool
    whole = frames[:, :, : rows * high, : columns * wide]
    windows = whole.reshape(count, channels, rows, high, columns, wide)
    pooled: np.ndarray = windows.sum(axis=(3, 5)).reshape(count, -1)
    return pooled
