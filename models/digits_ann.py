"""An ordinary network for digits, without spikes: what `--convert` makes a spiking one of.

Convolutions with norm and ReLU, average pools, one residual sum, a classifier; 11,458 parameters.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

CHANNELS = (8, 16)


def convolution(inputs: int, outputs: int) -> nn.Sequential:
    """3x3, same size, with norm."""
    layer = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
    return nn.Sequential(layer, nn.BatchNorm2d(outputs))


class DigitsANN(nn.Module):
    """Images [B, 1, 28, 28] in 0..1 to logits [B, 10]."""

    input_shape = (1, 28, 28)
    input_signal = "real"
    timesteps = 1

    def __init__(self) -> None:
        super().__init__()
        few, many = CHANNELS
        self.first = convolution(1, few)
        self.second = convolution(few, many)
        self.third = convolution(many, many)
        self.pool = nn.AvgPool2d(2)
        self.classifier = nn.Linear(many * 7 * 7, 10)

    def forward(self, images: Tensor) -> Tensor:
        x = self.pool(torch.relu(self.first(images)))
        x = self.pool(torch.relu(self.second(x)))
        x = torch.relu(self.third(x) + x)
        logits: Tensor = self.classifier(x.flatten(1))
        return logits


def digits_ann() -> nn.Module:
    """The network, untrained; its trained ONNX file is weights/digits_ann.onnx."""
    return DigitsANN()


def example(module: nn.Module) -> Tensor:
    """One valid input."""
    return torch.zeros(1, *DigitsANN.input_shape)
