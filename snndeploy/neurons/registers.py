"""Registers of the chip's fixed neuron, from real numbers."""

from __future__ import annotations

import math

from snndeploy.errors import FitError
from snndeploy.neurons.equation import Equation, FiresAt
from snndeploy.neurons.grid import multiples
from snndeploy.target import Target


def threshold_register(neuron: Equation, unit: float, target: Target, name: str) -> int:
    """M - 1 for a neuron that fires at U >= threshold, M for U > threshold (hardware.md section 2).

    Raises:
        FitError: the register is too narrow.
    """
    register = threshold_in_units(neuron, unit)
    if not 0 <= register <= target.threshold_max:
        raise FitError(
            f"{name}: threshold {neuron.threshold:g} becomes {register:,}; the register holds"
            f" 0..{target.threshold_max:,}; rescale the layer's weights and threshold together"
        )
    return register


def threshold_in_units(neuron: Equation, unit: float) -> int:
    units = multiples(neuron.threshold, unit)
    at_least = neuron.fires_at is FiresAt.AT_LEAST
    return math.ceil(units) - 1 if at_least else math.floor(units)


def decay_register(decay: float, target: Target, least: int = 0, most: int | None = None) -> int:
    """The register that keeps `decay` of the membrane: round(4096 (1 - decay)), at most 4095.

    Of the current it is at least 1 (hardware.md section 1.1), and may be 4096.
    """
    one = target.decay_one
    return min(max(round(one * (1.0 - decay)), least), one - 1 if most is None else most)
