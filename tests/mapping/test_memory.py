"""Axon and memory counts of tiles equal an enumeration of every synapse."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace

import numpy as np
import pytest
from brute_force import owner_of, synapses_of
from hypothesis import given
from hypothesis import strategies as st
from populations import make_population
from random_layouts import random_layout
from random_networks import Features, networks

from snndeploy.connections import Conv, Dense
from snndeploy.layout.layout import Tile
from snndeploy.mapping.memory import (
    core_use,
    neuron_bytes,
    state_bytes,
    synapse_bits,
    tile_use,
)
from snndeploy.mapping.parts import Part
from snndeploy.mapping.strips import boxes_of
from snndeploy.network import Injection, Network, Projection
from snndeploy.target import Target
from snndeploy.target.lists import weight_lists

LOIHI1 = Target.load("loihi1")
UNSHARED = replace(LOIHI1, shared_convolution=False)


def list_bits(target, targets, *, sparse=False):
    return weight_lists(target).list_bits(targets, None, sparse=sparse)


def axon_of(projection, neuron):
    """What stands for a source neuron on the axon: its position where weights repeat over it."""
    connection = projection.connection
    shared = isinstance(connection, Conv) or connection.pool != (1, 1)
    return neuron[1:] if shared else neuron


def one_tile_a_core(network, random):
    layout = random_layout(network, random)
    return [replace(tile, core=index) for index, tile in enumerate(layout.tiles)]


def enumerate_axons(network, tiles):
    """Input and output axons of every tile, by walking the synapses."""

    class Owners:
        pass

    owners = Owners()
    owners.tiles = tiles
    own = {p.name: owner_of(owners, p) for p in network.populations}
    incoming, outgoing = Counter(), Counter()
    for projection in network.projections:
        source = network.by_name[projection.source]
        reached, sent = defaultdict(set), defaultdict(set)
        synapses = synapses_of(projection, source, network.by_name[projection.target])
        for neuron, targets in synapses.items():
            for target in targets:
                core = own[projection.target][target]
                reached[core].add(axon_of(projection, neuron))
                if neuron in own[projection.source]:
                    home = own[projection.source][neuron]
                    sent[home].add((axon_of(projection, neuron), core))
        incoming.update({core: len(axons) for core, axons in reached.items()})
        outgoing.update({core: len(axons) for core, axons in sent.items()})
    for injection in network.injections:
        if injection.mode == "graded":
            positions = {(core, n[1:]) for n, core in own[injection.target].items()}
            incoming.update(core for core, _ in positions)
    return incoming, outgoing


@given(networks(Features(recurrent=True, populations=3)), st.integers(0, 2**32 - 1))
def test_axons_equal_the_enumeration(case, seed):
    tiles = one_tile_a_core(case.network, np.random.default_rng(seed))
    use = tile_use(case.network, tiles, LOIHI1)
    incoming, outgoing = enumerate_axons(case.network, tiles)
    assert use["input_axons"].tolist() == [incoming[index] for index in range(len(tiles))]
    assert use["output_axons"].tolist() == [outgoing[index] for index in range(len(tiles))]
    assert use["neurons"].tolist() == [tile.neurons for tile in tiles]


@given(networks(Features(populations=3)), st.integers(0, 2**32 - 1))
def test_unshared_memory_equals_the_enumeration(case, seed):
    """Without sharing, every source neuron has a list of its synapses into the tile."""
    network = case.network
    tiles = one_tile_a_core(network, np.random.default_rng(seed))
    use = tile_use(network, tiles, UNSHARED)
    for tile, found in zip(tiles, use["synapse_memory_bytes"], strict=True):
        bits = 0
        target = network.by_name[tile.population]
        box = [range(*part) for part in (tile.channels, tile.rows, tile.columns)]
        for projection in network.incoming(tile.population):
            source = network.by_name[projection.source]
            for targets in synapses_of(projection, source, target).values():
                inside = sum(
                    all(i in part for i, part in zip(t, box, strict=True)) for t in targets
                )
                sparse = isinstance(projection.connection, Conv)
                bits += list_bits(UNSHARED, inside, sparse=sparse)
        assert found == -(-bits // 8)


@pytest.mark.parametrize(
    ("connection", "source", "channels", "bits"),
    [
        # 16 source channels, lists of 9 taps x 4 channels = 36 weights: 298 bits in 5 words.
        (Conv(np.zeros((8, 16, 3, 3))), (16, 9, 9), (2, 6), 16 * 5 * 64),
        # Groups of 4 source channels each feed 2 targets; channels 1..5 take 1, 2 and 1 of them.
        (Conv(np.zeros((6, 4, 1, 1)), groups=3), (12, 5, 5), (1, 5), 12 * 64),
        # 10 x 2 x 2 columns shared by 4 x 4 windows; 3 weights and a header in one word.
        (Dense(np.zeros((10, 10, 2, 2)), (4, 4)), (10, 8, 8), (0, 3), 40 * 64),
        # 128 weights are two full blocks of 64: 9 words each.
        (Dense(np.zeros((200, 30, 1, 1))), (30, 1, 1), (0, 128), 30 * 2 * 9 * 64),
    ],
    ids=["convolution", "groups", "pooled dense", "dense"],
)
def test_shared_lists_by_hand(connection, source, channels, bits):
    part = Part("target", 0, ((channels, (0, 3), (0, 3)),))
    assert synapse_bits(connection, source, part, LOIHI1) == bits


@given(networks(Features(recurrent=True, populations=3)), st.integers(0, 2**32 - 1))
def test_axons_of_cores_with_several_boxes_equal_the_enumeration(case, seed):
    """Boxes of one population on one core share their axons; other populations add up."""
    layout = random_layout(case.network, np.random.default_rng(seed))
    use = core_use(case.network, layout.tiles, layout.cores, LOIHI1)
    incoming, outgoing = enumerate_axons(case.network, layout.tiles)
    assert use["input_axons"].tolist() == [incoming[core] for core in range(layout.cores)]
    assert use["output_axons"].tolist() == [outgoing[core] for core in range(layout.cores)]


@given(networks(Features(populations=3)), st.integers(0, 2**32 - 1))
def test_unshared_memory_of_cores_with_several_boxes(case, seed):
    network = case.network
    layout = random_layout(network, np.random.default_rng(seed))
    use = core_use(network, layout.tiles, layout.cores, UNSHARED)
    bits = Counter()
    for projection in network.projections:
        source, target = network.by_name[projection.source], network.by_name[projection.target]
        own = owner_of(layout, target)
        for targets in synapses_of(projection, source, target).values():
            for core, inside in Counter(own[t] for t in targets).items():
                sparse = isinstance(projection.connection, Conv)
                bits[core] += list_bits(UNSHARED, inside, sparse=sparse)
    found = use["synapse_memory_bytes"].tolist()
    assert found == [bits[core] // 8 for core in range(layout.cores)]


def test_a_flat_strip_stores_a_kernel_once():
    """Neurons 7..40 of (4, 3, 4) touch channels 0 to 3: one list of four channels a source."""
    population = make_population("target", (4, 3, 4), depth=1)
    strip = [Tile("target", *box, 0) for box in boxes_of(population.shape, 7, 41)]
    assert len(strip) == 5
    assert sum(tile.neurons for tile in strip) == 34
    conv = Conv(np.zeros((4, 5, 3, 3)), padding=(1, 1))
    network = Network(
        1,
        (make_population("source", (5, 3, 4), "input"), population),
        (Projection("p", "source", "target", conv),),
    )
    use = core_use(network, strip, 1, LOIHI1)
    assert use["neurons"].tolist() == [34]
    assert use["synapse_memory_bytes"].tolist() == [5 * list_bits(LOIHI1, 36) // 8]
    assert use["input_axons"].tolist() == [12]


@given(st.tuples(*[st.integers(1, 5)] * 3), st.integers(0, 130), st.integers(0, 130))
def test_boxes_of_a_strip_are_the_flat_run(shape, start, stop):
    size = int(np.prod(shape))
    start, stop = min(start, stop, size), min(max(start, stop), size)
    held = np.zeros(shape, dtype=int)
    boxes = list(boxes_of(shape, start, stop))
    for box in boxes:
        held[tuple(slice(*part) for part in box)] += 1
    assert len(boxes) <= 5
    assert held.ravel().tolist() == [int(start <= i < stop) for i in range(size)]


def test_core_memory_holds_synapses_state_and_delay_buffers():
    """24 bits of membrane and 13 of bias are 5 bytes; 3 + 1 slots of 16 bits are 8."""
    target = replace(LOIHI1, core_memory_bytes=3000)
    weight = Dense(np.zeros((100, 8, 1, 1)))
    populations = (
        make_population("source", (8, 1, 1), "input"),
        make_population("target", (100, 1, 1), depth=1),
    )
    projection = Projection("p", "source", "target", weight, delay=3)
    bias = Injection("target", "encoder", "bias")
    network = Network(1, populations, (projection,), (bias,))
    assert state_bytes(network, populations[1], target) == 5
    assert neuron_bytes(network, populations[1], target) == 13
    tile = Tile("target", (0, 100), (0, 1), (0, 1), 0)
    use = core_use(network, [tile], 1, target)
    assert use["core_memory_bytes"].tolist() == [8 * list_bits(LOIHI1, 100) // 8 + 1300]
