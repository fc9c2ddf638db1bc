"""Events of a layer: the values it receives and the outputs that each reaches, padding left out.

events of a step = sum over the values of (spikes in the value) * (outputs that it reaches)
"""

from __future__ import annotations

import numpy as np

from snndeploy.graph import Graph, Node
from snndeploy.ops import kind_of
from snndeploy.ops.evaluate import node_inputs
from snndeploy.ops.kind import Layer, Summed


def layer_of(node: Node) -> Layer:
    found = kind_of(node).layer
    assert found is not None, f"{node.label} is no layer"
    return found


def fan_out_plane(node: Node, source: Node) -> np.ndarray:
    """Outputs that one value of each position of the input reaches, int64; taps outside are none.

    (height, width) for a kernel that positions share, the same for every channel; else one number.
    """
    return layer_of(node).fan_out(node, source)


def events_at_rate_one(graph: Graph, node: Node) -> int:
    """Events of a step in which every driving neuron fires, or every value is not zero."""
    source = graph.by_name[node.inputs[0]]
    summed = sums_of_spikes(graph, source)
    return int(layer_of(node).valid_macs(node, source) * (1 if summed is None else summed.ones))


def sums_of_spikes(graph: Graph, node: Node) -> Summed | None:
    """How a node adds up spikes, or None where it holds other values, so that each is a product.

    Averages count too: a layer behind them can read the spikes themselves.  An integer v is v
    spikes; the maximum of integers is the spikes of the largest.
    """
    if node.is_neuron or _is_binary(node):
        return Summed(1.0, 1)
    if not node.inputs:
        return None
    parts = [sums_of_spikes(graph, graph.by_name[name]) for name in node.inputs]
    known = [part for part in parts if part is not None]
    if len(known) < len(parts) or len({part.window for part in known}) > 1:
        return None
    return kind_of(node).cost.summed(node, node_inputs(graph, node), known)


def _is_binary(node: Node) -> bool:
    return node.signal is not None and node.signal.kind == "binary"
