"""Units of the readout's membranes: v[t] = k v[t-1] + y[t] over T steps, inside their register.

Where the weights lie on a grid and k is a number of the decay register with few binary places, the
unit is the grid's over a power of two and nothing is rounded in T steps.  Else it is as fine as
the weights can use, and coarser where the worst case, or what was seen, would leave the register.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from snndeploy.lower.real_network import RealPopulation, RealReadout
from snndeploy.network import MEMBRANE_SHIFT
from snndeploy.neurons import decay_register
from snndeploy.neurons.grid import leak_places
from snndeploy.quantize.grid import common_step
from snndeploy.quantize.kernels import Kernel, mantissas
from snndeploy.quantize.membrane_error import LARGEST_WORK
from snndeploy.target import Target

if TYPE_CHECKING:
    from snndeploy.quantize.scales import Scales

MARGIN = 4.0  # head room over what calibration saw of an answer, where no proof is possible


@dataclass(frozen=True)
class Found:
    """unit: of the accumulator.  worst, seen: largest |membrane|, real; seen None: not needed."""

    unit: float
    exact: bool
    worst: float
    seen: float | None = None


def register_of(population: RealPopulation, target: Target) -> int:
    """The decay register of its membranes."""
    return decay_register(population.keep, target)


def kept(population: RealPopulation, target: Target) -> float:
    """What the register keeps of a membrane at a step."""
    return 1.0 - register_of(population, target) / target.decay_one


def unit_of(scales: Scales, population: RealPopulation) -> Found:
    kernels = [k for k in scales.kernels(population) if k.largest]
    if not kernels:
        return Found(1.0, False, 0.0)
    keep, limit = kept(population, scales.target), held(scales.target)
    steps = scales.real.timesteps
    worst = scales.worst(population) * sum(keep**step for step in range(steps))
    if (exact := _exact(scales, population, worst)) is not None:
        return Found(exact, True, worst)
    useful = _useful(scales, population, kernels)
    if worst <= useful * limit:
        return Found(useful, False, worst)
    seen = largest_seen(scales, population)
    unit = max(useful, min(MARGIN * seen, worst) / limit)
    return Found(unit, False, worst, seen if worst > unit * limit * (1 + 1e-12) else None)


def held(target: Target) -> int:
    """Units of the accumulator that a membrane holds."""
    return int(target.membrane_max >> MEMBRANE_SHIFT)


def _exact(scales: Scales, population: RealPopulation, worst: float) -> float | None:
    """The coarsest unit with which nothing is rounded, or None."""
    target, step = scales.target, _grid(scales, population)
    keep = kept(population, target)
    places = 0 if keep == 1.0 else leak_places(keep, target.decay_one)
    if step is None or places is None or keep != population.keep:
        return None
    needed = places * (scales.real.timesteps - 1) - MEMBRANE_SHIFT
    unit = step / float(1 << max(needed, 0))
    if worst > unit * held(target) or scales.worst(population) > unit * target.accumulator_max:
        return None
    return unit if _whole(scales, population, unit) else None


def _grid(scales: Scales, population: RealPopulation) -> float | None:
    """The step of which all weights are whole multiples, or None."""
    most = scales.target.mantissa_max << scales.target.weight_exponent_max
    return common_step([k.weight for k in scales.kernels(population)], most)


def _useful(scales: Scales, population: RealPopulation, kernels: Sequence[Kernel]) -> float:
    """The step of the kernel with the smallest weights, which full mantissas take; of weights on a
    grid, its step over the power of two that the mantissas have room for."""
    full, step = scales.target.mantissa_max, _grid(scales, population)
    if step is not None:
        room = full * step / max(k.largest for k in kernels)
        unit = step / float(1 << max(0, math.floor(math.log2(room))))
        if _whole(scales, population, unit):
            return unit
    return min(k.largest for k in kernels) / full


def _whole(scales: Scales, population: RealPopulation, unit: float) -> bool:
    """The mantissas are the weights, every one."""
    target, kernels = scales.target, scales.kernels(population)
    found = [mantissas(kernel, unit, 1.0, target.mantissa_max) for kernel in kernels]
    return all(
        integers.exponent <= target.weight_exponent_max
        and np.array_equal(integers.real(unit) / unit, np.rint(kernel.weight / unit))
        for kernel, integers in zip(kernels, found, strict=True)
    )


def largest_seen(scales: Scales, population: RealPopulation) -> float:
    """Largest |membrane| on the calibration data: at the end where it is the answer, else of every
    step, from the spikes."""
    readout = readout_of(scales, population)
    if population.keep == 1.0 and readout.weights is None and not readout.steps:
        return scales.largest_seen(population.node) / abs(readout.factor)
    return _run(scales, population)


def readout_of(scales: Scales, population: RealPopulation) -> RealReadout:
    return next(r for r in scales.real.readouts if r.population == population.name)


def _run(scales: Scales, population: RealPopulation) -> float:
    """The largest of some samples' membranes, step by step."""
    kernels, shapes = scales.kernels(population), {p.name: p.shape for p in scales.real.populations}
    work = sum(k.connection.multiplications(shapes[k.source]) for k in kernels)
    samples = LARGEST_WORK // max(work * scales.real.timesteps, 1)
    count = max(1, min(samples, scales.calibration.samples))
    arriving = sum(_currents(scales, kernel, count) for kernel in kernels)
    assert isinstance(arriving, np.ndarray)
    membrane, largest = np.zeros_like(arriving[:, 0]), 0.0
    for step in range(arriving.shape[1]):
        membrane = population.keep * membrane + arriving[:, step]
        largest = max(largest, float(np.abs(membrane).max(initial=0)))
    return largest


def _currents(scales: Scales, kernel: Kernel, samples: int) -> np.ndarray:
    """What a kernel causes in the first samples, (samples, steps, neurons)."""
    source, connection = scales.populations[kernel.source], kernel.connection
    values = scales.calibration.values[source.node][:samples]
    frames = values.reshape(-1, *source.shape).astype(np.float32)
    sums = connection.real_sums(frames, connection.weight.astype(np.float32))
    return sums.reshape(len(values), values.shape[1], -1)


def said(found: Found, target: Target) -> tuple[str, ...]:
    """What is said of membranes that may leave their register."""
    if found.seen is None or found.worst <= found.unit * held(target):
        return ()
    return (
        f"the integrators hold {held(target):,} units; the worst case of"
        f" {found.worst / found.unit:,.0f} is not excluded, calibration reached"
        f" {found.seen / found.unit:,.0f}",
    )


def worst_membrane(sums: int, keep: float, steps: int) -> int:
    """Largest |v| that sums of up to `sums` a step give within T steps."""
    return math.ceil((sums << MEMBRANE_SHIFT) * sum(keep**step for step in range(steps)))


def said_leak(population: RealPopulation, target: Target) -> tuple[str, ...]:
    """What the register makes of a leak that it does not hold."""
    found = kept(population, target)
    if found == population.keep:
        return ()
    return (
        f"{population.name}: its membrane keeps {population.keep:.6g} of itself a step; the decay"
        f" register of {target.decay_bits} bits holds {found:.6g}",
    )
