"""The commands that the page names print what its rows say."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
from cli_runner import run

from snndeploy.papers import asked, computed, take
from snndeploy.papers.rows import ROWS
from snndeploy.papers.shown import Compare, Inspect, Parameters

pytestmark = pytest.mark.torch
ROOT = Path(__file__).resolve().parents[2]


def told(command, monkeypatch):
    """The command's JSON, run in the checkout."""
    monkeypatch.chdir(ROOT)
    arguments = shlex.split(command)
    assert arguments.pop(0) == "snndeploy"
    result = run(*arguments, "--json", "-")
    assert result.exit_code == 0, (command, result.output)
    return json.loads(result.stdout)


def numbers_of(record):
    """Every number of the record, whatever it is called."""
    if isinstance(record, dict):
        return [number for value in record.values() for number in numbers_of(value)]
    if isinstance(record, list):
        return [number for value in record for number in numbers_of(value)]
    return [record] if isinstance(record, (int, float)) and not isinstance(record, bool) else []


def check(row, monkeypatch):
    (result,) = computed([row])
    record = told(row.command, monkeypatch)
    if isinstance(row.shown, Parameters) and row.shown.base:
        numbers = [record["b"]["model"]["parameters"] - record["a"]["model"]["parameters"]]
    else:
        numbers = numbers_of(record)
    assert any(number == pytest.approx(result.value, rel=1e-9) for number in numbers), row.id


@pytest.mark.parametrize("name", ["A11", "R3"])
def test_a_command_prints_the_number(name, monkeypatch):
    (row,) = asked([name])
    record = told(row.command, monkeypatch)
    if name == "A11":
        totals = record["totals"]
        assert totals["delta_mac1"] + totals["delta_mac2"] == 25_559_043
    else:
        assert round(record["change"]["r_ee"], 2) == 3.45


# What the commands' JSON holds as it stands, and what is a sum or a share of it.
WHOLE = (
    take.energy, take.neurons, take.delta_mac1, take.delta_mac2, take.ann_ratio, take.r_ee,
    take.r_rec, take.delta_mj,
)  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(
    "row",
    [
        row for row in ROWS
        if isinstance(row.shown, (Parameters, Inspect, Compare)) and "PHI0" not in row.command
        and (isinstance(row.shown, Parameters) or row.take in WHOLE)
    ],
    ids=lambda row: row.id,
)  # fmt: skip
def test_every_command_prints_its_number(row, monkeypatch):
    check(row, monkeypatch)
