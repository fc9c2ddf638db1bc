"""Lines of text as every report wraps them."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable

WIDTH = 80


def bullets(lines: Iterable[str]) -> str:
    return "\n".join(wrap(line, "  - ") for line in lines)


def warnings_text(warnings: Iterable[str]) -> str:
    """What stands before everything else."""
    return "\n".join(wrap(warning, "warning: ") for warning in warnings)


def wrap(text: str, first: str = "  ") -> str:
    return textwrap.fill(
        text, WIDTH, initial_indent=first, subsequent_indent=" " * max(len(first), 2),
        break_on_hyphens=False,
    )  # fmt: skip
