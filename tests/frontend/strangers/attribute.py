"""A LIFNeuron that keeps its membrane in an attribute; the model resets it in forward."""

import math

import torch
from torch import nn


class Surrogate(torch.autograd.Function):
    """Arctangent."""

    @staticmethod
    def forward(ctx, x, alpha=2.0):
        ctx.save_for_backward(x)
        ctx.alpha = alpha
        return (x >= 0).float()

    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        return grad * ctx.alpha / 2 / (1 + (math.pi / 2 * ctx.alpha * x) ** 2), None


class LIFNeuron(nn.Module):
    def __init__(self, tau=2.0, v_threshold=1.0):
        super().__init__()
        self.tau, self.v_threshold, self.mem = tau, v_threshold, None

    def reset(self):
        self.mem = None

    def forward(self, x):
        if self.mem is None:
            self.mem = torch.zeros_like(x)
        self.mem = self.mem + (x - self.mem) / self.tau
        spike = Surrogate.apply(self.mem - self.v_threshold)
        self.mem = self.mem * (1 - spike.detach())
        return spike


class Net(nn.Module):
    def __init__(self, T=5, hidden=24):
        super().__init__()
        self.T = T
        self.layers = nn.Sequential(
            nn.Flatten(), nn.Linear(64, hidden), nn.BatchNorm1d(hidden), LIFNeuron(),
            nn.Dropout(0.5), nn.Linear(hidden, 10), LIFNeuron(),
        )  # fmt: skip

    def forward(self, x):
        for layer in self.layers:
            if isinstance(layer, LIFNeuron):
                layer.reset()
        out = [self.layers(x) for _ in range(self.T)]
        return torch.stack(out).mean(0)


class NeverReset(Net):
    """The training script resets it from outside."""

    def forward(self, x):
        return sum(self.layers(x) for _ in range(self.T)) / self.T


class Listed(Net):
    """Returns the list of its outputs."""

    def forward(self, x):
        for layer in self.layers:
            if isinstance(layer, LIFNeuron):
                layer.reset()
        return [self.layers(x) for _ in range(self.T)]


class OneStep(Net):
    """One step a call: the loop is the user's."""

    def forward(self, x):
        return self.layers(x)


class OnCuda(Net):
    def forward(self, x):
        x = x.cuda()
        return super().forward(x)
