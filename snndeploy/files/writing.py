"""Writing files: refused before the work is done, and then whole or not at all."""

from __future__ import annotations

import errno
import json
import os
import secrets
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from snndeploy.errors import DeployError, one_line

NO_PERMISSION = (errno.EACCES, errno.EPERM, errno.EROFS)


def check_writable(path: Path) -> None:
    """Refuse a file that could not be written, before the work rather than after it.

    A file is made in the folder and removed again: permission bits say nothing to root, nor about
    read-only or full disks.

    Raises:
        DeployError: `path` is a folder, or its folder is missing or cannot be written.
    """
    if os.path.isdir(path):
        raise DeployError(f"cannot write {path}: it is a folder; name a file")
    folder = path.parent
    if not os.path.isdir(folder):
        reason = "is a file" if os.path.exists(folder) else "does not exist; create it first"
        raise DeployError(f"cannot write {path}: folder {folder} {reason}")
    if _is_special(path):
        return
    try:
        handle, trial = _temporary_file(folder)
        os.close(handle)
        trial.unlink()
    except OSError as error:
        raise _cannot_write(path, error) from None


def check_folder(folder: Path) -> None:
    """Refuse a folder that could not be made or written to; nothing is made yet."""
    if os.path.exists(folder) and not os.path.isdir(folder):
        raise DeployError(f"cannot write into {folder}: it is a file; name a folder")
    missing, there = "report", folder.absolute()
    while not os.path.exists(there):
        missing, there = there.name, there.parent
    check_writable(there / missing)


def make_folder(folder: Path) -> None:
    """Create a folder, its parents included."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _cannot_write(folder, error) from None


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """A file that takes the place of `path` when the block ends well, and vanishes otherwise.

    A link is followed, and a device or pipe (/dev/stdout) is written to as it is.

    Raises:
        DeployError: the file cannot be written; an older file is left as it was.
    """
    path = Path(os.path.realpath(path))
    try:
        if _is_special(path):
            with path.open("wb") as file:
                yield file
            return
        handle, temporary = _temporary_file(path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                yield file
            temporary.replace(path)
        finally:
            with suppress(FileNotFoundError):
                temporary.unlink()
    except BrokenPipeError:
        raise
    except (OSError, zipfile.LargeZipFile) as error:
        raise _cannot_write(path, error) from None


def write_bytes(path: Path, content: bytes) -> None:
    """Write a whole file, or leave what was there."""
    with replacing(path) as file:
        file.write(content)


def write_json(path: Path, value: Any) -> None:
    """Write a JSON document, or leave what was there."""
    write_bytes(path, json_text(value).encode())


def json_text(value: Any) -> str:
    """A JSON document as this project writes it."""
    return json.dumps(value, indent=1, default=plain_number) + "\n"


def plain_number(value: Any) -> Any:
    """A numpy number as Python's own (`default` of json.dumps)."""
    if hasattr(value, "item") and getattr(value, "shape", None) == ():
        return value.item()
    raise TypeError(f"{type(value).__name__} is no JSON value")


def _temporary_file(folder: Path) -> tuple[int, Path]:
    """A new file with a name of its own and the permissions of any new file."""
    path = folder / f".snndeploy-{secrets.token_hex(8)}.part"
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    return os.open(path, flags, 0o666), path


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
