"""Bytes where 0..1 was calibrated: every command that runs data says so before all else."""

from __future__ import annotations

import json

import numpy as np
import pytest
from cli_runner import run

from snndeploy.program import load

pytestmark = pytest.mark.torch

WARNING = "the data lies in 0..255, calibration saw "
FIRST = f"warning: {WARNING}"


@pytest.fixture(scope="module")
def data(made):
    with np.load(made / "data.npz") as held:
        x, more = held["x"], {key: held[key] for key in held if key != "x"}
    seen = load(made / "net.snnp").facts.input_range
    assert (seen.least, seen.most) == (x[:64].min(), x[:64].max()) and x.max() < 1
    bytes_, again = made / "bytes.npz", made / "scaled.npz"
    x = np.round(255 * x).astype(np.uint8)
    x[..., 0, 0], x[..., 0, 1] = 0, 255
    np.savez(bytes_, x=x, **more)
    np.savez(again, x=x, scale=1 / 255, **more)
    return bytes_, again


def test_simulate_says_it_first(made, data, tmp_path):
    arguments = ("simulate", made / "net.snnp", "--samples", 2, "--data")
    found = run(*arguments, data[0], "-o", tmp_path / "run")
    assert found.exit_code == 0
    assert found.stdout.startswith(FIRST)
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    assert [text.startswith(WARNING) for text in report["warnings"]] == [True]
    assert WARNING in (tmp_path / "run" / "report.html").read_text()
    right = run(*arguments, data[1], "--json", tmp_path / "right.json")
    assert "warning" not in right.stdout
    assert "warnings" not in json.loads((tmp_path / "right.json").read_text())


def test_verify_says_it_first(made, data, tmp_path):
    arguments = ("verify", made / "net.snnp", "--samples", 2, "--json", tmp_path / "v.json")
    assert run(*arguments, "--data", data[0]).stdout.startswith(FIRST)
    said = json.loads((tmp_path / "v.json").read_text())
    assert list(said)[1] == "warnings" and said["warnings"][0].startswith(WARNING)
    assert "warning" not in run(*arguments).stdout
    assert "warnings" not in json.loads((tmp_path / "v.json").read_text())


def test_deploy_says_it_first(made, data, tmp_path):
    arguments = ("deploy", made / "net.snnp", "--samples", 1)
    assert run(*arguments, "--data", data[0], "-o", tmp_path / "a").stdout.startswith(FIRST)
    assert run(*arguments, "-o", tmp_path / "b").stdout.startswith("written: ")
