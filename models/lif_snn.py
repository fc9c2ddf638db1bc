"""LIF-SNN-3: the three-layer network for event frames (MA [43], ASA A; MA supplement Table S3).

    Input 2x128x128 - MP4 - 64C3-BN-LIF - 128C3-BN-AP2-LIF - 128C3-BN-AP2-LIF
          - 256FC-LIF - K FC-LIF

Pooling sits between BN and LIF (MA Eq. 5). Convolutions and linear layers have biases; the
linear layers have no norm. Input: event counts per frame and polarity [B, T, 2, H, W], float32
holding non-negative integers. Output: mean over T of the output spikes [B, classes], the firing
rate of each class in [0, 1].
"""

from __future__ import annotations

import torch
from layers import NOWHERE, Attend, gate_gain, spiking
from neurons import over_time, preset
from torch import Tensor, nn


class LIFSNN3(nn.Module):
    """Event counts [B, T, P, H, W] to class firing rates [B, classes].

    input_shape is (timesteps, polarities, height, width), channels those of the three
    convolutions, pool the window of the first max-pool, neuron a name of neurons.PRESETS, attend
    the attention of the three convolutions (ma_snn.py, asa_snn.py).
    """

    input_signal = "integer"

    def __init__(
        self,
        *,
        classes: int,
        neuron: str,
        input_shape: tuple[int, int, int, int],
        pool: int,
        channels: tuple[int, int, int],
        hidden: int,
        attend: Attend | None = None,
    ) -> None:
        super().__init__()
        timesteps, polarities, height, width = input_shape
        self.timesteps = timesteps
        self.input_shape = input_shape
        first, second, third = channels
        self.pool = nn.MaxPool2d(pool)
        place = attend or (lambda in_channels, channels: NOWHERE)
        placements = [place(polarities, first), place(first, second), place(second, third)]
        if any(placed.between for placed in placements):
            raise ValueError(
                "LIF-SNN-3 has no attention between convolution and norm; use location conv_post"
            )
        self.conv1 = _conv_norm(polarities, first)
        self.conv2 = _conv_norm(first, second, nn.AvgPool2d(2))
        self.conv3 = _conv_norm(second, third, nn.AvgPool2d(2))
        self.before = nn.ModuleList(placed.before or nn.Identity() for placed in placements)
        self.after = nn.ModuleList(placed.after or nn.Identity() for placed in placements)
        norms = (self.conv1[1], self.conv2[1], self.conv3[1])
        for norm, placed in zip(norms, placements, strict=True):
            nn.init.constant_(norm.weight, gate_gain(placed))
        self.spike1, self.spike2, self.spike3 = (spiking(neuron, p) for p in placements)
        pixels = (height // pool // 2 // 2) * (width // pool // 2 // 2)
        self.linear1 = nn.Linear(third * pixels, hidden)
        self.spike4 = preset(neuron)
        self.linear2 = nn.Linear(hidden, classes)
        self.spike5 = preset(neuron)

    def forward(self, frames: Tensor) -> Tensor:
        counts = over_time(self.pool, frames.transpose(0, 1))
        current = over_time(self.conv1, self.before[0](counts))
        spikes = self.spike1(self.after[0](current))
        current = over_time(self.conv2, self.before[1](spikes))
        spikes = self.spike2(self.after[1](current))
        current = over_time(self.conv3, self.before[2](spikes))
        spikes = self.spike3(self.after[2](current)).flatten(2)
        spikes = self.spike4(over_time(self.linear1, spikes))
        spikes = self.spike5(over_time(self.linear2, spikes))
        rate: Tensor = spikes.mean(dim=0)
        return rate


def _conv_norm(in_channels: int, channels: int, *pooling: nn.Module) -> nn.Sequential:
    """3x3 convolution with bias, batch norm, and the pooling in front of the neuron, if any."""
    conv = nn.Conv2d(in_channels, channels, 3, padding=1)
    return nn.Sequential(conv, nn.BatchNorm2d(channels), *pooling)


def lif_snn_3(
    timesteps: int, classes: int, neuron: str = "ma_events", attend: Attend | None = None
) -> LIFSNN3:
    """The paper's network on 2x128x128 frames; MA supplement Table S3, ASA Table S5.

    2,323,531 parameters and 106,763 neurons with 11 classes (DVS Gesture, T=60).
    """
    return LIFSNN3(
        classes=classes,
        neuron=neuron,
        input_shape=(timesteps, 2, 128, 128),
        pool=4,
        channels=(64, 128, 128),
        hidden=256,
        attend=attend,
    )


def lif_snn_3_small(
    timesteps: int,
    classes: int = 10,
    size: int = 28,
    neuron: str = "ma_events",
    attend: Attend | None = None,
) -> LIFSNN3:
    """The same family on small frames (28 for digits as events, 34 for N-MNIST), MP2 first.

    Not from a paper: channels 16, 32, 32 and 64 hidden neurons.
    """
    return LIFSNN3(
        classes=classes,
        neuron=neuron,
        input_shape=(timesteps, 2, size, size),
        pool=2,
        channels=(16, 32, 32),
        hidden=64,
        attend=attend,
    )


def example(module: nn.Module) -> Tensor:
    """Event counts [1, T, P, H, W], float32 integers 0..3 (a tenth non-zero), always the same."""
    generator = torch.Generator().manual_seed(0)
    shape = (1, *module.input_shape)
    counts = torch.randint(1, 4, shape, generator=generator)
    seen = torch.rand(shape, generator=generator) < 0.1
    return (counts * seen).float()
