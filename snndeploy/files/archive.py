"""A sealed zip of JSON documents and arrays: deterministic, hashed, read defensively.

Members are stored, not compressed, in sorted order with a fixed date, so equal contents are equal
bytes.  Arrays are `.npy` named by the hash of their bytes: an array used twice is stored once.
`seal.json` lists every member's SHA-256.  Members cannot be larger than the file, so reading one
never takes more memory than the file has bytes.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from snndeploy.errors import ProgramError, one_line
from snndeploy.files.budget import check_budget
from snndeploy.files.plain_array import NotPlain, read_plain
from snndeploy.files.writing import plain_number, replacing

SEAL = "seal.json"
FIXED_DATE = (1980, 1, 1, 0, 0, 0)
UNIX = 3  # the zip's "made on", fixed so that every system writes the same bytes
REFERENCE = re.compile(r"[0-9a-f]{32}")
ARRAY_MEMBER = re.compile(r"arrays/[0-9a-f]{32}\.npy")
LARGEST_DOCUMENT = 256 << 20


class ArrayStore:
    """Collects arrays while documents are written; gives each a short reference."""

    def __init__(self) -> None:
        self.members: dict[str, bytes] = {}

    def put(self, array: np.ndarray | None) -> str | None:
        if array is None:
            return None
        buffer = io.BytesIO()
        plain = np.asarray(array, order="C")
        np.lib.format.write_array(buffer, plain, version=(1, 0), allow_pickle=False)
        data = buffer.getvalue()
        reference = hashlib.sha256(data).hexdigest()[:32]
        self.members.setdefault(_array_name(reference), data)
        return reference


def write(path: Path, documents: Mapping[str, Any], arrays: ArrayStore) -> None:
    """Write an archive, whole or not at all.

    documents: file name -> JSON value, or text for '.toml'.

    Raises:
        DeployError: the file cannot be written.
    """
    members = dict(arrays.members)
    for name, value in documents.items():
        members[name] = value.encode() if isinstance(value, str) else json_bytes(name, value)
    members[SEAL] = _seal(members)
    with replacing(path) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(members):
            entry = zipfile.ZipInfo(name, FIXED_DATE)
            entry.create_system = UNIX
            archive.writestr(entry, members[name])


def json_bytes(name: str, value: Any) -> bytes:
    """A document as it is written."""
    try:
        text = json.dumps(value, sort_keys=True, indent=1, allow_nan=False, default=plain_number)
        return text.encode()
    except ValueError:
        raise ProgramError(f"{name} would hold a number that is NaN or infinite") from None


def _seal(members: Mapping[str, bytes]) -> bytes:
    hashes = {name: hashlib.sha256(data).hexdigest() for name, data in sorted(members.items())}
    return json.dumps(hashes, sort_keys=True, indent=1).encode()


def _array_name(reference: str) -> str:
    return f"arrays/{reference}.npy"


class SealedFile:
    """An open archive whose members are checked as they are read.

    Raises ProgramError, in one line, for anything that is not as `write` left it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.is_file():
            raise ProgramError(f"program file {path} does not exist")
        check_budget(path.stat().st_size, f"program file {path}", ProgramError)
        self.archive = self._open()
        try:
            self.entries = self._checked_entries()
            self.seal = self._read_seal()
            self._compare_with_seal()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> SealedFile:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        self.archive.close()

    def damaged(self, reason: str) -> ProgramError:
        return ProgramError(f"{self.path} is damaged or was altered: {reason}; compile it again")

    def only(self, documents: Iterable[str]) -> None:
        """Refuse members that are neither one of these documents nor an array."""
        for name in self.seal:
            if name not in documents and not ARRAY_MEMBER.fullmatch(name):
                raise self.damaged(f"unexpected member {name!r}")

    def document(self, name: str) -> Any:
        try:
            return json.loads(self.read(name), parse_constant=_no_constant)
        except (ValueError, RecursionError) as error:
            raise self.damaged(f"{name} is not JSON ({one_line(error)})") from None

    def text(self, name: str) -> str:
        try:
            return self.read(name).decode()
        except UnicodeDecodeError:
            raise self.damaged(f"{name} is not text") from None

    def array(self, reference: str) -> np.ndarray:
        """The array that a document refers to, read-only."""
        if not isinstance(reference, str) or not REFERENCE.fullmatch(reference):
            raise self.damaged(f"{reference!r} is no reference to an array")
        data = self.read(_array_name(reference))
        try:
            return read_plain(io.BytesIO(data), len(data))
        except NotPlain as error:
            raise self.damaged(f"{_array_name(reference)} is no plain array: {error}") from None

    def read(self, name: str) -> bytes:
        if name not in self.entries:
            raise self.damaged(f"member {name} is missing")
        size = self.entries[name].file_size
        if size > LARGEST_DOCUMENT and not name.startswith("arrays/"):
            raise self.damaged(f"member {name} claims {size:,} bytes")
        try:
            data = self.archive.read(self.entries[name])
        except Exception as error:  # zipfile raises many kinds for a damaged member
            raise self.damaged(f"{name} cannot be read ({one_line(error)})") from None
        if name != SEAL and hashlib.sha256(data).hexdigest() != self.seal[name]:
            raise self.damaged(f"{name} does not match its seal")
        return data

    def _open(self) -> zipfile.ZipFile:
        try:
            return zipfile.ZipFile(self.path)
        except OSError as error:
            raise ProgramError(f"cannot read {self.path}: {error.strerror or error}") from None
        except Exception as error:  # zipfile raises many kinds for a damaged directory
            raise ProgramError(
                f"{self.path} is not a whole program file ({one_line(error)}); it may be"
                " truncated: compile it again or copy it once more"
            ) from None

    def _checked_entries(self) -> dict[str, zipfile.ZipInfo]:
        """Members by name: stored, each once, together no larger than the file."""
        listed = self.archive.infolist()
        entries = {entry.filename: entry for entry in listed}
        if len(entries) != len(listed):
            raise self.damaged("a member appears twice")
        room = self.path.stat().st_size
        for entry in listed:
            room -= entry.file_size
            stored = entry.compress_type == zipfile.ZIP_STORED
            if room < 0 or not stored or entry.compress_size != entry.file_size:
                raise self.damaged(f"member {entry.filename!r} claims a size it cannot have")
        return entries

    def _read_seal(self) -> dict[str, str]:
        if SEAL not in self.entries:
            raise self.damaged("its seal is missing")
        seal = self.document(SEAL)
        if not isinstance(seal, dict) or not all(isinstance(v, str) for v in seal.values()):
            raise self.damaged("its seal has another form")
        return seal

    def _compare_with_seal(self) -> None:
        added = sorted(set(self.entries) - set(self.seal) - {SEAL})
        missing = sorted(set(self.seal) - set(self.entries))
        if added:
            raise self.damaged(f"member {added[0]!r} was added")
        if missing:
            raise self.damaged(f"member {missing[0]!r} is missing")


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")
