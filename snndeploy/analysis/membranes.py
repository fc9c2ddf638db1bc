"""Membranes U before firing: histograms a channel and step (ASA's MPD), PTD, variance, QE.

    PTD          = centre of the peak interval - V_th; the peak interval is the average of the
                   intervals of the three highest bars
    MPD variance = Var(U)
    QE           = mean of (U - S)^2   (the reduction is not stated in the text: mean)
    peak         = PTD with the three bars weighted by what they hold (ours; `patterns` says why)

Bars have a fixed width and an edge at V_th, so bar k covers [V_th + k * width, V_th + (k + 1) *
width) whatever the data and however it is cut into batches.  Of equal bars the one of the lower
membrane counts as higher; a distribution with fewer than three bars averages those it has.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from snndeploy.errors import DataError

FARTHEST_BAR = 4096  # bars on either side of V_th; what lies beyond is counted, not drawn
LARGEST_HISTOGRAM = 32_000_000  # bars of one layer: steps x channels x bars, 8 bytes each
SPARE_BARS = 16
PEAK_BARS = 3


class MembraneSums:
    """Sums over samples of one layer; every array is (timesteps, channels, ...).

    Distances are U - V_th, so that sums of squares lose little to rounding.
    """

    def __init__(
        self, name: str, timesteps: int, channels: int, threshold: float, width: float
    ) -> None:
        self.name, self.threshold, self.width = name, threshold, width
        rows = (timesteps, channels)
        self.low = 0  # lattice index of the first bar
        self.histogram = np.zeros((*rows, 0), dtype=np.int64)
        self.below = np.zeros(rows, dtype=np.int64)
        self.above = np.zeros(rows, dtype=np.int64)
        self.count = np.zeros(rows, dtype=np.int64)
        self.distance_sum = np.zeros(rows)
        self.distance_square_sum = np.zeros(rows)
        self.error_square_sum = np.zeros(rows)

    def take(self, step: int, distance: np.ndarray, fired: np.ndarray) -> None:
        """distance: U - V_th, float64 (samples, channels, height, width); fired: bool.

        Raises:
            DataError: the bars would not fit into memory.
        """
        self.count[step] += distance.size // distance.shape[1]
        self.distance_sum[step] += distance.sum(axis=(0, 2, 3))
        self.distance_square_sum[step] += np.einsum("bchw,bchw->c", distance, distance)
        error = distance + (self.threshold - fired)
        self.error_square_sum[step] += np.einsum("bchw,bchw->c", error, error)
        self._count_bars(step, distance)

    def _count_bars(self, step: int, distance: np.ndarray) -> None:
        bars = np.floor(distance / self.width)
        smallest, largest = float(bars.min()), float(bars.max())
        if not np.isfinite(smallest + largest):
            raise DataError(f"{self.name}: membranes are NaN or infinite; nothing can be counted")
        if smallest < -FARTHEST_BAR or largest >= FARTHEST_BAR:
            low, high = bars < -FARTHEST_BAR, bars >= FARTHEST_BAR
            self.below[step] += np.count_nonzero(low, axis=(0, 2, 3))
            self.above[step] += np.count_nonzero(high, axis=(0, 2, 3))
            smallest, largest = max(smallest, -FARTHEST_BAR), min(largest, FARTHEST_BAR - 1)
            bars = np.where(low | high, np.nan, bars)
            if smallest > largest:
                return
        self._make_room(int(smallest), int(largest))
        channels, room = self.histogram.shape[1:]
        first = np.arange(channels)[:, None, None] * room - self.low
        places = (bars + first).ravel()
        places = places[~np.isnan(places)].astype(np.int64)
        counted = np.bincount(places, minlength=channels * room)
        self.histogram[step] += counted.reshape(channels, room)

    def _make_room(self, smallest: int, largest: int) -> None:
        steps, channels, room = self.histogram.shape
        if room and self.low <= smallest and largest < self.low + room:
            return
        start, stop = (self.low, self.low + room) if room else (smallest, largest + 1)
        if smallest < start or not room:
            start = max(-FARTHEST_BAR, smallest - SPARE_BARS)
        if largest >= stop or not room:
            stop = min(FARTHEST_BAR, largest + 1 + SPARE_BARS)
        bars = steps * channels * (stop - start)
        if bars > LARGEST_HISTOGRAM:
            raise DataError(
                f"{self.name}: histograms of {steps} steps x {channels} channels x"
                f" {stop - start} bars of {self.width:g} are {bars:,} bars; at most"
                f" {LARGEST_HISTOGRAM:,} are kept: give a larger --bin-width"
            )
        wider = np.zeros((steps, channels, stop - start), dtype=np.int64)
        if room:
            wider[:, :, self.low - start : self.low - start + room] = self.histogram
        self.low, self.histogram = start, wider

    def result(self) -> Membranes:
        """The sums as figures, the histogram without its empty ends."""
        used = np.flatnonzero(self.histogram.sum(axis=(0, 1)))
        first, last = (int(used[0]), int(used[-1]) + 1) if len(used) else (0, 0)
        return Membranes(
            threshold=self.threshold,
            width=self.width,
            low=self.low + first,
            histogram=self.histogram[:, :, first:last].copy(),
            below=self.below,
            above=self.above,
            count=self.count,
            distance_sum=self.distance_sum,
            distance_square_sum=self.distance_square_sum,
            error_square_sum=self.error_square_sum,
        )


@dataclass(frozen=True, eq=False)
class Membranes:
    """What `MembraneSums` added up; below, above: values beyond the farthest bars."""

    threshold: float
    width: float
    low: int
    histogram: np.ndarray
    below: np.ndarray
    above: np.ndarray
    count: np.ndarray
    distance_sum: np.ndarray
    distance_square_sum: np.ndarray
    error_square_sum: np.ndarray

    @property
    def edges(self) -> np.ndarray:
        """Edges of the bars in membrane units, (bars + 1,)."""
        bars = self.histogram.shape[2]
        return self.threshold + self.width * np.arange(self.low, self.low + bars + 1)

    @property
    def outside(self) -> int:
        return int(self.below.sum() + self.above.sum())

    def ptd(self, by_step: bool = False) -> np.ndarray:
        """PTD a channel, (channels,) or (timesteps, channels), membrane units.

        NaN where values beyond the farthest bars could have been a higher bar.
        """
        histogram, outside = self.histogram, self.below + self.above
        if not by_step:
            histogram, outside = histogram.sum(axis=0), outside.sum(axis=0)
        return peak_to_threshold(histogram, outside, self.low, self.width)

    def peak(self, by_step: bool = False) -> np.ndarray:
        """The weighted peak less V_th, in bars; shapes and NaN as in `ptd`."""
        histogram, outside = self.histogram, self.below + self.above
        if not by_step:
            histogram, outside = histogram.sum(axis=0), outside.sum(axis=0)
        return peak_bars(histogram, outside, self.low, weighted=True)

    def variance(self, by_step: bool = False) -> np.ndarray:
        """Var(U) a channel, (channels,) or (timesteps, channels)."""
        count, total, squares = (
            values if by_step else values.sum(axis=0)
            for values in (self.count, self.distance_sum, self.distance_square_sum)
        )
        return np.maximum(squares / count - np.square(total / count), 0.0)

    def quantization_error(self, by_step: bool = False) -> np.ndarray:
        """QE a channel, (channels,) or (timesteps, channels)."""
        if by_step:
            return self.error_square_sum / self.count
        found: np.ndarray = self.error_square_sum.sum(axis=0) / self.count.sum(axis=0)
        return found

    @property
    def layer_variance(self) -> float:
        """Var(U) of all neurons and steps together."""
        mean = self.distance_sum.sum() / self.count.sum()
        return max(float(self.distance_square_sum.sum() / self.count.sum() - mean**2), 0.0)

    @property
    def layer_quantization_error(self) -> float:
        return float(self.error_square_sum.sum() / self.count.sum())

    @property
    def layer_ptd(self) -> float:
        """PTD of the layer's one histogram; NaN as in `ptd`."""
        histogram = self.histogram.sum(axis=(0, 1))[None]
        outside = np.array([self.outside])
        return float(peak_to_threshold(histogram, outside, self.low, self.width)[0])


def peak_to_threshold(
    histogram: np.ndarray, outside: np.ndarray, low: int, width: float
) -> np.ndarray:
    """Centre of the peak interval minus V_th of every row (..., bars); NaN: not known."""
    return width * peak_bars(histogram, outside, low)


def peak_bars(
    histogram: np.ndarray, outside: np.ndarray, low: int, weighted: bool = False
) -> np.ndarray:
    """Mean centre of the three highest bars of every row, in bars above V_th; NaN: not known.

    weighted: by the values in each bar.
    """
    left = histogram.copy()
    total = np.zeros(left.shape[:-1])
    weights = np.zeros(left.shape[:-1], dtype=np.int64)
    lowest = np.zeros(left.shape[:-1], dtype=np.int64)
    for _ in range(min(PEAK_BARS, left.shape[-1])):
        place = left.argmax(axis=-1)[..., None]
        height = np.take_along_axis(left, place, axis=-1)[..., 0]
        weight = height if weighted else (height > 0).astype(np.int64)
        total += weight * (place[..., 0] + low + 0.5)
        weights += weight
        lowest = height
        np.put_along_axis(left, place, 0, axis=-1)
    known = (weights > 0) & (outside <= lowest)
    return np.where(known, total / np.maximum(weights, 1), np.nan)
