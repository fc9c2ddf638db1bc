"""Printed numbers that follow from rates which other tables of the papers print.

Those tables are not at hand, and our notes of the papers do not quote their rates.  None is made
up: each row says what it needs, and the command that gives the number once a RATE is filled in.
"""

from __future__ import annotations

from snndeploy.papers.networks import written
from snndeploy.papers.row import Row, Unit
from snndeploy.papers.shown import Wanted

GAIT_3 = written("lif_snn.py:lif_snn_3(timesteps=60, classes=20)")
GAIT_5 = written("lif_snn_5.py:lif_snn_5(timesteps=20, classes=20, pool='average')")
VGG_11 = written("vgg_snn.py:vgg_snn_11(timesteps=STEPS, classes=CLASSES)")
RESNET_34 = written("ms_resnet.py:ms_resnet34(timesteps=1)")
RESNET_104 = written("ms_resnet.py:ms_resnet104(timesteps=1)")
THIRTEEN = written("vgg_snn.py:vgg_snn_13(timesteps=1, classes=100)")
ATT_THIRTEEN = written(
    "vgg_snn.py:att_vgg_snn(layers=13, timesteps=1, classes=100, attention='CS',"
    " setting='ma_text', location='before_norm')"
)
COUNTED = "snndeploy inspect {} --random-weights --energy --rate RATE --input-rate 1"
NO_STEM = "--rate RATE --rate-b RATE --convention s1,encoder=excluded,refinement=per_layer"

PRINTED = "its NASAR, and the printed count"
BOTH = "both NASARs"


def _row(row: str, quantity: str, source: str, printed: str, unit: Unit, awaits: str,
         command: str = "", note: str = "") -> Row:  # fmt: skip
    return Row(row, quantity, source, printed, unit, Wanted(command), awaits=awaits, note=note)


ROWS = (
    _row("W1.1", "LIF-SNN-3 on Gait: spikes", "MA Table 1", "", "count", PRINTED,
         COUNTED.format(GAIT_3)),
    _row("W1.2", "the same with TCSA", "MA Table 1", "", "count", PRINTED, COUNTED.format(GAIT_3)),
    _row("W1.3", "LIF-SNN-5 on Gait: spikes", "MA Table 1", "", "count", PRINTED,
         COUNTED.format(GAIT_5), "neurons behind convolutions alone"),
    _row("W1.4", "the same with TCSA", "MA Table 1", "", "count", PRINTED, COUNTED.format(GAIT_5),
         "neurons behind convolutions alone"),
    _row("W1.5", "LIF-SNN-3 on Gait: spikes that TCSA saves", "MA abstract", "81.6 %", "percent",
         BOTH),
    _row("W2", "SEW 7B-Net on Gesture: spikes", "MA Table 1", "", "count", PRINTED,
         COUNTED.format("sew-7b")),
    _row("W3", "VGG-SNN-11: spikes of 100 samples, six rows", "MA-S Table S8", "", "count",
         "their NASARs, and the printed counts",
         f"snndeploy inspect {VGG_11} --random-weights --energy --rate RATE"),
    _row("W4.1", "ResNet-34 with CA: r_EE", "MA Table 3", "1.2×", "ratio", BOTH,
         f"snndeploy compare {RESNET_34} \"models/att_res_snn.py:att_res_snn_34(timesteps=1,"
         f" variant=1, attention='C', setting='ma_text')\" {NO_STEM}"),
    _row("W4.2", "ResNet-34 with CSA: r_EE", "MA Table 3", "1.3×", "ratio", BOTH,
         f"snndeploy compare {RESNET_34} att-res-snn-1-34 {NO_STEM}"),
    _row("W5", "VGG-SNN-13 with CSA: r_EE", "MA-S Table S9", "", "ratio",
         "the rates of the layers with CSA; at one NASAR it is R9",
         f"snndeploy compare {THIRTEEN} {ATT_THIRTEEN}"
         " --rates models/rates/vgg_snn_13_cifar100.toml --rates-b RATES.toml"),
    _row("R2", "ResNet-104 with CA, CSA: r_EE", "MA Table 3", "1.1×, 1.1×", "ratio",
         "all three NASARs; our notes of the papers have their ratios, 1.118 and 1.085",
         f"snndeploy compare {RESNET_104} att-res-snn-1-104 {NO_STEM}"),
    _row("W7", "LIF-SNN-3 with the other six attentions on Gesture: r_EE", "MA Table 6",
         "2.2, 2.2, 2.5, 3.5, 3.4, 3.4", "ratio",
         "their NASARs; our notes have 2.14, 2.16, 2.41, 3.63, 3.51, 3.50, with R3's phi_0",
         "snndeploy compare lif-snn-3 lif-snn-3-ta --rate 0.173 --rate-b RATE --input-rate 0.107"),
    _row("W8.1", "LIF-SNN-3 with TCSA on Gait: r_EE", "MA Table 1", "3.2×", "ratio",
         "both NASARs and phi_0; our notes have 2.5 to 3.8 for phi_0 from 1 to 0"),
    _row("W8.2", "LIF-SNN-5 with TCSA on Gait: r_EE", "MA Table 1", "1.7×", "ratio",
         "both NASARs and phi_0; our notes have 0.65 at most, so it is as impossible as N4"),
    _row("W9", "ImageNet: energy against the ANN's", "MA Table 2",
         "29.7×, 29.6×, 31.8×, 7.4×, 5.3×", "ratio",
         "the NASARs and what is done with the stem; our notes have, without and with it, 36.9"
         " and 10.9 for the first, 34.5 and 16.4 for the second"),
    _row("W10.1", "LIF-SNN-3 on Gesture: energy with TCSA, ASA", "ASA-S Table S3",
         "0.536, 0.314 mJ", "mJ",
         "the rates and phi_0; our notes have −2.2 % and +49 % at one rate, with N2's phi_0"),
    _row("W10.2", "LIF-SNN-3 on Gait-day: energy, with TCSA, ASA", "ASA-S Table S3",
         "1.502, 0.582, 0.371 mJ", "mJ",
         "the rates and phi_0; our notes have phi_0 = .519 from the first, then −1.2 % and +24 %"),
    _row("W11", "tdBN; SEW; Att-MS-ResNet-18, -34: energy", "GAC Table 2",
         "6.39; 4.04; 4.11, 5.05 mJ", "mJ", "any rates"),
)  # fmt: skip
