"""Where loops stand: one and two steps, state in attributes, flags, descriptions beside loops."""

from __future__ import annotations

import pytest
import torch
from framework_twins import JellyLIF, Leaky
from loop_nets import EXAMPLE, Sequence, Stepped, drawn, stated
from torch import nn

from snndeploy.errors import ModelError, UnsupportedError
from snndeploy.frontend.torch import trace
from snndeploy.ops.evaluate import evaluate

pytestmark = pytest.mark.torch


class TwoLayers(nn.Module):
    """An image shown at every step; a residual sum that looks like two steps."""

    input_signal = "real"

    def __init__(self, steps):
        super().__init__()
        self.timesteps = steps
        self.one, self.two = drawn(nn.Linear(5, 8)), drawn(nn.Linear(8, 8), seed=1)
        self.last = drawn(nn.Linear(8, 3), seed=2)

    def forward(self, x):
        v1, v2, out = torch.zeros(len(x), 8), torch.zeros(len(x), 8), 0
        for _ in range(self.timesteps):
            u1 = 0.5 * v1 + self.one(x)
            s1 = (u1 >= 1).float()
            v1 = u1 * (1 - s1)
            u2 = 0.5 * v2 + self.two(s1) + s1
            s2 = (u2 >= 1).float()
            v2 = u2 * (1 - s2)
            out = out + self.last(s2)
        return out / self.timesteps


@pytest.mark.parametrize("steps, decay", [(1, 0.0), (2, 0.5), (3, 0.5)])
def test_few_steps(steps, decay):
    """One step has nothing to decay: the states are what they start at."""
    net = TwoLayers(steps)
    graph = trace(net, torch.zeros(1, 5))
    assert [node.attributes["decay"] for node in graph.neurons()] == [decay, decay]
    x = torch.randn(50, 5, generator=torch.Generator().manual_seed(0))
    (found,) = evaluate(graph, x.numpy(), hoist=False).values()
    with torch.no_grad():
        assert (found - net(x)).abs().max() < 1e-5


def test_state_in_attributes_is_the_models_own_before_and_after():
    neuron = JellyLIF()
    trace(Sequence(neuron), EXAMPLE)
    assert neuron.v == 0.0
    neuron.v = torch.ones(61, 8) @ torch.ones(8, 8, requires_grad=True)  # left by a run
    with pytest.raises(ModelError, match="reset the state that it keeps between calls"):
        trace(Sequence(neuron), EXAMPLE)


class Flagged(nn.Module):
    """How to reset is kept in a buffer, as a number that the forward pass asks for."""

    def __init__(self, kind):
        super().__init__()
        self.register_buffer("kind", torch.tensor(kind))

    def forward(self, x, v):
        u = 0.5 * v + x
        s = (u >= 1).float()
        return s, (u * (1 - s) if self.kind == 1 else u - s)


@pytest.mark.parametrize("kind, reset", [(0, "soft"), (1, "hard")])
def test_flags_in_buffers(kind, reset):
    net = Stepped(Flagged(kind), 1)
    (neuron,) = trace(net, EXAMPLE).neurons()
    assert stated(neuron)["reset"] == reset
    assert net.neuron.kind.shape == ()  # the model itself keeps its buffer


class Described(nn.Module):
    def forward(self, x):
        v, out = torch.zeros_like(x[0]), []
        for step in x:
            u = v + step
            s = (u >= 1).float()
            v = 0.5 * u * (1 - s)
            out.append(s)
        return torch.stack(out)

    def neuron_parameters(self):
        return dict(threshold=1.0, decay=0.5, v_reset=0.0, fires_at="ge", reset="hard", time_axis=0)


def test_neurons_that_describe_themselves_beside_a_loop():
    class Net(Sequence):
        def forward(self, x):
            spikes = self.described(self.first(x.transpose(0, 1)))
            return self.last(self.neuron(self.middle(spikes)).mean(0))

    net = Net(JellyLIF(4.0, v_reset=None))
    net.described, net.middle = Described(), drawn(nn.Linear(8, 8), seed=2)
    graph = trace(net, EXAMPLE)
    assert [node.module for node in graph.neurons()] == ["described", "neuron"]
    assert [node.attributes["reset"] for node in graph.neurons()] == ["hard", "soft"]
    x = torch.randint(0, 2, (40, 6, 5), generator=torch.Generator().manual_seed(2)).float()
    (found,) = evaluate(graph, x.numpy(), hoist=False).values()
    with torch.no_grad():
        assert (found - Net.forward(net, x)).abs().max() < 1e-5


def test_layers_that_feed_back_to_each_other_are_refused():
    class Mutual(TwoLayers):
        def forward(self, x):
            v1, v2, s2, out = torch.zeros(len(x), 8), torch.zeros(len(x), 8), 0, 0
            for _ in range(self.timesteps):
                u1 = 0.5 * v1 + self.one(x) + s2
                s1 = (u1 >= 1).float()
                v1 = u1 * (1 - s1)
                u2 = 0.5 * v2 + self.two(s1)
                s2 = (u2 >= 1).float()
                v2 = u2 * (1 - s2)
                out = out + self.last(s2)
            return out

    with pytest.raises(UnsupportedError, match="feed back to each other over a step of time"):
        trace(Mutual(4), torch.zeros(1, 5))


def test_a_neuron_that_no_input_of_the_proof_wakes_is_said():
    """Its own comparison is forced, so that all behind it is compared all the same."""
    net = Stepped(Leaky(threshold=1000.0), 1)
    (note,) = trace(net, EXAMPLE).notes
    assert note == "no input of the proof makes 'neuron' fire: compared with forced spikes alone"


def test_random_numbers_are_refused():
    class Noisy(TwoLayers):
        def forward(self, x):
            return super().forward(x + torch.rand_like(x))

    with pytest.raises(UnsupportedError, match="draws random numbers"):
        trace(Noisy(3), torch.zeros(1, 5))
