"""The papers' own residual networks, unmodified, from their repositories to a simulated program.

SNNDEPLOY_PUBLISHED names the folder of the clones: GAC (bollossom/GAC), MS-ResNet
(Ariande1/MS-ResNet), MA-SNN (BICLab/MA-SNN; its residual network needs einops).  They publish no
weights for most of these, so each gets a checkpoint of its own initialisation with norm statistics
of CIFAR images, in which every layer fires.  What is made for 224 x 224 runs at 64 x 64.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from journey import journey

from snndeploy.data import Data
from snndeploy.frontend.load import load
from snndeploy.ops.evaluate import evaluate
from snndeploy.pipeline.options import Options

pytestmark = [pytest.mark.published, pytest.mark.torch]
SAMPLES = 8


@dataclass(frozen=True)
class Published:
    """folder: what the authors' scripts run in.  steps: what their code says.  side: of images."""

    system: str
    version: str
    folder: str
    spec: str
    steps: int
    side: int
    target: str
    neurons: int
    options: Options = Options()  # noqa: RUF009


GAC = ("GAC", "AAAI 2024")
MS = ("MS-ResNet", "TNNLS 2024")
ATT = ("Att-Res-SNN", "TPAMI 2023")
HOST = Options(host_attention=True)
NETS = {
    "gac_cifar": Published(
        *GAC, "GAC/CODE/CIFAR", "models.MS_ResNet:msresnet18()", 6, 32, "loihi2", 18
    ),
    "gac_imagenet": Published(
        *GAC, "GAC/CODE/ImageNet", "models.MS_ResNet:resnet18()", 4, 64, "loihi2", 18
    ),
    "ms_resnet18": Published(*MS, "MS-ResNet", "models.MS_ResNet:resnet18()", 6, 64, "loihi2", 17),
    "att_resnet18": Published(
        *ATT, "MA-SNN/Att_Res_SNN", "models.resnet_2:resnet18()", 1, 64, "hybrid45nm", 17
    ),
    "att_resnet18_host": Published(
        *ATT, "MA-SNN/Att_Res_SNN", "models.resnet_2:resnet18()", 1, 64, "loihi2", 17, HOST
    ),
}


@pytest.fixture
def repositories() -> Path:
    named = os.environ.get("SNNDEPLOY_PUBLISHED", "")
    if not named or not Path(named).is_dir():
        pytest.skip("NOT TESTED: SNNDEPLOY_PUBLISHED names no folder of the papers' repositories")
    return Path(named)


def images(shared_data: Path, side: int) -> Data:
    """CIFAR-10 images as the authors normalise them, at another size by repeated pixels."""
    with np.load(shared_data / "images" / "cifar10_500.npz") as held:
        x, y = held["x"][:SAMPLES], held["y"][:SAMPLES]
    x = ((x / 255 - 0.4734) / 0.2516).astype(np.float32)
    x = x.repeat(side // x.shape[-1], axis=-1).repeat(side // x.shape[-2], axis=-2)
    return Data(np.ascontiguousarray(x), y.astype(np.int64), 1.0, "cifar10")


def checkpoint(net: Published, folder: Path, data: Data, path: Path) -> Path:
    """Initial weights of the module, its norms with statistics of the data: every layer fires."""
    found = load(net.spec, random_weights=True, path=[folder], data=data)
    module = found.module
    for norm in module.modules():
        if isinstance(norm, torch.nn.modules.batchnorm._BatchNorm):
            norm.momentum = None
            torch.nn.init.constant_(norm.weight, 1.0)
    with torch.no_grad(), found.code:
        module.train()(torch.from_numpy(data.inputs()))
    torch.save(module.state_dict(), path)
    return path


@pytest.mark.parametrize("name", NETS)
def test_as_published(name, repositories, shared_data, tmp_path):
    net = NETS[name]
    folder = repositories / net.folder
    if net.system == ATT[0]:
        pytest.importorskip("einops", reason="NOT TESTED: the repository needs einops")
    data = images(shared_data, net.side)
    found = journey(
        net.system, net.version, name.replace("_", " "), net.spec, data, target=net.target,
        options=net.options, path=[folder],
        checkpoint=checkpoint(net, folder, data, tmp_path / "weights.pt"),
    )  # fmt: skip
    assert (found.row.reached, found.row.said) == ("simulated", "")
    assert found.opened.facts.timesteps == net.steps
    rates = live(found.opened.graph, data)
    assert len(rates) == net.neurons and all(0.01 < rate < 0.6 for rate in rates.values()), rates
    ((chip, real),) = found.simulation.answers()
    assert np.corrcoef(chip.reshape(-1), real.reshape(-1))[0, 1] > 0.9


def live(graph, data):
    """The part of the steps at which each layer's neurons fire."""
    rates = {}

    def rate(node, inputs, value):
        if node.is_neuron:
            rates[node.name] = float((value != 0).double().mean())
        return value

    evaluate(graph, data.inputs(), hoist=False, observe=rate)
    return rates
