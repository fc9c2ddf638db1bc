"""A leak-free network of integers for 28x28 digits: 784-128-10, weights of 8 bits.

    U[t] = U[t-1] + W . S_in[t] ;  S[t] = [U >= threshold] ;  U = 0 where S

Weights (-127..127) and the threshold are whole numbers, nothing leaks and a spike clears the
membrane, so a chip of integers computes the network itself: nothing is rounded. Not from a paper.
Images [B, 1, 28, 28] in, spikes a class in T steps [B, 10] out.
"""

from __future__ import annotations

import torch
from neurons import LIF, over_time
from torch import Tensor, nn

WEIGHT_MAX = 127
THRESHOLD = 64.0


class Levels(nn.Module):
    """S[t] = [x >= (2 t + 1) / (2 T)], t = 0..T-1: a pixel spikes round(x T) times.

    With x = pixel / 255 and T a power of two no pixel lies on a level: 2 T pixel is even,
    255 (2 t + 1) is odd.
    """

    levels: Tensor

    def __init__(self, timesteps: int) -> None:
        super().__init__()
        steps = (2 * torch.arange(timesteps) + 1) / (2 * timesteps)
        self.register_buffer("levels", steps.view(-1, 1, 1, 1, 1), persistent=False)

    def forward(self, image: Tensor) -> Tensor:
        return (image.unsqueeze(0) >= self.levels).to(image.dtype)


class LeakFree(nn.Module):
    """Images to spikes a class. threshold is worth whatever unit the weights have."""

    input_signal = "real"
    input_shape = (1, 28, 28)

    def __init__(self, timesteps: int, hidden: int, classes: int, threshold: float) -> None:
        super().__init__()
        self.timesteps = timesteps
        self.coding = Levels(timesteps)
        self.linear1 = nn.Linear(28 * 28, hidden, bias=False)
        self.spike1 = LIF(threshold, decay=1.0, fires_at="ge", surrogate="atan")
        self.linear2 = nn.Linear(hidden, classes, bias=False)
        self.spike2 = LIF(threshold, decay=1.0, fires_at="ge", surrogate="atan")

    def forward(self, image: Tensor) -> Tensor:
        spikes = self.coding(image).flatten(2)
        spikes = self.spike1(over_time(self.linear1, spikes))
        spikes = self.spike2(over_time(self.linear2, spikes))
        count: Tensor = spikes.sum(dim=0)
        return count


def leak_free_digits(timesteps: int = 8, threshold: float = THRESHOLD) -> LeakFree:
    """784-128-10 for digits: 101,632 weights."""
    return LeakFree(timesteps, hidden=128, classes=10, threshold=threshold)


def example(module: nn.Module) -> Tensor:
    """An image [1, 1, 28, 28] with values in [0, 1], always the same."""
    generator = torch.Generator().manual_seed(0)
    return torch.rand((1, *module.input_shape), generator=generator)
