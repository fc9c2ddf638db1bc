"""Attention of a traced network, counted node by node on its regions (`passes.regions`).

paper   Delta_MAC1: every distinct weight once for each use: the MLP that reads averages and maxima
        counts once, TA and ASA once a sample, CA and SA once a step.  Delta_MAC2: one
        multiplication a neuron and step for each gate that the value passes.  Attention without
        weights is SimAM: four a neuron and step, one a layer (MA Table 5).
exact   every multiplication and division: both vectors through the MLP, ASA's MLP once a channel,
        averages, products.  Taps outside the plane and products with 0/1 masks are none.

Attention of the first layer counts too, although it stands in front of the chip.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod

from snndeploy.costs.convention import Convention
from snndeploy.costs.events import layer_of
from snndeploy.graph import Graph, Node
from snndeploy.ops import Role, Trait, has, is_layer, kind_of
from snndeploy.ops.evaluate import node_inputs
from snndeploy.passes.partition import with_blocks
from snndeploy.passes.regions import Region, attention_regions
from snndeploy.passes.streams import neurons_behind


@dataclass(frozen=True)
class AttentionCost:
    """One attended value, one sample.

    layer: what it belongs to.  location: 'spikes' (Conv-PRE), 'current' (Conv-POST), 'membrane'
    (Activate-PRE) or a 'stream' of currents.  neurons: elements of the value at one step.
    mac1, mac2: Delta_MAC1 and Delta_MAC2 as the papers count; exact_mac1, exact_mac2: all of them.
    layer_mac2: Delta_MAC2 with one refinement a layer, however many gates: T * neurons; 0 of a
    current whose membrane is refined too.
    """

    layer: str
    location: str
    neurons: int
    mac1: int
    mac2: int
    exact_mac1: int
    exact_mac2: int
    layer_mac2: int

    def macs(self, convention: Convention) -> tuple[int, int]:
        """Delta_MAC1 and Delta_MAC2."""
        if convention.attention == "exact":
            return self.exact_mac1, self.exact_mac2
        if convention.refinement == "per_layer":
            return self.mac1, self.layer_mac2
        return self.mac1, self.mac2


@dataclass(frozen=True)
class Attention:
    """All attention of a graph, gated attention coding left out (`layer_costs` has it).

    inside: nodes that compute it; scaled_spikes: nodes whose spikes it turned into real values.
    """

    costs: tuple[AttentionCost, ...]
    inside: frozenset[str]
    scaled_spikes: frozenset[str]


def attention_of(graph: Graph) -> Attention:
    """What refines the values of a partitioned graph."""
    costs: list[AttentionCost] = []
    inside: set[str] = set()
    scaled: set[str] = set()
    regions = _regions(graph)
    membranes = {region.result for region in regions if region.location == "membrane"}
    for region in regions:
        gates = _Gates.of(region.graph)
        if not gates.passed:
            continue
        costs.append(_cost(graph, region, gates, membranes))
        if region.location != "membrane":
            # the source stands there too, as the region's entry
            inside.update({node.name for node in region.graph.nodes} - {region.source})
        if region.location == "spikes":
            scaled.add(region.result)
    return Attention(tuple(costs), frozenset(inside), frozenset(scaled))


def _regions(graph: Graph) -> tuple[Region, ...]:
    """Those of the encoder too: to the papers the first layer is one of the network."""
    nodes = [replace(node, side="body") if node.side == "encoder" else node for node in graph.nodes]
    return attention_regions(with_blocks(graph.with_nodes(nodes)))


@dataclass(frozen=True)
class _Gates:
    """The products on the way from a region's input to its result.

    products: the nodes that multiply the value by a gate; passed: how many gates the value passes
    one after the other (0: the region is no attention).
    """

    products: frozenset[str]
    passed: int

    @classmethod
    def of(cls, graph: Graph) -> _Gates:
        passed = {graph.input.name: 0}  # gates behind every form of the value
        products = set()
        for node in graph.nodes:
            carried = [name for name in node.inputs if name in passed]
            kind = kind_of(node)
            if kind.role is Role.PRODUCT and len(carried) == 1:
                real = kind.cost.multiplications(node, node_inputs(graph, node)) > 0
                passed[node.name] = passed[carried[0]] + real
                if real:
                    products.add(node.name)
            elif carried and len(carried) == len(node.inputs) and has(node, Trait.GIVES_ON):
                passed[node.name] = max(passed[name] for name in carried)
        return cls(frozenset(products), passed.get(graph.outputs[0], 0))


def _cost(graph: Graph, region: Region, gates: _Gates, membranes: set[str]) -> AttentionCost:
    attention, timesteps = region.graph, graph.timesteps
    neurons = prod(attention.input.step_shape)
    refine = timesteps * neurons
    weighted = [node for node in attention.nodes if is_layer(node)]
    distinct = {node.label: node for node in weighted}.values()
    mac1 = sum(_uses(region, node, timesteps) * _once(node) for node in distinct)
    if not weighted and any(kind_of(node).role is Role.QUOTIENT for node in attention.nodes):
        mac1 = 3 * refine + 1  # SimAM: the fourth is the gate
    exact = {
        node.name: _uses(region, node, timesteps)
        * kind_of(node).cost.multiplications(node, node_inputs(attention, node))
        for node in attention.nodes
    }
    exact_mac2 = sum(exact[name] for name in gates.products)
    result = graph.by_name[region.result]
    again = region.location == "current" and membranes.issuperset(neurons_behind(graph, result))
    return AttentionCost(
        layer=result.label if region.location == "membrane" else region.label,
        location=region.location,
        neurons=neurons,
        mac1=mac1,
        mac2=gates.passed * refine,
        exact_mac1=sum(exact.values()) - exact_mac2,
        exact_mac2=exact_mac2,
        layer_mac2=0 if again else refine,
    )


def _uses(region: Region, node: Node, timesteps: int) -> int:
    """Times a sample that the node is computed."""
    if not region.full_window:
        return timesteps
    return timesteps if node.has_time else 1


def _once(node: Node) -> int:
    """Every weight once, at every position of a plane."""
    weights = int(node.parameters["weight"].size)
    return weights * prod(node.shape[-2:]) if layer_of(node).shared else weights
