"""Finds shipped targets and models, and a user's own the same way.

`targets/` and `models/` are inputs, read and never imported. An installed wheel holds them
inside the package; a raw checkout has them beside it. The first of the two that exists is used.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from snndeploy.errors import DeployError, ModelError, TargetError, near_names, one_line

PACKAGE = Path(__file__).resolve().parent
MOST_LISTED = 16  # names in a message; more are left to the command that lists them


@dataclass(frozen=True)
class ModelEntry:
    """One shipped model, as `models/catalog.toml` lists it. Paths are absolute."""

    name: str
    spec: str
    """As the catalog says it, relative to the models folder: "gac.py:gac_digits(timesteps=4)"."""
    folder: Path
    description: str
    paper: str
    weights: Path | None
    input_shape: tuple[int, ...] | None
    """Shape of one sample, without the batch."""
    input_signal: str
    """What one input value is: "real", "integer" or "binary"; "" when the catalog is silent."""
    test_data: Path | None
    calibration_data: Path | None

    @property
    def file_spec(self) -> str:
        """The spec with the full path of its file, as the command line would take it."""
        return f"{self.folder}/{self.spec}"


def target_path(name_or_path: str | Path) -> Path:
    """The file of a shipped chip ("loihi2"), or of a user's own ("my/chip.toml")."""
    given = str(name_or_path)
    if _looks_like_path(given, ".toml"):
        path = Path(given)
        if not path.is_file():
            raise TargetError(f"target file {given} does not exist{_shipped(target_names())}")
        return path
    names = target_names()
    if given not in names:
        near = near_names(given, names)
        raise TargetError(f"unknown target {given!r}{_shipped(names)}{near}")
    return targets_folder() / f"{given}.toml"


def target_names() -> list[str]:
    """The names of the shipped chips, in alphabetical order."""
    return sorted(path.stem for path in targets_folder().glob("*.toml"))


def targets_folder() -> Path:
    """The folder of the shipped chip files."""
    return _folder("targets", TargetError)


def models_folder() -> Path:
    """The folder of the shipped models."""
    return _folder("models", ModelError)


def catalog() -> list[ModelEntry]:
    """The shipped models, in the order of `models/catalog.toml`."""
    path = models_folder() / "catalog.toml"
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ModelError(f"cannot read the model catalog {path}: {one_line(error)}") from None
    tables = data.get("model", [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise ModelError(f"{path}: write each model as a [[model]] table")
    return [_entry(table, number, path) for number, table in enumerate(tables, start=1)]


def model_entry(name: str) -> ModelEntry:
    """The shipped model of that name."""
    entries = {entry.name: entry for entry in catalog()}
    if name not in entries:
        near = near_names(name, entries)
        raise ModelError(f"unknown model {name!r}{_shipped(entries, 'models')}{near}")
    return entries[name]


def _folder(kind: str, error: type[DeployError]) -> Path:
    for folder in (PACKAGE / kind, PACKAGE.parent / kind):
        if folder.is_dir():
            return folder
    raise error(f"the shipped {kind} folder is missing from {PACKAGE}; reinstall snndeploy")


def _looks_like_path(given: str, ending: str) -> bool:
    return given.endswith(ending) or "/" in given or "\\" in given


def _shipped(names: Iterable[str], command: str = "targets") -> str:
    listed = list(names)
    if len(listed) > MOST_LISTED:
        return f" ({len(listed)} are shipped: snndeploy {command} list)"
    return f" (shipped: {', '.join(listed) or 'none'})"


def _entry(table: dict[str, Any], number: int, path: Path) -> ModelEntry:
    label = table.get("name") or f"number {number}"
    for key in ("name", "spec"):
        if not isinstance(table.get(key), str) or not table[key]:
            raise ModelError(f"{path}: model {label} has no {key}")
    shape = _first(table, "input_shape", "input")
    if shape is not None and not _is_shape(shape):
        raise ModelError(f"{path}: model {label} has input {shape!r}; write a list of sizes")
    return ModelEntry(
        name=table["name"],
        spec=table["spec"],
        folder=path.parent,
        description=str(table.get("description", "")),
        paper=str(table.get("paper", "")),
        weights=_file(table, label, path, "weights"),
        input_shape=tuple(shape) if shape is not None else None,
        input_signal=str(table.get("input_signal", "")),
        test_data=_file(table, label, path, "test", "data"),
        calibration_data=_file(table, label, path, "calibration"),
    )


def _first(table: dict[str, Any], *keys: str) -> Any:
    """The first of several spellings that the catalog uses, or None."""
    return next((table[key] for key in keys if key in table), None)


def _is_shape(shape: object) -> bool:
    return isinstance(shape, list) and all(type(size) is int and size > 0 for size in shape)


def _file(table: dict[str, Any], label: str, path: Path, *keys: str) -> Path | None:
    """A file the catalog names, relative to the catalog's own folder."""
    relative = _first(table, *keys)
    if relative is None:
        return None
    if not isinstance(relative, str) or not relative:
        raise ModelError(f"{path}: model {label} has {keys[0]} {relative!r}; write a file name")
    return path.parent / relative
