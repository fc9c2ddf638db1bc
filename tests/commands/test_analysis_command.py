"""`snndeploy analyze`: what it writes and prints, what it refuses."""

import json
import os
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
from cli_runner import listing, refused, run
from test_interrupt import EXPECTED, interrupted_at

from snndeploy.analysis import analyze_chip, as_json, summary
from snndeploy.data import load_data
from snndeploy.program import load

pytestmark = pytest.mark.torch
CHECKOUT = Path(__file__).resolve().parents[2]


def refusal(folder, *more, program="net.snnp", data="data.npz"):
    line = refused(folder, "analyze", folder / program, "--data", folder / data, "-o",
                   folder / "out", *more)  # fmt: skip
    return line.replace(f"{folder}/", "")


@pytest.fixture
def folder(made, tmp_path):
    for name in ("net.snnp", "data.npz", "net.safetensors", "tiny_model.py"):
        (tmp_path / name).write_bytes((made / name).read_bytes())
    return tmp_path


def test_a_program(folder):
    result = run(
        "analyze", folder / "net.snnp", "--data", folder / "data.npz", "-o", folder / "out"
    )
    assert result.exit_code == 0, result.output
    document = json.loads((folder / "out" / "analysis.json").read_text())
    found = load_data(folder / "data.npz")
    expected = as_json(analyze_chip(load(folder / "net.snnp"), found.inputs()), "data.npz")
    assert document.pop("snndeploy") == version("snndeploy")
    assert document == json.loads(json.dumps(expected))
    assert (document["schema"], document["of"], document["samples"]) == (
        "snndeploy.analysis/1", "chip", 6,
    )  # fmt: skip
    said = summary(document)
    assert result.stdout == (
        f"{said}\nwritten to {folder / 'out'}: analysis.json, maps.npz, pictures\n"
    )
    assert max(map(len, said.splitlines())) <= 80
    with np.load(folder / "out" / "maps.npz") as arrays:
        for layer in document["layers"]:
            n_sfr = arrays[layer["arrays"]["n_sfr"]]
            assert n_sfr.shape == (2, *layer["shape"])
            assert n_sfr.mean() == pytest.approx(layer["lasar_spikes_per_neuron_step"])
            bars = arrays[layer["arrays"]["membrane_histogram"]].sum(axis=(0, 1))
            assert bars.tolist() == layer["membranes"]["histogram"]
    assert sorted(os.listdir(folder / "out")) == [
        "analysis.json", "asrv_000_spike1.png", "asrv_001_spike2.png", "firing_period_000.png",
        "lasar.png", "maps.npz", "membranes_000_spike1.png", "membranes_001_spike2.png",
        "noise_000_spike1.png", "noise_001_spike2.png", "nsar.png", "written.json",
    ]  # fmt: skip


def keys_of(value):
    """Every name of a document, apart from those that are numbers of steps."""
    if isinstance(value, list):
        return {key for entry in value for key in keys_of(entry)}
    if not isinstance(value, dict):
        return set()
    own = {key for key in value if not key.isdigit()}
    return own.union(*(keys_of(entry) for key, entry in value.items() if key != "conventions"))


def test_every_key_is_explained(folder):
    result = run("analyze", folder / "net.snnp", "--data", folder / "data.npz", "--json", "-")
    text = (CHECKOUT / "docs" / "analysis.md").read_text(encoding="utf-8")
    assert sorted(key for key in keys_of(json.loads(result.stdout)) if key not in text) == []


def test_json_alone_writes_nothing(folder):
    before = listing(folder)
    result = run("analyze", folder / "net.snnp", "--data", folder / "data.npz", "--samples", 2,
                 "--bin-width", 0.25, "--layer", "spike2", "--json", "-")  # fmt: skip
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert document["samples"] == 2
    assert document["layers"][1]["membranes"]["bin_width_membrane_units"] == 0.25
    assert listing(folder) == before


def test_a_spec_is_the_programs_float_model(folder):
    data = ("--data", folder / "data.npz", "--json", "-")
    spec = f"{folder}/tiny_model.py:net()"
    model = run("analyze", spec, "--checkpoint", folder / "net.safetensors", *data)
    program = run("analyze", folder / "net.snnp", "--of", "model", *data)
    assert model.exit_code == program.exit_code == 0, model.output
    first, second = json.loads(model.stdout), json.loads(program.stdout)
    assert (first["of"], first["network"]) == ("model", second["network"])
    assert first["layers"] == second["layers"]


def test_summary_of_a_program(folder):
    result = run("analyze", folder / "net.snnp", "--data", folder / "data.npz")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[:4] == [
        "tiny_model:net (integers on loihi2): 6 samples of data.npz, T=2",
        "",
        "Firing rate (NASAR: spikes a neuron and step)",
        "              neurons   NASAR  spikes a sample",
    ]


@pytest.mark.parametrize("width", ["0", "-0.5", "nan", "inf"])
def test_widths_that_are_none(folder, width):
    said = f"a bin width of {float(width):g} is none; give a number above 0"
    assert refusal(folder, "--bin-width", width) == said


def test_a_threshold_that_is_no_correlation(folder):
    said = "a ghost threshold of 1.5 is no correlation; give -1..1"
    assert refusal(folder, "--ghost-threshold", 1.5) == said


def test_an_unknown_layer(folder):
    said = "no spiking layer 'spike', did you mean 'spike1' or 'spike2'?"
    assert refusal(folder, "--layer", "spike") == said


def test_data_of_another_shape(folder):
    np.savez(folder / "other.npz", x=np.zeros((2, 3, 8, 8), np.float32))
    assert refusal(folder, data="other.npz") == (
        "other.npz: samples have shape (3, 8, 8), the model takes (1, 8, 8); reshape or resize the"
        " data"
    )


def test_bars_that_do_not_fit(folder, monkeypatch):
    monkeypatch.setattr("snndeploy.analysis.membranes.LARGEST_HISTOGRAM", 10)
    said = refusal(folder, "--bin-width", 0.001)
    assert said.startswith("spike1: histograms of 2 steps x 4 channels x ")
    assert said.endswith(" bars; at most 10 are kept: give a larger --bin-width")


def test_a_folder_that_is_a_file(folder):
    (folder / "out").write_text("mine")
    assert refusal(folder) == "cannot write into out: it is a file; name a folder"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("net.snnp", "--random-weights"),
         "a program file is analysed as it is: give no model option"),
        (("tiny_model.py:net()", "--of", "chip"),
         "--of chip needs a program file: compile the model first"),
        (("net.net",), 
         "{spec} is a lava-dl .net file, in integers already: it is analysed as a program: compile"
         " it first"),
    ],
)  # fmt: skip
def test_usage(folder, arguments, said):
    spec, *more = arguments
    result = run("analyze", folder / spec, "--data", folder / "data.npz", *more)
    assert result.exit_code == 2
    assert result.stderr.splitlines()[-1] == f"Error: {said.format(spec=folder / spec)}"


@pytest.mark.parametrize("moment", ["analyze", "draw 2"])
def test_interrupted(folder, moment):
    samples = 60_000 if moment == "analyze" else 2
    np.savez(folder / "data.npz", x=np.ones((samples, 1, 8, 8), np.float32))
    before = listing(folder)
    arguments = ("analyze", "net.snnp", "--data", "data.npz", "-o", "out", "--json", "a.json")
    assert interrupted_at(moment, folder, *arguments) == EXPECTED
    assert listing(folder) == before
    assert not (folder / "out").exists()


def test_beside(folder):
    data = ("--data", folder / "data.npz")
    result = run("analyze", folder / "net.snnp", *data, "--beside", f"{folder}/tiny_model.py:net()",
                 "--beside-checkpoint", folder / "net.safetensors", "--sample", 2, "--steps", "1,2",
                 "-o", folder / "out")  # fmt: skip
    assert result.exit_code == 0, result.output
    out = folder / "out"
    document = json.loads((out / "beside.json").read_text())
    assert (document["schema"], document["samples"]) == ("snndeploy.beside/1", 6)
    for side, name in (("a", "analysis.json"), ("b", "b/analysis.json")):
        own = json.loads((out / name).read_text())
        assert own["of"] == document[side]["of"] == {"a": "chip", "b": "model"}[side]
        assert own["single_samples"] == [2]
    assert {"beside.png", "beside_sample_00002.png", "maps.npz", "b"} <= set(os.listdir(out))
    assert "asrv_000_spike1_step_002.png" in os.listdir(out / "b")
    assert result.stdout.splitlines()[0] == "A: tiny_model:net (integers on loihi2), T=2"
    text = (CHECKOUT / "docs" / "analysis.md").read_text(encoding="utf-8")
    assert sorted(key for key in keys_of(document) if key not in text) == []


def test_a_checkpoint_of_nothing(folder):
    result = run("analyze", folder / "net.snnp", "--data", folder / "data.npz",
                 "--beside-checkpoint", folder / "net.safetensors")  # fmt: skip
    assert result.exit_code == 2
    assert "--beside-checkpoint belongs to --beside" in result.stderr


def test_steps_and_samples_that_there_are_not(folder):
    assert refusal(folder, "--steps", "1,5") == "there is no step 5: the network has 2, from 1"
    assert refusal(folder, "--sample", 6) == "there is no sample 6: the data has 6, from 0"
