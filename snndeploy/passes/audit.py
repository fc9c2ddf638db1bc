"""The audit: what every layer multiplies, how often, and why it is or is not spike-driven."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import prod
from typing import Any, Literal

from snndeploy.graph import Graph, Node
from snndeploy.ops import KINDS
from snndeploy.ops.evaluate import node_inputs
from snndeploy.passes.partition import SYNAPTIC, block
from snndeploy.passes.signals import contracts_time
from snndeploy.passes.streams import reads_current, spike_sources

Work = Literal["accumulate", "integer", "mac", "other"]
WORK_OF_SIGNAL: Mapping[str, Work] = {"binary": "accumulate", "integer": "integer", "real": "mac"}


@dataclass(frozen=True)
class AuditRow:
    """One layer, neuron, or gate.

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
        """Number of conv and linear layers by the signal they receive."""
        found = {"binary": 0, "integer": 0, "real": 0}
        for row in self.rows:
            if row.op in SYNAPTIC:
                found[row.input_signal] += 1
        return found


def audit(graph: Graph) -> Audit:
    """Audit of a partitioned graph, before any target is chosen."""
    layers = [node for node in graph.nodes if node.op in (*SYNAPTIC, "multiply", "neuron")]
    counted = {node.name: operations(graph, node) for node in layers}
    total = sum(counted[n.name] for n in layers if n.op in SYNAPTIC) or 1
    rows = tuple(_row(graph, node, counted[node.name], total) for node in layers)
    return Audit(rows, _flags(graph, rows))


def operations(graph: Graph, node: Node) -> int:
    """Per sample, at rate 1: FL times the steps in which it must be computed; else elements."""
    if node.op not in SYNAPTIC:
        return prod(node.shape)
    each = KINDS[node.op].macs(node, node_inputs(graph, node))
    return each * (graph.timesteps if computed_every_step(graph, node) else 1)


def computed_every_step(graph: Graph, node: Node) -> bool:
    """False when the input is the same at every step, has no time axis, or is taken as a whole."""
    source = graph.by_name[node.inputs[0]]
    assert source.signal is not None
    return source.has_time and not source.signal.constant and not contracts_time(node, [source])


def _row(graph: Graph, node: Node, count: int, total: int) -> AuditRow:
    source = graph.by_name[node.inputs[0]]
    assert source.signal is not None
    kind, layer = source.signal.kind, node.op in SYNAPTIC
    return AuditRow(
        layer=node.label,
        op=node.op,
        side=node.side,
        input_signal=kind,
        work=WORK_OF_SIGNAL[kind] if layer else "other",
        operations=count,
        share=count / total if layer else 0.0,
        hoisted=layer and _is_hoisted(node, source),
        reason=_reason(graph, node, kind),
        rewrite=_rewrite(graph, node, kind),
    )


def _is_hoisted(node: Node, source: Node) -> bool:
    """A layer that the model runs at every step although its input never changes."""
    assert source.signal is not None
    return source.signal.constant and source.has_time and not contracts_time(node, [source])


def _reason(graph: Graph, node: Node, kind: str) -> str:
    """Why the layer is not spike-driven as printed; "" when it is."""
    if node.op not in SYNAPTIC:
        return node.why if node.op == "multiply" else ""
    if kind == "integer":
        return "reads integers: v accumulations for a value v, or graded spikes"
    if kind == "binary":
        return ""
    if node.side == "encoder":
        return "multiplies real values"
    if node.side == "body" and reads_current(graph, node):
        return "multiplies real membrane values (membrane shortcut)"
    return "reads averages of spikes"


def _rewrite(graph: Graph, node: Node, kind: str) -> str:
    """What lowering makes of a layer that is not spike-driven as printed."""
    if node.op not in SYNAPTIC or kind == "binary" or node.side == "encoder":
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
    driven = {node.name for node in graph.nodes if node.side in ("body", "readout")}
    reasons: list[str] = []
    raised: set[str] = set()
    for node in graph.nodes:
        found = block(node, graph, driven)
        if found and node.side == "body":
            raised.add(found.flag)
            reasons.append(f"{node.label}: {found.reason}")
        elif found and node.side == "encoder" and found.flag == "needs_full_window":
            reasons.append(f"{node.label}: {found.reason}, inside the encoder")
    layers = [r for r in rows if r.side == "body" and r.op in SYNAPTIC]
    unclean = [r for r in layers if r.input_signal != "binary"]
    for row in unclean:
        reasons.append(f"{row.layer}: {row.reason}" + (f"; {row.rewrite}" if row.rewrite else ""))
    return Flags(
        synapses_binary=not raised and all(row.rewrite for row in unclean),
        needs_dynamic_multiply="needs_dynamic_multiply" in raised,
        needs_full_window="needs_full_window" in raised,
        reasons=tuple(reasons),
    )
