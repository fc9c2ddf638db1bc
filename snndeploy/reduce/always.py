"""Channels that fire at every step: what they send is a constant, so it moves into biases.

A target adds  (sum of the channel's weights) << exponent  to a at every step, so its bias grows by
that << 6, where u = a << 6 (no current memory, no wrap) and the spikes of step tau arrive at step
tau (the delay its depth asks for, no axonal delay).  At the border of a convolution fewer taps
count, and the bias becomes one a neuron.  It must be exact in the bias register of the chip:
otherwise the channel stays.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from snndeploy.connections import Connection
from snndeploy.network import (
    MEMBRANE_SHIFT,
    NO_CURRENT_MEMORY,
    STEADY,
    Network,
    Population,
    Projection,
)
from snndeploy.neurons.contract import fits_current
from snndeploy.reduce.bounds import drive, sums
from snndeploy.reduce.drop import Pass, Skip, drop, fixed, grouped, staying
from snndeploy.target import Target


def drop_steady(network: Network, target: Target) -> Pass:
    """The network without the channels that are proved to fire at every step."""
    return take_steady(network, proved_steady(network), target, proved=True)


def proved_steady(network: Network) -> dict[str, np.ndarray]:
    """Channels that fire at every step for any input, bool (channels,) by population."""
    found: dict[str, np.ndarray] = {}
    for population in network.populations:
        if population.neuron.fires and not population.attention:
            brought = drive(network, population, sums(network, population, {}))
            always = population.neuron.always_fires(brought)
            found[population.name] = np.all(always, axis=(1, 2))
    return found


def take_steady(
    network: Network, steadiness: Mapping[str, np.ndarray], target: Target, *, proved: bool
) -> Pass:
    """The network without the channels that `steadiness` marks, their currents in biases."""
    places, skips = {}, []
    for name in [p.name for p in network.populations]:
        population, mask = network.by_name[name], steadiness.get(name)
        if mask is None or not mask.any() or fixed(network, population):
            continue
        if reason := _unfit(network, population):
            skips.append(Skip(name, int(mask.sum()), reason))
            continue
        place = staying(population)
        for channel in np.flatnonzero(mask).tolist():
            absorbed = _absorbed(network, population, channel, target)
            if absorbed is not None:
                network, place[channel] = absorbed, STEADY
        places[name] = place
        left = int((mask & (place != STEADY)).sum())
        if left:
            skips.append(Skip(name, left, "a bias register cannot hold what it adds exactly"))
    dropped = drop(network, places, proved)
    return Pass(dropped.network, dropped.removals, tuple(skips))


def _unfit(network: Network, population: Population) -> str:
    """Why what a population sends cannot become a bias ('' when it can)."""
    if grouped(network, population.name):
        return "a grouped convolution reads it"
    reasons = (_refuses(network, population, p) for p in network.outgoing(population.name))
    return next((reason for reason in reasons if reason), "")


def _refuses(network: Network, source: Population, projection: Projection) -> str:
    target = network.by_name[projection.target]
    late = projection.delay != target.arrival - source.depth - 1
    if late or projection.axonal_delay is not None:
        return "its spikes arrive at another step than they were sent in"
    if not target.neuron.has_membrane:
        return f"{target.name} has no bias"
    if target.attention:
        return f"{target.name} refines its current by attention"
    if target.neuron.current_decay != NO_CURRENT_MEMORY or projection.exponent < 0:
        return f"{target.name} keeps its current over steps, or rounds it"
    arriving = sums(network, target, {})
    if not fits_current(arriving.low, arriving.high):
        return f"the sum into {target.name} may wrap"
    return ""


def _absorbed(
    network: Network, population: Population, channel: int, target: Target
) -> Network | None:
    """The network with a channel's constant current in the biases behind it, its weights zero.

    None when a bias register cannot hold it.
    """
    added: dict[str, np.ndarray] = {}
    rest: dict[int, Connection] = {}
    projections = list(network.projections)
    for index, projection in enumerate(projections):
        if projection.source == population.name:
            name, shared = projection.target, projection.connection
            added[name] = added.get(name, 0) + _current(projection, population, channel)
            rest[id(shared)] = rest.get(id(shared)) or _without(shared, channel)
            projections[index] = replace(projection, connection=rest[id(shared)])
    changed = {}
    for name, units in added.items():
        before = network.by_name[name]
        registers = exact_bias(before.own_bias + (units << MEMBRANE_SHIFT), target)
        if registers is None:
            return None
        changed[name] = replace(before, bias=registers[0], bias_exponent=registers[1])
    populations = tuple(changed.get(p.name, p) for p in network.populations)
    return replace(network, populations=populations, projections=tuple(projections))


def _current(projection: Projection, source: Population, channel: int) -> np.ndarray:
    """What the channel adds to a of each target neuron while it fires, int64 (C, H, W)."""
    taps = projection.connection.weight[:, channel].astype(np.int64)
    return projection.connection.tap_sums(source.shape, taps) << projection.exponent


def _without(connection: Connection, channel: int) -> Connection:
    weight = connection.weight.copy()
    weight[:, channel] = 0
    return connection.with_weight(weight)


def exact_bias(units: np.ndarray, target: Target) -> tuple[np.ndarray, int] | None:
    """Mantissas and exponent of biases in units of v, int64 (C, H, W); None: not exactly.

    One mantissa a channel where its neurons agree.
    """
    limit = target.bias_mantissa_max
    largest = int(np.abs(units).max(initial=0))
    exponent = max(0, largest.bit_length() - limit.bit_length())
    if exponent >= 1 << target.bias_exponent_bits or (units & ((1 << exponent) - 1)).any():
        return None
    mantissas = (units >> exponent).astype(np.int32)
    channel = mantissas[:, :1, :1]
    return (channel[:, 0, 0] if (mantissas == channel).all() else mantissas), exponent
