"""How far membranes go, in real numbers: at most, for every input, and on calibration data."""

from __future__ import annotations

import numpy as np

from snndeploy.lower.real_network import RealPopulation
from snndeploy.ops.neuron import replay
from snndeploy.quantize.calibration import Calibration


def membrane_bound(arriving: np.ndarray, population: RealPopulation, steps: int) -> float | None:
    """Largest |membrane| before the reset that `steps` steps of any input can give, in real units;
    None: the neuron does not say.

    arriving: largest and smallest input of a step, float64 (2, channels).
    """
    most, least = np.maximum(arriving[0], 0.0), np.minimum(arriving[1], 0.0)
    if population.neuron is None:
        return float(np.maximum(most, -least).max())
    return population.neuron.membrane_bound(most, least, steps)


def largest_membrane(population: RealPopulation, calibration: Calibration) -> float:
    """Largest |membrane| before the reset of the float neurons on the calibration data."""
    if population.neuron is None or population.attention or not population.current:
        return 0.0
    currents = calibration.values[population.current]
    currents = currents + _fed_back(population, calibration, currents.shape)
    membranes, _ = replay(population.neuron, currents.swapaxes(0, 1))
    return float(np.abs(membranes).max(initial=0))


def _fed_back(
    population: RealPopulation, calibration: Calibration, shape: tuple[int, ...]
) -> np.ndarray | float:
    """What a recurrent population's own last spikes add to its input, of `shape` or more steps."""
    back = [term for term in population.terms if term.source == population.name]
    if not back:
        return 0.0
    spikes = calibration.values[population.node].astype(np.float32)
    last = np.zeros_like(spikes)
    last[:, 1:] = spikes[:, :-1]
    frames = last.reshape(-1, *population.shape)
    sums = [t.connection.real_sums(frames, t.connection.weight.astype(np.float32)) for t in back]
    total: np.ndarray = np.sum(sums, axis=0).reshape(*spikes.shape[:2], *shape[2:])
    return total
