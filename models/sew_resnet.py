"""SEW-ResNet-18 and -34, its 7B-Net for DVS Gesture, and Res-SNN-18 for HAR-DVS.

    block:  out = LIF(BN(Conv3(LIF(BN(Conv3(x)))))) + shortcut(x)                    (ADD)

The shortcut is the identity, or LIF(BN(Conv1x1/stride(x))) where the shape changes. Adding spikes
gives integers, so the first convolution of a block behind an ADD accumulates counts.

SEW-ResNet: MA Table 2, GAC Table 2, torchvision's shape as in spiking_resnet.py. 7B-Net: row
"Fang 2021" of MA Table 1, known from the SEW paper. Res-SNN-18: ASA supplement Tables S4 and S6.
"""

from __future__ import annotations

from encoders import Gate, conv_norm
from layers import SpikingConv, initialize
from neurons import over_time, preset
from spiking_resnet import BLOCKS_18, BLOCKS_34, Encoder, ResNet, example
from torch import Tensor, nn

__all__ = ["example", "res_snn_18", "seven_b_net", "sew_resnet18", "sew_resnet34"]


class Block(nn.Module):
    """x [T, B, C_in, H, W] to LIF(BN(Conv3(LIF(BN(Conv3(x)))))) + shortcut(x)."""

    def __init__(self, in_channels: int, channels: int, stride: int, neuron: str) -> None:
        super().__init__()
        self.conv1 = conv_norm(in_channels, channels, 3, stride)
        self.spike1 = preset(neuron)
        self.conv2 = conv_norm(channels, channels, 3, 1)
        self.spike2 = preset(neuron)
        self.shortcut: nn.Module | None = None
        self.spike3: nn.Module | None = None
        if stride != 1 or in_channels != channels:
            self.shortcut = conv_norm(in_channels, channels, 1, stride)
            self.spike3 = preset(neuron)

    def forward(self, counts: Tensor) -> Tensor:
        branch = self.spike1(over_time(self.conv1, counts))
        branch = self.spike2(over_time(self.conv2, branch))
        if self.shortcut is None or self.spike3 is None:
            return branch + counts
        kept: Tensor = self.spike3(over_time(self.shortcut, counts))
        return branch + kept


def sew_resnet18(
    timesteps: int,
    neuron: str,
    classes: int = 1000,
    encoder: Encoder = "direct",
    gate: Gate = "gau",
) -> ResNet:
    """SEW-ResNet-18 (ADD), ImageNet; MA Table 2, GAC Table 2: 11,689,512 parameters."""
    return ResNet(
        block=Block,
        blocks=BLOCKS_18,
        encoder=encoder,
        timesteps=timesteps,
        classes=classes,
        neuron=neuron,
        input_shape=(3, 224, 224),
        gate=gate,
    )


def sew_resnet34(
    timesteps: int,
    neuron: str,
    classes: int = 1000,
    encoder: Encoder = "direct",
    gate: Gate = "gau",
) -> ResNet:
    """SEW-ResNet-34 (ADD), ImageNet; MA Table 2, GAC Table 2: 21,797,672 parameters."""
    return ResNet(
        block=Block,
        blocks=BLOCKS_34,
        encoder=encoder,
        timesteps=timesteps,
        classes=classes,
        neuron=neuron,
        input_shape=(3, 224, 224),
        gate=gate,
    )


def res_snn_18(
    timesteps: int = 8, classes: int = 300, neuron: str = "asa_daily_action_har"
) -> ResNet:
    """Res-SNN-18 for HAR-DVS, event frames of 260 rows and 346 columns; ASA-S Tables S4 and S6.

    Treated as SEW-ResNet-18, which its repository names. ASA-S Table S4 lists 64C7-MP3 and then
    16 convolutions with 3, 4, 4 and 5 of 64, 128, 256 and 512 channels, which is no ResNet-18
    (4, 4, 4, 4); it prints neither parameters nor neurons, so nothing can be checked.
    """
    return ResNet(
        block=Block,
        blocks=BLOCKS_18,
        encoder="events",
        timesteps=timesteps,
        classes=classes,
        neuron=neuron,
        input_shape=(timesteps, 2, 260, 346),
    )


class SevenBNet(nn.Module):
    """32C3-BN-LIF, then 7 x {SEW block of two 32C3-BN-LIF, MP2} on 128x128, then a linear layer.

    Event counts [B, T, 2, 128, 128] to logits: mean over T, no neuron behind the linear layer.
    """

    input_signal = "integer"
    channels = 32
    blocks = 7

    def __init__(self, timesteps: int, classes: int, neuron: str) -> None:
        super().__init__()
        self.timesteps = timesteps
        self.input_shape = (timesteps, 2, 128, 128)
        self.stem = SpikingConv(2, self.channels, bias=False, neuron=neuron)
        self.body = nn.ModuleList(
            Block(self.channels, self.channels, 1, neuron) for _ in range(self.blocks)
        )
        self.pool = nn.MaxPool2d(2)
        self.classifier = nn.Linear(self.channels, classes)
        initialize(self, neuron)

    def forward(self, frames: Tensor) -> Tensor:
        counts = self.stem(frames.transpose(0, 1))
        for block in self.body:
            counts = over_time(self.pool, block(counts))
        logits: Tensor = self.classifier(counts.flatten(2).mean(dim=0))
        return logits


def seven_b_net(timesteps: int, classes: int, neuron: str) -> SevenBNet:
    """SEW 7B-Net for DVS Gesture; row "Fang 2021" of MA Table 1.

    The SEW code has PLIF neurons (neuron "plif") and a 1x1 first convolution; the 3x3 here is
    the paper's 32C3.
    """
    return SevenBNet(timesteps, classes, neuron)
