"""Patterns of a channel (ASA): noise (dense), null (silent), and ghosts of each other.

    noise  the peak interval of the membranes holds V_th or lies above it: the channel fires densely
    null   no neuron of the channel fired in any sample
    ghost  two channels whose ASRV maps (averaged over samples and steps) are alike: Pearson
           correlation over the positions, at least the given threshold
The paper's rule is a PTD near 0 or greater, and it does not say how near.  A peak is known to a
bar, so "near" is an interval, half a bar to either side of the peak, that holds V_th.  The peak is
the three highest bars weighted by what they hold.  The plain mean of the PTD counts a bar of a few
values as much as one of half of them: where U has few levels (a neuron that reads spikes alone)
every channel would get the same label, and a channel that lies at V_th with one bar of chance far
below it none.  For three equal bars both are the same.

The papers name no similarity.  Pearson is blind to how much a channel fires, so that it compares
where, not how often; maps that are the same everywhere, and null channels, have none.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

LISTED_PAIRS = 10
NOISE_FROM = -0.5 + 1e-9  # bars; the rest is for the rounding of a mean


@dataclass(frozen=True)
class GhostPairs:
    """channels: how many could be compared; pairs: of them at least `threshold` alike; top: the
    most similar of these (first channel, second, similarity)."""

    threshold: float
    channels: int
    pairs: int
    top: tuple[tuple[int, int, float], ...]

    @property
    def compared(self) -> int:
        return self.channels * (self.channels - 1) // 2


def noise_channels(peak: np.ndarray) -> list[int]:
    """Channels whose peak (channels,), in bars from V_th, is known and reaches V_th.

    Half a bar below and no more is a peak that ends at V_th: nothing of it fires.
    """
    found: list[int] = np.flatnonzero(np.nan_to_num(peak, nan=-1.0) > NOISE_FROM).tolist()
    return found


def null_channels(counts: np.ndarray) -> list[int]:
    """Channels that never fired; counts: (timesteps, channels, height, width)."""
    found: list[int] = np.flatnonzero(counts.sum(axis=(0, 2, 3)) == 0).tolist()
    return found


def ghost_pairs(counts: np.ndarray, threshold: float) -> GhostPairs | None:
    """Similar channels by spike counts (timesteps, channels, height, width).

    None for maps of one position, which have no pattern to compare.
    """
    maps = counts.sum(axis=0).reshape(counts.shape[1], -1)
    if maps.shape[1] < 2:
        return None
    varied = np.flatnonzero(maps.max(axis=1) != maps.min(axis=1))
    likeness = pearson(maps[varied].astype(np.float64))
    first, second = np.triu_indices(len(varied), k=1)
    values = likeness[first, second]
    alike = np.flatnonzero(values >= threshold)
    order = alike[np.argsort(-values[alike], kind="stable")][:LISTED_PAIRS]
    top = tuple(
        (int(varied[first[i]]), int(varied[second[i]]), float(values[i])) for i in order.tolist()
    )
    return GhostPairs(threshold, len(varied), len(alike), top)


def pearson(maps: np.ndarray) -> np.ndarray:
    """Correlations (rows, rows) of maps (rows, positions), none of them constant."""
    centred = maps - maps.mean(axis=1, keepdims=True)
    unit = centred / np.linalg.norm(centred, axis=1, keepdims=True)
    # rounding may lift a copy's likeness over 1, or drop it below
    found: np.ndarray = np.clip(np.round(unit @ unit.T, 12), -1.0, 1.0)
    return found
