"""NeuroBench's SNN2 for primate reaching, on snnTorch: series first, (steps, 1, channels) in,
the membrane of two leaky readouts (x and y velocity) at every step out.

`windows()` answers with the velocity at the end of a window.
"""

from __future__ import annotations

import os
from pathlib import Path

import snntorch as snn
import torch
from snntorch import surrogate
from torch import nn

STEPS, CHANNELS = 50, 96


class SNN2(nn.Module):
    def __init__(self, input_size=CHANNELS, hidden_size=50, tau=0.96, p=0.3):
        super().__init__()
        self.fc1 = nn.Linear(input_size, hidden_size, bias=False)
        self.fc_out = nn.Linear(hidden_size, 2, bias=False)
        leaky = {"beta": tau, "spike_grad": surrogate.fast_sigmoid(slope=20), "threshold": 1}
        self.lif1 = snn.Leaky(**leaky, reset_mechanism="zero")
        self.lif_out = snn.Leaky(**leaky, reset_mechanism="none")
        self.dropout = nn.Dropout(p)
        self.mem1 = self.mem2 = None

    def reset(self):
        self.mem1 = self.lif1.init_leaky()
        self.mem2 = self.lif_out.init_leaky()

    def single_forward(self, x):
        x = x.squeeze()
        spikes, self.mem1 = self.lif1(self.dropout(self.fc1(x)), self.mem1)
        _, self.mem2 = self.lif_out(self.fc_out(spikes), self.mem2)
        return self.mem2.clone()

    def forward(self, x):
        return torch.stack([self.single_forward(x[step, ...]) for step in range(x.shape[0])])


class Window(nn.Module):
    """The velocity where a window ends."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x):
        self.network.reset()
        return self.network(x)[-1]


def trained():
    """With the published weights, loaded as NeuroBench's benchmark does."""
    folder = Path(os.environ["SNNDEPLOY_SHARED_DATA"])
    file = folder / "neurobench" / "SNN2_indy_20160622_01.pt"
    network = SNN2()
    state = torch.load(file, map_location="cpu", weights_only=True)["model_state_dict"]
    network.load_state_dict(state, strict=False)
    network.reset()
    return network


def windows():
    return Window(trained())


def example(module):
    return torch.zeros(STEPS, 1, CHANNELS)
