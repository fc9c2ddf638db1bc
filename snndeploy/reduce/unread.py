"""Channels that nobody reads: every weight behind them is zero, or there is nothing behind them."""

from __future__ import annotations

import numpy as np

from snndeploy.network import UNREAD, Network, Population, Projection
from snndeploy.reduce.drop import Pass, drop, fixed, staying, whole_groups


def drop_unread(network: Network) -> Pass:
    """The network without the channels that no other one can notice."""
    places = {}
    for population in network.populations:
        if not fixed(network, population):
            read = _read(network, population)
            places[population.name] = np.where(read, staying(population), UNREAD)
    whole, skips = whole_groups(network, places)
    dropped = drop(network, whole, proved=True)
    return Pass(dropped.network, dropped.removals, tuple(skips))


def _read(network: Network, population: Population) -> np.ndarray:
    read = np.zeros(population.shape[0], dtype=bool)
    for projection in network.outgoing(population.name):
        read |= _used(projection)
    return read


def _used(projection: Projection) -> np.ndarray:
    """Source channels with a weight that is not zero, bool (channels,)."""
    connection = projection.connection
    weight = connection.weight
    used: np.ndarray = (weight != 0).reshape(*weight.shape[:2], -1).any(axis=2)
    each = used.reshape(connection.groups, -1, weight.shape[1])
    return each.any(axis=1).reshape(-1)
