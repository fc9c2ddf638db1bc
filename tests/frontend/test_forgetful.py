"""A layer that keeps its state in a buffer, as sinabs', is taken as it was before any run."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from snndeploy.frontend.forgetful import forgetful
from snndeploy.frontend.torch import trace

pytestmark = pytest.mark.torch


class Kept(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("v_mem", torch.zeros(0))

    def is_state_initialised(self):
        return self.v_mem.numel() > 0

    def state_has_shape(self, shape):
        return self.v_mem.shape == shape

    def reset_states(self):
        self.v_mem.zero_()

    def forward(self, x):
        if not self.is_state_initialised():
            self.v_mem = torch.zeros_like(x[:, 0])
        if not self.state_has_shape(x[:, 0].shape):
            self.v_mem = self.v_mem[torch.randint(0, len(self.v_mem), (len(x),))]
        out = []
        for t in range(x.shape[1]):
            u = self.v_mem + x[:, t]
            spikes = (u >= 1).float()
            self.v_mem = u - spikes
            out.append(spikes)
        return torch.stack(out, 1)


class Net(nn.Module):
    timesteps, input_signal = 4, "binary"

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.neuron, self.last = nn.Linear(5, 8), Kept(), nn.Linear(8, 3)
        self.first.weight.data *= 4

    def forward(self, x):
        return self.last(self.neuron(self.first(x)).mean(1))


def test_its_state_is_forgotten():
    net = Net()
    net(torch.ones(1, 4, 5))
    assert net.neuron.v_mem.shape == (1, 8)
    graph = trace(forgetful(net), torch.zeros(1, 4, 5))
    (neuron,) = graph.neurons()
    assert neuron.attributes["decay"] == 1.0
    assert "initial" not in neuron.attributes
    assert not graph.notes
