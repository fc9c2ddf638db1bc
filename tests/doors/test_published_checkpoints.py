"""State dicts that the papers' own code saves, loaded into the shipped twins by shape and order.

SNNDEPLOY_PUBLISHED names the folder of the clones.  The twin then answers as the published module
does with the same weights, which are random, with norm statistics of its input.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from snndeploy.errors import ModelError
from snndeploy.frontend.load import load
from snndeploy.shelf import models_folder

pytestmark = [pytest.mark.published, pytest.mark.torch]

GAC = "gac.py:gac_ms_resnet_cifar(timesteps=6, classes=10, neuron='gac_code_cifar')"
"""The code's neuron is not the one that the paper prints, which `gac-ms-resnet18-cifar10` has."""
PAIRS = {
    f"{models_folder()}/{GAC}": ("GAC/CODE/CIFAR", "models.MS_ResNet:msresnet18()", 32, 106),
    "ms-resnet18": ("MS-ResNet", "models.MS_ResNet:resnet18()", 64, 107),
    "ms-resnet34": ("MS-ResNet", "models.MS_ResNet:resnet34()", 64, 187),
}


@pytest.fixture
def repositories() -> Path:
    named = os.environ.get("SNNDEPLOY_PUBLISHED", "")
    if not named or not Path(named).is_dir():
        pytest.skip("NOT TESTED: SNNDEPLOY_PUBLISHED names no folder of the papers' repositories")
    return Path(named)


@pytest.mark.parametrize("twin", PAIRS, ids=lambda twin: twin.rpartition("/")[2].partition("(")[0])
def test_the_twin_answers_as_the_published_module(twin, repositories, tmp_path):
    folder, spec, side, count = PAIRS[twin]
    torch.manual_seed(0)
    x = torch.randn(4, 3, side, side)
    published = load(spec, random_weights=True, path=[repositories / folder], input_shape=(3, 1, 1))
    for norm in published.module.modules():
        if isinstance(norm, torch.nn.modules.batchnorm._BatchNorm):
            norm.momentum = None
            torch.nn.init.constant_(norm.weight, 1.0)
    with published.code, torch.no_grad():
        published.module.train()(x.clone())
        expected = published.module.eval()(x.clone())
    torch.save({"net": published.module.state_dict()}, tmp_path / "published.pth")
    loaded = load(twin, tmp_path / "published.pth")
    assert any(f"all {count} tensors were matched by shape" in note for note in loaded.notes)
    with loaded.code, torch.no_grad():
        found = loaded.module(x.clone())
    if expected.shape != found.shape:
        expected = expected.mean(1)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    assert float(expected.std()) > 0.01


@pytest.mark.parametrize(
    ("twin", "folder", "spec"),
    [
        ("gac-ms-resnet18", "GAC/CODE/ImageNet", "models.MS_ResNet:resnet18()"),
        ("ms-resnet34", "MS-ResNet", "models.MS_ResNet:resnet18()"),
    ],
)
def test_what_is_no_proof_is_refused(twin, folder, spec, repositories, tmp_path):
    """GAC's ImageNet code has 4 steps, the twin the paper's 6: another attention."""
    published = load(spec, random_weights=True, path=[repositories / folder], input_shape=(3, 1, 1))
    torch.save(published.module.state_dict(), tmp_path / "published.pth")
    with pytest.raises(ModelError, match="does not belong to this model"):
        load(twin, tmp_path / "published.pth")
