"""Weights in two projections: what they hold, when they are taken, what they cost."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_quantize import LOIHI1, LOIHI2, calibration, lif, real_network, source

from snndeploy.connections import Dense
from snndeploy.lower.real_network import Term
from snndeploy.quantize.kernels import Kernel, double_mantissas, weight_error
from snndeploy.quantize.quantize import quantize


@given(
    st.lists(st.floats(-1e4, 1e4, width=32), min_size=1, max_size=20),
    st.sampled_from([1e-3, 0.01, 1.0, 300.0]),
)
def test_two_parts_are_the_weight_but_for_half_a_step(values, unit):
    weight = np.array(values, dtype=np.float64).reshape(1, -1, 1, 1)
    kernel = Kernel("a", Dense(weight), 1.0, 1)
    found = double_mantissas(kernel, unit, 127)
    for part in found.parts:
        assert part.values.dtype == np.int8
    lowest = found.parts[-1].exponent
    assert lowest == max(0, found.exponent - 8)
    whole = sum(part.values.astype(np.int64) << (part.exponent - lowest) for part in found.parts)
    step = unit * 2.0**lowest
    assert np.abs(whole * step - weight).max() <= 0.5 * step * (1 + 1e-6)
    np.testing.assert_allclose(found.real(unit), whole * step)


def outlier():
    """One weight of 60 among quarters."""
    rng = np.random.default_rng(26)
    weight = rng.normal(0, 0.25, (64, 2, 4, 4))
    weight[0, 0, 0, 0] = 60.0
    return real_network(source(), lif("out", [Term("events", Dense(weight))], (64, 1, 1))), weight


@pytest.mark.parametrize("chip", [LOIHI1, LOIHI2], ids=["loihi1", "loihi2"])
def test_an_outlier_does_not_take_the_bits_of_the_others(chip):
    network, weight = outlier()
    seen = calibration(network)
    single = quantize(network, chip, seen, weights="single").layers[0]
    made = quantize(network, chip, seen, weights="auto")
    (layer,) = made.layers
    assert single.relative_weight_error > 0.05 and single.weight_precision == "single"
    assert layer.relative_weight_error < 0.005 and layer.weight_precision == "double"
    high, low = made.network.projections
    assert (high.exponent, low.exponent) == layer.exponents
    assert high.exponent <= chip.weight_exponent_max
    real = made.network.by_name["out"].scale * sum(
        p.connection.weight.astype(float) * 2.0**p.exponent for p in (high, low)
    )
    assert np.sqrt(np.mean((real - weight) ** 2) / np.mean(weight**2)) == pytest.approx(
        layer.relative_weight_error
    )
    assert layer.worst_case_sum <= layer.sum_limit and layer.proved


def test_the_cost_of_two_parts_is_said():
    network, weight = outlier()
    seen = calibration(network)
    made = quantize(network, LOIHI2, seen, weights="auto")
    (note,) = [text for text in made.notes if "two projections" in text]
    events = seen.values["events"]
    operations = round(float(events.mean()) * events[0, 0].size * 64 * events.shape[1])
    assert f"for {weight.size:,} more bytes of weights and {operations:,} more synaptic" in note


def test_ordinary_weights_take_one_part():
    rng = np.random.default_rng(1)
    weight = rng.normal(0, 0.25, (64, 2, 4, 4))
    network = real_network(source(), lif("out", [Term("events", Dense(weight))], (64, 1, 1)))
    seen = calibration(network)
    auto, double = (quantize(network, LOIHI2, seen, weights=w) for w in ("auto", "double"))
    assert auto.layers[0].weight_precision == "single" and len(auto.network.projections) == 1
    assert double.layers[0].weight_precision == "double" and len(double.network.projections) == 2
    assert 2 * double.layers[0].relative_weight_error < auto.layers[0].relative_weight_error


def test_whole_weights_need_no_second_part():
    weight = np.random.default_rng(1).integers(-60, 61, (64, 2, 4, 4)).astype(float)
    network = real_network(source(), lif("out", [Term("events", Dense(weight))], (64, 1, 1)))
    (layer,) = quantize(network, LOIHI2, calibration(network), weights="double").layers
    assert layer.exact and layer.weight_precision == "single"
    assert weight_error([], [], 1.0) == 0.0
