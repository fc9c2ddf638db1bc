"""Neurons and layers beyond the plain ones: learned, adaptive, ternary, a norm for every step."""

import torch
from torch import nn


class Boxcar(torch.autograd.Function):
    @staticmethod
    def forward(ctx, v, threshold):
        ctx.save_for_backward(v - threshold)
        return (v > threshold).float()

    @staticmethod
    def backward(ctx, grad):
        (distance,) = ctx.saved_tensors
        inside = grad * (distance.abs() < 0.5).float()
        return inside, -inside.sum()


class Loop(nn.Module):
    """Pixels at every step through two layers of one neuron; the answer is the summed output."""

    def __init__(self, neuron, T=5):
        super().__init__()
        self.T, self.fc1, self.fc2 = T, nn.Linear(64, 24), nn.Linear(24, 10)
        self.cell1, self.cell2 = neuron(24), neuron(10)

    def forward(self, x):
        x, state1, state2, total = x.flatten(1), None, None, 0
        for t in range(self.T):
            spikes, state1 = self.cell1(self.fc1(x), state1)
            spikes, state2 = self.cell2(self.fc2(spikes), state2)
            total = total + spikes
        return total / self.T


class ChannelThresholds(nn.Module):
    """A learned threshold and a learned leak of every channel."""

    def __init__(self, channels, leaks=False):
        super().__init__()
        self.threshold = nn.Parameter(torch.linspace(0.5, 1.5, channels))
        self.leak = nn.Parameter(torch.linspace(-1.0, 1.0, channels) if leaks else torch.zeros(1))

    def forward(self, x, v):
        v = torch.zeros_like(x) if v is None else v
        v = torch.sigmoid(self.leak) * v + x
        spikes = Boxcar.apply(v, self.threshold)
        return spikes, torch.where(spikes > 0, torch.zeros_like(v), v)


class Adaptive(nn.Module):
    """ALIF: each spike raises the threshold, which decays."""

    def __init__(self, channels):
        super().__init__()

    def forward(self, x, state):
        v, b = (torch.zeros_like(x), torch.zeros_like(x)) if state is None else state
        v = 0.9 * v + x
        spikes = Boxcar.apply(v, 1.0 + 1.8 * b)
        b = 0.95 * b + 0.05 * spikes
        return spikes, (v - spikes, b)


class Ternary(nn.Module):
    """Fires 1 above the threshold and -1 below its negative."""

    def __init__(self, channels):
        super().__init__()

    def forward(self, x, v):
        v = x if v is None else 0.5 * v + x
        spikes = (v >= 1.0).float() - (v <= -1.0).float()
        return spikes, v * (1 - spikes.abs())


class Soft(nn.Module):
    """Membrane in a dict, subtraction, in place."""

    def __init__(self, channels):
        super().__init__()
        self.beta = nn.Parameter(torch.tensor(0.9))

    def forward(self, x, state):
        mem = torch.zeros_like(x) if state is None else state["mem"]
        mem = self.beta.clamp(0, 1) * mem + x
        spikes = (mem - 1.0).ge(0).float()
        mem -= spikes * 1.0
        return spikes, {"mem": mem}


class Multiplicative(nn.Module):
    """The membrane shunts its own input: no known equation."""

    def __init__(self, channels):
        super().__init__()

    def forward(self, x, v):
        v = torch.zeros_like(x) if v is None else v
        v = 0.5 * v + x * torch.exp(-v)
        spikes = (v > 1.0).float()
        return spikes, v * (1 - spikes)


class NormOfEveryStep(nn.Module):
    """BNTT: statistics of its own for every step."""

    def __init__(self, T=5):
        super().__init__()
        self.T, self.fc1, self.fc2 = T, nn.Linear(64, 24), nn.Linear(24, 10)
        self.norms = nn.ModuleList([nn.BatchNorm1d(24) for _ in range(T)])
        for t, norm in enumerate(self.norms):
            norm.running_var.fill_(1.0 + t)
            norm.weight.data.fill_(2.0 - 0.2 * t)

    def forward(self, x):
        x, v, out = x.flatten(1), 0.0, 0.0
        for t in range(self.T):
            v = 0.5 * v + self.norms[t](self.fc1(x))
            spikes = Boxcar.apply(v, 1.0)
            v = v * (1 - spikes)
            out = out + self.fc2(spikes)
        return out / self.T


def channel_thresholds():
    return Loop(ChannelThresholds)


def channel_leaks():
    return Loop(lambda channels: ChannelThresholds(channels, leaks=True))


def adaptive():
    return Loop(Adaptive)


def ternary():
    return Loop(Ternary)


def soft():
    return Loop(Soft)


def multiplicative():
    return Loop(Multiplicative)


class Decided(nn.Module):
    """Stops where it is sure: the number of steps follows from the data."""

    def __init__(self):
        super().__init__()
        self.loop = Loop(Soft)

    def forward(self, x):
        out = self.loop(x)
        if out.max() > 0.9:
            return out
        return self.loop(x) + out


class NumpyInside(nn.Module):
    def __init__(self):
        super().__init__()
        self.loop = Loop(Soft)

    def forward(self, x):
        return self.loop(torch.from_numpy(x.detach().numpy() * 2.0))


# ruff: noqa: B007  (people leave their loop variables unused)
