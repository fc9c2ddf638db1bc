"""Weights as a `.net` file stores them, and what NetX and Lava make of them.

NetX passes dense weights through `optimize_weight_bits` (netx/utils.py) and Lava's Dense clips and
truncates the result (lava/utils/weightutils.py).  `dense_holds` replays both and says whether the
weights survive in simulation; `chip_holds` is the stricter rule of the synapses.  Lava's Conv takes
any integer unchanged, so a dense layer with wider weights is written as a convolution over the
whole plane; that is exact in simulation, and no synapse of the chip holds it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from snndeploy.backends.netx.backend import ALLOWED
from snndeploy.backends.netx.chain import unsupported
from snndeploy.connections import Conv, Dense, Shape
from snndeploy.network import Projection

LARGEST_EXPANSION = 1 << 28  # weights of one layer once a shared pool is written out
NARROWEST, WIDEST = -256, 255  # mixed signs, netx/utils.py


def effective_weight(projection: Projection, source: Shape) -> np.ndarray:
    """int64 weights with the exponent applied: a Conv's kernel, or (outputs, C, H, W) of a Dense
    over the whole source plane."""
    weight = projection.connection.weight.astype(np.int64)
    match projection.connection:
        case Conv():
            pass
        case Dense() as dense:
            weight = _written_out(projection, dense.pool, weight, source)
        case _:
            raise ALLOWED.refused_connection(projection)
    if projection.exponent >= 0:
        return weight << projection.exponent
    if (weight % (1 << -projection.exponent)).any():
        raise unsupported(
            projection.target,
            f"has weight exponent {projection.exponent}, which rounds the sum of its inputs; a "
            ".net file stores weights without one",
        )
    return weight >> -projection.exponent


def _written_out(
    projection: Projection, pool: tuple[int, int], weight: np.ndarray, source: Shape
) -> np.ndarray:
    """A pooled dense layer: every position of a window has the window's weight."""
    synapses = weight.shape[0] * math.prod(source)
    if synapses > LARGEST_EXPANSION:
        raise unsupported(projection.target, f"needs {synapses} weights written out one by one")
    full = np.zeros((weight.shape[0], *source), dtype=np.int64)
    spread = weight.repeat(pool[0], axis=2).repeat(pool[1], axis=3)
    full[:, :, : spread.shape[2], : spread.shape[3]] = spread
    return full


def dense_holds(matrices: Sequence[np.ndarray]) -> bool:
    """Whether NetX's Dense computes with exactly these weights (inputs side by side)."""
    joined = np.concatenate([m.reshape(m.shape[0], -1) for m in matrices], axis=1)
    lowest, highest = int(joined.min()), int(joined.max())
    if lowest == highest == 0 or lowest < NARROWEST or highest > WIDEST:
        return False  # NetX divides by the largest weight, so an all-zero layer does not load
    scale_bits, weight_bits = _optimized(joined, lowest, highest)
    if scale_bits < 0:
        return False
    return all(_survives(matrix << scale_bits, weight_bits) for matrix in matrices)


def chip_holds(weight: np.ndarray) -> bool:
    """Whether an 8-bit synapse holds the weights: nine bits with a zero lowest where signs mix."""
    lowest, highest = int(weight.min()), int(weight.max())
    if not lowest < 0 < highest:
        return max(-lowest, highest) <= WIDEST
    if lowest < NARROWEST or highest > WIDEST:
        return False
    return (lowest >= -128 and highest <= 127) or not (weight % 2).any()


def _optimized(weight: np.ndarray, lowest: int, highest: int) -> tuple[int, int]:
    """(left shift, weight bits) that optimize_weight_bits chooses."""
    mixed = 1 if lowest < 0 <= highest else 0
    if mixed:
        scale = min(127 / highest if highest else math.inf, -128 / lowest)
    else:
        scale = -256 / lowest if highest < 0 else 255 / highest
    scale_bits = math.floor(math.log2(scale)) + mixed
    zeros = next((n for n in range(8, 0, -1) if not (weight % (1 << n)).any()), 0)
    return scale_bits, 8 - scale_bits - (zeros - mixed)


def _survives(weight: np.ndarray, weight_bits: int) -> bool:
    """Lava's clip_weights and truncate_weights leave it as it is."""
    sign = -1 if weight.max() <= 0 and weight.min() < 0 else 1
    mixed = 1 if weight.min() < 0 < weight.max() else 0
    magnitude = sign * weight
    if magnitude.min() < -256 * mixed or magnitude.max() > 255:
        return False
    lost_bits = 8 - weight_bits + mixed
    if lost_bits < 0:  # one sign inside a mixed whole: Lava shifts by -1, which is undefined
        return False
    return not (magnitude % (1 << lost_bits)).any()


def as_kernel(projection: Projection, weight: np.ndarray) -> Conv:
    """The same synapses as a convolution: a dense layer is one position over the whole plane."""
    match projection.connection:
        case Conv() as conv:
            return conv.with_weight(weight)
        case Dense():
            return Conv(weight)
    raise ALLOWED.refused_connection(projection)
