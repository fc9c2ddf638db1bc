"""The papers' analytic energy: multiply-accumulates and accumulates at 45 nm, all conventions.

    E = E_MAC * FL_first * steps * rate_0  +  E_AC * T * sum of FL_n * rate        (S1, GAC Eq. 11)

E_MAC 4.6 pJ, E_AC 0.9 pJ (fp32, Horowitz 2014).  What the papers leave open is an argument that is
printed with every total (`Convention`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from snndeploy.graph import Graph, Node
from snndeploy.ops import KINDS
from snndeploy.ops.evaluate import node_inputs
from snndeploy.passes.audit import computed_every_step
from snndeploy.passes.partition import SYNAPTIC
from snndeploy.passes.streams import (
    is_first_layer,
    neurons_before,
    neurons_behind,
    reads_current,
)

MAC_PJ = 4.6
AC_PJ = 0.9
PJ_TO_MJ = 1e-9

Role = Literal["encoder", "encoder_attention", "layer", "shortcut", "readout"]


@dataclass(frozen=True)
class LayerCost:
    """One conv or linear layer.

    flops: FL of one step.  role: where it runs; 'shortcut' reads currents.  repeats: times a sample
    that it must be computed when nothing is skipped (T, or once for what is constant).  driving:
    the neurons whose spikes it reads; own: the neurons that its result enters.  first: no other
    layer and no neuron before it (the papers' n = 1).
    """

    name: str
    flops: int
    role: Role
    repeats: int
    driving: tuple[str, ...]
    own: tuple[str, ...]
    first: bool = False


@dataclass(frozen=True)
class Convention:
    """How the papers' formula is read; `papers.md` section 9 names the contradictions."""

    first_layer: Literal["every_step", "once"] = "every_step"  # C4: S1, or GAC Eq. 11
    rate: Literal["driving", "own"] = "driving"  # C5
    shortcuts: Literal["mac", "ac"] = "mac"  # C21
    encoder: Literal["included", "excluded"] = "included"  # C24
    encoder_attention: Literal["included", "excluded"] = "included"  # C20

    def __str__(self) -> str:
        return (
            f"first layer {self.first_layer.replace('_', ' ')}, {self.rate} rates, membrane"
            f" shortcuts as {self.shortcuts.upper()}, encoder {self.encoder}, encoder attention"
            f" {self.encoder_attention}, 4.6 pJ a MAC and 0.9 pJ an AC"
        )


GAC_EQUATION_11 = Convention(first_layer="once", shortcuts="ac", encoder_attention="excluded")
S1 = Convention(shortcuts="ac")


@dataclass(frozen=True)
class PaperEnergy:
    """mJ a sample; attention is part of mac_mj when included."""

    mac_mj: float
    ac_mj: float
    encoder_attention_mj: float
    convention: str

    @property
    def total_mj(self) -> float:
        return self.mac_mj + self.ac_mj


def layer_costs(graph: Graph) -> tuple[LayerCost, ...]:
    """Every conv and linear layer of a partitioned graph."""
    gated = _behind_gates(graph)
    return tuple(
        LayerCost(
            name=node.label,
            flops=KINDS[node.op].macs(node, node_inputs(graph, node)),
            role=_role(graph, node, gated),
            repeats=graph.timesteps if computed_every_step(graph, node) else 1,
            driving=neurons_before(graph, node),
            own=neurons_behind(graph, node),
            first=is_first_layer(graph, node),
        )
        for node in graph.nodes
        if node.op in SYNAPTIC
    )


def paper_energy(
    layers: Sequence[LayerCost],
    timesteps: int,
    rates: Mapping[str, float],
    convention: Convention,
    input_rate: float = 1.0,
) -> PaperEnergy:
    """Energy of one sample in mJ.

    rates: spikes a neuron and step, by neuron.  input_rate: part of the input that is not zero
    (1 for images; the papers' phi_0 for event frames).

    Raises:
        KeyError: a layer's neuron has no rate.
    """
    mac = ac = attention = 0.0
    for layer in layers:
        if layer.role == "encoder_attention":
            if convention.encoder == convention.encoder_attention == "included":
                attention += MAC_PJ * layer.flops * layer.repeats
        elif layer.first:
            steps = timesteps if convention.first_layer == "every_step" else 1
            if convention.encoder == "included":
                mac += MAC_PJ * layer.flops * steps * input_rate
        elif layer.role in ("shortcut", "encoder") and convention.shortcuts == "mac":
            mac += MAC_PJ * layer.flops * timesteps
        else:
            ac += AC_PJ * layer.flops * timesteps * _rate(layer, rates, convention)
    return PaperEnergy(
        mac_mj=(mac + attention) * PJ_TO_MJ,
        ac_mj=ac * PJ_TO_MJ,
        encoder_attention_mj=attention * PJ_TO_MJ,
        convention=str(convention),
    )


def _rate(layer: LayerCost, rates: Mapping[str, float], convention: Convention) -> float:
    """Mean rate of the neurons that drive the layer, or of its own, as the convention has it.

    The other ones stand in where there are none, or where theirs were not measured (the host's).
    """
    order = (
        [layer.driving, layer.own] if convention.rate == "driving" else [layer.own, layer.driving]
    )
    known = [names for names in order if names and all(name in rates for name in names)]
    names = [*known, *filter(None, order), ()][0]
    return sum(rates[name] for name in names) / max(len(names), 1)


def ann_energy_mj(layers: Sequence[LayerCost]) -> float:
    """The non-spiking counterpart: every layer once, all multiply-accumulates."""
    flops = sum(layer.flops for layer in layers if layer.role != "encoder_attention")
    return MAC_PJ * flops * PJ_TO_MJ


def _role(graph: Graph, node: Node, gated: set[str]) -> Role:
    if node.side == "readout":
        return "readout"
    if node.side == "encoder":
        return "encoder_attention" if node.name in gated else "encoder"
    source = graph.by_name[node.inputs[0]]
    assert source.signal is not None
    return "shortcut" if source.signal.kind == "real" and reads_current(graph, node) else "layer"


def _behind_gates(graph: Graph) -> set[str]:
    """Encoder nodes whose result reaches neurons and the body only through a product."""
    free: set[str] = set()  # reaches a neuron or the body without a product
    for node in reversed(graph.nodes):
        if any(_leads_out(graph.by_name[user], free) for user in graph.users[node.name]):
            free.add(node.name)
    return {node.name for node in graph.nodes if node.side == "encoder"} - free


def _leads_out(user: Node, free: set[str]) -> bool:
    if user.op == "neuron" or user.side != "encoder":
        return True
    return user.op not in ("multiply", "sigmoid") and user.name in free
