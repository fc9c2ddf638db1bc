"""The audit: what every layer multiplies, how often, and why it is or is not spike-driven."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from math import prod
from typing import Any, Literal

from snndeploy.graph import Graph, Node
from snndeploy.ops import KINDS, Role, is_layer, kind_of
from snndeploy.ops.evaluate import node_inputs
from snndeploy.passes.gates import score_layers
from snndeploy.passes.regions import attention_regions
from snndeploy.passes.signals import contracts_time
from snndeploy.passes.streams import reads_current, since_spikes, spike_sources

Work = Literal["accumulate", "integer", "mac", "attention", "other"]
WORKING = (Role.LAYER, Role.PRODUCT)
INSIDE = "refines the membrane at every step"
WORK_OF_SIGNAL: Mapping[str, Work] = {"binary": "accumulate", "integer": "integer", "real": "mac"}


@dataclass(frozen=True)
class AuditRow:
    """One layer, neuron, or gate.

    work: of a layer that drives neurons by the signal that it receives; 'attention' of one that
    finds attention's scores, 'other' of neurons and gates.
    operations: per sample at rate 1 (multiply-accumulates of the formula, padding included, times
    T unless constant); neurons and gates count elements.  share: of all layers' operations.
    """

    layer: str
    op: str
    side: str
    input_signal: str
    work: Work
    operations: int
    share: float
    hoisted: bool
    reason: str
    rewrite: str

    @property
    def is_layer(self) -> bool:
        return KINDS[self.op].role is Role.LAYER

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Flags:
    """Three independent answers to "is it spike-driven?", with reasons."""

    synapses_binary: bool
    needs_dynamic_multiply: bool
    needs_full_window: bool
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Audit:
    rows: tuple[AuditRow, ...]
    flags: Flags

    def convolutions(self) -> dict[str, int]:
        """Number of conv and linear layers by the signal they receive, those of attention apart."""
        found = {"binary": 0, "integer": 0, "real": 0, "attention": 0}
        for row in self.rows:
            if row.is_layer:
                found["attention" if row.work == "attention" else row.input_signal] += 1
        return found


def audit(graph: Graph) -> Audit:
    """Audit of a partitioned graph, before any target is chosen."""
    scores = score_layers(graph)
    rows: list[AuditRow] = []
    for node in graph.nodes:
        if node.body is not None:
            rows += _rows_inside(node, node.body, graph.timesteps)
        if kind_of(node).role in (*WORKING, Role.NEURON):
            rows.append(_row(graph, node, operations(graph, node), node.name in scores))
    total = sum(row.operations for row in rows if row.is_layer) or 1
    shared = tuple(
        replace(row, share=row.operations / total) if row.is_layer else row for row in rows
    )
    return Audit(shared, _flags(graph, shared))


def _rows_inside(neuron: Node, body: Graph, timesteps: int) -> list[AuditRow]:
    """Layers and gates of attention in a membrane loop, which work at every step."""
    found = []
    for node in body.nodes:
        if kind_of(node).role not in WORKING:
            continue
        layer = is_layer(node)
        each = kind_of(node).macs(node, node_inputs(body, node)) if layer else prod(node.shape)
        found.append(
            AuditRow(
                layer=node.label,
                op=node.op,
                side=neuron.side,
                input_signal="real",
                work="attention" if layer else "other",
                operations=each * timesteps,
                share=0.0,
                hoisted=False,
                reason=INSIDE,
                rewrite="",
            )
        )
    return found


def operations(graph: Graph, node: Node) -> int:
    """Per sample, at rate 1: FL times the steps in which it must be computed; else elements."""
    if not is_layer(node):
        return prod(node.shape)
    each = kind_of(node).macs(node, node_inputs(graph, node))
    return each * (graph.timesteps if computed_every_step(graph, node) else 1)


def computed_every_step(graph: Graph, node: Node) -> bool:
    """False when the input is the same at every step, has no time axis, or is taken as a whole."""
    source = graph.by_name[node.inputs[0]]
    assert source.signal is not None
    return source.has_time and not source.signal.constant and not contracts_time(node, [source])


def _row(graph: Graph, node: Node, count: int, scores: bool) -> AuditRow:
    source = graph.by_name[node.inputs[0]]
    assert source.signal is not None
    kind, layer = source.signal.kind, is_layer(node)
    work = WORK_OF_SIGNAL[kind] if layer else "other"
    return AuditRow(
        layer=node.label,
        op=node.op,
        side=node.side,
        input_signal=kind,
        work="attention" if scores else work,
        operations=count,
        share=0.0,
        hoisted=layer and _is_hoisted(node, source),
        reason="finds the scores of attention" if scores else _reason(graph, node, kind),
        rewrite="" if scores else _rewrite(graph, node, kind),
    )


def _is_hoisted(node: Node, source: Node) -> bool:
    """A layer that the model runs at every step although its input never changes."""
    assert source.signal is not None
    return source.signal.constant and source.has_time and not contracts_time(node, [source])


def _reason(graph: Graph, node: Node, kind: str) -> str:
    """Why the layer is not spike-driven as printed; "" when it is."""
    if not is_layer(node):
        return node.why if kind_of(node).role is Role.PRODUCT else ""
    if kind == "integer":
        return "reads integers: v accumulations for a value v, or graded spikes"
    if kind == "binary":
        return ""
    if node.side == "encoder":
        return "multiplies real values"
    if _blocked_before(graph, node):
        return "multiplies what attention or a function has changed"
    if node.side == "body" and reads_current(graph, node):
        return "multiplies real membrane values (membrane shortcut)"
    return "reads averages of spikes"


def _rewrite(graph: Graph, node: Node, kind: str) -> str:
    """What lowering makes of a layer that is not spike-driven as printed."""
    if not is_layer(node) or kind == "binary" or node.side == "encoder":
        return ""
    if _blocked_before(graph, node):
        return ""
    if node.side == "readout":
        return "folds into one projection from spikes onto integrators"
    sources, encoder = spike_sources(graph, node)
    if not sources:
        return ""
    plural = "s" if len(sources) > 1 else ""
    host = "; the encoder's part is computed by the host" if encoder else ""
    return f"by linearity {len(sources)} spike-driven kernel{plural}{host}"


def _flags(graph: Graph, rows: tuple[AuditRow, ...]) -> Flags:
    reasons: list[str] = []
    raised: set[str] = set()
    regions = attention_regions(graph)
    attended = {region.result: region for region in regions}
    inside = {node.name for region in regions for node in region.graph.nodes}
    for node in graph.nodes:
        found = node.block
        if found and node.side == "body":
            raised.add(found.flag)
        if node.name in attended:
            reasons.append(f"{attended[node.name].label}: {attended[node.name].reason}")
        elif found and node.side == "body" and node.name not in inside:
            reasons.append(f"{node.label}: {found.reason}")
        elif found and node.side == "encoder" and found.flag == "needs_full_window":
            reasons.append(f"{node.label}: {found.reason}, inside the encoder")
    layers = [r for r in rows if r.side == "body" and r.is_layer and r.work != "attention"]
    unclean = [r for r in layers if r.input_signal != "binary"]
    for row in unclean:
        reasons.append(f"{row.layer}: {row.reason}" + (f"; {row.rewrite}" if row.rewrite else ""))
    if not graph.neurons():
        reasons.append("no spiking neuron: every layer multiplies")
    return Flags(
        synapses_binary=bool(graph.neurons()) and all(row.rewrite for row in unclean),
        needs_dynamic_multiply="needs_dynamic_multiply" in raised,
        needs_full_window="needs_full_window" in raised,
        reasons=tuple(reasons),
    )


def _blocked_before(graph: Graph, node: Node) -> bool:
    """Something that the chip cannot do stands between the layer and the spikes before it."""
    return any(n.side == "body" and n.block for n in since_spikes(graph, node))
