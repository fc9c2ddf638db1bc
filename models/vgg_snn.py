"""VGG-SNN-7, -11 and -13 for CIFAR, and Att-VGG (MA supplement S3.2, Tables S8 and S9).

    {3x3 conv (bias) - BN - LIF} stacks, one max-pool, average pool to 8x8, 1024FC-LIF, K FC

The layouts are derived from Table S9 (spike count / rate). Direct coding: the image is repeated
T times in front of the first convolution. The average pool makes the first linear layer see
quarters; it is linear, so it folds into that layer. Readout: mean over T, then the last linear
layer (equal to the mean over T of the logits).

Input images [B, 3, 32, 32], float32; output logits [B, classes].
"""

from __future__ import annotations

import torch
from attention import Location
from attention import attend as attention_of
from attention import setting as named
from encoders import repeat
from layers import NOWHERE, Attend, SpikingConv, initialize
from neurons import over_time, preset
from torch import Tensor, nn

POOL = 0  # in a layout: the max-pool
VGG_7 = (64, 64, POOL, 128, 128, 128)
VGG_11 = (64, 128, 256, 256, POOL, 512, 512, 512, 512)
VGG_13 = (64, 64, 128, 128, 256, 256, POOL, 512, 512, 512, 512)
SIZE = 32
POOLED = 8


class VGGSNN(nn.Module):
    """Images [B, 3, 32, 32] to logits; layout lists channels and POOL, in order."""

    input_signal = "real"

    def __init__(
        self,
        *,
        layout: tuple[int, ...],
        timesteps: int,
        classes: int,
        neuron: str,
        attend: Attend | None = None,
    ) -> None:
        super().__init__()
        self.timesteps = timesteps
        self.input_shape = (3, SIZE, SIZE)
        place = attend or (lambda in_channels, channels: NOWHERE)
        self.body = nn.ModuleList()
        width, size = 3, SIZE
        for channels in layout:
            if channels == POOL:
                self.body.append(_Pool())
                size //= 2
                continue
            placed = place(width, channels)
            self.body.append(
                SpikingConv(width, channels, bias=True, neuron=neuron, placement=placed)
            )
            width = channels
        self.pool = nn.AvgPool2d(size // POOLED)
        self.linear1 = nn.Linear(width * POOLED * POOLED, 1024)
        self.spike = preset(neuron)
        self.linear2 = nn.Linear(1024, classes)
        initialize(self, neuron, self.linear1)

    def forward(self, image: Tensor) -> Tensor:
        spikes = repeat(image, self.timesteps)
        for layer in self.body:
            spikes = layer(spikes)
        averages = over_time(self.pool, spikes).flatten(2)
        spikes = self.spike(over_time(self.linear1, averages))
        logits: Tensor = self.linear2(spikes.mean(dim=0))
        return logits


class _Pool(nn.Module):
    """2x2 max-pool of every step: an OR of spikes."""

    def __init__(self) -> None:
        super().__init__()
        self.pool = nn.MaxPool2d(2)

    def forward(self, spikes: Tensor) -> Tensor:
        return over_time(self.pool, spikes)


def vgg_snn_7(
    timesteps: int, classes: int, neuron: str = "ma_imagenet", attend: Attend | None = None
) -> VGGSNN:
    """VGG-SNN-7; MA supplement Table S8: 230,400 neurons."""
    return VGGSNN(layout=VGG_7, timesteps=timesteps, classes=classes, neuron=neuron, attend=attend)


def vgg_snn_11(
    timesteps: int, classes: int, neuron: str = "ma_imagenet", attend: Attend | None = None
) -> VGGSNN:
    """VGG-SNN-11; MA supplement Table S8."""
    return VGGSNN(layout=VGG_11, timesteps=timesteps, classes=classes, neuron=neuron, attend=attend)


def vgg_snn_13(
    timesteps: int, classes: int, neuron: str = "ma_imagenet", attend: Attend | None = None
) -> VGGSNN:
    """VGG-SNN-13; MA supplement Tables S8 and S9: 1,442,816 neurons."""
    return VGGSNN(layout=VGG_13, timesteps=timesteps, classes=classes, neuron=neuron, attend=attend)


LAYOUTS = {7: VGG_7, 11: VGG_11, 13: VGG_13}


def att_vgg_snn(
    layers: int,
    timesteps: int,
    classes: int,
    attention: str,
    setting: str,
    location: Location,
    neuron: str = "ma_imagenet",
) -> VGGSNN:
    """Att-VGG-SNN-7, -11 or -13; MA supplement Tables S8 and S9 (attention "CS").

    location "before_norm" is that of the published code, between convolution and norm: the norm
    cannot fold into the convolution there. "recommended" is the text's.
    """
    if layers not in LAYOUTS:
        raise ValueError(f"VGG-SNN has 7, 11 or 13 layers, not {layers}")
    place = attention_of(attention, named(setting, location), timesteps)
    return VGGSNN(
        layout=LAYOUTS[layers],
        timesteps=timesteps,
        classes=classes,
        neuron=neuron,
        attend=place,
    )


def example(module: nn.Module) -> Tensor:
    """One image [1, C, H, W] of uniform noise in [0, 1), always the same."""
    generator = torch.Generator().manual_seed(0)
    return torch.rand((1, *module.input_shape), generator=generator)
