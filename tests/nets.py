"""Small networks of the papers' kinds, with random weights, traced and partitioned."""

from __future__ import annotations

import torch
from random_models import Neuron
from torch import nn

from snndeploy.frontend.torch import trace
from snndeploy.passes.partition import partition
from snndeploy.passes.signals import infer_signals

STEPS = 2


def neuron(threshold=0.5, decay=0.25, fires_at="gt", reset="hard"):
    return Neuron(threshold, decay, fires_at, reset)


def conv(inputs, outputs, kernel=3, stride=1, bias=False):
    layer = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=bias)
    nn.init.normal_(layer.weight, std=0.5)
    return nn.Sequential(layer, nn.BatchNorm2d(outputs))


def over_time(layer, x):
    flat = layer(x.flatten(0, 1))
    return flat.view(*x.shape[:2], *flat.shape[1:])


class Net(nn.Module):
    """stem -> encode -> body -> last neuron -> mean -> classifier."""

    timesteps = STEPS
    input_signal = "real"

    def __init__(self, encode="direct"):
        super().__init__()
        torch.manual_seed(0)
        self.stem, self.spike, self.coding = conv(1, 4), neuron(), encode
        self.build()
        self.classifier = nn.Linear(4, 2)

    def build(self):
        raise NotImplementedError

    def encode(self, x):
        sequence = self.stem(x).unsqueeze(0).repeat(STEPS, 1, 1, 1, 1)
        if self.coding == "ms":
            return sequence
        spikes = self.spike(sequence)
        if self.coding == "direct":
            return spikes
        mixed = sequence.mean((2, 3, 4), keepdim=True).mean(0, keepdim=True)  # over the window
        return torch.sigmoid(mixed * sequence) * spikes

    def forward(self, x):
        spikes = self.body(self.encode(x))
        return self.classifier(spikes.mean((3, 4)).mean(0))


class SpikingResNet(Net):
    """Two blocks: conv-norm-LIF-conv-norm (+ shortcut) - LIF."""

    def build(self):
        self.conv1, self.conv2, self.conv3 = conv(4, 4), conv(4, 4), conv(4, 4, stride=2)
        self.conv4, self.shortcut = conv(4, 4), conv(4, 4, 1, 2)
        self.spikes = nn.ModuleList(neuron() for _ in range(4))

    def body(self, x):
        branch = self.spikes[0](over_time(self.conv1, x))
        x = self.spikes[1](over_time(self.conv2, branch) + x)
        branch = self.spikes[2](over_time(self.conv3, x))
        return self.spikes[3](over_time(self.conv4, branch) + over_time(self.shortcut, x))


class Sew(Net):
    """Two SEW blocks: LIF(conv(LIF(conv(x)))) + x; the second block reads integers."""

    def build(self):
        self.convs = nn.ModuleList(conv(4, 4) for _ in range(5))
        self.spikes = nn.ModuleList(neuron() for _ in range(5))

    def body(self, x):
        for first in (0, 2):
            branch = self.spikes[first](over_time(self.convs[first], x))
            x = x + self.spikes[first + 1](over_time(self.convs[first + 1], branch))
        return self.spikes[4](over_time(self.convs[4], x))


class Attention(Net):
    """Channel attention on the current inside the body (MA: conv-POST)."""

    whole_window = False

    def build(self):
        self.conv1, self.conv2 = conv(4, 4), conv(4, 4)
        self.score = nn.Linear(4, 4)
        self.spikes = nn.ModuleList(neuron() for _ in range(2))

    def body(self, x):
        x = self.spikes[0](over_time(self.conv1, x))
        current = over_time(self.conv2, x)
        pooled = current.mean((3, 4))
        if self.whole_window:
            pooled = pooled.mean(0, keepdim=True)
        scores = torch.sigmoid(self.score(pooled))
        return self.spikes[1](current * scores[:, :, :, None, None])


class TemporalAttention(Attention):
    whole_window = True


class MSResNet(Net):
    """One block with an identity shortcut, one strided with a 1x1 convolution, on membranes."""

    def __init__(self, encode="ms"):
        super().__init__(encode)

    def build(self):
        self.conv1, self.conv2, self.conv3 = conv(4, 4), conv(4, 4), conv(4, 4, stride=2)
        self.conv4, self.shortcut = conv(4, 4), conv(4, 4, 1, 2)
        self.spikes = nn.ModuleList(neuron() for _ in range(5))

    def body(self, x):
        branch = self.spikes[1](over_time(self.conv1, self.spikes[0](x)))
        x = over_time(self.conv2, branch) + x
        branch = self.spikes[3](over_time(self.conv3, self.spikes[2](x)))
        return self.spikes[4](over_time(self.conv4, branch) + over_time(self.shortcut, x))


class Pooled(Net):
    """Average pooling of spikes in front of a convolution and of a linear layer (VGG)."""

    def build(self):
        self.conv, self.linear = conv(4, 4), nn.Linear(4 * 2 * 2, 4)
        self.spikes, self.pool = nn.ModuleList(neuron() for _ in range(2)), nn.AvgPool2d(2)

    def body(self, x):
        x = self.spikes[0](over_time(self.conv, over_time(self.pool, x)))
        x = over_time(self.pool, x).flatten(2)
        return self.spikes[1](self.linear(x))[..., None, None]


def parted(model, *, integer_input_on_chip=False):
    example = torch.zeros(1, 1, 8, 8)
    graph = infer_signals(trace(model, example, verify=False))
    return partition(graph, integer_input_on_chip=integer_input_on_chip)
