"""What a network computes: its conv and linear layers, their FL and events, and its neurons.

FL of a convolution  k^2 * h * w * c_in * c_out / groups    h, w of its output   (MA-S S1)
FL of a linear layer  i * o
events at rate 1      values that the layer receives * the outputs that each reaches
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Literal

from snndeploy.costs.attended import Attention, attention_of
from snndeploy.costs.events import events_at_rate_one
from snndeploy.graph import Graph, Node
from snndeploy.ops import Trait, has, is_layer, kind_of
from snndeploy.ops.evaluate import node_inputs
from snndeploy.passes.audit import computed_every_step
from snndeploy.passes.streams import (
    before_views,
    convolution_neurons,
    is_first_layer,
    neurons_before,
    neurons_behind,
    reads_current,
)

Role = Literal["encoder", "encoder_attention", "layer", "shortcut", "gated", "readout"]


@dataclass(frozen=True)
class LayerCost:
    """One conv or linear layer.

    flops: FL of one step.  role: where it runs; 'shortcut' reads currents, 'gated' spikes times
    gates (Conv-PRE).  repeats: times a sample that it must be computed when nothing is skipped
    (T, or once for what is constant).  driving: the neurons whose spikes it reads; own: the
    neurons that its result enters.  first: no other layer and no neuron before it (the papers'
    n = 1).  events: synapses that one step meets when every driving neuron fires, taps outside
    the image not counted; None in files of older releases.
    """

    name: str
    flops: int
    role: Role
    repeats: int
    driving: tuple[str, ...]
    own: tuple[str, ...]
    first: bool = False
    events: int | None = None


@dataclass(frozen=True)
class NeuronLayer:
    """The neurons of one firing function: one an element of the tensor that enters it (C13).

    behind_convolution: one of the papers' "conv neurons" (`streams.convolution_neurons`).
    """

    name: str
    label: str
    neurons: int
    behind_convolution: bool


def layer_costs(graph: Graph, attention: Attention | None = None) -> tuple[LayerCost, ...]:
    """Every conv and linear layer of a partitioned graph, but for those inside attention.

    attention: `attention_of(graph)`, where it is known already.
    """
    found = attention or attention_of(graph)
    gated = _behind_gates(graph, found)
    forward = tuple(
        LayerCost(
            name=node.label,
            flops=kind_of(node).macs(node, node_inputs(graph, node)),
            role=_role(graph, node, gated, found),
            repeats=graph.timesteps if computed_every_step(graph, node) else 1,
            driving=neurons_before(graph, node),
            own=neurons_behind(graph, node),
            first=is_first_layer(graph, node),
            events=events_at_rate_one(graph, node),
        )
        for node in synaptic_nodes(graph, found)
    )
    return (*forward, *_recurrent(graph))


def _recurrent(graph: Graph) -> tuple[LayerCost, ...]:
    return tuple(
        LayerCost(
            name=node.label,
            flops=kind_of(node).macs(node, node_inputs(inner, node)),
            role="layer",
            repeats=graph.timesteps,
            driving=(neuron.name,),
            own=(neuron.name,),
            events=events_at_rate_one(inner, node),
        )
        for neuron, inner, node in recurrent_nodes(graph)
    )


def recurrent_nodes(graph: Graph) -> list[tuple[Node, Graph, Node]]:
    """Layers through which a neuron reads its own last spikes: the neuron, the graph of what it
    feeds back, and the layer there.  `layer_costs` counts them last."""
    return [
        (neuron, neuron.feedback, node)
        for neuron in graph.neurons()
        if neuron.feedback is not None
        for node in neuron.feedback.nodes
        if is_layer(node)
    ]


def synaptic_nodes(graph: Graph, attention: Attention) -> list[Node]:
    """The nodes that `layer_costs` counts, in its order."""
    return [n for n in graph.nodes if is_layer(n) and n.name not in attention.inside]


def neuron_layers(graph: Graph) -> tuple[NeuronLayer, ...]:
    """Every firing function of a graph."""
    convolved = convolution_neurons(graph)
    return tuple(
        NeuronLayer(node.name, node.label, prod(node.step_shape), node.name in convolved)
        for node in graph.neurons()
    )


def _role(graph: Graph, node: Node, gated: set[str], attention: Attention) -> Role:
    if node.side == "readout":
        return "readout"
    if node.side == "encoder":
        return "encoder_attention" if node.name in gated else "encoder"
    source = before_views(graph, node)
    if source.name in attention.scaled_spikes:
        return "gated"
    real = source.signal is not None and source.signal.kind == "real"
    return "shortcut" if real and reads_current(graph, node) else "layer"


def _behind_gates(graph: Graph, attention: Attention) -> set[str]:
    """Encoder nodes whose result reaches neurons and the body only as the gate of a product."""
    free: set[str] = set()  # reaches a neuron or the body otherwise
    for node in reversed(graph.nodes):
        users = [graph.by_name[user] for user in graph.users[node.name]]
        is_answer = node.name in graph.outputs
        if is_answer or any(_leads_out(user, free, attention) for user in users):
            free.add(node.name)
    return {node.name for node in graph.nodes if node.side == "encoder"} - free


def _leads_out(user: Node, free: set[str], attention: Attention) -> bool:
    if user.is_neuron or user.side != "encoder":
        return True
    gates = has(user, Trait.GATES) and user.name not in attention.inside
    return not gates and user.name in free
