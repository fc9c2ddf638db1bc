"""Integers of thresholds, decays, biases and kernels; units, bounds, groups and what is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from populations import make_population

from snndeploy.connections import Conv, Dense
from snndeploy.engines.engine import run_network
from snndeploy.errors import FitError, UnsupportedError
from snndeploy.graph import Graph, Node
from snndeploy.lower.pipeline_delay import assign_depths
from snndeploy.lower.real_network import RealNetwork, RealPopulation, RealReadout, Term
from snndeploy.network import Injection, Network, Projection
from snndeploy.neurons import equation_of
from snndeploy.quantize.calibration import Calibration
from snndeploy.quantize.kernels import Kernel, mantissas, worst_case
from snndeploy.quantize.membrane_error import current_error
from snndeploy.quantize.quantize import quantize
from snndeploy.quantize.scales import groups
from snndeploy.simulator.run import injections_of
from snndeploy.target import Target
from snndeploy.tensors import tensor

LOIHI2, LOIHI1 = Target.load("loihi2"), Target.load("loihi1")
LIF = {
    "kind": "lif",
    "threshold": 1.0,
    "decay": 1.0,
    "v_reset": 0.0,
    "fires_at": "ge",
    "reset": "hard",
}
STEPS, SAMPLES = 4, 3
INPUT = Node("input", "input", axes=((("batch", 1),),))


def lif(name, terms=(), shape=(2, 4, 4), host="", offset=None, **neuron):
    return RealPopulation(
        name, "lif", shape, name, f"{name}.current", tuple(terms), host, False, offset,
        equation_of({**LIF, **neuron}),
    )  # fmt: skip


def source(shape=(2, 4, 4)):
    return RealPopulation("events", "input", shape, "events")


def real_network(*populations, readout=None):
    last = populations[-1]
    found = readout or RealReadout(last.name, "count", 1.0, np.zeros(int(np.prod(last.shape))))
    return RealNetwork(populations, found, Graph((INPUT,), (), STEPS), STEPS, "none")


def calibration(network, current=1.0, **values):
    rng = np.random.default_rng(0)
    found = {}
    for population in network.populations:
        shape = (SAMPLES, STEPS, *population.shape)
        found[population.node] = (rng.random(shape) < 0.3).astype(np.uint8)
        found[f"{population.node}.current"] = np.full(shape, current, np.float32)
    return Calibration(SAMPLES, {**found, **values})


def kernel(seed=0, outputs=2, inputs=2, size=3, scale=1.0):
    rng = np.random.default_rng(seed)
    return Conv(scale * rng.normal(size=(outputs, inputs, size, size)), padding=(size // 2,) * 2)


def quantized(network, target=LOIHI2, **values):
    return quantize(network, target, calibration(network, **values))


# exactness


@pytest.mark.parametrize("fires_at", ["ge", "gt"])
@pytest.mark.parametrize("threshold", [1.0, 0.75])
def test_ties_fire_as_the_model_says(fires_at, threshold):
    """Weights in eighths, no leak: U meets the threshold exactly, and the integers know it."""
    rng = np.random.default_rng(0)
    weight = np.array([[127 / 8, 0.125], [0.5, 0.25], [1.0, -0.25]])[:, :, None, None]
    population = lif(
        "out", [Term("events", Conv(weight))], (3, 4, 4), fires_at=fires_at, threshold=threshold
    )
    network = real_network(source(), population)
    events = (rng.random((SAMPLES, STEPS, 2, 4, 4)) < 0.5).astype(np.uint8)
    chip = quantized(network, events=events).network
    unit = chip.by_name["out"].scale
    assert (threshold / unit).is_integer() and (0.125 / unit).is_integer()
    found = run_network(chip, {0: events.astype(np.int32)}, record=["out"])
    membrane, wanted = np.zeros((SAMPLES, 3, 4, 4)), []
    for step in range(STEPS):
        membrane = membrane + np.einsum("oi,sihw->sohw", weight[:, :, 0, 0], events[:, step])
        fired = membrane >= threshold if fires_at == "ge" else membrane > threshold
        assert step or (membrane == threshold).any()
        wanted.append(fired)
        membrane = np.where(fired, 0, membrane)
    assert np.array_equal(found.spikes["out"], np.stack(wanted, 1))


@pytest.mark.parametrize(
    "decay, register, error",
    [(1.0, 0, 0.0), (0.25, 3072, 0.0), (0.3, 2867, 1e-4), (0.0, 4095, 1 / 4096)],
)
def test_decay_registers(decay, register, error):
    found = quantized(real_network(source(), lif("out", [Term("events", kernel())], decay=decay)))
    assert found.network.by_name["out"].neuron.membrane_decay == register
    assert found.layers[0].decay_error == pytest.approx(error, abs=6e-5)
    notes = (
        "out: decay 0 needs a register of 4096, 12 bits hold 4095; 1/4096 of the membrane stays",
    )
    assert found.notes == (notes if decay == 0.0 else ())


def test_bias_registers_hold_offsets():
    uniform = np.repeat(np.array([0.25, -0.5]), 16).reshape(2, 4, 4)
    ragged = np.linspace(-1, 1, 32).reshape(2, 4, 4)
    for offset, shape in ((uniform, (2,)), (ragged, (2, 4, 4))):
        network = real_network(source(), lif("out", [Term("events", kernel())], offset=offset))
        made = quantized(network).network.by_name["out"]
        assert made.bias.shape == shape
        real = made.bias * (1 << made.bias_exponent) * made.scale / 64
        wanted = offset[:, 0, 0] if shape == (2,) else offset
        np.testing.assert_allclose(real, wanted, atol=(1 << made.bias_exponent) * made.scale / 128)


def test_a_population_of_bias_alone():
    found = quantized(real_network(lif("out", offset=np.full((2, 4, 4), 0.3))))
    made = found.network.by_name["out"]
    assert made.neuron.threshold == pytest.approx(1.0 / made.scale - 1)
    assert found.layers[0].worst_case_sum == 0


# bounds


@settings(max_examples=100)
@given(st.integers(0, 2**31), st.sampled_from([1, 5]), st.booleans())
def test_no_pattern_exceeds_the_worst_case(seed, payload, dense):
    rng = np.random.default_rng(seed)
    parts, total = [], 0
    for exponent in (0, 2):
        if dense:
            connection = Dense(rng.integers(-9, 10, (3, 2, 2, 2)).astype(np.int8), (2, 2))
        else:
            connection = Conv(rng.integers(-9, 10, (3, 2, 3, 3)).astype(np.int8), padding=(1, 1))
        parts.append((connection, exponent, payload))
        # the worst pattern of the first target: follow the signs, at its own (middle) position
        weight = connection.weight[0].astype(np.int64)
        count = 4 if dense else 1
        signs = np.sign(weight) if payload > 1 else weight > 0
        total += int((weight * signs).sum()) * payload * count << exponent
    found = worst_case(parts)
    assert found >= total
    exact = sum(c.reach(c.weight, p) << e for c, e, p in parts).max()
    assert found == exact


def test_bounds_take_the_worst_channel_not_the_sum_of_worst_channels():
    first = Conv(np.array([[[[3]]], [[[1]]]], dtype=np.int8))
    second = Conv(np.array([[[[1]]], [[[3]]]], dtype=np.int8))
    assert worst_case([(first, 0, 1), (second, 0, 1)]) == 4
    assert worst_case([(first, 0, 1), (second, 1, 1)], injected=10) == 17
    assert worst_case([]) == 0


def test_what_could_overflow_is_said():
    wide = Conv(np.ones((1, 4000, 5, 5)), padding=(2, 2))
    network = real_network(source((4000, 4, 4)), lif("out", [Term("events", wide)], (1, 4, 4)))
    found = quantized(network)
    layer = found.layers[0]
    assert not layer.proved
    assert layer.worst_case_sum == 127 * 4000 * 25
    assert found.notes == (
        "out: the worst-case input sum 12,700,000 exceeds the declared 32,767 of 16 bits (could"
        " wrap at 24 bits); overflows are counted when simulated",
        "out: its membrane could reach 812,808,128 within 4 steps and saturates at 8,388,607; on 3"
        " calibration samples the float model's reaches 8,128; fewer steps, more leak or"
        " smaller weights exclude it",
    )
    assert layer.worst_case_membrane == (127 * 4000 * 25 + 127) * 64  # behind a silent step
    narrow = real_network(source(), lif("out", [Term("events", kernel())]))
    assert quantized(narrow).layers[0].proved


def test_what_calibration_saw_fits():
    network = real_network(source(), lif("out", [Term("events", kernel())]))
    coarse = quantized(network, current=1e4).layers[0]
    assert 2e4 / coarse.unit <= LOIHI2.accumulator_max * 1.01


def test_mantissas_use_their_bits():
    for clip in (1.0, 0.7):
        found = mantissas(Kernel("s", kernel(), 1.0, 1), 0.001, clip, 127)
        assert found.values.dtype == np.int8
        largest = clip * np.abs(kernel().weight).max()
        assert 64 <= largest / (0.001 * (1 << found.exponent)) <= 127.001
        assert (found.clipped > 0) == (clip < 1.0)


# groups


def test_populations_that_share_a_kernel_share_the_unit():
    """The first member is quantized before the last one's many inputs are seen: all must count."""
    shared, other = kernel(1), kernel(2, scale=0.5)
    network = real_network(
        source(),
        lif("a", [Term("events", shared)]),
        lif("b", [Term("events", shared), Term("a", other)]),
        lif("c", [Term("events", shared), Term("a", other), Term("b", kernel(3, scale=8.0))]),
        lif("d", [Term("c", shared)], threshold=2.0),
    )
    members = groups(network)
    assert [p.name for p in members["c"]] == ["a", "b", "c"]
    assert [p.name for p in members["d"]] == ["d"]
    found = quantized(network)
    units = {layer.population: layer.unit for layer in found.layers}
    assert units["a"] == units["b"] == units["c"] != units["d"]
    assert all(layer.proved for layer in found.layers)
    connections = {(p.source, p.target): id(p.connection) for p in found.network.projections}
    assert len({connections["events", target] for target in "abc"}) == 1
    assert connections["a", "b"] == connections["a", "c"]


def test_clip_is_chosen_where_it_lowers_the_error():
    weight = 0.01 + 0.001 * np.random.default_rng(0).random((4, 8, 1, 1))
    weight[0, 7] = 1.0  # one outlier from a source that hardly fires
    values = np.zeros((SAMPLES, STEPS, 8, 4, 4), np.uint8)
    values[:, :, :7] = 1
    population = lif("out", [Term("events", Conv(weight))], (4, 4, 4), threshold=0.05)
    network = real_network(source((8, 4, 4)), population)
    found = quantized(network, events=values).layers[0]
    assert found.clip < 1.0 and found.clipped_weights == 1


def test_current_error_pools_dense_layers():
    rng = np.random.default_rng(0)
    weight, used = rng.normal(size=(3, 2, 2, 2)), rng.normal(size=(3, 2, 2, 2))
    payloads = (rng.random((2, 3, 2, 5, 4)) < 0.5).astype(np.uint8)
    pooled = payloads[:, :, :, :4].reshape(6, 2, 2, 2, 2, 2).sum((3, 5)).reshape(6, -1)
    wanted = np.mean((pooled @ (used - weight).reshape(3, -1).T) ** 2)
    found = current_error(Dense(weight, (2, 2)), weight, used, payloads)
    assert found == pytest.approx(wanted, rel=1e-5)


# host


def test_event_counts_are_graded_payloads():
    counts = np.full((SAMPLES, STEPS, 2, 4, 4), 5, np.float32)
    network = real_network(source(), lif("out", [Term("events", kernel())]))
    found = quantized(network, events=counts)
    assert found.network.by_name["events"].neuron.payload_bound == 10
    assert found.notes[0] == (
        "events: input payloads are limited to 10 (twice the largest in the calibration data);"
        " larger ones are clipped and counted"
    )
    assert (found.network.injections[0].minimum, found.network.injections[0].maximum) == (0, 10)
    signed = quantized(network, events=-counts).network.injections[0]
    assert (signed.minimum, signed.maximum) == (-10, 10)
    with pytest.raises(UnsupportedError) as caught:
        quantized(network, LOIHI1, events=counts)
    assert str(caught.value) == (
        "events: the model's input holds integers up to 5, and loihi1 has no graded spikes; put a"
        " layer in front, which the host computes, or choose a target that has them"
    )


def test_constant_host_values_load_into_biases_with_the_offset():
    offset = np.full((2, 4, 4), 0.5)
    population = replace(lif("out", host="stem", offset=offset), host_constant=True)
    values = np.linspace(-3, 3, SAMPLES * 32).reshape(SAMPLES, 1, 2, 4, 4).astype(np.float32)
    made = quantized(real_network(population), stem=values).network
    (injection,) = made.injections
    assert (injection.mode, made.by_name["out"].bias) == ("bias", None)
    step = 1 / injection.multiplier  # real value of a mantissa
    integers = injection.quantize(values)
    np.testing.assert_allclose(integers * step, values + offset, atol=step / 2 * 1.001)
    assert np.abs(integers).max() * 2 <= injection.maximum + 1  # head room of two


def test_changing_host_values_are_graded():
    network = real_network(lif("out", host="stem"))
    values = np.full((SAMPLES, STEPS, 2, 4, 4), 0.75, np.float32)
    found = quantized(network, stem=values)
    (injection,) = found.network.injections
    assert injection.mode == "graded"
    assert found.network.by_name["out"].depth == 1
    assert injection.quantize(values).max() / injection.multiplier == pytest.approx(0.75, rel=1e-3)
    assert found.layers[0].worst_case_sum == injection.maximum
    assert found.notes == ()
    assert quantized(network, LOIHI1, stem=values).notes == (
        "out: loihi1 has no graded spikes; the host writes the encoder's values into its neurons at"
        " every step",
    )


def test_relays_forward_currents_in_few_bits():
    relay = RealPopulation(
        "relay", "relay", (2, 4, 4), "relay", "relay.current", (Term("events", kernel()),)
    )
    network = real_network(source(), relay, lif("out", [Term("relay", kernel(1))]))
    currents = np.random.default_rng(0).normal(size=(SAMPLES, STEPS, 2, 4, 4)) / 2
    found = quantized(network, relay=currents.astype(np.float32))
    made = found.network.by_name["relay"]
    worst = found.layers[0].worst_case_sum
    assert made.neuron.payload_bound == (worst >> made.neuron.payload_shift) + 1
    assert 2 * np.abs(currents).max() / made.scale / (1 << made.neuron.payload_shift) <= 255
    (projection,) = found.network.incoming("out")
    step = made.scale * (1 << made.neuron.payload_shift)
    used = projection.connection.weight * (
        found.network.by_name["out"].scale * 2.0**projection.exponent
    )
    np.testing.assert_allclose(used, kernel(1).weight * step, atol=np.abs(used).max() / 31)


def test_integrators_keep_the_sum_over_time():
    weight = np.random.default_rng(0).normal(size=(3, 2, 4, 4))
    readout = RealPopulation(
        "readout", "integrator", (3, 1, 1), "readout", "", (Term("events", Dense(weight)),)
    )
    network = real_network(
        source(), readout, readout=RealReadout("readout", "membrane", 0.25, np.ones(3))
    )
    found = quantized(network).network
    assert found.readout.scale == found.by_name["readout"].scale / 64 * 0.25
    assert found.readout.offset.tolist() == [1, 1, 1]
    silent = replace(readout, terms=(Term("events", Dense(np.zeros_like(weight))),))
    assert quantized(real_network(source(), silent, readout=network.readout)).layers[0].unit == 1.0


# what is refused


@pytest.mark.parametrize(
    "neuron, message",
    [
        ({"reset": "soft"},
         "out: loihi2 has no soft reset; fine-tune with a hard reset, or choose a target that has"
         " it"),
        ({"v_reset": -0.5},
         "out: a reset to -0.5 has no exact integer form with leak; fine-tune with a reset to 0"),
    ],
)  # fmt: skip
def test_resets_that_have_no_integers(neuron, message):
    with pytest.raises(UnsupportedError) as caught:
        quantized(
            real_network(source(), lif("out", [Term("events", kernel())], **neuron)),
            replace(LOIHI2, neuron_program=False),
        )
    assert str(caught.value) == message


def test_soft_reset_where_the_target_has_it():
    soft = replace(LOIHI2, soft_reset=True)
    network = real_network(source(), lif("out", [Term("events", kernel())], reset="soft"))
    made = quantized(network, soft).network.by_name["out"]
    assert (made.neuron.reset, made.neuron.reset_amount) == ("soft", made.neuron.threshold + 1)


def test_offsets_far_beyond_the_threshold():
    """The unit grows until the bias fits; then the threshold has one unit left."""
    offset = np.full((2, 4, 4), 1e7)
    network = real_network(source(), lif("out", [Term("events", kernel())], offset=offset))
    with pytest.raises(FitError) as caught:
        quantized(network)
    assert str(caught.value) == (
        "out: a bias of 640,000,000 units needs exponent 18, the register holds 0..7; the layer's"
        " offsets are far larger than its threshold"
    )


# depths and delays


def chip(delays):
    populations = [make_population(name, (1, 2, 2)) for name in ("a", "b", "c", "d")]
    conv = Conv(np.ones((1, 1, 1, 1), np.int8))
    edges = [("a", "b"), ("b", "c"), ("c", "d"), ("a", "d")]
    projections = tuple(Projection(f"{s}->{t}", s, t, conv) for s, t in edges)
    injections = (Injection("a", "host", delays),)
    return Network(3, tuple(populations), projections, injections)


@pytest.mark.parametrize("mode, first", [("bias", 0), ("graded", 1)])
def test_shorter_paths_wait(mode, first):
    found = assign_depths(chip(mode), LOIHI2)
    assert [p.depth for p in found.populations] == [first, first + 1, first + 2, first + 3]
    assert [p.delay for p in found.projections] == [0, 0, 0, 2]


def test_a_shortcut_that_must_wait_too_long():
    with pytest.raises(FitError) as caught:
        assign_depths(chip("bias"), replace(LOIHI2, delay_max=1))
    assert str(caught.value) == (
        "a->d must wait 2 steps for the longest path beside it; loihi2 synapses wait at most 1; use"
        " --shortcuts relay, which shortens the shortcut's path"
    )


def test_injections_are_counted_when_clipped():
    population = replace(lif("out", host="input"), host_constant=True)
    values = np.ones((SAMPLES, 1, 2, 4, 4), np.float32)
    made = quantized(real_network(population), input=values).network
    axes = ((("batch", 1),), *((("feature", size),) for size in (2, 4, 4)))
    graph = Graph((replace(INPUT, axes=axes),), ("input",), STEPS)

    for factor, clipped in ((1.0, 0), (1000.0, SAMPLES * 32)):
        real = tensor(values[:, 0] * np.float32(factor))
        assert injections_of(made, graph, {"input": real}, SAMPLES)[1] == clipped
