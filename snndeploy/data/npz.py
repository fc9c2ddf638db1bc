"""Data files: `.npz` with `x` (samples first), optional labels `y` and optional `scale`; or events.

`y` holds integer classes, one a sample or one a position of a map, or real targets.

`scale` is what one unit of an integer `x` is worth: the model's input is x * scale (images stored
as bytes have 1/255).

Events are columns `x`, `y`, `p`, `t` (microseconds) of all recordings, with `offset`, where each
begins and the last one ends, and optional `label`s (`data.events`).
"""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np

from snndeploy.data.events import EVENT_KEYS, Events, recorded
from snndeploy.data.samples import Data, checked
from snndeploy.errors import DataError, near_names, one_line
from snndeploy.files.budget import check_budget
from snndeploy.files.plain_array import NotPlain, read_plain

NPY_VERSIONS = (1, 2)
KEYS = ("x", "y", "scale")


def read_npz(path: Path, most: int | None = None) -> Data | Events:
    """Read it; nothing is unpickled, and sizes are checked before memory is taken.

    most: of `x` and `y`, no more than the first so many samples.

    Raises:
        DataError: the file is no plain .npz, or its arrays do not belong together.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            arrays = _read(archive, path, most)
    except DataError:
        raise
    except Exception as error:  # zipfile raises many kinds for a damaged file
        raise DataError(f"{path} is not a readable .npz file: {one_line(error)}") from None
    if "t" in arrays:
        return recorded(arrays, path)
    x, y = arrays["x"], arrays.get("y")
    return checked(Data(x, y, _scale(arrays.get("scale"), path), path.name), path)


def _read(archive: zipfile.ZipFile, path: Path, most: int | None) -> dict[str, np.ndarray]:
    members = {entry.filename.removesuffix(".npy"): entry for entry in archive.infolist()}
    if "x" not in members:
        there = ", ".join(list(members)[:8]) or "nothing"
        raise DataError(f"{path} has no array x (it has {there}){near_names('x', members)}")
    events = {"t", "offset"} <= set(members)
    wanted = {key: members[key] for key in (EVENT_KEYS if events else KEYS) if key in members}
    found: dict[str, np.ndarray] = {}
    for key, entry in wanted.items():
        first = most if key in ("x", "y") and not events else None
        held = sum(array.nbytes for array in found.values())
        array = _array(archive, entry, path, first, held)
        found[key] = array[:first] if first and array.ndim else array
    return found


def _array(
    archive: zipfile.ZipFile, entry: zipfile.ZipInfo, path: Path, first: int | None, held: int
) -> np.ndarray:
    """held: bytes of the arrays that were read before."""

    def check(size: int) -> None:
        check_budget(size + held, f"{path}, unpacked,", DataError, "use fewer --samples")

    try:
        with archive.open(entry) as stream:
            return read_plain(stream, entry.file_size, NPY_VERSIONS, first=first, check=check)
    except NotPlain as error:
        name = entry.filename.removesuffix(".npy")
        raise DataError(f"{path}: array {name} cannot be used: {error}") from None


def _scale(array: np.ndarray | None, path: Path) -> float:
    if array is None:
        return 1.0
    if array.size != 1 or not np.isfinite(array).all() or not array.all():
        raise DataError(f"{path}: scale must be one finite number other than zero")
    return float(array.reshape(-1)[0])
