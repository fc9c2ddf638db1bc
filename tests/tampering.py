"""Taking program files apart and putting them together again, sealed or not."""

from __future__ import annotations

import hashlib
import json
import zipfile
from pathlib import Path

SEAL = "seal.json"


def unpack(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def pack(
    path: Path, members: dict[str, bytes], *, seal: bool = True, method: int = zipfile.ZIP_STORED
) -> Path:
    """Write members as a zip; with `seal`, under a seal that fits them."""
    members = dict(members)
    if seal:
        hashes = {n: hashlib.sha256(d).hexdigest() for n, d in members.items() if n != SEAL}
        members[SEAL] = json.dumps(hashes).encode()
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def edit_json(path: Path, name: str, change) -> Path:
    """Change one JSON document in place (`change` gets the value, may return another), resealed."""
    members = unpack(path)
    value = json.loads(members[name])
    changed = change(value)
    members[name] = json.dumps(value if changed is None else changed).encode()
    return pack(path, members)
