"""Are the program's integers those of its float model?  Every number, without running anything."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from snndeploy.network import MEMBRANE_SHIFT, Network, Population, Projection
from snndeploy.passes.lower import lower
from snndeploy.passes.real_network import RealNetwork, RealPopulation, Term
from snndeploy.program import Program
from snndeploy.simulator.functional import misaligned
from snndeploy.target import Target

ROUNDING = 0.5 + 1e-4  # of a step: composed kernels are summed in another order
WRAPS = (1 << 13, 1 << 16)  # mantissa registers of the chip, and of Lava's int16


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
    mode = "relay" if any(p.kind == "relay" for p in program.network.populations) else "compose"
    real = lower(program.model, mode)  # type: ignore[arg-type]
    findings = _delays(program.network)
    for population in real.populations:
        if population.kind in ("input", "or"):
            continue
        findings += _population(program, real, population)
    return findings


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
        return [Finding(wanted.name, "missing", "the program has no such population")]
    findings: list[Finding] = []
    if wanted.kind == "lif":
        findings += _threshold(wanted, found)
        findings += _decay(wanted, found, program.target)
        findings += _bias(wanted, found)
    incoming = network.incoming(wanted.name)
    sources = [projection.source for projection in incoming]
    if sources != [term.source for term in wanted.terms]:
        detail = f"reads {', '.join(sources) or 'nothing'}, expected {_sources(wanted)}"
        return [*findings, Finding(wanted.name, "projections", detail)]
    for term, projection in zip(wanted.terms, incoming, strict=True):
        findings += _weights(network, found, term, projection)
    return findings


def _sources(wanted: RealPopulation) -> str:
    return ", ".join(term.source for term in wanted.terms) or "nothing"


def _threshold(wanted: RealPopulation, found: Population) -> list[Finding]:
    """At least: M - 1; more than: M, with M = threshold / unit."""
    at_least = wanted.neuron["fires_at"] == "ge"
    register = round(wanted.neuron["threshold"] / found.scale) - (1 if at_least else 0)
    off = found.threshold - register
    if off == 0:
        return []
    if off == (1 if at_least else -1):
        cause = "'>' instead of '>='" if at_least else "'>=' instead of '>'"
    else:
        cause = f"threshold off by {off:+d}"
    detail = f"register {found.threshold}, expected {register}"
    return [Finding(wanted.name, cause, detail)]


def _decay(wanted: RealPopulation, found: Population, target: Target) -> list[Finding]:
    register = min(round(target.decay_one * (1 - wanted.neuron["decay"])), target.decay_one - 1)
    if found.membrane_decay == register:
        return []
    detail = f"register {found.membrane_decay}, expected {register}"
    return [Finding(wanted.name, "decay", detail)]


def _bias(wanted: RealPopulation, found: Population) -> list[Finding]:
    if wanted.host and wanted.host_constant:
        return []  # the host adds it, in real numbers
    real = np.zeros(wanted.shape) if wanted.offset is None else wanted.offset
    units = real / found.scale * (1 << MEMBRANE_SHIFT)
    step = 1 << found.bias_exponent
    own = np.zeros(wanted.shape) if found.bias is None else np.asarray(found.bias, dtype=float)
    own = own.reshape(-1, 1, 1) if own.ndim == 1 else own
    error = (np.broadcast_to(own, wanted.shape) * step - units) / step
    bad = np.abs(error) > ROUNDING
    if not bad.any():
        return []
    channel, row, column = (int(i) for i in np.argwhere(bad)[0])
    off = float(error[channel, row, column])
    wrapped = any(abs(abs(off) - round(abs(off) / w) * w) <= 1 and abs(off) > w / 2 for w in WRAPS)
    detail = (
        f"channel {channel}, y {row}, x {column}: mantissa off by {off:+.0f}"
        f" ({int(bad.sum()):,} of {bad.size:,} neurons)"
    )
    return [Finding(wanted.name, "wrapped bias" if wrapped else "bias", detail)]


def _weights(
    network: Network, target: Population, term: Term, projection: Projection
) -> list[Finding]:
    source = network.by_name[projection.source]
    payload = source.scale * (1 << source.payload_shift) if source.kind == "relay" else 1.0
    step = target.scale * 2.0**projection.exponent
    wanted = term.connection.weight * payload / step
    found = projection.connection.weight
    if found.shape != wanted.shape:
        detail = f"{projection.name} has shape {found.shape}, expected {wanted.shape}"
        return [Finding(target.name, "weights", detail)]
    error = np.abs(found - wanted)
    clipped = ((found == 127) & (wanted > 127)) | ((found == -128) & (wanted < -128))
    bad = (error > ROUNDING) & ~clipped
    if not bad.any():
        return []
    place = tuple(int(i) for i in np.argwhere(bad)[0])
    have, want = int(found[place]), round(float(np.clip(wanted[place], -128, 127)))
    flipped = (have ^ want) & 0xFF
    cause = "weight bit flipped" if flipped and math.log2(flipped).is_integer() else "weight"
    detail = (
        f"{projection.name} weight {list(place)} is {have}, expected {want}"
        f" ({int(bad.sum()):,} of {bad.size:,} weights)"
    )
    return [Finding(target.name, cause, detail)]
