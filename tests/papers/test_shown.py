"""The commands that the page names print what its rows say."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
from cli_runner import run

from snndeploy.papers import asked, computed, take
from snndeploy.papers.shown import Parameters

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
    sought = -result.value if row.take is take.energy_saved else result.value
    assert any(number == pytest.approx(sought, rel=1e-9) for number in numbers), row.id


def test_a_command_prints_the_number(monkeypatch):
    (row,) = asked(["A11"])
    totals = told(row.command, monkeypatch)["totals"]
    assert totals["delta_mac1"] + totals["delta_mac2"] == 25_559_043


# One of each form: parameters of a file's factory, of two; one rate; a rate for every layer, of one
# network and of two; conventions by key.
FORMS = ["P9", "A2.2", "R3", "R4.3", "E1.1", "E1.2", "E4.2", "R1.6", "N5.4"]


@pytest.mark.slow
@pytest.mark.parametrize("name", FORMS)
def test_commands_print_their_numbers(name, monkeypatch):
    (row,) = asked([name])
    check(row, monkeypatch)
