"""Parts: files and folders under construction, beside the place that they will take.

A part is locked by the process that fills it, for as long as it lives.  Whoever makes a new part
removes those beside it that nobody holds: what a killed run left.  A lock of the folder that holds
them keeps making, removing and swapping apart.  Where the system has no such locks (Windows, some
network file systems) nothing is removed.
"""

from __future__ import annotations

import ctypes
import os
import secrets
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

if sys.platform != "win32":
    import fcntl

PREFIX, SUFFIX, ASIDE = ".snndeploy-", ".part", ".old"
AT_CWD, EXCHANGE = -100, 2  # renameat2(2)


@contextmanager
def holding(folder: Path) -> Iterator[None]:
    """Nobody else makes, removes or swaps parts in this folder meanwhile.

    Within a part, whose own lock its maker has, there is nobody else.
    """
    if sys.platform == "win32" or any(_is_part(name) for name in folder.absolute().parts):
        yield
        return
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:  # a folder that may be written to and not read
        yield
        return
    try:
        with suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


@contextmanager
def new_file(folder: Path) -> Iterator[tuple[int, Path]]:
    """A new file with a name of its own and the permissions of any new file, and its open handle.

    What is still there at the end is removed, wherever a signal fell.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    path = _name(folder)
    try:
        with holding(folder):
            _remove_abandoned(folder)
            handle = os.open(path, flags, 0o666)
            _lock(handle)
        yield handle, path
    finally:
        _remove(path)


@contextmanager
def new_folder(parent: Path) -> Iterator[Path]:
    """A new folder likewise."""
    path, handle = _name(parent), -1
    try:
        with holding(parent):
            _remove_abandoned(parent)
            path.mkdir()
            if sys.platform != "win32":
                handle = os.open(path, os.O_RDONLY)
                _lock(handle)
        yield path
    finally:
        _remove(path)
        if handle >= 0:
            os.close(handle)


def exchange(part: Path, place: Path) -> None:
    """A folder takes the place of another, which is then where the part was.

    In one operation on Linux, so that something whole is there always; elsewhere in two renames.
    Between these the older one, which has the user's files, is no part that anybody removes.
    """
    if sys.platform == "linux" and _exchanged(part, place):
        return
    aside = part.with_suffix(ASIDE)
    place.rename(aside)
    try:
        part.rename(place)
    except BaseException:
        aside.rename(place)
        raise
    aside.rename(part)


def _exchanged(part: Path, place: Path) -> bool:
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):
        return False
    return bool(rename(AT_CWD, os.fsencode(part), AT_CWD, os.fsencode(place), EXCHANGE) == 0)


def _is_part(name: str) -> bool:
    return name.startswith(PREFIX) and name.endswith(SUFFIX)


def _name(folder: Path) -> Path:
    return folder / f"{PREFIX}{secrets.token_hex(8)}{SUFFIX}"


def _lock(handle: int) -> None:
    if sys.platform == "win32":
        return
    with suppress(OSError):
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _remove(path: Path) -> None:
    """Also where a signal falls while it is removed."""
    try:
        _removed(path)
    except BaseException:
        _removed(path)
        raise


def _removed(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _remove_abandoned(folder: Path) -> None:
    with suppress(OSError):
        for entry in os.scandir(folder):
            if _is_part(entry.name):
                _remove_unheld(Path(entry.path))


def _remove_unheld(path: Path) -> None:
    if sys.platform == "win32":
        return
    with suppress(OSError):
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
        finally:
            os.close(handle)
