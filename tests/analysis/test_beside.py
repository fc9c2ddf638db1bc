"""Two analyses side by side: pairs of layers, differences, and the pages."""

import io
from dataclasses import replace

import numpy as np
import pytest

from snndeploy.analysis import Beside, Settings, analyze_chip, analyze_model, as_json
from snndeploy.analysis.beside import beside_json
from snndeploy.analysis.beside_text import beside_text
from snndeploy.analysis.layers import SpikingLayer
from snndeploy.analysis.pictures_beside import beside_pictures
from snndeploy.errors import DataError
from snndeploy.program import load

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def x():
    return np.random.default_rng(5).random((7, 1, 8, 8)).astype(np.float32) * 4


@pytest.fixture(scope="module")
def both(made, x):
    """The chip's integers, and the float model at inputs of half the size: fewer spikes."""
    program = load(made / "net.snnp")
    settings = Settings(samples=(5,))
    return Beside(analyze_chip(program, x, settings), analyze_model(program.model, x / 2, settings))


def test_figures_are_those_of_the_documents(both):
    document = beside_json(both, "some.npz")
    first, second = as_json(both.a), as_json(both.b)
    for place, layer in enumerate(document["layers"]):
        a, b = first["layers"][place], second["layers"][place]
        pairs = {
            "lasar_spikes_per_neuron_step": [e["lasar_spikes_per_neuron_step"] for e in (a, b)],
            "entropy_bits_mean": [e["entropy"]["bits_mean"] for e in (a, b)],
            "qe_membrane_units_squared": [
                e["membranes"]["qe_membrane_units_squared"] for e in (a, b)
            ],
            "null_channels": [len(e["null_channels"]) for e in (a, b)],
        }
        for key, (one, other) in pairs.items():
            assert layer[key] == {"a": one, "b": other, "difference": other - one}
    assert document["only_in_a"] == document["only_in_b"] == []
    assert (document["a"]["of"], document["b"]["of"]) == ("chip", "model")


def test_the_spread_of_the_difference_is_of_the_pairs(made, x, both):
    program = load(made / "net.snnp")

    def spikes(found):
        return sum(rates.spikes_per_sample for rates in found.rates.values())

    each = [
        spikes(analyze_model(program.model, one / 2)) - spikes(analyze_chip(program, one))
        for one in x[:, None]
    ]
    shown = beside_json(both)["network"]["spikes_per_sample"]
    assert shown["difference"] == pytest.approx(np.mean(each))
    assert shown["difference_standard_error"] == pytest.approx(np.std(each) / np.sqrt(len(x)))


def layers(*said):
    return tuple(SpikingLayer(n, n, "conv", shape, 1.0, "ge", "model") for n, shape in said)


def test_layers_belong_together_by_name_then_by_shape(both):
    small, large = (1, 2, 2), (4, 8, 8)
    a = replace(both.a, layers=layers(("x", small), ("same", large), ("y", small), ("z", large)))
    b = replace(both.b, layers=layers(("same", large), ("p", small), ("x", large), ("q", small)))
    paired = [(one.name, other.name) for one, other in Beside(a, b).pairs]
    assert paired == [("x", "p"), ("same", "same"), ("y", "q"), ("z", "x")]


def test_not_the_same_samples(both):
    with pytest.raises(DataError) as error:
        Beside(both.a, replace(both.b, samples=3))
    assert str(error.value) == (
        "tiny_model:net saw 7 samples and tiny_model:net 3: give both the same"
    )


def test_the_text(both):
    text = beside_text(beside_json(both, "some.npz"))
    assert max(map(len, text.splitlines())) <= 80
    assert text.splitlines()[:3] == [
        "A: tiny_model:net (integers on loihi2), T=2", "B: tiny_model:net (float model), T=2",
        "7 samples of some.npz; differences are B - A",
    ]  # fmt: skip
    a, b = (int(one.spikes_by_sample.sum()) / 7 for one in (both.a, both.b))
    line = next(line for line in text.splitlines() if line.startswith("  spikes a sample  "))
    assert line.split()[3:] == [f"{a:,.0f}", f"{b:,.0f}", f"{b - a:+,.0f}"]


def test_the_pages_open(both):
    from PIL import Image

    pages = beside_pictures(both)
    assert sorted(pages) == ["beside.png", "beside_sample_00005.png"]
    for content in pages.values():
        pixels = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
        assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 100
    assert beside_pictures(both) == pages
