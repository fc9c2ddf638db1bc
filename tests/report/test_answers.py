"""What is read of answers that are no classes: terminal, JSON and page."""

import numpy as np
import pytest
import torch
from readout_models import HEADS, SHIFT, STEPS, Model, data, eighths, single, single_sigmoid, twin

from snndeploy.frontend.door import ModelFacts, OpenedModel
from snndeploy.frontend.torch import trace
from snndeploy.pipeline.walk import compile_opened
from snndeploy.report import render, summarize
from snndeploy.report.html import page
from snndeploy.simulator.answers import heads_of
from snndeploy.simulator.run import simulate
from snndeploy.target import Target

pytestmark = pytest.mark.torch
X = data(40)


def report(model, y=None):
    facts = ModelFacts("readout", "", "given", 0, "", STEPS, (STEPS, 12), "binary")
    graph = trace(model, torch.zeros(1, STEPS, 12))
    program = compile_opened(OpenedModel(facts, graph), Target.load("loihi2"))
    return program, summarize(program, simulate(program, X), y)


def block(text, title):
    """The part of the terminal's text under a title, '' without one."""
    parts = [part for part in text.split("\n\n") if part.startswith(title)]
    return parts[0] if parts else ""


def test_one_output_without_labels_has_no_accuracy():
    _, found = report(single())
    assert set(found["accuracy"].values()) == {None} and found["accuracy_of"] is None
    assert found["error"]["reference"] is None and found["error"]["chip"] is None
    assert found["error"]["agreement"]["largest"] < 1e-6  # float32 against exact integers
    text = render(found)
    assert not block(text, "Accuracy")
    assert block(text, "Error of the answers").splitlines()[1].split() == ["chip", "to", "float"]
    assert "accuracy on the chip" not in page(found)
    assert "squared error, chip to float" in page(found)


def test_targets_are_compared_by_distance():
    y = twin(X, 1)[1].mean(0)[:, 0] + SHIFT
    _, found = report(single(), y + 0.5)
    for side in ("reference", "chip"):
        assert found["error"][side]["mse"] == pytest.approx(0.25, rel=1e-5)
        assert found["error"][side]["mae"] == pytest.approx(0.5, rel=1e-5)
        assert found["error"][side]["correlation"] == pytest.approx(1.0)
    rows = block(render(found), "Error of the answers").splitlines()
    assert " ".join(rows[1].split()) == "float to target chip to target chip to float"
    assert rows[2].split()[:5] == ["mean", "squared", "error", "0.25", "0.25"]
    assert rows[5].startswith("  correlation (Pearson)")
    assert not block(render(found), "Accuracy")


@pytest.mark.parametrize("make", [single, single_sigmoid])
def test_binary_labels_are_of_the_sign(make):
    """Behind a sigmoid the sign of its argument, which is one half of its value."""
    y = (twin(X, 1)[1].mean(0)[:, 0] + SHIFT > 0).astype(int)
    assert 0 < y.sum() < len(y)
    y[:4] = 1 - y[:4]
    _, found = report(make(), y)
    assert found["accuracy"] == {"reference": 0.9, "chip": 0.9, "agreement": 1.0}
    assert found["accuracy_of"] == "sign of the output"
    assert block(render(found), "Accuracy").splitlines()[0] == "Accuracy of the sign of the output"
    assert not block(render(found), "Error of the answers")
    assert "of the sign of the output" in page(found)


def test_other_heads_are_compared_with_the_float_model():
    program, found = report(Model(HEADS["tuple"]))
    assert [head["name"] for head in found["heads"]] == ["fire", "second"]
    assert all(head["error"]["agreement"]["largest"] < 1e-6 for head in found["heads"])
    lines = block(render(found), "Other heads").splitlines()
    assert lines[1].startswith("  head 2 (fire): chip to float mean absolute error 0, largest 0")
    assert [head.name for head in heads_of(program)] == ["second", "fire", "second"]


class Map(torch.nn.Module):
    """Classes of every position of a plane."""

    timesteps, input_shape, input_signal = STEPS, (STEPS, 2, 4, 5), "binary"

    def __init__(self):
        super().__init__()
        self.first, self.second = torch.nn.Conv2d(2, 4, 3, padding=1), torch.nn.Conv2d(4, 3, 1)
        self.fire = type(single().fire)()
        with torch.no_grad():
            for layer in (self.first, self.second):
                layer.weight.copy_(torch.tensor(eighths(*layer.weight.shape)))
                layer.bias.copy_(torch.tensor(eighths(len(layer.bias))))

    def forward(self, x):
        current = self.first(x.transpose(0, 1).flatten(0, 1)).unflatten(0, (STEPS, -1))
        return self.second(self.fire(current).flatten(0, 1)).unflatten(0, (STEPS, -1)).sum(0)


def test_maps_have_a_class_at_every_position():
    x = np.random.default_rng(3).integers(0, 2, (8, STEPS, 2, 4, 5)).astype(np.float32)
    facts = ModelFacts("map", "", "given", 0, "", STEPS, (STEPS, 2, 4, 5), "binary")
    model = Map()
    graph = trace(model, torch.zeros(1, STEPS, 2, 4, 5))
    program = compile_opened(OpenedModel(facts, graph), Target.load("loihi2"))
    assert heads_of(program)[0].shape == (3, 4, 5)
    with torch.no_grad():
        y = model(torch.tensor(x)).argmax(1).numpy()
    run = simulate(program, x)
    assert run.logits.shape == (8, 60)
    np.testing.assert_allclose(run.logits, run.reference_logits, atol=1e-5)
    y[:, 0, 0] = (y[:, 0, 0] + 1) % 3  # one of 20 positions
    found = summarize(program, run, y)
    assert found["accuracy"] == {
        "reference": pytest.approx(0.95), "chip": pytest.approx(0.95), "agreement": 1.0
    }  # fmt: skip
    assert found["accuracy_of"] == "class at every position"
