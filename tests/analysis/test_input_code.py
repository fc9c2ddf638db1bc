"""Rate, phase and temporal codes: recognised by what they do, never by their names."""

import sys

import numpy as np
import pytest

from snndeploy import pipeline
from snndeploy.analysis import analyze_model, as_json
from snndeploy.analysis.input_code import input_codes, scheme_of
from snndeploy.data import load_data
from snndeploy.shelf import models_folder

pytestmark = pytest.mark.torch
X = np.random.default_rng(1).integers(0, 256, (8, 400)) / 255


def rate(x, timesteps, gain=1.0):
    draws = np.random.default_rng(0).random((1, timesteps, x.shape[1]))
    return (gain * x[:, None] > draws).astype(float)


def temporal(x, timesteps):
    when = np.rint((timesteps - 1) * (1 - x))
    return (when[:, None] == np.arange(timesteps)[None, :, None]).astype(float)


def phase(x, timesteps, bits):
    whole = np.minimum(np.floor(x * 2**bits), 2**bits - 1).astype(int)
    shown = [
        (whole >> (bits - 1 - t % bits) & 1) * 2.0 ** -(1 + t % bits) for t in range(timesteps)
    ]
    return np.stack(shown, axis=1)


@pytest.mark.parametrize("timesteps", [2, 8, 32])
def test_what_each_does(timesteps):
    assert scheme_of(rate(X, timesteps), X) == ("rate", None)
    assert scheme_of(temporal(X, timesteps), X) == ("temporal", None)
    assert scheme_of(phase(X, timesteps, 2), X) == ("phase", 2)


def test_a_phase_code_repeats_after_its_bits():
    """Section 6's golden patterns, K = 8: 192/256 -> 11000000, 1/256 -> 00000001."""
    assert (phase(np.array([[192 / 256, 1 / 256]]), 8, 8) > 0).astype(int)[0].T.tolist() == [
        [1, 1, 0, 0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 0, 0, 1],
    ]
    assert scheme_of(phase(X, 24, 8), X) == ("phase", 8)


def test_the_least_bit_may_come_first():
    assert scheme_of(phase(X, 8, 8)[:, ::-1], X) == ("phase", 8)


@pytest.mark.parametrize(
    "values",
    [
        pytest.param(rate(X, 8, gain=0.5), id="half as many spikes"),
        pytest.param(temporal(1 - X, 8), id="the darkest first"),
        pytest.param(temporal(X, 8) * 0.5, id="spikes of a half"),
        pytest.param(phase(0.5 * X, 8, 8), id="half of x"),
        pytest.param(np.repeat(X[:, None], 8, axis=1), id="x itself"),
        pytest.param(np.zeros((8, 8, 400)), id="nothing"),
    ],
)
def test_what_is_none_of_them(values):
    assert scheme_of(values, X) == (None, None)


def shipped(scheme, samples, timesteps=8):
    spec = f"{models_folder()}/gac.py:{scheme}_digits(timesteps={timesteps})"
    _, graph = pipeline.load_graph(spec, random_weights=True)
    data = load_data(models_folder() / "data" / "mnist_test.npz").take(samples)
    return graph, data.inputs()


def codings_of_the_models():
    """The code of models/, not the compiler's."""
    sys.path.insert(0, str(models_folder()))
    try:
        import codings
    finally:
        sys.path.pop(0)
    return codings


@pytest.mark.parametrize(("scheme", "period"), [("rate", None), ("phase", 8), ("temporal", None)])
def test_the_shipped_codes(scheme, period):
    import torch

    graph, x = shipped(scheme, 3)
    (code,) = input_codes(graph)
    assert (code.scheme, code.period) == (scheme, period)
    (entry,) = as_json(analyze_model(graph, x))["coding"]
    coded = codings_of_the_models().coding(scheme, 8, (1, 28, 28))(torch.from_numpy(x))
    fired = coded.numpy() != 0  # (T, B, 1, 28, 28)
    assert entry["scheme"] == scheme
    assert entry["spikes_per_element"] == pytest.approx(fired.sum() / (3 * 784))
    first = np.where(fired.any(axis=0), fired.argmax(axis=0) + 1, 0)
    assert list(entry["first_spike"]["count_by_steps"].values()) == [
        int((first == step).sum()) for step in range(1, 9)
    ]
    assert entry["first_spike"]["count_never"] == (first == 0).sum()
    duration = {"rate": 8, "phase": 8, "temporal": first.mean()}[scheme]
    assert entry["dynamics_duration_mean_steps"] == pytest.approx(duration)
    assert entry.get("repeats_after_steps") == period


def test_a_network_of_event_frames_has_no_input_code():
    _, graph = pipeline.load_graph("lif-snn-3-small")
    assert input_codes(graph) == ()
