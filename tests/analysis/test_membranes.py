"""Histograms, PTD, variance and QE against numpy on the whole recording."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snndeploy.analysis import membranes as module
from snndeploy.analysis.membranes import MembraneSums, peak_to_threshold
from snndeploy.errors import DataError

T, V_TH, WIDTH = 2, 0.5, 0.125
widths = st.sampled_from([0.05, 0.125, 0.3, 2.0])


def recording(seed, samples=6, shape=(3, 2, 2)):
    """Membranes U, float64 (samples, T, *shape), and spikes."""
    rng = np.random.default_rng(seed)
    u = rng.normal(rng.normal(size=(1, T, shape[0], 1, 1)), 0.7, (samples, T, *shape))
    return u, u >= V_TH


def sums_of(u, spikes, chunks=(10**9,), width=WIDTH):
    sums = MembraneSums("layer", T, u.shape[2], V_TH, width)
    start = 0
    for size in [*chunks, 10**9]:
        part = slice(start, start + size)
        for step in range(T):
            if len(u[part]):
                sums.take(step, u[part, step] - V_TH, spikes[part, step])
        start += size
    return sums.result()


def peak_by_sorting(values, width):
    """PTD, spelled out: the three highest bars, the lower membrane first, their mean centre."""
    bars, counts = np.unique(np.floor((values - V_TH) / width), return_counts=True)
    order = sorted(range(len(bars)), key=lambda i: (-counts[i], bars[i]))[:3]
    return np.mean([(bars[i] + 0.5) * width for i in order])


@given(st.integers(0, 99), widths)
def test_figures_are_what_their_definitions_say(seed, width):
    u, spikes = recording(seed)
    found = sums_of(u, spikes, width=width)
    error = np.square(u - spikes)
    axes = (0, 3, 4)
    np.testing.assert_allclose(found.variance(by_step=True), u.var(axis=axes), rtol=1e-9)
    np.testing.assert_allclose(found.variance(), u.var(axis=(0, 1, 3, 4)), rtol=1e-9)
    np.testing.assert_allclose(found.quantization_error(by_step=True), error.mean(axis=axes))
    np.testing.assert_allclose(found.quantization_error(), error.mean(axis=(0, 1, 3, 4)))
    assert found.layer_variance == pytest.approx(u.var(), rel=1e-9)
    assert found.layer_quantization_error == pytest.approx(error.mean(), rel=1e-12)
    for c in range(u.shape[2]):
        assert found.ptd()[c] == pytest.approx(peak_by_sorting(u[:, :, c], width), abs=1e-12)
        for t in range(T):
            expected = peak_by_sorting(u[:, t, c], width)
            assert found.ptd(by_step=True)[t, c] == pytest.approx(expected, abs=1e-12)
    assert found.layer_ptd == pytest.approx(peak_by_sorting(u, width), abs=1e-12)


@given(st.integers(0, 99), widths)
def test_bars_are_numpys(seed, width):
    u, spikes = recording(seed)
    found = sums_of(u, spikes, width=width)
    for t in range(T):
        for c in range(u.shape[2]):
            expected, _ = np.histogram(u[:, t, c], found.edges)
            assert found.histogram[t, c].tolist() == expected.tolist()
    assert found.histogram.sum() == u.size
    ends = found.histogram.sum(axis=(0, 1))[[0, -1]]
    assert (ends > 0).all(), "empty bars at the ends"


@given(st.integers(0, 99), st.lists(st.integers(1, 4), max_size=5))
def test_chunks_change_nothing(seed, chunks):
    u, spikes = recording(seed)
    whole, parts = sums_of(u, spikes), sums_of(u, spikes, chunks)
    np.testing.assert_array_equal(whole.histogram, parts.histogram)
    np.testing.assert_array_equal(whole.edges, parts.edges)
    np.testing.assert_array_equal(whole.ptd(), parts.ptd())
    np.testing.assert_allclose(whole.variance(), parts.variance(), rtol=1e-12)
    np.testing.assert_allclose(whole.quantization_error(), parts.quantization_error(), rtol=1e-12)


def test_a_bar_begins_at_the_threshold():
    """U = V_th lies in the first bar of what fires, just below in the bar before."""
    u = np.array([V_TH, np.nextafter(V_TH, 0)]).reshape(2, 1, 1, 1, 1).repeat(T, axis=1)
    found = sums_of(u, u >= V_TH)
    assert found.low == -1
    assert found.histogram.sum(axis=(0, 1)).tolist() == [T, T]
    assert found.edges[1] == V_TH


def test_peaks_of_equal_bars_and_of_few():
    histogram = np.array([[5, 0, 5, 5, 5], [0, 0, 7, 0, 0], [1, 0, 0, 0, 9], [0, 0, 0, 0, 0]])
    found = peak_to_threshold(histogram, np.zeros(4, dtype=int), low=-2, width=0.5)
    # bars 0, 2 and 3, whose centres are -1.5, .5 and 1.5 widths; then 2; then 4 and 0; none
    assert found[:3].tolist() == pytest.approx([0.5 / 3 * 0.5, 0.25, 0.25])
    assert np.isnan(found[3])


def test_far_membranes_are_counted_and_may_hide_the_peak():
    far = V_TH + WIDTH * (module.FARTHEST_BAR + 0.5)
    u = np.full((8, T, 2, 1, 1), V_TH + 0.01)
    u[0, 0, 0], u[1, 0, 0] = far, -far
    u[:7, :, 1] = far
    found = sums_of(u, u >= V_TH)
    assert (found.above.tolist(), found.below.tolist()) == ([[1, 7], [0, 7]], [[1, 0], [0, 0]])
    assert found.outside == 16
    assert found.histogram.sum() + found.outside == u.size
    known = found.ptd(by_step=True)
    assert known[:, 0].tolist() == [WIDTH / 2, WIDTH / 2]
    assert np.isnan(known[:, 1]).all(), "seven hidden values may be one higher bar"


def test_only_far_membranes():
    u = np.full((2, T, 1, 1, 1), 1e6)
    found = sums_of(u, u >= V_TH)
    assert found.histogram.shape == (T, 1, 0)
    assert np.isnan(found.ptd()).all() and np.isnan(found.layer_ptd)


def test_too_many_bars_are_refused(monkeypatch):
    monkeypatch.setattr(module, "LARGEST_HISTOGRAM", 1000)
    u = np.linspace(-40, 40, 20 * T).reshape(20, T, 1, 1, 1)
    with pytest.raises(DataError) as error:
        sums_of(u, u >= V_TH)
    assert str(error.value) == (
        "layer: histograms of 2 steps x 1 channels x 656 bars of 0.125 are 1,312 bars; at most"
        " 1,000 are kept: give a larger --bin-width"
    )


def test_membranes_that_are_no_numbers_are_refused():
    u = np.full((1, T, 1, 1, 1), np.inf)
    with pytest.raises(DataError) as error:
        sums_of(u, u >= V_TH)
    assert str(error.value) == "layer: membranes are NaN or infinite; nothing can be counted"
