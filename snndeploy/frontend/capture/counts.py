"""Several spikes a step: a rounding in a neuron's cycle that counts its thresholds.

    n = floor(U / threshold)  (or trunc; above 0 they are one)      S = min(n, most)  where U > 0

A comparison beside it (U > 0) gates the count: it is taken to hold, and whether that is right is
shown by the cycle on random input.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch

from snndeploy.frontend.capture.rolled import Rolled, Steps
from snndeploy.frontend.capture.step import strict

UNBOUNDED = 1 << 15  # spikes a step of a neuron that names no most: the widest register's


def counted_gates(deciding: Iterable[Steps], count: Steps) -> dict[Rolled, Any]:
    """The comparisons beside a count, held at yes."""
    yes = torch.ones((), dtype=torch.bool)
    return {node: yes for node in deciding if node is not count and strict(node) is not None}


def most_counted(said: Callable[[int], Any]) -> int | None:
    """Spikes that it says at most; said: its spikes where a number of thresholds is counted."""
    values = said(UNBOUNDED)
    most = float(values.reshape(-1)[0])
    if not bool((values == most).all()) or not 1 <= most <= UNBOUNDED or most % 1:
        return None
    return int(most)
