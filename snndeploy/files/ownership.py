"""Which existing files and folders are ours: the others are never replaced unless forced.

A file is ours where its beginning says so, by the form that we write it in.  A folder is ours
where it holds RECORD, which lists our files in it and their hashes; what else is in it belongs to
the user, and so does a file of ours that was changed since.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import zipfile
from collections.abc import Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import NamedTuple

from snndeploy.errors import DeployError

RECORD = "written.json"
MARK = "snndeploy"  # a JSON document's first key, a page's generator, a model's producer
HEAD_BYTES = 1 << 16
LARGEST_RECORD = 1 << 22
SEAL = "seal.json"  # a member of every program file
HDF5 = b"\x89HDF"  # .net and .nir: an attribute of the root is MARK

_forced: ContextVar[bool] = ContextVar("forced", default=False)


class Form(NamedTuple):
    """begins: its first bytes.  mark: found in the first HEAD_BYTES of those that we wrote."""

    begins: bytes
    mark: bytes


FORMS = (
    Form(b"{\n ", f'{{\n "{MARK}": '.encode()),
    Form(b"<!DOCTYPE html>", f'<meta name="generator" content="{MARK}'.encode()),
    Form(b"\x08", b"\x12" + bytes([len(MARK)]) + MARK.encode()),  # ONNX: ir_version, producer_name
)


@contextlib.contextmanager
def forced(yes: bool = True) -> Iterator[None]:
    """Within it, files that are not ours may be replaced."""
    token = _forced.set(yes)
    try:
        yield
    finally:
        _forced.reset(token)


def check_ours(path: Path) -> None:
    """Refuse to replace a file that somebody else wrote.

    Raises:
        DeployError: it is there, not empty, and nothing in it says that it is ours.
    """
    if _forced.get() or not os.path.isfile(path) or is_ours(path):
        return
    raise DeployError(
        f"{path} exists, and snndeploy did not write it: name another file, or replace it with"
        " --force"
    )


def is_ours(path: Path) -> bool:
    """An empty file belongs to nobody, and may be replaced."""
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except OSError:
        return False
    if not head:
        return True
    if head.startswith(b"PK"):
        return _is_program(path)
    if head.startswith(HDF5):
        return _is_marked(path)
    return any(head.startswith(form.begins) and form.mark in head for form in FORMS)


def _is_program(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return SEAL in archive.namelist()
    except Exception:  # zipfile raises many kinds for a damaged file
        return False


def _is_marked(path: Path) -> bool:
    """Anywhere in the file: HDF5 puts what is added last behind the numbers."""
    try:
        from snndeploy.files.hdf5 import h5py

        with h5py.File(path, "r") as file:
            return MARK in file.attrs
    except Exception:  # without h5py, or of a damaged file, of which h5py raises many kinds
        return False


def check_our_folder(folder: Path) -> None:
    """Refuse to replace a folder with other contents, or files of ours that were changed since.

    Raises:
        DeployError: see above; a missing or an empty folder passes.
    """
    if _forced.get() or not os.path.isdir(folder) or not any(folder.iterdir()):
        return
    files = recorded(folder)
    if files is None:
        raise DeployError(
            f"folder {folder} is not empty, and snndeploy did not write it: name a new one, or"
            " add to it with --force"
        )
    for name, digest in files.items():
        path = folder / name
        if path.is_file() and digest_of(path) != digest:
            raise DeployError(
                f"{path} was changed since snndeploy wrote it: name another folder, or replace it"
                " with --force"
            )


def recorded(folder: Path) -> dict[str, str] | None:
    """Our files in it, relative, and their SHA-256; None where there is no record of ours."""
    path = folder / RECORD
    try:
        if path.is_symlink() or path.stat().st_size > LARGEST_RECORD:
            return None
        record = json.loads(path.read_bytes())
        files = record["files"]
        if not record[MARK] or not all(_plain(name) for name in files):
            return None
        return {str(name): str(digest) for name, digest in files.items()}
    except (OSError, ValueError, KeyError, TypeError, RecursionError, AttributeError):
        return None


def _plain(name: str) -> bool:
    """A path that stays within its folder."""
    parts = Path(name).parts
    return bool(parts) and not Path(name).is_absolute() and ".." not in parts


def record_of(folder: Path) -> dict[str, str]:
    """Every file in a folder of ours, relative, and its SHA-256."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): digest_of(path) for path in files}


def digest_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
