"""No input takes a membrane, or a synaptic current, out of its range: every form of the neuron."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from spiking_graphs import Forms, random_neuron

from snndeploy.neurons import equation_of
from snndeploy.ops.neuron import replay

pytestmark = pytest.mark.torch


def extremes(rng, most, least, steps):
    """Inputs between the bounds: both ends in random runs, one end for ever, and anything."""
    flips = np.cumsum(rng.random((steps, 12, len(most))) < rng.choice([0.05, 0.3, 0.9]), axis=0)
    runs = np.where(flips % 2, most, least)
    runs[:, 0], runs[:, 1] = most, least
    runs[:, 2:5] = rng.uniform(least, most, (steps, 3, len(most)))
    return runs


@settings(max_examples=80, deadline=None)
@given(seed=st.integers(0, 1 << 30), steps=st.integers(1, 60))
def test_no_input_leaves_the_range(seed, steps):
    rng = np.random.default_rng(seed)
    decays, currents = [0.0, 0.3, 0.97, 1.0], [0.0, 0.0, 0.8, 1.0]
    stated = random_neuron(rng, Forms(True, True), 0.1, 5, decays, currents)
    neuron = equation_of({"kind": "lif", "v_reset": 0.0} | stated)
    most, least = rng.uniform(0, 1, 4), -rng.uniform(0, 1, 4)
    low, high = neuron.membrane_range(most, least, steps)
    found, _ = replay(neuron, extremes(rng, most, least, steps))
    slack = 1e-9 * (1 + high - low)
    assert low - slack <= found.min() and found.max() <= high + slack, neuron


def test_a_hard_reset_keeps_the_range_tight():
    """Below the threshold of 1, and one input of 0.3 on it: never above 1.3."""
    neuron = equation_of(
        {"kind": "lif", "threshold": 1.0, "decay": 1.0, "v_reset": 0.0, "reset": "hard",
         "fires_at": "ge"}
    )  # fmt: skip
    assert neuron.membrane_range(np.array([0.3]), np.array([-0.2]), 50) == pytest.approx(
        (-10.0, 1.3)
    )
