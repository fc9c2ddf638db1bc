"""Windows along one dimension as a table, and the kernel that gives them where one does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

Window = list[int]
"""start, stop, count: positions start..stop-1, divided by count where it is averaged."""


def sliding(
    size: int, kernel: int, stride: int, padding: int, *, ceil: bool, padded: bool
) -> list[Window]:
    """Torch's windows along one dimension.

    ceil: also a last window that begins inside and ends outside; padded: a window's count is of
    what it has of the padded dimension, else of the dimension itself.
    """
    whole = size + 2 * padding - kernel
    outputs = (-(-whole // stride) if ceil else whole // stride) + 1
    if ceil and (outputs - 1) * stride >= size + padding:
        outputs -= 1
    found = []
    for start in range(-padding, outputs * stride - padding, stride):
        stop = min(start + kernel, size + padding)
        inside = max(start, 0), min(stop, size)
        found.append([*inside, stop - start if padded else inside[1] - inside[0]])
    return found


def adaptive(size: int, outputs: int) -> list[Window]:
    """As many windows as there are outputs, of sizes that differ by one."""
    edges = [(i * size // outputs, -(-(i + 1) * size // outputs)) for i in range(outputs)]
    return [[start, stop, stop - start] for start, stop in edges]


@dataclass(frozen=True)
class Regular:
    """Windows of one kernel and stride, `before` and `after` of them outside."""

    kernel: int
    stride: int
    before: int
    after: int


def regular(windows: Sequence[Window], size: int) -> Regular | None:
    """How a kernel gives these windows, cut off at the edges; None where no kernel does."""
    kernel = max(stop - start for start, stop, _ in windows)
    steps = [b[at] - a[at] for at in (0, 1) for a, b in pairwise(windows)]
    for stride in sorted({step for step in steps if step > 0} or {1}):
        for before in range(kernel):
            first = [index * stride - before for index in range(len(windows))]
            cut = [[max(start, 0), min(start + kernel, size)] for start in first]
            if cut == [[start, stop] for start, stop, _ in windows]:
                return Regular(kernel, stride, before, max(first[-1] + kernel - size, 0))
    return None


def tables(rows: Sequence[Window], columns: Sequence[Window]) -> dict[str, Any]:
    """As attributes of a node."""
    return {"rows": [*rows], "columns": [*columns]}
