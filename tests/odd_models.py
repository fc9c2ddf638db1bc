"""Random small torch networks, many of which no chip can run: for what is refused, and why.

Each stage, neuron and readout is drawn from lists of what users write; numbers come from one seed.
"""

from __future__ import annotations

import numpy as np
import torch
from random_models import Neuron, over_time
from torch import nn

from snndeploy.frontend.door import ModelFacts, OpenedModel
from snndeploy.frontend.torch import trace

SIZE = 4


class Told(Neuron):
    """A neuron that may be reset by subtraction, or to another value than 0."""

    def __init__(self, rng):
        reset = "soft" if rng.random() < 0.06 else "hard"
        super().__init__(1.0, float(rng.choice([0.0, 0.5, 1.0])), "ge", reset)
        self.value = -0.5 if reset == "hard" and rng.random() < 0.05 else 0.0

    def neuron_parameters(self):
        return {**super().neuron_parameters(), "v_reset": self.value}


class Leaky(nn.Module):
    """A readout whose membrane leaks; `last` gives its last value, else the sum of all."""

    def __init__(self, last):
        super().__init__()
        self.last = last

    def forward(self, x):
        membrane = total = x[0]
        for step in range(1, len(x)):
            membrane = 0.5 * membrane + x[step]
            total = total + membrane
        return membrane if self.last else total


def conv(rng, inputs, outputs, kernel=3, bias=None):
    layer = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor(rng.normal(0, 0.5, layer.weight.shape)))
        layer.bias.fill_(float(rng.normal(0, 0.2)) if bias is None else bias)
    return layer


class Stage(nn.Module):
    """Spikes (time, batch, channels, rows, columns) to spikes; `kind` is one of KINDS."""

    KINDS = (
        *["plain", "pool", "counts", "membranes", "average"] * 3, "many counts",
        "strided membranes", "concatenate", "relu", "sigmoid", "product", "gate", "window",
        "turned", "real pool", "two layers", "far offset", "difference",
    )  # fmt: skip

    def __init__(self, rng, channels):
        super().__init__()
        self.kind = str(rng.choice(self.KINDS))
        self.outputs = int(rng.choice([2, 3])) if self.kind == "plain" else channels
        wide = 2 * channels if self.kind == "concatenate" else channels
        offset = 1e5 if self.kind == "far offset" else None
        self.first, self.fire = conv(rng, channels, channels), Told(rng)
        self.second, self.last = conv(rng, wide, self.outputs, bias=offset), Told(rng)
        self.shortcut = conv(rng, channels, self.outputs, 1)

    def forward(self, x):
        return getattr(self, "_" + self.kind.replace(" ", "_"))(x)

    def _plain(self, x):
        return self.last(over_time(self.second, x))

    _far_offset = _plain

    def _branch(self, x):
        return self.fire(over_time(self.first, x))

    def _pool(self, x):
        return self._plain(over_time(nn.MaxPool2d(3, 1, 1), x))

    def _counts(self, x):
        return self._pool(x + self._branch(x))

    def _many_counts(self, x):
        total = x
        for _ in range(17):
            total = total + x
        return self._pool(total)

    def _membranes(self, x):
        current = over_time(self.first, x) + over_time(self.shortcut, x)
        return self.last(over_time(self.second, self.fire(current)) + current)

    def _strided_membranes(self, x):
        current = over_time(self.first, x)
        inside = over_time(self.second, self.fire(current))
        return self.last(inside + over_time(self.shortcut, current))

    def _concatenate(self, x):
        return self.last(over_time(self.second, torch.cat([x, self._branch(x)], 2)))

    def _relu(self, x):
        return self.last(torch.relu(over_time(self.second, x)))

    def _sigmoid(self, x):
        return self.last(torch.sigmoid(over_time(self.second, x)))

    def _product(self, x):
        return self.last(over_time(self.first, x) * over_time(self.second, x))

    def _gate(self, x):
        current = over_time(self.second, x)
        return self.last(current * torch.sigmoid(current.mean((3, 4), keepdim=True)))

    def _window(self, x):
        current = over_time(self.second, x)
        return self.last(current - current.mean(0, keepdim=True))

    def _turned(self, x):
        return self._plain(x.transpose(3, 4))

    def _real_pool(self, x):
        return self.last(over_time(nn.Sequential(self.second, nn.MaxPool2d(3, 1, 1)), x))

    def _two_layers(self, x):
        return self.last(over_time(nn.Sequential(self.first, self.second), x))

    def _average(self, x):
        return self._plain(over_time(nn.AvgPool2d(2 if x.shape[-1] > 1 else 1), x))

    def _difference(self, x):
        return self._plain(x - self._branch(x))


class Odd(nn.Module):
    """Input, one to three stages, and a readout."""

    READOUTS = ("mean", "sum", "last", "leaky sum", "leaky last", "steps", "sigmoid", "most")

    def __init__(self, seed):
        super().__init__()
        rng = np.random.default_rng(seed)
        self.timesteps = int(rng.choice([1, 2, 3]))
        self.coding = str(rng.choice(["direct", "gated", "spikes", "counts", "bare"]))
        self.readout = str(rng.choice(self.READOUTS, p=[0.7, 0.1, *[0.2 / 6] * 6]))
        self.input_signal = {"spikes": "binary", "counts": "integer", "bare": "integer"}.get(
            self.coding, "real"
        )
        self.stem, self.spike = conv(rng, 2, 2), Told(rng)
        stages, channels = [], 2
        for _ in range(int(rng.choice([1, 1, 2, 3]))):
            stages.append(Stage(rng, channels))
            channels = stages[-1].outputs
        self.stages = nn.Sequential(*stages)
        self.classify = nn.Linear(channels, 2)
        self.leaky = Leaky(self.readout == "leaky last")

    def forward(self, x):
        return self._answers(self.stages(self._encoded(x)).mean((3, 4)))

    def _encoded(self, x):
        if self.input_signal != "real":
            x = x.transpose(0, 1)
            if self.coding == "spikes":
                return x
            return self.spike(x if self.coding == "bare" else over_time(self.stem, x))
        x = self.stem(x).expand(self.timesteps, *(-1,) * 4)
        return torch.sigmoid(x) * self.spike(x) if self.coding == "gated" else self.spike(x)

    def _answers(self, x):
        x = self.classify(x)
        if self.readout.startswith("leaky"):
            return self.leaky(x)
        return {
            "mean": lambda: x.mean(0),
            "sum": lambda: x.sum(0),
            "last": lambda: x[-1],
            "steps": lambda: x,
            "sigmoid": lambda: torch.sigmoid(x.mean(0)),
            "most": lambda: x.amax(0),
        }[self.readout]()

    def example(self):
        shape = (1, 2, SIZE, SIZE)
        return torch.zeros(
            shape if self.input_signal == "real" else (1, self.timesteps, *shape[1:])
        )


def opened(module: nn.Module, example: torch.Tensor, name: str) -> OpenedModel:
    """A module as the doors open it, its weights as they are."""
    graph = trace(module.eval(), example, name=name, verify=False)
    entry = graph.input
    shape, signal = tuple(entry.shape[1:]), entry.attributes["signal"]
    facts = ModelFacts(name, name, "random (seed 0)", 0, "", graph.timesteps, shape, signal)
    return OpenedModel(facts, graph)


def odd(seed: int) -> OpenedModel:
    """The seed's network, as the doors open it.

    Raises:
        DeployError: it cannot be traced.
    """
    torch.manual_seed(0)
    module = Odd(seed)
    return opened(module, module.example(), f"odd{seed}")
