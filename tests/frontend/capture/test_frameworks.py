"""Neurons as frameworks write them, in plain torch: they roll, and with their own parameters."""

from __future__ import annotations

import pytest
import torch
from framework_twins import JellyLIF, Leaky, MemUpdate, NorseLIF, NorseLIFBox, RLeaky, Synaptic
from loop_nets import EXAMPLE, Sequence, Stepped, drawn, stated
from torch import nn

from snndeploy.frontend.torch import trace

pytestmark = pytest.mark.torch

BETA = float(torch.tensor(0.9))  # a buffer holds it in float32


def one_neuron(net, example=EXAMPLE):
    (neuron,) = trace(net, example).neurons()
    return neuron


def expected(threshold, fires_at, decay, reset, v_reset=0.0, **more):
    return dict(
        threshold=threshold, fires_at=fires_at, decay=decay, v_reset=v_reset, reset=reset, **more
    )


@pytest.mark.parametrize(
    "reset, says", [("subtract", "soft_after"), ("zero", "hard"), ("none", "none")]
)
def test_snntorch_leaky(reset, says):
    for threshold in (1.0, 2.5):
        found = stated(one_neuron(Stepped(Leaky(reset=reset, threshold=threshold), 1)))
        assert found == expected(threshold, "gt", BETA, says)


def test_snntorch_synaptic():
    found = stated(one_neuron(Stepped(Synaptic(), 2)))
    assert found == expected(1.0, "gt", BETA, "soft_after", current_decay=0.8)
    dropping = stated(one_neuron(Stepped(Synaptic(reset="zero"), 2)))
    assert dropping == expected(
        1.0, "gt", BETA, "hard", current_decay=0.8, refractory=1, refractory_input="dropped"
    )


def test_snntorch_rleaky_feeds_its_spikes_back():
    neuron = RLeaky(8)
    net = Stepped(neuron, 2)
    node = one_neuron(net)
    assert stated(node) == expected(1.0, "gt", 0.9, "soft_after")
    layer = next(n for n in node.feedback.nodes if n.op == "linear")
    assert (layer.parameters["weight"] == neuron.recurrent.weight.detach().numpy()).all()
    assert (layer.parameters["bias"] == neuron.recurrent.bias.detach().numpy()).all()


def test_norse_lif():
    """v - v_leak = U: dt / tau_m is the gain of the current (0.1), both rests are 0.1; the current
    decays by 1 - dt / tau_s = 0.8; the threshold is (0.5 - 0.1) / 0.1."""
    found = stated(one_neuron(Stepped(NorseLIF(), 0)))
    assert found == expected(4.0, "gt", 0.9, "hard", current_decay=0.8)
    box = stated(one_neuron(Stepped(NorseLIFBox(), 0)))
    assert box == expected(4.0, "gt", 0.9, "hard")


@pytest.mark.parametrize("decay_input", [True, False])
@pytest.mark.parametrize("v_reset", [None, 0.0, -0.3])
def test_spikingjelly_lif(decay_input, v_reset):
    """U = (v - v_reset) / gain with gain 1 / tau or 1; decay 1 - 1 / tau; it starts at v_reset."""
    found = stated(one_neuron(Sequence(JellyLIF(4.0, 1.0, v_reset, decay_input))))
    gain, rest = (0.25 if decay_input else 1.0), v_reset or 0.0
    reset = "soft" if v_reset is None else "hard"
    assert found == expected((1.0 - rest) / gain, "ge", 0.75, reset)


def test_ms_resnet_of_several_layers():
    class Net(nn.Module):
        timesteps, input_signal = 4, "real"

        def __init__(self):
            super().__init__()
            self.stem = drawn(nn.Conv2d(2, 4, 3, padding=1))
            self.spike1, self.spike2 = MemUpdate(), MemUpdate()
            self.conv = drawn(nn.Conv2d(4, 4, 3, padding=1), 2.0)
            self.norm = nn.BatchNorm2d(4)
            self.norm.running_mean.uniform_(-0.5, 0.5)
            self.norm.running_var.uniform_(0.5, 2.0)
            self.classifier = nn.Linear(4, 3)

        def forward(self, x):
            x = x.unsqueeze(0).repeat(4, 1, 1, 1, 1)
            x = torch.stack([self.stem(step) for step in x])
            out = self.spike1(x)
            steps = torch.zeros_like(x)
            for t in range(4):
                steps[t] = self.norm(self.conv(out[t]))
            out = self.spike2(steps + x)
            return self.classifier(out.mean((3, 4)).mean(0))

    first, second = trace(Net().eval(), torch.zeros(1, 2, 6, 6)).neurons()
    assert stated(first) == stated(second) == expected(0.5, "gt", 0.25, "hard")
    assert (first.module, second.module) == ("spike1", "spike2")
