"""What attention makes of a population's currents or membranes, in integers."""

from __future__ import annotations

import numpy as np

from snndeploy.network import Attention, Population
from snndeploy.neurons import MEMBRANE_MAXIMUM, MEMBRANE_SHIFT
from snndeploy.neurons.contract import ATTENTION
from snndeploy.ops.fixed_point import evaluate_fixed


def attend(
    population: Population,
    attention: Attention,
    values: np.ndarray,
    overflows: np.ndarray | None = None,
) -> np.ndarray:
    """The refined values, int64, in units of v, clipped to the membrane's register.

    values: (samples, steps, C, H, W) integers in units of v (real: times scale / 64).  A graph of
    one step refines every step by itself; one of the full window takes all T at once.
    overflows: counts of `neurons.OVERFLOW_KINDS`, to which those of attention are added.
    """
    unit = population.scale / (1 << MEMBRANE_SHIFT)
    steps = attention.graph.timesteps
    assert steps == (values.shape[1] if attention.full_window else 1), (steps, values.shape)
    windows = values.reshape(-1, steps, *values.shape[2:])
    refined, saturated = evaluate_fixed(attention.graph, windows * unit, population.name)
    found = np.rint(refined.reshape(values.shape) / unit)
    if overflows is not None:
        beyond = int(np.count_nonzero(np.abs(found) > MEMBRANE_MAXIMUM))
        overflows[ATTENTION] += saturated + beyond
    return np.clip(found, -MEMBRANE_MAXIMUM, MEMBRANE_MAXIMUM).astype(np.int64)
