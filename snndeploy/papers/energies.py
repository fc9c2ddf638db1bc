"""Energies by the papers' formula, mJ a sample."""

from __future__ import annotations

from snndeploy.papers import take
from snndeploy.papers.rates import rate
from snndeploy.papers.row import Row
from snndeploy.papers.shown import Inspect, compare

VGG_13 = "vgg_snn.py:vgg_snn_13(timesteps=1, classes=100)"
LAYERS = "vgg_snn_13_cifar100.toml"
NASAR_13 = rate("MA-S Table S8, VGG-SNN-13 on CIFAR-100, T = 1", "vanilla")
VANILLA, SPATIAL = "lif_snn_3_example.toml", "lif_snn_3_sa_example.toml"
FIFTH = rate("no paper, a round figure", "fifth")
RESNET = {6: "ms-resnet18", 4: "ms_resnet.py:ms_resnet18(timesteps=4)"}
EXAMPLE = "rates of no paper: holds the formula"
SPATIAL_SAVES = compare("lif-snn-3", "lif-snn-3-sa", rates=VANILLA, rates_b=SPATIAL)
GAC = "gac-ms-resnet18-cifar10"
EVERY_STEP = "constant-attention=every_step"


def _resnet(row: int, steps: int, words: str, convention: str) -> Row:
    return Row(
        f"E6.{row}", f"MS-ResNet-18, rate .2, T={steps}: {words}", "", "", "mJ",
        Inspect(RESNET[steps], FIFTH, convention=convention), take.energy,
    )  # fmt: skip


def _events(row: int, layer: str, spec: str, index: int, formula: int) -> Row:
    return Row(
        f"E7.{row}", f"{layer}: events of a step when all that it reads is one", "", "", "count",
        Inspect(spec, convention="exact"), take.layer_operations_of_step(index),
        note=f"taps outside the image are none; the formula counts them too, {formula:,}",
    )  # fmt: skip


ROWS = (
    Row("E1.1", "VGG-SNN-13 on CIFAR-100, T=1", "", "", "mJ",
        Inspect(VGG_13, rates=LAYERS), take.energy,
        note="the only network with a printed rate for every layer"),
    Row("E1.2", "the same with own-layer rates", "", "", "mJ",
        Inspect(VGG_13, rates=LAYERS, convention="rate=own"), take.energy),
    Row("E1.3", "the same at its one NASAR", "", "", "mJ",
        Inspect(VGG_13, NASAR_13), take.energy),
    Row("E2.1", "ANN VGG-13", "", "", "mJ", Inspect("ann-vgg-13"), take.energy),
    Row("E2.2", "ANN MS-ResNet-34", "GAC Table 2", "16.87 mJ", "mJ",
        Inspect("ann-ms-resnet34"), take.energy),
    Row("E3.1", "LIF-SNN-3, phi_0 .10, phi .20 .15 .10 .05", "", "", "mJ",
        Inspect("lif-snn-3", rates=VANILLA), take.energy, note=EXAMPLE),
    Row("E4.1", "the same with SA, phi .08 .05 .04 .02: Delta_AC", "", "", "count",
        SPATIAL_SAVES, take.delta_ac, note=EXAMPLE),
    Row("E4.2", "Delta_E", "", "", "mJ", SPATIAL_SAVES, take.delta_mj, note=EXAMPLE),
    Row("E4.3", "r_EE", "", "", "ratio", SPATIAL_SAVES, take.r_ee, note=EXAMPLE),
    Row("E4.4", "r_REC", "", "", "percent", SPATIAL_SAVES, take.r_rec, note=EXAMPLE),
    Row("E5.1", "NASAR of E3, output layer .02", "", "", "ratio",
        Inspect("lif-snn-3", rates=VANILLA), take.nasar, note=EXAMPLE),
    Row("E5.2", "NASAR of E4, output layer .01", "", "", "ratio",
        Inspect("lif-snn-3", rates=SPATIAL), take.nasar, note=EXAMPLE),
    _resnet(1, 6, "GAC Eq. 11", "gac"),
    _resnet(2, 6, "S1", "s1"),
    _resnet(3, 6, "Eq. 11, shortcuts as MAC", "gac,shortcuts=mac"),
    _resnet(4, 4, "GAC Eq. 11", "gac"),
    _resnet(5, 4, "S1", "s1"),
    _resnet(6, 4, "Eq. 11, shortcuts as MAC", "gac,shortcuts=mac"),
    _events(1, "LIF-SNN-3, conv1", "lif-snn-3", 0, 1_179_648),
    _events(2, "LIF-SNN-3, conv2", "lif-snn-3", 1, 75_497_472),
    _events(3, "LIF-SNN-3, conv3", "lif-snn-3", 2, 37_748_736),
    _events(4, "MS-ResNet-18, stem", "ms-resnet18", 0, 118_013_952),
    Row("X1.1", "SCA at CIFAR's 32², once an image: multiply-accumulates", "", "", "count",
        Inspect(GAC), take.encoder_convolutions, note="GAC Eq. 11 leaves it out"),
    Row("X1.2", "the same", "", "", "mJ", Inspect(GAC), take.encoder_convolutions_mj),
    Row("X1.3", "the same at every one of 6 steps", "", "", "mJ",
        Inspect(GAC, convention=EVERY_STEP), take.encoder_convolutions_mj,
        note="a picture gives the same at each step"),
)  # fmt: skip
