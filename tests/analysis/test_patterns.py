"""Noise, null and ghosts."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snndeploy.analysis import Settings, analyze_model
from snndeploy.analysis.membranes import peak_bars
from snndeploy.analysis.patterns import ghost_pairs, noise_channels, null_channels
from snndeploy.data import load_data
from snndeploy.pipeline import load_graph
from snndeploy.shelf import models_folder


def test_noise_is_a_peak_whose_interval_reaches_the_threshold():
    """Half a bar below and no more ends at V_th: then nothing of the peak fires."""
    assert noise_channels(np.array([-0.6, -0.5, -0.49, 0.0, 3.0, np.nan])) == [2, 3, 4]


def peaks_of(bars):
    """PTD and peak, both in bars from V_th, of one channel's {bar above V_th: values}."""
    low, high = min(bars), max(bars)
    histogram = np.array([[bars.get(bar, 0) for bar in range(low, high + 1)]])
    none = np.zeros(1, dtype=np.int64)
    return [peak_bars(histogram, none, low, weighted=w)[0] for w in (False, True)]


def test_two_levels_are_weighed_by_what_they_hold():
    """A neuron that reads spikes alone: U is 0 or 2 V_th, ten bars below or above V_th."""
    for share in (0, 100, 440, 460, 900):
        ptd, peak = peaks_of({-10: 1000 - share, 10: share} if share else {-10: 1000})
        assert peak == pytest.approx((10.5 * share - 9.5 * (1000 - share)) / 1000)
        assert ptd == pytest.approx(0.5 if share else -9.5), "whatever the channel fires"
        assert noise_channels(np.array([peak])) == ([0] if share > 450 else [])


def test_a_bar_of_chance_moves_the_ptd_and_not_the_peak():
    """Most membranes just above V_th, and the third bar far below by two values."""
    ptd, peak = peaks_of({-11: 13, 0: 18, 1: 438, 2: 11, 3: 11})
    assert ptd == pytest.approx((0.5 + 1.5 - 10.5) / 3) and ptd < 0
    assert peak == pytest.approx((18 * 0.5 + 438 * 1.5 - 13 * 10.5) / 469) and peak > 0


def test_three_equal_bars_have_one_peak():
    assert peaks_of({-2: 7, -1: 7, 0: 7, 4: 6}) == pytest.approx([-0.5, -0.5])
    assert noise_channels(np.array([peaks_of({-2: 7, -1: 7, 0: 7})[1]])) == []


@pytest.mark.torch
def test_noise_of_the_shipped_networks_is_what_fires_densely():
    """direct-digits' block reads spikes: U has two levels.  lif-snn-3-small's densest channels
    have one high bar at V_th and two of chance."""
    _, graph = load_graph("direct-digits")
    layer = "body.stage1.0.spike1"
    digits = load_data(models_folder() / "data" / "mnist_test.npz").take(60)
    found = analyze_model(graph, digits.inputs(), Settings(layers=(layer,)))
    fires = found.rates[layer].c_sfr.mean(axis=0)
    assert (found.membranes[layer].ptd() >= 0).all(), "by the paper's letter all are noise"
    noise = noise_channels(found.membranes[layer].peak())
    assert noise == np.flatnonzero(fires > 0.45).tolist() == [6]

    _, graph = load_graph("lif-snn-3-small")
    events = load_data(models_folder() / "data" / "mnist_events_test.npz").take(60)
    found = analyze_model(graph, events.inputs(), Settings(layers=("spike1",)))
    fires = found.rates["spike1"].c_sfr.mean(axis=0)
    noise = noise_channels(found.membranes["spike1"].peak())
    densest = np.argsort(-fires)[: len(noise)]
    assert sorted(noise) == sorted(densest.tolist()) and len(noise) == 9
    assert found.membranes["spike1"].ptd()[densest[0]] < 0, "by the letter it is none"


def test_null_never_fired_at_any_step():
    counts = np.zeros((2, 3, 2, 2), dtype=np.int64)
    counts[1, 1, 0, 1] = 1
    assert null_channels(counts) == [0, 2]


@given(st.integers(0, 99), st.sampled_from([-1.0, 0.0, 0.5, 0.9]))
def test_ghosts_are_numpys_correlations(seed, threshold):
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, 4, (2, 7, 2, 3))
    counts[:, 3], counts[:, 5] = 0, 2  # a silent channel and one without variation
    found = ghost_pairs(counts, threshold)
    maps = counts.sum(axis=0).reshape(7, -1)
    varied = [c for c in range(7) if maps[c].min() != maps[c].max()]
    expected = sorted(
        ((np.corrcoef(maps[a], maps[b])[0, 1], a, b)
         for i, a in enumerate(varied) for b in varied[i + 1 :]),
        key=lambda entry: -entry[0],
    )  # fmt: skip
    alike = [entry for entry in expected if round(entry[0], 12) >= threshold]
    assert (found.channels, found.pairs) == (len(varied), len(alike))
    assert found.compared == len(expected)
    assert [likeness for _, _, likeness in found.top] == pytest.approx(
        [likeness for likeness, _, _ in alike[:10]], abs=1e-9
    )
    for first, second, likeness in found.top:
        assert likeness == pytest.approx(np.corrcoef(maps[first], maps[second])[0, 1], abs=1e-9)


def test_a_copy_is_a_ghost_however_much_it_fires():
    counts = np.zeros((1, 3, 1, 3), dtype=np.int64)
    counts[0, :, 0] = [[1, 2, 3], [10, 20, 30], [3, 2, 1]]
    found = ghost_pairs(counts, 1.0)
    assert (found.pairs, found.top) == (1, ((0, 1, 1.0),))


def test_one_position_has_no_pattern():
    assert ghost_pairs(np.ones((4, 8, 1, 1), dtype=np.int64), 0.9) is None
