"""The audit: what every layer multiplies, how often, and why it is or is not spike-driven."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from snndeploy.graph import Graph, Node
from snndeploy.ops import KINDS
from snndeploy.ops.evaluate import node_inputs
from snndeploy.passes.partition import SYNAPTIC, block
from snndeploy.passes.signals import contracts_time

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
    """Per sample, at rate 1: FL times the steps in which it must be computed."""
    each = KINDS[node.op].macs(node, node_inputs(graph, node))
    if node.op not in SYNAPTIC:
        elements = 1
        for size in node.shape:
            elements *= size
        return elements
    return each * (graph.timesteps if computed_every_step(graph, node) else 1)


def computed_every_step(graph: Graph, node: Node) -> bool:
    """False when its input is the same at every step, or when it has no time axis at all."""
    source = graph.by_name[node.inputs[0]]
    assert source.signal is not None
    return not source.signal.constant and any(
        label == "time" for dimension in source.axes for label, _ in dimension
    )


def _row(graph: Graph, node: Node, count: int, total: int) -> AuditRow:
    source = graph.by_name[node.inputs[0]]
    assert source.signal is not None
    kind = source.signal.kind
    work: Work = WORK_OF_SIGNAL[kind] if node.op in SYNAPTIC else "other"
    if node.op in SYNAPTIC and node.side == "readout":
        kind_reason = "reads averages of spikes"
    elif node.op in SYNAPTIC:
        kind_reason = {
            "binary": "",
            "integer": "reads integers: v accumulations for a value v, or graded spikes",
            "real": "multiplies real values",
        }[kind]
    else:
        kind_reason = node.why if node.op == "multiply" else ""
    return AuditRow(
        layer=node.label,
        op=node.op,
        side=node.side,
        input_signal=kind,
        work=work,
        operations=count,
        share=count / total if node.op in SYNAPTIC else 0.0,
        hoisted=_is_hoisted(graph, node),
        reason=_body_reason(graph, node, kind, kind_reason),
        rewrite=_rewrite(graph, node, kind),
    )


def _is_hoisted(graph: Graph, node: Node) -> bool:
    """A layer that the model runs at every step although its input never changes."""
    (source,) = node_inputs(graph, node)[:1]
    assert source.signal is not None
    constant = source.signal.constant and source.has_time
    return node.op in SYNAPTIC and constant and not contracts_time(node, [source])


def _body_reason(graph: Graph, node: Node, kind: str, reason: str) -> str:
    if node.op == "conv" and node.side == "body" and kind == "real":
        return "multiplies real membrane values (membrane shortcut)"
    return reason


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


def spike_sources(graph: Graph, node: Node) -> tuple[list[str], bool]:
    """Spiking neurons whose spikes reach the node through linear operations; encoder among them?"""
    found: list[str] = []
    encoder = False
    stack, seen = list(node.inputs), set()
    while stack:
        current = graph.by_name[stack.pop()]
        if current.name in seen:
            continue
        seen.add(current.name)
        if current.side == "encoder":
            encoder = True
        elif current.op == "neuron":
            found.append(current.label)
        else:
            stack.extend(current.inputs)
    return found, encoder


def _flags(graph: Graph, rows: tuple[AuditRow, ...]) -> Flags:
    driven = {node.name for node in graph.nodes if node.side in ("body", "readout")}
    reasons: list[str] = []
    raised: set[str] = set()
    for node in graph.nodes:
        found = block(node, graph, driven)
        if found is None or node.side == "readout":
            continue
        if node.side == "body":
            raised.add(found.flag)
            reasons.append(f"{node.label}: {found.reason}")
        elif found.flag == "needs_full_window":
            reasons.append(f"{node.label}: {found.reason}, inside the encoder")
    blocked_body = [r for r in rows if r.side == "body" and r.input_signal != "binary"]
    for row in blocked_body:
        if not row.op == "neuron":
            reasons.append(f"{row.layer}: {row.reason}" + (f"; {row.rewrite}" if row.rewrite else ""))
    unfolded = [r for r in blocked_body if r.op in SYNAPTIC and not r.rewrite]
    return Flags(
        synapses_binary=not unfolded and not raised,
        needs_dynamic_multiply="needs_dynamic_multiply" in raised,
        needs_full_window="needs_full_window" in raised,
        reasons=tuple(reasons),
    )
