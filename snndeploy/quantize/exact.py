"""Units with which nothing is rounded: weights, threshold, offsets and leaks are whole numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from snndeploy.lower.real_network import RealPopulation
from snndeploy.network import MEMBRANE_SHIFT
from snndeploy.quantize.grid import common_step
from snndeploy.quantize.kernels import Kernel, mantissas
from snndeploy.quantize.legality import bias_exponents
from snndeploy.quantize.registers import bias_registers
from snndeploy.target import Target


def may_be_exact(members: Sequence[RealPopulation], kernels: Sequence[Kernel]) -> bool:
    """Spikes through weights alone: what the host or attention adds lies on no grid."""
    plain = all(m.kind == "lif" and not m.host and not m.attention for m in members)
    return plain and any(k.largest for k in kernels)


def exact_unit(
    members: Sequence[RealPopulation],
    kernels: Sequence[Kernel],
    steps: int,
    worst: float,
    held: float,
    proved: float,
    target: Target,
) -> float | None:
    """The coarsest unit with which nothing is rounded, or None.

    worst: largest one-sided input of a step.  held, proved: largest |membrane| that must fit, and
    that any input can give.  All in real units.
    """
    most = target.mantissa_max << target.weight_exponent_max
    weights = [k.weight for k in kernels]
    constants = [np.array(m.neuron.constants()) for m in members if m.neuron]
    offsets = [m.offset for m in members if m.offset is not None]
    entering = weights, [*weights, *constants], [*weights, *constants, *offsets]
    grids = [common_step(values, most) for values in entering]
    for step in dict.fromkeys(grids):
        unit = step and _exact_from(step, members, kernels, steps, worst, held, proved, target)
        if unit:
            return unit
    return None


def _exact_from(
    step: float,
    members: Sequence[RealPopulation],
    kernels: Sequence[Kernel],
    steps: int,
    worst: float,
    held: float,
    proved: float,
    target: Target,
) -> float | None:
    """The same with units that are `step` over a power of two."""
    for finer in range(target.accumulator_bits):
        unit = step / (1 << finer)
        inside = worst <= unit * target.accumulator_max
        inside &= held * (1 << MEMBRANE_SHIFT) <= unit * target.membrane_max
        if not inside or not all(_holds(k, unit, target) for k in kernels):
            return None
        if all(_stays_whole(m, kernels, unit, steps, proved, target) for m in members):
            return unit
    return None


def _holds(kernel: Kernel, unit: float, target: Target) -> bool:
    """The mantissas are the kernel's weights, every one."""
    found = mantissas(kernel, unit, 1.0, target.mantissa_max)
    whole = np.rint(kernel.weight / unit)
    inside = found.exponent <= target.weight_exponent_max
    return inside and bool(np.array_equal(found.values * float(1 << found.exponent), whole))


def _stays_whole(
    member: RealPopulation,
    kernels: Sequence[Kernel],
    unit: float,
    steps: int,
    bound: float,
    target: Target,
) -> bool:
    """Threshold, offset and T steps of leak are whole numbers at this unit."""
    arriving = [k.weight for k in kernels]
    if member.offset is not None:
        arriving.append(member.offset)
    step = common_step(arriving, target.membrane_max << MEMBRANE_SHIFT)
    if step is None or member.neuron is None or not _holds_offset(member, unit, target):
        return False
    return member.neuron.is_exact(unit, step, steps, bound, target)


def _holds_offset(member: RealPopulation, unit: float, target: Target) -> bool:
    """The bias registers hold the population's offset, every one."""
    if member.offset is None:
        return True
    wanted = member.offset / unit * (1 << MEMBRANE_SHIFT)
    needed, most = bias_exponents(float(np.abs(wanted).max(initial=0)), target)
    if needed > most:
        return False
    mantissa, exponent = bias_registers(member, unit, target)
    assert mantissa is not None
    held = mantissa.reshape(-1, 1, 1) if mantissa.ndim == 1 else mantissa
    return bool(np.allclose(held * float(1 << exponent), wanted, rtol=1e-9, atol=1e-6))
