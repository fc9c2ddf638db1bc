"""How events become frames is said to `compile`, kept in the program, and used by `simulate`."""

import json

import nir
import numpy as np
import pytest
from cli_runner import run
from nir_graphs import affine, neuron

from snndeploy.data import Binning
from snndeploy.program import load

pytestmark = pytest.mark.torch


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    flat = nir.Flatten({"input": np.array([2, 3, 4])}, 0, -1)
    nir.write("net.nir", nir.NIRGraph.from_list(
        nir.Input({"input": np.array([2, 3, 4])}), flat, affine(6, 24), neuron("IF", 6),
    ))  # fmt: skip
    made = np.random.default_rng(2)
    t = np.concatenate([np.sort(made.integers(0, 9000, 100)) for _ in range(3)])
    np.savez("events.npz", x=made.integers(0, 4, 300), y=made.integers(0, 3, 300), t=t,
             p=made.integers(0, 2, 300), offset=[0, 100, 200, 300], label=[0, 1, 2])  # fmt: skip
    return tmp_path


SAID = ("--calibration", "events.npz", "--bin-us", "500", "--frames", "10", "--sensor", "3,4")


def compiled(*arguments):
    return run("compile", "net.nir", *arguments, "--mapping", "naive", "-o", "net.snnp")


def test_it_is_kept_and_used_again(here):
    result = compiled(*SAID)
    assert result.exit_code == 0, result.output
    made = load("net.snnp")
    assert made.facts.binning == Binning(500, 10, "counts", "split", 3, 4)
    assert made.facts.model.timesteps == 10
    assert "events become frames: 10 bins of 500 us from the first event on" in result.stdout
    result = run("simulate", "net.snnp", "--data", "events.npz", "--json", "run.json")
    assert result.exit_code == 0, result.output
    assert json.loads((here / "run.json").read_text())["samples"] == 3
    for command in (("verify", "net.snnp"), ("analyze", "net.snnp")):
        assert run(*command, "--data", "events.npz").exit_code == 0


def test_a_model_is_analysed_on_events(here):
    said = ("--bin-us", "500", "--sensor", "3,4", "--events", "binary")
    result = run("analyze", "net.nir", "--data", "events.npz", *said)
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize(
    ("arguments", "said", "code"),
    [
        (("--calibration", "events.npz"), "events.npz holds events: say how they become frames", 1),
        (("--bin-us", "500"), "--bin-us and --frames say how events become frames: give events with"
                              " --calibration", 2),
        (("--calibration", "frames.npz", "--frames", "5"),
         "frames.npz has frames already: leave out --bin-us and --frames", 2),
        (("--calibration", "events.npz", "--events", "binary"),
         "events become frames by --bin-us or --frames: give one of them", 2),
        (("--calibration", "events.npz", "--frames", "5", "--sensor", "3"),
         "--sensor takes HEIGHT,WIDTH", 2),
    ],
)  # fmt: skip
def test_what_is_missing_or_says_nothing(here, arguments, said, code):
    np.savez("frames.npz", x=np.zeros((2, 5, 2, 3, 4)))
    result = compiled(*arguments)
    assert result.exit_code == code and said in result.stderr.replace("\n", " ")
    assert not (here / "net.snnp").exists()


def test_a_nir_file_takes_every_road(here):
    steps = ("--timesteps", "10")
    for arguments in (
        ("inspect", "net.nir", *steps), ("inspect", "net.nir", *steps, "--target", "loihi2"),
        ("fit", "net.nir", *steps), ("compare", "net.nir", "net.nir", *steps),
        ("compile", "net.nir", *steps, "--mapping", "naive", "-o", "net.snnp"),
        ("export", "net.snnp", "--format", "nir", "-o", "out.nir"),
        ("inspect", "out.nir"), ("inspect", "net.snnp"),
    ):  # fmt: skip
        result = run(*arguments)
        assert result.exit_code == 0, result.output
    result = run("inspect", "net.nir", *steps, "--checkpoint", "a.pt")
    assert result.exit_code == 2 and "net.nir is a NIR graph: --checkpoint cannot" in result.stderr
