"""The terminal report: what it reads, and that it fits."""

from __future__ import annotations

import copy

import pytest
from test_report import small_report

from snndeploy.report import render
from snndeploy.report.terminal import number, percent, si, table

COLUMNS = 90
LONG = "encoder.body.stage_with_a_long_name.block." * 4 + "spike"


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "-"), (1.0, "100.00 %"), (0.99999, "99.99 %"), (1 - 1e-12, "99.99 %"), (0.5, "50.00 %"),
     (0.0, "0.00 %"), (1e-9, "<0.01 %"), (0.29, "29.00 %"), (2 / 3, "66.66 %")],
)  # fmt: skip
def test_percent_rounds_down(value, text):
    assert percent(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (1, "1"), (0.01234, "0.0123"), (999.4, "999"), (999.6, "1,000"), (1234, "1,230"),
     (99_960, "100,000"), (2_704_057.1, "2,700,000"), (-1500, "-1,500")],
)  # fmt: skip
def test_number_keeps_three_digits(value, text):
    assert number(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0 J"), (1.234e-6, "1.23 uJ"), (0.9996, "1 J"), (9.996e-4, "1 mJ"), (2500.0, "2,500 J"),
     (5e-14, "0.05 pJ"), (-2e-3, "-2 mJ")],
)  # fmt: skip
def test_si_chooses_the_prefix_after_rounding(value, text):
    assert si(value, "J") == text


def test_fits_with_ordinary_and_with_long_names():
    report = small_report()
    long = copy.deepcopy(report)
    long["model"] |= {"name": LONG, "weights": LONG}
    long["data"] = LONG
    long["notes"].append(LONG + ": clipped")
    long["partition"]["reasons"] = [f"{LONG}: multiplies"]
    long["mapping"]["binding"] = LONG
    for layer in long["spikes"]["layers"]:
        layer |= {"name": LONG, "neurons": 10**9, "spikes_per_sample": 1e9}
    for found in (report, long):
        assert max(map(len, render(found).splitlines())) <= COLUMNS


def test_reads_complete_only_when_complete():
    report = small_report()
    report["accuracy"] = {"reference": 1.0, "chip": 1 - 1e-11, "agreement": 1 - 1e-11}
    line = render(report).split("Accuracy\n")[1].splitlines()[1]
    assert line.count("100.00 %") == 1
    assert line.count("99.99 %") == 2


def test_no_accuracy_without_anything_to_compare():
    report = small_report()
    report["accuracy"] = dict.fromkeys(report["accuracy"])
    assert "Accuracy" not in render(report)
    assert "same answer" in render(small_report(labels=False))


def test_whole_head_and_spikes():
    text = render(small_report())
    assert text.startswith(
        "small on loihi1: 4 samples of digits.npz, T=2\n"
        "  weights small.safetensors, 78 parameters\n"
        "\n"
        "Accuracy\n"
        "    float model  chip integers  same answer\n"
        "        75.00 %        50.00 %      75.00 %\n"
        "\n"
        "Spikes a sample\n"
        "  population   kind  neurons  spikes    rate  as float\n"
        "  first         lif       10      10  0.5000  100.00 %\n"
        "  second        lif        6       2  0.1667   97.91 %\n"
        "  all spiking                     12  0.3750\n"
    )


def test_one_of_a_thing_is_not_many():
    report = small_report()
    report["mapping"] |= {"cores": 1, "chips": 1}
    report["samples"] = 1
    text = render(report)
    assert "on 1 core of 1 chip\n" in text and ": 1 sample of" in text


def test_absent_parts_are_absent():
    report = small_report()
    del report["energy"]["paper"], report["energy"]["paper_gac_equation_11"]
    report["notes"] = []
    text = render(report)
    assert "Papers' formula" not in text and "Notes" not in text


def test_a_long_first_cell_keeps_its_end():
    lines = table(("name", "value"), [("a" * 100 + ".spike", "1")]).splitlines()
    assert lines[1].endswith(".spike      1") and "…" in lines[1]
    assert len(lines[1]) <= COLUMNS


@pytest.mark.parametrize(
    ("unit", "rows"),
    [
        ("host", ["multiply-accumulates on the host 1,700", "of these in attention 700",
                  "multiply-accumulates of synapses on the chip 50"]),
        ("chip", ["multiply-accumulates on the host 1,000",
                  "multiply-accumulates of synapses on the chip 50",
                  "multiply-accumulates in attention, chip 700"]),
    ],
)  # fmt: skip
def test_attention_stands_behind_what_it_is_part_of(unit, rows):
    report = small_report()
    report["operations"]["mac_per_sample"] |= {"encoder": 1000, "body": 50, "attention": 700}
    report["attention"] = {"unit": unit, "full_windows": 0, "buffer_bytes": 0}
    lines = [" ".join(line.split()) for line in render(report).splitlines()]
    start = lines.index(rows[0])
    assert lines[start : start + 3] == rows
