"""Can an operation be computed as a program file has it?  The nodes' share of `consistency`.

What an operation needs beside its dimensions: how many inputs, which attributes, which parameters,
and inputs whose concrete shapes go together.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from snndeploy.graph import Graph, Node, sizes
from snndeploy.neurons import equation_of
from snndeploy.ops.compare import RELATIONS

BATCH = 7919  # a prime, so that no other dimension is taken for the batch
MOST = 1 << 28  # of anything that is counted

Shape = Sequence[int]
Rule = Callable[[Node, Sequence[Shape], Shape], bool]


def computable(graph: Graph, node: Node) -> bool:
    """The node has what its operation reads, and its inputs have shapes that it takes."""
    fewest, most = INPUTS.get(node.op, (1, 1))
    if not fewest <= len(node.inputs) <= most or not isinstance(node.attributes, Mapping):
        return False
    if not all(_number_array(value) for value in node.parameters.values()):
        return False
    inputs = [sizes(graph.by_name[name].axes, BATCH) for name in node.inputs]
    try:
        return RULES[node.op](node, inputs, sizes(node.axes, BATCH))
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


def _whole(value: Any, low: int, high: int) -> bool:
    return type(value) is int and low <= value <= high


def _number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)


def _numbers(node: Node, *keys: str) -> bool:
    return all(_number(node.attributes[key]) for key in keys)


def _extents(node: Node, key: str, count: int, low: int) -> bool:
    found = node.attributes[key]
    return len(found) == count and all(_whole(value, low, MOST) for value in found)


# shapes


def _broadcasts(node: Node, inputs: Sequence[Shape], found: Shape) -> bool:
    return np.broadcast_shapes(*map(tuple, inputs)) == tuple(found)


def _expands(node: Node, inputs: Sequence[Shape], found: Shape) -> bool:
    return np.broadcast_shapes(tuple(inputs[0]), tuple(found)) == tuple(found)


def _keeps_elements(node: Node, inputs: Sequence[Shape], found: Shape) -> bool:
    return math.prod(inputs[0]) == math.prod(found)


def _permutes(node: Node, inputs: Sequence[Shape], found: Shape) -> bool:
    order = node.attributes["order"]
    return all(type(index) is int for index in order) and sorted(order) == [*range(len(inputs[0]))]


def _takes(node: Node, inputs: Sequence[Shape], found: Shape) -> bool:
    chosen = node.attributes
    dimension, start, stop = chosen["dimension"], chosen["start"], chosen["stop"]
    inside = _whole(dimension, 0, len(inputs[0]) - 1) and _whole(stop, 1, inputs[0][dimension])
    stride = _whole(chosen["step"], 1, MOST) and _whole(start, 0, stop - 1)
    return inside and stride and (not chosen["drop"] or stop - start == 1)


def _concatenates(node: Node, inputs: Sequence[Shape], found: Shape) -> bool:
    """Along a dimension that all have, or a new one; the others stretch to each other."""
    along, new = node.attributes["dimension"], node.attributes["new"]
    _number(node.attributes["timesteps"])
    rank = len(inputs[0])
    good = all(len(shape) == rank for shape in inputs)
    if not good or not _whole(along, 0, rank - (not new)):
        return False
    others = [tuple(n for i, n in enumerate(shape) if new or i != along) for shape in inputs]
    return np.broadcast_shapes(*others) == tuple(n for i, n in enumerate(found) if i != along)


# operations with parameters or attributes


def _convolves(node: Node, inputs: Sequence[Shape], found: Shape) -> bool:
    weight, groups = node.parameters["weight"], node.attributes["groups"]
    good = weight.ndim == 4 and weight.size > 0 and len(inputs[0]) == 4
    good = good and _whole(groups, 1, len(weight)) and len(weight) % groups == 0
    good = good and inputs[0][1] == weight.shape[1] * groups and _biased(node, len(weight))
    steps = all(_extents(node, key, 2, 1) for key in ("stride", "dilation"))
    return good and steps and _extents(node, "padding", 4, 0)


def _pads(node: Node, inputs: Sequence[Shape], found: Shape) -> bool:
    return len(inputs[0]) >= 2 and _extents(node, "padding", 4, 0)


def _multiplies(node: Node, inputs: Sequence[Shape], found: Shape) -> bool:
    weight = node.parameters["weight"]
    good = weight.ndim == 2 and weight.size > 0 and inputs[0][-1] == weight.shape[1]
    return good and _biased(node, len(weight))


def _biased(node: Node, outputs: int) -> bool:
    bias = node.parameters.get("bias")
    return bias is None or bias.shape == (outputs,)


def _normalises(node: Node, inputs: Sequence[Shape], found: Shape) -> bool:
    axis = node.attributes["channel_axis"]
    if not _whole(axis, 0, len(inputs[0]) - 1):
        return False
    return all(node.parameters[key].shape in ((1,), (inputs[0][axis],)) for key in NORM_KEYS)


NORM_KEYS = ("scale", "shift")


def _pools(node: Node, inputs: Sequence[Shape], found: Shape) -> bool:
    good = len(inputs[0]) in (3, 4) and all(_extents(node, k, 2, 1) for k in ("kernel", "stride"))
    if node.op == "avg_pool":
        return good
    padding, kernel = node.attributes["padding"], node.attributes["kernel"]
    small = all(2 * pad <= side for pad, side in zip(padding, kernel, strict=True))
    return good and small and _extents(node, "padding", 2, 0)


def _scales(node: Node, inputs: Sequence[Shape], found: Shape) -> bool:
    return _numbers(node, "factor", "offset") and _broadcasts(node, inputs, found)


def _clamps(node: Node, inputs: Sequence[Shape], found: Shape) -> bool:
    limits = [node.attributes[key] for key in ("minimum", "maximum")]
    good = all(limit is None or _number(limit) for limit in limits) and limits != [None, None]
    return good and _broadcasts(node, inputs, found)


def _compares(node: Node, inputs: Sequence[Shape], found: Shape) -> bool:
    shapes = [*inputs]
    if len(inputs) == 1 and "other" in node.parameters:
        shapes.append(node.parameters["other"].shape)
    elif len(inputs) == 1 and not _number(node.attributes["number"]):
        return False
    return node.attributes["relation"] in RELATIONS and _broadcasts(node, shapes, found)


def _reduces(node: Node, inputs: Sequence[Shape], found: Shape) -> bool:
    dimensions = node.attributes["dimensions"]
    inside = all(_whole(index, 0, len(inputs[0]) - 1) for index in dimensions)
    return inside and 0 < len(dimensions) == len(set(dimensions)) and "keep" in node.attributes


def _ranks(node: Node, inputs: Sequence[Shape], found: Shape) -> bool:
    dimension = node.attributes["dimension"]
    inside = _whole(dimension, 0, len(inputs[0]) - 1)
    return inside and _whole(node.attributes["count"], 1, inputs[0][dimension])


def _fires(node: Node, inputs: Sequence[Shape], found: Shape) -> bool:
    return not equation_of(node.attributes).faults() and _numbers(node, "time_axis", "timesteps")


def _always(node: Node, inputs: Sequence[Shape], found: Shape) -> bool:
    return True


INPUTS = {
    "input": (0, 0),
    **dict.fromkeys(("add", "subtract", "multiply", "divide"), (2, 2)),
    "compare": (1, 2),
    "concatenate": (1, MOST),
}
RULES: Mapping[str, Rule] = {
    "input": _always,
    "neuron": _fires,
    "conv": _convolves,
    "pad": _pads,
    "linear": _multiplies,
    "norm": _normalises,
    **dict.fromkeys(("avg_pool", "max_pool"), _pools),
    **dict.fromkeys(("add", "subtract", "multiply", "divide"), _broadcasts),
    **dict.fromkeys(("relu", "sigmoid", "tanh", "floor", "round"), _broadcasts),
    "scale": _scales,
    "clamp": _clamps,
    "compare": _compares,
    **dict.fromkeys(("mean", "sum", "max", "min"), _reduces),
    "top_k": _ranks,
    "view": _keeps_elements,
    "permute": _permutes,
    "expand": _expands,
    "take": _takes,
    "concatenate": _concatenates,
}
