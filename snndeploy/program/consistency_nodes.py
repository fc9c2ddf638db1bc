"""Can an operation be computed as a program file has it?  The nodes' share of `consistency`.

What an operation needs beside its dimensions, it declares itself: how many inputs, which attributes
and parameters, and inputs whose concrete shapes go together (`ops.kind.Record`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from snndeploy.graph import Graph, Node, sizes
from snndeploy.ops import kind_of

BATCH = 7919  # a prime, so that no other dimension is taken for the batch


def computable(graph: Graph, node: Node) -> bool:
    """The node has what its operation reads, and its inputs have shapes that it takes."""
    record = kind_of(node).record
    counted = record.fewest <= len(node.inputs) <= record.most
    if not counted or not isinstance(node.attributes, Mapping):
        return False
    if not all(_number_array(value) for value in node.parameters.values()):
        return False
    inputs = [sizes(graph.by_name[name].axes, BATCH) for name in node.inputs]
    try:
        return record.rule(node, inputs, sizes(node.axes, BATCH))
    except (KeyError, IndexError, TypeError, ValueError):
        return False  # an attribute that is missing or no number, a dimension that is not there


def constant_alone(graph: Graph, node: Node) -> bool:
    """What is constant over time reads nothing that changes."""
    assert node.signal is not None
    signals = (graph.by_name[name].signal for name in node.inputs)
    return not node.signal.constant or all(signal and signal.constant for signal in signals)


def _number_array(value: Any) -> bool:
    good = isinstance(value, np.ndarray) and value.dtype.kind in "fiu"
    return bool(good and np.isfinite(value).all())
