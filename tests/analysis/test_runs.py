"""Membranes of the chip's integers, which the simulator itself forgets when a neuron fires."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from network_builder import Features
from populations import altered, make_population
from program_builder import program_of
from random_networks import networks

from snndeploy.analysis.layers import layers_of_chip
from snndeploy.analysis.runs import ChipRun, with_twins
from snndeploy.connections import Conv
from snndeploy.engines.engine import run_network
from snndeploy.engines.reference import run_reference
from snndeploy.graph import Graph, Node
from snndeploy.network import Attention, Injection, Network, Projection

pytestmark = pytest.mark.torch
FORWARD = Features(current_decay=True, axonal_delays=True)
ANY = Features(current_decay=True, recurrent=True)


def membranes_of(case_network, injected, samples):
    """Spikes and U in units of v of every spiking population, (samples, T, C, H, W)."""
    program = program_of(case_network, injected)
    layers = layers_of_chip(program)
    chip = [layer for layer in layers if layer.place == "chip"]
    spikes, membranes = {}, {}

    def sink(layer, step, fired, distance):
        population = case_network.by_name[layer.key]
        unit = population.scale / 64
        u = np.rint(distance / unit) + (population.neuron.threshold << 6)
        spikes.setdefault(layer.key, []).append(fired)
        membranes.setdefault(layer.key, []).append(u.astype(np.int64))

    run = ChipRun(program, chip, {layer.key for layer in chip})
    run.inject(injected, samples, sink)
    return (
        {name: np.stack(parts, axis=1) for name, parts in spikes.items()},
        {name: np.stack(parts, axis=1) for name, parts in membranes.items()},
    )


def check(network, injected, samples):
    spikes, membranes = membranes_of(network, injected, samples)
    names = list(spikes)
    truth = run_reference(network, injected, samples=samples)
    for name in names:
        population = network.by_name[name]
        u, s, after = membranes[name], spikes[name], truth.membranes[name]
        np.testing.assert_array_equal(s, truth.spikes[name] != 0)
        np.testing.assert_array_equal(s, u > population.neuron.threshold << 6)
        soft = population.neuron.reset == "soft"
        kept = u - (population.neuron.reset_amount << 6) if soft else np.zeros_like(u)
        np.testing.assert_array_equal(np.where(s, kept, u), after)
    return spikes, membranes


@settings(max_examples=15)
@given(networks(ANY))
def test_membranes_explain_every_spike_and_what_is_carried(case):
    check(case.network, case.injected, case.samples)


@settings(max_examples=15)
@given(networks(FORWARD))
def test_up_to_the_first_spike_a_neuron_is_an_integrator(case):
    spikes, membranes = check(case.network, case.injected, case.samples)
    for name, s in spikes.items():
        silent = tuple(
            altered(p, kind="integrator") if p.name == name else p for p in case.network.populations
        )
        network = replace(case.network, populations=silent)
        integrated = run_network(
            network, case.injected, record_membranes=[name], samples=case.samples
        ).membranes[name]
        until_first = np.cumsum(s, axis=1) - s == 0
        np.testing.assert_array_equal(membranes[name][until_first], integrated[until_first])


@settings(max_examples=10)
@given(networks(ANY))
def test_twins_leave_the_network_as_it_was(case):
    names = [p.name for p in case.network.populations if p.neuron.name == "lif"]
    widened, twins = with_twins(case.network, names)
    own = [i for i, n in enumerate(case.network.injections) if n.target in twins]
    injected = dict(case.injected)
    for twin, index in enumerate(own, start=len(case.network.injections)):
        injected[twin] = case.injected[index]
    alone = run_network(case.network, case.injected, record=names, samples=case.samples)
    both = run_network(widened, injected, record=names, samples=case.samples)
    np.testing.assert_array_equal(alone.outputs, both.outputs)
    for name in names:
        np.testing.assert_array_equal(alone.spikes[name], both.spikes[name])


def test_a_twins_name_is_its_own():
    population = make_population("a", (1, 1, 1), threshold=1)
    taken = replace(population, name="a input")
    widened, twins = with_twins(Network(1, (population, taken), ()), ["a"])
    assert twins == {"a": "a input'"}
    assert [p.name for p in widened.populations] == ["a", "a input'", "a input"]


def halving():
    """One step of attention: half of what it is given."""
    labels = ("batch", "time", "feature", "feature", "feature")
    axes = tuple(((label, size),) for label, size in zip(labels, (1, 1, 1, 1, 2), strict=True))
    values = {"factor": 0.5, "offset": 0.0}
    nodes = (
        Node("in", "input", attributes={"signal": "real"}, axes=axes),
        Node("half", "scale", ("in",), values, axes=axes),
    )
    return Graph(nodes, ("half",), 1)


def attended(place):
    """Two neurons that get 6 and 20 at every step, halved at the current or the membrane."""
    source = make_population("in", (1, 1, 2), "input", depth=0)
    target = make_population(
        "out", (1, 1, 2), threshold=8, membrane_decay=2048, depth=1,
        attention=(Attention(halving(), place),),
    )  # fmt: skip
    wire = Projection("w", "in", "out", Conv(np.array([[[[2]]]], np.int8)))
    bias = Injection("out", "b", "bias")
    network = Network(3, (source, target), (wire,), (Injection("in", "x", "spikes"), bias))
    injected = {
        0: np.ones((1, 3, 1, 1, 2), np.int32),
        1: np.array([[[[4 << 6, 18 << 6]]]], np.int32),
    }
    return network, injected


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        # U = (U' / 2) + 3: the current halved before it is added; 10 fires at once
        ("current", [[3.0, 10.0], [4.5, 10.0], [5.25, 10.0]]),
        # U = (U' / 2 + 6) / 2
        ("membrane", [[3.0, 10.0], [3.75, 10.0], [3.9375, 10.0]]),
    ],
)
def test_attention_is_part_of_the_membrane(place, expected):
    network, injected = attended(place)
    spikes, membranes = check(network, injected, 1)
    assert (membranes["out"][0, :, 0, 0] / 64).tolist() == expected
    assert spikes["out"][0, :, 0, 0].tolist() == [[False, True]] * 3
