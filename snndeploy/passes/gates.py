"""Which conv and linear layers find attention's scores instead of driving neurons.

A gate is a value that only ever multiplies; scores lead to gates alone, through a function that
squashes (sigmoid; a comparison in ASA's masks):

    X --> mean, max --> linear, conv --> sigmoid --> multiply with X
"""

from __future__ import annotations

from snndeploy.graph import Graph, Node
from snndeploy.ops import Role, Trait, has, is_layer, kind_of


def score_layers(graph: Graph) -> frozenset[str]:
    """Conv and linear nodes whose results reach nothing but gates; those in a neuron's body are
    not among the graph's nodes."""
    gates: set[str] = set()
    scores: set[str] = set()
    for node in reversed(graph.nodes):
        users = [graph.by_name[name] for name in graph.users[node.name]]
        if node.name in graph.outputs or node.is_neuron or not users:
            continue
        if all(_takes_gate(user, gates) for user in users):
            gates.add(node.name)
        if all(user.name in scores or _squashed(user, gates) for user in users):
            scores.add(node.name)
    return frozenset(name for name in scores if is_layer(graph.by_name[name]))


def _takes_gate(node: Node, gates: set[str]) -> bool:
    product = kind_of(node).role is Role.PRODUCT
    return product or (has(node, Trait.KEEPS_GATE) and node.name in gates)


def _squashed(node: Node, gates: set[str]) -> bool:
    return has(node, Trait.SQUASHES) and node.name in gates
