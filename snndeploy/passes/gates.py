"""Which conv and linear layers find attention's scores instead of driving neurons.

A gate is a value that only ever multiplies; scores lead to gates alone, through a function that
squashes (sigmoid; a comparison in ASA's masks):

    X --> mean, max --> linear, conv --> sigmoid --> multiply with X
"""

from __future__ import annotations

from snndeploy.graph import Graph, Node
from snndeploy.ops import KINDS
from snndeploy.passes.partition import SYNAPTIC

SQUASHES = ("sigmoid", "tanh", "clamp", "compare")
KEEPS = ("add", "subtract", "scale")  # sums of gates, and one minus a gate


def score_layers(graph: Graph) -> frozenset[str]:
    """Conv and linear nodes whose results reach nothing but gates; those in a neuron's body are
    not among the graph's nodes."""
    gates: set[str] = set()
    scores: set[str] = set()
    for node in reversed(graph.nodes):
        users = [graph.by_name[name] for name in graph.users[node.name]]
        if node.name in graph.outputs or node.op == "neuron" or not users:
            continue
        if all(user.op == "multiply" or (_keeps(user) and user.name in gates) for user in users):
            gates.add(node.name)
        if all(user.name in scores or _squashed(user, gates) for user in users):
            scores.add(node.name)
    return frozenset(name for name in scores if graph.by_name[name].op in SYNAPTIC)


def _keeps(node: Node) -> bool:
    return node.op in KEEPS or KINDS[node.op].view


def _squashed(node: Node, gates: set[str]) -> bool:
    return node.op in SQUASHES and node.name in gates
