"""Duplicate channels: the same weights in, the same bias, so the same spikes at every step.

The first of them stays and sends with the sum of their weights, where each sum stays within the
chip's weight range.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from snndeploy.connections import Connection
from snndeploy.network import Network, Population, Projection
from snndeploy.reduce.drop import Pass, Skip, drop, fixed, grouped, staying
from snndeploy.target import Target


def merge_duplicates(network: Network, target: Target) -> Pass:
    """The network with one channel left of each set of duplicates."""
    places, skips = {}, []
    for name in [p.name for p in network.populations]:
        population = network.by_name[name]
        if fixed(network, population) or network.injections_into(name):
            continue  # the host sends each channel values of its own
        first = _first_twin(network, population)
        twins = np.flatnonzero(first != np.arange(len(first)))
        if not len(twins):
            continue
        if grouped(network, name):
            skips.append(Skip(name, len(twins), "a grouped convolution starts or ends there"))
            continue
        place = staying(population)
        for channel in twins.tolist():
            merged = _merged(network, name, int(first[channel]), channel, target)
            if merged is not None:
                network, place[channel] = merged, first[channel]
        places[name] = place
        left = int((place[twins] == twins).sum())
        if left:
            bits = target.weight_bits
            reason = f"the sum of their weights leaves {bits} bits, or their delays differ"
            skips.append(Skip(name, left, reason))
    dropped = drop(network, places, proved=True)
    return Pass(dropped.network, dropped.removals, tuple(skips))


def _first_twin(network: Network, population: Population) -> np.ndarray:
    """For each channel the first one that computes the same."""
    channels = population.shape[0]
    parts = [p.connection.weight.reshape(channels, -1) for p in network.incoming(population.name)]
    if population.bias is not None:
        parts.append(population.bias.reshape(channels, -1))
    if not parts:
        return np.zeros(channels, dtype=np.int64)
    rows: dict[bytes, int] = {}
    keys = [b"".join(part[channel].tobytes() for part in parts) for channel in range(channels)]
    return np.array([rows.setdefault(key, channel) for channel, key in enumerate(keys)])


def _merged(network: Network, name: str, first: int, twin: int, target: Target) -> Network | None:
    """The network with the twin's outgoing weights added to the first's; None: out of range."""
    limit = target.mantissa_max
    added: dict[int, Connection] = {}
    projections = list(network.projections)
    for index, projection in enumerate(projections):
        if projection.source != name:
            continue
        shared = projection.connection
        total = shared.weight[:, first].astype(np.int64) + shared.weight[:, twin]
        if total.min(initial=0) < -limit - 1 or total.max(initial=0) > limit:
            return None
        if not _same_delays(projection, network.by_name[name], first, twin):
            return None
        if id(shared) not in added:
            weight = shared.weight.copy()
            weight[:, first], weight[:, twin] = total, 0
            added[id(shared)] = shared.with_weight(weight)
        projections[index] = replace(projection, connection=added[id(shared)])
    return replace(network, projections=tuple(projections))


def _same_delays(projection: Projection, source: Population, first: int, twin: int) -> bool:
    if projection.axonal_delay is None:
        return True
    delays = np.asarray(projection.axonal_delay).reshape(source.shape)
    return bool((delays[first] == delays[twin]).all())
