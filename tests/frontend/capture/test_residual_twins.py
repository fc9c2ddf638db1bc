"""The papers' residual networks in small: traced as they are, equal, compiled and simulated."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from residual_twins import GatedNet, IndexedNet, ListNeuron, live
from spiking_graphs import opened
from torch import nn

from snndeploy.data import Data
from snndeploy.frontend.capture import proof
from snndeploy.frontend.capture.double import in_double
from snndeploy.frontend.torch import trace
from snndeploy.ops.evaluate import evaluate
from snndeploy.pipeline import Options, compile_opened
from snndeploy.simulator.run import simulate
from snndeploy.target import Target

pytestmark = pytest.mark.torch
SAMPLES = 8
IMAGES = torch.randn(SAMPLES, 3, 8, 8, generator=torch.Generator().manual_seed(1))
NETS = {
    "gated coding": (GatedNet, 6),
    "buffers written by index": (IndexedNet, 3),
    "attention at one step": (lambda: IndexedNet(1, attention=True), 3),
}
ON_CHIP = {
    "gated coding": "loihi2",
    "buffers written by index": "loihi2",
    "attention at one step": "hybrid45nm",
}


@pytest.fixture(scope="module")
def traced():
    """A net and its graph, by name."""
    made = {}

    def of(name):
        if name not in made:
            torch.manual_seed(0)
            net = live(NETS[name][0](), IMAGES)
            made[name] = net, trace(net, IMAGES[:1])
        return made[name]

    return of


@pytest.mark.parametrize("name", NETS)
def test_equal_with_live_spikes(traced, name):
    (net, graph), rates = traced(name), []
    assert graph.notes == ()

    def rate(node, inputs, value):
        if node.is_neuron:
            rates.append(float(value.mean()))
        return value

    (ours,) = evaluate(graph, IMAGES.numpy(), hoist=False, observe=rate).values()
    with torch.no_grad():
        theirs = net(IMAGES.clone())
    assert (ours - theirs.reshape(ours.shape)).abs().max() < 1e-5
    assert len(rates) == NETS[name][1] and all(0.01 < rate < 0.6 for rate in rates), rates


@pytest.mark.parametrize("name", ON_CHIP)
def test_compiled_and_simulated(traced, name):
    _, graph = traced(name)
    data = Data(IMAGES.numpy(), None, 1.0, "images")
    program = compile_opened(
        opened(graph), Target.load(ON_CHIP[name]), Options(calibration=data, mapping="tiles")
    )
    ((chip, real),) = simulate(program, IMAGES.numpy()).answers()
    assert np.corrcoef(chip.reshape(-1), real.reshape(-1))[0, 1] > 0.95


class Wide(nn.Module):
    timesteps = 3

    def __init__(self, features):
        super().__init__()
        self.fc, self.spike = nn.Linear(12, features), ListNeuron()

    def forward(self, x):
        x = self.fc(4 * x.unsqueeze(1)).repeat(1, self.timesteps, 1)
        return self.spike(x).mean(1)


@pytest.mark.parametrize("features, samples", [(60, proof.FEWEST), (122, 61)])
def test_much_work_is_proved_on_few_samples(monkeypatch, features, samples):
    """Sizes that may be taken for samples keep their number as it was traced."""
    seen, net = [], Wide(features)
    net.register_forward_pre_hook(lambda module, inputs: seen.append(len(inputs[0])))
    monkeypatch.setattr(proof, "MOST_WORK", 1)
    assert trace(net, torch.zeros(1, 12)).notes == ()
    assert seen[-1] == samples


def test_a_difference_in_single_precision_is_looked_at_in_double(monkeypatch, traced):
    """A deep network's rounding may turn into another spike; its own float32 tensors follow."""
    net, _ = traced("buffers written by index")
    monkeypatch.setitem(proof.TOLERANCE, torch.float32, -1.0)
    assert trace(Wide(8), torch.zeros(1, 12)).notes == ()
    assert in_double(net, IMAGES).dtype == torch.float64
    assert torch.get_default_dtype() == torch.float32
