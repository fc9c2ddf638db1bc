"""How far the membrane of `LeakyFire` can go: bounds for every input, step by step.

What does not fire stays below the threshold, unless it may not fire; a subtraction keeps what lies
above it.  Every bound is monotone in the ones before, so they hold for all inputs in between.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from snndeploy.neurons.equation import Reset, WhileRefractory

if TYPE_CHECKING:
    from snndeploy.neurons.leaky_fire import LeakyFire


def membrane_range(neuron: LeakyFire, most: Any, least: Any, steps: int) -> tuple[float, float]:
    """Lowest and highest U, or synaptic current, of any `steps` inputs between least and most.

    most >= 0 >= least: the input of a step, float64 (channels,).
    """
    high, low = np.full_like(most, neuron.initial), np.full_like(least, neuron.initial)
    rising, falling = np.zeros_like(most), np.zeros_like(least)
    lowest = highest = 0.0
    for _ in range(steps):
        rising = neuron.current_decay * rising + most
        falling = neuron.current_decay * falling + least
        top, bottom = high + rising, low + falling
        highest = max(highest, float(np.maximum(top, rising).max()))
        lowest = min(lowest, float(np.minimum(bottom, falling).min()))
        before = high, low
        high, low = _carried(neuron, top, bottom)
        if neuron.refractory and neuron.refractory_input is WhileRefractory.DROPPED:
            high, low = np.maximum(high, before[0]), np.minimum(low, before[1])
        if np.array_equal(before[0], high) and np.array_equal(before[1], low):
            if not neuron.current_decay:
                break
    return lowest, highest


def _carried(neuron: LeakyFire, top: Any, bottom: Any) -> tuple[Any, Any]:
    """Bounds of H behind a step whose U lies in bottom..top."""
    threshold, decay, most = neuron.threshold, neuron.decay, neuron.most_spikes
    waits = neuron.refractory and neuron.refractory_input is WhileRefractory.INTEGRATED
    quiet = top if waits else np.minimum(top, threshold)  # the highest U that fires not
    if neuron.lower_bound is not None:
        bottom = np.maximum(bottom, neuron.lower_bound)
    fires = top >= threshold
    match neuron.reset:
        case Reset.HARD:
            reset = np.where(fires, neuron.v_reset, 0.0)
            high, low = np.maximum(decay * quiet, reset), np.minimum(decay * bottom, reset)
        case Reset.SOFT:
            high = decay * np.maximum(quiet, top - most * threshold)
            low = decay * bottom
        case Reset.SOFT_AFTER:
            high = np.maximum(decay * quiet, decay * top - most * threshold)
            fired = np.where(fires, (decay - 1.0) * np.minimum(top, most * threshold), 0.0)
            low = np.minimum(decay * bottom, fired)
        case Reset.NONE:
            high, low = decay * top, decay * bottom
    return np.maximum(high, 0.0), np.minimum(low, 0.0)  # the integer leak rounds toward zero
