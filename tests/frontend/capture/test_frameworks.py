"""Neurons as frameworks write them, in plain torch: they roll, and with their own parameters."""

from __future__ import annotations

import pytest
import torch
from framework_twins import (
    JellyLIF,
    Leaky,
    LeakyAtOnce,
    MemUpdate,
    NorseLIF,
    NorseLIFBox,
    RLeaky,
    RSynaptic,
    SpyTorch,
    Surrogate,
    Synaptic,
    SynapticInPlace,
)
from loop_nets import EXAMPLE, Sequence, Stepped, drawn, stated
from torch import nn

from snndeploy.errors import UnsupportedError
from snndeploy.frontend.torch import trace

pytestmark = pytest.mark.torch

BETA = float(torch.tensor(0.9))  # a buffer holds it in float32


def one_neuron(net, example=EXAMPLE):
    (neuron,) = trace(net, example).neurons()
    return neuron


def expected(threshold, fires_at, decay, reset="hard", v_reset=0.0, **more):
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


@pytest.mark.parametrize(
    ("reset", "delayed", "says"),
    [
        ("zero", True, dict(reset="hard", refractory=1, refractory_input="dropped")),
        ("zero", False, dict(reset="hard")),
        ("none", True, dict(reset="none")),
    ],
)
def test_snntorch_synaptic_to_the_letter(reset, delayed, says):
    net = Stepped(SynapticInPlace(reset=reset, delayed=delayed), 2)
    assert stated(one_neuron(net)) == expected(1.0, "gt", BETA, current_decay=0.8, **says)


def test_an_input_that_all_steps_share_is_cleared_with_its_own_step():
    """u = beta v + x - s' (beta v + x) with the same x at every step (Lapicque, RLeaky: zero)."""

    class Still(nn.Module):
        timesteps, input_signal = 6, "real"

        def __init__(self):
            super().__init__()
            self.first, self.last = drawn(nn.Linear(5, 8)), drawn(nn.Linear(8, 3), seed=1)

        def forward(self, x):
            mem, spikes = torch.zeros(len(x), 8), []
            for _ in range(6):
                spiked = Surrogate.apply(mem - 1.0)
                base = 0.875 * mem + self.first(x)
                mem = base - spiked * base
                spikes.append(Surrogate.apply(mem - 1.0))
            return self.last(torch.stack(spikes).mean(0))

    found = stated(one_neuron(Still(), torch.zeros(1, 5)))
    dropped = dict(refractory=1, refractory_input="dropped")
    assert found == expected(1.0, "gt", 0.875, "hard", **dropped)


def test_snntorch_without_reset_delay():
    """To zero it is the hard reset; a subtraction above twice the threshold resets once more."""
    found = stated(one_neuron(Stepped(LeakyAtOnce(reset="zero"), 1)))
    assert found == expected(1.0, "gt", BETA, "hard")
    with pytest.raises(UnsupportedError) as caught:
        trace(Stepped(LeakyAtOnce(), 1), EXAMPLE)
    assert str(caught.value) == (
        "the neuron in module 'neuron' is not one that the compiler reads from its loop: it"
        " compares its membrane a second time, behind the reset, and what is left may still lie"
        " above the threshold: the next step then resets it once more; reset it once for every"
        " spike (snnTorch: reset_delay=True), or to zero"
    )


def test_a_filter_on_the_way_back_is_its_current():
    neuron = RSynaptic(8)
    node = one_neuron(Stepped(neuron, 3))
    assert stated(node) == expected(1.0, "gt", 0.9, "soft_after", current_decay=0.8)
    layer = next(n for n in node.feedback.nodes if n.op == "linear")
    assert (layer.parameters["weight"] == neuron.recurrent.weight.detach().numpy()).all()


def test_a_filter_of_its_own_spikes_is_refused():
    class Traced(nn.Module):
        def __init__(self):
            super().__init__()
            self.recurrent = drawn(nn.Linear(8, 8), seed=2)

        def forward(self, x, trace, mem):
            u = 0.5 * mem + x + self.recurrent(trace)
            spike = Surrogate.apply(u - 1.0)
            return spike, 0.5 * trace + spike, u * (1 - spike)

    with pytest.raises(UnsupportedError, match="its spikes come back to it through a filter"):
        trace(Stepped(Traced(), 2), EXAMPLE)


def test_spytorch_fires_before_its_current_enters():
    """syn enters U a step after it was made, and X is in syn a step later: a delay of one step."""
    graph = trace(Stepped(SpyTorch(), 2), EXAMPLE)
    (neuron,) = graph.neurons()
    assert stated(neuron) == expected(
        1.0, "gt", 0.9, "hard", current_decay=0.8, refractory=1, refractory_input="dropped"
    )
    assert [node.attributes["steps"] for node in graph.nodes if node.op == "delay"]


def test_a_layer_written_with_einsum():
    class Net(nn.Module):
        timesteps, input_signal = 6, "binary"

        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.weight = nn.Parameter(torch.randn(5, 8))
            self.neuron = JellyLIF(2.0)

        def forward(self, x):
            return self.neuron(torch.einsum("abc,cd->abd", (x, self.weight)).transpose(0, 1))

    net = Net()
    layer = next(node for node in trace(net, EXAMPLE).nodes if node.op == "linear")
    assert (layer.parameters["weight"] == net.weight.detach().numpy().T).all()


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
