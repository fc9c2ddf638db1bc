"""What attention costs: parameters, and multiplications of a sample (Delta_MAC).

On LIF-SNN-3 with T = 60, unless a row says otherwise; Delta_MAC1 finds the scores, Delta_MAC2
refines the membrane.
"""

from __future__ import annotations

from snndeploy.costs import attention as formulas
from snndeploy.papers import take
from snndeploy.papers.row import Row
from snndeploy.papers.shown import Inspect, Parameters, Worked

LIF_3 = "lif-snn-3"
MA_3 = "ma_snn.py:ma_snn_3(timesteps=60, classes=11, attention='{}', setting='{}')"
MA_5 = "ma_snn.py:ma_snn_5(timesteps=20, classes=11, pool='average', attention='{}', setting='{}')"
NARROW = [(32, 32, 32), (32, 16, 16), (32, 8, 8)]  # the published code's channels
LEFT_OUT = "Delta_MAC2 is left out in MA Table 5"
NARROW_NOTE = "not the paper's network: the published code has 32 channels, the text 64 and 128"


def _more(spec: str) -> Parameters:
    return Parameters(spec, LIF_3)


ROWS = (
    Row("A1.1", "CBAM, r=16: parameters", "MA Table 5", "4,608", "count", _more("lif-snn-3-ca")),
    Row("A1.2", "CBAM, r=16: Delta_MAC1", "MA Table 5", "276,480", "count",
        Inspect("lif-snn-3-ca"), take.delta_mac1, note=LEFT_OUT),
    Row("A2.1", "TA, r=16: parameters", "", "", "count", _more("lif-snn-3-ta")),
    Row("A2.2", "TA, r=4: parameters", "", "", "count", _more(MA_3.format("T", "ma_printed"))),
    Row("A3", "SA: parameters", "MA Table 5", "294", "count", _more("lif-snn-3-sa"),
        note="7x7; the published code's 3x3 has 54"),
    Row("A4.1", "TCSA: parameters", "MA Table 5", "24,126", "count",
        _more("lif-snn-3-tcsa-printed"), note="needs r = 4, where the text says 16"),
    Row("A4.2", "TCSA with the text's r=16: parameters", "", "", "count",
        _more("lif-snn-3-tcsa")),
    Row("A5", "ASA-1: parameters", "ASA Table 3", "10,914", "count", _more("lif-snn-3-asa-1"),
        note="r = 2, with alpha and gamma, which the formula of ASA-S Table S1 lacks (10,908)"),
    Row("A6.1", "ECA: parameters", "MA Table 5", "48", "count",
        _more(MA_3.format("C", "ma_eca_printed")),
        note="k = 4; 48 is k² a layer, a true line of k weights has 12"),
    Row("A6.2", "ECA: Delta_MAC1", "MA Table 5", "76,800", "count",
        Inspect("lif-snn-3-eca"), take.delta_mac1, note=LEFT_OUT),
    Row("A7", "SA: Delta_MAC", "MA Table 5", "14.3 M", "count",
        Inspect("lif-snn-3-sa"), take.delta_mac),
    Row("A8", "Delta_MAC2 of one refinement", "", "", "count",
        Inspect("lif-snn-3-sa"), take.delta_mac2),
    Row("A9.1", "ASA-1: Delta_MAC by its own formula", "", "", "count",
        Inspect("lif-snn-3-asa-1"), take.delta_mac,
        note="r = 2; the printed 2.6 M is another network's (A9.3, N1)"),
    Row("A9.2", "ASA-2: Delta_MAC by its own formula", "", "", "count",
        Inspect("lif-snn-3-asa-2"), take.delta_mac),
    Row("A9.3", "ASA-1 on 32, 32, 32 channels: Delta_MAC", "ASA Table 3", "2.6 M", "count",
        Worked("formula of ASA-S Table S1", formulas.asa_1(NARROW, 60, reduction=2).macs),
        note=NARROW_NOTE),
    Row("A9.4", "ASA-2 on 32, 32, 32 channels: Delta_MAC", "ASA Table 3", "2.6 M", "count",
        Worked("formula of ASA-S Table S1", formulas.asa_2(NARROW, 60).macs), note=NARROW_NOTE),
    Row("A10.1", "LIF-SNN-5, T=20, r=16: TA parameters", "", "", "count",
        Parameters(MA_5.format("T", "ma_text"), "lif-snn-5")),
    Row("A10.2", "LIF-SNN-5, T=20, r=16: CA parameters", "", "", "count",
        Parameters(MA_5.format("C", "ma_text"), "lif-snn-5")),
    Row("A10.3", "LIF-SNN-5, T=20: SA parameters", "", "", "count",
        Parameters(MA_5.format("S", "ma_text"), "lif-snn-5")),
    Row("A11", "SimAM: Delta_MAC", "MA Table 5", "25,559,043", "count",
        Inspect("lif-snn-3-simam"), take.delta_mac,
        note="four multiplications a neuron and step, one a layer; here the table counts all"),
    Row("A12.1", "TCSA: Delta_MAC", "MA Table 5", "27.3 M", "count",
        Inspect("lif-snn-3-tcsa"), take.delta_mac,
        note="r = 16, while its parameters need r = 4 (A4.1)"),
    Row("A12.2", "TCSA with the r=4 of its parameters: Delta_MAC", "", "", "count",
        Inspect("lif-snn-3-tcsa-printed"), take.delta_mac,
        note="28.2 M is not printed: the table mixes two reductions"),
    Row("A13", "ASA-2: parameters", "ASA Table 3", "114", "count", _more("lif-snn-3-asa-2"),
        note="two 3x3 convolutions, alpha and gamma a layer"),
)  # fmt: skip
