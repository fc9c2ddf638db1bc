"""Data files: `.npz` with `x` (samples first), optional labels `y` and optional `scale`.

`y` holds integer classes, one a sample or one a position of a map, or real targets.

`scale` is what one unit of an integer `x` is worth: the model's input is x * scale (images stored
as bytes have 1/255).
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from snndeploy.errors import DataError, near_names, one_line
from snndeploy.files.plain_array import NotPlain, read_plain
from snndeploy.metrics import Meaning, labels_are

LARGEST_BYTES = 16 << 30
NPY_VERSIONS = (1, 2)
KEYS = ("x", "y", "scale")


@dataclass(frozen=True, eq=False)
class Data:
    """x: (samples, ...); y: None, (samples, ...) integer classes, or real targets."""

    x: np.ndarray
    y: np.ndarray | None
    scale: float
    name: str

    def take(self, samples: int | None) -> Data:
        """The first `samples` (all when None)."""
        if samples is None or samples >= len(self.x):
            return self
        return replace(self, x=self.x[:samples], y=None if self.y is None else self.y[:samples])

    def inputs(self) -> np.ndarray:
        """What the model is given, float32."""
        with np.errstate(over="ignore"):  # too large becomes infinite, which is refused
            return self.x.astype(np.float32) * np.float32(self.scale)

    def fit(
        self,
        shape: tuple[int, ...],
        signal: str,
        answer: tuple[int, ...] | None = None,
        meaning: Meaning | None = None,
    ) -> Data:
        """Itself, when it is what a model takes: samples of `shape`, values of the `signal` kind.

        answer, meaning: shape of what the model answers, to which labels must belong (None: they
        are not used).

        Raises:
            DataError: another shape, values that are no such signal, or labels of other answers.
        """
        if tuple(self.x.shape[1:]) != tuple(shape):
            raise DataError(
                f"{self.name}: samples have shape {tuple(self.x.shape[1:])}, the model takes"
                f" {tuple(shape)}; reshape or resize the data"
            )
        self._check_values(signal)
        if self.y is not None and answer is not None:
            self._check_labels(self.y, answer, meaning or Meaning())
        return self

    def _check_labels(self, y: np.ndarray, answer: tuple[int, ...], meaning: Meaning) -> None:
        found = labels_are(y, answer, meaning)
        if found is None:
            wanted = "one class" if meaning.is_class else " x ".join(map(str, answer))
            raise DataError(
                f"{self.name}: y has shape {y.shape} and type {y.dtype}, the model answers {wanted}"
                " a sample; give integer classes (one a sample, or one a position of a map), or"
                " targets of the answers' shape"
            )
        if found != "classes" or meaning.is_class:
            return
        least, most, classes = int(y.min()), int(y.max()), answer[0]
        if least < 0 or most >= classes:
            raise DataError(
                f"{self.name}: y has classes {least}..{most}, the model answers {classes}"
                f" (0..{classes - 1})"
            )

    def _check_values(self, signal: str) -> None:
        x = self.inputs()
        bad = ~np.isfinite(x)
        if bad.any():
            raise DataError(
                f"{self.name}: x has {int(bad.sum())} values that are NaN or infinite"
                " (as 32-bit floats)"
            )
        if signal == "integer":
            bad = x != np.rint(x)
        elif signal == "binary":
            bad = (x != 0) & (x != 1)
        if bad.any():
            kind = {"integer": "whole numbers", "binary": "0 or 1"}[signal]
            raise DataError(
                f"{self.name}: {int(bad.sum())} values of x * scale are not {kind} (the first is"
                f" {float(x[bad][0]):g}), which the model's {signal} input needs"
            )


def load_data(path: str | Path) -> Data:
    """Read a data file; nothing in it is unpickled, and sizes are checked before memory is taken.

    Raises:
        DataError: the file is missing, is no plain .npz, or its arrays do not belong together.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(f"data file {path} does not exist")
    try:
        with zipfile.ZipFile(path) as archive:
            arrays = _read(archive, path)
    except DataError:
        raise
    except Exception as error:  # zipfile raises many kinds for a damaged file
        raise DataError(f"{path} is not a readable .npz file: {one_line(error)}") from None
    x, y = arrays["x"], arrays.get("y")
    return _checked(Data(x, y, _scale(arrays.get("scale"), path), path.name), path)


def _read(archive: zipfile.ZipFile, path: Path) -> dict[str, np.ndarray]:
    members = {entry.filename.removesuffix(".npy"): entry for entry in archive.infolist()}
    if "x" not in members:
        there = ", ".join(list(members)[:8]) or "nothing"
        raise DataError(f"{path} has no array x (it has {there}){near_names('x', members)}")
    wanted = {key: members[key] for key in KEYS if key in members}
    size = sum(entry.file_size for entry in wanted.values())
    if size > LARGEST_BYTES:
        raise DataError(
            f"{path} unpacks to {size / 2**30:,.1f} GiB; at most {LARGEST_BYTES >> 30} GiB are"
            " read: split it"
        )
    return {key: _array(archive, entry, path) for key, entry in wanted.items()}


def _array(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, path: Path) -> np.ndarray:
    try:
        with archive.open(entry) as stream:
            return read_plain(stream, entry.file_size, NPY_VERSIONS)
    except NotPlain as error:
        name = entry.filename.removesuffix(".npy")
        raise DataError(f"{path}: array {name} cannot be used: {error}") from None


def _scale(array: np.ndarray | None, path: Path) -> float:
    if array is None:
        return 1.0
    if array.size != 1 or not np.isfinite(array).all() or not array.all():
        raise DataError(f"{path}: scale must be one finite number other than zero")
    return float(array.reshape(-1)[0])


def _checked(data: Data, path: Path) -> Data:
    if data.x.ndim < 2 or 0 in data.x.shape:
        raise DataError(f"{path}: x has shape {data.x.shape}; samples first are needed")
    if data.x.dtype.kind == "f" and not np.isfinite(data.x).all():
        bad = int((~np.isfinite(data.x)).sum())
        raise DataError(f"{path}: x has {bad} values that are NaN or infinite")
    if data.y is None:
        return data
    if data.y.shape[:1] != (len(data.x),) or data.y.dtype.kind not in "iuf" or not data.y.size:
        raise DataError(
            f"{path}: y has shape {data.y.shape} and type {data.y.dtype}; an integer class or a"
            f" target for each of the {len(data.x)} samples is needed"
        )
    if not np.isfinite(data.y).all():
        bad = int((~np.isfinite(data.y)).sum())
        raise DataError(f"{path}: y has {bad} values that are NaN or infinite")
    return data
