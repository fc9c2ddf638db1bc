"""Traffic counts equal an enumeration of every synapse, on random networks and layouts."""

from __future__ import annotations

import numpy as np
import pytest
from brute_force import enumerate_traffic
from hypothesis import given, settings
from hypothesis import strategies as st
from populations import make_population
from random_layouts import random_layout
from random_networks import Features, networks
from traffic_runs import count, random_spikes

from snndeploy.connections import Conv
from snndeploy.layout.layout import Layout, Tile
from snndeploy.mapping import place
from snndeploy.network import Network, Projection
from snndeploy.target import Target
from snndeploy.traffic.counter import PER_CORE, PER_STEP, TrafficCounter
from snndeploy.traffic.layers import LAYER_COUNTS

HOPS = ("hops_east_west", "hops_north_south", "hops_inter_chip")
FEATURES = Features(recurrent=True, axonal_delays=True, populations=3, timesteps=3)


def assert_layers_equal(counter, expected):
    """By population and step as enumerated, and as `Traffic` has them without populations."""
    layers, traffic = counter.layers(), counter.result()
    found = {
        (population, name, step): int(values[step])
        for population, counts in layers.items()
        for name, values in counts.items()
        for step in np.flatnonzero(values).tolist()
    }
    assert found == {key: n for key, n in expected["layers"].items() if n}
    whole = {
        name: getattr(traffic, name).sum(axis=(0, 2)) for name in PER_CORE if name in LAYER_COUNTS
    }
    whole |= {name: getattr(traffic, name).sum(axis=0) for name in PER_STEP if name in LAYER_COUNTS}
    whole["hops_inter_chip"] = traffic.hops_inter_chip.sum(axis=0)
    whole["hops"] = sum(getattr(traffic, name).sum(axis=0) for name in HOPS)
    received = traffic.messages_in.sum(axis=(0, 2))
    whole["host_messages"] = received - whole["messages_out"]
    assert set(whole) == set(LAYER_COUNTS)
    for name, values in whole.items():
        assert np.array_equal(sum(counts[name] for counts in layers.values()), values), name


def assert_equal(traffic, expected, names):
    for name in names:
        array = getattr(traffic, name)
        assert array.dtype == np.int64
        found = {tuple(at): int(array[tuple(at)]) for at in np.argwhere(array).tolist()}
        assert found == {at: n for at, n in expected[name].items() if n}, name


@settings(max_examples=150)
@given(networks(FEATURES), st.integers(0, 2**32 - 1))
def test_counts_equal_the_enumeration(case, seed):
    random = np.random.default_rng(seed)
    network = case.network
    layout = random_layout(network, random)
    spikes, updated = random_spikes(network, random, case.samples)
    batches = [1] * case.samples if random.random() < 0.5 else [case.samples]
    counter = count(network, layout, spikes, updated, case.injected, batches)
    traffic = counter.result()
    expected = enumerate_traffic(network, layout, spikes, updated, case.injected)
    assert_layers_equal(counter, expected)
    assert_equal(traffic, expected, (*PER_CORE, *PER_STEP, *HOPS))
    link = [tuple(row) for row in traffic.links.tolist()]
    assert len(set(link)) == len(link)
    loads = {
        (sample, step, link[index]): int(traffic.link_load[sample, step, index])
        for sample, step, index in np.argwhere(traffic.link_load).tolist()
    }
    assert loads == dict(expected["link_load"])
    assert (traffic.link_load.sum(axis=-1) == sum(getattr(traffic, name) for name in HOPS)).all()


@pytest.mark.parametrize("groups", [2, 3])
def test_groups_of_several_channels(groups):
    """Grouped convolutions between tiles whose channel ranges cut through the groups."""
    source = make_population("source", (6, 4, 5))
    target = make_population("target", (12, 4, 5), depth=1)
    connection = Conv(np.ones((12, 6 // groups, 3, 2)), padding=(1, 1), groups=groups)
    target = make_population("target", connection.output_shape(source.shape), depth=1)
    projection = Projection("p", "source", "target", connection)
    network = Network(2, (source, target), (projection,))
    random = np.random.default_rng(groups)
    for _ in range(10):
        layout = random_layout(network, random)
        spikes, updated = random_spikes(network, random, 2)
        counter = count(network, layout, spikes, updated, {}, [2])
        traffic = counter.result()
        expected = enumerate_traffic(network, layout, spikes, updated, {})
        assert_layers_equal(counter, expected)
        assert_equal(traffic, expected, (*PER_CORE, *PER_STEP, *HOPS))


@pytest.mark.parametrize("name", ["loihi1", "loihi2"])
@settings(max_examples=20)
@given(networks(FEATURES))
def test_counts_on_placed_layouts(name, case):
    random = np.random.default_rng(0)
    layout = place(case.network, Target.load(name))
    spikes, updated = random_spikes(case.network, random, 1)
    injected = {index: values[:1] for index, values in case.injected.items()}
    traffic = count(case.network, layout, spikes, updated, injected, [1]).result()
    expected = enumerate_traffic(case.network, layout, spikes, updated, injected)
    assert_equal(traffic, expected, (*PER_CORE, *PER_STEP, *HOPS))


def two_cores(channels=300, route=((0, 0, 0), (2, 1, 0))):
    """A 1x1 convolution from one core to another on a 2 x 2 board of 2 x 2 routers."""
    source, target = (
        make_population("source", (channels, 1, 1)),
        make_population("target", (7, 1, 1), depth=1),
    )
    connection = Conv(np.ones((7, channels, 1, 1), dtype=np.int8))
    network = Network(3, (source, target), (Projection("p", "source", "target", connection),))
    tiles = (
        Tile("source", (0, channels), (0, 1), (0, 1), 0),
        Tile("target", (0, 7), (0, 1), (0, 1), 1),
    )
    return network, Layout(tiles, np.array(route, dtype=np.int32), (2, 2), (2, 2), {}, {}, "")


def test_a_hand_counted_case():
    """300 spikes a step, two hops east over a chip border and one south."""
    network, layout = two_cores()
    counter = TrafficCounter(network, layout, samples=1)
    source, target = network.populations
    counter(source, np.ones((1, 3, 300, 1, 1), dtype=np.uint8))
    counter(target, np.zeros((1, 3, 7, 1, 1), dtype=np.uint8))
    traffic = counter.result()
    assert traffic.messages_out[0].tolist() == [[300, 0]] * 3 + [[0, 0]]
    assert traffic.messages_in[0].tolist() == [[0, 300]] * 3 + [[0, 0]]
    assert traffic.synaptic_operations[0].tolist() == [[0, 2100]] * 3 + [[0, 0]]
    assert traffic.neuron_accesses[0].tolist() == [[300, 0], [300, 7], [300, 7], [0, 7]]
    assert traffic.hops_east_west[0].tolist() == [300, 300, 300, 0]
    assert traffic.hops_inter_chip[0].tolist() == [300, 300, 300, 0]
    assert traffic.hops_north_south[0].tolist() == [300, 300, 300, 0]
    assert traffic.links.tolist() == [[0, 0, 1, 0], [1, 0, 1, 0], [2, 0, 0, 1]]


def test_updates_that_nobody_gives_are_bounded_by_the_accesses():
    network, layout = two_cores()
    counter = TrafficCounter(network, layout, samples=1)
    source, target = network.populations
    counter(source, np.zeros((1, 3, 300, 1, 1), dtype=np.uint8))
    counter(target, np.zeros((1, 3, 7, 1, 1), dtype=np.uint8), np.zeros((1, 3, 7, 1, 1), np.uint8))
    updates = counter.result().neuron_updates[0]
    assert updates.tolist() == [[300, 0]] * 3 + [[0, 0]]
    assert counter.assumed_updates == {"source"}


def test_a_fresh_counter_shares_nothing_but_the_tables():
    network, layout = two_cores()
    used = TrafficCounter(network, layout, samples=1)
    for population in network.populations:
        used(population, np.ones((1, 3, *population.shape), dtype=np.uint8))
    before = used.result().spikes.copy()
    fresh = used.fresh(samples=2)
    assert fresh.assumed_updates == set()
    for population in network.populations:
        marks = np.zeros((2, 3, *population.shape), dtype=np.uint8)
        fresh(population, marks, marks)
    assert fresh.result().spikes.shape == (2, 4, 2)
    assert not fresh.result().spikes.any() and not fresh.layers()["source"]["spikes"].any()
    assert np.array_equal(used.result().spikes, before)
    assert used.layers()["source"]["spikes"].tolist() == [300, 300, 300, 0]


def test_two_targets_on_one_core_keep_their_own_operations():
    """Each neuron triggers one synapse at core 1: the left one in `even`, the right in `odd`."""
    kernel = np.ones((1, 1, 1, 1), dtype=np.int8)
    source = make_population("source", (1, 1, 2))
    reads = {
        "even": Conv(kernel, stride=(1, 2)),
        "odd": Conv(kernel, stride=(1, 2), padding=(0, 1)),
    }
    targets = [make_population(n, c.output_shape(source.shape), depth=1) for n, c in reads.items()]
    projections = tuple(Projection(n, "source", n, c) for n, c in reads.items())
    network = Network(1, (source, *targets), projections)
    tiles = tuple(
        Tile(p.name, *((0, size) for size in p.shape), int(p is not source))
        for p in network.populations
    )
    positions = np.array([(0, 0, 0), (1, 0, 0)], dtype=np.int32)
    layout = Layout(tiles, positions, (2, 2), (1, 1), {}, {}, "")
    counter = TrafficCounter(network, layout, samples=1)
    for population in network.populations:
        values = np.zeros((1, 1, *population.shape), dtype=np.uint8)
        values[..., -1] = population is source
        counter(population, values, values)
    operations = {n: c["synaptic_operations"].tolist() for n, c in counter.layers().items()}
    assert operations == {"source": [0, 0], "even": [0, 0], "odd": [1, 0]}


def test_a_missing_population_is_refused():
    network, layout = two_cores()
    counter = TrafficCounter(network, layout, samples=1)
    counter(network.populations[0], np.zeros((1, 3, 300, 1, 1), dtype=np.uint8))
    with pytest.raises(AssertionError, match="not seen all samples of target"):
        counter.result()
