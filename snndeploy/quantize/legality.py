"""What no scale can make an integer of: known from the lowered network, before any calibration."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from snndeploy.errors import Violation
from snndeploy.lower.real_network import RealNetwork, RealPopulation
from snndeploy.network import MEMBRANE_SHIFT
from snndeploy.neurons import LeakyFire
from snndeploy.target import Target


def illegal(network: RealNetwork, target: Target) -> tuple[Violation, ...]:
    """Everything in the network that the target has no integers for."""
    return tuple(v for p in network.populations for v in _of(p, network, target))


def _of(population: RealPopulation, network: RealNetwork, target: Target) -> Iterator[Violation]:
    if population.kind == "lif":
        yield from _neuron(population, target)
        yield from _offset(population, target)
        yield from _synaptic_offset(population)
    if population.kind == "or" and (population.level - 1) << MEMBRANE_SHIFT >= target.decay_one:
        yield _counts(population, target)
    if population.kind == "input" and not target.graded_spikes:
        source = network.encoder.by_name.get(population.node)
        signal = source and source.signal
        if signal and signal.kind == "integer" and signal.bound != 1:
            yield no_payloads(population.name, signal.bound, target)


def _neuron(population: RealPopulation, target: Target) -> Iterator[Violation]:
    for found in population.neuron.refusals(target) if population.neuron else ():
        yield _violation(population, found.reason, found.what, found.advice, found.size)


def _offset(population: RealPopulation, target: Target) -> Iterator[Violation]:
    """An offset so large that its register overflows when the threshold is a single unit."""
    threshold = population.neuron.threshold if population.neuron else 0.0
    if population.offset is None or threshold <= 0 or population.host_constant:
        return
    largest = float(np.abs(population.offset).max(initial=0)) / threshold * (1 << MEMBRANE_SHIFT)
    need, most = bias_exponents(largest, target)
    if need > most:
        yield bias_violation(population.name, largest, target)


def _synaptic_offset(population: RealPopulation) -> Iterator[Violation]:
    """A constant in front of a synaptic current: the chip's bias enters behind it."""
    neuron = population.neuron
    lasting = isinstance(neuron, LeakyFire) and neuron.current_decay > 0
    if lasting and population.offset is not None and not population.sourced:
        yield _violation(
            population, "constant in the synaptic current",
            "a constant that differs from place to place enters its synaptic current",
            "leave out the bias or the padding in front of it",
        )  # fmt: skip


def bias_exponents(largest: float, target: Target) -> tuple[int, int]:
    """The smallest exponent that holds a bias of `largest` units of v, and the register's most."""
    exponent = max(0, int(np.ceil(np.log2(max(largest, 1.0) / target.bias_mantissa_max))))
    return exponent, (1 << target.bias_exponent_bits) - 1


def bias_violation(
    name: str, largest: float, target: Target, *, from_calibration: bool = False
) -> Violation:
    """A bias beyond its register; the host's values are known from calibration alone."""
    exponent, most = bias_exponents(largest, target)
    what = "encoder's values" if from_calibration else "layer's offsets"
    said = (
        f": a bias of {largest:,.0f} units needs exponent {exponent}, the register holds 0..{most}"
        f"{' (depends on calibration)' if from_calibration else ''}; the {what} are far larger than"
        " its threshold"
    )
    return Violation(
        name,
        said,
        name,
        "bias register",
        size=f"exponent {exponent} of at most {most}",
        advice="bring the threshold nearer to what is added to the current",
        too_large=True,
    )


def _counts(population: RealPopulation, target: Target) -> Violation:
    forgotten = population.level - 1
    return _violation(
        population, "max pooling of counts",
        f"{forgotten} spikes that do not fire must be forgotten at once, and a decay of"
        f" {target.decay_bits} bits keeps some",
        "pool spikes instead of their sums", size=f"{forgotten} spikes",
    )  # fmt: skip


def no_payloads(name: str, largest: float | None, target: Target) -> Violation:
    """Counts from the host, on a target without graded spikes."""
    bound = "" if largest is None else f" up to {largest:g}"
    advice = "put a layer in front, which the host computes, or choose a target that has them"
    said = (
        f": the model's input holds integers{bound}, and {target.name} has no graded spikes;"
        f" {advice}"
    )
    return Violation(name, said, name, "graded spikes", size=bound.strip(), advice=advice)


def _violation(
    population: RealPopulation, reason: str, what: str, advice: str, size: str = ""
) -> Violation:
    name = population.name
    return Violation(name, f": {what}; {advice}", name, reason, "neuron", size, advice)
