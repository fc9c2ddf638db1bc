"""Rates against numpy on the whole recording, and the identity of section 1."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snndeploy.analysis.rates import LayerRates, SpikeSums, network_rates

T = 3
SHAPES = [(2, 3, 4), (5, 1, 1), (3, 2, 2)]


def recording(seed, samples, shape):
    """Spikes bool (samples, T, *shape) with channels of different rates."""
    rng = np.random.default_rng(seed)
    rate = rng.random((1, T, shape[0], 1, 1))
    return rng.random((samples, T, *shape)) < rate


def rates_of(spikes, chunks=(10**9,), by_neuron=True):
    sums = SpikeSums(spikes.shape[1], spikes.shape[2:], by_neuron)
    start = 0
    for size in [*chunks, 10**9]:
        for step in range(spikes.shape[1]):
            part = spikes[start : start + size, step]
            if len(part):
                sums.take(step, part)
        start += size
    neurons = int(np.prod(spikes.shape[2:]))
    return LayerRates(sums.counts, len(spikes), neurons, by_neuron)


@given(st.integers(0, 99), st.integers(1, 20), st.sampled_from(SHAPES), st.booleans())
def test_a_layers_rates_are_the_means_that_their_names_say(seed, samples, shape, by_neuron):
    spikes = recording(seed, samples, shape)
    found = rates_of(spikes, by_neuron=by_neuron)
    s = spikes.astype(np.float64)
    np.testing.assert_allclose(found.lsar, s.mean(axis=(0, 2, 3, 4)), rtol=1e-12)
    np.testing.assert_allclose(found.lasar, s.mean(), rtol=1e-12)
    np.testing.assert_allclose(found.c_sfr, s.mean(axis=(0, 3, 4)), rtol=1e-12)
    assert found.spikes_per_sample == pytest.approx(spikes.sum() / samples, rel=1e-12)
    if by_neuron:
        np.testing.assert_allclose(found.n_sfr, s.mean(axis=0), rtol=1e-12)
        np.testing.assert_allclose(found.asrv, s.mean(axis=(0, 1)), rtol=1e-12)


@given(st.lists(st.integers(1, 7), max_size=6), st.booleans())
def test_chunks_change_nothing(chunks, by_neuron):
    spikes = recording(1, 13, (4, 2, 3))
    whole, parts = rates_of(spikes, by_neuron=by_neuron), rates_of(spikes, chunks, by_neuron)
    np.testing.assert_array_equal(whole.counts, parts.counts)


def test_more_samples_than_a_byte_counts():
    spikes = np.ones((300, 1, 1, 1, 2), dtype=bool)
    assert rates_of(spikes).counts.ravel().tolist() == [300, 300]


@given(st.integers(0, 99), st.integers(1, 9))
def test_the_network_is_the_neurons_of_all_layers(seed, samples):
    spikes = [recording(seed + i, samples, shape) for i, shape in enumerate(SHAPES)]
    found = network_rates([rates_of(part) for part in spikes])
    flat = np.concatenate([part.reshape(samples, T, -1) for part in spikes], axis=2)
    assert found.neurons == flat.shape[2]
    np.testing.assert_allclose(found.nsar, flat.mean(axis=(0, 2)), rtol=1e-12)
    assert found.nasar == pytest.approx(flat.mean(), rel=1e-12)
    assert found.spikes_per_sample == pytest.approx(flat.sum() / samples, rel=1e-12)
    assert found.nasar == pytest.approx(found.nsar.mean(), rel=1e-12)
    assert found.nasar == pytest.approx(found.by_identity, rel=1e-12)


def test_no_layer_has_no_rate():
    assert network_rates([]) is None


@pytest.mark.parametrize(
    ("rates", "printed"),
    [
        ((0.20, 0.15, 0.10, 0.05, 0.02), 0.1766026),
        ((0.08, 0.05, 0.04, 0.02, 0.01), 0.0675720),
    ],
)
def test_nasar_of_the_papers_network(rates, printed):
    """Golden E5: LIF-SNN-3's neurons with synthetic layer rates, output rate .02 or .01."""
    neurons = (65_536, 32_768, 8_192, 256, 11)
    samples = 100  # so that every rate is a whole number of spikes
    layers = [
        LayerRates(np.full((1, 1, 1, 1), round(rate * samples) * count), samples, count, False)
        for rate, count in zip(rates, neurons, strict=True)
    ]
    found = network_rates(layers)
    assert round(found.nasar, 7) == printed
    assert round(found.by_identity, 7) == printed
