"""Populations with attention in the fast engines: what arrives, refined, integrated step by step.

Attention costs far more than the neurons here, so these steps are plain numpy over all neurons.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from snndeploy.engines.attention import attend
from snndeploy.engines.layer import Contribution, Layer, Result, channels_first, channels_last
from snndeploy.engines.layer import combine as combined
from snndeploy.network import MEMBRANE_MAXIMUM, MEMBRANE_SHIFT, NO_CURRENT_MEMORY

HALF_RANGE = 1 << 23
DECAY_BITS = 12


def currents(layer: Layer, contributions: Sequence[Contribution], steps: int) -> np.ndarray:
    """What attention refines, int64 (samples, steps, neurons) in units of v, channels-last."""
    population = layer.population
    a = combined(contributions, (layer.samples, steps, population.neurons)).astype(np.int64)
    layer.overflows[0] += np.count_nonzero(np.abs(a) > population.input_maximum)
    arriving = a << MEMBRANE_SHIFT
    keep = NO_CURRENT_MEMORY - population.current_decay
    found = np.empty_like(arriving)
    u = np.zeros_like(arriving[:, 0]) if layer.u is None else layer.u.astype(np.int64)
    for step in range(steps):
        current = _decayed(u, keep) + arriving[:, step]
        u = HALF_RANGE - (HALF_RANGE - current) % (2 * HALF_RANGE)
        layer.overflows[1] += np.count_nonzero(u != current)
        found[:, step] = u
    if layer.u is not None:
        layer.u[:] = u
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
    if population.kind == "relay":
        return _relayed(layer, w, want_updated)
    inside = population.attention_at("membrane")
    keep = NO_CURRENT_MEMORY - population.membrane_decay
    spikes = np.empty(w.shape, dtype=np.uint8)
    updated = np.empty(w.shape, dtype=np.uint8) if want_updated else None
    membranes = np.empty(w.shape, dtype=np.int32) if want_membranes else None
    v = layer.v.astype(np.int64)
    for step in range(w.shape[1]):
        if updated is not None:
            updated[:, step] = (w[:, step] != 0) | (v != 0)
        total = _decayed(v, keep) + w[:, step]
        v = np.clip(total, -MEMBRANE_MAXIMUM, MEMBRANE_MAXIMUM)
        layer.overflows[2] += np.count_nonzero(v != total)
        if inside is not None:
            membrane = channels_first(v, population)[:, None]
            found = attend(population, inside, membrane, layer.overflows)[:, 0]
            v = channels_last(found).reshape(v.shape)
        spike = v > layer.threshold
        after = v - layer.amount if layer.soft_mask else np.zeros_like(v)
        v = np.where(spike, after, v)
        spikes[:, step] = spike
        if membranes is not None:
            membranes[:, step] = v
    layer.v[:] = v
    return Result(spikes, spikes.sum(axis=2, dtype=np.int64), updated, membranes)


def _relayed(layer: Layer, w: np.ndarray, want_updated: bool) -> Result:
    """Payloads of a relay, clipped to their bound."""
    population = layer.population
    payload = w >> (MEMBRANE_SHIFT + population.payload_shift)
    bound = population.payload_bound
    layer.overflows[3] += np.count_nonzero(np.abs(payload) > bound)
    clipped = np.clip(payload, -bound, bound).astype(np.int32)
    marked = (w != 0).astype(np.uint8) if want_updated else None
    return Result(clipped, np.count_nonzero(clipped, axis=2).astype(np.int64), marked)


def _decayed(value: np.ndarray, keep: int) -> np.ndarray:
    """rz(value * keep, 12)."""
    found: np.ndarray = np.sign(value) * ((np.abs(value) * keep) >> DECAY_BITS)
    return found
