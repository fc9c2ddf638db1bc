"""Are the program's integers those of its float model?  Every number, without running anything."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from snndeploy.backends.lava.express import BIAS_BITS as LAVA_BIAS_BITS
from snndeploy.engines.functional import misaligned
from snndeploy.errors import FitError
from snndeploy.graph import Graph
from snndeploy.lower.lower import lower
from snndeploy.lower.real_network import RealNetwork, RealPopulation, RealReadout, Term
from snndeploy.lower.suited import suited
from snndeploy.network import MEMBRANE_SHIFT, Network, Population, Projection, Readout
from snndeploy.neurons import Equation, FiresAt, Integrator, Relay, words_of
from snndeploy.ops.fixed_point import fixed_point
from snndeploy.program import Program
from snndeploy.quantize.integrators import register_of
from snndeploy.target import Target
from snndeploy.verify.reduced_numbers import (
    by_weight,
    carrier,
    columns,
    copy_fault,
    rows,
    steady_bias,
    steady_terms,
    whole_weight,
)

ROUNDING = 0.5 + 1e-4  # of a step: composed kernels are summed in another order


@dataclass(frozen=True)
class Finding:
    """One number that is not what the float model asks for."""

    population: str
    cause: str
    detail: str

    def __str__(self) -> str:
        return f"{self.population}: {self.cause}: {self.detail}"


def check_integers(program: Program) -> list[Finding]:
    """Thresholds, decays, biases, weights and delays against the float model's."""
    populations = program.network.populations
    relays = any(isinstance(p.neuron, Relay) and not p.attention for p in populations)
    attended = any(p.attention for p in populations)
    lowered = lower(program.model, "relay" if relays else "compose", attention=attended)
    real = suited(lowered, program.target)
    findings = _delays(program.network)
    for population in real.populations:
        if population.kind in ("input", "or"):
            continue
        findings += _population(program, real, population)
    return findings + _heads(program, real)


def _heads(program: Program, real: RealNetwork) -> list[Finding]:
    """How every head is read, and what the host makes of it."""
    found, wanted = program.network.readouts, real.readouts
    if len(found) != len(wanted):
        return [Finding("readout", "heads", f"{len(found)} of them, expected {len(wanted)}")]
    return [
        Finding(have.population, f"readout's {key}", "another than the model's")
        for have, want in zip(found, wanted, strict=True)
        for key in _unlike(program, have, want)
    ]


def _unlike(program: Program, have: Readout, want: RealReadout) -> list[str]:
    """The fields of a head that differ."""
    unit = 1.0
    if have.kind == "membrane":
        unit = program.network.by_name[have.population].scale / (1 << MEMBRANE_SHIFT)
    finished = [None if r.finish is None else _operations(r.finish) for r in (have, want)]
    pairs = {
        "population": have.population == want.population,
        "kind": have.kind == want.kind,
        "steps": have.steps == want.steps,
        "scale": math.isclose(have.scale, want.factor * unit, rel_tol=1e-9),
        "offset": _close(have.offset, want.offset),
        "weights": _close(have.weights, want.weights),
        "finish": finished[0] == finished[1],
    }
    return [key for key, same in pairs.items() if not same]


def _close(have: np.ndarray | None, want: np.ndarray | None) -> bool:
    one, two = (np.zeros(1) if values is None else values for values in (have, want))
    fits = np.broadcast_shapes(one.shape, two.shape) in (one.shape, two.shape)
    return fits and bool(np.allclose(one, two, rtol=1e-6, atol=1e-9))


def _delays(network: Network) -> list[Finding]:
    return [
        Finding(
            projection.target,
            "delay",
            f"{projection.name} waits {projection.delay} steps, its path needs"
            f" {projection.delay - late}",
        )
        for projection, late in misaligned(network)
    ]


def _population(program: Program, real: RealNetwork, wanted: RealPopulation) -> list[Finding]:
    network = program.network
    found = network.by_name.get(wanted.name)
    if found is None:
        return _absent(program, real, wanted)
    findings: list[Finding] = []
    if wanted.kind == "integrator":
        findings += _leak(wanted, found, program.target)
    if wanted.neuron is not None:
        findings += _neuron(wanted.name, wanted.neuron, found, program.target)
    if wanted.neuron is not None or steady_terms(network, wanted):
        findings += _bias(program, wanted, found)
    findings += _attention(wanted, found)
    held = by_weight(program, wanted.name)
    sources = [parts[0].source for parts in held]
    terms = [term for term in wanted.terms if carrier(network, term.source)]
    expected = [carrier(network, term.source) for term in terms]
    if sources != expected or any(p.source != parts[0].source for parts in held for p in parts):
        asked = ", ".join(expected) or "nothing"
        detail = f"reads {', '.join(sources) or 'nothing'}, expected {asked}"
        return [*findings, Finding(wanted.name, "projections", detail)]
    for term, parts in zip(terms, held, strict=True):
        findings += _weights(program, found, term, parts)
    return findings


def _attention(wanted: RealPopulation, found: Population) -> list[Finding]:
    """The same operations on the same weights, rounded to the unit's grid."""
    graphs = [fixed_point(region.graph) for region in wanted.attention]
    ours = [attention.graph for attention in found.attention]
    if [_operations(graph) for graph in graphs] != [_operations(graph) for graph in ours]:
        return [Finding(wanted.name, "attention", "other operations than the model's")]
    pairs = [(w, f) for g, o in zip(graphs, ours, strict=True)
             for w, f in zip(g.nodes, o.nodes, strict=True)]  # fmt: skip
    return [
        Finding(wanted.name, "attention", f"{node.label} has another {key} than the model's")
        for node, other in pairs
        for key in node.parameters
        if not np.array_equal(node.parameters[key], other.parameters[key])
    ]


def _operations(graph: Graph) -> list[tuple[str, str, tuple[str, ...], tuple[str, ...]]]:
    return [(n.name, n.op, n.inputs, tuple(sorted(n.parameters))) for n in graph.nodes]


def _absent(program: Program, real: RealNetwork, wanted: RealPopulation) -> list[Finding]:
    """A population that reduction removed is a copy of another, or nothing of it was needed."""
    entry = program.network.reduction_of(wanted.name)
    if entry is None:
        return [Finding(wanted.name, "missing", "the program has no such population")]
    fault = copy_fault(program, real, wanted) if entry.carrier else ""
    detail = f"it is no copy of {entry.carrier}: {fault}"
    return [Finding(wanted.name, "missing", detail)] if fault else []


def _leak(wanted: RealPopulation, found: Population, target: Target) -> list[Finding]:
    """Of the readout's membranes."""
    if not isinstance(found.neuron, Integrator):
        detail = f"neurons of kind {found.neuron.name}, expected {Integrator.name}"
        return [Finding(wanted.name, "kind", detail)]
    have, want = found.neuron.membrane_decay, register_of(wanted, target)
    if have == want:
        return []
    return [Finding(wanted.name, "decay", f"register {have}, expected {want}")]


def _neuron(name: str, trained: Equation, found: Population, target: Target) -> list[Finding]:
    """Every register of the neuron against the one that the trained neuron asks for."""
    try:
        wanted = trained.registers(found.scale, target, name)
    except FitError as error:
        return [Finding(name, "registers", str(error))]
    if type(wanted) is not type(found.neuron):
        detail = f"neurons of kind {found.neuron.name}, expected {wanted.name}"
        return [Finding(name, "kind", detail)]
    findings = []
    for key in (field.name for field in fields(wanted)):
        have, want = getattr(found.neuron, key), getattr(wanted, key)
        if have != want:
            cause = words_of(type(wanted), key)
            if key == "threshold":
                cause = _threshold(trained.fires_at, have - want)
            findings.append(Finding(name, cause, f"register {have}, expected {want}"))
    return findings


def _threshold(fires_at: FiresAt, off: int) -> str:
    """At least: M - 1; more than: M, with M = threshold / unit."""
    at_least = fires_at is FiresAt.AT_LEAST
    if off == (1 if at_least else -1):
        return "'>' instead of '>='" if at_least else "'>=' instead of '>'"
    return f"threshold off by {off:+d}"


def _bias(program: Program, wanted: RealPopulation, found: Population) -> list[Finding]:
    network, step = program.network, 1 << found.bias_exponent
    slack: np.ndarray | float = 0.0
    if steady_terms(network, wanted):
        units, slack = steady_bias(program, wanted)
    elif wanted.host and wanted.host_constant:
        return []  # the host adds it, in real numbers
    else:
        real = np.zeros(wanted.shape) if wanted.offset is None else wanted.offset
        units = rows(network, wanted.name, real) / found.scale * (1 << MEMBRANE_SHIFT)
    own = np.zeros(found.shape) if found.bias is None else np.asarray(found.bias, dtype=float)
    own = own.reshape(-1, 1, 1) if own.ndim == 1 else own
    error = (np.broadcast_to(own, found.shape) * step - units) / step
    bad = np.abs(error) > ROUNDING + slack / step
    if not bad.any():
        return []
    channel, row, column = (int(i) for i in np.argwhere(bad)[0])
    off = float(error[channel, row, column])
    registers = (1 << program.target.bias_mantissa_bits, 1 << LAVA_BIAS_BITS)
    wrapped = any(
        abs(abs(off) - round(abs(off) / w) * w) <= 1 and abs(off) > w / 2 for w in registers
    )
    detail = (
        f"channel {channel}, y {row}, x {column}: mantissa off by {off:+.0f}"
        f" ({int(bad.sum()):,} of {bad.size:,} neurons)"
    )
    return [Finding(wanted.name, "wrapped bias" if wrapped else "bias", detail)]


def _in_parts(whole: int, span: int, count: int) -> list[int]:
    """A weight in steps of its lowest part, as its parts hold it."""
    if count == 1:
        return [whole]
    high = (whole + span // 2) // span
    return [high, whole - high * span]


def _weights(
    program: Program, target: Population, term: Term, held: Sequence[Projection]
) -> list[Finding]:
    """held: the projections that hold the term's weights together, the lowest part last."""
    network, chip = program.network, program.target
    projection = held[-1]
    span = 1 << (held[0].exponent - projection.exponent)
    low, high = -(chip.mantissa_max + 1) * span, (chip.mantissa_max + 1) * span - 1
    source = network.by_name[projection.source]
    relay = source.neuron if isinstance(source.neuron, Relay) else None
    payload = source.scale * (1 << relay.payload_shift) if relay else 1.0
    step = target.scale * 2.0**projection.exponent
    whole = rows(network, target.name, term.connection.weight) * payload / step
    wanted, added = columns(network, term, np.clip(whole, low, high))
    found = whole_weight(held)
    if found.shape != wanted.shape:
        detail = f"{projection.name} has shape {found.shape}, expected {wanted.shape}"
        return [Finding(target.name, "weights", detail)]
    error = np.abs(found - wanted)
    bad = error > ROUNDING * added
    if not bad.any():
        return []
    place = tuple(int(i) for i in np.argwhere(bad)[0])
    have, want = int(found[place]), round(float(np.clip(wanted[place], low, high)))
    there = [int(part.connection.weight[place]) for part in held]
    bits = sum(
        ((one ^ other) & ((1 << chip.weight_bits) - 1)).bit_count()
        for one, other in zip(there, _in_parts(want, span, len(held)), strict=True)
    )
    cause = "weight bit flipped" if bits == 1 else "weight"
    detail = (
        f"{projection.name} weight {list(place)} is {have}, expected {want}"
        f" ({int(bad.sum()):,} of {bad.size:,} weights)"
    )
    return [Finding(target.name, cause, detail)]
