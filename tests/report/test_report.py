"""The numbers of a report, on a run small enough to do on paper."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from populations import altered, make_population

from snndeploy.connections import Dense
from snndeploy.costs import AC_PJ, GAC_EQUATION_11, MAC_PJ, Convention, LayerCost
from snndeploy.graph import Graph, Node
from snndeploy.layout.layout import Layout, Tile
from snndeploy.network import Network, Projection
from snndeploy.program import Program
from snndeploy.program.facts import plain, read_facts
from snndeploy.report import summarize
from snndeploy.report.report import rated_neurons
from snndeploy.simulator.run import LayerActivity, Simulation
from snndeploy.target import Target
from snndeploy.timing.analytic import analytic_timing, load_of
from snndeploy.timing.energy import chip_energy
from snndeploy.timing.hotspots import hotspots
from snndeploy.traffic.counter import TrafficCounter
from snndeploy.traffic.layers import merge

STEPS, SAMPLES = 2, 4
FIRST, SECOND = 10, 6  # neurons

# What issue 2 asks of snndeploy.report/1, with the units in the names.
REQUIRED = """
model target samples timesteps notes
accuracy.reference accuracy.chip accuracy.agreement
spikes.total_per_sample spikes.rate spikes.layers
operations.mac_per_sample.encoder operations.mac_per_sample.body operations.mac_per_sample.readout
operations.ac_per_sample.encoder operations.ac_per_sample.body operations.ac_per_sample.readout
operations.synaptic_operations_per_sample.encoder operations.synaptic_operations_per_sample.body
operations.synaptic_operations_per_sample.readout operations.synapses_met_per_sample
traffic.messages_per_sample traffic.hops_per_sample traffic.host_io_bytes_per_sample
traffic.max_link_load
latency.seconds_per_sample latency.steps latency.model
energy.chip.total_j energy.chip.breakdown energy.chip.provenance
energy.paper.total_mj energy.paper.mac_mj energy.paper.ac_mj energy.paper.encoder_attention_mj
energy.paper.convention
partition.synapses_binary partition.needs_dynamic_multiply partition.needs_full_window
partition.reasons
mapping.cores mapping.chips mapping.utilisation
quantization.layers
"""

LAYERS = (
    LayerCost("stem", 1000, "encoder", 1, (), ("n1",), first=True),
    LayerCost("conv", 500, "layer", STEPS, ("n1",), ("n2",)),
    LayerCost("fc", 60, "readout", STEPS, ("n2",), ()),
)


def small_network() -> Network:
    """first -> second -> an integrator with three classes."""

    def dense(rows: int, columns: int) -> Dense:
        return Dense(np.ones((rows, columns, 1, 1), dtype=np.int8))

    populations = (
        make_population("first", (FIRST, 1, 1), origin="n1"),
        make_population("second", (SECOND, 1, 1), depth=1, origin="n2"),
        make_population("answer", (3, 1, 1), "integrator", depth=2, origin="fc"),
    )
    projections = (
        Projection("conv", "first", "second", dense(SECOND, FIRST)),
        Projection("fc", "second", "answer", dense(3, SECOND)),
    )
    return Network(STEPS, populations, projections)


def small_program(
    layers: tuple[LayerCost, ...] = LAYERS, network: Network | None = None
) -> Program:
    network = network or small_network()
    tiles = tuple(
        Tile(population.name, (0, population.neurons), (0, 1), (0, 1), core)
        for core, population in enumerate(network.populations)
    )
    positions = np.array([(0, 0, 0), (1, 0, 0), (1, 1, 0)], dtype=np.int32)
    use = {"neurons": np.array([FIRST, SECOND, 3])}
    layout = Layout(tiles, positions, (8, 4), (1, 1), use, {"neurons": 20}, "neurons: 10 of 20")
    quantized = {
        "population": "first", "unit": 0.001, "threshold": 1000, "membrane_decay": 2048,
        "decay_error": 0.0, "weight_bits": 8, "exponents": [2], "clip": 1.0, "clipped_weights": 0,
        "relative_weight_error": 0.0125, "worst_case_sum": 32000, "sum_limit": 32767,
        "proved": True, "notes": [],
    }  # fmt: skip
    facts = {
        "model": {"name": "small", "spec": "small.py:net()", "weights": "small.safetensors",
                  "parameters": 78, "parameters_sha256": "",
                  "timesteps": STEPS, "input_shape": [4], "input_signal": "real"},
        "flags": {"synapses_binary": True, "needs_dynamic_multiply": False,
                  "needs_full_window": False, "reasons": ["stem: multiplies real values"]},
        "layers": plain(layers),
        "quantization": [quantized, {**quantized, "population": "second", "proved": False}],
        "shortcuts": [],
        "made_with": {"snndeploy": "0.1.0"},
        "notes": ["a note", "a note"],
        "audit": [],
        "calibration_samples": 2,
    }  # fmt: skip
    graph = Graph((Node("x", "input"),), (), STEPS)
    return Program("small", graph, network, layout, Target.load("loihi1"), None, read_facts(facts))


def small_run(program: Program, chunks: tuple[int, ...] = (SAMPLES,)) -> Simulation:
    """Every neuron of `first` fires in step 0 and two of `second` in step 1.

    From the second chunk on, `second` is silent, so that chunks differ.
    """
    samples = sum(chunks)
    simulation = Simulation(
        samples=samples,
        logits=np.eye(3)[np.arange(samples) % 3],
        reference_logits=np.eye(3)[[0, 1, 2, 1][:samples]],
        layers={
            "first": LayerActivity(FIRST, FIRST * samples, FIRST * STEPS * samples),
            "second": LayerActivity(SECOND, 2 * chunks[0], SECOND * STEPS * samples - 1),
            "answer": LayerActivity(3),
        },
        totals={},
        largest_link_load=0,
        timings=[],
        energies=[],
        layer_traffic={},
        hotspots=None,
    )
    for index, size in enumerate(chunks):
        _account(program, simulation, size, silent=index > 0)
    return simulation


def _account(program: Program, simulation: Simulation, samples: int, silent: bool) -> None:
    counter = TrafficCounter(program.network, program.layout, samples)
    for population in program.network.populations:
        spikes = np.zeros((samples, STEPS, population.neurons, 1, 1), dtype=np.uint8)
        if population.name == "first":
            spikes[:, 0] = 1
        if population.name == "second" and not silent:
            spikes[:, 1, :2] = 1
        counter(population, spikes, np.ones_like(spikes))
    traffic = counter.result()
    load = load_of(traffic, program.layout, program.target)
    timing = analytic_timing(traffic, program.layout, program.target, STEPS, load)
    found = hotspots(traffic, load, timing)
    simulation.hotspots = simulation.hotspots + found if simulation.hotspots else found
    simulation.layer_traffic = merge([simulation.layer_traffic, counter.layers()])
    simulation.timings.append(timing)
    simulation.energies.append(chip_energy(traffic, timing, program.layout, program.target))
    for name in set(vars(traffic)) - {"link_load", "links"}:
        part = float(getattr(traffic, name).sum()) / simulation.samples
        simulation.totals[name] = simulation.totals.get(name, 0.0) + part
    largest = int(traffic.link_load.max(initial=0))
    simulation.largest_link_load = max(simulation.largest_link_load, largest)


def small_report(labels: bool = True) -> dict[str, Any]:
    program = small_program()
    given = np.array([0, 1, 1, 1]) if labels else None
    return summarize(program, small_run(program), given, "digits.npz")


@pytest.fixture(scope="module")
def report() -> dict[str, Any]:
    return small_report()


def at(report: Any, path: str) -> Any:
    for key in path.split("."):
        report = report[key]
    return report


@pytest.mark.parametrize("path", REQUIRED.split())
def test_required_keys(report, path):
    assert at(report, path) is not None


def test_schema_and_heads(report):
    assert report["schema"] == "snndeploy.report/1"
    assert (report["samples"], report["timesteps"], report["data"]) == (4, 2, "digits.npz")
    assert (report["model"]["name"], report["target"]["name"]) == ("small", "loihi1")
    assert set(report["spikes"]["layers"][0]) == {
        "name", "kind", "neurons", "spikes_per_sample", "rate", "agreement"
    }  # fmt: skip


def test_the_report_is_strict_json(report):
    text = json.dumps(report, allow_nan=False)
    assert json.loads(text) == report


def test_accuracy_counts_samples(report):
    # chip answers 0 1 2 0, the float model 0 1 2 1, labels are 0 1 1 1
    assert report["accuracy"] == {"reference": 0.75, "chip": 0.5, "agreement": 0.75}


def test_accuracy_without_labels_is_null():
    assert small_report(labels=False)["accuracy"] == {
        "reference": None, "chip": None, "agreement": 0.75
    }  # fmt: skip


def test_accuracy_without_a_reference_is_null():
    program = small_program()
    simulation = replace(small_run(program), reference_logits=None)
    accuracy = summarize(program, simulation, np.array([0, 1, 1, 1]))["accuracy"]
    assert accuracy == {"reference": None, "chip": 0.5, "agreement": None}


def test_layers_add_up_to_the_total(report):
    spikes = report["spikes"]
    assert [layer["name"] for layer in spikes["layers"]] == ["first", "second"]
    assert [layer["spikes_per_sample"] for layer in spikes["layers"]] == [10, 2]
    assert spikes["total_per_sample"] == 12
    assert [layer["rate"] for layer in spikes["layers"]] == [1 / 2, 2 / 12]
    assert spikes["rate"] == 12 / ((FIRST + SECOND) * STEPS)


def test_agreement_of_one_wrong_spike(report):
    first, second = report["spikes"]["layers"]
    assert first["agreement"] == 1
    assert second["agreement"] == 1 - 1 / (SECOND * STEPS * SAMPLES)


def test_uncompared_populations_have_no_agreement():
    program = small_program()
    simulation = small_run(program)
    simulation.layers["second"].matching = None
    layers = summarize(program, simulation)["spikes"]["layers"]
    assert "agreement" in layers[0] and "agreement" not in layers[1]


def test_operations_are_spikes_times_fan_out(report):
    operations = report["operations"]
    synaptic = {"encoder": 0, "body": 10 * SECOND, "readout": 2 * 3}
    assert operations["synaptic_operations_per_sample"] == synaptic
    assert operations["ac_per_sample"] == synaptic
    assert operations["mac_per_sample"] == {
        "encoder": 1000, "body": 0, "attention": 0, "readout": 0,
    }  # fmt: skip


def test_traffic_of_one_message_a_spike(report):
    traffic = report["traffic"]
    assert traffic["messages_per_sample"] == traffic["messages_received_per_sample"] == 12
    assert traffic["hops_per_sample"] == 12  # neighbours, both times
    assert traffic["inter_chip_hops_per_sample"] == 0
    assert traffic["max_link_load"] == 10


def test_energy_is_the_sum_of_its_parts(report):
    chip = report["energy"]["chip"]
    assert chip["total_j"] == pytest.approx(sum(chip["breakdown"].values()), rel=1e-12)
    assert chip["breakdown"]["synaptic operation"] == pytest.approx(66 * 35.5e-12)
    assert chip["provenance"].keys() == chip["breakdown"].keys()
    assert all(set(entry) == {"mark", "source"} for entry in chip["provenance"].values())
    assert sum(chip["shares_by_mark"].values()) == pytest.approx(1)
    assert "assumed (static power" in chip["statement"]


def test_chunks_of_unequal_size_and_content_are_weighted_by_samples():
    program = small_program()
    simulation = small_run(program, (1, 3))
    chip = summarize(program, simulation)["energy"]["chip"]
    total = np.concatenate([energy.total for energy in simulation.energies])
    assert chip["total_j"] == pytest.approx(total.mean(), rel=1e-12)
    marks = {name: entry["mark"] for name, entry in chip["provenance"].items()}
    for mark, share in chip["shares_by_mark"].items():
        part = sum(joules for name, joules in chip["breakdown"].items() if marks[name] == mark)
        assert share == pytest.approx(part / chip["total_j"], rel=1e-12)


def test_what_no_cost_covers_is_said():
    program = small_program()
    key = "energy.static_power_per_chip_w"
    costs = {name: value for name, value in program.target.quantities.items() if name != key}
    program = replace(program, target=replace(program.target, quantities=costs))
    found = summarize(program, small_run(program))
    assert "static power" not in found["energy"]["chip"]["breakdown"]
    assert found["energy"]["chip"]["absent"] == ["static power, which loihi1 does not state"]
    assert "chip energy does not count static power, which loihi1 does not state" in found["notes"]


def test_papers_energy_by_hand(report):
    ac = AC_PJ * STEPS * (500 * 1 / 2 + 60 * 2 / 12) * 1e-9
    for key, steps in (("paper", STEPS), ("paper_gac_equation_11", 1)):
        paper = report["energy"][key]
        assert paper["mac_mj"] == pytest.approx(MAC_PJ * 1000 * steps * 1e-9, rel=1e-12)
        assert paper["ac_mj"] == pytest.approx(ac, rel=1e-12)
        assert paper["total_mj"] == pytest.approx(paper["mac_mj"] + paper["ac_mj"], rel=1e-12)
        assert "4.6 pJ" in paper["convention"] and "input_rate" not in paper


def test_a_rate_that_only_the_host_knows_leaves_a_convention_out():
    shortcut = LayerCost("shortcut", 40, "shortcut", STEPS, ("on the host", "n1"), ("n2",))
    program = small_program((*LAYERS, shortcut))
    found = summarize(program, small_run(program))
    assert "paper" in found["energy"]  # counts the shortcut as MAC: no rate
    assert "paper_gac_equation_11" not in found["energy"]
    assert (
        "papers' energy by GAC Eq. 11 is not given: it needs firing rates of neurons that are"
        " not on the chip, which are not measured"
    ) in found["notes"]


def test_a_first_layer_on_the_chip_costs_macs_at_the_input_rate():
    network = small_network()
    events = altered(network.populations[0], kind="input", origin="x")
    program = small_program(
        (LayerCost("conv", 500, "layer", STEPS, (), ("n2",), first=True), LAYERS[2]),
        replace(network, populations=(events, *network.populations[1:])),
    )
    found = summarize(program, small_run(program))
    paper = found["energy"]["paper"]
    assert paper["input_rate"] == 1 / 2
    assert paper["mac_mj"] == pytest.approx(MAC_PJ * 500 * STEPS * 0.5 * 1e-9, rel=1e-12)
    assert "paper_gac_equation_11" not in found["energy"]  # once is wrong for changing input
    assert found["operations"]["mac_per_sample"]["encoder"] == 0
    assert found["spikes"]["total_per_sample"] == 2  # what the host sends is not a spike


def test_a_pool_is_none_of_the_models_neurons():
    network = small_network()
    pool = replace(network.populations[1], origin="x")  # a node that is no neuron
    program = small_program(
        network=replace(network, populations=(network.populations[0], pool, network.populations[2]))
    )
    assert [program.fires_as_neurons(p) for p in program.network.populations[:2]] == [True, False]
    spikes = summarize(program, small_run(program))["spikes"]
    whole = summarize(small_program(), small_run(small_program()))["spikes"]
    assert [layer["kind"] for layer in spikes["layers"]][:2] == ["lif", "pool"]
    only = spikes["layers"][0]["spikes_per_sample"]
    assert spikes["total_per_sample"] == only < whole["total_per_sample"]


def test_no_layers_no_papers_energy():
    program = small_program(())
    found = summarize(program, small_run(program))
    assert set(found["energy"]) == {"chip"}


def test_rated_neurons():
    assert rated_neurons(LAYERS, Convention()) == {"n1", "n2"}
    shortcut = SimpleNamespace(role="shortcut", first=False, driving=("s",), own=("n2",))
    assert rated_neurons([shortcut], Convention()) == set()
    assert rated_neurons([shortcut], GAC_EQUATION_11) == {"s"}
    assert rated_neurons([shortcut], replace(GAC_EQUATION_11, rate="own")) == {"n2"}
    gated = SimpleNamespace(role="gated", first=False, driving=("s",), own=("n2",))
    assert rated_neurons([gated], Convention()) == {"s"}


def test_latency_mapping_and_notes(report):
    assert report["latency"]["steps"] == STEPS + 2
    assert report["latency"]["model"] == "analytic"
    interval = report["latency"]["pipelined_interval_seconds"]
    assert 0 < interval <= report["latency"]["seconds_per_sample"]
    assert report["mapping"] == {
        "cores": 3, "chips": 1, "neurons": 19, "binding": "neurons: 10 of 20",
        "utilisation": {"neurons": pytest.approx(19 / 60)},
    }  # fmt: skip
    assert report["notes"].count("a note") == 1
    assert "hop between chips" not in " ".join(report["notes"])  # none happened
