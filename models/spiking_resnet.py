"""Spiking-ResNet-18 and -34 for ImageNet (GAC Tables 2 and 7; torchvision's shape), with GAC too.

    stem 7x7/2 - BN - LIF - MP3/2, four stages, global average pool, mean over T, FC
    block:  out = LIF(BN(Conv3(LIF(BN(Conv3(x))))) + shortcut(x))

The shortcut is the identity, or BN(Conv1x1/stride(x)) where the shape changes. Everything behind
the stem sees spikes. With GAC the encoder's output is real, and so is what the first block sees.

Input images [B, 3, 224, 224], float32; output logits [B, classes].
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Literal

import torch
from encoders import Direct, Gate, conv_norm, paper_gac
from layers import initialize
from neurons import over_time, preset
from torch import Tensor, nn

Encoder = Literal["direct", "gac", "events"]
MakeBlock = Callable[[int, int, int, str], nn.Module]
"""(channels in, channels, stride, neuron) to a block."""

CHANNELS = (64, 128, 256, 512)
BLOCKS_18 = (2, 2, 2, 2)
BLOCKS_34 = (3, 4, 6, 3)


class Block(nn.Module):
    """x [T, B, C_in, H, W] to LIF(BN(Conv3(LIF(BN(Conv3(x))))) + shortcut(x))."""

    def __init__(self, in_channels: int, channels: int, stride: int, neuron: str) -> None:
        super().__init__()
        self.conv1 = conv_norm(in_channels, channels, 3, stride)
        self.spike1 = preset(neuron)
        self.conv2 = conv_norm(channels, channels, 3, 1)
        self.spike2 = preset(neuron)
        self.shortcut: nn.Module | None = None
        if stride != 1 or in_channels != channels:
            self.shortcut = conv_norm(in_channels, channels, 1, stride)

    def forward(self, spikes: Tensor) -> Tensor:
        branch = over_time(self.conv2, self.spike1(over_time(self.conv1, spikes)))
        kept = spikes if self.shortcut is None else over_time(self.shortcut, spikes)
        result: Tensor = self.spike2(branch + kept)
        return result


class EventStem(nn.Module):
    """S = LIF(BN(Conv(X))) of event frames [B, T, P, H, W]: another input at every step."""

    def __init__(self, stem: nn.Module, neuron: str) -> None:
        super().__init__()
        self.stem = stem
        self.spike = preset(neuron)

    def forward(self, frames: Tensor) -> Tensor:
        spikes: Tensor = self.spike(over_time(self.stem, frames.transpose(0, 1)))
        return spikes


class ResNet(nn.Module):
    """Encoder, 3x3/2 max-pool, four stages of blocks, linear readout of mean outputs.

    input_shape is (channels, height, width), or (timesteps, polarities, height, width) with
    encoder "events".
    """

    def __init__(
        self,
        *,
        block: MakeBlock,
        blocks: tuple[int, int, int, int],
        encoder: Encoder,
        timesteps: int,
        classes: int,
        neuron: str,
        input_shape: tuple[int, ...],
        gate: Gate = "gau",
    ) -> None:
        super().__init__()
        self.timesteps = timesteps
        self.input_shape = input_shape
        self.input_signal = "integer" if encoder == "events" else "real"
        width = CHANNELS[0]
        stem = conv_norm(input_shape[-3], width, 7, 2)
        self.encoder: nn.Module
        if encoder == "direct":
            self.encoder = Direct(stem, timesteps, preset(neuron))
        elif encoder == "gac":
            self.encoder = paper_gac(stem, width, timesteps, preset(neuron), gate)
        elif encoder == "events":
            self.encoder = EventStem(stem, neuron)
        else:
            raise ValueError(f"encoder is {encoder!r}; use 'direct', 'gac' or 'events'")
        self.pool = nn.MaxPool2d(3, 2, padding=1)
        stages: OrderedDict[str, nn.Module] = OrderedDict()
        plan = zip(CHANNELS, blocks, (1, 2, 2, 2), strict=True)
        for number, (channels, count, stride) in enumerate(plan, start=1):
            row = [block(width, channels, stride, neuron)]
            row += [block(channels, channels, 1, neuron) for _ in range(count - 1)]
            stages[f"stage{number}"] = nn.Sequential(*row)
            width = channels
        self.body = nn.Sequential(stages)
        self.classifier = nn.Linear(width, classes)
        initialize(self, neuron)

    def forward(self, image: Tensor) -> Tensor:
        outputs = self.body(over_time(self.pool, self.encoder(image)))
        logits: Tensor = self.classifier(outputs.mean(dim=(3, 4)).mean(dim=0))
        return logits


def _imagenet(
    blocks: tuple[int, int, int, int],
    timesteps: int,
    classes: int,
    encoder: Encoder,
    neuron: str,
    gate: Gate,
) -> ResNet:
    return ResNet(
        block=Block,
        blocks=blocks,
        encoder=encoder,
        timesteps=timesteps,
        classes=classes,
        neuron=neuron,
        input_shape=(3, 224, 224),
        gate=gate,
    )


def spiking_resnet18(
    timesteps: int,
    neuron: str,
    classes: int = 1000,
    encoder: Encoder = "direct",
    gate: Gate = "gau",
) -> ResNet:
    """Spiking-ResNet-18, ImageNet; MA Table 2, GAC Table 2: 11,689,512 parameters."""
    return _imagenet(BLOCKS_18, timesteps, classes, encoder, neuron, gate)


def spiking_resnet34(
    timesteps: int,
    neuron: str,
    classes: int = 1000,
    encoder: Encoder = "direct",
    gate: Gate = "gau",
) -> ResNet:
    """Spiking-ResNet-34, ImageNet; MA Table 2, GAC Table 2: 21,797,672 parameters."""
    return _imagenet(BLOCKS_34, timesteps, classes, encoder, neuron, gate)


def gac_spiking_resnet18(
    timesteps: int, neuron: str = "gac", classes: int = 1000, gate: Gate = "gau"
) -> ResNet:
    """Spiking-ResNet-18 behind GAC: the first block sees real values."""
    return _imagenet(BLOCKS_18, timesteps, classes, "gac", neuron, gate)


def gac_spiking_resnet34(
    timesteps: int, neuron: str = "gac", classes: int = 1000, gate: Gate = "gau"
) -> ResNet:
    """Spiking-ResNet-34 behind GAC: the first block sees real values."""
    return _imagenet(BLOCKS_34, timesteps, classes, "gac", neuron, gate)


def example(module: nn.Module) -> Tensor:
    """One image of uniform noise in [0, 1), or event counts 0..3; always the same."""
    generator = torch.Generator().manual_seed(0)
    shape = (1, *module.input_shape)
    if module.input_signal == "real":
        return torch.rand(shape, generator=generator)
    counts = torch.randint(1, 4, shape, generator=generator)
    seen = torch.rand(shape, generator=generator) < 0.1
    return (counts * seen).float()
