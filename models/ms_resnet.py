"""MS-ResNet: residual networks whose shortcuts carry the membrane (MA, GAC; papers' section 4).

Block:  out = BN(Conv3(LIF(BN(Conv3(LIF(x)))))) + shortcut(x)

The shortcut is the identity, or BN(Conv1x1(x)) where the shape changes; it sees real membrane
values. With attention (att_res_snn.py) the branch, or the sum, is refined.

Readout: LIF, mean over pixels, mean over T of the features, then one linear layer (equal to the
mean over T of the logits, since it is linear).

Input images [B, C, H, W], float32; output logits [B, classes].
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Literal

import torch
from codings import Coded, coding
from encoders import MS, Direct, Gate, conv_norm, paper_gac
from layers import initialize
from neurons import over_time, preset
from torch import Tensor, nn

Coding = Literal["direct", "ms", "gac", "rate", "phase", "temporal"]
Shortcut = Literal["strided", "pooled"]
Stem = tuple[int, int, int] | Literal["three"]
Refine = Callable[[int], nn.Module]
"""Channels of a block to its attention, [T, B, C, H, W] in and out."""


class Block(nn.Module):
    """x [T, B, C_in, H, W] to BN(Conv3(LIF(BN(Conv3(LIF(x)))))) + shortcut(x).

    A 'strided' shortcut is BN(Conv1x1/stride(x)); a 'pooled' one averages 2x2 pixels first.
    refine_branch gives refine(branch) + shortcut, refine_sum gives refine(branch + shortcut).
    """

    def __init__(
        self,
        in_channels: int,
        channels: int,
        stride: int,
        neuron: str,
        shortcut: Shortcut = "strided",
        refine_branch: Refine | None = None,
        refine_sum: Refine | None = None,
    ) -> None:
        super().__init__()
        self.spike1 = preset(neuron)
        self.conv1 = conv_norm(in_channels, channels, 3, stride)
        self.spike2 = preset(neuron)
        self.conv2 = conv_norm(channels, channels, 3, 1)
        self.shortcut: nn.Module | None = None
        if stride != 1 or in_channels != channels:
            self.shortcut = _shortcut(in_channels, channels, stride, shortcut)
        self.refine_branch = refine_branch(channels) if refine_branch else nn.Identity()
        self.refine_sum = refine_sum(channels) if refine_sum else nn.Identity()

    def forward(self, membrane: Tensor) -> Tensor:
        branch = over_time(self.conv1, self.spike1(membrane))
        branch = over_time(self.conv2, self.spike2(branch))
        kept = membrane if self.shortcut is None else over_time(self.shortcut, membrane)
        result: Tensor = self.refine_sum(self.refine_branch(branch) + kept)
        return result


def _shortcut(in_channels: int, channels: int, stride: int, kind: Shortcut) -> nn.Module:
    if kind == "strided":
        return conv_norm(in_channels, channels, 1, stride)
    if stride != 2:
        raise ValueError(f"a pooled shortcut halves the plane; the stride is {stride}")
    return nn.Sequential(nn.AvgPool2d(2), *conv_norm(in_channels, channels, 1, 1))


def _stem(in_channels: int, stem: Stem) -> nn.Sequential:
    """Convolution and norm, or three biased 3x3 convolutions of 64 channels and one norm."""
    if stem != "three":
        return conv_norm(in_channels, *stem)
    return nn.Sequential(
        nn.Conv2d(in_channels, 64, 3, stride=2, padding=1),
        nn.Conv2d(64, 64, 3, padding=1),
        nn.Conv2d(64, 64, 3, padding=1),
        nn.BatchNorm2d(64),
    )


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
        stem: Stem,  # (channels, kernel, stride), or the three convolutions of MS-ResNet-104
        channels: tuple[int, ...],
        blocks: tuple[int, ...],
        strides: tuple[int, ...],
        sca_convolutions: int = 2,
        gate: Gate = "gau",
        shortcut: Shortcut = "strided",
        refine_branch: Refine | None = None,
        refine_sum: Refine | None = None,
    ) -> None:
        super().__init__()
        self.timesteps = timesteps
        self.input_shape = input_shape
        width = 64 if stem == "three" else stem[0]
        first = _stem(input_shape[0], stem)
        self.encoder: nn.Module
        if encoder == "direct":
            self.encoder = Direct(first, timesteps, preset(neuron))
        elif encoder == "ms":
            self.encoder = MS(first, timesteps)
        elif encoder == "gac":
            spike = preset(neuron)
            self.encoder = paper_gac(first, width, timesteps, spike, gate, sca_convolutions)
        elif encoder in ("rate", "phase", "temporal"):
            self.encoder = Coded(coding(encoder, timesteps, input_shape), first)
        else:
            known = "'direct', 'ms', 'gac', 'rate', 'phase' or 'temporal'"
            raise ValueError(f"encoder is {encoder!r}; use {known}")
        stages: OrderedDict[str, nn.Module] = OrderedDict()
        plan = zip(channels, blocks, strides, strict=True)
        for number, (outputs, count, step) in enumerate(plan, start=1):
            rest = (neuron, shortcut, refine_branch, refine_sum)
            row = [Block(width, outputs, step, *rest)]
            row += [Block(outputs, outputs, 1, *rest) for _ in range(count - 1)]
            stages[f"stage{number}"] = nn.Sequential(*row)
            width = outputs
        self.body = nn.Sequential(stages)
        self.spike = preset(neuron)
        self.classifier = nn.Linear(width, classes)
        initialize(self, neuron)

    def forward(self, image: Tensor) -> Tensor:
        spikes = self.spike(self.body(self.encoder(image)))
        features = spikes.mean(dim=(3, 4)).mean(dim=0)
        logits: Tensor = self.classifier(features)
        return logits


def imagenet(
    blocks: tuple[int, int, int, int],
    timesteps: int,
    classes: int,
    encoder: Coding,
    neuron: str,
    *,
    stem: Stem = (64, 7, 2),
    shortcut: Shortcut = "strided",
    gate: Gate = "gau",
    refine_branch: Refine | None = None,
    refine_sum: Refine | None = None,
) -> MSResNet:
    """ImageNet layout: stem 7x7/2 without max-pool, stride 2 in all four stages, 224 x 224."""
    return MSResNet(
        encoder=encoder,
        timesteps=timesteps,
        classes=classes,
        neuron=neuron,
        input_shape=(3, 224, 224),
        stem=stem,
        channels=(64, 128, 256, 512),
        blocks=blocks,
        strides=(2, 2, 2, 2),
        shortcut=shortcut,
        gate=gate,
        refine_branch=refine_branch,
        refine_sum=refine_sum,
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


def ms_resnet104(
    timesteps: int, classes: int = 1000, encoder: Coding = "ms", neuron: str = "ma_imagenet"
) -> MSResNet:
    """MS-ResNet-104, ImageNet: MA Tables 2 and S5, as the published checkpoint has it.

    Stem of three biased 3x3 convolutions without neurons between them, the first with stride 2;
    shortcuts of 2x2 average pooling and a 1x1 convolution. (MA Table S5 writes one 7x7 stem.)
    """
    return imagenet(
        (3, 8, 32, 8), timesteps, classes, encoder, neuron, stem="three", shortcut="pooled"
    )


def ms_resnet18_cifar(
    timesteps: int,
    classes: int,
    encoder: Coding = "ms",
    neuron: str = "gac",
    gate: Gate = "gau",
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
        gate=gate,
    )


def example(module: nn.Module) -> Tensor:
    """One image [1, C, H, W] of uniform noise in [0, 1), always the same."""
    generator = torch.Generator().manual_seed(0)
    return torch.rand((1, *module.input_shape), generator=generator)
