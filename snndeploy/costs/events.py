"""Events of a layer: the values it receives and the outputs that each reaches, padding left out.

events of a step = sum over the values of (spikes in the value) * (outputs that it reaches)
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np

from snndeploy.connections.conv import window_table
from snndeploy.graph import Graph, Node
from snndeploy.ops import KINDS
from snndeploy.ops.evaluate import node_inputs


def fan_out_plane(node: Node, source: Node) -> np.ndarray:
    """Outputs that one value of each position of the input reaches, int64; taps outside are none.

    (height, width) for a convolution, the same for every channel; one number for a linear layer.
    """
    weight = node.parameters["weight"]
    if node.op == "linear":
        return np.array(weight.shape[0], dtype=np.int64)
    top, bottom, left, right = node.attributes["padding"]
    taps = []
    for axis, (before, after) in enumerate(((top, bottom), (left, right))):
        size = source.shape[axis - 2]
        padded = window_table(
            before + size + after,
            weight.shape[2 + axis],
            node.attributes["stride"][axis],
            0,
            node.attributes["dilation"][axis],
        )[-1].astype(np.int64)
        taps.append(padded[before : before + size])
    plane = np.outer(*taps) * (weight.shape[0] // node.attributes["groups"])
    return _without_border(plane, source)


def _without_border(plane: np.ndarray, source: Node) -> np.ndarray:
    """Zero where the source itself is padding."""
    if source.op != "pad":
        return plane
    top, bottom, left, right = source.attributes["padding"]
    height, width = plane.shape
    inside = np.zeros_like(plane)
    inside[top : height - bottom, left : width - right] = 1
    return plane * inside


def events_at_rate_one(graph: Graph, node: Node) -> int:
    """Events of a step in which every driving neuron fires, or every value is not zero."""
    summed = sums_of_spikes(graph, graph.by_name[node.inputs[0]])
    return valid_macs(graph, node) * (1 if summed is None else summed.ones)


def valid_macs(graph: Graph, node: Node) -> int:
    """Multiply-accumulates of a step without the taps outside the image."""
    if node.op == "linear":
        return KINDS["linear"].macs(node, node_inputs(graph, node))
    source = graph.by_name[node.inputs[0]]
    return int(fan_out_plane(node, source).sum()) * source.shape[-3]


@dataclass(frozen=True)
class Summed:
    """A value that adds spikes up: value * window is their number; `ones` when all fire at once."""

    window: float
    ones: int


def sums_of_spikes(graph: Graph, node: Node) -> Summed | None:
    """How a node adds up spikes, or None where it holds other values, so that each is a product.

    Averages count too: a layer behind them can read the spikes themselves.  An integer v is v
    spikes; the maximum of integers is the spikes of the largest.
    """
    if node.op == "neuron" or _is_binary(node):
        return Summed(1.0, 1)
    if not node.inputs:
        return None
    parts = [sums_of_spikes(graph, graph.by_name[name]) for name in node.inputs]
    known = [part for part in parts if part is not None]
    if len(known) < len(parts) or len({part.window for part in known}) > 1:
        return None
    return _summed(node, graph.by_name[node.inputs[0]], known)


def _summed(node: Node, source: Node, parts: list[Summed]) -> Summed | None:
    window, ones = parts[0].window, sum(part.ones for part in parts)
    if node.op in ("add", "pad", "max_pool") or KINDS[node.op].view:
        return Summed(window, ones)
    if node.op == "scale" and not node.attributes["offset"] and node.attributes["factor"] > 0:
        return Summed(window / node.attributes["factor"], ones)
    if node.op == "avg_pool":
        size = prod(node.attributes["kernel"])
        return Summed(window * size, ones * size)
    if node.op in ("mean", "sum"):
        reduced = [source.axes[index] for index in node.attributes["dimensions"]]
        labelled = [atom for dimension in reduced for atom in dimension]
        plane = prod(size for label, size in labelled if label == "feature")
        every = prod(size for _, size in labelled)
        return Summed(window * (every if node.op == "mean" else 1), ones * plane)
    return None


def _is_binary(node: Node) -> bool:
    return node.signal is not None and node.signal.kind == "binary"
