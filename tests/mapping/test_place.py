"""Placement: legal layouts within the limits, near-square tiles, and clear refusals."""

from __future__ import annotations

import time
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from big_networks import residual_network
from hypothesis import given, settings
from populations import make_population
from random_networks import Features, networks

from snndeploy.connections import Conv, Dense
from snndeploy.errors import FitError
from snndeploy.mapping import place
from snndeploy.mapping.arrange import snake
from snndeploy.network import Network, Projection
from snndeploy.target import Target
from snndeploy.target.lists import weight_lists

LOIHI1, LOIHI2 = Target.load("loihi1"), Target.load("loihi2")
BRIEF = Target.load("loihi2-brief")  # 8192 neurons a core, weights in blocks, no limit on axons
TIGHT = replace(  # a chip so small that the smallest networks have to be cut
    LOIHI1,
    neurons_per_core=40,
    synapse_memory_bytes=3000,
    input_axons_per_core=120,
    output_axons_per_core=150,
)
TIGHT_WORDS = replace(
    LOIHI2,
    neurons_per_core=40,
    synapse_memory_bytes=1200,
    core_memory_bytes=1600,
    input_axons_per_core=60,
    output_axons_per_core=40,
)


def chain(*shapes, connections):
    """Populations in a row behind the host's input; the last one's origin is 'model.last'."""
    names = [f"layer{index}" for index in range(len(shapes))]
    populations = [
        make_population(name, shape, "lif" if index else "input", depth=index)
        for index, (name, shape) in enumerate(zip(names, shapes, strict=True))
    ]
    populations[-1] = replace(populations[-1], origin="model.last")
    projections = [
        Projection(f"projection{index}", names[index], names[index + 1], connection)
        for index, connection in enumerate(connections)
    ]
    return Network(4, tuple(populations), tuple(projections))


def kernel(target, source, size=3):
    weight = np.zeros((target, source, size, size), dtype=np.int8)
    return Conv(weight, padding=(size // 2, size // 2))


def dense(target, source, pool=(1, 1)):
    columns = (source[1] // pool[0], source[2] // pool[1])
    return Dense(np.zeros((target, source[0], *columns), dtype=np.int8), pool)


def assert_legal(network, layout, target):
    """Every neuron lies on one core, every core is used, and no limit is exceeded."""
    for population in network.populations:
        owners = np.zeros(population.shape, dtype=int)
        for tile in layout.tiles_of(population.name):
            owners[slice(*tile.channels), slice(*tile.rows), slice(*tile.columns)] += 1
        assert (owners == (population.neuron.name != "input")).all()
    assert {tile.core for tile in layout.tiles} == set(range(layout.cores))
    assert len(np.unique(layout.positions, axis=0)) == layout.cores
    assert np.bincount(layout.chip_of_core).max() <= target.cores_per_chip
    width, height = layout.mesh[0] * layout.board[0], layout.mesh[1] * layout.board[1]
    assert (layout.positions >= 0).all()
    assert (layout.positions < (width, height, target.cores_per_tile)).all()
    assert set(layout.use) == set(layout.limits)
    for name, values in layout.use.items():
        assert (values <= layout.limits[name]).all(), name


@pytest.mark.parametrize(
    "target",
    [LOIHI1, LOIHI2, TIGHT, TIGHT_WORDS],
    ids=["loihi1", "loihi2", "tight", "tight-words"],
)
@pytest.mark.parametrize("merging", [True, False])
@settings(max_examples=30)
@given(case=networks(Features(recurrent=True)))
def test_random_networks_are_placed_within_the_limits(target, merging, case):
    try:
        layout = place(case.network, target, merging=merging)
    except FitError as refusal:
        assert target in (TIGHT, TIGHT_WORDS)
        assert " has " in str(refusal) or "no tiling" in str(refusal)
        return
    assert_legal(case.network, layout, target)


def test_channels_stay_together_and_tiles_are_near_square():
    network = chain((64, 32, 32), (64, 32, 32), connections=[kernel(64, 64)])
    layout = place(network, BRIEF, objective="cores")
    assert layout.cores == 8  # 65,536 neurons, 8,192 a core
    tile = layout.tiles[0]
    assert tile.channels == (0, 64)
    assert {tile.rows[1] - tile.rows[0], tile.columns[1] - tile.columns[0]} == {8, 16}
    assert layout.binding == (
        "neurons: 8,192 of 8,192 on the fullest core (layer1); binds 8 of 8 cores"
    )


def test_channels_are_split_where_the_kernel_does_not_fit():
    network = chain((512, 4, 4), (512, 4, 4), connections=[kernel(512, 512)])
    layout = place(network, BRIEF, objective="cores")
    blocks = {tile.channels for tile in layout.tiles}
    assert {tile.rows + tile.columns for tile in layout.tiles} == {(0, 4, 0, 4)}
    sizes = {stop - start for start, stop in blocks}
    assert max(sizes) - min(sizes) <= 1
    # 9 * n weights for each of 512 source channels, 9 bits each with headers, in 131,072 bytes.
    assert max(sizes) == 25
    assert layout.cores == 21
    assert layout.binding.startswith("bytes of synapse memory: ")


def test_a_dense_layer_is_cut_by_its_memory():
    """2560 inputs to 100 outputs at 9 bits are 288 KB: three cores by memory alone."""
    network = chain((2560, 1, 1), (100, 1, 1), connections=[dense(100, (2560, 1, 1))])
    assert place(network, LOIHI1, objective="cores").cores == 3


def test_small_layers_share_a_core():
    shapes = [(20, 1, 1), (30, 1, 1), (40, 1, 1), (10, 1, 1)]
    connections = [dense(b[0], a) for a, b in pairwise(shapes)]
    network = chain(*shapes, connections=connections)
    assert place(network, LOIHI1, objective="cores").cores == 1
    assert place(network, LOIHI1, objective="cores", merging=False).cores == 3
    small = replace(LOIHI1, neurons_per_core=50)
    merged = place(network, small, objective="cores")
    assert [tile.core for tile in merged.tiles] == [0, 1, 0]  # 30 + 10 of 50 neurons
    assert merged.use["neurons"].tolist() == [40, 40]


def test_memory_of_several_projections_adds_up():
    source, middle = make_population("source", (8, 6, 6), "input"), (8, 6, 6)
    populations = (source, make_population("target", middle, depth=1))
    shared = kernel(8, 8)
    one = Network(1, populations, (Projection("a", "source", "target", shared),))
    projections = (*one.projections, Projection("b", "source", "target", shared))
    two = Network(1, populations, projections)
    used = [
        int(place(net, LOIHI1, objective="cores").use["synapse_memory_bytes"][0])
        for net in (one, two)
    ]
    lists = 8 * weight_lists(LOIHI1).list_bits(9 * 8, None, sparse=False)
    assert used == [lists // 8, 2 * lists // 8]


def test_rates_weigh_the_choice_between_tilings():
    """Tall kernels of a busy source want columns kept whole; wide kernels, rows."""
    tall = Conv(np.zeros((16, 16, 9, 1), dtype=np.int8), padding=(4, 0))
    wide = Conv(np.zeros((16, 16, 1, 9), dtype=np.int8), padding=(0, 4))
    names = ("tall", "wide")
    populations = [make_population(name, (16, 16, 16), "input") for name in names]
    populations.append(make_population("target", (16, 16, 16), depth=1))
    projections = tuple(
        Projection(name, name, "target", conv)
        for name, conv in zip(names, (tall, wide), strict=True)
    )
    network = Network(1, tuple(populations), projections)
    target = replace(LOIHI2, neurons_per_core=2048)
    cut = {
        busy: {
            (tile.rows, tile.columns)
            for tile in place(network, target, {quiet: 0.0}, objective="cores").tiles
        }
        for busy, quiet in (("tall", "wide"), ("wide", "tall"))
    }
    assert cut["tall"] == {((0, 16), (0, 8)), ((0, 16), (8, 16))}
    assert cut["wide"] == {((0, 8), (0, 16)), ((8, 16), (0, 16))}


def test_too_many_input_axons_are_refused():
    network = chain((9216, 1, 1), (10, 1, 1), connections=[dense(10, (9216, 1, 1))])
    with pytest.raises(FitError) as refusal:
        place(network, LOIHI1, objective="cores")
    assert str(refusal.value) == (
        "model.last needs 9,216 input axons on one loihi1 core; a core has 4,096. "
        "Pool its input, split the layer before it, or choose another target. "
        "It would fit with target oheo_gulch (1 chip)."
    )
    assert (
        place(network, BRIEF, objective="cores").cores == 2
    )  # the brief states no axons; 9,216 lists of 16 bytes


def test_channels_are_split_where_lists_in_words_do_not_fit():
    """16 channels of 8 bits and a header are 3 words; 9 taps of 512 source channels, 13,824."""
    network = chain((512, 4, 4), (512, 4, 4), connections=[kernel(512, 512)])
    layout = place(network, LOIHI2, objective="cores")
    assert {stop - start for start, stop in (tile.channels for tile in layout.tiles)} == {16}
    assert layout.cores == 32
    assert layout.binding == (
        "bytes of synapse memory: 110,592 of 128,000 on the fullest core (layer1);"
        " binds 32 of 32 cores"
    )


def test_every_tap_of_every_source_channel_takes_a_word():
    network = chain((1800, 4, 4), (4, 4, 4), connections=[kernel(4, 1800)])
    with pytest.raises(FitError) as refusal:
        place(network, LOIHI2, advise=False)
    assert str(refusal.value) == (
        "model.last needs 129,600 bytes of synapse memory on one loihi2 core; a core has 128,000."
        " Use fewer input channels or a smaller kernel, or choose another target."
    )


def test_a_dense_layer_has_an_axon_for_each_source_neuron():
    network = chain((17_000, 1, 1), (4, 1, 1), connections=[dense(4, (17_000, 1, 1))])
    with pytest.raises(FitError, match=r"needs 17,000 input axons .* a core has 16,000\."):
        place(network, replace(LOIHI2, synapse_memory_bytes=10**9, core_memory_bytes=10**9))


def test_the_objective_spends_no_more_cores_than_it_may():
    network = chain((16, 16, 16), (32, 16, 16), (32, 16, 16), connections=[
        kernel(32, 16), kernel(32, 32)])  # fmt: skip
    fewest, free = (place(network, LOIHI2, objective=o).cores for o in ("cores", "latency"))
    for mode in ("tiles", "anneal"):
        most = place(network, LOIHI2, mode=mode, objective="latency", max_cores=fewest + 5)
        assert fewest < most.cores <= fewest + 5 < free
        assert place(network, LOIHI2, mode=mode, max_cores=fewest).cores == fewest
    with pytest.raises(FitError, match=r"needs 6 loihi2 cores; at most 5 were asked for\. What"):
        place(network, LOIHI2, max_cores=fewest - 1)


def test_a_kernel_too_large_for_any_core_is_refused():
    network = chain((40000, 2, 2), (4, 2, 2), connections=[kernel(4, 40000)])
    with pytest.raises(FitError) as refusal:
        place(network, BRIEF, objective="cores")
    assert str(refusal.value) == (
        "model.last needs 640,000 bytes of synapse memory on one loihi2-brief core; a core has"
        " 131,072. "
        "Use fewer input channels or a smaller kernel, or choose another target. "
        "It would fit with target hybrid45nm (1 chip)."
    )


def test_too_many_cores_are_refused():
    network = chain((64, 64, 64), (64, 64, 64), connections=[kernel(64, 64)])
    with pytest.raises(FitError) as refusal:
        place(network, replace(LOIHI1, max_chips=1))
    assert str(refusal.value) == (
        "the network needs 256 loihi1 cores; 1 chip has 128. "
        "What binds: neurons: 1,024 of 1,024 on the fullest core (layer1); binds 256 of 256 cores. "
        "Use a smaller network or another target. It would fit with target kapoho_bay (2 chips)."
    )


def test_output_axons_of_a_loop_are_cut_finer():
    """The first cut, 4 x 4 positions, sends to itself and its neighbours: 36 axons a core."""
    populations = (make_population("loop", (64, 32, 32)),)
    network = Network(1, populations, (Projection("p", "loop", "loop", kernel(64, 64)),))
    loose = place(network, replace(LOIHI1, output_axons_per_core=36), objective="cores")
    assert loose.cores == 64
    assert loose.use["output_axons"].max() == 36
    tight = place(network, replace(LOIHI1, output_axons_per_core=30))
    assert_legal(network, tight, LOIHI1)
    assert tight.cores > 64


def test_weights_that_are_not_shared_are_cut_by_space():
    strided = Conv(np.zeros((32, 32, 3, 3), dtype=np.int8), (2, 2), (1, 1))
    shapes = ((4, 32, 32), (32, 32, 32), (32, 16, 16))
    network = chain(*shapes, connections=[kernel(32, 4), strided])
    unshared = replace(LOIHI1, shared_convolution=False)
    layout = place(network, unshared, objective="cores")
    assert_legal(network, layout, unshared)
    assert layout.cores > place(network, LOIHI1, objective="cores").cores
    assert layout.notes == ()


@pytest.mark.parametrize(("target", "cores"), [(LOIHI1, 1000), (LOIHI2, 1000), (LOIHI1, 3)])
def test_the_snake_walks_between_neighbours(target, cores):
    board, positions = snake(cores, target)
    assert board[0] * board[1] >= -(-cores // target.cores_per_chip)
    router = positions[:, :2]
    hops = np.abs(np.diff(router, axis=0)).sum(axis=1)
    chip = router // (target.mesh_width, target.mesh_height)
    inside = (np.diff(chip, axis=0) == 0).all(axis=1)
    assert (hops[inside] <= 1).all()
    assert hops.max(initial=0) <= target.mesh_height + 2
    assert (np.bincount(np.unique(router, axis=0, return_inverse=True)[1].ravel()) <= 4).all()


CIFAR = {"size": 32, "stages": [(128, 3), (256, 3), (512, 3)], "classes": 10}
IMAGENET = {
    "size": 112,
    "stages": [(64, 3), (128, 4), (256, 6), (512, 3)],
    "classes": 1000,
    "stem_stride": 2,
}


@pytest.mark.parametrize(
    ("target", "shortcuts"),
    [(LOIHI1, 1), (LOIHI1, 4), (BRIEF, 1), (BRIEF, 4), (LOIHI2, 1)],
    ids=["loihi1", "loihi1-shortcuts", "brief", "brief-shortcuts", "loihi2"],
)
@pytest.mark.parametrize(
    ("size", "neurons"), [(CIFAR, 1_441_802), (IMAGENET, 3_764_200)], ids=["cifar", "imagenet"]
)
def test_the_papers_networks_are_placed_in_seconds(size, neurons, target, shortcuts):
    network = residual_network(**size, shortcuts=shortcuts)
    assert network.neurons == neurons
    start = time.process_time()
    layout = place(network, target)
    assert time.process_time() - start < 20  # 0.1 to 3 s measured
    assert_legal(network, layout, target)
    assert layout.cores >= -(-neurons // target.neurons_per_core)
