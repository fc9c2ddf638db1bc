"""Pictures: every one opens, and shows what it should."""

import io
from dataclasses import replace

import numpy as np
import pytest

from snndeploy.analysis import Settings, analyze_chip
from snndeploy.analysis.pictures import pictures, tiled
from snndeploy.program import load

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def analysis(made):
    x = np.random.default_rng(3).random((6, 1, 8, 8)).astype(np.float32) * 3
    return analyze_chip(load(made / "net.snnp"), x)


def opened(content):
    from PIL import Image

    image = Image.open(io.BytesIO(content))
    image.load()
    return np.asarray(image.convert("RGB"))


def test_every_picture_opens_and_is_not_blank(analysis):
    found = pictures(analysis)
    assert sorted(found) == [
        "asrv_000_spike1.png", "asrv_001_spike2.png", "firing_period_000.png", "lasar.png",
        "membranes_000_spike1.png", "membranes_001_spike2.png", "noise_000_spike1.png",
        "noise_001_spike2.png", "nsar.png",
    ]  # fmt: skip
    for name, content in found.items():
        pixels = opened(content)
        assert pixels.shape[1] == 768 and pixels.shape[0] >= 150, name
        assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 20, name


def test_the_same_figures_give_the_same_bytes(analysis):
    assert pictures(analysis) == pictures(analysis)


def test_names_that_would_harm_a_folder_or_a_title(analysis):
    odd = "../../$\\frac{x$ 層\x07" + "y" * 300
    layer = replace(analysis.layers[0], name=odd)
    renamed = replace(
        analysis,
        layers=(layer,),
        detailed=(odd,),
        rates={odd: analysis.rates["spike1"]},
        membranes={odd: analysis.membranes["spike1"]},
        periods=(),
    )
    found = pictures(renamed)
    assert all("/" not in name and "\\" not in name and len(name) < 80 for name in found)
    assert all(opened(content).size for content in found.values())


def test_membranes_out_of_every_bars_reach(analysis, made):
    x = np.ones((2, 1, 8, 8), np.float32)
    far = analyze_chip(load(made / "net.snnp"), x, Settings(bin_width=1e-9))
    assert any(membranes.outside for membranes in far.membranes.values())
    assert all(opened(content).size for content in pictures(far).values())


def test_tiles_stand_row_by_row():
    values = np.arange(3 * 2 * 2).reshape(3, 2, 2)
    found = tiled(values, 2)
    assert found.shape == (5, 5)
    np.testing.assert_array_equal(found[:2, 3:], values[1])
    np.testing.assert_array_equal(found[3:, :2], values[2])
    assert (
        np.isnan(found[2]).all() and np.isnan(found[:, 2]).all() and np.isnan(found[3:, 3:]).all()
    )
