"""Units of a common grid: every spike equals the float model's; and no membrane leaves its register
unseen."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snndeploy.connections import Dense
from snndeploy.engines.engine import run_network
from snndeploy.graph import Graph, Node
from snndeploy.lower.real_network import RealNetwork, RealPopulation, RealReadout, Term
from snndeploy.neurons import FiresAt, LeakyFire, Reset
from snndeploy.quantize.calibration import Calibration
from snndeploy.quantize.grid import common_step
from snndeploy.quantize.membranes import membrane_bound
from snndeploy.quantize.quantize import quantize
from snndeploy.target import Target

CHIPS = {name: Target.load(name) for name in ("loihi1", "loihi2")}
INPUT = Node("input", "input", axes=((("batch", 1),),))
SAMPLES = 6


def network(weight, timesteps, offset=None, **neuron):
    """Events into one layer of neurons, weight (outputs, inputs)."""
    outputs, inputs = weight.shape
    events = RealPopulation("events", "input", (inputs, 1, 1), "events")
    lif = RealPopulation(
        "out", "lif", (outputs, 1, 1), "out", "current",
        (Term("events", Dense(weight[:, :, None, None])),), "", False,
        None if offset is None else offset.reshape(-1, 1, 1),
        LeakyFire(
            neuron["threshold"], FiresAt(neuron["fires_at"]), neuron["decay"], 0.0, Reset.HARD
        ),
    )  # fmt: skip
    readout = RealReadout("out", "count", 1.0, np.zeros(outputs))
    return RealNetwork((events, lif), readout, Graph((INPUT,), (), timesteps), timesteps, "none")


def float_model(weight, events, offset=None, *, threshold, decay, fires_at, **_):
    """Spikes, membranes before the reset; float64: exact for grids of few binary places."""
    current = events.astype(np.float64) @ weight.T + (0.0 if offset is None else offset)
    carried, spikes, membranes = np.zeros_like(current[:, 0]), [], []
    for step in range(current.shape[1]):
        membrane = decay * carried + current[:, step]
        fired = membrane >= threshold if fires_at == "ge" else membrane > threshold
        spikes.append(fired)
        membranes.append(membrane)
        carried = np.where(fired, 0.0, membrane)
    return np.stack(spikes, 1), np.stack(membranes, 1)


def on_chip(weight, events, target, offset=None, weights="single", **neuron):
    """The quantized network, its layers, and what it does."""
    real = network(weight, events.shape[1], offset, **neuron)
    _, membranes = float_model(weight, events, offset, **neuron)
    current = events.astype(np.float64) @ weight.T + (0.0 if offset is None else offset)
    values = {
        "events": events[..., None, None].astype(np.uint8),
        "current": current[..., None, None].astype(np.float32),
        "out": membranes[..., None, None].astype(np.float32),
    }
    found = quantize(real, target, Calibration(len(events), values), weights=weights)
    run = run_network(
        found.network, {0: events[..., None, None].astype(np.int32)}, record=["out"],
        samples=len(events),
    )  # fmt: skip
    return found, run


@st.composite
def grids(draw):
    """A layer whose weights, threshold and leak fit the registers within T steps."""
    bits = draw(st.integers(0, 3))
    decay = draw(st.sampled_from([1.0, 1.0, 0.5, 0.25, 0.75, 0.875]))
    places = {1.0: 0, 0.5: 1, 0.25: 2, 0.75: 2, 0.875: 3}[decay]
    fires_at = draw(st.sampled_from(["ge", "gt"]))
    room = 2 if fires_at == "ge" else 7
    timesteps = draw(st.integers(1, 500 if not places else max(1, room // places + 1)))
    rng = np.random.default_rng(draw(st.integers(0, 1 << 30)))
    inputs = draw(st.integers(1, 12))
    largest = draw(st.sampled_from([1, 3, 20, 127]))
    timesteps = min(timesteps, ((1 << 17) - 1) // (largest * inputs))  # what 24 bits can hold
    weight = rng.integers(-largest, largest + 1, (5, inputs)) / (1 << bits)
    threshold = draw(st.integers(1, 3 * largest)) / (1 << bits)
    events = rng.random((SAMPLES, timesteps, inputs)) < draw(st.sampled_from([0.1, 0.5, 0.9]))
    return weight, events, {"threshold": threshold, "decay": decay, "fires_at": fires_at}


@pytest.mark.parametrize("chip", CHIPS)
@settings(max_examples=60, deadline=None)
@given(case=grids())
def test_every_spike_on_a_grid_is_the_models(chip, case):
    weight, events, neuron = case
    found, run = on_chip(weight, events, CHIPS[chip], **neuron)
    wanted, _ = float_model(weight, events, **neuron)
    if np.any(weight):
        assert found.layers[0].relative_weight_error == 0.0 and found.layers[0].exact
    assert np.array_equal(run.spikes["out"][..., 0, 0].astype(bool), wanted)
    assert run.warnings == ()


def test_ties_with_a_leak_of_three_quarters():
    """Weights of one and minus one, threshold 2, more than: 8 steps of leak need 14 places."""
    rng = np.random.default_rng(0)
    weight = rng.choice([-1.0, 1.0], (48, 64))
    events = rng.random((24, 8, 64)) < 0.3
    neuron = {"threshold": 2.0, "decay": 0.75, "fires_at": "gt"}
    found, run = on_chip(weight, events, CHIPS["loihi2"], **neuron)
    wanted, membranes = float_model(weight, events, **neuron)
    assert (membranes == 2.0).any()
    assert np.array_equal(run.spikes["out"][..., 0, 0].astype(bool), wanted)
    assert found.network.by_name["out"].neuron.threshold << 6 >= 2 << 14


def test_offsets_on_the_grid_stay():
    rng = np.random.default_rng(1)
    weight, offset = rng.integers(-8, 9, (6, 10)) / 16, rng.integers(-16, 17, 6) / 64
    events = rng.random((SAMPLES, 30, 10)) < 0.4
    neuron = {"threshold": 0.75, "decay": 1.0, "fires_at": "ge"}
    _, run = on_chip(weight, events, CHIPS["loihi2"], offset, **neuron)
    wanted, _ = float_model(weight, events, offset, **neuron)
    assert np.array_equal(run.spikes["out"][..., 0, 0].astype(bool), wanted)


def test_inhibition_does_not_saturate_a_membrane_without_leak():
    """30 steps of inhibition and 30 of excitation add up to nothing: no neuron may fire."""
    rng = np.random.default_rng(2)
    weight = np.repeat([[0.13, -0.137]], 10, axis=1) * (1 + 0.02 * rng.random((8, 20)))
    events = np.zeros((2, 60, 20), bool)
    events[0, :30, 10:], events[0, 30:, :10], events[1, 40:, :10] = True, True, True
    neuron = {"threshold": 1.0, "decay": 1.0, "fires_at": "ge"}
    wanted, membranes = float_model(weight, events, **neuron)
    assert not wanted[0].any() and wanted[1].any() and membranes.min() < -30
    for chip in CHIPS.values():
        _, run = on_chip(weight, events, chip, **neuron)
        assert np.array_equal(run.spikes["out"][..., 0, 0].astype(bool), wanted)
        assert run.warnings == ()


LAYERS = (
    st.integers(0, 1 << 30), st.integers(1, 500),
    st.sampled_from([1.0, 0.9998, 0.999, 0.95, 0.5, 0.0]),
    st.sampled_from([0.001, 0.1, 1.0, 30.0]), st.sampled_from(["loihi1", "loihi2"]),
    st.sampled_from(["single", "double", "auto"]),
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(*LAYERS)
def test_no_membrane_saturates_unannounced(seed, timesteps, decay, threshold, chip, weights):
    saturates_as_announced(seed, timesteps, decay, threshold, chip, weights)


@pytest.mark.slow
@settings(max_examples=500, deadline=None)
@given(*LAYERS)
def test_no_membrane_of_500_nets_saturates_unannounced(
    seed, timesteps, decay, threshold, chip, weights
):
    saturates_as_announced(seed, timesteps, decay, threshold, chip, weights)


def saturates_as_announced(seed, timesteps, decay, threshold, chip, weights):
    """Calibrated on few events, run on the worst that can come: all inhibition, all excitation."""
    rng = np.random.default_rng(seed)
    weight = rng.normal(size=(4, 8)) * rng.choice([1.0, 1.0, 200.0], size=(4, 8))
    quiet = rng.random((SAMPLES, timesteps, 8)) < 0.02
    neuron = {"threshold": threshold, "decay": decay, "fires_at": "ge"}
    found, _ = on_chip(weight, quiet, CHIPS[chip], weights=weights, **neuron)
    worst = [np.broadcast_to(sign * row > 0, (timesteps, 8)) for row in weight for sign in (1, -1)]
    run = run_network(
        found.network, {0: np.stack(worst)[..., None, None].astype(np.int32)}, samples=len(worst)
    )
    (layer,) = found.layers
    told = any("saturates at 8,388,607" in note for note in found.notes)
    saturated = any("membranes saturated" in warning for warning in run.warnings)
    assert told or not saturated
    assert told == (layer.worst_case_membrane > layer.membrane_limit)
    assert layer.proved == (not told and layer.worst_case_sum <= layer.sum_limit)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 1 << 30), st.integers(1, 60), st.sampled_from([1.0, 0.97, 0.5, 0.0]),
    st.sampled_from([0.1, 1.0, 7.0]),
)  # fmt: skip
def test_the_membrane_bound_holds_for_the_worst_input(seed, timesteps, decay, threshold):
    """Reached by all excitation, or by all inhibition; never passed."""
    rng = np.random.default_rng(seed)
    weight = rng.normal(size=(4, 6))
    arriving = np.stack([np.maximum(weight, 0).sum(1), np.minimum(weight, 0).sum(1)])
    neuron = {"threshold": threshold, "decay": decay, "fires_at": "ge"}
    population = network(weight, timesteps, **neuron).by_name["out"]
    bound = membrane_bound(arriving, population, timesteps)
    random = rng.random((20, timesteps, 6)) < rng.choice([0.2, 0.8])
    forever = np.stack([np.broadcast_to(row < 0, (timesteps, 6)) for row in weight])
    found = max(
        np.abs(float_model(weight, events, **neuron)[1]).max() for events in (random, forever)
    )
    assert found <= bound * (1 + 1e-12)
    lowest = float_model(weight, forever, **neuron)[1].min()
    assert bound >= -lowest * (1 - 1e-12)


@pytest.mark.parametrize(
    "values, step",
    [
        ([1.0, -3.0, 0.0], 1.0),
        ([0.0625, 0.1875, -0.25], 0.0625),
        ([2.0, 6.0], 2.0),
        ([0.1 * k for k in range(1, 9)], 0.1),
        ([0.1, 0.31], None),
        ([0.0], None),
    ],
)
def test_common_steps(values, step):
    found = common_step([np.array(values)], most=1 << 14)
    assert found == (step if step is None else pytest.approx(step, rel=1e-12))


def test_ordinary_weights_have_no_grid():
    weight = np.random.default_rng(0).normal(size=300).astype(np.float32)
    assert common_step([weight], most=127 << 7) is None
