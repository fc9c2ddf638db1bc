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

from collections.abc import Sequence
from dataclasses import dataclass, replace

from snndeploy.graph import Graph, Node, Side, check
from snndeploy.ops import KINDS
from snndeploy.passes.levels import MOST_LEVELS, is_level, split_levels
from snndeploy.passes.signals import contracts_time

SYNAPTIC = ("conv", "linear")
DYNAMIC = {"multiply": "multiplies", "divide": "divides"}
FUNCTIONS = {
    "relu": "applies ReLU to",
    "sigmoid": "applies sigmoid to",
    "tanh": "applies tanh to",
    "max": "takes the maximum of",
    "min": "takes the minimum of",
    "top_k": "ranks",
    "compare": "compares",
    "floor": "rounds",
    "round": "rounds",
    "clamp": "clips",
}


@dataclass(frozen=True)
class Block:
    """Why the chip cannot do a node; `flag` names what it would need."""

    reason: str
    flag: str = ""


def partition(graph: Graph, *, integer_input_on_chip: bool = False) -> Graph:
    """Every node with its side and the reason; max pooling of counts is taken apart (`levels`).

    integer_input_on_chip: a first layer that reads integer events may run on the chip (targets
    with graded spikes); otherwise the host computes it.
    """
    graph = split_levels(graph)
    driven = _driven(graph, integer_input_on_chip)
    blocks = {node.name: block(node, graph, driven) for node in graph.nodes}
    after_neuron, before_neuron = _after_neuron(graph), _before_neuron(graph)
    early = [name for name in before_neuron - driven if blocks[name]]
    before_blocks = graph.ancestors(early)
    nodes = []
    for node in graph.nodes:
        side, why = _side(
            node, driven, before_blocks, after_neuron, before_neuron, blocks[node.name]
        )
        nodes.append(replace(node, side=side, why=why))
    result = graph.with_nodes(nodes)
    check(result, "partitioned")
    return result


def _driven(graph: Graph, integer_input_on_chip: bool) -> set[str]:
    folding = _sums_of_spikes(graph)
    driven: set[str] = set()
    for node in graph.nodes:
        if any(name in driven for name in node.inputs):
            driven.add(node.name)
        elif node.op in SYNAPTIC:
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
        if node.op == "neuron":
            found.add(node.name)
        elif sources and all(source.name in found for source in sources):
            whole_window = contracts_time(node, sources) and node.name in before_neuron
            linear = KINDS[node.op].linear and node.op not in SYNAPTIC and not whole_window
            if linear or _kind(node) != "real":
                found.add(node.name)
    return found


def block(node: Node, graph: Graph, driven: set[str]) -> Block | None:
    """Why the chip cannot do this node, or None."""
    inputs: Sequence[Node] = [graph.by_name[name] for name in node.inputs]
    if node.body is not None:
        return Block("refines its membrane by attention at every step", "needs_dynamic_multiply")
    if node.op in DYNAMIC:
        reason = f"{DYNAMIC[node.op]} two signals computed at run time"
        return Block(reason, "needs_dynamic_multiply")
    if contracts_time(node, list(inputs)):
        return Block("mixes several time steps", "needs_full_window")
    if node.op in FUNCTIONS and not is_level(node, inputs[0]):
        return Block(f"{FUNCTIONS[node.op]} values that are not spikes")
    if node.op == "max_pool" and _kind(inputs[0]) != "binary":
        return Block(f"takes the maximum of {_kind(inputs[0])} values{_too_many(inputs[0])}")
    if node.op in SYNAPTIC and node.name not in driven:
        return Block(f"multiplies {_kind(inputs[0])} values")
    return None


def _too_many(source: Node) -> str:
    bound = (source.signal and source.signal.bound) or 0
    return (
        f" up to {bound:g} (counts up to {MOST_LEVELS} can be done)" if bound > MOST_LEVELS else ""
    )


def _kind(node: Node) -> str:
    assert node.signal is not None
    return node.signal.kind


def _after_neuron(graph: Graph) -> set[str]:
    found: set[str] = set()
    for node in graph.nodes:
        if node.op == "neuron" or any(name in found for name in node.inputs):
            found.add(node.name)
    return found


def _before_neuron(graph: Graph) -> set[str]:
    """Nodes that some neuron depends on (the neuron's own inputs and before)."""
    sources = [name for node in graph.nodes if node.op == "neuron" for name in node.inputs]
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
        if node.op == "neuron":
            return "body", "fires spikes that the chip's layers read"
        if node.name not in before_neuron:
            return "readout", "behind the last neuron"
        return "body", "moves spikes"
    if node.op == "neuron":
        return "body", "integrates and fires"
    if node.name not in before_neuron:
        return "readout", "behind the last neuron"
    return "body", blocked.reason if blocked else ""


def _encoder_reason(node: Node, blocked: Block | None) -> str:
    if node.op == "input":
        return "the model's input"
    if blocked:
        return blocked.reason
    kind = KINDS[node.op]
    return "arranges the input" if kind.view else "before the first neuron"
