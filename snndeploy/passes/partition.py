"""Partition: what runs on the host before the chip (encoder), on it (body), after it (readout).

The chip's work begins where a convolution or linear layer reads spikes.  What must happen before
that and cannot be done by accumulation (real inputs, gates, attention over the whole window) is
the encoder.  What lies behind the last neuron is the readout, and must be linear.

    driven(n)    n lies behind a layer that reads spikes, or sums and averages of spikes (or integer
                 events, where the target takes graded spikes)
    blocked(n)   the chip cannot do n: a product of two signals, a non-linear function, max pooling
                 of values that are not spikes, an operation over several time steps, or a layer
                 with real inputs that is not driven
    encoder      not driven, and: has no neuron before it, or is a blocked node in front of a
                 neuron, or such a node depends on it
    readout      no neuron behind it
    body         the rest; a blocked node in the body is refused when lowered
"""

from __future__ import annotations

from dataclasses import replace

from snndeploy.graph import Block, Graph, Node, Side, check
from snndeploy.ops import is_layer, kind_of
from snndeploy.ops.evaluate import node_inputs
from snndeploy.passes.levels import split_levels, without_idle
from snndeploy.passes.signals import contracts_time


def partition(graph: Graph, *, integer_input_on_chip: bool = False) -> Graph:
    """Every node with its side, the reason, and why the chip cannot do it (`Node.block`); max
    pooling of counts is taken apart (`levels`).

    integer_input_on_chip: a first layer that reads integer events may run on the chip (targets
    with graded spikes); otherwise the host computes it.
    """
    graph = split_levels(without_idle(graph))
    driven = _driven(graph, integer_input_on_chip)
    blocks = {node.name: _block(node, graph, node.name in driven) for node in graph.nodes}
    after_neuron, before_neuron = _after_neuron(graph), _before_neuron(graph)
    early = [name for name in before_neuron - driven if blocks[name]]
    before_blocks = graph.ancestors(early)
    nodes = []
    for node in graph.nodes:
        side, why = _side(
            node, driven, before_blocks, after_neuron, before_neuron, blocks[node.name]
        )
        nodes.append(replace(node, side=side, why=why))
    result = with_blocks(graph.with_nodes(nodes))
    check(result, "partitioned")
    return result


def _driven(graph: Graph, integer_input_on_chip: bool) -> set[str]:
    folding = _sums_of_spikes(graph)
    driven: set[str] = set()
    for node in graph.nodes:
        if any(name in driven for name in node.inputs):
            driven.add(node.name)
        elif is_layer(node):
            source = graph.by_name[node.inputs[0]]
            assert source.signal is not None
            events = source.signal.kind == "binary" or (
                source.signal.kind == "integer" and integer_input_on_chip
            )
            if source.name in folding or (events and not source.signal.constant):
                driven.add(node.name)
    return driven


def _sums_of_spikes(graph: Graph) -> set[str]:
    """Nodes that add up or average spikes and nothing else, so that a layer behind them can read
    the spikes themselves: over time only where no neuron follows."""
    before_neuron = _before_neuron(graph)
    found: set[str] = set()
    for node in graph.nodes:
        sources = [graph.by_name[name] for name in node.inputs]
        if node.is_neuron:
            found.add(node.name)
        elif sources and all(source.name in found for source in sources):
            whole_window = contracts_time(node, sources) and node.name in before_neuron
            linear = kind_of(node).linear and not is_layer(node) and not whole_window
            if linear or _kind(node) != "real":
                found.add(node.name)
    return found


def with_blocks(graph: Graph) -> Graph:
    """A partitioned graph with `block` on every node, as its sides have it."""
    driven = {node.name for node in graph.nodes if node.side in ("body", "readout")}
    return graph.with_nodes(
        replace(node, block=_block(node, graph, node.name in driven)) for node in graph.nodes
    )


def _block(node: Node, graph: Graph, driven: bool) -> Block | None:
    """Why the chip cannot do this node, or None."""
    inputs = node_inputs(graph, node)
    if contracts_time(node, inputs):
        return Block("mixes several time steps", "needs_full_window")
    return kind_of(node).blocked(node, inputs, driven)


def _kind(node: Node) -> str:
    assert node.signal is not None
    return node.signal.kind


def _after_neuron(graph: Graph) -> set[str]:
    found: set[str] = set()
    for node in graph.nodes:
        if node.is_neuron or any(name in found for name in node.inputs):
            found.add(node.name)
    return found


def _before_neuron(graph: Graph) -> set[str]:
    """Nodes that some neuron depends on (the neuron's own inputs and before)."""
    sources = [name for node in graph.nodes if node.is_neuron for name in node.inputs]
    return graph.ancestors(sources)


def _side(
    node: Node,
    driven: set[str],
    before_blocks: set[str],
    after_neuron: set[str],
    before_neuron: set[str],
    blocked: Block | None,
) -> tuple[Side, str]:
    if node.name not in driven:
        if node.name not in after_neuron:
            return "encoder", _encoder_reason(node, blocked)
        if node.name in before_blocks:
            return "encoder", "the encoder's gates need it before any layer reads spikes"
        if node.is_neuron:
            return "body", "fires spikes that the chip's layers read"
        if node.name not in before_neuron:
            return "readout", "behind the last neuron"
        return "body", "moves spikes"
    if node.is_neuron:
        return "body", "integrates and fires"
    if node.name not in before_neuron:
        return "readout", "behind the last neuron"
    return "body", blocked.reason if blocked else ""


def _encoder_reason(node: Node, blocked: Block | None) -> str:
    if node.is_input:
        return "the model's input"
    if blocked:
        return blocked.reason
    return "arranges the input" if kind_of(node).view else "before the first neuron"
