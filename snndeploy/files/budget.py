"""How many bytes one file may take in memory: asked of what it declares, before it is read."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from contextvars import ContextVar

from snndeploy.errors import DeployError

GIB = 1 << 30

_bytes: ContextVar[int] = ContextVar("bytes", default=GIB)


def budget_bytes() -> int:
    return _bytes.get()


@contextlib.contextmanager
def memory_of(gib: float) -> Iterator[None]:
    """Within it, a file may take so much."""
    token = _bytes.set(int(gib * GIB))
    try:
        yield
    finally:
        _bytes.reset(token)


def check_budget(size: int, what: str, error: type[DeployError], otherwise: str = "") -> None:
    """Refuse what takes more than the budget.

    size: bytes.  what: begins the message.  otherwise: what else would help ("fewer --samples").

    Raises:
        DeployError: of the kind `error`.
    """
    if size <= budget_bytes():
        return
    also = f", or {otherwise}" if otherwise else ""
    raise error(
        f"{what} takes {_in_gib(size)} of memory and {_in_gib(budget_bytes())} are allowed: raise"
        f" that with --memory {math.ceil(size / GIB)}{also}"
    )


def _in_gib(size: int) -> str:
    return f"{size / GIB:,.1f} GiB" if size < 1 << 60 else f"{float(size) / GIB:.1e} GiB"
