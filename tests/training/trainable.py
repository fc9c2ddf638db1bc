"""Small networks that train: neurons in plain torch, with a surrogate derivative of their own."""

from __future__ import annotations

import torch
from torch import nn


class Fire(torch.autograd.Function):
    """S = [U > threshold];  dS/dU = 1 / (1 + (pi (U - threshold))^2)."""

    @staticmethod
    def forward(ctx, distance, strict):
        ctx.save_for_backward(distance)
        return (distance > 0 if strict else distance >= 0).to(distance.dtype)

    @staticmethod
    def backward(ctx, gradient):
        (distance,) = ctx.saved_tensors
        return gradient / (1.0 + (torch.pi * distance) ** 2), None


class LIF(nn.Module):
    """Time first.  I = current_decay I + X;  U = H + I;  S;

    H = v_reset S + decay U (1 - S) or decay (U - threshold S).
    """

    def __init__(
        self, threshold=0.5, decay=0.5, fires_at="ge", reset="hard", v_reset=0.0, current_decay=0.0
    ):
        super().__init__()
        self.threshold, self.decay, self.fires_at, self.reset = threshold, decay, fires_at, reset
        self.v_reset, self.current_decay = v_reset, current_decay

    def neuron_parameters(self):
        return {
            "threshold": self.threshold, "decay": self.decay, "v_reset": self.v_reset,
            "fires_at": self.fires_at, "reset": self.reset, "time_axis": 0,
            "current_decay": self.current_decay,
        }  # fmt: skip

    def forward(self, x):
        carried, current, spikes = torch.zeros_like(x[0]), 0.0, []
        for arriving in x:
            current = self.current_decay * current + arriving
            membrane = carried + current
            spike = Fire.apply(membrane - self.threshold, self.fires_at == "gt")
            left = spike.detach()
            kept = membrane - self.threshold * left
            carried = self.decay * (kept if self.reset == "soft" else membrane * (1 - left))
            carried = carried + self.v_reset * left
            spikes.append(spike)
        return torch.stack(spikes)


def over_time(layer, x):
    flat = layer(x.flatten(0, 1))
    return flat.view(*x.shape[:2], *flat.shape[1:])


def conv_norm(inputs, outputs, stride=1):
    conv, norm = nn.Conv2d(inputs, outputs, 3, stride, 1), nn.BatchNorm2d(outputs)
    nn.init.normal_(conv.weight, 0.05, 0.3)
    norm.running_mean.normal_(std=0.1)
    norm.running_var.uniform_(0.3, 1.0)
    return nn.Sequential(conv, norm)


def linear(inputs, outputs):
    layer = nn.Linear(inputs, outputs)
    nn.init.normal_(layer.weight, 0.05, 0.3)
    return layer


class Residual(nn.Module):
    """Images, a gate in front of the chip, two membrane shortcuts, a linear answer."""

    timesteps, input_signal, input_shape = 3, "real", (1, 8, 8)

    def __init__(self, gated=True, **neuron):
        super().__init__()
        torch.manual_seed(1)
        self.gated = gated
        self.stem = conv_norm(1, 4)
        self.spike = LIF(**neuron)
        self.spike1, self.spike2, self.spike3, self.spike4 = (LIF(**neuron) for _ in range(4))
        self.conv1, self.conv2, self.conv3 = conv_norm(4, 4, 2), conv_norm(4, 4), conv_norm(4, 6)
        self.pooled = nn.Sequential(nn.AvgPool2d(2), nn.Conv2d(4, 4, 1, bias=False))
        self.widened = nn.Conv2d(4, 6, 1)
        self.classify = linear(6, 3)

    def encode(self, image):
        sequence = self.stem(image).unsqueeze(0).repeat(self.timesteps, 1, 1, 1, 1)
        return torch.sigmoid(sequence) * self.spike(sequence) if self.gated else sequence

    def forward(self, image):
        x = self.encode(image)
        current = over_time(self.conv1, self.spike1(x))
        x = over_time(self.conv2, self.spike2(current)) + over_time(self.pooled, x)
        x = over_time(self.conv3, self.spike3(x)) + over_time(self.widened, x)
        return self.classify(self.spike4(x).mean((3, 4)).mean(0))


class Events(nn.Module):
    """Counts of events, pools behind and in front of neurons, a classifier of spikes."""

    timesteps, input_signal, input_shape = 4, "integer", (4, 2, 8, 8)

    def __init__(self, **neuron):
        super().__init__()
        torch.manual_seed(2)
        self.conv = nn.Sequential(*conv_norm(2, 6), nn.AvgPool2d(2))
        self.spike1, self.spike2, self.spike3 = (LIF(**neuron) for _ in range(3))
        self.pool = nn.MaxPool2d(2)
        self.hidden, self.classify = linear(6 * 4, 12), linear(12, 3)

    def forward(self, frames):
        spikes = self.spike1(over_time(self.conv, frames.transpose(0, 1)))
        spikes = over_time(self.pool, spikes).flatten(2)
        spikes = self.spike2(over_time(self.hidden, spikes))
        return self.spike3(over_time(self.classify, spikes)).mean(0)


def images(count, seed=0):
    """Three kinds of bright bars with noise: inputs and labels."""
    generator = torch.Generator().manual_seed(seed)
    x = 0.3 * torch.rand((count, 1, 8, 8), generator=generator)
    y = torch.randint(0, 3, (count,), generator=generator)
    for image, label in zip(x, y.tolist(), strict=True):
        image[0, 2 * label : 2 * label + 2] += 0.7
    return x, y


def events(count, seed=0):
    """The same bars as counts at every step."""
    x, y = images(count, seed)
    frames = (4 * x).round().unsqueeze(1).repeat(1, 4, 2, 1, 1)
    return frames, y
