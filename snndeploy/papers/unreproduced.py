"""Printed numbers that do not come out, what comes out instead, and why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from snndeploy.costs import attention as formulas
from snndeploy.costs.comparison import NetworkCosts
from snndeploy.costs.convention import AC_PJ, MAC_PJ
from snndeploy.papers import take
from snndeploy.papers.networks import network
from snndeploy.papers.rates import around, rate
from snndeploy.papers.ratios import ATTENDED, INFERRED, ONE, TABLE_3
from snndeploy.papers.ratios import VANILLA as RESNET_18
from snndeploy.papers.row import Row
from snndeploy.papers.shown import Inspect, Parameters, Worked, compare

LIF_3 = "MA Table 1, LIF-SNN-3 on Gesture, T = 60"
LIF_5 = "MA Table 1, LIF-SNN-5 on Gesture, T = 20"
ASA = "ASA, LIF-SNN-3 on Gesture, T = 60"
GAC = "GAC Table 2 and text, ImageNet"
OPEN = (1.0, 0.0)  # phi_0, where no paper gives it
LAYERS = "needs the rates of the layers, which are not given; at the quoted mean rate it is this"
CHANNELS = "comes out for 32, 32, 32 channels alone (A9.3, A9.4), which the published code has"
TOTAL = "the total that the share refers to is not given; ours is of all parameters"


@dataclass(frozen=True)
class MostSaved:
    """The largest r_EE that any rates of the layers allow, at the NASARs of two networks.

    The first network's spikes stand where a spike costs most, the second's where it costs least.
    """

    base: str
    attended: str
    rates: tuple[Decimal, Decimal]
    command: str = ""

    @property
    def reading(self) -> str:
        return f"at most, for NASARs {self.rates[0]} and {self.rates[1]}, phi_0 1 to 0"

    def nominal(self) -> None:
        return None

    def corners(self) -> Iterator[float]:
        base, attended = network(self.base), network(self.attended)
        most = AC_PJ * _accumulates(base, around(self.rates[0])[1], dearest_first=True)
        least = AC_PJ * _accumulates(base, around(self.rates[1])[0], dearest_first=False)
        scores = MAC_PJ * sum(cost.mac1 + cost.mac2 for cost in attended.attention)
        for phi_0 in OPEN:
            first = MAC_PJ * phi_0 * base.timesteps * base.layers[0].flops
            yield (first + most) / (first + least + scores)


def _accumulates(costs: NetworkCosts, rate: float, *, dearest_first: bool) -> float:
    """Accumulates of a sample when the spikes of all convolutions' neurons stand together."""
    each = {name: layer.flops for layer in costs.layers for name in layer.driving}
    layers = [layer for layer in costs.neurons if layer.behind_convolution]
    left, found = rate * sum(layer.neurons for layer in layers), 0.0
    for layer in sorted(layers, key=lambda n: each[n.name] / n.neurons, reverse=dearest_first):
        spikes = min(left, layer.neurons)
        found += costs.timesteps * spikes * each[layer.name] / layer.neurons
        left -= spikes
    return found


def _gac(row: int, model: str, spec: str, name: str, printed: str) -> Row:
    return Row(
        f"N5.{row}", f"{model}: energy", "GAC Table 2", printed, "mJ",
        Inspect(spec, rate(GAC, name), convention="gac"), take.energy, unreproduced=LAYERS,
    )  # fmt: skip


@dataclass(frozen=True)
class ShareOfParameters:
    """What a model has more than another, but for some weights, as a part of all it has."""

    base: str
    spec: str
    without: int

    @property
    def command(self) -> str:
        return Parameters(self.spec, self.base).command

    @property
    def reading(self) -> str:
        return f"without the {self.without} of TA" if self.without else ""

    def nominal(self) -> float:
        more = Parameters(self.spec, self.base).nominal() - self.without
        return more / Parameters(self.spec).nominal()

    def corners(self) -> Iterator[float]:
        return iter(())


def _share(row: int, model: str, printed: str, specs: tuple[str, str], parts: str) -> Row:
    """parts: all of GAC's attention (GAU), or its convolutions alone (SCA)."""
    temporal = formulas.temporal([(1, 1, 1)], 6, reduction=2).parameters
    shown = ShareOfParameters(*specs, without=temporal if parts == "SCA" else 0)
    return Row(f"N8.{row}", f"{model}: parameters of {parts}", "GAC Table 7", printed, "percent",
               shown, unreproduced=TOTAL)  # fmt: skip


CIFAR_10 = ("ms-resnet18-cifar10", "gac-ms-resnet18-cifar10")
CIFAR_100 = ("ms-resnet18-cifar100", "gac-ms-resnet18-cifar100")
IMAGENET = ("ms-resnet34", "gac-ms-resnet34")

ROWS = (
    Row("N1.1", "ASA-1 on LIF-SNN-3: Delta_MAC", "ASA Table 3", "2.6 M", "count",
        Inspect("lif-snn-3-asa-1"), take.delta_mac, unreproduced=CHANNELS),
    Row("N1.2", "ASA-2 on LIF-SNN-3: Delta_MAC", "ASA Table 3", "2.6 M", "count",
        Inspect("lif-snn-3-asa-2"), take.delta_mac, unreproduced=CHANNELS),
    Row("N1.3", "ASA-1 on LIF-SNN-3: Delta_MAC", "ASA text", "2.4 M", "count",
        Inspect("lif-snn-3-asa-1"), take.delta_mac, unreproduced="contradicts ASA Table 3, too"),
    Row("N2", "LIF-SNN-3 on Gesture: energy", "ASA-S Table S3", "1.314 mJ", "mJ",
        Inspect("lif-snn-3", rate(ASA, "vanilla"), OPEN), take.energy,
        unreproduced="phi_0 and the rates of the layers are not given; one rate for all needs"
                     " phi_0 = .669"),
    Row("N3", "LIF-SNN-3 with TCSA on Gesture: r_EE", "MA Table 1", "3.4×", "ratio",
        compare("lif-snn-3", "lif-snn-3-tcsa", rate=rate(LIF_3, "vanilla"),
                rate_b=rate(LIF_3, "tcsa"), input_rate=OPEN), take.r_ee,
        unreproduced="phi_0 is not given; this needs about .13, and ASA-S at least .66 for the"
                     " same setting"),
    Row("N4", "LIF-SNN-5 with TCSA on Gesture: r_EE", "MA Table 1", "1.8×", "ratio",
        MostSaved("lif-snn-5", "lif-snn-5-tcsa", (rate(LIF_5, "vanilla"), rate(LIF_5, "tcsa"))),
        unreproduced="impossible: TCSA's Delta_MAC of 210,588,360 (.969 mJ) on 2,793,472 neurons"
                     " exceeds what any rates could save; behind the pooling it would be"
                     " 52,800,840"),
    _gac(1, "MS-ResNet-18, T=6", "ms-resnet18", "ms_resnet18", "4.29 mJ"),
    _gac(2, "MS-ResNet-34, T=6", "ms-resnet34", "ms_resnet34", "5.11 mJ"),
    _gac(3, "GAC MS-ResNet-18, T=6", "gac-ms-resnet18", "gac_ms_resnet18", "2.34 mJ"),
    _gac(4, "GAC MS-ResNet-34, T=6", "gac-ms-resnet34", "gac_ms_resnet34", "3.38 mJ"),
    _gac(5, "GAC MS-ResNet-34, T=4", "gac.py:gac_ms_resnet34(timesteps=4)", "gac_ms_resnet34",
         "2.20 mJ"),
    Row("N6", "ANN MS-ResNet-18: energy", "GAC Table 2", "14.26 mJ", "mJ",
        Inspect("ann-ms-resnet18"), take.energy,
        unreproduced="14.26 mJ are 3.10 G multiply-accumulates; the network has 1.83 G"),
    _share(1, "GAC MS-ResNet-18, CIFAR-10", "1.0287 %", CIFAR_10, "SCA"),
    _share(2, "GAC MS-ResNet-18, CIFAR-10", "1.0291 %", CIFAR_10, "GAU"),
    _share(3, "GAC MS-ResNet-18, CIFAR-100", "1.0259 %", CIFAR_100, "SCA"),
    _share(4, "GAC MS-ResNet-18, CIFAR-100", "1.0262 %", CIFAR_100, "GAU"),
    _share(5, "GAC MS-ResNet-34, ImageNet", "0.5925 %", IMAGENET, "SCA"),
    _share(6, "GAC MS-ResNet-34, ImageNet", "0.5927 %", IMAGENET, "GAU"),
    Row("N8.7", "GAC MS-ResNet-18, CIFAR-10: parameters of TA", "GAC Table 7", "0.0001 %",
        "percent", Worked("36 / 12,633,198", 36 / 12_633_198),
        unreproduced="holds for T = 4 alone, with the 16 parameters of its TA"),
    Row("N9.1", "TCSA on Gait-day: energy saved", "ASA text", "65 %", "percent",
        Worked("1 − 0.582 / 1.502", 1 - 0.582 / 1.502),
        unreproduced="contradicts the energies of ASA-S Table S3"),
    Row("N9.2", "ASA on Gait-day: energy saved", "ASA text", "76 %", "percent",
        Worked("1 − 0.371 / 1.502", 1 - 0.371 / 1.502),
        unreproduced="contradicts the energies of ASA-S Table S3"),
    Row("N10", "ResNet-34, T=6: energy against the ANN's", "MA Table 2", "3.8×", "ratio",
        Worked("16.87 / 5.11, GAC Table 2", 16.87 / 5.11),
        unreproduced="the papers' own energies contradict R4.1's reading"),
    Row("N11", "ResNet-18 with CA: r_EE by formula, without the encoder", "MA Table 3", "1.4×",
        "ratio", compare(RESNET_18, ATTENDED["ca"], rate=rate(TABLE_3, "vanilla"),
                         rate_b=rate(TABLE_3, "ca"), convention=ONE), take.r_ee,
        unreproduced="only the ratio of NASARs (R1.1) gives the printed 1.4, where CSA's row also"
                     f" follows from the formula (R1.3); {INFERRED}"),
)  # fmt: skip
