"""Small networks on hand-made layouts, whose traffic, time and energy can be done on paper."""

from __future__ import annotations

import numpy as np
from populations import make_population

from snndeploy.connections import Dense
from snndeploy.layout.layout import Layout, Tile
from snndeploy.network import Network, Projection
from snndeploy.traffic.counter import TrafficCounter


def ten_to_ten(router, board=(1, 1)):
    """Ten neurons on core 0, all to all ten neurons on core 1 at `router`; one time step."""
    source, target = (
        make_population("source", (10, 1, 1)),
        make_population("target", (10, 1, 1), depth=1),
    )
    weight = np.ones((10, 10, 1, 1), dtype=np.int8)
    network = Network(1, (source, target), (Projection("all", "source", "target", Dense(weight)),))
    tiles = tuple(
        Tile(name, (0, 10), (0, 1), (0, 1), core) for core, name in enumerate(("source", "target"))
    )
    positions = np.array([(0, 0, 0), (*router, 1)], dtype=np.int32)
    return network, Layout(tiles, positions, (8, 4), board, {}, {}, "")


def traffic_of(network, layout, samples=1):
    """All source neurons fire in the only step, and every neuron is updated."""
    counter = TrafficCounter(network, layout, samples)
    shape = (samples, 1, 10, 1, 1)
    ones, zeros = np.ones(shape, dtype=np.uint8), np.zeros(shape, dtype=np.uint8)
    counter(network.populations[0], ones, ones)
    counter(network.populations[1], zeros, ones)
    return counter.result()
