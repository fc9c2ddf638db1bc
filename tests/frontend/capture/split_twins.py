"""ASA-SNN's code in small: the same operators in the same places.

Importance of channels and steps is ranked with topk, and masks are written at its places, for all
samples of a batch in each sample's mask.  The state of a neuron is an attribute that may be absent.
"""

from __future__ import annotations

import torch
from torch import nn


class Fires(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.ge(0.0).float()

    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        return grad * (abs(x) < 0.25).float() / 0.5


class EachStep(nn.Sequential):
    """Layers on (time, batch, ...)."""

    def forward(self, x):
        y = super().forward(x.flatten(0, 1).contiguous())
        return y.view([x.shape[0], x.shape[1], *y.shape[1:]])


class Cell(nn.Module):
    def forward(self, x):
        if not hasattr(self, "h"):
            self.h = torch.zeros(x.shape, device=x.device)
        u = self.h + x
        spikes = Fires.apply(u - 0.3)
        self.h = spikes * 0.0 + (1 - spikes) * u
        self.h = self.h * 0.3 + 0.0
        return spikes

    def reset(self):
        if hasattr(self, "h"):
            del self.h


class InLoop(nn.Sequential):
    def forward(self, x):
        steps = [super(InLoop, self).forward(x[t]) for t in range(x.shape[0])]
        return torch.cat([step.unsqueeze(0) for step in steps], 0)


class Split(nn.Module):
    """Two groups of values, each with spatial attention of its own; x: (batch, time, ...)."""

    def __init__(self, steps):
        super().__init__()
        self.avg_pool = nn.AdaptiveAvgPool3d((None, 1, 1))
        self.max_pool = nn.AdaptiveMaxPool3d((None, 1, 1))
        self.alpha, self.beta = nn.Parameter(torch.tensor([0.5])), nn.Parameter(torch.tensor([0.5]))
        self.fc = nn.Sequential(
            nn.Linear(steps, steps // 2, bias=False), nn.ReLU(inplace=True),
            nn.Linear(steps // 2, steps, bias=False),
        )  # fmt: skip
        self.conv1, self.conv2 = (nn.Conv2d(2, 1, 3, padding=1, bias=False) for _ in range(2))

    @staticmethod
    def mask(count, scores):
        _, places = torch.topk(scores, dim=2, k=count)
        places = places.squeeze(-1).squeeze(-1)
        found = torch.zeros_like(scores.squeeze(-1).squeeze(-1)).to(scores.device)
        for i in range(scores.shape[1]):
            found[:, i, places[:, i]] = 1
        return found.unsqueeze(-1).unsqueeze(-1)

    def forward(self, x):
        samples, steps, channels, rows, columns = x.shape
        mean, most = self.avg_pool(x), self.max_pool(x)
        scores = 0.5 * (mean + most) + self.alpha * mean + self.beta * most
        scores = self.fc(scores.squeeze().transpose(1, 2).contiguous()).transpose(1, 2).contiguous()
        of_channels = self.mask(channels // 2, scores)
        of_steps = self.mask(steps // 2, scores.transpose(1, 2).contiguous())
        both = (of_channels + of_steps.transpose(1, 2).contiguous()) / 2
        first = torch.where(both == 0.5, 1, 0)
        found = []
        for group, conv in ((first * x, self.conv1), ((1.0 - first) * x, self.conv2)):
            group = group.reshape(samples, -1, rows, columns)
            mean = torch.mean(group, dim=1, keepdim=True) / 0.5
            most, _ = torch.max(group, dim=1, keepdim=True)
            found.append(torch.sigmoid(conv(torch.cat([mean, most], dim=1))) * group)
        return (found[0] + found[1]).reshape(x.shape)


class SplitNet(nn.Module):
    """Two layers with attention between current and neurons, and a head."""

    def __init__(self, steps=4):
        super().__init__()
        self.T = self.timesteps = steps
        self.convs = nn.ModuleList(
            EachStep(nn.Conv2d(inputs, 6, 3, padding=1), nn.BatchNorm2d(6)) for inputs in (2, 6)
        )
        self.attentions = nn.ModuleList(Split(steps) for _ in self.convs)
        for weight in self.attentions.parameters():  # gates that open and shut, as trained ones
            weight.data *= 4
        self.spikes = nn.ModuleList(InLoop(Cell()) for _ in range(3))
        self.fc = EachStep(nn.Linear(6 * 6 * 6, 8))

    def forward(self, x):
        x, fired = x.permute(1, 0, 2, 3, 4).contiguous(), []
        for conv, attention, spike in zip(self.convs, self.attentions, self.spikes, strict=False):
            current = conv(x).permute(1, 0, 2, 3, 4).contiguous()
            x = spike(attention(current).permute(1, 0, 2, 3, 4).contiguous())
            fired.append(x)
        x = self.spikes[2](self.fc(x.flatten(2)))
        return torch.mean(x.permute(1, 0, 2).contiguous(), dim=1), [*fired, x]
