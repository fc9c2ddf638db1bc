"""MA-SNN's own code, unmodified, with every attention it has, to a simulated program.

SNNDEPLOY_PUBLISHED names the folder with the clone MA-SNN (BICLab/MA-SNN; it needs einops).  The
weights are the module's own at first, its norms with statistics of the frames, in which every layer
fires; the frames are N-MNIST recordings of 32 x 32 places in 4 bins, counts of events.  The factory
leaves its network in the configuration, and sets up an optimizer in a way that torch has dropped.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from journey import journey
from test_published_residual import live, repositories  # noqa: F401

from snndeploy.data import Data
from snndeploy.frontend.load import load
from snndeploy.pipeline.options import Options

pytestmark = [pytest.mark.published, pytest.mark.torch]
SYSTEM = ("MA-SNN", "TPAMI 2023")
SAMPLES, STEPS, SIDE = 8, 4, 32
DOUBLE = Options(weights="double")
ATTENTIONS = ("no", "TA", "CA", "SA", "TCA", "TSA", "CSA", "TCSA")


def spec(attention: str) -> str:
    changes = f"attention='{attention}', T={STEPS}, t_ratio=2, im_height={SIDE}, im_width={SIDE}"
    return (
        "DVSGestures.CNN.Networks.Att_SNN:create_net("
        f"replace(DVSGestures.CNN.Config.configs(), {changes}))"
    )


@pytest.fixture(scope="module")
def frames(shared_data) -> Data:
    return recorded(shared_data, SAMPLES)


def recorded(shared_data, samples: int) -> Data:
    x = np.zeros((samples, STEPS, 2, SIDE, SIDE), np.float32)
    with np.load(shared_data / "events" / "nmnist_200.npz") as held:
        events = {key: held[key] for key in ("x", "y", "p", "t")}
        starts, labels = held["offset"], held["label"][:samples]
    for sample in range(samples):
        part = {k: v[starts[sample] : starts[sample + 1]].astype(int) for k, v in events.items()}
        inside = (part["x"] < SIDE) & (part["y"] < SIDE)
        step = part["t"] * STEPS // (part["t"].max() + 1)
        places = (step, part["p"], part["y"], part["x"])
        np.add.at(x[sample], tuple(place[inside] for place in places), 1)
    return Data(x, labels.astype(np.int64), 1.0, "nmnist")


@pytest.fixture
def checkpoint(repositories, frames, tmp_path):  # noqa: F811
    pytest.importorskip("einops", reason="NOT TESTED: the repository needs einops")

    def made(attention: str):
        folder = repositories / "MA-SNN" / "MA_SNN"
        found = load(spec(attention), random_weights=True, path=[folder], data=frames)
        for norm in found.module.modules():
            if isinstance(norm, torch.nn.modules.batchnorm._BatchNorm):
                norm.momentum = None
                torch.nn.init.constant_(norm.weight, 1.0)
        with torch.no_grad(), found.code:
            found.module.train()(torch.from_numpy(frames.inputs()))
        torch.save(found.module.state_dict(), tmp_path / "weights.pt")
        return {"path": [folder], "checkpoint": tmp_path / "weights.pt"}

    return made


@pytest.mark.parametrize("attention", ATTENTIONS)
def test_with_every_attention(attention, checkpoint, frames):
    target = "loihi2" if attention == "no" else "hybrid45nm"
    given = checkpoint(attention)
    found = journey(
        *SYSTEM, attention, spec(attention), frames, target=target, options=DOUBLE, **given
    )
    assert (found.row.reached, found.row.said) == ("simulated", "")
    assert_fires_and_agrees(found, frames)


def test_with_attention_on_the_host(checkpoint, frames):
    options, given = Options(host_attention=True, weights="double"), checkpoint("TCSA")
    found = journey(*SYSTEM, "TCSA, on the host", spec("TCSA"), frames, options=options, **given)
    assert (found.row.reached, found.row.said) == ("simulated", "")
    assert_fires_and_agrees(found, frames)


def assert_fires_and_agrees(found, frames):
    """Every layer fires; the layers that have norms, and so currents of a size that was set, fire
    on the chip as in the model.  Behind them untrained weights leave currents near nothing."""
    rates = live(found.opened.graph, frames)
    assert len(rates) == 5 and all(0.001 < rate < 0.6 for rate in rates.values()), rates
    agreeing = {
        name: layer.matching / (layer.neurons * STEPS * found.simulation.samples)
        for name, layer in found.simulation.layers.items()
        if layer.matching is not None and "ConvIF" in name
    }
    assert len(agreeing) == 3 and min(agreeing.values()) > 0.95, agreeing
