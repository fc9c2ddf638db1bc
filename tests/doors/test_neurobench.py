"""NeuroBench's primate reaching network, with its published weights, as the regression it is."""

from __future__ import annotations

import runpy
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
import torch
from journey import journey

from snndeploy.data import Data
from snndeploy.report.report import summarize

pytestmark = [pytest.mark.doors, pytest.mark.shared]
MODELS = Path(__file__).parent / "models" / "neurobench_nets.py"
STEPS, CHANNELS = 50, 96


@pytest.mark.parametrize(("network", "lines"), [("trained()", 0), ("windows()", 1)])
def test_velocities(network, lines, shared_data, monkeypatch):
    monkeypatch.setenv("SNNDEPLOY_SHARED_DATA", str(shared_data))
    generator = np.random.default_rng(0)
    x = (generator.random((12, STEPS, CHANNELS)) < 0.05).astype(np.float32)
    velocities = answers(network, x)
    found = journey(
        "NeuroBench SNN2", version("snntorch"), network, f"{MODELS}:{network}",
        Data(x, velocities, 1.0, "random spikes"), lines=lines, samples=len(x),
        random_weights=True, timesteps=STEPS, input_signal="binary",
    )  # fmt: skip
    assert found.row.reached == "simulated", found.row.said
    (neuron,) = found.opened.graph.neurons()
    assert neuron.attributes["reset"] == "hard"
    assert neuron.attributes["decay"] == pytest.approx(0.96)
    theirs = found.simulation.reference_logits
    assert theirs == pytest.approx(velocities, abs=1e-4)
    report = summarize(found.program, found.simulation, velocities)
    assert report["error"]["chip"]["correlation"] > 0.99


def answers(network, x):
    """What the module itself says: the end of a window, or of every step the mean."""
    module = runpy.run_path(str(MODELS))[network.removesuffix("()")]().eval()
    with torch.no_grad():
        found = module(torch.from_numpy(x).transpose(0, 1))
    return (found.mean(0) if network == "trained()" else found).numpy()
