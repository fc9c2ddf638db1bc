"""The page of `snndeploy doctor`, and that it answers as the commands which it stands for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cli_runner import refused, run

pytestmark = pytest.mark.torch

MISDESCRIBED = """
import torch
from torch import nn
import tiny_model


def net():
    model = tiny_model.net()
    neuron = next(m for m in model.modules() if hasattr(m, "neuron_parameters"))
    stated = neuron.neuron_parameters()
    neuron.neuron_parameters = lambda: {**stated, "threshold": 3 * stated["threshold"]}
    return model
"""


def test_the_page_of_a_tiny_network(bench: Path):
    given = ("--checkpoint", bench / "net.safetensors", "--target", "loihi1", "--target", "speck")
    result = run("doctor", f"{bench}/tiny_model.py:net()", *given)
    assert result.exit_code == 0, result.output
    assert max(map(len, result.stdout.splitlines())) <= 80
    for said in (
        "tiny_model:net",
        "a torch model; ",
        "weights net.safetensors",
        "What was recognised",
        "the graph and the model gave the same on inputs that make the neurons fire",
        "  loihi1: yes, on 1 core\n",
        "  speck: nothing is compiled for them",
        "(loihi1)",
    ):
        assert said in result.stdout, result.stdout


@pytest.mark.parametrize("spec", ["gac-digits", "lif-snn-3-small-tcsa"])
def test_it_says_what_fit_says(spec: str):
    targets = ("--target", "loihi1", "--target", "loihi2", "--target", "hybrid45nm")
    page = json.loads(run("doctor", spec, *targets, "--json", "-").stdout)
    fit = json.loads(run("fit", spec, *targets, "--json", "-").stdout)
    assert page["fits"] == fit["answers"]


def test_a_smallest_change_was_tried_and_works():
    page = json.loads(run("doctor", "lif-snn-3-small-tcsa", "--json", "-").stdout)
    refusing = {fit["target"] for fit in page["fits"] if not fit["fits"]}
    assert "loihi2" in refusing and "hybrid45nm" not in refusing
    assert set(page["changes"]) == refusing and page["changes"]["loihi2"]["tried"]
    result = run("fit", "lif-snn-3-small-tcsa", "--target", "loihi2", "--host-attention")
    assert "loihi2: fits on" in result.stdout


def test_what_is_not_a_spiking_network_is_told_what_it_lacks():
    page = run("doctor", "ann-lif-3", "--random-weights", "--target", "loihi2").stdout
    assert "loihi2: no\n    - no spiking neuron\n    - what would help: no spiking" in page


def test_a_network_that_is_misdescribed_still_gets_its_page(bench: Path):
    (bench / "wrong.py").write_text(MISDESCRIBED, encoding="utf-8")
    given = ("--checkpoint", bench / "net.safetensors", "--target", "loihi2")
    page = run("doctor", f"{bench}/wrong.py:net()", *given)
    assert page.exit_code == 0, page.output
    assert "NOT SHOWN to compute what the model does" in page.stdout


def test_what_is_no_network_is_refused_in_one_line(bench: Path):
    said = refused(bench, "doctor", bench / "net.safetensors")
    assert "is a checkpoint: give the model, then --checkpoint" in said


NEURON_OF_ITS_OWN = """
import torch
from torch import nn


class Cosine(nn.Module):
    def forward(self, x):
        v, spikes = torch.zeros_like(x[:, 0]), []
        for t in range(x.shape[1]):
            v = torch.cos(v) + x[:, t]
            spikes.append((v > 1).float())
        return torch.stack(spikes, 1)


def net(num_steps=4):
    return nn.Sequential(nn.Linear(3, 5), Cosine(), nn.Linear(5, 2))
"""


def test_what_does_not_become_a_graph_is_described_as_far_as_it_came(bench: Path):
    (bench / "odd.py").write_text(NEURON_OF_ITS_OWN, encoding="utf-8")
    given = (f"{bench}/odd.py", "--random-weights", "--input-shape", "4,3")
    said = refused(bench, "inspect", *given)
    result = run("doctor", *given)
    assert result.exit_code == 0, result.output
    page = result.stdout
    assert max(len(line) for line in page.splitlines()[1:]) <= 80
    for part in (
        "  - 32 parameters, weights random (seed 0)\n",
        "  - time steps: 4; one sample is 4 x 3 (real values)\n",
        "  - made of 2 Linear, 1 Cosine\n",
        "  - time steps 4: from the argument num_steps of net\n",
        "It did not become a graph\n",
    ):
        assert part in page, page
    found = json.loads(run("doctor", *given, "--json", "-").stdout)
    assert found["refused"].replace(f"{bench}/", "") == said.replace(f"{bench}/", "")
    assert " ".join(found["refused"].split()) in " ".join(page.split())
