"""How far a quantized kernel moves the input current of its neurons, on calibration spikes."""

from __future__ import annotations

import numpy as np

from snndeploy.connections import Connection

LARGEST_WORK = 400_000_000  # multiply-accumulates spent on one candidate


def current_error(
    connection: Connection, weight: np.ndarray, used: np.ndarray, payloads: np.ndarray
) -> float:
    """Mean square of (used - weight) . payloads over targets, steps and (some) samples.

    payloads: (samples, steps, channels, rows, columns) or (samples, steps, features).
    """
    difference = (used - weight).astype(np.float32)
    current = connection.real_sums(_frames(connection, payloads), difference)
    return float(np.mean(np.square(current)))


def _frames(connection: Connection, payloads: np.ndarray) -> np.ndarray:
    """Evenly chosen frames (count, channels, rows, columns), float32."""
    frames = payloads.reshape(-1, *payloads.shape[2:])
    while frames.ndim < 4:
        frames = frames[..., None]
    channels, rows, columns = frames.shape[1:]
    work = connection.multiplications((channels, rows, columns))
    count = int(np.clip(LARGEST_WORK // max(work, 1), 1, len(frames)))
    chosen = np.linspace(0, len(frames) - 1, count).astype(int)
    return frames[chosen].astype(np.float32)
