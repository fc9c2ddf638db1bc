"""Ratios: what attention saves (r_EE, r_REC), and spiking networks against their counterparts."""

from __future__ import annotations

from snndeploy.costs.energy import rate_ratio
from snndeploy.papers import take
from snndeploy.papers.rates import around, rate
from snndeploy.papers.row import Row, Unit
from snndeploy.papers.shown import Compare, Inspect, Worked, compare

LIF_3 = "MA Table 1, LIF-SNN-3 on Gesture, T = 60"
TABLE_3 = "MA Table 3, ResNet-18 on ImageNet, T = 1"
VGG_13 = "MA-S Table S8, VGG-SNN-13 on CIFAR-100, T = 1"
GAC = "GAC Table 2 and text, ImageNet"
VANILLA = "ms_resnet.py:ms_resnet18(timesteps=1)"
ATTENDED = {
    "ca": "att_res_snn.py:att_res_snn_18(timesteps=1, variant=1, attention='C', setting='ma_text')",
    "csa": "att-res-snn-1-18",
}
INFERRED = "rates inferred, see models/rates/printed.toml"
ONE = "s1,encoder=excluded,refinement=per_layer"
RATE_34 = rate(GAC, "ms_resnet34")


def _table_3(attention: str, convention: str) -> Compare:
    return compare(
        VANILLA, ATTENDED[attention], rate=rate(TABLE_3, "vanilla"),
        rate_b=rate(TABLE_3, attention), convention=convention,
    )  # fmt: skip


def _printed(row: str, quantity: str, source: str, printed: str, words: str, value: float,
             note: str = "from printed numbers") -> Row:  # fmt: skip
    unit: Unit = "percent" if printed.endswith("%") else "ratio"
    return Row(row, quantity, source, printed, unit, Worked(words, value), note=note)


ROWS = (
    Row("R1.1", "ResNet-18 with CA: r_EE, as a ratio of NASARs", "MA Table 3", "1.4×", "ratio",
        _table_3("ca", ONE), take.nasar_ratio, note=INFERRED),
    Row("R1.2", "ResNet-18 with CSA: r_EE, as a ratio of NASARs", "MA Table 3", "1.5×", "ratio",
        _table_3("csa", ONE), take.nasar_ratio, note=INFERRED),
    Row("R1.3", "ResNet-18 with CSA: r_EE by formula, without the encoder", "MA Table 3", "1.5×",
        "ratio", _table_3("csa", ONE), take.r_ee,
        note=f"r = 16, one refinement a layer; {INFERRED}"),
    Row("R1.4", "ResNet-18 with CA: r_EE with the encoder", "", "", "ratio",
        _table_3("ca", "s1,refinement=per_layer"), take.r_ee, note=INFERRED),
    Row("R1.5", "ResNet-18 with CSA: r_EE with the encoder", "", "", "ratio",
        _table_3("csa", "s1,refinement=per_layer"), take.r_ee,
        note=f"so the table leaves the encoder out; {INFERRED}"),
    Row("R1.6", "ResNet-18 with CSA: energy saved", "MA section 5.2.2", "31.7 %", "percent",
        _table_3("csa", ONE), take.energy_saved, note=INFERRED),
    Row("R3", "LIF-SNN-3 with TCSA on Gesture: r_EE", "MA Table 6", "3.4×", "ratio",
        compare("lif-snn-3", "lif-snn-3-tcsa", rate=rate(LIF_3, "vanilla"),
                rate_b=rate(LIF_3, "tcsa"), input_rate=(0.107,)), take.r_ee,
        note="r = 16; phi_0 = .107 is fitted, no paper gives it"),
    Row("R4.1", "ResNet-34, T=6: energy against the ANN's", "MA Table 2", "3.8×", "ratio",
        Worked(f"4.6 / (0.9 · 6 · {RATE_34})", rate_ratio(6, float(RATE_34)),
               around=(rate_ratio(6, around(RATE_34)[1]), rate_ratio(6, around(RATE_34)[0]))),
        note="even the stem accumulates"),
    Row("R4.2", "ResNet-34, T=6: the same by GAC Eq. 11", "", "", "ratio",
        Inspect("ms-resnet34", RATE_34, convention="gac"), take.ann_ratio,
        note="another reading than R4.1's"),
    Row("R4.3", "ResNet-18, T=6: energy against the ANN's", "MA Table 2", "3.3×", "ratio",
        Inspect("ms-resnet18", rate(GAC, "ms_resnet18"), convention="gac"), take.ann_ratio,
        note="by GAC Eq. 11; GAC's own mJ give the same (R4.4), R4.1's reading 3.96"),
    _printed("R4.4", "the same from GAC's mJ", "MA Table 2", "3.3×", "14.26 / 4.29", 14.26 / 4.29,
             "both energies are 1.70 times ours (N5.1, N6)"),
    _printed("R5.1", "LIF-SNN-3 with TCSA on Gesture: r_REC", "ASA-S Table S3", "−59.2 %",
             "0.536 / 1.314 − 1", 0.536 / 1.314 - 1, "from energies that do not come out (N2)"),
    _printed("R5.2", "LIF-SNN-3 with ASA on Gesture: r_REC", "ASA-S Table S3", "−76.1 %",
             "0.314 / 1.314 − 1", 0.314 / 1.314 - 1, "from energies that do not come out (N2)"),
    _printed("R5.3", "LIF-SNN-3 with TCSA on Gesture: r_EE", "", "",
             "1.314 / 0.536", 1.314 / 0.536, "energies of ASA-S Table S3; MA prints 3.4"),
    _printed("R5.4", "LIF-SNN-3 with TCSA on Gait-day: r_EE", "", "",
             "1.502 / 0.582", 1.502 / 0.582, "energies of ASA-S Table S3; MA prints 3.2"),
    _printed("R6.1", "GAC-34, T=4, against SEW: part of the energy", "GAC text", "54.5 %",
             "2.20 / 4.04", 2.20 / 4.04),
    _printed("R6.2", "GAC-34, T=6, against Att-MS: part of the energy", "GAC text", "66.9 %",
             "3.38 / 5.05", 3.38 / 5.05),
    _printed("R6.3", "GAC-18 against MS-ResNet-18, T=6", "GAC text", "1.83×",
             "4.29 / 2.34", 4.29 / 2.34),
    _printed("R6.4", "GAC-34 against MS-ResNet-34, T=6", "GAC text", "1.51×",
             "5.11 / 3.38", 5.11 / 3.38),
    Row("R9", "VGG-SNN-13, T=1, with CSA: r_EE at one NASAR", "", "", "ratio",
        compare("vgg_snn.py:vgg_snn_13(timesteps=1, classes=100)",
                "vgg_snn.py:att_vgg_snn(layers=13, timesteps=1, classes=100, attention='CS',"
                " setting='ma_text', location='before_norm')",
                rate=rate(VGG_13, "vanilla"), rate_b=rate(VGG_13, "csa")), take.r_ee,
        note="r = 16; the layers' rates with CSA are not at hand (W5)"),
)  # fmt: skip
