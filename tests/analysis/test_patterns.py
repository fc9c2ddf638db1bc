"""Noise, null and ghosts."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snndeploy.analysis.patterns import ghost_pairs, noise_channels, null_channels


def test_noise_is_a_peak_at_or_above_the_threshold():
    assert noise_channels(np.array([-0.1, 0.0, 0.2, np.nan])) == [1, 2]


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
