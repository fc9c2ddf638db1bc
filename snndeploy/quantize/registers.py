"""Bias registers of a population at a given unit; its neuron's own are in `neurons`."""

from __future__ import annotations

import numpy as np

from snndeploy.errors import refusal
from snndeploy.lower.real_network import RealPopulation
from snndeploy.network import MEMBRANE_SHIFT
from snndeploy.quantize.legality import bias_exponents, bias_violation
from snndeploy.target import Target


def bias_registers(
    population: RealPopulation, unit: float, target: Target
) -> tuple[np.ndarray | None, int]:
    """Mantissas (one a channel where that is enough, else one a neuron) and their exponent.

    None where there is no offset, or where the host adds it to the value it sends.
    """
    if population.offset is None or (population.host and population.host_constant):
        return None, 0
    values = population.offset / unit * (1 << MEMBRANE_SHIFT)
    flat = values.reshape(values.shape[0], -1)
    if np.allclose(flat, flat[:, :1], rtol=1e-9, atol=1e-6):  # rounding noise of float64 sums
        values = flat[:, 0]
    exponent = bias_exponent(population.name, float(np.abs(values).max(initial=0)), target)
    return np.rint(values / (1 << exponent)).astype(np.int32), exponent


def bias_exponent(
    name: str, largest: float, target: Target, *, from_calibration: bool = False
) -> int:
    """The smallest exponent that fits a bias of `largest` units of v.

    Raises:
        FitError: no exponent does.
    """
    exponent, most = bias_exponents(largest, target)
    if exponent > most:
        raise refusal((bias_violation(name, largest, target, from_calibration=from_calibration),))
    return exponent
