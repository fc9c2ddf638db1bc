"""Max pooling of counts: the maximum of sums of spikes, by binary nodes alone.

A count v in 0..k is the number of levels that it reaches, and so is its maximum over a window:

    max v  =  sum over j = 1..k of  max [v >= j]

so max pooling of sums of spikes (SEW's blocks) becomes k comparisons and k poolings of zeros and
ones, each of which a population of neurons without memory computes.
"""

from __future__ import annotations

from dataclasses import replace

from snndeploy.graph import Graph, Node, Signal
from snndeploy.ops import Role, Trait, has, kind_of
from snndeploy.ops.pool import MOST_LEVELS

BINARY = Signal("binary", 1.0)


def split_levels(graph: Graph) -> Graph:
    """The graph with max pooling of counts up to MOST_LEVELS taken apart; signals inferred."""
    counts = _counts(graph)
    nodes: list[Node] = []
    for node in graph.nodes:
        levels = _levels(graph.by_name[node.inputs[0]]) if kind_of(node).role is Role.POOLING else 0
        split = node.name in counts and 1 < levels <= MOST_LEVELS
        nodes += _split(graph, node, levels) if split else [node]
    return graph.with_nodes(nodes)


def without_idle(graph: Graph) -> Graph:
    """The graph without functions that leave counts as they are, as a ReLU of spikes."""
    counts, instead = _counts(graph), dict[str, str]()
    nodes: list[Node] = []
    for node in graph.nodes:
        node = replace(node, inputs=tuple(instead.get(name, name) for name in node.inputs))
        idle = has(node, Trait.SPARES_COUNT) and node.inputs[0] in counts
        if idle and node.name not in graph.outputs:
            instead[node.name] = node.inputs[0]
        else:
            nodes.append(node)
    return graph.with_nodes(nodes)


def _counts(graph: Graph) -> set[str]:
    """Nodes that are spikes, or sums and maxima of counts: whole numbers from 0."""
    found: set[str] = set()
    for node in graph.nodes:
        moves = has(node, Trait.KEEPS_COUNT) or has(node, Trait.SPARES_COUNT)
        if node.is_neuron or (moves and node.inputs and found.issuperset(node.inputs)):
            found.add(node.name)
    return found


def _levels(source: Node) -> int:
    """The largest count; 0 where it is not known."""
    assert source.signal is not None
    return int(source.signal.bound or 0)


def _split(graph: Graph, node: Node, levels: int) -> list[Node]:
    """max_pool(v) as a sum of pooled levels; the last node has the name of the pooling."""
    source = graph.by_name[node.inputs[0]]
    assert node.signal is not None
    made: list[Node] = []
    total = ""
    for level in range(1, levels + 1):
        reached, pooled = f"{node.name}@level{level}", f"{node.name}@pool{level}"
        attributes = {"relation": "ge", "number": float(level)}
        made.append(
            Node(reached, "compare", (source.name,), attributes, axes=source.axes, signal=BINARY)
        )
        made.append(replace(node, name=pooled, inputs=(reached,), module="", signal=BINARY))
        if total:
            last = level == levels
            name = node.name if last else f"{node.name}@sum{level}"
            signal = replace(node.signal, bound=float(level))
            made.append(Node(name, "add", (total, pooled), axes=node.axes, signal=signal))
            total = name
        else:
            total = pooled
    return made
