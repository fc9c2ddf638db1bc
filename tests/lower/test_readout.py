"""Readings of membranes: weights over time as few readings as there are, by hand."""

import numpy as np
import pytest

from snndeploy.lower.readout import membrane_reading, spike_reading

T = 5


def row(*weights):
    return np.array([weights], dtype=float)


def read_again(read, over_time, y):
    """v[t] = keep v[t-1] + y[t], and the weights over its readings."""
    v, held = np.zeros(len(y)), 0.0
    for step, value in enumerate(y):
        held = read.keep * held + value
        v[step] = held
    seen = v[list(read.steps) or [len(y) - 1]]
    return read.factor * (seen if read.weights is None else read.weights @ seen)


@pytest.mark.parametrize(
    "over_time, decays, keep, steps",
    [
        (row(1, 1, 1, 1, 1), (), 1.0, ()),
        (row(0, 0, 0, 0, 1), (), 1.0, (3, 4)),
        (row(1, 0, 0, 0, 0), (), 1.0, (0,)),
        (row(0, 0, 0.5, 0.5, 0), (), 1.0, (1, 3)),
        (row(1, 2, 4, 8, 16), (), 0.5, ()),
        (row(3, 1, 4, 1, 5), (), 1.0, (0, 1, 2, 3, 4)),
        (row(0, 0, 0, 0.9, 1), (0.9,), 0.9, (2, 4)),
        (row(0, 1, 2, 4, 0), (0.5,), 0.5, (0, 3)),
        (np.eye(T), (), 1.0, (0, 1, 2, 3, 4)),
        (np.tril(0.8 ** np.abs(np.subtract.outer(np.arange(T), np.arange(T)))), (0.8,), 0.8,
         (0, 1, 2, 3, 4)),
    ],
)  # fmt: skip
def test_the_fewest_readings(over_time, decays, keep, steps):
    read = membrane_reading(over_time, decays)
    assert read.keep == pytest.approx(keep) and read.steps == steps
    y = np.random.default_rng(0).normal(size=T)
    np.testing.assert_allclose(
        np.atleast_1d(read_again(read, over_time, y)).reshape(-1), over_time @ y, atol=1e-12
    )


def test_weights_that_float32_rounds_still_fall():
    falling = (0.9 ** np.arange(T - 1, -1, -1)).astype(np.float32).astype(float)[None]
    assert membrane_reading(falling, ()).keep == pytest.approx(0.9, abs=1e-6)


def test_spikes_are_read_where_they_count():
    read = spike_reading(row(0, 2, 0, 0, 3))
    assert (read.steps, read.weights.tolist(), read.factor) == ((1, 4), [[2, 3]], 1.0)
    last = spike_reading(row(0, 0, 0, 0, 3))
    assert (last.steps, last.weights, last.factor) == ((), None, 3.0)
