"""The rows: named once, asked for by name, and equal to the golden numbers of the papers' notes."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from cli_runner import refused, run

from snndeploy.papers import asked, computed
from snndeploy.papers.rates import around, layer_rates, rate
from snndeploy.papers.rows import ROWS
from snndeploy.papers.text import line, page

pytestmark = pytest.mark.torch
ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "reproduction.md").read_text()

# Row: our value, and how it agrees with the printed one.
CHEAP = {
    "P1": (2_323_531, "exact"), "P4.1": (11_693_736, "exact"), "P4.2": (21_801_896, "exact"),
    "P5.1": (12_502_090, "exact"), "P5.2": (12_548_260, "truncated"),
    "P6.1": (12_633_198, "exact"), "P6.2": (12_679_368, "truncated"),
    "P7": (11_824_844, "exact"), "P8.1": (277_136, "truncated"), "P8.2": (87_824, "not printed"),
    "P9": (22_302_408, "exact"), "P10": (21_933_004, "exact"), "P15": (229_376, "exact"),
    "P2": (106_763, "exact"), "P14": (106_772, "not printed"),
    "A1.1": (4_608, "exact"), "A2.1": (1_080, "not printed"), "A2.2": (5_400, "not printed"),
    "A3": (294, "exact"), "A4.1": (24_126, "exact"), "A4.2": (5_982, "not printed"),
    "A5": (10_914, "exact"), "A6.1": (48, "exact"), "A13": (114, "exact"),
    "A7": (14_292_480, "exact"), "A8": (6_389_760, "not printed"),
    "A9.3": (2_639_664, "exact"), "A9.4": (2_628_864, "exact"),
    "A10.1": (200, "not printed"), "A10.2": (10_240, "not printed"), "A10.3": (490, "not printed"),
    "A11": (25_559_043, "exact"),
    "S1.1": (1.1082e6, "exact"), "S3": (1.3396e6, "within the rounding of the rates"),
    "R4.1": (3.786, "exact"), "R4.4": (3.324, "exact"),
    "R5.1": (-0.5921, "exact"), "R5.2": (-0.7610, "exact"),
    "R5.3": (2.4515, "not printed"), "R5.4": (2.5808, "not printed"),
    "R6.1": (2.20 / 4.04, "exact"), "R6.2": (3.38 / 5.05, "exact"),
    "R6.3": (4.29 / 2.34, "exact"), "R6.4": (5.11 / 3.38, "exact"),
    "N8.1": (0.010375, "+0.9 %"), "N8.2": (0.010378, "+0.8 %"),
    "N8.3": (0.010337, "+0.8 %"), "N8.4": (0.010340, "+0.8 %"),
    "N8.7": (2.85e-6, "+185.0 %"),
    "N9.1": (0.6125, "−5.8 %"), "N9.2": (0.7530, "−0.9 %"),
}  # fmt: skip
COSTLY = {
    "P3": (2_793_472, "exact"), "P12": (1_922_304, "not printed"),
    "P13.1": (230_400, "not printed"), "P13.2": (1_246_208, "not printed"),
    "P13.3": (1_442_816, "not printed"),
    "A1.2": (276_480, "exact"), "A6.2": (76_800, "exact"), "A9.1": (6_448_944, "not printed"),
    "A12.1": (27_349_560, "exact"),
    "S1.2": (0.167e6, "exact"), "S2.1": (4.134e6, "exact"), "S2.2": (0.615e6, "exact"),
    "S4.1": (2.534e6, "within the rounding of the rates"),
    "S4.2": (2.488e6, "within the rounding of the rates"),
    "S4.3": (11.336e6, "within the rounding of the rates"),
    "S4.4": (14.377e6, "within the rounding of the rates"),
    "S5.1": (14.140e6, "truncated"), "S5.2": (11.975e6, "within the rounding of the rates"),
    "S6.1": (1.153e6, "exact"), "S6.2": (1.835e6, "within the rounding of the rates"),
    "S6.3": (3.146e6, "within the rounding of the rates"), "S6.4": (0.0161e6, "exact"),
    "E1.1": (0.285540, "not printed"), "E1.2": (0.234, "not printed"),
    "E1.3": (0.300, "not printed"), "E2.1": (15.270, "not printed"), "E2.2": (16.912, "+0.3 %"),
    "E3.1": (1.165028, "not printed"), "E4.1": (777_629_030.4, "not printed"),
    "E4.2": (-0.634121, "not printed"), "E4.3": (2.19441, "not printed"),
    "E4.4": (-0.544297, "not printed"), "E5.1": (0.1766026, "not printed"),
    "E5.2": (0.0675720, "not printed"),
    "E6.1": (2.388481, "not printed"), "E6.2": (5.102802, "not printed"),
    "E6.3": (3.240108, "not printed"), "E6.4": (1.773275, "not printed"),
    "E6.5": (3.401868, "not printed"), "E6.6": (2.341027, "not printed"),
    "E7.1": (1_131_008, "not printed"), "E7.2": (72_384_512, "not printed"),
    "E7.3": (34_668_544, "not printed"), "E7.4": (116_214_528, "not printed"),
    "X1.1": (134_217_728, "not printed"), "X1.2": (0.617402, "not printed"),
    "X1.3": (6 * 0.617402, "not printed"),
    "R1.1": (1.358, "exact"), "R1.2": (1.514, "exact"), "R1.3": (1.465, "exact"),
    "R1.4": (1.11, "not printed"), "R1.5": (1.14, "not printed"), "R1.6": (0.3172, "exact"),
    "R3": (3.45, "exact"), "R4.2": (16.912 / 4.87, "not printed"), "R4.3": (3.32, "exact"),
    "N5.1": (2.53, "−41.1 %"), "N5.2": (4.87, "−4.8 %"), "N5.3": (1.96, "−16.1 %"),
    "N5.4": (3.87, "+14.4 %"), "N5.5": (2.76, "+25.4 %"), "N6": (8.404, "−41.1 %"),
    "N11": (1.337, "−4.5 %"),
}  # fmt: skip


def check(golden):
    for result in computed(asked(list(golden))):
        value, said = golden[result.row.id]
        assert result.value == pytest.approx(value, rel=4e-3), result.row.id
        assert result.agreement == said, result.row.id
        assert line(result) in PAGE, f"{result.row.id}: snndeploy reproduce all > the page"


def test_golden_numbers_without_the_larger_networks():
    check(CHEAP)


@pytest.mark.slow
def test_golden_numbers():
    check(COSTLY)


@pytest.mark.slow
def test_the_page_is_what_reproduce_all_prints():
    assert page(computed(ROWS)) == PAGE


def test_every_row_has_a_name_of_its_own_and_a_line_on_the_page():
    assert [name for name, count in Counter(row.id for row in ROWS).items() if count > 1] == []
    written = [text.split(" | ")[0] for text in PAGE.splitlines() if text.startswith("| ")]
    assert [f"| {row.id}" for row in ROWS] == [text for text in written if text != "| row"]


def test_a_reason_is_given_for_every_number_that_does_not_come_out():
    """And for none that does: agreement is as the page has it, which a slow test holds."""
    for row in ROWS:
        (text,) = [text for text in PAGE.splitlines() if text.startswith(f"| {row.id} | ")]
        said = text.split(" | ")[5]
        comes_out = said in ("exact", "truncated", "not printed") or said.startswith("within")
        assert comes_out != bool(row.unreproduced or row.awaits or row.id == "E2.2"), row.id
        assert bool(row.printed) == bool(row.source) or row.awaits, row.id


def test_rows_are_asked_for_by_name_or_group():
    def names(*given):
        return [row.id for row in asked(given)]

    assert names("p4") == ["P4.1", "P4.2"]
    assert names("R6.2", "P1") == ["P1", "R6.2"]
    assert names("S1.1", "S1") == ["S1.1", "S1.2"]
    assert len(names("all")) == len(ROWS)


def test_refusals(tmp_path):
    assert refused(tmp_path, "reproduce", "P44") == (
        "there is no row 'P44', did you mean 'P4'? (snndeploy reproduce lists them)"
    )
    assert refused(tmp_path, "reproduce", "P1", "al") == (
        "there is no row 'al', did you mean 'all'? (snndeploy reproduce lists them)"
    )


ONE = """\
R5.1  LIF-SNN-3 with TCSA on Gesture: r_REC
  printed         −59.2 %  (ASA-S Table S3)
  ours            −59.21 %
  agreement       exact
  convention      0.536 / 1.314 − 1
  note            from energies that do not come out (N2)

P1  LIF-SNN-3, 11 classes: parameters
"""


def test_a_few_rows_on_a_terminal():
    result = run("reproduce", "R5.1", "P1")
    assert result.exit_code == 0, result.output
    one, two = ONE.split("\n\n")
    assert one in result.stdout
    assert two in result.stdout
    assert "  command         snndeploy inspect lif-snn-3 --random-weights\n" in result.stdout


def test_without_a_row_they_are_listed_and_nothing_is_computed(monkeypatch):
    monkeypatch.setattr("snndeploy.papers.row.compute", None)
    result = run("reproduce")
    assert result.exit_code == 0, result.output
    assert "P4.1   11.69 M       MS-ResNet-18, ImageNet: parameters\n" in result.stdout
    assert result.stdout.count("\n") == len(ROWS)


def test_json():
    read = json.loads(run("reproduce", "S3", "W4.1", "--json", "-").stdout)
    assert read["schema"] == "snndeploy.reproduction/1"
    counted, awaited = read["rows"]
    assert counted == {
        "row": "S3",
        "quantity": 'row "Zheng 2021" on Gesture: spikes',
        "source": "MA Table 1",
        "printed": "1.337 M",
        "unit": "count",
        "value": pytest.approx(229_376 * 40 * 0.146),
        "low": pytest.approx(229_376 * 40 * 0.1455),
        "high": pytest.approx(229_376 * 40 * 0.1465),
        "agreement": "within the rounding of the rates",
        "convention": "229,376 · 40 · 0.146",
        "command": "snndeploy reproduce S3",
    }
    assert "value" not in awaited and awaited["awaits"] == "both NASARs"


def test_rates_keep_their_digits():
    found = rate("MA-S Table S8, VGG-SNN-7 on CIFAR-10", "vanilla_t1")
    assert str(found) == "0.110" and around(found) == (0.1095, 0.1105)
    assert around(rate("GAC Table 2 and text, ImageNet", "gac_ms_resnet34")) == (0.17285, 0.17295)
    assert str(layer_rates("vgg_snn_13_cifar100.toml")["body.4.spike"]) == "0.120"


def test_the_inferred_rates_are_the_only_ones():
    """MA Table 3, ResNet-18: ratios 1.358, 1.514 and 31.72 % leave one triple of three digits."""
    layers = 1_676_279_808 + 32_112_640 + 512_000  # 3x3, shortcuts, last: no stem
    scores = sum(2 * (2 * c * (c // 16) + 98 * h * h) for c, h in STAGES)
    macs = scores + sum(2 * c * h * h for c, h in STAGES)
    found = [
        (vanilla, channel, both)
        for vanilla in range(1, 1000)
        for channel in range(1, vanilla) if round(vanilla / channel, 3) == 1.358
        for both in range(1, vanilla) if round(vanilla / both, 3) == 1.514
        if round(100 * ((vanilla - both) / vanilla
                        - 4.6 * macs / (0.9 * layers * vanilla / 1000)), 2) == 31.72
    ]  # fmt: skip
    table = "MA Table 3, ResNet-18 on ImageNet, T = 1"
    assert found == [tuple(int(1000 * rate(table, name)) for name in ("vanilla", "ca", "csa"))]


STAGES = ((64, 56), (128, 28), (256, 14), (512, 7))
