"""The tensors that a checkpoint file holds; nothing is unpickled.

safetensors (one file, or the index of several), or what `torch.load(weights_only=True)` takes, with
a few harmless types beside the weights (HARMLESS).  A state dict may lie inside other dictionaries.
"""

from __future__ import annotations

import argparse
import datetime
import json
import pathlib
import pickletools
import re
import types
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch

from snndeploy.errors import ModelError, near_names, one_line
from snndeploy.files.budget import check_budget

STATE_KEYS = (
    "model_state_dict", "state_dict", "model_state", "model", "net", "network", "ema", "model_ema",
)  # fmt: skip
OF_TRAINING = ("optim", "sched", "scaler", "hyper", "callback", "loop")
DEEPEST = 3
INDEX = ".safetensors.index.json"
MANGLED = ("pathlib", "pathlib._local")  # the second since Python 3.13
NUMPY_SCALAR = np.float64(0).__reduce__()[0]
HARMLESS: list[Any] = [
    argparse.Namespace, types.SimpleNamespace, datetime.datetime, datetime.date, datetime.time,
    datetime.timedelta, datetime.timezone, np.dtype,
    *(type(np.dtype(kind)) for kind in ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "?", "U1")),
    *((NUMPY_SCALAR, f"numpy.{core}.multiarray.scalar") for core in ("core", "_core")),
    *((pathlib.PurePosixPath, f"{home}.{name}") for home in MANGLED
      for name in ("PosixPath", "PurePosixPath")),
    *((pathlib.PureWindowsPath, f"{home}.{name}") for home in MANGLED
      for name in ("WindowsPath", "PureWindowsPath")),
]  # fmt: skip
DTYPES = {
    torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.uint8, torch.int8,
    torch.int16, torch.int32, torch.int64, torch.bool,
}  # fmt: skip

State = dict[str, Any]


def read_state(path: Path, key: str | None = None) -> tuple[State, tuple[str, ...]]:
    """Tensors by name, and what of the file was taken; key: where they lie, dotted.

    Raises:
        ModelError: in one line, what the file is instead, and what to do.
    """
    if path.is_dir():
        raise ModelError(f"checkpoint {path} is a folder; give a file in it{_files_in(path)}")
    if not path.is_file():
        raise ModelError(f"checkpoint {path} does not exist")
    check_budget(path.stat().st_size, f"checkpoint {path}", ModelError)
    content = _safetensors(path) if _is_safetensors(path) else _pickled(path)
    state, notes = _chosen(content, path, key)
    others = [name for name, value in state.items() if not torch.is_tensor(value)]
    tensors = {name: value for name, value in state.items() if name not in others}
    for name, value in tensors.items():
        _check_tensor(path, name, value)
    if others:
        notes += (f"checkpoint {path.name}: ignored, no tensors: {', '.join(others[:4])}",)
    return tensors, notes


def _files_in(folder: Path) -> str:
    kinds = {".safetensors", ".pt", ".pth", ".ckpt", ".tar", ".bin", ".json"}
    names = sorted(path.name for path in folder.iterdir() if path.suffix in kinds)[:4]
    return f": {', '.join(names)}" if names else ""


def _check_tensor(path: Path, name: str, value: Any) -> None:
    kind = ""
    if value.is_meta:
        kind = "a meta tensor, without values"
    elif value.is_quantized:
        kind = f"quantized ({value.dtype})"
    elif value.is_nested or value.layout is not torch.strided:
        kind = f"not dense ({value.layout})"
    elif value.dtype not in DTYPES:
        kind = str(value.dtype)
    if kind:
        raise ModelError(
            f"checkpoint {path}: {name} is {kind}; save it as a dense tensor of real numbers"
            " (.to_dense(), .dequantize(), .float())"
        )


# files


def _is_safetensors(path: Path) -> bool:
    return path.suffix == ".safetensors" or path.name.endswith(INDEX)


def _safetensors(path: Path) -> State:
    from safetensors.torch import load_file

    try:
        if not path.name.endswith(INDEX):
            return dict(load_file(path))
        shards = json.loads(path.read_text(encoding="utf-8"))["weight_map"]
        names = sorted(set(shards.values()))
        if any(Path(name).name != name or not name.endswith(".safetensors") for name in names):
            raise ModelError(f"checkpoint {path} names files outside its folder")
        held = {name: load_file(path.parent / name) for name in names}
        return {key: held[name][key] for key, name in shards.items()}
    except ModelError:
        raise
    except Exception as error:
        raise ModelError(
            f"checkpoint {path} cannot be read as safetensors: {one_line(error)}"
        ) from None


def _pickled(path: Path) -> Any:
    _refuse_programs(path)
    try:
        with torch.serialization.safe_globals(HARMLESS):
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        found = re.search(r"GLOBAL (\S+)", str(error)) or re.search(
            r"Trying to instantiate class (\S+)", str(error)
        )
        if found is None:
            raise ModelError(
                f"checkpoint {path} cannot be read as safetensors or as a plain state_dict:"
                f" {one_line(error)}"
            ) from None
        raise ModelError(
            f"checkpoint {path} needs unpickling of {found[1]}, which may run any code: it is not"
            f" read; where you trust the file, two lines of Python convert it: {_conversion(path)}"
        ) from None


def _refuse_programs(path: Path) -> None:
    """TorchScript and torch.export keep a program, which is another thing than weights."""
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        parts = {name.partition("/")[2] for name in archive.namelist()}
    if "constants.pkl" in parts:
        raise ModelError(
            f"checkpoint {path} is a TorchScript program, not weights; save its state_dict:"
            f" torch.save(torch.jit.load('{path.name}').state_dict(), '{path.stem}_weights.pt')"
        )
    if "archive_format" in parts or "serialized_exported_program.json" in parts:
        raise ModelError(f"checkpoint {path} is an exported program, not weights; give its model")


def _conversion(path: Path) -> str:
    """The two lines that make a state dict of it: of a module, or of a dictionary's entry."""
    code, strings = _pickle_says(path)
    key = next((f"['{key}']" for key in STATE_KEYS if key in strings), "")
    held = f"held{key}" if code == "EMPTY_DICT" else "held.state_dict()"
    return (
        f"held = torch.load('{path.name}', weights_only=False, map_location='cpu');"
        f" torch.save({held}, '{path.stem}_weights.pt')"
    )


def _pickle_says(path: Path) -> tuple[str, set[str]]:
    """How the pickle begins, and the strings in it; read without running it."""
    first, strings = "", set()
    with suppress(Exception), path.open("rb") as stream:
        for code, value, _ in pickletools.genops(_pickle(path, stream)):
            if code.name not in ("PROTO", "FRAME") and not first:
                first = code.name
            if isinstance(value, str):
                strings.add(value)
    return first, strings


def _pickle(path: Path, stream: IO[bytes]) -> Any:
    """The main pickle: of an archive, or the fourth of an old file."""
    if zipfile.is_zipfile(path):
        archive = zipfile.ZipFile(stream)
        return archive.open(next(n for n in archive.namelist() if n.endswith("data.pkl")))
    for _ in range(3):
        for _ in pickletools.genops(stream):
            pass
    return stream


# the state dict in it


def _chosen(content: Any, path: Path, key: str | None) -> tuple[State, tuple[str, ...]]:
    if key is not None:
        return _at(content, path, key), (f"checkpoint {path.name}: the tensors under {key}",)
    if _is_state(content):
        return content, ()
    found = dict(_states(content, ()))
    named = {place: state for place, state in found.items() if place.split(".")[0] in STATE_KEYS}
    found = named or found
    if not found:
        raise ModelError(f"checkpoint {path} holds no state_dict (names to tensors)")
    if len(found) > 1:
        raise ModelError(
            f"checkpoint {path} holds {len(found)} state dicts; say which with --key:"
            f" {', '.join(found)}"
        )
    [(place, state)] = found.items()
    return state, (f"checkpoint {path.name}: the tensors under {place}",)


def _at(content: Any, path: Path, key: str) -> State:
    found, rest = content, key
    while rest:
        if not isinstance(found, dict):
            break
        part = next((p for p in _beginnings(rest) if p in found), None)
        if part is None:
            break
        found, rest = found[part], rest[len(part) + 1 :]
    if rest or not _is_state(found):
        places = dict(_states(content, ()))
        listed = f"; it has {', '.join(places)}" if places else ""
        raise ModelError(
            f"checkpoint {path} has no state dict under {key!r}{near_names(key, places)}{listed}"
        )
    state: State = found
    return state


def _beginnings(dotted: str) -> Iterator[str]:
    parts = dotted.split(".")
    return (".".join(parts[:count]) for count in range(len(parts), 0, -1))


def _states(content: Any, place: tuple[str, ...]) -> Iterator[tuple[str, State]]:
    """Every state dict inside, by the dotted place; what belongs to training is left out."""
    if _is_state(content):
        yield ".".join(place), content
        return
    if not isinstance(content, dict) or len(place) >= DEEPEST:
        return
    for key, value in content.items():
        if isinstance(key, str) and not any(word in key.lower() for word in OF_TRAINING):
            yield from _states(value, (*place, key))


def _is_state(content: Any) -> bool:
    """Names to tensors, and perhaps to a few plain values; no dictionaries further down."""
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        return False
    values = list(content.values())
    tensors = sum(torch.is_tensor(value) for value in values)
    return 2 * tensors > len(values) and not any(isinstance(value, dict) for value in values)
