"""compile --convert: from an ANN's SPEC to a program, what is printed, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from cli_runner import refused, run
from onnx_files import saved

from snndeploy import pipeline
from snndeploy.data import load_data
from snndeploy.frontend.door import TO_COST
from snndeploy.ops.evaluate import evaluate
from snndeploy.program import load
from snndeploy.simulator.run import simulate

pytestmark = pytest.mark.torch

MODELS = Path(__file__).resolve().parents[2] / "models"
MODEL = """
import torch
from torch import nn

def net():
    torch.manual_seed(0)
    made = nn.Sequential(nn.Conv2d(1, 3, 3, padding=1), nn.ReLU(), {pool}, nn.Flatten(),
                         nn.Linear(27, 12), nn.ReLU(), nn.Linear(12, 4))
    made.input_shape, made.input_signal = (1, 6, 6), "real"
    return made

def example(module):
    return torch.zeros(1, 1, 6, 6)
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    weights = {}
    for name, pool in (("ann", "nn.AvgPool2d(2)"), ("most", "nn.MaxPool2d(2)")):
        (tmp_path / f"{name}.py").write_text(MODEL.replace("{pool}", pool))
        space: dict = {}
        exec(MODEL.replace("{pool}", pool), space)
        module = space["net"]()
        torch.save(module.state_dict(), tmp_path / f"{name}.pt")
        weights[name] = module
    x = np.random.default_rng(0).random((100, 1, 6, 6)).astype(np.float32)
    with torch.no_grad():
        y = weights["ann"](torch.from_numpy(x)).argmax(1).numpy()
    np.savez(tmp_path / "data.npz", x=x, y=y)
    return tmp_path


CONVERT = ("--convert", "--timesteps", 32, "--calibration", "data.npz", "-o", "net.snnp")
ANN = ("compile", "ann.py:net", "--checkpoint", "ann.pt")
MOST = ("compile", "most.py:net", "--checkpoint", "most.pt")


def test_from_torch_to_a_simulated_program(here):
    result = run(*ANN, *CONVERT, "--json", "facts.json")
    assert result.exit_code == 0, result.output
    text = result.stdout
    assert "2 ReLUs became integrate-and-fire neurons" in text
    assert "on 36 samples, others than those:" in text
    made = load("net.snnp")
    known = made.facts.conversion
    assert [row.timesteps for row in known.steps] == [1, 2, 4, 8, 16, 32]
    assert known.steps[-1].accuracy >= 0.9 and known.ann_accuracy == 1.0
    assert f"     32  {100 * known.steps[-1].accuracy:6.1f} %" in text
    record = json.loads((here / "facts.json").read_text())
    assert record["conversion"]["steps"][-1]["timesteps"] == 32
    assert made.facts.model.timesteps == made.network.timesteps == 32
    data = load_data(here / "data.npz")
    found = simulate(made, data.inputs(), reference=False).logits.argmax(1)
    assert np.mean(found == data.y) >= 0.9


def test_an_onnx_file_makes_the_same_network(here):
    """The torch module and its ONNX twin, written by hand, node by node."""
    state = torch.load("ann.pt", weights_only=True)
    arrays = {key.replace(".", "_"): value.numpy() for key, value in state.items()}
    nodes = [
        ("Conv", ("x", "0_weight", "0_bias"), ("a",), {"pads": [1, 1, 1, 1]}),
        ("Relu", ("a",), ("b",), {}),
        ("AveragePool", ("b",), ("c",), {"kernel_shape": [2, 2], "strides": [2, 2]}),
        ("Flatten", ("c",), ("d",), {}),
        ("Gemm", ("d", "4_weight", "4_bias"), ("e",), {"transB": 1}),
        ("Relu", ("e",), ("f",), {}),
        ("Gemm", ("f", "6_weight", "6_bias"), ("y",), {"transB": 1}),
    ]
    spec = saved(here / "ann.onnx", nodes, arrays, (1, 6, 6))
    given = {"convert": True, "timesteps": 16, "calibration": "data.npz", "mapping": "naive"}
    torch_made = pipeline.compile("ann.py:net", "ann.pt", **given)
    onnx_made = pipeline.compile(spec, **given)
    ours, theirs = (made.facts.conversion for made in (onnx_made, torch_made))
    assert ours.steps == theirs.steps
    assert [t.threshold for t in ours.thresholds] == [t.threshold for t in theirs.thresholds]
    x = load_data(here / "data.npz").inputs()[:20]
    found = [simulate(made, x, reference=False).logits for made in (onnx_made, torch_made)]
    assert np.array_equal(*found)


@pytest.mark.parametrize("kind", ["average", "any"])
def test_max_pools_as_asked(here, kind):
    result = run(*MOST, *CONVERT, "--max-pool", kind)
    assert result.exit_code == 0, result.output
    word = {"average": "max pools became averages", "any": "max pools became any spike"}[kind]
    assert word in " ".join(result.stdout.split())
    assert load("net.snnp").facts.conversion.max_pools == kind


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((*MOST, *CONVERT), "give --max-pool average or --max-pool any"),
        ((*ANN, "--timesteps", 8, "-o", "net.snnp"), "--convert --timesteps 32"),
        ((*ANN, *CONVERT, "--target", "loihi1"), "loihi1 has no soft reset"),
    ],
)  # fmt: skip
def test_refusals(here, arguments, said):
    assert said in refused(here, *arguments)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--max-pool", "any"), "--max-pool is about how an ANN is converted: give --convert"),
        (("--percentile", 99), "--percentile is about how an ANN is converted: give --convert"),
        (
            ("--convert", "--calibration", "data.npz"),
            "--convert needs the number of steps: give --timesteps T, for example 32",
        ),
        (
            ("--convert", "--timesteps", 8),
            "--convert balances thresholds on data: give --calibration DATA.npz",
        ),
    ],
)
def test_options_that_do_not_go_together(here, options, said):
    result = run(*ANN, *options, "-o", "net.snnp")
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in " ".join(result.stderr.split())


@pytest.mark.slow
def test_the_shipped_ann_within_a_point():
    """1,000 held-back digits, in the chip's integers, at T=32: within 1 point of the ANN."""
    made = pipeline.compile(
        str(MODELS / "weights/digits_ann.onnx"), convert=True, timesteps=32,
        calibration=MODELS / "data/mnist_calibration.npz",
    )  # fmt: skip
    data = load_data(MODELS / "data/mnist_test.npz")
    opened, graph = pipeline.load_graph(
        str(MODELS / "weights/digits_ann.onnx"), need=TO_COST, timesteps=1
    )
    (answers,) = evaluate(graph, data.inputs()).values()
    of_ann = np.mean(answers.numpy().argmax(1) == data.y)
    found = simulate(made, data.inputs(), reference=False).logits.argmax(1)
    of_chip = np.mean(found == data.y)
    assert opened.facts.parameters < 20_000 and len(data.y) == 1000
    assert of_ann == pytest.approx(0.979, abs=0.002)
    assert of_chip >= of_ann - 0.01
