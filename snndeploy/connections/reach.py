"""How many synapses a spike meets, without expanding them."""

from __future__ import annotations

import numpy as np

from snndeploy.connections.conv import Conv
from snndeploy.connections.dense import Dense
from snndeploy.connections.shape import Shape

Connection = Conv | Dense


def taps_per_position(
    size: int, kernel: int, stride: int, padding: int, dilation: int
) -> np.ndarray:
    """Along one axis: how many output positions read each source position, int64 (size,)."""
    outputs = (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1
    positions = (
        np.arange(outputs)[:, None] * stride + np.arange(kernel)[None, :] * dilation - padding
    ).ravel()
    inside = positions[(positions >= 0) & (positions < size)]
    return np.bincount(inside, minlength=size).astype(np.int64)


def fan_out(connection: Connection, source: Shape) -> np.ndarray:
    """Synapses that one spike of each source neuron triggers, int64, shape (height, width).

    The same for every channel (groups split the outputs evenly).
    """
    _, height, width = source
    if isinstance(connection, Dense):
        rows, columns = connection.weight.shape[2:]
        reach = np.zeros((height, width), dtype=np.int64)
        pool_rows, pool_columns = connection.pool
        reach[: rows * pool_rows, : columns * pool_columns] = connection.weight.shape[0]
        return reach
    kernel = connection.weight.shape[2:]
    taps = [
        taps_per_position(size, k, s, p, d)
        for size, k, s, p, d in zip(
            (height, width),
            kernel,
            connection.stride,
            connection.padding,
            connection.dilation,
            strict=True,
        )
    ]
    return np.outer(taps[0], taps[1]) * (connection.weight.shape[0] // connection.groups)
