"""What a node of a program file must satisfy to be computed: the rules' common parts.

A rule may raise KeyError, IndexError, TypeError or ValueError for what is missing or no number.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from snndeploy.graph import Node
from snndeploy.ops.kind import Record

MOST = 1 << 28  # of anything that is counted

Shape = Sequence[int]


def is_whole(value: Any, low: int, high: int) -> bool:
    return type(value) is int and low <= value <= high


def is_number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)


def numbers(node: Node, *keys: str) -> bool:
    return all(is_number(node.attributes[key]) for key in keys)


def extents(node: Node, key: str, count: int, low: int) -> bool:
    found = node.attributes[key]
    return len(found) == count and all(is_whole(value, low, MOST) for value in found)


def biased(node: Node, outputs: int) -> bool:
    bias = node.parameters.get("bias")
    return bias is None or bias.shape == (outputs,)


def broadcasts(node: Node, inputs: Sequence[Shape], found: Shape) -> bool:
    return np.broadcast_shapes(*map(tuple, inputs)) == tuple(found)


EACH = Record(fewest=1, most=1, rule=broadcasts)
"""A function of each value, without attributes."""
EACH_OF_TWO = Record(fewest=2, most=2, rule=broadcasts)
