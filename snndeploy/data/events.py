"""Recordings of an event camera, and how they become frames.

A frame counts the events of a bin at their place,

    x[n, k, p, r, c] = number of events of recording n in bin k with polarity p, row r, column c
    k = floor((t - t_first) / bin_us)                        bins of a fixed length
    k = floor(frames * (t - t_first) / (t_last - t_first + 1))   as many bins for each recording

and what lies behind the last frame is left out.  A row is y, a column x; polarity 1 is ON.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from snndeploy.data.binning import Binning
from snndeploy.data.samples import Data
from snndeploy.errors import DataError
from snndeploy.files.budget import check_budget

EVENT_KEYS = ("x", "y", "p", "t", "offset", "label", "sensor")
MOST_FRAMES = 1 << 20
MOST_PIXELS = 1 << 24


@dataclass(frozen=True, eq=False)
class Events:
    """Columns x, y, p, t of all recordings, one behind the other.

    offset: where each begins, and the end of the last.  label: a class for each, or None.
    sensor: (height, width), or None where nothing says it.
    """

    x: np.ndarray
    y: np.ndarray
    p: np.ndarray
    t: np.ndarray
    offset: np.ndarray
    label: np.ndarray | None
    sensor: tuple[int, int] | None
    name: str

    def take(self, samples: int | None) -> Events:
        if samples is None or samples >= len(self.offset) - 1:
            return self
        label = None if self.label is None else self.label[:samples]
        return replace(self, offset=self.offset[: samples + 1], label=label)


def recorded(columns: Mapping[str, np.ndarray], where: object, name: str = "") -> Events:
    """Events from the columns of a file.

    Raises:
        DataError: columns that are missing or do not belong together.
    """
    missing = [key for key in ("x", "y", "p", "t", "offset") if key not in columns]
    if missing:
        raise DataError(f"{where}: events need the arrays x, y, p, t; {', '.join(missing)} missing")
    for key in ("x", "y", "p", "t", "offset", "label"):
        if key in columns and (columns[key].ndim != 1 or columns[key].dtype.kind not in "iub"):
            raise DataError(f"{where}: {key} has shape {columns[key].shape} and type"
                            f" {columns[key].dtype}; a row of whole numbers is due")  # fmt: skip
    lengths = {key: len(columns[key]) for key in ("x", "y", "p", "t")}
    if len(set(lengths.values())) > 1:
        listed = ", ".join(f"{key} {count:,}" for key, count in lengths.items())
        raise DataError(f"{where}: columns of different lengths ({listed})")
    offset, label = columns["offset"].astype(np.int64), columns.get("label")
    rising = len(offset) > 1 and offset[0] >= 0 and bool((np.diff(offset) >= 0).all())
    if not rising or offset[-1] > lengths["t"]:
        raise DataError(f"{where}: offset must rise from 0 to the {lengths['t']:,} events")
    if label is not None and len(label) != len(offset) - 1:
        raise DataError(f"{where}: {len(label)} labels for {len(offset) - 1} recordings")
    sensor = columns.get("sensor")
    if sensor is not None and (sensor.shape != (2,) or sensor.dtype.kind not in "iu"):
        raise DataError(f"{where}: sensor must be the two whole numbers height, width")
    size = None if sensor is None else (int(sensor[0]), int(sensor[1]))
    x, y, p, t = (columns[key] for key in ("x", "y", "p", "t"))
    return Events(x, y, p, t, offset, label, size, name or getattr(where, "name", str(where)))


def framed(events: Events, binning: Binning) -> Data:
    """Frames of every recording, uint8 where they fit.

    Raises:
        DataError: no sensor size, events outside of it, or too many frames.
    """
    height, width = _sensor(events, binning)
    _check_places(events, height, width)
    bins = [_bins(events, binning, index) for index in range(len(events.offset) - 1)]
    frames = binning.frames or max((int(k.max()) + 1 for k in bins if len(k)), default=1)
    channels = 2 if binning.polarity == "split" else 1
    shape = (frames, channels, height, width)
    _check_size(events, len(bins), shape)
    x = np.zeros((len(bins), *shape), np.uint8)
    for index, k in enumerate(bins):
        here = slice(events.offset[index], events.offset[index + 1])
        counts = _counted(events, here, k, shape, binning)
        if counts.max(initial=0) > np.iinfo(x.dtype).max:
            x = x.astype(np.int32)
        x[index] = counts
    resolved = replace(binning, frames=frames, height=height, width=width)
    return Data(x, events.label, 1.0, events.name, resolved)


def _counted(
    events: Events, here: slice, k: np.ndarray, shape: tuple[int, ...], binning: Binning
) -> np.ndarray:
    p = (events.p[here] > 0).astype(np.int64)
    kept = k < shape[0]
    if binning.polarity == "on":
        kept &= p == 1
    channel = p if binning.polarity == "split" else np.zeros_like(p)
    row, column = events.y[here].astype(np.int64), events.x[here].astype(np.int64)
    place = np.ravel_multi_index((k[kept], channel[kept], row[kept], column[kept]), shape)
    counts = np.bincount(place, minlength=int(np.prod(shape))).reshape(shape)
    return np.minimum(counts, 1) if binning.values == "binary" else counts


def _bins(events: Events, binning: Binning, index: int) -> np.ndarray:
    """The bin of every event of a recording."""
    here = slice(events.offset[index], events.offset[index + 1])
    t = events.t[here].astype(np.int64)
    if not len(t):
        return t
    since = t - t.min()
    if binning.bin_us is not None:
        return np.asarray(since // binning.bin_us)
    assert binning.frames is not None
    return np.asarray(since * binning.frames // (int(since.max()) + 1))


def _sensor(events: Events, binning: Binning) -> tuple[int, int]:
    if binning.height is not None and binning.width is not None:
        said = (binning.height, binning.width)
        if events.sensor not in (None, said):
            raise DataError(f"{events.name} is of a sensor of {events.sensor} pixels, not {said}")
        return said
    if events.sensor is None:
        raise DataError(
            f"{events.name} does not say how large the sensor is; give --sensor HEIGHT,WIDTH (its"
            f" events reach row {int(events.y.max(initial=0))} and column"
            f" {int(events.x.max(initial=0))})"
        )
    return events.sensor


def _check_places(events: Events, height: int, width: int) -> None:
    outside = (events.y < 0) | (events.y >= height) | (events.x < 0) | (events.x >= width)
    if outside.any():
        raise DataError(
            f"{events.name}: {int(outside.sum()):,} events lie outside of the {height}x{width}"
            f" sensor (rows up to {int(events.y.max())}, columns up to {int(events.x.max())})"
        )


def _check_size(events: Events, samples: int, shape: tuple[int, ...]) -> None:
    size = samples * int(np.prod([int(side) for side in shape], dtype=object))
    frames = "x".join(map(str, shape))
    what = f"{events.name}: {samples} recordings of {frames} values"
    if shape[0] > MOST_FRAMES or shape[2] * shape[3] > MOST_PIXELS:
        raise DataError(
            f"{what}; at most {MOST_FRAMES:,} frames of {MOST_PIXELS:,} pixels are held: longer"
            " bins, or fewer --frames"
        )
    check_budget(size, what, DataError, "longer bins, fewer --frames or --samples")
