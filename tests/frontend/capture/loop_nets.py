"""Networks around one neuron under test."""

from __future__ import annotations

import torch
from torch import nn


def drawn(layer, factor=4.0, seed=0):
    torch.manual_seed(seed)
    layer.reset_parameters()
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.mul_(factor)
    return layer


class Stepped(nn.Module):
    """for t: spk, *state = neuron(fc(x[t]), *state)"""

    def __init__(self, neuron, states, steps=6, width=8):
        super().__init__()
        self.timesteps, self.input_signal = steps, "binary"
        self.first, self.neuron = drawn(nn.Linear(5, width)), neuron
        self.last = drawn(nn.Linear(width, 3), seed=1)
        self.states, self.width = states, width

    def forward(self, x):
        state = [torch.zeros(len(x), self.width)] * self.states if self.states else [None]
        spikes = []
        for t in range(self.timesteps):
            spike, *state = self.neuron(self.first(x[:, t]), *state)
            spikes.append(spike)
        return self.last(torch.stack(spikes).mean(0))


class Sequence(nn.Module):
    """fc on (T, B, ...), then a neuron on the sequence."""

    def __init__(self, neuron, steps=6, factor=4.0):
        super().__init__()
        self.timesteps, self.input_signal = steps, "binary"
        self.first, self.neuron = drawn(nn.Linear(5, 8), factor), neuron
        self.last = drawn(nn.Linear(8, 3), seed=1)

    def forward(self, x):
        return self.last(self.neuron(self.first(x.transpose(0, 1))).mean(0))


EXAMPLE = torch.zeros(1, 6, 5)


def stated(node):
    """A neuron's parameters, without what every one has."""
    general = ("kind", "time_axis", "timesteps")
    return {key: value for key, value in node.attributes.items() if key not in general}
