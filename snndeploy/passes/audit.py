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
    """Three independent answers to "is it spike-driven?", with reasons (`verdict.plan`)."""

    synapses_binary: bool
    needs_dynamic_multiply: bool
    needs_full_window: bool
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Audit:
    rows: tuple[AuditRow, ...]

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
        if node.feedback is not None:
            rows += _rows_fed_back(node, node.feedback, graph.timesteps)
        if kind_of(node).role in (*WORKING, Role.NEURON):
            rows.append(_row(graph, node, operations(graph, node), node.name in scores))
    total = sum(row.operations for row in rows if row.is_layer) or 1
    shared = tuple(
        replace(row, share=row.operations / total) if row.is_layer else row for row in rows
    )
    return Audit(shared)


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


def _rows_fed_back(neuron: Node, feedback: Graph, timesteps: int) -> list[AuditRow]:
    """Layers that read the neuron's own last spikes; at the first step there are none."""
    assert neuron.signal is not None
    found = []
    for node in filter(is_layer, feedback.nodes):
        found.append(
            AuditRow(
                layer=node.label,
                op=node.op,
                side=neuron.side,
                input_signal=neuron.signal.kind,
                work=WORK_OF_SIGNAL[neuron.signal.kind],
                operations=kind_of(node).macs(node, node_inputs(feedback, node)) * timesteps,
                share=0.0,
                hoisted=False,
                reason="reads the last step's spikes of its own neurons",
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


def _kind(graph: Graph, node: Node) -> str:
    """What the node reads."""
    signal = graph.by_name[node.inputs[0]].signal
    assert signal is not None
    return signal.kind


def _row(graph: Graph, node: Node, count: int, scores: bool) -> AuditRow:
    source, kind, layer = graph.by_name[node.inputs[0]], _kind(graph, node), is_layer(node)
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
        reason="finds the scores of attention" if scores else reason(graph, node),
        rewrite="" if scores else rewrite(graph, node),
    )


def _is_hoisted(node: Node, source: Node) -> bool:
    """A layer that the model runs at every step although its input never changes."""
    assert source.signal is not None
    return source.signal.constant and source.has_time and not contracts_time(node, [source])


def reason(graph: Graph, node: Node) -> str:
    """Why the layer is not spike-driven as printed; "" when it is."""
    kind = _kind(graph, node)
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
    if node.side == "body" and spike_sources(graph, node)[1]:
        return "reads the encoder's real output besides spikes"
    return "reads averages of spikes"


def rewrite(graph: Graph, node: Node) -> str:
    """What lowering makes of a layer that is not spike-driven as printed."""
    if not is_layer(node) or _kind(graph, node) == "binary" or node.side == "encoder":
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


def _blocked_before(graph: Graph, node: Node) -> bool:
    """Something that the chip cannot do stands between the layer and the spikes before it."""
    return any(n.side == "body" and n.block for n in since_spikes(graph, node))
