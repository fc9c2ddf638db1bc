"""Populations with attention in the fast engines: what arrives, refined, given to the kernel."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from snndeploy.engines.attention import attend
from snndeploy.engines.layer import Contribution, Layer, channels_first, channels_last, combine
from snndeploy.neurons import DECAY_ONE, MEMBRANE_SHIFT
from snndeploy.neurons.contract import DECAY_BITS, INPUT, WRAP
from snndeploy.neurons.kernel import Result, Wanted

HALF_RANGE = 1 << 23


def currents(layer: Layer, contributions: Sequence[Contribution], steps: int) -> np.ndarray:
    """What attention refines, int64 (samples, steps, neurons) in units of v, channels-last."""
    population = layer.population
    a = combine(contributions, (layer.samples, steps, population.neurons)).astype(np.int64)
    layer.overflows[INPUT] += np.count_nonzero(np.abs(a) > population.input_maximum)
    arriving = a << MEMBRANE_SHIFT
    keep = DECAY_ONE - population.neuron.current_decay
    found = np.empty_like(arriving)
    kept = layer.state.get("u")
    u = np.zeros_like(arriving[:, 0]) if kept is None else kept.astype(np.int64)
    for step in range(steps):
        current = np.sign(u) * ((np.abs(u) * keep) >> DECAY_BITS) + arriving[:, step]
        u = HALF_RANGE - (HALF_RANGE - current) % (2 * HALF_RANGE)
        layer.overflows[WRAP] += np.count_nonzero(u != current)
        found[:, step] = u
    if kept is not None:
        kept[:] = u
    return found + layer.bias[:, None].astype(np.int64)


def refined(layer: Layer, values: np.ndarray) -> np.ndarray:
    """The currents as the population's attention makes them, shapes as `currents`."""
    population = layer.population
    before = population.attention_at("current")
    if before is None:
        return values
    found = attend(population, before, channels_first(values, population), layer.overflows)
    return channels_last(found).reshape(values.shape)


def fired(layer: Layer, w: np.ndarray, want_updated: bool, want_membranes: bool) -> Result:
    """Integrate and fire, or forward, the refined currents w."""
    population = layer.population
    inside = population.attention_at("membrane")

    def refine(v: np.ndarray) -> np.ndarray:
        assert inside is not None
        membrane = channels_first(v, population)[:, None]
        found = attend(population, inside, membrane, layer.overflows)[:, 0]
        return channels_last(found).reshape(v.shape)

    wanted = Wanted(want_updated, want_membranes)
    return layer.kernel.take_in(layer.run, w, refine if inside else None, wanted)
