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

import numpy as np

from snndeploy.connections import Connection
from snndeploy.network import Network, Population, Projection
from snndeploy.neurons import Drive, shift

BLOCK = 1 << 22  # weights widened at once
WIDEST_SUM = 1 << 56  # bounds end here, beyond every register, so that 64 bits hold their sums


@dataclass(frozen=True, eq=False)
class Range:
    """Inclusive bounds, int64 arrays of one shape."""

    low: np.ndarray
    high: np.ndarray


def payloads(population: Population) -> Range:
    """What a channel of a population can send by its kind alone, int64 (channels,)."""
    low, high = population.neuron.payload_range(None)
    if population.attention and population.neuron.sends_integers:  # it clips to the bound
        low, high = -population.neuron.payload_bound, population.neuron.payload_bound
    channels = population.shape[0]
    return Range(np.full(channels, low, np.int64), np.full(channels, high, np.int64))


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
            low += shift(np.int64(min(injection.minimum, 0)), injection.exponent)
            high += shift(np.int64(max(injection.maximum, 0)), injection.exponent)
    return Range(low, high)


def _arriving(projection: Projection, source: Population, taps: np.ndarray) -> np.ndarray:
    """What a bound at each tap makes of a, (C, H, W)."""
    limit = WIDEST_SUM >> max(projection.exponent, 0)
    total = projection.connection.tap_sums(source.shape, taps)
    bounded: np.ndarray = shift(np.clip(total, -limit, limit), projection.exponent)
    return bounded


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


def drive(network: Network, population: Population, a: Range) -> Drive:
    """Everything that a step brings: a, and what is added to v: its own bias and the host's."""
    low = high = population.own_bias
    for injection in network.injections_into(population.name):
        if injection.mode == "bias":
            low = low + shift(np.int64(injection.minimum), injection.exponent)
            high = high + shift(np.int64(injection.maximum), injection.exponent)
    return Drive(a.low, a.high, low, high, network.timesteps)
