"""Gated attention coding (GAC) in front of MS-ResNet, and small members of all codings for digits.

GAC replaces the stem of MS-ResNet by O = sigmoid(M * N) * LIF(a), a = BN(Conv(X)); the body is
unchanged (ms_resnet.py). gate "ta" or "sca" keeps one of the two attentions M and N (the paper's
ablation), "gau" both. Rate, phase and temporal coding: codings.py.

Images [B, C, H, W] in, logits [B, classes] out. Digits are fed as float32 pixel / 255.
"""

from __future__ import annotations

from encoders import Gate
from ms_resnet import Coding, MSResNet, example, ms_resnet18, ms_resnet18_cifar, ms_resnet34

__all__ = [
    "direct_digits",
    "example",
    "gac_digits",
    "gac_ms_resnet18",
    "gac_ms_resnet34",
    "gac_ms_resnet_cifar",
    "ms_digits",
    "phase_digits",
    "rate_digits",
    "temporal_digits",
]


def gac_ms_resnet_cifar(
    timesteps: int, classes: int, neuron: str = "gac", gate: Gate = "gau"
) -> MSResNet:
    """GAC MS-ResNet-18 for CIFAR, GAC Tables 3 and 4: 12,633,198 parameters at T=6, 10 classes."""
    return ms_resnet18_cifar(timesteps, classes, encoder="gac", neuron=neuron, gate=gate)


def gac_ms_resnet18(timesteps: int, classes: int = 1000, neuron: str = "gac") -> MSResNet:
    """GAC MS-ResNet-18 for ImageNet, GAC Tables 2, 4 and 6: 11,824,844 parameters at T=6."""
    return ms_resnet18(timesteps, classes, encoder="gac", neuron=neuron)


def gac_ms_resnet34(timesteps: int, classes: int = 1000, neuron: str = "gac") -> MSResNet:
    """GAC MS-ResNet-34 for ImageNet, GAC Tables 2, 4 and 6."""
    return ms_resnet34(timesteps, classes, encoder="gac", neuron=neuron)


def _digits(encoder: Coding, timesteps: int, neuron: str, gate: Gate = "gau") -> MSResNet:
    """MS-ResNet for 1x28x28 digits: three blocks, one identity and two strided shortcuts.

    Not from a paper: the smallest net that exercises what MS-ResNet does. Stem 5x5/2, 16
    channels at 14x14; stages of one block with 16, 32, 64 channels at 14, 7 and 4 pixels.
    """
    return MSResNet(
        encoder=encoder,
        timesteps=timesteps,
        classes=10,
        neuron=neuron,
        input_shape=(1, 28, 28),
        stem=(16, 5, 2),
        channels=(16, 32, 64),
        blocks=(1, 1, 1),
        strides=(1, 2, 2),
        gate=gate,
    )


def gac_digits(timesteps: int = 4, neuron: str = "gac", gate: Gate = "gau") -> MSResNet:
    """Small MS-ResNet for 28x28 digits behind gated attention coding (neuron: GAC Table 4)."""
    return _digits("gac", timesteps, neuron, gate)


def direct_digits(timesteps: int = 4, neuron: str = "gac") -> MSResNet:
    """The same net behind direct coding: conv, norm, LIF (neuron: GAC Table 4)."""
    return _digits("direct", timesteps, neuron)


def ms_digits(timesteps: int = 4, neuron: str = "gac") -> MSResNet:
    """The same net behind MS coding: conv and norm, no LIF (neuron: GAC Table 4)."""
    return _digits("ms", timesteps, neuron)


def rate_digits(timesteps: int, neuron: str = "gac") -> MSResNet:
    """The same net behind rate coding: the first convolution sees spikes."""
    return _digits("rate", timesteps, neuron)


def phase_digits(timesteps: int, neuron: str = "gac") -> MSResNet:
    """The same net behind phase coding: timesteps is a multiple of 8 phases."""
    return _digits("phase", timesteps, neuron)


def temporal_digits(timesteps: int, neuron: str = "gac") -> MSResNet:
    """The same net behind time-to-first-spike coding: one spike a pixel."""
    return _digits("temporal", timesteps, neuron)
