"""Memory of a core on loihi2 against what Intel's compiler printed for PilotNet's 74 cores.

The network is `network.net` of the lava-dl wheel, the printed table that of its tutorial
pilotnet_snn/benchmark.ipynb; both as `shared/data/silicon/pilotnet_lif_loihi2.json` has them.
"""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import recordings
from populations import make_population

from snndeploy.connections import Conv, Dense
from snndeploy.engines.functional import run_functional
from snndeploy.frontend.netx.reader import load_netx
from snndeploy.layout.layout import Tile
from snndeploy.mapping import place
from snndeploy.mapping.entries import input_entries, output_entries
from snndeploy.mapping.memory import core_use, words_by_core
from snndeploy.mapping.parts import Part
from snndeploy.mapping.spread import unplaced
from snndeploy.network import Injection, Network, Projection
from snndeploy.target import Target
from snndeploy.timing.analytic import analytic_timing
from snndeploy.traffic.counter import TrafficCounter

LOIHI2 = Target.load("loihi2")
ALREADY_TAKEN = 3180  # words before any network: 3170 +- 30, read from the figure
ON_THE_CHIP = 20480


@pytest.fixture(scope="module")
def pilotnet(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pilotnet")
    return load_netx(recordings.network_file("gts/pilotnet_lif/network.net", folder), 16)


def cut_as_intel(network, allocation):
    """A tile a core, of the printed shares; dense7's are 9 neurons wide."""
    tiles = []
    for row in allocation:
        name, share = row["layer"], row["share_width_height_channels"]
        channels, height, width = network.by_name[name].shape
        step = share[0] if share else 9 if row["cores"] > 1 else channels
        for start in range(0, width if share else channels, step):
            part = (start, min(start + step, width if share else channels))
            boxes = ((0, channels), (0, height), part) if share else (part, (0, 1), (0, 1))
            tiles.append(Tile(name, *boxes, len(tiles)))
    return tiles


@pytest.mark.shared
def test_pilotnets_cores_take_what_intels_compiler_printed(pilotnet, shared_data):
    silicon = json.loads((shared_data / "silicon" / "pilotnet_lif_loihi2.json").read_text())
    tiles = cut_as_intel(pilotnet, silicon["allocation"])
    assert len(tiles) == 74
    words = words_by_core(pilotnet, tiles, len(tiles), LOIHI2)
    for row in silicon["allocation"]:
        own = [tile.core for tile in tiles if tile.population == row["layer"]]
        assert own == list(range(row["core_range"][0], row["core_range"][1] + 1))
        for printed, name in (("synmem_words", "synapse_memory"), ("axon_in", "input_axons"),
                              ("axon_map", "output_axons")):  # fmt: skip
            assert int(words[name][own].mean()) == row[printed], (row["layer"], name)
        if row["cores"] == 1 or row["layer"] in ("conv3", "dense7"):  # others have a cut edge
            assert int(words["neurons"][own].mean()) == row["neurons"]
    assert words["synapse_memory"][3:15].tolist() == [7680] * 11 + [2560]


@pytest.mark.shared
def test_all_a_core_holds_is_the_height_of_the_memory_figure(pilotnet, shared_data):
    """Bars of cores that hold a full share; a bar is read to 0.001, 20 words."""
    silicon = json.loads((shared_data / "silicon" / "pilotnet_lif_loihi2.json").read_text())
    tiles = cut_as_intel(pilotnet, silicon["allocation"])
    words = words_by_core(pilotnet, tiles, len(tiles), LOIHI2)
    first = [row["core_range"][0] for row in silicon["allocation"]]
    most = [words["neurons"][max(start for start in first if start <= core)] for core in range(74)]
    found = [bar for bar in silicon["cores"] if words["neurons"][bar["core"]] == most[bar["core"]]]
    assert len(found) >= 60
    for bar in found:
        total = words["core_memory"][bar["core"]] + ALREADY_TAKEN
        assert bar["memory_used"] == pytest.approx(total / ON_THE_CHIP, abs=0.002), bar["core"]


@pytest.mark.parametrize("limit", [16_000, 12_000])
def test_pilotnet_takes_fewer_cores_than_intels_compiler(pilotnet, limit):
    target = replace(LOIHI2, synapse_memory_bytes=8 * limit)
    layout = place(pilotnet, target, objective="cores")
    assert layout.cores <= 74
    for name, most in layout.limits.items():
        assert layout.use[name].max() <= most, name


def driven_by_biases(network):
    """Spikes of one sample with a silent input, (1, 16, C, H, W) of each population."""
    names = [population.name for population in network.populations]
    silent = np.zeros((1, *network.populations[0].shape), dtype=np.int32)
    return run_functional(network, {0: silent}, record=names).spikes


@pytest.mark.shared
def test_our_mapping_in_as_many_cores_is_faster_than_intels_cut(shared_data, tmp_path):
    """As it is without calibration, and with the rates of the run."""
    path = recordings.network_file("gts/pilotnet_lif/network.net", tmp_path)
    network = load_netx(path, 16, apply_input_transform=False)
    silicon = json.loads((shared_data / "silicon" / "pilotnet_lif_loihi2.json").read_text())
    spikes = driven_by_biases(network)
    rates = {name: float(found.mean()) for name, found in spikes.items()}

    def seconds(layout):
        counter = TrafficCounter(network, layout, 1)
        for population in network.populations:
            counter(population, spikes[population.name])
        timing = analytic_timing(counter.result(), layout, LOIHI2, network.timesteps)
        return timing.latency_seconds[0]

    tiles = tuple(cut_as_intel(network, silicon["allocation"]))
    intel = seconds(unplaced(tiles, LOIHI2))
    for known, cores, faster in ((rates, 74, 0.6), (rates, 60, 0.95), ({}, 74, 0.9)):
        own = place(network, LOIHI2, known, max_cores=cores)
        assert own.cores <= cores
        assert seconds(own) < faster * intel


@pytest.mark.shared
@pytest.mark.parametrize("file", ["trained_mnist_network.net", "oxford/network.net"])
@pytest.mark.parametrize("limit", [16_000, 12_000])
def test_two_small_networks_take_no_more_cores_than_with_intels_compiler(shared_data, file, limit):
    network = load_netx(shared_data / "lava_dl" / file, 16)
    target = replace(LOIHI2, synapse_memory_bytes=8 * limit)
    assert place(network, target, objective="cores").cores <= 5


def two_layers(connection, source, *, injected=False):
    populations = (
        make_population("source", source, "input"),
        make_population("target", connection.output_shape(source), depth=1),
    )
    injections = (Injection("target", "encoder", "graded"),) if injected else ()
    projection = Projection("p", "source", "target", connection)
    return Network(1, populations, (projection,), injections)


def whole(network, name):
    shape = network.by_name[name].shape
    return Part(name, 0, (tuple((0, size) for size in shape),))


@pytest.mark.parametrize(
    ("connection", "source", "entries"),
    [
        (Conv(np.ones((36, 5, 3, 3))), (5, 9, 9), 2),  # 32 + 4 channels
        (Dense(np.ones((10, 5, 9, 9))), (5, 9, 9), 405),  # one each
        (Dense(np.ones((10, 5, 3, 3)), (3, 3)), (5, 9, 9), 81),  # shared by position
    ],
    ids=["convolution", "dense", "pooled dense"],
)
def test_entries_of_a_connection(connection, source, entries):
    network = two_layers(connection, source)
    assert input_entries(network, whole(network, "target")) == entries
    injected = two_layers(connection, source, injected=True)
    assert input_entries(injected, whole(injected, "target")) == entries + 2  # 32 + 4, 8 + 2


def test_entries_of_the_axon_map():
    convolved = two_layers(Conv(np.ones((8, 36, 3, 3))), (36, 9, 9))
    assert output_entries(convolved, whole(convolved, "source")) == 2 * 81
    read = two_layers(Dense(np.ones((8, 36, 9, 9))), (36, 9, 9))
    assert output_entries(read, whole(read, "source")) == 36 * 81
    assert output_entries(read, whole(read, "target")) == 8  # nothing reads it
    assert input_entries(read, whole(read, "source")) == 1  # nothing reaches it


def test_core_memory_is_the_sum_of_all_words():
    network = two_layers(Dense(np.full((64, 30, 1, 1), 3, dtype=np.int8)), (30, 1, 1))
    tile = Tile("target", (0, 64), (0, 1), (0, 1), 0)
    use = core_use(network, [tile], 1, LOIHI2)
    lists = 30 * -(-(64 * (2 + 12) + 8) // 64)  # a 3 has two bits
    assert use["synapse_memory_bytes"].tolist() == [8 * lists]
    assert use["core_memory_bytes"].tolist() == [8 * (lists + 64 + 30 + 64)]
    assert use["neuron_groups"].tolist() == [1]


def test_a_core_holds_eight_populations_at_most():
    names = [f"layer{index}" for index in range(11)]
    populations = tuple(
        make_population(name, (4, 1, 1), "lif" if index else "input", depth=index)
        for index, name in enumerate(names)
    )
    weight = Dense(np.ones((4, 4, 1, 1), dtype=np.int8))
    projections = tuple(
        Projection(f"p{index}", names[index], names[index + 1], weight) for index in range(10)
    )
    layout = place(Network(1, populations, projections), LOIHI2, objective="cores")
    assert layout.use["neuron_groups"].tolist() == [8, 2]
    assert layout.binding.startswith("neuron groups: 8 of 8 on the fullest core")
    few = place(Network(1, populations[:8], projections[:7]), LOIHI2, objective="cores")
    assert few.use["neuron_groups"].tolist() == [7]
    assert few.binding.startswith("neurons: 28 of 4,095 on the fullest core")
