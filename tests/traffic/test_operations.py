"""Operations as a chip counts them equal an enumeration of every weight, core by core."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from brute_force import enumerate_traffic
from hypothesis import given, settings
from hypothesis import strategies as st
from populations import make_population
from random_layouts import random_layout
from random_networks import Features, networks
from test_traffic import HOPS, assert_equal, assert_layers_equal
from traffic_runs import count, random_spikes

from snndeploy.connections import Conv, Dense, Transposed
from snndeploy.layout.layout import Layout, Tile
from snndeploy.mapping.expect import expect
from snndeploy.network import Network, Projection
from snndeploy.target import Target
from snndeploy.timing.cycle_walk import walk_of
from snndeploy.traffic.counter import PER_CORE, PER_STEP

LOIHI1 = Target.load("loihi1")
FEATURES = Features(recurrent=True, populations=3, timesteps=2)
OPERATIONS = ("synaptic_operations", "conv_operations", "sparse_operations")


def counting(zeros="skipped", idle="accessed", shared=True):
    return replace(LOIHI1, zero_weights=zeros, idle_neurons=idle, shared_convolution=shared)


def thinned(network, random, share=0.6):
    """The same network with so many of its weights zero, and whole kernels of some channels."""

    def zeroed(connection):
        kept = random.random(connection.weight.shape) > share
        kept &= random.random((1, connection.weight.shape[1], *[1] * (kept.ndim - 2))) > 0.2
        return connection.with_weight(connection.weight * kept)

    return replace(
        network,
        projections=tuple(replace(p, connection=zeroed(p.connection)) for p in network.projections),
    )


@settings(max_examples=60)
@given(networks(FEATURES), st.integers(0, 2**32 - 1))
def test_counts_equal_the_enumeration(case, seed):
    random = np.random.default_rng(seed)
    network = thinned(case.network, random)
    layout = random_layout(network, random)
    target = counting(random.choice(["skipped", "counted"]), shared=bool(random.integers(2)))
    spikes, updated = random_spikes(network, random, case.samples)
    counter = count(network, layout, spikes, updated, case.injected, [case.samples], target=target)
    expected = enumerate_traffic(network, layout, spikes, updated, case.injected, target)
    assert_layers_equal(counter, expected)
    assert_equal(counter.result(), expected, (*PER_CORE, *PER_STEP, *HOPS))


def pair(connection, source):
    """Two populations and the synapses between them, four weights of five zero."""
    populations = (
        make_population("source", source),
        make_population("target", connection.output_shape(source), depth=1),
    )
    network = Network(2, populations, (Projection("p", "source", "target", connection),))
    return thinned(network, np.random.default_rng(5), 0.8)


def alike_cut(network, rows, columns):
    """The target cut into cores that all have the same share, the last ones beyond the edge."""
    source, target = network.populations
    tiles = [Tile("source", *((0, size) for size in source.shape), 0)]
    for top in range(0, target.shape[1], rows):
        for left in range(0, target.shape[2], columns):
            box = (
                (top, min(top + rows, target.shape[1])),
                (left, min(left + columns, target.shape[2])),
            )
            share = (target.shape[0], rows, columns)
            tiles.append(Tile("target", (0, target.shape[0]), *box, len(tiles), share))
    positions = np.array([(i % 4, i // 4, 0) for i in range(len(tiles))], dtype=np.int32)
    return Layout(tuple(tiles), positions, (4, 4), (1, 1), {}, {}, "")


@pytest.mark.parametrize("zeros", ["skipped", "counted"])
@pytest.mark.parametrize(
    "connection",
    [
        Conv(np.ones((4, 3, 3, 3)), padding=(1, 1)),
        Conv(np.ones((4, 3, 3, 2)), stride=(2, 1)),
        Conv(np.ones((6, 1, 3, 3)), padding=(1, 1), groups=3),
        Conv(np.ones((2, 3, 2, 2)), dilation=(2, 1)),
    ],
)
def test_neurons_beyond_the_edge_take_operations_and_updates(connection, zeros):
    network = pair(connection, (3, 7, 8))
    layout = alike_cut(network, 3, 4)
    target = counting(zeros)
    spikes, updated = random_spikes(network, np.random.default_rng(6), 2)
    counter = count(network, layout, spikes, updated, {}, [2], target=target)
    traffic = counter.result()
    expected = enumerate_traffic(network, layout, spikes, updated, {}, target)
    assert_equal(traffic, expected, (*OPERATIONS, "synapses_met", "messages_in", "messages_out"))
    beyond = np.array([0, *(tile.beyond for tile in layout.tiles[1:])])
    assert beyond[-1] > 0
    in_window = traffic.neuron_accesses.any(axis=2) & (np.arange(3) >= 1)
    for name in ("neuron_accesses", "neuron_updates"):
        plain = {at: n for at, n in expected[name].items() if n}
        found = getattr(traffic, name) - in_window[..., None] * beyond
        assert {tuple(at): int(found[tuple(at)]) for at in np.argwhere(found)} == plain


def test_idle_neurons_are_updated_where_the_chip_does_so():
    network = pair(Conv(np.ones((4, 3, 3, 3)), padding=(1, 1)), (3, 7, 8))
    layout = alike_cut(network, 7, 8)
    spikes, updated = random_spikes(network, np.random.default_rng(6), 2)
    counter = count(network, layout, spikes, updated, {}, [2], target=counting(idle="updated"))
    traffic = counter.result()
    assert np.array_equal(traffic.neuron_updates, traffic.neuron_accesses)
    assert not counter.assumed_updates  # it is known, and no upper bound


@pytest.mark.parametrize(
    ("connection", "source"),
    [
        (Conv(np.ones((5, 4, 3, 3)), stride=(2, 2)), (4, 9, 8)),
        (Dense(np.ones((6, 4, 3, 2)), (2, 2)), (4, 7, 5)),
        (Transposed(np.ones((3, 4, 3, 4)), (2, 3), (1, 0), (1, 2)), (4, 3, 4)),
    ],
)
def test_the_cycle_model_and_the_expectation_count_the_same(connection, source):
    network = pair(connection, source)
    random = np.random.default_rng(7)
    target = counting()
    for _ in range(5):
        layout = random_layout(network, random)
        spikes, updated = random_spikes(network, random, 1)
        traffic = count(network, layout, spikes, updated, {}, [1], target=target).result()
        sent = {name: (values[0] != 0).astype(float) for name, values in spikes.items()}
        walk = walk_of(network, layout, target)
        fired = np.moveaxis(spikes["source"][0] != 0, 1, -1).reshape(2, -1)
        found = np.zeros((2, layout.cores), dtype=np.int64)
        for step in range(2):
            for row in walk.row[: fired.shape[1]][fired[step]]:
                entries = slice(walk.row_start[row], walk.row_start[row + 1])
                np.add.at(found[step], walk.core[entries], walk.operations[:, entries].sum(axis=0))
        assert np.array_equal(found, traffic.synaptic_operations[0, :2])
        energies = expect(network, layout, target, sent, updates=updated_of(updated))
        alike = chip_joules(traffic, layout, target, network.timesteps)
        assert energies.energy_joules == pytest.approx(alike)


def updated_of(updated):
    return {name: (values[0] != 0).astype(float) for name, values in updated.items()}


def chip_joules(traffic, layout, target, timesteps):
    from snndeploy.timing.analytic import analytic_timing
    from snndeploy.timing.energy import chip_energy

    timing = analytic_timing(traffic, layout, target, timesteps)
    return float(chip_energy(traffic, timing, layout, target).total[0])
