"""The papers' residual networks in small: the same operators in the same places.

GAC for CIFAR, batch first: the image grows a dimension in place and is repeated; neurons keep
lists.  The others time first: buffers of zeros written by index, norms over three dimensions.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional


def live(net, images):
    """The net with statistics of its own values on images, so that neurons fire as trained ones."""
    for norm in net.modules():
        if isinstance(norm, nn.modules.batchnorm._BatchNorm):
            norm.momentum = None
    with torch.no_grad():
        net.train()(images.clone())
    return net.eval()


class Folded(nn.Module):
    """A module on (batch * time, ...)."""

    def __init__(self, *modules):
        super().__init__()
        self.module = nn.Sequential(*modules)

    def forward(self, x):
        shape = [x.shape[0], x.shape[1]]
        y = self.module(x.flatten(0, 1).contiguous())
        shape.extend(y.shape[1:])
        return y.view(shape)


class ListNeuron(nn.Module):
    def forward(self, x):
        mem, spikes = 0, []
        for t in range(x.shape[1]):
            mem = mem * 0.5 + x[:, t, ...]
            spike = (mem - 1.0 > 0).float()
            mem = (1 - spike) * mem
            spikes.append(spike)
        return torch.stack(spikes, dim=1)


class TemporalAttention(nn.Module):
    """Steps are the channels of a volume."""

    def __init__(self, steps):
        super().__init__()
        self.avg_pool, self.max_pool = nn.AdaptiveAvgPool3d(1), nn.AdaptiveMaxPool3d(1)
        self.mlp = nn.Sequential(
            nn.Conv3d(steps, steps // 2, 1, bias=False), nn.ReLU(),
            nn.Conv3d(steps // 2, steps, 1, bias=False),
        )  # fmt: skip

    def forward(self, x):
        return self.mlp(self.avg_pool(x)) + self.mlp(self.max_pool(x))


class GatedCoding(nn.Module):
    """sigmoid(TA * SCA) * spikes"""

    def __init__(self, steps, channels):
        super().__init__()
        self.temporal = TemporalAttention(steps)
        self.spatial = nn.Sequential(
            nn.Conv2d(channels, channels, 4, padding="same", bias=False), nn.ReLU(),
            nn.Conv2d(channels, channels, 4, padding="same", bias=False),
        )  # fmt: skip

    def forward(self, x, spikes):
        b, t, c, h, w = x.shape
        spatial = self.spatial(x.flatten(0, 1)).reshape(b, t, c, h, w)
        return torch.sigmoid(self.temporal(x) * spatial) * spikes


class ListBlock(nn.Module):
    def __init__(self, before, after, stride):
        super().__init__()
        self.conv1 = Folded(nn.Conv2d(before, after, 3, stride, 1, bias=False))
        self.bn1 = Folded(nn.BatchNorm2d(after))
        self.conv2 = Folded(nn.Conv2d(after, after, 3, 1, 1, bias=False), nn.BatchNorm2d(after))
        self.downsample = Folded(nn.Conv2d(before, after, 1, stride, bias=False))
        self.spike = ListNeuron()

    def forward(self, x):
        out = self.bn1(self.conv1(self.spike(x)))
        out = self.conv2(self.spike(out))
        out += self.downsample(x)
        return out


class GatedNet(nn.Module):
    """GAC for CIFAR."""

    def __init__(self, steps=3):
        super().__init__()
        self.T = self.timesteps = steps
        self.stem = Folded(nn.Conv2d(3, 6, 3, padding=1, bias=False), nn.BatchNorm2d(6))
        self.spike, self.encoding = ListNeuron(), GatedCoding(steps, 6)
        self.layers = nn.Sequential(ListBlock(6, 8, 1), ListBlock(8, 8, 2))
        for weight in self.encoding.parameters():  # gates that open and shut, as trained ones
            weight.data *= 6
        self.pool = Folded(nn.AdaptiveAvgPool2d((1, 1)))
        self.classify = Folded(nn.Linear(8, 10))

    def forward(self, x):
        x.unsqueeze_(1)
        x = self.stem(x.repeat(1, self.T, 1, 1, 1))
        x = self.encoding(x, self.spike(x))
        x = self.spike(self.layers(x))
        return self.classify(torch.flatten(self.pool(x), 2))


class IndexedNeuron(nn.Module):
    def __init__(self, steps):
        super().__init__()
        self.steps = steps

    def forward(self, x):
        spike, output, before = torch.zeros_like(x[0]), torch.zeros_like(x), 0
        for i in range(self.steps):
            mem = before * 0.25 * (1 - spike.detach()) + x[i] if i else x[i]
            spike = mem.gt(0.5).float()
            before = mem.clone()
            output[i] = spike
        return output


class IndexedConv(nn.Conv2d):
    def forward(self, x):
        height, width = (
            (size + 2 * self.padding[0] - self.kernel_size[0]) // self.stride[0] + 1
            for size in x.shape[3:]
        )
        steps, samples = x.shape[:2]
        found = torch.zeros(steps, samples, self.out_channels, height, width)
        for i in range(steps):
            found[i] = super().forward(x[i])
        return found


class SequenceNorm(nn.Module):
    """(time, batch, channels, ...) turned to (batch, channels, time, ...) and back."""

    def __init__(self, features):
        super().__init__()
        self.bn = nn.BatchNorm3d(features)

    def forward(self, x):
        y = self.bn(x.transpose(0, 2).contiguous().transpose(0, 1).contiguous())
        return y.contiguous().transpose(0, 1).contiguous().transpose(0, 2)


class ChannelSpatial(nn.Module):
    """relu(SA(CA(x) * x) * CA(x) * x) on (batch, time, ...): channels are those of a volume."""

    def __init__(self, channels):
        super().__init__()
        self.avg_pool, self.max_pool = nn.AdaptiveAvgPool3d(1), nn.AdaptiveMaxPool3d(1)
        self.mlp = nn.Sequential(
            nn.Conv3d(channels, channels // 2, 1, bias=False), nn.ReLU(),
            nn.Conv3d(channels // 2, channels, 1, bias=False),
        )  # fmt: skip
        self.conv = nn.Conv2d(2, 1, 3, padding=1, bias=False)

    def forward(self, x):
        x = x.permute(1, 0, 2, 3, 4)
        volume = x.permute(0, 2, 1, 3, 4)
        scores = self.mlp(self.avg_pool(volume)) + self.mlp(self.max_pool(volume))
        out = torch.sigmoid(scores).permute(0, 2, 1, 3, 4) * x
        planes = out.reshape(len(out), -1, *out.shape[3:])
        largest, _ = torch.max(planes, dim=1, keepdim=True)
        both = torch.cat([torch.mean(planes, dim=1, keepdim=True), largest], dim=1)
        out = torch.relu(torch.sigmoid(self.conv(both).unsqueeze(1)) * out)
        return out.permute(1, 0, 2, 3, 4)


class IndexedBlock(nn.Module):
    def __init__(self, before, after, steps, attention):
        super().__init__()
        self.residual = nn.Sequential(
            IndexedNeuron(steps), IndexedConv(before, after, 3, 1, 1, bias=False),
            SequenceNorm(after), *([ChannelSpatial(after)] if attention else []),
        )  # fmt: skip
        self.shortcut = nn.Sequential(
            nn.AvgPool3d((1, 2, 2), stride=(1, 2, 2)),
            IndexedConv(before, after, 1, bias=False), SequenceNorm(after),
        )  # fmt: skip
        self.stride = nn.AvgPool3d((1, 2, 2), stride=(1, 2, 2))

    def forward(self, x):
        return self.stride(self.residual(x)) + self.shortcut(x)


class IndexedNet(nn.Module):
    """MS-ResNet, or with attention the attention residual network, which has one step."""

    def __init__(self, steps=3, attention=False):
        super().__init__()
        self.timesteps = steps
        self.stem = nn.Sequential(IndexedConv(3, 6, 3, 1, 1, bias=False), SequenceNorm(6))
        self.layers = nn.Sequential(
            IndexedBlock(6, 8, steps, attention), IndexedBlock(8, 8, steps, attention)
        )
        self.neuron = IndexedNeuron(steps)
        self.dropout, self.fc = nn.Dropout(p=0.2), nn.Linear(8, 10)

    def forward(self, x):
        repeated = torch.zeros(self.timesteps, x.size()[0], 3, x.size()[2], x.size()[3])
        for i in range(self.timesteps):
            repeated[i] = x
        output = self.neuron(self.layers(self.stem(repeated)))
        output = functional.adaptive_avg_pool3d(output, (None, 1, 1))
        output = output.view(output.size()[0], output.size()[1], -1)
        output = output.sum(dim=0) / output.size()[0]
        return self.fc(self.dropout(output))
