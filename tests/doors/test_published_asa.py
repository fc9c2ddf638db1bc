"""ASA-SNN's own code, unmodified, plain and with its attention, to a simulated program.

SNNDEPLOY_PUBLISHED names the folder with the clone ASA-SNN (BICLab/ASA-SNN) and a folder
ASA-SNN-needs with what it imports and later versions lack:

    pip install --no-deps --target ASA-SNN-needs spikingjelly==0.0.0.0.12 einops pandas \
        python-dateutil six

The weights are the module's own at first, its norms with statistics of the frames and its linear
layers enlarged, so that every layer fires.  The frames are those of `test_published_attention`.
"""

from __future__ import annotations

import pytest
import torch
from journey import journey
from test_published_attention import STEPS, frames, recorded  # noqa: F401
from test_published_residual import live, repositories  # noqa: F401

from snndeploy.frontend.load import load
from snndeploy.pipeline.options import Options

pytestmark = [pytest.mark.published, pytest.mark.torch]
SYSTEM = ("ASA-SNN", "ICCV 2023")
ON_HOST = "ASA-1, on the host"
BATCHES = {  # its size, and the part of each layer's spikes that it turns into others
    2: [0.040, 0.142, 0.189, 0.240, 0.244],
    4: [0.066, 0.192, 0.236, 0.276, 0.285],
    32: [0.095, 0.247, 0.284, 0.303, 0.283],
}


def spec(attention: str) -> str:
    """The paper's ASA-1 has two layers along time, reduction 2; 1 would be a single one."""
    given = ["-T", str(STEPS), "-ps", "00111", "-attention", attention, "-reduction", "2"]
    return f"models.Net:DVSGestureNet(config.parser.parse_args({given}))"


@pytest.fixture
def opened(repositories, frames):  # noqa: F811
    needs = repositories / "ASA-SNN-needs"
    if not needs.is_dir():
        pytest.skip(f"NOT TESTED: {needs} is missing; the first lines of this file make it")

    def made(attention: str):
        path = [repositories / "ASA-SNN", needs]
        found = load(spec(attention), random_weights=True, path=path, data=frames)
        for part in found.module.modules():
            if isinstance(part, torch.nn.BatchNorm2d):
                part.momentum = None
                torch.nn.init.constant_(part.weight, 1.5)
            if isinstance(part, torch.nn.Linear) and part.bias is not None:
                torch.nn.init.normal_(part.weight, 0.0, 2.0 * part.in_features**-0.5)
        with torch.no_grad(), found.code:
            found.module.train()(torch.from_numpy(frames.inputs()))
        return found, path

    return made


@pytest.mark.parametrize(
    "name, attention, target",
    [("plain", "no", "loihi2"), ("ASA-1", "ASA", "hybrid45nm"), (ON_HOST, "ASA", "loihi2")],
)
def test_as_published(name, attention, target, opened, frames, tmp_path):  # noqa: F811
    found, path = opened(attention)
    torch.save(found.module.state_dict(), tmp_path / "weights.pt")
    options = Options(weights="double", host_attention=name == ON_HOST)
    came = journey(
        *SYSTEM, name, spec(attention), frames, target=target, options=options, path=path,
        checkpoint=tmp_path / "weights.pt",
    )  # fmt: skip
    assert (came.row.reached, came.row.said) == ("simulated", "")
    rates = live(came.opened.graph, frames)
    assert len(rates) == 5 and all(0.001 < rate < 0.6 for rate in rates.values()), rates
    agreeing = [
        layer.matching / (layer.neurons * STEPS * came.simulation.samples)
        for layer in came.simulation.layers.values()
        if layer.matching is not None
    ]
    # Weights that were not trained are near their thresholds, and each layer adds its differences;
    # at these rates unrelated layers agree at 0.55.
    assert len(agreeing) == 5 and agreeing[0] > 0.94 and min(agreeing) > 0.7, agreeing


def test_how_much_a_batch_differs_from_its_samples(opened, shared_data):
    """What docs/doors.md says: the part of a layer's spikes that a batch turns into others."""
    module = opened("ASA")[0].module.eval()
    x = torch.from_numpy(recorded(shared_data, 32).inputs())
    alone = [spikes_of(module, x[[i, i]]) for i in range(len(x))]
    for size, said in BATCHES.items():
        batches = [spikes_of(module, part) for part in x.split(size)]
        found = []
        for layer in range(5):
            ours = torch.cat([spikes[layer][:, :1] for spikes in alone], 1)
            theirs = torch.cat([spikes[layer] for spikes in batches], 1)
            found.append(float((ours != theirs).float().mean()))
        assert found == pytest.approx(said, abs=0.02)


def spikes_of(module, x):
    """Of a batch of one, the code drops the dimension."""
    for part in module.modules():
        if hasattr(part, "reset"):
            part.reset()
    with torch.no_grad():
        return module(x)[1]
