"""Spike counts: neurons times steps times the printed rate."""

from __future__ import annotations

from snndeploy.papers import take
from snndeploy.papers.rates import around, rate
from snndeploy.papers.row import Row
from snndeploy.papers.shown import Inspect, Worked, compare

LIF_3 = "MA Table 1, LIF-SNN-3 on Gesture, T = 60"
LIF_5 = "MA Table 1, LIF-SNN-5 on Gesture, T = 20"
ZHENG = rate("MA Table 1, Zheng 2021 on Gesture, T = 40", "vanilla")
VGG_7 = "MA-S Table S8, VGG-SNN-7 on CIFAR-10"
VGG_13 = "MA-S Table S8, VGG-SNN-13 on CIFAR-100, T = 1"
SEVEN = {1: "vgg_snn.py:vgg_snn_7(timesteps=1, classes=10)", 6: "vgg-snn-7"}
THIRTEEN = "vgg_snn.py:vgg_snn_13(timesteps=1, classes=100)"
HUNDRED = "of 100 samples, though defined for one; attention adds no neurons"
LAYERS = "vgg_snn_13_cifar100.toml"


def _lif_3(name: str) -> Inspect:
    return Inspect("lif-snn-3", rate(LIF_3, name), (1.0,))


def _lif_5(name: str) -> Inspect:
    return Inspect("lif-snn-5", rate(LIF_5, name), (1.0,))


def _seven(steps: int, name: str) -> Inspect:
    return Inspect(SEVEN[steps], rate(VGG_7, f"{name}_t{steps}"))


def _thirteen(name: str) -> Inspect:
    return Inspect(THIRTEEN, rate(VGG_13, name))


def _layer(row: int, layer: str, index: int, printed: str) -> Row:
    return Row(
        f"S6.{row}", f"VGG-SNN-13, {layer}: spikes of 100 samples", "MA-S Table S9", printed,
        "count", Inspect(THIRTEEN, rates=LAYERS), take.layer_spikes_of_samples(index),
    )  # fmt: skip


ROWS = (
    Row("S1.1", "LIF-SNN-3 on Gesture: spikes", "MA Table 1", "1.108 M", "count",
        _lif_3("vanilla"), take.spikes),
    Row("S1.2", "the same with TCSA", "MA Table 1", "0.167 M", "count",
        _lif_3("tcsa"), take.spikes),
    Row("S2.1", "LIF-SNN-5 on Gesture: spikes", "MA Table 1", "4.134 M", "count",
        _lif_5("vanilla"), take.convolution_spikes, note="neurons behind convolutions alone"),
    Row("S2.2", "the same with TCSA", "MA Table 1", "0.615 M", "count",
        _lif_5("tcsa"), take.convolution_spikes, note="neurons behind convolutions alone"),
    Row("S3", "row \"Zheng 2021\" on Gesture: spikes", "MA Table 1", "1.337 M", "count",
        Worked(f"229,376 · 40 · {ZHENG}", 229_376 * 40 * float(ZHENG),
               around=(229_376 * 40 * around(ZHENG)[0], 229_376 * 40 * around(ZHENG)[1]))),
    Row("S4.1", "VGG-SNN-7 on CIFAR-10, T=1: spikes", "MA-S Table S8", "2.535 M", "count",
        _seven(1, "vanilla"), take.spikes_of_samples, note=HUNDRED),
    Row("S4.2", "the same with CSA", "MA-S Table S8", "2.478 M", "count",
        _seven(1, "csa"), take.spikes_of_samples, note=HUNDRED),
    Row("S4.3", "VGG-SNN-7 on CIFAR-10, T=6: spikes", "MA-S Table S8", "11.289 M", "count",
        _seven(6, "vanilla"), take.spikes_of_samples, note=HUNDRED),
    Row("S4.4", "the same with CSA", "MA-S Table S8", "14.389 M", "count",
        _seven(6, "csa"), take.spikes_of_samples, note=HUNDRED),
    Row("S5.1", "VGG-SNN-13 on CIFAR-100, T=1: spikes", "MA-S Table S8", "14.139 M", "count",
        _thirteen("vanilla"), take.spikes_of_samples, note=HUNDRED),
    Row("S5.2", "the same with CSA", "MA-S Table S8", "11.964 M", "count",
        _thirteen("csa"), take.spikes_of_samples, note=HUNDRED),
    _layer(1, "Conv-1", 0, "1.153 M"),
    _layer(2, "Conv-3", 2, "1.837 M"),
    _layer(3, "Conv-5", 4, "3.158 M"),
    _layer(4, "FC", 10, "0.016 M"),
    Row("S7", "LIF-SNN-3 on Gesture: spikes that TCSA saves", "MA abstract", "84.9 %", "percent",
        compare("lif-snn-3", "lif-snn-3-tcsa", rate=rate(LIF_3, "vanilla"),
                rate_b=rate(LIF_3, "tcsa"), input_rate=(1.0,)), take.spikes_saved),
)  # fmt: skip
