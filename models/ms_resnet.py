"""MS-ResNet: residual networks whose shortcuts carry the membrane (MA, GAC; papers' section 4).

Block:  out = BN(Conv3(LIF(BN(Conv3(LIF(x)))))) + shortcut(x)

The shortcut is the identity, or BN(Conv1x1(x)) where the shape changes; it sees real membrane
values. Readout: LIF, mean over pixels, mean over T of the features, then one linear layer
(equal to the mean over T of the logits, since it is linear).

Input images [B, C, H, W], float32; output logits [B, classes].
"""

from __future__ import annotations

import math
from collections import OrderedDict
from typing import Literal

import torch
from encoders import GAC, MS, Direct, conv_norm
from neurons import over_time, preset
from torch import Tensor, nn

Coding = Literal["direct", "ms", "gac"]


class Block(nn.Module):
    """x [T, B, C_in, H, W] to BN(Conv3(LIF(BN(Conv3(LIF(x)))))) + shortcut(x)."""

    def __init__(self, in_channels: int, channels: int, stride: int, neuron: str) -> None:
        super().__init__()
        self.spike1 = preset(neuron)
        self.conv1 = conv_norm(in_channels, channels, 3, stride)
        self.spike2 = preset(neuron)
        self.conv2 = conv_norm(channels, channels, 3, 1)
        self.shortcut: nn.Module | None = None
        if stride != 1 or in_channels != channels:
            self.shortcut = conv_norm(in_channels, channels, 1, stride)

    def forward(self, membrane: Tensor) -> Tensor:
        branch = over_time(self.conv1, self.spike1(membrane))
        branch = over_time(self.conv2, self.spike2(branch))
        kept = membrane if self.shortcut is None else over_time(self.shortcut, membrane)
        return branch + kept


class MSResNet(nn.Module):
    """Encoder on the image, stages of blocks on spikes, linear readout of mean spike counts.

    channels, blocks and strides have one entry a stage; the stride is that of its first block.
    neuron names a setting of neurons.PRESETS, used for every LIF.
    """

    input_signal = "real"

    def __init__(
        self,
        *,
        encoder: Coding,
        timesteps: int,
        classes: int,
        neuron: str,
        input_shape: tuple[int, int, int],
        stem: tuple[int, int, int],  # (channels, kernel, stride)
        channels: tuple[int, ...],
        blocks: tuple[int, ...],
        strides: tuple[int, ...],
        sca_convolutions: int = 2,
    ) -> None:
        super().__init__()
        self.timesteps = timesteps
        self.input_shape = input_shape
        width, kernel, stride = stem
        first = conv_norm(input_shape[0], width, kernel, stride)
        self.encoder: nn.Module
        if encoder == "direct":
            self.encoder = Direct(first, timesteps, preset(neuron))
        elif encoder == "ms":
            self.encoder = MS(first, timesteps)
        elif encoder == "gac":
            self.encoder = GAC(
                first, width, timesteps, preset(neuron), sca_convolutions=sca_convolutions
            )
        else:
            raise ValueError(f"encoder is {encoder!r}; use 'direct', 'ms' or 'gac'")
        stages: OrderedDict[str, nn.Module] = OrderedDict()
        plan = zip(channels, blocks, strides, strict=True)
        for number, (outputs, count, step) in enumerate(plan, start=1):
            row = [Block(width, outputs, step, neuron)]
            row += [Block(outputs, outputs, 1, neuron) for _ in range(count - 1)]
            stages[f"stage{number}"] = nn.Sequential(*row)
            width = outputs
        self.body = nn.Sequential(stages)
        self.spike = preset(neuron)
        self.classifier = nn.Linear(width, classes)
        _initialize(self)

    def forward(self, image: Tensor) -> Tensor:
        spikes = self.spike(self.body(self.encoder(image)))
        features = spikes.mean(dim=(3, 4)).mean(dim=0)
        logits: Tensor = self.classifier(features)
        return logits


def _initialize(module: nn.Module) -> None:
    """Normal weights of variance 2 / fan-in, so that an untrained network spikes too."""
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            fan_in = layer.in_channels * layer.kernel_size[0] * layer.kernel_size[1]
            nn.init.normal_(layer.weight, std=math.sqrt(2.0 / fan_in))


def imagenet(
    blocks: tuple[int, int, int, int],
    timesteps: int,
    classes: int,
    encoder: Coding,
    neuron: str,
) -> MSResNet:
    """ImageNet layout: stem 7x7/2 without max-pool, stride 2 in all four stages, 224 x 224."""
    return MSResNet(
        encoder=encoder,
        timesteps=timesteps,
        classes=classes,
        neuron=neuron,
        input_shape=(3, 224, 224),
        stem=(64, 7, 2),
        channels=(64, 128, 256, 512),
        blocks=blocks,
        strides=(2, 2, 2, 2),
    )


def ms_resnet18(
    timesteps: int, classes: int = 1000, encoder: Coding = "ms", neuron: str = "ma_imagenet"
) -> MSResNet:
    """MS-ResNet-18, ImageNet: MA Table S5, GAC Table 6. 11,693,736 parameters (MS coding)."""
    return imagenet((2, 2, 2, 2), timesteps, classes, encoder, neuron)


def ms_resnet34(
    timesteps: int, classes: int = 1000, encoder: Coding = "ms", neuron: str = "ma_imagenet"
) -> MSResNet:
    """MS-ResNet-34, ImageNet: MA Table S5, GAC Table 6 (conv2 x3, as its 21.80 M needs).

    21,801,896 parameters (MS coding).
    """
    return imagenet((3, 4, 6, 3), timesteps, classes, encoder, neuron)


def ms_resnet18_cifar(
    timesteps: int, classes: int, encoder: Coding = "ms", neuron: str = "gac"
) -> MSResNet:
    """MS-ResNet-18 for CIFAR, GAC Tables 3 and 4, 32 x 32 images.

    The printed 12.50 M parameters need stages of 3, 3, 2 blocks with 128, 256, 512 channels
    and strides 1, 2, 2 (12,502,090 for 10 classes, MS coding); the text's description of a
    ResNet-18 with a small stem would give 11.17 M.
    """
    return MSResNet(
        encoder=encoder,
        timesteps=timesteps,
        classes=classes,
        neuron=neuron,
        input_shape=(3, 32, 32),
        stem=(64, 3, 1),
        channels=(128, 256, 512),
        blocks=(3, 3, 2),
        strides=(1, 2, 2),
    )


def example(module: MSResNet) -> Tensor:
    """One image [1, C, H, W] of uniform noise in [0, 1), always the same."""
    generator = torch.Generator().manual_seed(0)
    return torch.rand((1, *module.input_shape), generator=generator)
