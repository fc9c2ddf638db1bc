"""How far a quantized kernel moves the input current of its neurons, on calibration spikes."""

from __future__ import annotations

import numpy as np
import torch

from snndeploy.network import Connection, Dense

LARGEST_WORK = 400_000_000  # multiply-accumulates spent on one candidate


def current_error(
    connection: Connection, weight: np.ndarray, used: np.ndarray, payloads: np.ndarray
) -> float:
    """Mean square of (used - weight) . payloads over targets, steps and (some) samples.

    payloads: (samples, steps, channels, rows, columns) or (samples, steps, features).
    """
    difference = torch.from_numpy(np.ascontiguousarray(used - weight, dtype=np.float32))
    frames = _frames(connection, payloads, weight)
    if isinstance(connection, Dense):
        current = torch.nn.functional.linear(_pooled(connection, frames), difference.flatten(1))
    else:
        current = torch.nn.functional.conv2d(
            frames, difference, None, connection.stride, connection.padding,
            connection.dilation, connection.groups,
        )  # fmt: skip
    return float((current**2).mean())


def _frames(connection: Connection, payloads: np.ndarray, weight: np.ndarray) -> torch.Tensor:
    frames = payloads.reshape(-1, *payloads.shape[2:])
    while frames.ndim < 4:
        frames = frames[..., None]
    positions = 1 if isinstance(connection, Dense) else frames.shape[2] * frames.shape[3]
    work = weight.size * positions
    count = int(np.clip(LARGEST_WORK // max(work, 1), 1, len(frames)))
    chosen = np.linspace(0, len(frames) - 1, count).astype(int)
    return torch.from_numpy(np.ascontiguousarray(frames[chosen], dtype=np.float32))


def _pooled(connection: Dense, frames: torch.Tensor) -> torch.Tensor:
    if connection.pool != (1, 1):
        scale = connection.pool[0] * connection.pool[1]
        frames = torch.nn.functional.avg_pool2d(frames, connection.pool) * scale
    return frames.flatten(1)
