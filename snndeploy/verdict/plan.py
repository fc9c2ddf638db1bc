"""The plan: what `compile` makes of a lowered network, and so what "spike-driven" means.

A layer on the chip reads what its kernels multiply: the spikes of neurons (binary), counts that
the host sends (integer), or what a relay or attention forwards (graded).  What the chip cannot do
is the host's: the encoder, whole layers behind a neuron whose output is not spikes, and the
encoder's part of layers that read the sum of both.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal

from snndeploy.graph import Graph, Node
from snndeploy.lower.lower import STAND_IN
from snndeploy.lower.real_network import LoweringCost, RealNetwork, RealPopulation
from snndeploy.ops import is_layer, kind_of
from snndeploy.ops.evaluate import node_inputs
from snndeploy.passes.audit import Flags, computed_every_step, reason, rewrite
from snndeploy.passes.gates import score_layers
from snndeploy.passes.regions import attention_regions
from snndeploy.quantize.quantize import AttentionUnit
from snndeploy.traffic.attention_work import work_of

Reads = Literal["binary", "integer", "graded"]
Why = Literal["encoder", "moved", "part"]
READS: tuple[Reads, ...] = ("binary", "integer", "graded")


@dataclass(frozen=True)
class ChipLayer:
    """A conv or linear layer on the chip, and the populations that it reads."""

    layer: str
    reads: Reads
    sources: tuple[str, ...]


@dataclass(frozen=True)
class HostLayer:
    """Multiply-accumulates of the host, a sample.

    why: 'encoder' in front of the first spikes; 'moved' a whole layer behind a neuron that reads
    real values; 'part' the encoder's part of a layer on the chip.
    """

    layer: str
    macs: int
    why: Why


@dataclass(frozen=True)
class HostValue:
    """What the host writes into a population: 'spikes' or 'counts', a value 'once' or 'graded'
    values at every step."""

    population: str
    values: Literal["spikes", "counts", "once", "graded"]


@dataclass(frozen=True)
class Attended:
    """Attention behind the encoder: who computes it, and its multiply-accumulates a sample."""

    layer: str
    unit: AttentionUnit
    macs: int
    full_window: bool


@dataclass(frozen=True)
class Plan:
    """How a network is lowered, at what price, and what is left to the host.

    shortcuts: the way membrane shortcuts are lowered, 'none' without any.  decided_at: the rates
    that chose it.  prices: of every way that the target allows.  neurons: how the target has those
    that its fixed neuron is not, in words.
    """

    shortcuts: str
    decided_at: str
    prices: tuple[LoweringCost, ...]
    layers: tuple[ChipLayer, ...]
    host: tuple[HostLayer, ...]
    host_values: tuple[HostValue, ...]
    attention: tuple[Attended, ...]
    neurons: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(json.dumps(asdict(self)))  # tuples are lists there
        return found


def plan_of(
    graph: Graph,
    network: RealNetwork,
    unit: AttentionUnit | None,
    prices: tuple[LoweringCost, ...] = (),
    decided_at: str = "",
) -> Plan:
    """The plan of a partitioned graph that was lowered to `network`."""
    return Plan(
        shortcuts=network.shortcuts,
        decided_at=decided_at,
        prices=prices,
        layers=tuple(_chip_layers(graph, network).values()),
        host=tuple(_host_layers(graph, network.encoder)),
        host_values=tuple(_host_values(network)),
        attention=tuple(
            Attended(
                region.label,
                unit or "chip",
                work_of(region.graph).macs * (1 if region.full_window else graph.timesteps),
                region.full_window,
            )
            for population in network.populations
            for region in population.attention
        ),
        neurons=network.neurons,
    )


def _chip_layers(graph: Graph, network: RealNetwork) -> dict[str, ChipLayer]:
    """By node."""
    return {
        layer.node: ChipLayer(
            graph.by_name[layer.node].label,
            max(
                (_sends(network, name) for name in layer.sources), key=READS.index, default=READS[0]
            ),
            layer.sources,
        )
        for layer in network.layers
    }


def _sends(network: RealNetwork, name: str) -> Reads:
    population = network.by_name[name]
    if population.kind == "input":
        return "integer" if _counts(network, population) else "binary"
    several = population.neuron is not None and population.neuron.payload_bound > 1
    return "graded" if population.kind == "relay" or several else "binary"


def _counts(network: RealNetwork, population: RealPopulation) -> bool:
    source = network.encoder.by_name.get(population.node)
    assert source is not None and source.signal is not None
    return source.signal.kind == "integer" and source.signal.bound != 1


def _host_layers(graph: Graph, encoder: Graph) -> Iterable[HostLayer]:
    scores = score_layers(graph)
    behind: set[str] = set()
    for node in encoder.nodes:
        if node.is_neuron or behind & set(node.inputs):
            behind.add(node.name)
        layer = kind_of(node).layer
        if layer is None:
            continue
        each = layer.macs(node, node_inputs(encoder, node))
        macs = each * (encoder.timesteps if computed_every_step(encoder, node) else 1)
        why: Why = "encoder"
        if node.name not in graph.by_name:
            why = "part"
        elif node.name in behind and node.name not in scores:
            why = "moved"
        yield HostLayer(node.label, macs, why)


def _host_values(network: RealNetwork) -> Iterable[HostValue]:
    for population in network.populations:
        if population.kind == "input":
            counts = _counts(network, population)
            yield HostValue(population.name, "counts" if counts else "spikes")
        elif population.host:
            yield HostValue(population.name, "once" if population.host_constant else "graded")


def flags(graph: Graph, network: RealNetwork) -> Flags:
    """Is it spike-driven, as compiled?  Of a partitioned graph that was lowered to `network`."""
    layers = _chip_layers(graph, network)
    host = tuple(_host_layers(graph, network.encoder))
    regions = attention_regions(graph)
    between = [region for region in regions if region.location != "membrane"]
    inside = {node.name for region in between for node in region.graph.nodes}
    apart = score_layers(graph) | (inside - {region.source for region in between})
    body = [
        node
        for node in graph.nodes
        if is_layer(node) and node.side in ("body", "readout") and node.name not in apart
    ]
    clean = all(node.name in layers and layers[node.name].reads == "binary" for node in body)
    needs, blocked = _blocked(graph, inside)
    reasons = [f"{region.label}: {region.reason}" for region in regions]
    reasons += blocked
    reasons += [
        _layer_reason(graph, node, layers.get(node.name))
        for node in body
        if node.side == "body" and reason(graph, node)
    ]
    reasons += [
        f"{layer.layer}: reads real values behind a neuron, so the host computes it:"
        f" {layer.macs:,} MAC a sample"
        for layer in host
        if layer.why == "moved"
    ]
    reasons += [
        f"{layer.layer}: the host computes the encoder's part of it: {layer.macs:,} MAC a sample"
        for layer in host
        if layer.why == "part"
    ]
    reasons += _forwarded(network)
    if not graph.neurons():
        reasons.append("no spiking neuron: every layer multiplies")
    return Flags(
        synapses_binary=bool(graph.neurons()) and clean,
        needs_dynamic_multiply="needs_dynamic_multiply" in needs,
        needs_full_window="needs_full_window" in needs,
        reasons=tuple(dict.fromkeys(reasons)),
    )


def _blocked(graph: Graph, inside: set[str]) -> tuple[set[str], list[str]]:
    """What the body needs of a chip, and the nodes outside attention that need it."""
    needs: set[str] = set()
    reasons = []
    for node in graph.nodes:
        found = node.block
        if found is None or node.side == "readout":
            continue
        if node.side == "body":
            needs.add(found.flag)
            if node.name not in inside and node.body is None:
                reasons.append(f"{node.label}: {found.reason}")
        elif found.flag == "needs_full_window":
            reasons.append(f"{node.label}: {found.reason}, inside the encoder")
    return needs, reasons


def _layer_reason(graph: Graph, node: Node, found: ChipLayer | None) -> str:
    """Why a layer does not read spikes as printed, and what lowering makes of that."""
    rewritten = rewrite(graph, node) if found and found.reads == "binary" else ""
    return f"{node.label}: {reason(graph, node)}" + (f"; {rewritten}" if rewritten else "")


def _forwarded(network: RealNetwork) -> Iterable[str]:
    relays = [p for p in network.populations if p.kind == "relay"]
    relays = [p for p in relays if not p.name.startswith(STAND_IN)]
    refining = ", ".join(p.name for p in relays if p.attention)
    forwarding = ", ".join(p.name for p in relays if not p.attention)
    if refining:
        yield (
            f"{refining}: sends refined values as graded spikes, so the layers behind read integers"
        )
    if forwarding:
        yield (
            f"{forwarding}: forwards membrane currents as graded spikes, so the layers behind read"
            " integers; --shortcuts compose has none of these"
        )
