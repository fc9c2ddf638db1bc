"""What a user may give as data, as `Data`: files, folders of recordings, arrays, torch loaders."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from snndeploy.data.binning import Binning
from snndeploy.data.events import Events, framed
from snndeploy.data.npz import read_npz
from snndeploy.data.recordings import READERS, read_recordings
from snndeploy.data.samples import Data, checked
from snndeploy.errors import DataError
from snndeploy.files.budget import check_budget


def load_data(source: Any, binning: Binning | None = None, most: int | None = None) -> Data:
    """Samples from what the user has.

    source: a `.npz` file, an event recording or a folder of them (`data.recordings`), a Data, an
    array or tensor of samples, a pair of inputs and labels, a torch Dataset or DataLoader.
    binning: how events become frames, if they are any.  most: the first samples alone.

    Raises:
        DataError: what cannot be read, or does not belong together.
    """
    if isinstance(source, str | Path):
        return _of_path(Path(source), binning, most).take(most)
    data = source if isinstance(source, Data) else _of_object(source, most)
    return data.take(most)


def _of_path(path: Path, binning: Binning | None, most: int | None) -> Data:
    events = path.is_dir() or path.suffix.lower() in READERS
    if not (path.is_file() or (path.is_dir() and any(path.iterdir()))):
        raise DataError(f"data file {path} does not exist")
    found = read_recordings(path, most) if events else read_npz(path, most)
    if isinstance(found, Data):
        return found
    return _framed(found, binning, path, most)


def _framed(events: Events, binning: Binning | None, path: Path, most: int | None) -> Data:
    if binning is None:
        raise DataError(
            f"{path} holds events: say how they become frames, --bin-us MICROSECONDS or --frames T"
            " (a compiled program keeps what was said with --calibration)"
        )
    return framed(events.take(most), binning)


# --- objects in Python ---


def _of_object(source: Any, most: int | None) -> Data:
    name = type(source).__name__
    if isinstance(source, tuple) and len(source) == 2 and _is_array(source[0]):
        x, y = source
        return checked(Data(_array(x), _array(y), 1.0, name), name)
    if _is_array(source):
        return checked(Data(_array(source), None, 1.0, name), name)
    if hasattr(source, "batch_size") and hasattr(source, "__iter__"):
        return _gathered(iter(source), name, most, batched=True)
    if hasattr(source, "__getitem__") and hasattr(source, "__len__"):
        each = (source[index] for index in range(len(source)))
        return _gathered(each, name, most, batched=False)
    raise DataError(
        f"a {name} is no data; give a file, a folder of recordings, an array, (inputs, labels), a"
        " torch Dataset or DataLoader"
    )


def _gathered(parts: Iterator[Any], name: str, most: int | None, *, batched: bool) -> Data:
    """The samples of a Dataset, or the batches of a loader, until there are enough."""
    inputs: list[np.ndarray] = []
    labels: list[np.ndarray] = []
    count = size = 0
    for part in parts:
        pair = isinstance(part, tuple | list)
        if pair and len(part) > 2:
            raise DataError(f"{name} gives {len(part)} values a sample; inputs and labels are due")
        x = _array(part[0] if pair else part)
        inputs.append(x if batched else x[None])
        if pair and len(part) == 2:
            y = _array(part[1])
            labels.append(y if batched else y[None])
        count, size = count + len(inputs[-1]), size + x.nbytes
        check_budget(size, name, DataError, "give a part of it")
        if most is not None and count >= most:
            break
    if not inputs:
        raise DataError(f"{name} gives no samples")
    if len({x.shape[1:] for x in inputs}) > 1:
        raise DataError(f"{name} gives samples of different shapes")
    if labels and len(labels) < len(inputs):
        raise DataError(f"{name} gives labels for some samples and none for others")
    targets = np.concatenate(labels) if labels else None
    return checked(Data(np.concatenate(inputs), targets, 1.0, name), name)


def _is_array(value: Any) -> bool:
    return isinstance(value, np.ndarray) or hasattr(value, "detach")


def _array(value: Any) -> np.ndarray:
    """An array of numbers; tensors may be on another device and part of a graph."""
    plain = value.detach().cpu().numpy() if hasattr(value, "detach") else value
    try:
        found = np.asarray(plain)
    except ValueError:
        raise DataError("samples of different shapes in one batch") from None
    if found.dtype.kind not in "iufb":
        raise DataError(f"values of type {found.dtype} are no numbers")
    return found.astype(np.uint8) if found.dtype.kind == "b" else found
