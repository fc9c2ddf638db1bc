"""Small documents of strangers, TOML and JSON: sized and looked through before they are parsed."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from snndeploy.errors import DeployError, one_line

LARGEST_BYTES = 1 << 20
QUOTED = re.compile(r"\"(?:\\.|[^\"\\\n])*\"|'[^'\n]*'")
# tomllib takes memory by the square of a dotted key's length: 7 GB for one of 100 KB
LONG_KEY = re.compile(r"(?:[\w\"'-]+\s*\.\s*){17}")


def read_text(
    path: Path, what: str, error: type[DeployError] = DeployError, largest: int = LARGEST_BYTES
) -> str:
    """A small text file; what: it is, at the beginning of the message ("target file").

    Raises:
        DeployError: of the kind `error`: it is missing, too large or no text.
    """
    try:
        size = path.stat().st_size
        if size > largest:
            raise error(
                f"{what} {path} has {size:,} bytes; at most {largest:,} are read: such files"
                " take a few kilobytes"
            )
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise error(f"{what} {path} does not exist") from None
    except (OSError, UnicodeDecodeError) as reason:
        raise error(f"cannot read {what} {path}: {one_line(reason)}") from None


def toml(
    text: str,
    origin: str,
    error: type[DeployError] = DeployError,
    parse_float: Callable[[str], Any] = float,
) -> dict[str, Any]:
    """Raises:
    DeployError: of the kind `error`: it is no TOML, or a key has more than 17 parts.
    """
    if LONG_KEY.search(QUOTED.sub('""', text)):
        raise error(f"{origin} is refused: a key of it has more than 17 parts")
    try:
        return tomllib.loads(text, parse_float=parse_float)
    except (ValueError, RecursionError) as reason:  # ValueError also of huge numbers
        raise error(f"{origin} is not valid TOML: {reason}") from None


def table(
    path: Path, what: str, error: type[DeployError] = DeployError, largest: int = LARGEST_BYTES
) -> Any:
    """The content of a .toml file, or of a JSON file by any other name.

    Raises:
        DeployError: of the kind `error`.
    """
    text = read_text(path, what, error, largest)
    if path.suffix == ".toml":
        return toml(text, f"{what} {path}", error)
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as reason:
        said = one_line(reason)
        raise error(f"{what} {path} is not readable as JSON: {said}") from None
