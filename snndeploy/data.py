"""Data files: `.npz` with `x` (samples first), optional labels `y` and optional `scale`.

`scale` is what one unit of an integer `x` is worth: the model's input is x * scale (images stored
as bytes have 1/255).
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from snndeploy.errors import DataError, one_line

LARGEST_BYTES = 16 << 30


@dataclass(frozen=True, eq=False)
class Data:
    """x: (samples, ...); y: (samples,) integer classes or None."""

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
        return self.x.astype(np.float32) * np.float32(self.scale)


def load_data(path: str | Path) -> Data:
    """Read a data file.

    Raises:
        DataError: the file is missing, is no plain .npz, or its arrays do not belong together.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(f"data file {path} does not exist")
    try:
        with np.load(path, allow_pickle=False) as archive:
            if not hasattr(archive, "files"):
                raise DataError(f"{path} is a single array; store it as .npz with a key x")
            if "x" not in archive.files:
                raise DataError(f"{path} has no array x (it has {', '.join(archive.files) or 'none'})")
            x = archive["x"]
            y = archive["y"] if "y" in archive.files else None
            scale = float(archive["scale"]) if "scale" in archive.files else 1.0
    except (OSError, ValueError, TypeError, EOFError, zipfile.BadZipFile, MemoryError) as error:
        raise DataError(f"{path} is not a readable .npz file: {one_line(error)}") from None
    return _checked(Data(x, y, scale, path.name), path)


def _checked(data: Data, path: Path) -> Data:
    if data.x.ndim < 2 or len(data.x) == 0:
        raise DataError(f"{path}: x has shape {data.x.shape}; samples first are needed")
    if data.x.dtype.kind not in "biuf":
        raise DataError(f"{path}: x has type {data.x.dtype}; numbers are needed")
    if data.x.dtype.kind == "f" and not np.isfinite(data.x).all():
        bad = int((~np.isfinite(data.x)).sum())
        raise DataError(f"{path}: x has {bad} values that are NaN or infinite")
    if data.y is None:
        return data
    if data.y.shape != (len(data.x),) or data.y.dtype.kind not in "iu":
        raise DataError(
            f"{path}: y has shape {data.y.shape} and type {data.y.dtype}; one integer class for"
            f" each of the {len(data.x)} samples is needed"
        )
    return data
