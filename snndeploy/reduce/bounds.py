"""What populations can do at most, for every input: bounds in integers, by interval arithmetic.

For a population with payloads p of each source channel in [l, h] (0 included: a spike may be
absent, or still on its way),

    a <= sum over projections of (sum over taps of max(w l, w h)) << exponent  + injected maximum

and every step of the neuron is monotone in a and v, so running the contract's step on the bound
gives a bound of v at every step, exact in integers.  Neurons at the border of a convolution have
fewer taps, and a bound of their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from snndeploy.connections import Connection
from snndeploy.network import (
    MEMBRANE_MAXIMUM,
    MEMBRANE_SHIFT,
    NO_CURRENT_MEMORY,
    Network,
    Population,
    Projection,
)

BLOCK = 1 << 22  # weights widened at once
WIDEST_PAYLOAD = 1 << 31  # a relay's payload beyond this is refused when it is simulated
WIDEST_SUM = 1 << 56  # bounds end here, beyond every register, so that 64 bits hold their sums


@dataclass(frozen=True, eq=False)
class Range:
    """Inclusive bounds, int64 arrays of one shape."""

    low: np.ndarray
    high: np.ndarray


def payloads(population: Population) -> Range:
    """What a channel of a population can send by its kind alone, int64 (channels,)."""
    channels = population.shape[0]
    if population.kind == "lif" or (population.kind == "input" and population.payload_bound == 1):
        return Range(np.zeros(channels, np.int64), np.ones(channels, np.int64))
    # attention clips a relay's payload to its bound; without it the bound is only declared
    bounded = population.kind == "input" or population.attention
    bound = population.payload_bound if bounded else WIDEST_PAYLOAD
    return Range(np.full(channels, -bound, np.int64), np.full(channels, bound, np.int64))


def sums(network: Network, population: Population, sent: Mapping[str, Range]) -> Range:
    """Bounds of a, (C, H, W), injected values included.  sent: payloads of the sources' channels;
    a source that is not in it can send what its kind allows."""
    low, high = (np.zeros(population.shape, dtype=np.int64) for _ in range(2))
    for projection in network.incoming(population.name):
        source = network.by_name[projection.source]
        given = sent.get(projection.source) or payloads(source)
        least, most = _extremes(projection.connection, given)
        low += _arriving(projection, source, least)
        high += _arriving(projection, source, most)
    for injection in network.injections_into(population.name):
        if injection.mode == "graded":
            low += shifted(np.int64(min(injection.minimum, 0)), injection.exponent)
            high += shifted(np.int64(max(injection.maximum, 0)), injection.exponent)
    return Range(low, high)


def _arriving(projection: Projection, source: Population, taps: np.ndarray) -> np.ndarray:
    """What a bound at each tap makes of a, (C, H, W)."""
    limit = WIDEST_SUM >> max(projection.exponent, 0)
    total = projection.connection.tap_sums(source.shape, taps)
    bounded: np.ndarray = shifted(np.clip(total, -limit, limit), projection.exponent)
    return bounded


def shifted(value: Any, exponent: int) -> Any:
    """Integers << exponent, rounded down for a negative one, as the contract does."""
    return value << exponent if exponent >= 0 else value >> -exponent


def _extremes(connection: Connection, given: Range) -> tuple[np.ndarray, np.ndarray]:
    """Least and largest sum over the source channels, at each tap: (targets, ...)."""
    weight = connection.weight
    outputs, inputs, *kernel = weight.shape
    shape = (connection.groups, 1, inputs, *(1 for _ in kernel))
    low, high = np.minimum(given.low, 0).reshape(shape), np.maximum(given.high, 0).reshape(shape)
    least, most = (np.empty((outputs, *kernel), dtype=np.int64) for _ in range(2))
    each = outputs // connection.groups
    rows = max(1, BLOCK // max(weight[0].size, 1))
    for start in range(0, outputs, rows):
        part = slice(start, min(start + rows, outputs))
        group = np.arange(part.start, part.stop) // each
        wide = weight[part].astype(np.int64)
        ends = wide * low[group, 0], wide * high[group, 0]
        least[part] = np.minimum(*ends).sum(axis=1)
        most[part] = np.maximum(*ends).sum(axis=1)
    return least, most


def biases(network: Network, population: Population) -> Range:
    """What is added to v at every step: the population's bias and the host's, (C, H, W)."""
    own = bias_units(population)
    low, high = own, own
    for injection in network.injections_into(population.name):
        if injection.mode == "bias":
            low = low + shifted(np.int64(injection.minimum), injection.exponent)
            high = high + shifted(np.int64(injection.maximum), injection.exponent)
    return Range(low, high)


def bias_units(population: Population) -> np.ndarray:
    """The population's own bias in units of v, int64 (C, H, W)."""
    if population.bias is None:
        return np.zeros(population.shape, dtype=np.int64)
    mantissa = np.asarray(population.bias, dtype=np.int64)
    mantissa = mantissa.reshape(-1, 1, 1) if mantissa.ndim == 1 else mantissa
    return np.broadcast_to(shifted(mantissa, population.bias_exponent), population.shape)


def silent(network: Network, population: Population, a: Range) -> np.ndarray:
    """Neurons of a lif that no input can make fire within T steps, bool (C, H, W)."""
    added = biases(network, population).high
    limit = population.threshold << MEMBRANE_SHIFT
    low, high = (np.clip(end, -WIDEST_PAYLOAD, WIDEST_PAYLOAD) for end in (a.low, a.high))
    quiet = np.ones(population.shape, dtype=bool)
    u = np.zeros(population.shape, dtype=np.int64)
    v, lowest = np.zeros_like(u), np.zeros_like(u)
    for _ in range(network.timesteps):
        before = u, v, lowest
        u = _kept(u, population.current_decay) + (high << MEMBRANE_SHIFT)
        lowest = _kept(lowest, population.current_decay) + (low << MEMBRANE_SHIFT)
        v = _clipped(_kept(v, population.membrane_decay) + u + added)
        quiet &= (v <= limit) & (u <= MEMBRANE_MAXIMUM) & (lowest >= -MEMBRANE_MAXIMUM)
        v = np.where(quiet, v, 0)  # a neuron that is lost already may not overflow the bounds
        u, lowest = np.where(quiet, u, 0), np.where(quiet, lowest, 0)
        if not quiet.any() or all(map(np.array_equal, before, (u, v, lowest))):
            break
    return quiet


def steady(network: Network, population: Population, a: Range) -> np.ndarray:
    """Neurons of a lif that fire at every step whatever the input, bool (C, H, W)."""
    if population.current_decay != NO_CURRENT_MEMORY or not fits_current(a):
        return np.zeros(population.shape, dtype=bool)
    added = biases(network, population).low + (a.low << MEMBRANE_SHIFT)
    limit = population.threshold << MEMBRANE_SHIFT
    lost = population.reset_amount << MEMBRANE_SHIFT
    always = np.ones(population.shape, dtype=bool)
    v = np.zeros(population.shape, dtype=np.int64)
    for _ in range(network.timesteps):
        before = v
        v = _clipped(_kept(v, population.membrane_decay) + added)
        always &= v > limit
        v = np.where(always & (population.reset == "soft"), v - lost, 0)
        if not always.any() or np.array_equal(before, v):
            break
    return always


def fits_current(a: Range) -> bool:
    """True when a << 6 cannot wrap at 24 bits."""
    most = MEMBRANE_MAXIMUM >> MEMBRANE_SHIFT
    return bool(a.low.min(initial=0) >= -most and a.high.max(initial=0) <= most)


def _kept(value: np.ndarray, decay: int) -> np.ndarray:
    """rz(value * (4096 - decay), 12) of the contract."""
    found: np.ndarray = np.sign(value) * ((np.abs(value) * (NO_CURRENT_MEMORY - decay)) >> 12)
    return found


def _clipped(value: np.ndarray) -> np.ndarray:
    return np.clip(value, -MEMBRANE_MAXIMUM, MEMBRANE_MAXIMUM)
