"""The facts of a program: gathered from what the walk found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from importlib import metadata

from snndeploy.costs import layer_costs
from snndeploy.frontend.door import ModelFacts, Opened, OpenedModel
from snndeploy.graph import Graph
from snndeploy.network import Network
from snndeploy.passes.audit import Audit, AuditRow, Flags, audit
from snndeploy.passes.partition import partition
from snndeploy.passes.signals import infer_signals
from snndeploy.pipeline.samples import Samples
from snndeploy.program import Facts
from snndeploy.program.input_range import InputRange
from snndeploy.quantize.quantize import Quantized
from snndeploy.target import Target
from snndeploy.verdict import Plan, flags_of

PACKAGES = ("snndeploy", "torch", "numpy", "numba")


def inspect(graph: Graph, target: Target | None = None) -> tuple[Graph, Audit]:
    """Partitioned graph and its audit."""
    on_chip = target is not None and target.graded_spikes
    parted = partition(graph, integer_input_on_chip=on_chip)
    return parted, audit(parted)


def opened_facts(opened: Opened) -> Facts:
    """What is known of an opened network before a chip is chosen."""
    if isinstance(opened, OpenedModel):
        parted = partition(infer_signals(opened.graph))
        return audit_facts(opened.facts, parted, flags_of(parted))
    return network_facts(opened.facts, opened.network)


def audit_facts(model: ModelFacts, graph: Graph, flags: Flags) -> Facts:
    """What is known of a model from its partitioned graph; flags: of its plan."""
    rows = audit(graph).rows
    return Facts(model, rows, flags, layer_costs(graph), 0, (), (), graph.notes, _versions())


def compiled_facts(
    known: Facts,
    quantized: Quantized,
    plan: Plan,
    notes: Sequence[str],
    samples: Samples,
) -> Facts:
    """A model's facts with what lowering and quantizing it added; samples: of its calibration."""
    binned = (f"events become frames: {samples.binning}",) if samples.binning else ()
    return replace(
        known,
        calibration_samples=len(samples.calibration),
        input_range=InputRange.of(samples.calibration),
        binning=samples.binning,
        quantization=quantized.layers,
        shortcuts=plan.prices,
        plan=plan,
        notes=(*known.notes, *binned, *notes, *quantized.notes),
    )


def network_facts(model: ModelFacts, network: Network) -> Facts:
    """What is known of a network that came as integers."""
    graded = [p.name for p in network.populations if p.neuron.sends_graded]
    return Facts(
        model=model,
        audit=_network_audit(network),
        flags=Flags(not graded, False, False, tuple(f"{name} sends integers" for name in graded)),
        layers=(),
        calibration_samples=0,
        quantization=(),
        shortcuts=(),
        notes=(
            *network.notes,
            "imported as integers: there is no float model to compare with",
        ),
        made_with=_versions(),
    )


def _network_audit(network: Network) -> tuple[AuditRow, ...]:
    """One row a projection: synapses times steps, as the audit of a traced model counts."""
    counted = [(p, count * network.timesteps) for p, count in network.synapses()]
    total = sum(count for _, count in counted) or 1
    rows = []
    for projection, count in counted:
        graded = network.by_name[projection.source].neuron.sends_graded
        row = AuditRow(
            layer=projection.target,
            op="conv" if projection.connection.has_plane else "linear",
            side="body",
            input_signal="integer" if graded else "binary",
            work="integer" if graded else "accumulate",
            operations=count,
            share=count / total,
            hoisted=False,
            reason="",
            rewrite="",
        )
        rows.append(row)
    return tuple(rows)


def _versions() -> dict[str, str]:
    return {name: _version(name) for name in PACKAGES}


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"
