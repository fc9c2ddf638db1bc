"""The observer's entropy: against a count in plain Python, and the cases that one can derive."""

from collections import Counter
from fractions import Fraction
from math import log, log2

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

import snndeploy.analysis.entropy as module
from snndeploy.analysis.coding import firing_period
from snndeploy.analysis.entropy import PatternSums


def counted(spikes, batch=None):
    """spikes: bool (samples, timesteps, neurons)."""
    samples, timesteps, neurons = spikes.shape
    sums = PatternSums(timesteps, neurons)
    for start in range(0, samples, batch or samples):
        for step in range(timesteps):
            sums.take(step, spikes[start : start + (batch or samples), step])
    return sums.result()


def plain_bits(values):
    total = len(values)
    return -sum(n / total * log2(n / total) for n in Counter(values).values())


spike_arrays = arrays(bool, array_shapes(min_dims=3, max_dims=3, max_side=6))


@given(spike_arrays, st.integers(1, 4))
def test_it_is_the_entropy_of_the_patterns(spikes, batch):
    found = counted(spikes, batch)
    samples, timesteps, neurons = spikes.shape
    trains = [[tuple(spikes[s, :, n]) for s in range(samples)] for n in range(neurons)]
    for steps in range(1, timesteps + 1):
        expected = [plain_bits([train[:steps] for train in own]) for own in trains]
        assert found.bits(steps) == pytest.approx(expected, abs=1e-9)
        assert found.growth()[steps - 1] == pytest.approx(np.mean(expected), abs=1e-9)
    assert found.seen().tolist() == [len(set(own)) for own in trains]
    assert found.pooled_bits() == pytest.approx(
        plain_bits([train for own in trains for train in own]), abs=1e-9
    )
    single = [[plain_bits([train[t] for train in own]) for own in trains] for t in range(timesteps)]
    assert found.step_bits() == pytest.approx(np.mean(single, axis=1), abs=1e-9)


@given(spike_arrays)
def test_what_bounds_it(spikes):
    """Nothing exceeds T bits or log2 n; a longer window never shows less; bits alone show more."""
    found = counted(spikes)
    assert (found.bits() <= found.largest_bits + 1e-9).all()
    assert (np.diff(found.growth()) >= -1e-9).all()
    assert found.growth()[-1] <= found.step_bits().sum() + 1e-9
    assert found.pooled_bits() >= found.bits().mean() - 1e-9


@pytest.mark.parametrize("ones", [0, 1, 3, 4, 8])
def test_one_bit_is_proposition_2(ones):
    """v in {0, 1}: H = - p log2 p - (1 - p) log2 (1 - p)."""
    p = Fraction(ones, 8)
    expected = sum(-float(q) * log2(q) for q in (p, 1 - p) if q)
    found = counted((np.arange(8) < ones)[:, None, None])
    assert found.bits().tolist() == pytest.approx([expected])


def test_behind_a_constant_current_it_is_the_entropy_of_the_period():
    """All that follows the first spike follows from it."""
    x = np.linspace(0.3, 0.6, 500)
    timesteps, u, trains = 6, np.zeros(500), []
    for _ in range(timesteps):
        u = u + x
        fired = u >= 0.5
        trains.append(fired)
        u = np.where(fired, 0.0, 0.25 * u)
    found = counted(np.stack(trains, axis=1)[:, :, None])
    periods = firing_period(x, 0.5, 0.25)
    expected = plain_bits([p if p <= timesteps else 0 for p in periods])
    assert found.bits().tolist() == pytest.approx([expected])


def test_the_correction_takes_most_of_the_bias():
    """3 fair bits have 3 bits of entropy; 40 samples show (8 - 1) / (2 * 40 ln 2) bits less."""
    rng = np.random.default_rng(0)
    found = counted(rng.random((40, 3, 4000)) < 0.5)
    bias = 7 / (2 * 40 * log(2))
    assert found.bits().mean() == pytest.approx(3 - bias, abs=0.01)
    assert found.corrected_bits().mean() == pytest.approx(3, abs=0.01)


def test_what_cannot_be_counted_is_absent(monkeypatch):
    long = PatternSums(60, 1024)
    long.take(0, np.ones((2, 1024), dtype=bool))
    assert long.result() is None
    assert long.absent == "2^60 patterns of 1,024 neurons are too many to count"
    assert PatternSums(60, 4).absent == ""
    monkeypatch.setattr(module, "LARGEST_PATTERNS", 5)
    many = PatternSums(1, 6)
    many.take(0, np.ones((2, 6), dtype=bool))
    assert (many.result(), many.absent) == (None, "more than 5 patterns were seen")
