"""Networks of the toy neurons, in plain torch: what a user would bring."""

from __future__ import annotations

import torch
from torch import nn


class Bounded(nn.Module):
    def __init__(self, floor: float = -0.25, stated: float = -0.25):
        super().__init__()
        self.floor, self.stated = floor, stated

    def neuron_parameters(self) -> dict[str, object]:
        return {"kind": "bounded", "threshold": 1.0, "fires_at": "ge", "decay": 0.75,
                "floor": self.stated, "time_axis": 0}  # fmt: skip

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        carried, spikes = torch.zeros_like(x[0]), []
        for current in x:
            membrane = (carried + current).clamp(min=self.floor)
            spike = (membrane >= 1.0).to(x.dtype)
            carried = 0.75 * (membrane - spike)
            spikes.append(spike)
        return torch.stack(spikes)


class Refractory(nn.Module):
    def neuron_parameters(self) -> dict[str, object]:
        return {"kind": "refractory", "threshold": 1.0, "fires_at": "ge", "decay": 0.75,
                "pause": 2, "time_axis": 0}  # fmt: skip

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        carried, waiting, spikes = torch.zeros_like(x[0]), torch.zeros_like(x[0]), []
        for current in x:
            membrane = carried + current
            spike = ((membrane >= 1.0) & (waiting == 0)).to(x.dtype)
            waiting = torch.where(spike > 0, 2.0, (waiting - 1).clamp(min=0))
            carried = 0.75 * membrane * (1 - spike)
            spikes.append(spike)
        return torch.stack(spikes)


class Net(nn.Module):
    timesteps, input_shape, input_signal = 10, (10, 12), "binary"

    def __init__(self, *neurons: nn.Module):
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.ModuleList([nn.Linear(12, 20), nn.Linear(20, 16)])
        self.neurons, self.last = nn.ModuleList(neurons), nn.Linear(16, 3)
        for layer in self.layers:
            nn.init.normal_(layer.weight, std=0.5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x.transpose(0, 1)
        for layer, neuron in zip(self.layers, self.neurons, strict=True):
            x = neuron(layer(x))
        return self.last(x).mean(0)


def bounded() -> nn.Module:
    return Net(Bounded(), Bounded())


def refractory() -> nn.Module:
    return Net(Refractory(), Refractory())


def misstated() -> nn.Module:
    return Net(Bounded(), Bounded(stated=-0.5))
