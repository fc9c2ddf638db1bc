"""A sealed zip of JSON documents and arrays: deterministic, hashed, read defensively.

Members are stored, not compressed, in sorted order with a fixed date, so equal contents are equal
bytes.  Arrays are `.npy` named by the hash of their bytes: an array used twice is stored once.
`seal.json` lists every member's SHA-256; the first line of the file's end is the zip directory, so
a truncated file has none.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import numpy as np

from snndeploy.errors import ProgramError, one_line

SEAL = "seal.json"
FIXED_DATE = (1980, 1, 1, 0, 0, 0)
MEMBER_NAME = re.compile(r"[a-z_]+\.(json|toml)|arrays/[0-9a-f]{32}\.npy")
LARGEST_DOCUMENT = 256 << 20
LARGEST_ARRAY = 8 << 30
PLAIN_KINDS = "biuf"  # bool, signed, unsigned, float


class ArrayStore:
    """Collects arrays while documents are written; gives each a short reference."""

    def __init__(self) -> None:
        self.members: dict[str, bytes] = {}

    def put(self, array: np.ndarray | None) -> str | None:
        if array is None:
            return None
        buffer = io.BytesIO()
        np.lib.format.write_array(buffer, np.ascontiguousarray(array), allow_pickle=False)
        data = buffer.getvalue()
        reference = hashlib.sha256(data).hexdigest()[:32]
        self.members.setdefault(f"arrays/{reference}.npy", data)
        return reference


def write(path: Path, documents: Mapping[str, Any], arrays: ArrayStore) -> None:
    """Write to a temporary name beside `path` and rename, so no half file is ever seen.

    documents: file name -> JSON value, or text for '.toml'.
    Raises ProgramError when the folder cannot be written.
    """
    members = dict(arrays.members)
    for name, value in documents.items():
        text = value if isinstance(value, str) else json.dumps(value, sort_keys=True, indent=1)
        members[name] = text.encode()
    members[SEAL] = _seal(members)
    with replacing(path) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(members):
            archive.writestr(zipfile.ZipInfo(name, FIXED_DATE), members[name])


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """A file that takes the place of `path` when the block ends well, and vanishes otherwise."""
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent or Path("."))
    except OSError as error:
        raise ProgramError(
            f"cannot write {path}: {error.strerror}; choose another folder with -o"
        ) from None
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
        temporary.chmod(0o644)
        temporary.replace(path)
    except OSError as error:
        raise ProgramError(f"cannot write {path}: {error.strerror or one_line(error)}") from None
    finally:
        with suppress(FileNotFoundError):
            temporary.unlink()


def _seal(members: Mapping[str, bytes]) -> bytes:
    hashes = {name: hashlib.sha256(data).hexdigest() for name, data in sorted(members.items())}
    return json.dumps(hashes, sort_keys=True, indent=1).encode()


class SealedFile:
    """An open archive whose members are checked as they are read.

    Raises ProgramError, in one line, for anything that is not as `write` left it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.is_file():
            raise ProgramError(f"program file {path} does not exist")
        try:
            self.archive = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, OSError) as error:
            raise ProgramError(
                f"{path} is not a whole program file ({one_line(error)}); it may be truncated:"
                " compile it again or copy it once more"
            ) from None
        self.size = path.stat().st_size
        self.entries = {entry.filename: entry for entry in self.archive.infolist()}
        for entry in self.archive.infolist():
            self._check_entry(entry)
        if len(self.entries) != len(self.archive.infolist()):
            raise self.damaged("a member appears twice")
        self.seal = self._read_seal()
        unlisted = sorted(set(self.entries) - set(self.seal) - {SEAL})
        missing = sorted(set(self.seal) - set(self.entries))
        if unlisted or missing:
            raise self.damaged(f"member {(unlisted + missing)[0]} is {'added' if unlisted else 'missing'}")

    def damaged(self, reason: str) -> ProgramError:
        return ProgramError(f"{self.path} is damaged or was altered: {reason}; compile it again")

    def document(self, name: str) -> Any:
        try:
            return json.loads(self.read(name))
        except ValueError as error:
            raise self.damaged(f"{name} is not JSON ({one_line(error)})") from None

    def text(self, name: str) -> str:
        try:
            return self.read(name).decode()
        except UnicodeDecodeError:
            raise self.damaged(f"{name} is not text") from None

    def array(self, reference: str | None) -> np.ndarray | None:
        if reference is None:
            return None
        name = f"arrays/{reference}.npy"
        data = self.read(name)
        stream = io.BytesIO(data)
        try:
            version = np.lib.format.read_magic(stream)
            if version != (1, 0):
                raise ValueError(f"npy version {version}")
            shape, fortran, dtype = np.lib.format.read_array_header_1_0(stream)
            if dtype.kind not in PLAIN_KINDS or fortran or dtype.hasobject:
                raise ValueError(f"dtype {dtype}")
            values = np.frombuffer(data, dtype, offset=stream.tell())
            return values.reshape(shape)
        except ValueError as error:
            raise self.damaged(f"{name} is not a plain array ({one_line(error)})") from None

    def read(self, name: str) -> bytes:
        if name not in self.entries:
            raise self.damaged(f"member {name} is missing")
        limit = LARGEST_ARRAY if name.startswith("arrays/") else LARGEST_DOCUMENT
        if self.entries[name].file_size > limit:
            raise self.damaged(f"member {name} claims {self.entries[name].file_size:,} bytes")
        try:
            data = self.archive.read(name)
        except (zipfile.BadZipFile, OSError, EOFError, NotImplementedError, RuntimeError) as error:
            raise self.damaged(f"{name} cannot be read ({one_line(error)})") from None
        if name != SEAL and hashlib.sha256(data).hexdigest() != self.seal[name]:
            raise self.damaged(f"{name} does not match its seal")
        return data

    def _check_entry(self, entry: zipfile.ZipInfo) -> None:
        if not MEMBER_NAME.fullmatch(entry.filename):
            raise self.damaged(f"unexpected member {entry.filename!r}")
        if entry.compress_type != zipfile.ZIP_STORED or entry.file_size > self.size:
            raise self.damaged(f"member {entry.filename} claims a size it cannot have")

    def _read_seal(self) -> dict[str, str]:
        if SEAL not in self.entries:
            raise self.damaged("its seal is missing")
        try:
            seal = json.loads(self.read(SEAL))
        except ValueError:
            raise self.damaged("its seal is not JSON") from None
        if not isinstance(seal, dict) or not all(isinstance(v, str) for v in seal.values()):
            raise self.damaged("its seal has another form")
        return seal

    def close(self) -> None:
        self.archive.close()
