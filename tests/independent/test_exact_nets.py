"""Nets on a grid that the registers hold: every spike is the float model's, and it is said; and no
register overflows unannounced."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from spiking_graphs import compiled, random_net

from snndeploy.engines.engine import run_network
from snndeploy.ops.evaluate import by_step, evaluate
from snndeploy.passes.signals import infer_signals
from snndeploy.simulator.run import encode
from snndeploy.target import Target

pytestmark = pytest.mark.torch
CHIPS = {name: Target.load(name) for name in ("loihi1", "loihi2", "hybrid45nm")}
PLACES = {0.5: 1, 0.25: 2, 0.75: 2, 0.875: 3}  # binary places that a step of leak adds


def fitting_net(seed, chip):
    """Registers of v have 6 places below a unit of a, and one more is always free of 16 bits; where
    the fixed neuron tests at the threshold less one unit, two places are free and none below."""
    rng = np.random.default_rng(seed)
    room = 6 if CHIPS[chip].neuron_program else 2
    leak = float(rng.choice([0.0, 1.0, *PLACES]))
    current = float(rng.choice([0.0, 0.0, 0.5])) if leak else 0.0  # 1/4096 of what lasts stays
    places = max(PLACES.get(leak, 0), PLACES.get(current, 0))
    most = 1 + room // places if places else 500
    timesteps = int(rng.integers(1, most + 1))
    largest = 20 if timesteps <= 4 else 3 if timesteps <= 12 else 1
    decays = [leak] if places else [0.0, 1.0]  # a layer each
    net = random_net(
        rng, CHIPS[chip], timesteps=timesteps, decays=decays, currents=[current],
        largest=largest, filtered_bias=True,
    )  # fmt: skip
    return net


def check_exact(seed, chip):
    net = fitting_net(seed, chip)
    program = compiled(net, CHIPS[chip])
    graph = infer_signals(net.graph)
    names = [node.name for node in graph.neurons()]
    values = evaluate(graph, net.events, names, double=True)
    injected, _ = encode(program, net.events)
    run = run_network(program.network, injected, record=names, samples=len(net.events))
    for name in names:
        wanted = by_step(graph.by_name[name], values[name], len(net.events))
        assert program.facts.quantized(name).exact, f"{name}\n{net}"
        assert np.array_equal(run.spikes[name].reshape(wanted.shape), wanted), f"{name}\n{net}"


@pytest.mark.parametrize("chip", CHIPS)
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1 << 30))
def test_every_spike_of_a_net_on_a_grid_is_the_models(chip, seed):
    check_exact(seed, chip)


@pytest.mark.slow
@pytest.mark.parametrize("chip", CHIPS)
@settings(max_examples=200, deadline=None)
@given(seed=st.integers(0, 1 << 30))
def test_every_spike_of_many_nets_on_a_grid_is_the_models(chip, seed):
    check_exact(seed, chip)


def check_announced(seed, longest):
    """Calibrated on few events, run on many and on all, after silence and before it."""
    rng = np.random.default_rng(seed)
    timesteps = int(rng.integers(1, longest + 1))
    net = random_net(
        rng, CHIPS["loihi2"], timesteps=timesteps,
        decays=[1.0, 1.0, 0.999, 0.9, 0.5, 0.1, 0.0], currents=[0.0, 0.0, 0.5, 0.97, 1.0],
        grid=bool(rng.integers(2)), layers=int(rng.integers(2, 5)), filtered_bias=True,
    )  # fmt: skip
    few = net.events * (rng.random(net.events.shape) < 0.1)
    program = compiled(net, CHIPS["loihi2"], few)
    part = rng.random(net.events.shape[2:]) < 0.5
    turned = np.where(
        np.arange(timesteps).reshape(-1, *[1] * part.ndim) < timesteps // 2, part, ~part
    )
    worst = np.stack([np.ones_like(net.events[0]), turned.astype(np.float32), *net.events[:2]])
    injected, _ = encode(program, worst)
    run = run_network(program.network, injected, samples=len(worst))
    words = ("saturates at", "exceeds the declared", "is not excluded")
    for population in program.network.populations:
        name, told = population.name, program.facts.quantized(population.name)
        announced = [
            note for note in program.facts.notes
            if note.startswith(f"{name}:") and any(word in note for word in words)
        ]  # fmt: skip
        assert announced or not run.overflows[name].any(), f"{name}\n{net}"
        if told is not None and told.proved and population.neuron.fires:
            assert not run.overflows[name].any(), f"{name}\n{net}"


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1 << 30))
def test_no_register_overflows_unannounced(seed):
    check_announced(seed, 100)


@pytest.mark.slow
@settings(max_examples=500, deadline=None)
@example(seed=20939108)  # integrators that only the rounding of their weights takes beyond
@given(seed=st.integers(0, 1 << 30))
def test_no_register_of_many_nets_overflows_unannounced(seed):
    check_announced(seed, 500)
