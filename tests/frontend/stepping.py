"""Small nets that process one step a call, in the frameworks' habits, and many forms of answers."""

from __future__ import annotations

import torch
from torch import nn


class Kept(nn.Module):
    """The membrane is an attribute: a number until it is first used, and after a reset."""

    def __init__(self):
        super().__init__()
        self.v = 0.0

    def reset(self):
        self.v = 0.0

    def forward(self, x):
        if isinstance(self.v, float):
            self.v = torch.full_like(x, self.v)
        self.v = self.v + (x - self.v) / 2
        spike = (self.v >= 1).to(x)
        self.v = self.v * (1 - spike)
        return spike


def weighted(inputs, outputs):
    torch.manual_seed(0)
    layer = nn.Linear(inputs, outputs)
    nn.init.normal_(layer.weight, 0.0, 4 * inputs**-0.5)
    return layer


class OneStep(nn.Module):
    """(batch, 6) to (batch, 3), the state in its neurons."""

    def __init__(self):
        super().__init__()
        self.fc1, self.lif1 = weighted(6, 8), Kept()
        self.fc2, self.lif2 = weighted(8, 3), Kept()

    def forward(self, x):
        return self.lif2(self.fc2(self.lif1(self.fc1(x))))


class Passed(nn.Module):
    """The state is an argument, nothing at first, and returned behind the spikes."""

    def __init__(self):
        super().__init__()
        self.fc = weighted(6, 3)

    def forward(self, x, mem=None):
        mem = torch.zeros(x.shape[0], 3) if mem is None else mem
        mem = 0.5 * mem + self.fc(x)
        spike = (mem > 1).to(x)
        return spike, mem * (1 - spike)


class Whole(OneStep):
    """The loop is inside, over (time, batch, 6); answers: how spikes and membranes are returned."""

    def __init__(self, steps, answers="spikes"):
        super().__init__()
        self.steps, self.answers = steps, answers

    def forward(self, x):
        self.lif1.reset()
        self.lif2.reset()
        spikes, membranes = [], []
        for step in range(self.steps):
            spikes.append(super().forward(x[step]))
            membranes.append(self.lif2.v)
        if self.answers == "lists":
            return spikes, membranes
        if self.answers == "dictionary":
            return {"spikes": torch.stack(spikes), "more": {"membranes": torch.stack(membranes)}}
        if self.answers == "tuple":
            return torch.stack(spikes), torch.stack(membranes)
        return torch.stack(spikes)
