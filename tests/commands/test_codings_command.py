"""`snndeploy codings`: every row is what the other commands say of the same network at that T."""

import json
import shutil
from math import sqrt

import numpy as np
import pytest
from cli_runner import refused, run

from snndeploy import pipeline
from snndeploy.commands.codings import SHIPPED
from snndeploy.pipeline.codings import coding_of, network_of, spread_of
from snndeploy.shelf import model_entry

pytestmark = pytest.mark.torch
GIVEN = ("codings", "--data")


@pytest.fixture(scope="module")
def folder(made, tmp_path_factory):
    """The tiny model's weights are those of T = 2."""
    copied = tmp_path_factory.mktemp("codings")
    for name in ("data.npz", "net.safetensors", "tiny_model.py"):
        shutil.copy(made / name, copied)
    return copied


def network(folder, call="net(timesteps=2)"):
    return f"{folder}/tiny_model.py:{call}@{folder}/net.safetensors"


def swept(folder, *more):
    return run("codings", network(folder), "--data", folder / "data.npz", "--calibration",
               folder / "data.npz", *more)  # fmt: skip


@pytest.fixture(scope="module")
def document(folder):
    result = swept(folder, "--timesteps", "2,3", "--json", "-")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.mark.parametrize("timesteps", [2, 3])
def test_a_row_is_what_the_other_commands_say(folder, document, timesteps):
    row = next(row for row in document["rows"] if row["timesteps"] == timesteps)
    spec = f"{folder}/tiny_model.py:net(timesteps={timesteps})"
    weights = ("--checkpoint", folder / "net.safetensors")
    costs = run("inspect", spec, *weights, "--energy", "--data", folder / "data.npz", "--json", "-")
    costs = json.loads(costs.stdout)
    made = folder / f"{timesteps}.snnp"
    run("compile", spec, *weights, "--calibration", folder / "data.npz", "-o", made)
    report = run("simulate", made, "--data", folder / "data.npz", "--json", "-")
    report = json.loads(report.stdout)
    assert row["weights_of"] == 2 and row["coding"] == "direct"
    assert row["accuracy"] == costs["activity"]["accuracy"] == report["accuracy"]["reference"]
    assert row["nasar"] == costs["totals"]["nasar"]
    assert row["formula_mj"] == costs["totals"]["total_mj"]
    assert row["chip_accuracy"] == report["accuracy"]["chip"]
    assert row["chip_mj"] == pytest.approx(1e3 * report["energy"]["chip"]["total_j"])
    assert row["host_macs"] == report["operations"]["mac_per_sample"]["encoder"]
    assert 0 < row["chip_mj_standard_deviation"] < row["chip_mj"]
    assert set(row["chip_marks"]) == {
        fact["mark"] for fact in report["energy"]["chip"]["provenance"].values()
    }


def test_the_table(folder, document):
    text = swept(folder, "--timesteps", "2,3").stdout
    assert max(map(len, text.splitlines())) <= 80
    head, *rows = text.split("\n\n")[1].splitlines()
    assert head.split() == ["network", "T", "accuracy", "%", "chip", "%", "NASAR", "formula",
                            "chip", "host"]  # fmt: skip
    assert [row.split()[1] for row in rows] == ["2", "3*"]
    for row, entry in zip(rows, document["rows"], strict=True):
        cells = row.split()
        assert cells[2] == f"{100 * entry['accuracy']:.1f}"
        assert cells[3] == f"±{100 * entry['accuracy_spread']:.1f}"
        assert cells[5:8] == [f"{entry['nasar']:.4f}", f"{1e3 * entry['formula_mj']:.2f}",
                              f"{1e3 * entry['chip_mj']:.2f}"]  # fmt: skip
    assert "run with the weights of another T, not trained anew: tiny_model:net 2" in text


def test_its_own_timesteps_where_none_are_given(folder):
    document = json.loads(swept(folder, "--json", "-").stdout)
    assert [row["timesteps"] for row in document["rows"]] == [2]


def test_what_cannot_run_at_some_t_is_said_in_its_row():
    """Temporal attention of gac-digits has weights of T = 4."""
    result = run("codings", "gac-digits", "--timesteps", "2,4", "--samples", 2)
    assert result.exit_code == 0, result.output
    said = result.stdout.split("not computed\n")[1].replace("\n   ", "")
    assert said.startswith("  - gac-digits at T=2: checkpoint ")
    assert said.endswith("has shape (2, 4), the model needs (1, 2)\n")


@pytest.mark.parametrize("share", [0.0, 0.5, 0.98, 1.0])
def test_the_spread_is_half_of_wilsons_interval(share):
    """The two roots q of (p - q)^2 = q (1 - q) / n, one standard deviation away."""
    n = 1000
    low, high = np.sort(np.roots([1 + 1 / n, -(2 * share + 1 / n), share**2]))
    assert spread_of(share, n) == pytest.approx((high - low) / 2)
    assert spread_of(0.5, n) == pytest.approx(sqrt(0.25 / n), rel=1e-3)


@pytest.mark.parametrize("name", SHIPPED)
def test_the_shipped_codings_are_what_they_are_called(name):
    _, graph = pipeline.load_graph(name, random_weights=True)
    assert coding_of(graph) == name.removesuffix("-digits")


def test_refusals(folder):
    data = folder / "data.npz"
    assert refused(folder, *GIVEN, data, network(folder, "net()")) == (
        f"{folder}/tiny_model.py:net() does not say timesteps=T as a number, so T cannot be varied"
    )
    assert refused(folder, *GIVEN, data, "no-such") == (
        "'no-such' is no shipped model (snndeploy models list) and not"
        " FILE.py:FACTORY(timesteps=T, ...)@CHECKPOINT"
    )
    spec = model_entry("lif-snn-3").file_spec
    assert refused(folder, *GIVEN, data, "lif-snn-3") == (
        f"lif-snn-3 is shipped without weights, so it has no accuracy; give {spec}@CHECKPOINT"
    )
    assert refused(folder, "codings", network(folder)) == (
        "tiny_model:net has no test data of its own: give --data"
    )
    assert refused(folder, *GIVEN, data, network(folder)) == (
        "tiny_model:net has no calibration data: give --calibration"
    )
    np.savez(folder / "bare.npz", x=np.zeros((1, 1, 8, 8), np.float32))
    assert refused(folder, *GIVEN, folder / "bare.npz", network(folder)) == (
        "bare.npz has no labels y, so there is no accuracy to compare"
    )
    assert network_of("ms-digits").timesteps == 4


@pytest.mark.parametrize("timesteps", ["0", "4,", "two", "-1", "1.5"])
def test_steps_that_are_none(folder, timesteps):
    result = swept(folder, "--timesteps", timesteps)
    assert result.exit_code == 2
    assert f"'{timesteps}' is not a list of whole numbers from 1, as 4 or 2,4,8." in result.output
