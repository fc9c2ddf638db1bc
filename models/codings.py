"""Input codings without weights: rate, phase, temporal, and event frames (papers' section 6).

Rate, phase and temporal coding map an image [B, C, H, W] with values in [0, 1] to a sequence
[T, B, C, H, W] of spikes. The first convolution then sees spikes and belongs to the body, unlike
direct, MS and gated attention coding (encoders.py), where it sees the image.
"""

from __future__ import annotations

from typing import Literal

import torch
from neurons import over_time
from torch import Tensor, nn

Coding = Literal["rate", "phase", "temporal"]


class Rate(nn.Module):
    """S[t] = 1 with probability x, independent over steps and pixels: E[spikes] = x * T.

    The draws are fixed at construction, from seed: S[t] = Hea(x - u[t]) and u uniform in (0, 1].
    So a sample has the same spikes in every call and every batch, as with a chip's seeded noise.
    """

    uniform: Tensor

    def __init__(self, timesteps: int, input_shape: tuple[int, int, int], seed: int) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        with torch.device("cpu"):
            drawn = 1.0 - torch.rand((timesteps, 1, *input_shape), generator=generator)
        self.register_buffer("uniform", drawn, persistent=False)

    def forward(self, image: Tensor) -> Tensor:
        return (image.unsqueeze(0) >= self.uniform.to(image.device)).to(image.dtype)


class Phase(nn.Module):
    """Weighted spikes: bit i of x, most significant first, at phase i with weight 2^-i, i = 1..K.

    x is floor(x * 2^K), at most 2^K - 1; the K phases repeat every K steps. What leaves is the
    spike times its weight, a power of two: a shift in hardware. K = 8: 192/256 is 11000000.
    """

    def __init__(self, timesteps: int, phases: int) -> None:
        super().__init__()
        if timesteps % phases:
            raise ValueError(f"{timesteps} steps are not a multiple of the {phases} phases")
        self.timesteps = timesteps
        self.phases = phases

    def spikes(self, image: Tensor) -> Tensor:
        """The bits alone, 0 or 1."""
        return torch.stack(self._bits(image) * (self.timesteps // self.phases))

    def forward(self, image: Tensor) -> Tensor:
        bits = enumerate(self._bits(image), start=1)
        weighted = [bit * 2.0**-phase for phase, bit in bits]
        return torch.stack(weighted * (self.timesteps // self.phases))

    def _bits(self, image: Tensor) -> list[Tensor]:
        left = torch.floor(image * 2**self.phases).clamp(0, 2**self.phases - 1)
        bits = []
        for phase in range(1, self.phases + 1):
            value = 2 ** (self.phases - phase)
            bit = (left >= value).to(image.dtype)
            left = left - value * bit
            bits.append(bit)
        return bits


class Temporal(nn.Module):
    """Time to first spike: one spike at step round((T - 1) * (1 - x)), counted from 0.

    Every pixel spikes once, a dark one at the last step; halves round to the even step.
    """

    def __init__(self, timesteps: int) -> None:
        super().__init__()
        self.timesteps = timesteps

    def forward(self, image: Tensor) -> Tensor:
        when = torch.round((self.timesteps - 1) * (1.0 - image))
        return torch.stack([(when == step).to(image.dtype) for step in range(self.timesteps)])


class Coded(nn.Module):
    """BN(Conv(coding(X))) at every step: a coding without weights, then the stem on its spikes."""

    def __init__(self, coding: nn.Module, stem: nn.Module) -> None:
        super().__init__()
        self.coding = coding
        self.stem = stem

    def forward(self, image: Tensor) -> Tensor:
        return over_time(self.stem, self.coding(image))


PHASES = 8  # bits of an 8-bit pixel
RATE_SEED = 0


def coding(name: Coding, timesteps: int, input_shape: tuple[int, int, int]) -> nn.Module:
    """The named coding: rate (draws of RATE_SEED), phase (PHASES bits) or temporal."""
    if name == "rate":
        return Rate(timesteps, input_shape, RATE_SEED)
    if name == "phase":
        return Phase(timesteps, PHASES)
    if name == "temporal":
        return Temporal(timesteps)
    raise ValueError(f"coding is {name!r}; use 'rate', 'phase' or 'temporal'")


def event_frames(
    columns: Tensor,
    rows: Tensor,
    polarities: Tensor,
    times: Tensor,
    *,
    timesteps: int,
    frame_time: int,
    height: int,
    width: int,
) -> Tensor:
    """Events to counts [T, 2, H, W]: the sum of events per frame and polarity (MA Eq. 2).

    One integer tensor an event field, [N]; times and frame_time in the same unit, counted from
    the first frame's start. Events after the last frame are left out.
    """
    frame = torch.div(times, frame_time, rounding_mode="floor")
    seen = (frame >= 0) & (frame < timesteps)
    cell = ((frame * 2 + polarities) * height + rows) * width + columns
    counts = torch.bincount(cell[seen].long(), minlength=timesteps * 2 * height * width)
    return counts.view(timesteps, 2, height, width).float()
