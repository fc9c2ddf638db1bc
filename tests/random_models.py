"""Random small torch models whose arithmetic is exact in float64, so that every tie is a tie.

Weights, biases, thresholds, decays and the norms' statistics are dyadic (norm: variance + eps is a
square of a power of two), so sums come out the same in every order.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from hypothesis import reject
from hypothesis import strategies as st
from torch import nn


class Neuron(nn.Module):
    """U = H + X; S = U >= threshold (or >); H = decay * U * (1 - S).  Time first."""

    def __init__(self, threshold: float, decay: float, fires_at: str, reset: str = "hard"):
        super().__init__()
        self.settings = (threshold, decay, fires_at, reset)

    def neuron_parameters(self) -> dict[str, Any]:
        threshold, decay, fires_at, reset = self.settings
        return {
            "threshold": threshold,
            "decay": decay,
            "v_reset": 0.0,
            "fires_at": fires_at,
            "reset": reset,
            "time_axis": 0,
        }

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        threshold, decay, fires_at, reset = self.settings
        carried, spikes = torch.zeros_like(x[0]), []
        for current in x:
            membrane = carried + current
            fired = (membrane >= threshold if fires_at == "ge" else membrane > threshold).to(
                x.dtype
            )
            spikes.append(fired)
            kept = membrane - threshold * fired if reset == "soft" else membrane * (1 - fired)
            carried = decay * kept
        return torch.stack(spikes)


@dataclass
class Maker:
    """Draws structure from hypothesis and numbers from a generator."""

    draw: Any
    rng: np.random.Generator
    told: list[str] = field(default_factory=list)

    def choice(self, values: Any) -> Any:
        return self.draw(st.sampled_from(list(values)))

    def flag(self) -> bool:
        return self.draw(st.booleans())

    def dyadic(self, shape: Any, largest: int = 4, unit: float = 0.25) -> torch.Tensor:
        values = self.rng.integers(-largest, largest + 1, shape) * unit
        return torch.tensor(values, dtype=torch.float32)

    def neuron(self) -> Neuron:
        return Neuron(
            self.choice([0.5, 1.0, 1.5]),
            self.choice([0.0, 0.25, 0.5, 1.0]),
            self.choice(["ge", "gt"]),
        )

    def conv(
        self, inputs: int, outputs: int, kernel: int, stride: int, groups: int = 1
    ) -> nn.Conv2d:
        same = self.flag() and stride == 1
        padding = "same" if same else self.choice(range(kernel // 2 + 1))
        dilation = self.choice([1, 1, 2]) if kernel > 1 else 1
        bias = self.flag()
        conv = nn.Conv2d(
            inputs, outputs, kernel, stride, padding, dilation, groups=groups, bias=bias
        )
        conv.weight.data = self.dyadic(conv.weight.shape)
        if bias:
            conv.bias.data = self.dyadic(conv.bias.shape, 2)
        return conv

    def norm(self, channels: int) -> nn.Module:
        if self.flag():
            return nn.Identity()
        norm = nn.BatchNorm2d(channels, eps=0.25)
        norm.running_var = torch.tensor(self.rng.choice([0.75, 3.75], channels)).float()
        norm.running_mean = self.dyadic(channels, 2)
        norm.weight.data = self.dyadic(channels)
        norm.bias.data = self.dyadic(channels, 2)
        return norm

    def layer(self, inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
        """Convolution, perhaps a norm, perhaps average pooling before or behind it."""
        kernel = self.choice([1, 2, 3])
        groups = 2 if inputs % 2 == outputs % 2 == 0 and self.flag() else 1
        parts: list[nn.Module] = [self.conv(inputs, outputs, kernel, stride, groups)]
        parts.append(self.norm(outputs))
        place = self.choice(["none", "none", "before", "behind"])
        if place == "before":
            parts.insert(0, nn.AvgPool2d(2, self.choice([1, 2]), ceil_mode=False))
        if place == "behind":
            parts.append(nn.AvgPool2d(2))
        return nn.Sequential(*parts)


def over_time(layer: nn.Module, x: torch.Tensor) -> torch.Tensor:
    flat = layer(x.flatten(0, 1))
    return flat.view(*x.shape[:2], *flat.shape[1:])


class Plain(nn.Module):
    def __init__(self, make: Maker, channels: int):
        super().__init__()
        self.outputs = make.choice([2, 3, 4])
        self.layer, self.spike = make.layer(channels, self.outputs), make.neuron()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.spike(over_time(self.layer, x))


class MaxPool(nn.Module):
    def __init__(self, make: Maker, channels: int):
        super().__init__()
        self.outputs = channels
        self.pool = nn.MaxPool2d(*make.choice([(2, 2, 0), (3, 1, 1), (3, 2, 1)]))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return over_time(self.pool, x)


class SpikeElementWise(nn.Module):
    """spikes + spikes: what stands behind reads integers."""

    def __init__(self, make: Maker, channels: int):
        super().__init__()
        self.outputs = channels
        conv = nn.Conv2d(channels, channels, 3, padding=1)
        conv.weight.data, conv.bias.data = make.dyadic(conv.weight.shape), make.dyadic(channels, 2)
        self.layer, self.spike = conv, make.neuron()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.spike(over_time(self.layer, x))


class Residual(nn.Module):
    """Membrane shortcut: identity, or a 1x1 convolution (perhaps strided, perhaps pooled)."""

    def __init__(self, make: Maker, channels: int):
        super().__init__()
        stride = make.choice([1, 2])
        self.outputs = make.choice([channels, 4]) if stride == 1 else 4
        self.spike1, self.spike2 = make.neuron(), make.neuron()
        self.conv1 = nn.Conv2d(channels, self.outputs, 3, stride, 1, bias=make.flag())
        self.conv2 = nn.Conv2d(self.outputs, self.outputs, 3, 1, 1, bias=make.flag())
        for conv in (self.conv1, self.conv2):
            conv.weight.data = make.dyadic(conv.weight.shape)
            if conv.bias is not None:
                conv.bias.data = make.dyadic(conv.bias.shape, 2)
        self.norm1, self.norm2 = make.norm(self.outputs), make.norm(self.outputs)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or self.outputs != channels:
            conv = nn.Conv2d(channels, self.outputs, 1, stride, bias=make.flag())
            conv.weight.data = make.dyadic(conv.weight.shape)
            if conv.bias is not None:
                conv.bias.data = make.dyadic(conv.bias.shape, 2)
            self.shortcut = nn.Sequential(conv, make.norm(self.outputs))
        self.minus = make.flag() and make.flag()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        branch = over_time(nn.Sequential(self.conv1, self.norm1), self.spike1(x))
        branch = over_time(nn.Sequential(self.conv2, self.norm2), self.spike2(branch))
        kept = over_time(self.shortcut, x)
        return branch - kept if self.minus else branch + kept


class Model(nn.Module):
    def __init__(self, make: Maker):
        super().__init__()
        self.timesteps = make.choice(range(1, 9))
        size = make.choice([6, 7, 8])
        self.coding = make.choice(["direct", "ms", "gated", "events", "spikes"])
        self.time_first = make.flag()
        channels = 2 if self.coding in ("events", "spikes") else make.choice([1, 2])
        self.input_shape: tuple[int, ...] = (channels, size, size)
        if self.coding in ("events", "spikes"):
            self.input_signal = "integer" if self.coding == "events" else "binary"
            self.input_shape = (self.timesteps, channels, size, size)
        else:
            outputs = make.choice([2, 4])
            conv = nn.Conv2d(channels, outputs, 3, padding=1, bias=make.flag())
            conv.weight.data = make.dyadic(conv.weight.shape)
            if conv.bias is not None:
                conv.bias.data = make.dyadic(conv.bias.shape, 2)
            self.stem, channels = nn.Sequential(conv, make.norm(outputs)), outputs
            self.spike = make.neuron() if self.coding != "ms" else nn.Identity()
        self.body = nn.ModuleList()
        membranes = self.coding in ("ms", "gated")
        for _ in range(make.choice([1, 2, 3])):
            kinds = [Plain, Residual] if membranes else [Plain, Plain, MaxPool, SpikeElementWise]
            if self.coding in ("events", "spikes") and not len(self.body):
                kinds = [Plain]
            if len(self.body) and isinstance(self.body[-1], SpikeElementWise):
                kinds = [Plain, SpikeElementWise]
            kind = make.choice(kinds)
            self.body.append(kind(make, channels))
            channels = self.body[-1].outputs
            membranes = kind is Residual
        self.last = make.neuron() if membranes else nn.Identity()
        self.readout = make.choice(["mean", "flat", "count", "steps"])
        summed = isinstance(self.body[-1], SpikeElementWise)
        if summed and self.readout == "count":
            self.readout = "mean"
        features = channels
        if self.readout == "flat":
            with torch.no_grad():
                self.eval()  # norms must not learn from the example
                features = int(np.prod(self.spikes(self.example()).shape[2:]))
        self.classifier = nn.Linear(features, 3, bias=make.flag())
        self.classifier.weight.data = make.dyadic(self.classifier.weight.shape)

    def spikes(self, x: torch.Tensor) -> torch.Tensor:
        if self.coding in ("events", "spikes"):
            x = x if self.time_first else x.transpose(0, 1)
        else:
            x = self.stem(x).unsqueeze(0).repeat(self.timesteps, 1, 1, 1, 1)
            if self.coding == "gated":
                x = torch.sigmoid(x) * self.spike(x)
            else:
                x = self.spike(x)
        for block in self.body:
            x = block(x)
        return self.last(x)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        spikes = self.spikes(x)
        if self.readout == "count":
            return spikes.flatten(2).mean(0)
        if self.readout == "steps":
            return self.classifier(spikes.mean((3, 4)))
        if self.readout == "flat":
            return self.classifier(spikes.flatten(2)).mean(0)
        return self.classifier(spikes.flatten(3).mean(3).sum(0))

    def example(self, samples: int = 1, seed: int = 0) -> torch.Tensor:
        rng = np.random.default_rng(seed)
        shape = (samples, *self.input_shape)
        if self.coding in ("events", "spikes"):
            largest = 4 if self.coding == "events" else 2
            values = rng.integers(0, largest, shape) * (rng.random(shape) < 0.5)
        else:
            values = rng.integers(-4, 5, shape) / 4
        x = torch.tensor(values, dtype=torch.float32)
        return x.transpose(0, 1) if len(self.input_shape) == 4 and self.time_first else x


@st.composite
def models(draw: Any) -> Model:
    make = Maker(draw, np.random.default_rng(draw(st.integers(0, 2**31))))
    torch.manual_seed(0)
    try:
        model = Model(make).eval()
        with torch.no_grad():
            model(model.example())
    except RuntimeError:  # a kernel larger than its plane
        reject()
    return model
