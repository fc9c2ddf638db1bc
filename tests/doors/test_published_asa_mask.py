"""ASA as published (BICLab/ASA-SNN, unmodified, needs einops) against models/asa_snn.py."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

pytestmark = [pytest.mark.published, pytest.mark.torch]
MODELS = Path(__file__).resolve().parents[2] / "models"
STEPS, CHANNELS = 60, 64  # the first layer of LIF-SNN-3


@pytest.fixture(scope="module")
def published() -> Any:
    """The class of the repository, from its file alone: the rest of it needs a data set."""
    folder = Path(os.environ["SNNDEPLOY_PUBLISHED"])
    path = folder / "ASA-SNN" / "models" / "module" / "Attn.py"
    spec = importlib.util.spec_from_file_location("published_attention", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    torch.manual_seed(0)
    return module.ASA(STEPS, CHANNELS, 4).eval()


@pytest.fixture(scope="module")
def ours(published: Any) -> Any:
    sys.path.insert(0, str(MODELS))
    from asa_snn import ASA, SETTINGS

    module = ASA(STEPS, 1, SETTINGS["asa_code_script"]).eval()
    published_names = ("alpha", "beta", "fc.0.weight", "fc.2.weight", "conv1.weight",
                       "conv2.weight")  # fmt: skip
    own_names = ("alpha", "gamma", "mlp.0.weight", "mlp.2.weight", "important.weight",
                 "unimportant.weight")  # fmt: skip
    weights = published.state_dict()
    values = {own: weights[name].reshape(module.state_dict()[own].shape)
              for own, name in zip(own_names, published_names, strict=True)}  # fmt: skip
    module.load_state_dict(values)
    return module


def test_one_sample_twice_is_the_setting(published: Any, ours: Any) -> None:
    """Twice, because the code drops the batch axis of one sample."""
    x = torch.randn(1, STEPS, CHANNELS, 8, 8, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        found = published(x.repeat(2, 1, 1, 1, 1))[0]
        torch.testing.assert_close(ours(x.transpose(0, 1))[:, 0], found)


def test_a_batch_of_four_is_another_network(published: Any, ours: Any) -> None:
    """Each sample alone against the four of the published test script."""
    x = torch.randn(4, STEPS, CHANNELS, 8, 8, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        together = published(x)
        alone = ours(x.transpose(0, 1)).transpose(0, 1)
        own = ours.mask(ours.importance(x.transpose(0, 1))).transpose(0, 1)
    # Where the masks agree a value only meets another map; the maps differ everywhere.
    assert not torch.allclose(together, alone, atol=1e-3)
    scores = ours.importance(x.transpose(0, 1)).permute(1, 0, 2)[..., None, None]
    with torch.no_grad():
        by_channel = published.get_im_subim_channels(CHANNELS // 2, scores)
        by_step = published.get_im_subim_channels(STEPS // 2, scores.transpose(1, 2).contiguous())
    mask = (by_channel != by_step.transpose(1, 2))[..., 0, 0].float()
    assert torch.equal(mask[0], mask[3]), "one mask for the whole batch"
    assert (mask != own).float().mean().item() == pytest.approx(0.41, abs=0.02)
