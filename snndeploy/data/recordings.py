"""Files of event cameras -> Events.

    .bin          N-MNIST and N-Caltech101 (ATIS), one recording a file, 34 x 34 pixels for N-MNIST
    .aedat        AEDAT 2 and 3.1: DVS128, as DVS128 Gesture is published
    .h5, .hdf5    columns x, y, p, t at the top or in a group `events`, one recording or, with
                  `offset` and `label`, several
    a folder      CLASS/FILE for each recording, as N-MNIST is; classes are the folders in order

Beside FILE.aedat, FILE_labels.csv (class,startTime_usec,endTime_usec) cuts it into recordings, with
classes from 1 in the file and from 0 here.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from snndeploy.data.events import EVENT_KEYS, Events, recorded
from snndeploy.errors import DataError, one_line
from snndeploy.files.budget import check_budget
from snndeploy.files.hdf5 import Budget, h5py, member

MOST_FILES = 1 << 20
NMNIST_SENSOR = (34, 34)
DVS128_SENSOR = (128, 128)
COLUMNS = ("x", "y", "p", "t")


def read_recordings(path: Path, most: int | None = None) -> Events:
    """The events of a file or of a folder; most: of the first recordings alone.

    Raises:
        DataError: what cannot be read, by file.
    """
    if path.is_dir():
        return _folder(path, most)
    return _file(path)


def _file(path: Path) -> Events:
    check_budget(path.stat().st_size, str(path), DataError, "split it")
    try:
        return READERS[path.suffix.lower()](path)
    except DataError:
        raise
    except Exception as error:  # each library raises its own on a damaged file
        raise DataError(f"{path} cannot be read as events: {one_line(error)}") from None


def _folder(path: Path, most: int | None) -> Events:
    """Every class in turn, so that a part of the folder has all of them."""
    classes = sorted((entry for entry in path.iterdir() if entry.is_dir()), key=_by_number)
    plain = _files(path)
    if plain and classes:
        raise DataError(f"{path} has recordings beside its folders of classes; give one of them")
    if plain:
        return joined([_file(file) for file in plain[:most]], path.name)
    listed = [[(label, file) for file in _files(folder)] for label, folder in enumerate(classes)]
    rounds = range(max((len(files) for files in listed), default=0))
    order = [files[index] for index in rounds for files in listed if index < len(files)]
    if not order:
        known = ", ".join(READERS)
        raise DataError(f"{path} has no recordings ({known}), nor folders of them, one a class")
    found = [_labelled(_file(file), label) for label, file in order[:most]]
    return joined(found, path.name)


def _files(folder: Path) -> list[Path]:
    found = sorted(entry for entry in folder.iterdir() if entry.suffix.lower() in READERS)
    if len(found) > MOST_FILES:
        raise DataError(f"{folder} has more than {MOST_FILES:,} recordings")
    return found


def _by_number(folder: Path) -> tuple[int, str]:
    return (int(folder.name) if folder.name.isdecimal() else 0), folder.name


def _labelled(events: Events, label: int) -> Events:
    return replace(events, label=np.full(len(events.offset) - 1, label, dtype=np.int64))


def joined(parts: Sequence[Events], name: str) -> Events:
    """Recordings of one sensor, one behind the other; labels only where all have them."""
    sensors = {part.sensor for part in parts}
    if len(sensors) > 1:
        raise DataError(f"{name} has recordings of different sensors: {sorted(map(str, sensors))}")
    starts = np.cumsum([0, *(len(part.t) for part in parts)])
    offsets = [part.offset[:-1] + start for part, start in zip(parts, starts, strict=False)]
    labels = [part.label for part in parts if part.label is not None]
    x, y, p, t = (np.concatenate([getattr(part, key) for part in parts]) for key in COLUMNS)
    offset = np.append(np.concatenate(offsets), starts[-1])
    label = np.concatenate(labels) if len(labels) == len(parts) else None
    return Events(x, y, p, t, offset, label, sensors.pop(), name)


# --- formats ---


def _tonic() -> Any:
    try:
        import tonic.io
    except ModuleNotFoundError:
        raise DataError(
            "reading .bin and .aedat recordings needs tonic: pip install 'snndeploy[events]'"
        ) from None
    return tonic.io


def _nmnist(path: Path) -> Events:
    """Five bytes an event."""
    if path.stat().st_size % 5:
        raise DataError(f"{path} has {path.stat().st_size} bytes, not five for each event")
    kinds = np.dtype([("x", np.int16), ("y", np.int16), ("t", np.int64), ("p", bool)])
    found = _tonic().read_mnist_file(str(path), kinds)
    small = int(found["x"].max(initial=0)) < 34 and int(found["y"].max(initial=0)) < 34
    return _one(path, found["x"], found["y"], found["p"], found["t"],
                NMNIST_SENSOR if small else None)  # fmt: skip


def _aedat(path: Path) -> Events:
    """Addresses of a DVS128: AEDAT 3.1 has x from bit 17, y from bit 2 and p at bit 1; AEDAT 2 has
    x from bit 8, y from bit 1 and p at bit 0."""
    with path.open("rb") as file:
        if not file.readline(64).startswith(b"#!AER-DAT"):
            raise DataError(f"{path} does not begin with #!AER-DAT: no AEDAT file")
    reader = _tonic()
    version, start, *_ = reader.read_aedat_header_from_file(str(path))
    if not (2 <= version < 3 or 3.1 <= version < 4):
        raise DataError(f"{path} is AEDAT {version:g}; 2 and 3.1 are read: convert it to HDF5")
    found = reader.get_aer_events_from_file(str(path), version, start)
    address, t = found["address"].astype(np.int64), found["timeStamp"].astype(np.int64)
    if version >= 3:
        x, y, p = (address >> 17) & 0x7FFF, (address >> 2) & 0x7FFF, (address >> 1) & 1
    else:
        x, y, p = (address >> 8) & 0x7F, (address >> 1) & 0x7F, address & 1
    whole = _one(path, x, y, p, t, DVS128_SENSOR)
    labels = path.with_name(f"{path.stem}_labels.csv")
    return _cut(whole, labels) if labels.is_file() else whole


def _cut(events: Events, labels: Path) -> Events:
    """The trials that a table of classes and times names."""
    with labels.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    columns = ("class", "startTime_usec", "endTime_usec")
    try:
        trials = [tuple(int(row[column]) for column in columns) for row in rows]
    except (KeyError, TypeError, ValueError):
        raise DataError(f"{labels}: rows of {', '.join(columns)} are due, whole numbers") from None
    if not trials or min(label for label, _, _ in trials) < 1:
        raise DataError(f"{labels}: names no recording, or a class below 1")
    parts = []
    for label, start, end in trials:
        inside = np.flatnonzero((events.t >= start) & (events.t < end))
        x, y, p, t = (getattr(events, key)[inside] for key in COLUMNS)
        part = _one(labels, x, y, p, t, events.sensor)
        parts.append(_labelled(part, label - 1))
    return joined(parts, events.name)


def _hdf5(path: Path) -> Events:
    with h5py.File(path, "r") as file:
        group = file
        if "events" in file and isinstance(file.get("events"), h5py.Group):
            group = member(file, "events", str(path), DataError)
        budget, columns = Budget(), {}
        for key in EVENT_KEYS:
            found = member(group, key, str(path), DataError)
            if found is None:
                continue
            if not isinstance(found, h5py.Dataset) or found.dtype.kind not in "iub":
                raise DataError(f"{path}: '{key}' holds no whole numbers")
            budget.check(found, _refusal(path, key))
            columns[key] = np.asarray(found[()])
    if "t" in columns and "offset" not in columns:
        columns["offset"] = np.array([0, len(columns["t"])])
    return recorded(columns, path)


def _refusal(path: Path, key: str) -> Callable[[str], DataError]:
    return lambda about: DataError(f"{path}: '{key}' {about}")


def _one(path: Path, x: Any, y: Any, p: Any, t: Any, sensor: tuple[int, int] | None) -> Events:
    """A single recording."""
    return Events(x, y, p, t, np.array([0, len(t)]), None, sensor, path.name)


READERS: dict[str, Callable[[Path], Events]] = {
    ".bin": _nmnist, ".aedat": _aedat, ".h5": _hdf5, ".hdf5": _hdf5,
}  # fmt: skip
