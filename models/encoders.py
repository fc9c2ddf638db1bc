"""Input codings of static images with a learned stem (GAC sections 3 and 4): direct, MS, GAC.

Each encoder maps an image [B, C_in, H, W] to a sequence [T, B, C, H', W']. The convolution and
its norm run once on the single image, and the result is repeated T times. Codings without a stem
(rate, phase, temporal) are in codings.py.
"""

from __future__ import annotations

from typing import Literal

import torch
from neurons import Neuron, over_time
from torch import Tensor, nn

Gate = Literal["gau", "ta", "sca"]


def conv_norm(in_channels: int, channels: int, kernel: int, stride: int) -> nn.Sequential:
    """Convolution without bias, padding kernel // 2, and batch norm."""
    conv = nn.Conv2d(in_channels, channels, kernel, stride, padding=kernel // 2, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(channels))


def repeat(image: Tensor, timesteps: int) -> Tensor:
    """[B, C, H, W] to [T, B, C, H, W], the same at every step."""
    return image.unsqueeze(0).repeat(timesteps, 1, 1, 1, 1)


class Direct(nn.Module):
    """S = LIF(BN(Conv(X)) repeated T times): direct coding; what leaves is binary."""

    def __init__(self, stem: nn.Module, timesteps: int, spike: Neuron) -> None:
        super().__init__()
        self.stem = stem
        self.spike = spike
        self.timesteps = timesteps

    def forward(self, image: Tensor) -> Tensor:
        spikes: Tensor = self.spike(repeat(self.stem(image), self.timesteps))
        return spikes


class MS(nn.Module):
    """a = BN(Conv(X)) repeated T times: MS coding; what leaves is real and constant over T."""

    def __init__(self, stem: nn.Module, timesteps: int) -> None:
        super().__init__()
        self.stem = stem
        self.timesteps = timesteps

    def forward(self, image: Tensor) -> Tensor:
        return repeat(self.stem(image), self.timesteps)


class TemporalAttention(nn.Module):
    """M = W2 ReLU(W1 avg(a)) + W2 ReLU(W1 max(a)): one score a step, no sigmoid (GAC Eq. 2).

    avg and max run over (C, H, W) of each step; W1 is [T // r, T], W2 [T, T // r], no biases.
    a [T, B, C, H, W] to M [T, B, 1, 1, 1]. It mixes all T steps: it needs the full window.
    """

    def __init__(self, timesteps: int, reduction: int) -> None:
        super().__init__()
        hidden = timesteps // reduction
        if hidden < 1:
            raise ValueError(
                f"temporal attention over {timesteps} steps with reduction {reduction} has no "
                f"hidden unit; use timesteps >= {reduction}"
            )
        self.mlp = nn.Sequential(
            nn.Linear(timesteps, hidden, bias=False),
            nn.ReLU(),
            nn.Linear(hidden, timesteps, bias=False),
        )

    def forward(self, sequence: Tensor) -> Tensor:
        average = sequence.mean(dim=(2, 3, 4)).transpose(0, 1)
        largest = sequence.amax(dim=(2, 3, 4)).transpose(0, 1)
        score = self.mlp(average) + self.mlp(largest)
        spread: Tensor = score.transpose(0, 1)[:, :, None, None, None]
        return spread


class SpatialChannelAttention(nn.Module):
    """N[t] = Conv(ReLU(Conv(a[t]))), K x K, C to C, no biases, same size (GAC Eq. 3).

    The printed parameter counts need two convolutions; convolutions=1 is Eq. 3 to the letter.
    An even K pads (K - 1) // 2 before and K // 2 after. Sequence [T, B, C, H, W] in and out.
    """

    def __init__(self, channels: int, kernel: int, convolutions: int) -> None:
        super().__init__()
        if convolutions not in (1, 2):
            raise ValueError(f"SCA has 1 or 2 convolutions, not {convolutions}")
        layers: list[nn.Module] = []
        for index in range(convolutions):
            if index > 0:
                layers.append(nn.ReLU())
            if kernel % 2 == 0:  # padding="same" by hand: torch warns about even kernels
                layers.append(nn.ZeroPad2d((0, 1, 0, 1)))
            layers.append(
                nn.Conv2d(channels, channels, kernel, padding=(kernel - 1) // 2, bias=False)
            )
        self.layers = nn.Sequential(*layers)

    def forward(self, sequence: Tensor) -> Tensor:
        return over_time(self.layers, sequence)


class GAC(nn.Module):
    """O = gate * LIF(a), a = BN(Conv(X)) repeated T times (GAC Eq. 2-5 and its ablation).

    gate 'gau': sigmoid(M * N), both attentions, the published coding;
    gate 'ta':  sigmoid(M), temporal attention alone;
    gate 'sca': sigmoid(N), spatial channel attention alone.

    What leaves is real: the gates differ per step, channel and pixel. reduction is r of the
    temporal attention, kernel K of the spatial channel attention (paper: r = 2, K = 4).
    SCA runs on the repeated sequence, as published; it is constant over T.
    """

    def __init__(
        self,
        stem: nn.Module,
        channels: int,
        timesteps: int,
        spike: Neuron,
        *,
        reduction: int,
        kernel: int,
        sca_convolutions: int,
        gate: Gate,
    ) -> None:
        super().__init__()
        if gate not in ("gau", "ta", "sca"):
            raise ValueError(f"gate is {gate!r}; use 'gau', 'ta' or 'sca'")
        self.stem = stem
        if gate != "sca":
            self.temporal = TemporalAttention(timesteps, reduction)
        if gate != "ta":
            self.spatial = SpatialChannelAttention(channels, kernel, sca_convolutions)
        self.spike = spike
        self.gate = gate
        self.timesteps = timesteps

    def forward(self, image: Tensor) -> Tensor:
        sequence = repeat(self.stem(image), self.timesteps)
        gated: Tensor = torch.sigmoid(self._score(sequence)) * self.spike(sequence)
        return gated

    def _score(self, sequence: Tensor) -> Tensor:
        if self.gate == "ta":
            score: Tensor = self.temporal(sequence)
        elif self.gate == "sca":
            score = self.spatial(sequence)
        else:
            score = self.temporal(sequence) * self.spatial(sequence)
        return score


def paper_gac(
    stem: nn.Module,
    channels: int,
    timesteps: int,
    spike: Neuron,
    gate: Gate = "gau",
    sca_convolutions: int = 2,
) -> GAC:
    """GAC with the paper's r = 2 and K = 4 (GAC Table 4; two SCA convolutions, as counted)."""
    return GAC(
        stem,
        channels,
        timesteps,
        spike,
        reduction=2,
        kernel=4,
        sca_convolutions=sca_convolutions,
        gate=gate,
    )
