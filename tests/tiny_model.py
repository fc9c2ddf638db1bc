"""A spiking network that compiles in a second, as a user's own model file: for tests of the CLI."""

import torch
from torch import nn


class LIF(nn.Module):
    """U = H + X;  S = 1 where U >= 1, else 0;  H = 0.5 * U * (1 - S).  x: (time, batch, ...)."""

    def forward(self, x):
        carried, spikes = torch.zeros_like(x[0]), []
        for current in x:
            membrane = carried + current
            spike = (membrane >= 1.0).to(x.dtype)
            carried = 0.5 * membrane * (1 - spike)
            spikes.append(spike)
        return torch.stack(spikes)

    def neuron_parameters(self):
        return {
            "threshold": 1.0, "decay": 0.5, "v_reset": 0.0, "fires_at": "ge", "reset": "hard",
            "time_axis": 0,
        }  # fmt: skip


class Net(nn.Module):
    """A convolution on the host, one on the chip, a readout; images of 1 x 8 x 8."""

    input_shape, input_signal = (1, 8, 8), "real"

    def __init__(self, timesteps=2, width=4, function=None):
        super().__init__()
        self.timesteps = timesteps
        self.stem = nn.Conv2d(1, width, 3, stride=2, padding=1)
        self.spike1 = LIF()
        self.conv = nn.Conv2d(width, width, 3, padding=1)
        self.odd = nn.Identity() if function is None else Odd(function)
        self.spike2 = LIF()
        self.classify = nn.Linear(width * 4 * 4, 3)

    def forward(self, x):
        x = self.stem(x).expand(self.timesteps, *(-1,) * 4)
        x = self.spike1(x)
        x = self.conv(x.flatten(0, 1)).unflatten(0, (self.timesteps, -1))
        x = self.spike2(self.odd(x))
        return self.classify(x.flatten(2)).mean(0)


class Odd(nn.Module):
    """Something that the compiler does not know, or that fails."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        if self.function == "raise":
            raise RuntimeError("forward says no")
        return getattr(torch, self.function)(x)


def net(timesteps=2, width=4):
    return Net(timesteps, width)


def odd(function):
    return Net(function=function)


def raises():
    raise ValueError("the factory\nsays no")


def nothing():
    return {"no": "module"}


def stops():
    raise SystemExit(0)
