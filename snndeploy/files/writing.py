"""The one writing door: refused before the work is done, then whole or not at all.

A file or folder is made beside its place and moved into it, so that at every moment the old or the
new one is there.  What we did not write is never replaced (`ownership.py`).
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from snndeploy.errors import DeployError, one_line
from snndeploy.files.ownership import (
    MARK,
    RECORD,
    check_our_folder,
    check_ours,
    record_of,
    recorded,
)
from snndeploy.files.parts import exchange, holding, new_file, new_folder
from snndeploy.printable import printable

NO_PERMISSION = (errno.EACCES, errno.EPERM, errno.EROFS)


def check_writable(path: Path) -> None:
    """Refuse a file that could not be written, before the work rather than after it.

    A file is made in the folder and removed again: permission bits say nothing to root, nor about
    read-only or full disks.

    Raises:
        DeployError: `path` is a folder, or somebody else's file, or its folder is missing or
            cannot be written.
    """
    if os.path.isdir(path):
        raise DeployError(f"cannot write {path}: it is a folder; name a file")
    folder = path.parent
    if not os.path.isdir(folder):
        reason = "is a file" if os.path.exists(folder) else "does not exist; create it first"
        raise DeployError(f"cannot write {path}: folder {folder} {reason}")
    if _is_special(path):
        return
    check_ours(path)
    try:
        with new_file(folder) as (handle, _):
            os.close(handle)
    except OSError as error:
        raise _cannot_write(path, error) from None


def check_folder(folder: Path) -> None:
    """Refuse a folder that could not be made or replaced; nothing is made yet.

    Raises:
        DeployError: it is a file, or holds what we did not write, or cannot be written.
    """
    if os.path.exists(folder) and not os.path.isdir(folder):
        raise DeployError(f"cannot write into {folder}: it is a file; name a folder")
    check_our_folder(folder)
    missing, there = "report", folder.absolute()
    while not os.path.exists(there):
        missing, there = there.name, there.parent
    check_writable(there / missing)


@contextmanager
def replacing_folder(folder: Path) -> Iterator[Path]:
    """A folder to fill, which takes the place of `folder` when the block ends well.

    Files of an older one that are not ours are kept: they move along.

    Raises:
        DeployError: it cannot be written; the older one is left as it was.
    """
    folder = Path(os.path.realpath(folder))
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with new_folder(folder.parent) as part:
            yield part
            files = record_of(part)
            (part / RECORD).write_bytes(json_text({"files": files}).encode())
            with holding(folder.parent):
                _take_place(part, folder)
    except OSError as error:
        raise _cannot_write(folder, error) from None


def _take_place(part: Path, folder: Path) -> None:
    if not folder.exists():
        part.rename(folder)
        return
    check_our_folder(folder)
    _keep(folder, part, set(recorded(folder) or ()) | {RECORD})
    exchange(part, folder)


def _keep(old: Path, new: Path, ours: set[str], inside: str = "") -> None:
    """Files of the user's are in both folders until the older one is removed."""
    for entry in sorted(os.scandir(old / inside), key=lambda entry: entry.name):
        name = f"{inside}{entry.name}"
        if name in ours:
            continue
        if entry.is_dir(follow_symlinks=False):
            (new / name).mkdir(exist_ok=True)
            _keep(old, new, ours, f"{name}/")
        elif not (new / name).exists():
            _link(old / name, new / name)


def _link(source: Path, place: Path) -> None:
    try:
        os.link(source, place, follow_symlinks=False)
    except OSError:  # a file system without links
        shutil.copy2(source, place, follow_symlinks=False)


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """A file that takes the place of `path` when the block ends well, and vanishes otherwise.

    A link is followed, and a device or pipe (/dev/stdout) is written to as it is.

    Raises:
        DeployError: the file cannot be written; an older file is left as it was.
    """
    path = Path(os.path.realpath(path))
    check_ours(path)
    try:
        if _is_special(path):
            with path.open("wb") as file:
                yield file
            return
        with new_file(path.parent) as (handle, temporary):
            with os.fdopen(handle, "wb") as file:
                yield file
            temporary.replace(path)
    except BrokenPipeError:
        raise
    except (OSError, zipfile.LargeZipFile) as error:
        raise _cannot_write(path, error) from None


def write_bytes(path: Path, content: bytes) -> None:
    """Write a whole file, or leave what was there."""
    with replacing(path) as file:
        file.write(content)


def write_text(path: Path, text: str) -> None:
    """Write a text for people: what it holds of foreign names is made printable."""
    write_bytes(path, printable(text, keep="\n\t").encode())


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write a JSON document, or leave what was there."""
    write_bytes(path, json_text(value).encode())


def json_text(value: Mapping[str, Any]) -> str:
    """A JSON document as this project writes it: its first key says who did."""
    marked = {MARK: _release(), **value}
    return json.dumps(marked, indent=1, default=plain_number) + "\n"


def _release() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("snndeploy")
    except PackageNotFoundError:  # run from a checkout that is not installed
        return "unknown"


def plain_number(value: Any) -> Any:
    """A numpy number as Python's own (`default` of json.dumps)."""
    if hasattr(value, "item") and getattr(value, "shape", None) == ():
        return value.item()
    raise TypeError(f"{type(value).__name__} is no JSON value")


def _is_special(path: Path) -> bool:
    return os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path)


def _cannot_write(path: Path, error: Exception) -> DeployError:
    number = getattr(error, "errno", None)
    if number in NO_PERMISSION:
        return DeployError(
            f"cannot write {path}: no permission in folder {path.parent}; choose another"
        )
    reason = getattr(error, "strerror", None) or one_line(error)
    return DeployError(f"cannot write {path}: {reason}; choose another folder")
