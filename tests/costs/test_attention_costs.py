"""Attention counted on traced networks equals the papers' formulas, and exact counts ours."""

from __future__ import annotations

from math import prod
from pathlib import Path

import pytest
from traced import network_of

from snndeploy.costs import Convention
from snndeploy.costs import attention as formulas
from snndeploy.costs.comparison import price

pytestmark = pytest.mark.torch
MODELS = Path(__file__).resolve().parents[2] / "models"
POINTS = [(16, 14, 14), (32, 7, 7), (32, 3, 3)]
STEPS = 8
NEURONS = sum(prod(point) for point in POINTS)
SMALL = {
    "T": formulas.temporal(POINTS, STEPS, reduction=2),
    "C": formulas.channel(POINTS, STEPS, reduction=4),
    "S": formulas.spatial(POINTS, STEPS, kernel=3),
}


def attended(call):
    return network_of(f"{MODELS}/{call}").attention


@pytest.mark.parametrize(
    "dimensions, location",
    [("TCS", "recommended"), ("TS", "recommended"), ("CS", "conv_post"), ("TC", "conv_post")],
)
def test_products_of_attentions_add_up(dimensions, location):
    found = attended(
        f"ma_snn.py:ma_snn_3_small(timesteps={STEPS}, attention='{dimensions}', setting='small',"
        f" location='{location}')"
    )
    whole = SMALL[dimensions[0]]
    for dimension in dimensions[1:]:
        whole = whole + SMALL[dimension]
    assert sum(cost.mac1 for cost in found) == whole.mac1
    assert sum(cost.mac2 for cost in found) == whole.mac2 == len(dimensions) * STEPS * NEURONS
    places = {"recommended": {"current", "membrane"}, "conv_post": {"current"}}[location]
    assert {cost.location for cost in found} <= places


def test_exact_counts_both_vectors_and_the_averages():
    """CA: the MLP twice, an average a channel, the gates; SA: taps inside the plane alone."""
    channel = attended(
        f"ma_snn.py:ma_snn_3_small(timesteps={STEPS}, attention='C', setting='small')"
    )
    averages = STEPS * sum(c for c, _, _ in POINTS)
    assert sum(c.exact_mac1 for c in channel) == 2 * SMALL["C"].mac1 + averages
    assert sum(c.exact_mac2 for c in channel) == STEPS * NEURONS
    spatial = attended(
        f"ma_snn.py:ma_snn_3_small(timesteps={STEPS}, attention='S', setting='small')"
    )
    taps = sum(2 * (3 * h - 2) * (3 * w - 2) for _, h, w in POINTS)
    averages = sum(h * w for _, h, w in POINTS)
    assert sum(c.exact_mac1 for c in spatial) == STEPS * (taps + averages)


def test_exact_asa_runs_its_mlp_for_every_channel():
    found = attended(
        f"asa_snn.py:asa_snn_3_small(timesteps={STEPS}, variant=1, setting='asa_text')"
    )
    assert sum(c.mac1 for c in found) == formulas.asa_1(POINTS, STEPS, reduction=2).mac1
    channels = [c for c, _, _ in POINTS]
    mlp = sum(c * 2 * STEPS * (STEPS // 2) for c in channels)
    importance = sum(4 * STEPS * c for c in channels)  # mean, half, alpha and gamma
    taps = sum(2 * 2 * (3 * h - 2) * (3 * w - 2) for _, h, w in POINTS)
    averages = sum(2 * h * w for _, h, w in POINTS)  # of the two groups, over T and c
    assert sum(c.exact_mac1 for c in found) == mlp + importance + taps + averages
    assert sum(c.exact_mac2 for c in found) == 2 * STEPS * NEURONS  # both groups, masks free


def test_attention_in_front_of_a_convolution_makes_it_multiply():
    network = network_of(
        f"{MODELS}/ma_snn.py:ma_snn_3_small(timesteps={STEPS}, attention='CS', setting='small',"
        " location='conv_pre', skip_first=True)"
    )
    assert [layer.role for layer in network.layers] == [
        "encoder", "gated", "gated", "layer", "layer",
    ]  # fmt: skip
    assert {cost.location for cost in network.attention} == {"spikes"}


def test_attention_on_a_residual_stream():
    """P8's network: CA with r = 5 and 3 x 3 SA behind every block of MS-ResNet-18."""
    points = [(64 << i, 56 >> i, 56 >> i) for i in range(4) for _ in range(2)]
    whole = formulas.channel(points, 1, reduction=5) + formulas.spatial(points, 1, kernel=3)
    network = network_of("att-ms-resnet18")
    assert whole.parameters == 277_136 == network.parameters - 11_693_736
    assert sum(cost.mac1 for cost in network.attention) == whole.mac1
    assert sum(cost.mac2 for cost in network.attention) == whole.mac2


# attention right behind a convolution, with no norm and no view between
CHANNEL_GATE = """
import torch
from torch import nn

class Gated(nn.Module):
    timesteps, input_shape = 1, (3, 8, 8)

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1)
        self.score, self.answer = nn.Linear(8, 8), nn.Linear(8, 4)

    def forward(self, x):
        y = self.second(torch.relu(self.first(x)))
        y = y * torch.sigmoid(self.score(y.mean((2, 3))))[:, :, None, None]
        return self.answer(torch.relu(y).mean((2, 3)))

def gated():
    return Gated()

def example(module):
    return torch.zeros(1, 3, 8, 8)
"""


def test_attention_of_an_ann_behind_a_convolution(tmp_path):
    """The attended convolution is a layer, no part of attention; attention is priced, as MAC."""
    (tmp_path / "gated.py").write_text(CHANNEL_GATE)
    network = network_of(f"{tmp_path}/gated.py:gated()")
    layers = 27 * 8 * 64, 72 * 8 * 64, 32
    assert [layer.flops for layer in network.layers] == list(layers)
    found = price(network, None, Convention())
    assert (found.delta_mac1, found.delta_mac2) == (64, 8 * 64)
    assert found.macs == sum(layers) + 64 + 8 * 64
    assert found.energy.total_mj == pytest.approx(4.6e-9 * found.macs)
    (said,) = found.as_json()["attention"]
    assert (said["delta_mac1"], said["delta_mac2"]) == (64, 8 * 64)


def test_gated_attention_coding_is_none_of_it():
    network = network_of("gac-digits")
    assert network.attention == ()
    assert {layer.role for layer in network.layers} >= {"encoder_attention"}


def test_a_reduction_must_leave_a_hidden_unit():
    with pytest.raises(ValueError, match=r"^4 units with a reduction of 16 leave no hidden unit$"):
        formulas.temporal(POINTS, 4, reduction=16)


@pytest.mark.parametrize("dimensions", ["S", "TCS"])
def test_one_refinement_a_layer_however_many_gates(dimensions):
    """MA-S section 1 refines once for each dimension, MA Table 3 once."""
    network = network_of(
        f"{MODELS}/ma_snn.py:ma_snn_3_small(timesteps={STEPS}, attention='{dimensions}',"
        " setting='small')"
    )
    for refinement, times in (("per_gate", len(dimensions)), ("per_layer", 1)):
        found = price(network, None, Convention(refinement=refinement))
        assert found.delta_mac2 == times * STEPS * NEURONS
        assert found.delta_mac1 == sum(SMALL[dimension].mac1 for dimension in dimensions)


def test_constant_attention_of_the_encoder_once_or_at_every_step():
    network = network_of("gac-digits")
    once, every = (
        price(network, None, Convention(constant_attention=said)).energy.encoder_attention_mj
        for said in ("once", "every_step")
    )
    assert every == pytest.approx(4 * once)  # T = 4; a picture is the same at each
    assert once == pytest.approx(4.6e-9 * (2 * 16 * 16 * 16 * 14 * 14 + 2 * 16))
