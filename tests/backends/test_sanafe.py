"""SANA-FE export: its files, its refusals, and (where SANA-FE is installed) the comparison."""

from __future__ import annotations

import json
import os
import warnings
from dataclasses import replace

import numpy as np
import pytest
from populations import altered, make_population
from sanafe_compare import compare, interpreter, observe, on_chip, run_sample, run_sanafe

from snndeploy import pipeline
from snndeploy.backends.sanafe.backend import ALLOWED
from snndeploy.backends.sanafe.export import SanafeExport, export_program, export_sanafe
from snndeploy.connections import Conv, Dense
from snndeploy.engines.engine import run_network
from snndeploy.errors import DataError, UnsupportedError
from snndeploy.layout.layout import Layout, Tile
from snndeploy.mapping import place
from snndeploy.network import Injection, Network, Projection
from snndeploy.target import Target
from snndeploy.timing.cycle_walk import SpikeRecorder

LOIHI1 = Target.load("loihi1")


@pytest.fixture(scope="module")
def sanafe():
    """The interpreter that has SANA-FE."""
    python = interpreter()
    if python is None:
        if chosen := os.environ.get("SNNDEPLOY_SANAFE_PYTHON"):
            pytest.fail(f"SNNDEPLOY_SANAFE_PYTHON is {chosen}, which has no SANA-FE 2.2.9")
        message = (
            "NOT TESTED: no SANA-FE 2.2.9 here; install it in an environment of its own and set"
            " SNNDEPLOY_SANAFE_PYTHON to its python"
        )
        warnings.warn(message, stacklevel=1)
        pytest.skip(message)
    return python


# Networks


def chain(shape, connections, timesteps, rate, seed=0):
    """Populations in a row, fed with random spikes; about one in eight neurons fires in a step."""
    random = np.random.default_rng(seed)
    populations, projections = [make_population("input", shape, "input")], []
    for index, connection in enumerate(connections):
        shape = connection.output_shape(populations[-1].shape)
        name = f"layer{index}"
        populations.append(make_population(name, shape, membrane_decay=3072, depth=index + 1))
        projections.append(Projection(f"to {name}", populations[-2].name, name, connection))
    injected = {0: (random.random((1, timesteps, *populations[0].shape)) < rate).astype(np.uint8)}
    injection = Injection("input", "x", "spikes")
    for index in range(1, len(populations)):
        silent = altered(populations[index], kind="integrator")
        before = (*populations[:index], silent)
        trial = Network(timesteps, before, tuple(projections[:index]), (injection,))
        found = run_network(trial, injected, record_membranes=[silent.name])
        threshold = int(np.quantile(found.membranes[silent.name], 0.88)) >> 6
        populations[index] = altered(populations[index], threshold=max(threshold, 1))
    return Network(timesteps, tuple(populations), tuple(projections), (injection,)), injected


def weights(seed, *shape):
    return np.random.default_rng(seed).integers(-127, 128, shape).astype(np.int32)


def mlp(timesteps):
    """Network A of the performance reference: 784-512-512-10."""
    sizes = (784, 512, 512, 10)
    layers = [Dense(weights(i, sizes[i + 1], sizes[i], 1, 1)) for i in range(3)]
    return chain((784, 1, 1), layers, timesteps, 0.08)


def small_conv(timesteps):
    layers = [
        Conv(weights(0, 16, 2, 5, 5), stride=(2, 2)),
        Conv(weights(1, 16, 16, 3, 3)),
        Dense(weights(2, 10, 16, 5, 5)),
    ]
    return chain((2, 17, 17), layers, timesteps, 0.1)


def lif_snn_3():
    made = pipeline.compile("lif-snn-3-small", target=LOIHI1)
    return made.network, {index: values[:1] for index, values in made.golden.injected.items()}


def two_cores():
    """Two inputs, three neurons on a core, two on another."""
    populations = (
        make_population("in", (2, 1, 1), "input"),
        make_population("a", (3, 1, 1), threshold=4, depth=1),
        make_population("b", (2, 1, 1), threshold=2, membrane_decay=1024, depth=2),
    )
    projections = (
        Projection("to a", "in", "a", Dense(np.array([[5, 0], [1, 4], [-3, 6]])[..., None, None])),
        Projection("to b", "a", "b", Dense(np.array([[3, 1, 1], [-2, 2, 2]])[..., None, None])),
    )
    network = Network(4, populations, projections, (Injection("in", "x", "spikes"),))
    tiles = (Tile("a", (0, 3), (0, 1), (0, 1), 0), Tile("b", (0, 2), (0, 1), (0, 1), 1))
    positions = np.array([(0, 0, 0), (1, 0, 1)], dtype=np.int32)
    layout = Layout(tiles, positions, (8, 4), (1, 1), {}, {}, "")
    spikes = np.array([[1, 0], [1, 1], [0, 1], [1, 1]], dtype=np.uint8).reshape(1, 4, 2, 1, 1)
    return network, layout, {0: spikes}


def exported(folder, network, layout, injected, neurons="replay"):
    recorder, _ = observe(network, layout, run_sample(network, injected), LOIHI1)
    return export_sanafe(network, layout, LOIHI1, folder, recorder, neurons=neurons)


# Files and refusals, without SANA-FE


def test_files_of_a_replay(tmp_path):
    network, layout, injected = two_cores()
    export = exported(tmp_path, network, layout, injected)
    assert export == SanafeExport(
        "replay", steps=5, skip=1, synapses=12, free_synapses=0, host_spikes=6,
        notes=("SANA-FE has no static power: energy.static_power_per_chip_w is left out",),
    )  # fmt: skip
    assert json.loads((tmp_path / "export.json").read_text())["steps"] == 5
    lines = (tmp_path / "network.net").read_text().splitlines()
    kinds = [line[0] for line in lines]
    assert [kinds.count(kind) for kind in "gen&"] == [3, 12, 0, 7]
    assert lines[0].startswith("g 2 synapse_hw_name=synapses dendrite_hw_name=dendrite_0 ")
    assert "e 0.0->1.2 w=0.0" in lines and "e 1.2->2.1 w=0.0" in lines
    # in walking order: core 0 (tile 0), core 1 (tile 4, one column on), the host beside tile 0
    mapping = [line for line in lines if line[0] == "&"]
    assert mapping == [
        "& 1.0@0.0", "& 1.1@0.0", "& 1.2@0.0", "& 2.0@4.1", "& 2.1@4.1", "& 0.0@0.4", "& 0.1@0.4",
    ]  # fmt: skip
    host = (tmp_path / "replay" / "2_0.txt").read_text().split()
    assert host == ["101", "0", "101", "101", "0", "101", "101", "101", "101", "0"]
    chip = (tmp_path / "chip.yaml").read_text()
    assert "latency_sync: {1: 6e-07, 2: 1e-06, 4: 1.4e-06, 29: 1.8e-06}" in chip
    assert chip.count("- name: tile_") == 32 and chip.count("- name: core_") == 128
    assert "energy_process_spike: 3.55e-11, latency_process_spike: 3.8e-09" in chip


def test_files_of_the_network_itself(tmp_path):
    network, layout, injected = two_cores()
    export = exported(tmp_path, network, layout, injected, "lif")
    assert (export.steps, export.skip) == (6, 0)
    text = (tmp_path / "network.net").read_text()
    assert "threshold=2 reset_mode=hard reset=0 leak_decay=0.75 input_decay=0" in text
    assert "e 0.0->1.2 w=-3.0" in text
    assert [path.name for path in (tmp_path / "replay").iterdir()] == ["2_0.txt"]


def test_many_neurons_take_several_units(tmp_path):
    populations = (make_population("a", (2500, 1, 1), threshold=1),)
    network = Network(1, populations, ())
    tiles = (Tile("a", (0, 2500), (0, 1), (0, 1), 0),)
    positions = np.zeros((1, 3), dtype=np.int32)
    layout = Layout(tiles, positions, (1, 1), (1, 1), {}, {}, "")
    exported(tmp_path, network, layout, {})
    lines = (tmp_path / "network.net").read_text().splitlines()
    assert [line.split()[1] for line in lines if line[0] == "g"] == ["1024", "1024", "452"]
    assert "& 2.451@0.0" in lines
    assert (tmp_path / "replay" / "0_2.txt").read_text().count("\n") == 2 * 452
    assert "name: soma_2" in (tmp_path / "chip.yaml").read_text()


def test_large_networks_are_refused(tmp_path):
    populations = (make_population("a", (2000, 1, 1)), make_population("b", (1001, 1, 1), depth=1))
    dense = Dense(np.zeros((1001, 2000, 1, 1), dtype=np.int8))
    network = Network(1, populations, (Projection("p", "a", "b", dense),))
    layout = Layout((), np.zeros((0, 3), dtype=np.int32), (1, 1), (1, 1), {}, {}, "")
    with pytest.raises(UnsupportedError, match="has 2,002,000 synapses; a SANA-FE export takes"):
        export_sanafe(network, layout, LOIHI1, tmp_path, SpikeRecorder(network))
    assert list(tmp_path.iterdir()) == []


def test_boards_are_refused(tmp_path):
    network, layout, injected = two_cores()
    with pytest.raises(UnsupportedError, match="board of 2 x 1 chips"):
        exported(tmp_path, network, replace(layout, board=(2, 1)), injected)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"kind": "relay"}, "graded spikes"),
        ({"current_decay": 2048}, "rounding of a current that lives on"),
        ({"reset": "soft", "reset_amount": 1}, "reset by another amount than the threshold"),
    ],
)
def test_neurons_that_sanafe_lacks_are_refused_by_name(tmp_path, change, reason):
    network, layout, injected = two_cores()
    first, second, third = network.populations
    changed = replace(network, populations=(first, altered(second, **change), third))
    with pytest.raises(UnsupportedError, match=f"^a: SANA-FE's soma has no {reason};") as refusal:
        exported(tmp_path, changed, layout, injected, "lif")
    assert (refusal.value.node, refusal.value.reason) == ("a", reason)
    exported(tmp_path, changed, layout, injected)  # a replay is always possible


def test_neuron_programs_are_refused_by_name():
    network, _, _ = two_cores()
    first, second, third = network.populations
    changed = replace(network, populations=(first, altered(second, kind="programmed"), third))
    (refusal,) = ALLOWED.refusals(changed)
    assert str(refusal) == (
        "a cannot be exported to SANA-FE: it runs a neuron program, and SANA-FE's models have no"
        " such neuron; use --timing cycle"
    )


@pytest.mark.torch
def test_a_program_is_exported_with_its_golden_sample(tmp_path):
    made = pipeline.compile("lif-snn-3-small", target="loihi1")
    export = export_program(made, tmp_path)
    assert export.steps == made.network.timesteps + 1
    assert (tmp_path / "chip.yaml").is_file()
    with pytest.raises(DataError, match="no golden sample 99"):
        export_program(made, tmp_path, sample=99)


# With SANA-FE

NETWORKS = ("lif-snn-3-small", "small conv", "MLP A")
DETAILED_WITHIN = {"MLP A": 0.25}  # of the whole sample's time, else 0.15; docs/sanafe.md says why


@pytest.fixture(scope="module")
def networks():
    """Networks with spikes of one sample, by name."""
    cases = {"MLP A": mlp(100), "small conv": small_conv(20), "lif-snn-3-small": lif_snn_3()}
    return {name: (network, run_sample(network, given)) for name, (network, given) in cases.items()}


def assert_equal_counts(found):
    assert found.ours == found.theirs
    assert found.zero_sums <= 1e-3 * found.ours["updates"]
    assert found.energy_ratio == pytest.approx(1, abs=1e-4)  # asked: 2 %


@pytest.mark.sanafe
@pytest.mark.slow
@pytest.mark.torch
@pytest.mark.parametrize("name", NETWORKS)
def test_equal_to_sanafe(sanafe, networks, tmp_path, name):
    """Input on the chip.  Booksim has two networks with buffers of 8, ours one with 16 or 8."""
    network, sample = on_chip(*networks[name])
    layout = place(network, LOIHI1, seed=0)
    found = compare(sanafe, network, layout, LOIHI1, sample, tmp_path, booksim_steps=8)
    assert_equal_counts(found)
    within = DETAILED_WITHIN.get(name, 0.15)
    assert found.cycle.sum() == pytest.approx(found.detailed.sum(), rel=within)
    booksim, with_16, with_8 = (
        part.sum() for part in (found.booksim, found.cycle[:8], found.booksim_cycle)
    )
    assert 0.80 * booksim < with_16 < 1.03 * booksim
    assert 0.97 * booksim < with_8 < 1.25 * booksim
    assert (found.analytic <= found.cycle * (1 + 1e-12)).all()


@pytest.mark.sanafe
@pytest.mark.slow
@pytest.mark.torch
@pytest.mark.parametrize("name", NETWORKS)
def test_equal_counts_with_a_host(sanafe, networks, tmp_path, name):
    """Spikes and values from the host, sent from a core of their own."""
    network, sample = networks[name]
    assert_equal_counts(
        compare(sanafe, network, place(network, LOIHI1, seed=0), LOIHI1, sample, tmp_path)
    )


@pytest.mark.sanafe
@pytest.mark.slow
@pytest.mark.parametrize(
    ("router", "nanoseconds"), [((0, 0), 1184.8), ((0, 1), 1591.3), ((1, 0), 1588.9)]
)
def test_worked_cases_in_sanafe_itself(sanafe, tmp_path, router, nanoseconds):
    source, target = (
        make_population("source", (10, 1, 1)),
        make_population("target", (10, 1, 1), depth=1),
    )
    dense = Dense(np.ones((10, 10, 1, 1), dtype=np.int8))
    network = Network(1, (source, target), (Projection("p", "source", "target", dense),))
    tiles = tuple(
        Tile(name, (0, 10), (0, 1), (0, 1), core) for core, name in enumerate(("source", "target"))
    )
    positions = np.array([(0, 0, 0), (*router, 1)], dtype=np.int32)
    layout = Layout(tiles, positions, (8, 4), (1, 1), {}, {}, "")
    recorder = SpikeRecorder(network)
    ones = np.ones((1, 1, 10, 1, 1), dtype=np.uint8)
    recorder(source, ones, ones)
    recorder(target, 0 * ones, ones)
    export = export_sanafe(network, layout, LOIHI1, tmp_path, recorder)
    found = run_sanafe(sanafe, tmp_path, export.steps)
    assert found["sim_time"][1] * 1e9 == pytest.approx(nanoseconds, rel=1e-9)


@pytest.mark.sanafe
@pytest.mark.slow
def test_sanafe_computes_our_spikes(sanafe, tmp_path):
    """Exported as the network itself, SANA-FE's doubles give every spike of the integers."""
    network, injected = small_conv(20)
    layout = place(network, LOIHI1, seed=0)
    exported(tmp_path, network, layout, injected, "lif")
    found = run_sanafe(sanafe, tmp_path, network.chip_steps)
    _, traffic = observe(network, layout, run_sample(network, injected), LOIHI1)
    assert np.array_equal(found["packets"], traffic.messages_in[0].sum(axis=-1))
    assert np.array_equal(found["spikes"], traffic.synaptic_operations[0].sum(axis=-1))
    assert traffic.spikes.sum() > 1000
