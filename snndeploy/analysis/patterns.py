"""Patterns of a channel (ASA): noise (dense), null (silent), and ghosts of each other.

    noise  PTD >= 0: the membranes' peak lies at or above the threshold, the channel fires densely
    null   no neuron of the channel fired in any sample
    ghost  two channels whose ASRV maps (averaged over samples and steps) are alike: Pearson
           correlation over the positions, at least the given threshold
The papers name no similarity.  Pearson is blind to how much a channel fires, so that it compares
where, not how often; maps that are the same everywhere, and null channels, have none.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

LISTED_PAIRS = 10


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


def noise_channels(ptd: np.ndarray) -> list[int]:
    """Channels whose PTD (channels,) is known and not negative."""
    found: list[int] = np.flatnonzero(np.nan_to_num(ptd, nan=-1.0) >= 0).tolist()
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
