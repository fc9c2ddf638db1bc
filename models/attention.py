"""Attention of MA-SNN: temporal (TA), channel (CA), spatial (SA), and all their combinations.

Every module scales a sequence [T, B, C, H, W] by a gate in (0, 1) and keeps its shape:

    TA      gate[t]     = sigmoid(MLP(avg over C, H, W) + MLP(max))   MLP T -> T // r -> T
    CA      gate[t, c]  = sigmoid(MLP(avg over H, W) + MLP(max))      MLP C -> C // r -> C  (CBAM)
    ECA     as CA, with one convolution along the channels instead of the MLP
    SimAM   gate[t, c, h, w] = sigmoid((x - mean)^2 / (4 (variance + lambda)) + 1/2)
    SA      gate[t, h, w] = sigmoid(Conv([avg over C, max over C]))   K x K, 2 -> 1

Combinations apply in the order T, C, S. TA mixes all steps and needs the full window; so do CA
and SA with pool_time, which pool over T as well and give every step the same gate (published
code). All others work step by step. Sources: MA Eq. 6-14 and section 6.1, MA Table 5.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, get_args

import torch
from encoders import TemporalAttention
from layers import Attend, Placement
from neurons import over_time
from torch import Tensor, nn

Location = Literal["recommended", "conv_pre", "conv_post", "activate_pre", "before_norm"]
Channel = Literal["cbam", "eca", "eca_square", "simam"]
DIMENSIONS = ("T", "C", "S", "TC", "TS", "CS", "TCS")


class TA(nn.Module):
    """Temporal attention: parameters 2 * T * (T // r)."""

    def __init__(self, timesteps: int, reduction: int) -> None:
        super().__init__()
        self.score = TemporalAttention(timesteps, reduction)

    def forward(self, sequence: Tensor) -> Tensor:
        return torch.sigmoid(self.score(sequence)) * sequence


class CA(nn.Module):
    """Channel attention after CBAM: parameters 2 * C * (C // r)."""

    def __init__(self, channels: int, reduction: int, pool_time: bool) -> None:
        super().__init__()
        hidden = channels // reduction
        if hidden < 1:
            raise ValueError(
                f"channel attention over {channels} channels with reduction {reduction} has no "
                f"hidden unit; use a reduction of at most {channels}, or leave this layer out"
            )
        self.mlp = nn.Sequential(
            nn.Linear(channels, hidden, bias=False),
            nn.ReLU(),
            nn.Linear(hidden, channels, bias=False),
        )
        self.pooled = (0, 3, 4) if pool_time else (3, 4)

    def forward(self, sequence: Tensor) -> Tensor:
        average = sequence.mean(dim=self.pooled, keepdim=True).flatten(2)
        largest = sequence.amax(dim=self.pooled, keepdim=True).flatten(2)
        score = self.mlp(average) + self.mlp(largest)
        return torch.sigmoid(score)[..., None, None] * sequence


class ECA(nn.Module):
    """Channel attention with a convolution of K taps along the channels, zero padding, no bias.

    A line has K weights. MA Table 5 counts K * K, which is a square kernel on the column of
    channels: of its K columns all but one meet padding only. An even K pads the odd one behind.
    """

    def __init__(self, kernel: int, square: bool, pool_time: bool) -> None:
        super().__init__()
        first, last = (kernel - 1) // 2, kernel // 2
        width = kernel if square else 1
        sides = (first, last) if square else (0, 0)
        self.conv = nn.Sequential(
            nn.ZeroPad2d((*sides, first, last)),
            nn.Conv2d(1, 1, (kernel, width), bias=False),
        )
        self.pooled = (0, 3, 4) if pool_time else (3, 4)

    def forward(self, sequence: Tensor) -> Tensor:
        average = sequence.mean(dim=self.pooled, keepdim=True)
        largest = sequence.amax(dim=self.pooled, keepdim=True)
        return torch.sigmoid(self._along(average) + self._along(largest)) * sequence

    def _along(self, pooled: Tensor) -> Tensor:
        """[T, B, C, 1, 1] with the channels as rows of a picture one pixel wide, and back."""
        column = pooled.flatten(0, 1).transpose(1, 2)
        score: Tensor = self.conv(column).transpose(1, 2)
        return score.view(pooled.shape)


class SimAM(nn.Module):
    """Weights from the statistics of each channel's plane, without parameters.

    The variance divides by H * W - 1; stabilizer is lambda.
    """

    def __init__(self, stabilizer: float) -> None:
        super().__init__()
        self.stabilizer = stabilizer

    def forward(self, sequence: Tensor) -> Tensor:
        pixels = sequence.shape[3] * sequence.shape[4]
        distance = sequence - sequence.mean(dim=(3, 4), keepdim=True)
        square = distance * distance
        variance = square.sum(dim=(3, 4), keepdim=True) / (pixels - 1)
        energy = square / (4.0 * (variance + self.stabilizer)) + 0.5
        return torch.sigmoid(energy) * sequence


class SA(nn.Module):
    """Spatial attention: parameters 2 * K * K."""

    def __init__(self, kernel: int, pool_time: bool) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 1, kernel, padding=kernel // 2, bias=False)
        self.pooled = (0, 2) if pool_time else (2,)

    def forward(self, sequence: Tensor) -> Tensor:
        average = sequence.mean(dim=self.pooled, keepdim=True)
        largest = sequence.amax(dim=self.pooled, keepdim=True)
        planes = torch.cat([average, largest], dim=2)
        return torch.sigmoid(over_time(self.conv, planes)) * sequence


@dataclass(frozen=True)
class Setting:
    """Everything the papers leave open or contradict, named; nothing has a default."""

    time_reduction: int
    channel_reduction: int
    channel: Channel
    channel_kernel: int  # of ECA
    spatial_kernel: int
    location: Location
    pool_time: bool
    post_relu: bool  # negative refined currents vanish (published MA code)


_TEXT = Setting(
    time_reduction=16,
    channel_reduction=16,
    channel="cbam",
    channel_kernel=4,
    spatial_kernel=7,
    location="recommended",
    pool_time=False,
    post_relu=False,
)
_CODE = replace(_TEXT, spatial_kernel=3, location="conv_post", pool_time=True, post_relu=True)

SETTINGS: dict[str, Setting] = {
    # MA text and supplement: r = 16, 7x7, per step; TA at Conv-POST, CA and SA at Activate-PRE.
    "ma_text": _TEXT,
    # The reductions that MA's printed TCSA parameter count (24,126) needs.
    "ma_printed": replace(_TEXT, time_reduction=4, channel_reduction=4),
    # MA Table 5: other channel attentions. Its ECA counts K * K weights; eca has K.
    "ma_eca": replace(_TEXT, channel="eca"),
    "ma_eca_printed": replace(_TEXT, channel="eca_square"),
    "ma_simam": replace(_TEXT, channel="simam"),
    # MA code: everything at Conv-POST, pooled over T, 3x3, ReLU behind it.
    "ma_code_gesture": replace(_CODE, time_reduction=5, channel_reduction=8),
    "ma_code_gait": replace(_CODE, time_reduction=2, channel_reduction=8),
    # GAC's Att-MS-ResNet parameter count (P8): r = 5 and 3x3.
    "gac_printed": replace(_TEXT, channel_reduction=5, spatial_kernel=3),
    # Att-Res code: r = 8, 3x3, pooled over its T, ReLU behind it.
    "att_res_code": replace(_CODE, channel_reduction=8),
    # For few steps and channels (digits); not from a paper.
    "small": replace(_TEXT, time_reduction=2, channel_reduction=4, spatial_kernel=3),
}
SIMAM_LAMBDA = 1e-4  # of the SimAM paper


def setting(name: str, location: Location | None = None) -> Setting:
    """The named setting, at another location if one is given."""
    if name not in SETTINGS:
        raise ValueError(f"no attention setting {name!r}; known: {', '.join(SETTINGS)}")
    if location is not None and location not in get_args(Location):
        raise ValueError(f"no location {location!r}; known: {', '.join(get_args(Location))}")
    chosen = SETTINGS[name]
    return chosen if location is None else replace(chosen, location=location)


def modules(dimensions: str, chosen: Setting, timesteps: int, channels: int) -> list[nn.Module]:
    """The attentions of "T", "C", "S", "TC", "TS", "CS" or "TCS" over a layer of channels."""
    if dimensions not in DIMENSIONS:
        raise ValueError(f"attention is {dimensions!r}; use one of {', '.join(DIMENSIONS)}")
    found: list[nn.Module] = []
    for dimension in dimensions:
        if dimension == "T":
            found.append(TA(timesteps, chosen.time_reduction))
        elif dimension == "C":
            found.append(_channel(chosen, channels))
        else:
            found.append(SA(chosen.spatial_kernel, chosen.pool_time))
    return found


def _channel(chosen: Setting, channels: int) -> nn.Module:
    if chosen.channel == "cbam":
        return CA(channels, chosen.channel_reduction, chosen.pool_time)
    if chosen.channel == "simam":
        if chosen.pool_time:
            raise ValueError("SimAM works within one step; pool_time does not apply to it")
        return SimAM(SIMAM_LAMBDA)
    return ECA(chosen.channel_kernel, chosen.channel == "eca_square", chosen.pool_time)


def attend(dimensions: str, chosen: Setting, timesteps: int) -> Attend:
    """Attention for every layer of a network, as its constructor takes it."""

    def place(in_channels: int, channels: int) -> Placement:
        if chosen.location == "recommended":
            return _recommended(dimensions, chosen, timesteps, channels)
        width = in_channels if chosen.location == "conv_pre" else channels
        found = modules(dimensions, chosen, timesteps, width)
        if chosen.location == "activate_pre":
            _refuse_window(dimensions, chosen)
            return Placement(inside=nn.Sequential(*found))
        if chosen.post_relu:
            found.append(nn.ReLU())
        refined = nn.Sequential(*found)
        if chosen.location == "conv_pre":
            return Placement(before=refined)
        if chosen.location == "before_norm":
            return Placement(between=refined)
        return Placement(after=refined)

    return place


def _recommended(dimensions: str, chosen: Setting, timesteps: int, channels: int) -> Placement:
    """MA section 6.1: TA on the current (Conv-POST), CA and SA on the membrane (Activate-PRE)."""
    found = modules(dimensions, chosen, timesteps, channels)
    current = found[:1] if dimensions.startswith("T") else []
    membrane = found[len(current) :]
    if membrane:
        _refuse_window(dimensions.removeprefix("T"), chosen)
    return Placement(
        after=nn.Sequential(*current) if current else None,
        inside=nn.Sequential(*membrane) if membrane else None,
    )


def _refuse_window(dimensions: str, chosen: Setting) -> None:
    """Inside the membrane loop only the present step is known."""
    if "T" in dimensions or chosen.pool_time:
        raise ValueError("attention that pools over time cannot be at Activate-PRE; use Conv-POST")
    if chosen.post_relu:
        raise ValueError("post_relu refines currents; it does not apply at Activate-PRE")
