"""Small torch models for tests of the front end."""

from __future__ import annotations

import torch
from torch import nn


class LIF(nn.Module):
    """Time first; parameters as stated, unless a subclass lies."""

    threshold, decay, fires_at, time_axis = 1.0, 0.5, "ge", 0

    def neuron_parameters(self):
        return {
            "threshold": self.threshold,
            "decay": self.decay,
            "v_reset": 0.0,
            "fires_at": self.fires_at,
            "reset": "hard",
            "time_axis": self.time_axis,
        }

    def spike(self, membrane):
        return (membrane >= 1.0).to(membrane.dtype)

    def forward(self, x):
        carried, spikes = torch.zeros_like(x.select(self.time_axis, 0)), []
        for step in range(x.shape[self.time_axis]):
            membrane = carried + x.select(self.time_axis, step)
            spikes.append(self.spike(membrane))
            carried = 0.5 * membrane * (1 - spikes[-1])
        return torch.stack(spikes, self.time_axis)


class Net(nn.Module):
    """Image -> conv -> repeated -> LIF -> conv -> LIF -> mean -> linear, T = 3."""

    timesteps = 3

    def __init__(self, neuron=LIF, **layers):
        super().__init__()
        torch.manual_seed(0)
        self.stem = layers.get("stem", nn.Conv2d(1, 4, 3, padding=1))
        self.spike1, self.spike2 = neuron(), neuron()
        self.conv = layers.get("conv", nn.Conv2d(4, 4, 3))
        self.classifier = nn.Linear(4, 2)

    def encode(self, x):
        return self.stem(x).unsqueeze(0).repeat(self.timesteps, 1, 1, 1, 1)

    def forward(self, x):
        spikes = self.spike1(4 * self.encode(x))
        current = self.conv(spikes.flatten(0, 1)).unflatten(0, (self.timesteps, -1))
        return self.classifier(self.spike2(4 * current).mean((3, 4)).mean(0))


IMAGE = torch.zeros(1, 1, 6, 6)
