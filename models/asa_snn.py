"""ASA-SNN: advance spatial attention on LIF-SNN-3 and LIF-SNN-5 (ASA Eq. 5-8, Table 3; ASA-S S1).

The current X of every convolution becomes X' before it is integrated (Conv-POST, ASA Eq. 7):

    M' = (F_avg + F_max) / 2 + alpha * F_avg + gamma * F_max      pooled over H, W: [T, C]
    M  = sigmoid(W2 ReLU(W1 M')) along T                           ASA-1;  M = M' in ASA-2
    A  = top half over C of each step's M;  B = top half over T of each channel's M
    M1 = A xor B;  M2 = 1 - M1
    X' = SA1(M1 * X) + SA2(M2 * X)     SA: sigmoid(Conv3([max, avg over T and C])) * input

It needs the full window. Values equal to the last one chosen are chosen too, so that the masks
do not depend on an order. The paper does not say; equal values are common along T, for frames
without events in ASA-2, and for channels whose hidden units are all off in ASA-1.

The published code reads the planes as [avg, max], divides both averages by lambda = 0.5, and
chooses for its whole batch at once: what is among the top half of any sample is chosen in all
of them. That last part is no setting here, since a network's answer to a sample would depend on
the others (docs/attention.md says how far it reaches); the code with one sample is
asa_code_script.

The masks have no derivative. As published, W1, W2, alpha and gamma therefore receive no gradient
and stay as drawn; straight_through passes the mask's gradient on to M in training.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from encoders import TemporalAttention
from layers import Attend, Placement
from lif_snn import LIFSNN3, example, lif_snn_3, lif_snn_3_small
from lif_snn_5 import LIFSNN5, Pool, lif_snn_5
from torch import Tensor, nn

__all__ = ["ASA", "asa_snn_3", "asa_snn_3_small", "asa_snn_5", "example"]

Variant = Literal[1, 2]
Planes = Literal["max_average", "average_max"]


class Setting(NamedTuple):
    """What the paper and its code disagree about; nothing has a default."""

    reduction: int  # r of the two linear layers along T; ASA-2 has none
    planes: Planes  # what the two inputs of each SA convolution are
    average_divisor: float  # lambda of the code, which divides the averages of both groups
    straight_through: bool


_TEXT = Setting(2, planes="max_average", average_divisor=1.0, straight_through=False)

SETTINGS: dict[str, Setting] = {
    # ASA text: r = 2, two layers, [max, avg] (Eq. 10).
    "asa_text": _TEXT,
    # ASA code, the script for DVS Gesture and Gait-day.
    "asa_code_script": Setting(
        4, planes="average_max", average_divisor=0.5, straight_through=False
    ),
    # The text's, but for the order of the planes: what the shipped weights were trained with.
    "asa_average_first": _TEXT._replace(planes="average_max"),
    # The text's layers, with trained importance scores; not from the paper.
    "asa_straight_through": _TEXT._replace(straight_through=True),
}


class ASA(nn.Module):
    """X [T, B, C, H, W] to X'. Parameters: 36 + 2, and 2 * T * (T // r) in ASA-1."""

    def __init__(self, timesteps: int, variant: Variant, setting: Setting) -> None:
        super().__init__()
        if variant not in (1, 2):
            raise ValueError(f"ASA has variants 1 and 2, not {variant}")
        self.setting = setting
        self.alpha = nn.Parameter(torch.tensor(0.5))
        self.gamma = nn.Parameter(torch.tensor(0.5))
        self.mlp: nn.Module = nn.Identity()
        if variant == 1:
            self.mlp = TemporalAttention(timesteps, setting.reduction).mlp
        self.important = nn.Conv2d(2, 1, 3, padding=1, bias=False)
        self.unimportant = nn.Conv2d(2, 1, 3, padding=1, bias=False)

    def forward(self, sequence: Tensor) -> Tensor:
        chosen = self.mask(self.importance(sequence))[..., None, None]
        first = self._spatial(self.important, chosen * sequence)
        return first + self._spatial(self.unimportant, (1.0 - chosen) * sequence)

    def _spatial(self, conv: nn.Module, group: Tensor) -> Tensor:
        """One map for all steps and channels of the group, [B, 1, H, W], and the group under it."""
        average = group.mean(dim=(0, 2))[:, None]
        if self.setting.average_divisor != 1.0:
            average = average / self.setting.average_divisor
        planes = [group.amax(dim=(0, 2))[:, None], average]
        if self.setting.planes == "average_max":
            planes.reverse()
        refined: Tensor = torch.sigmoid(conv(torch.cat(planes, dim=1))) * group
        return refined

    def importance(self, sequence: Tensor) -> Tensor:
        """M [T, B, C]; ASA-1's sigmoid is left out, since a ranking does not see it."""
        average = sequence.mean(dim=(3, 4))
        largest = sequence.amax(dim=(3, 4))
        both = 0.5 * (average + largest) + average * self.alpha + largest * self.gamma
        score: Tensor = self.mlp(both.permute(1, 2, 0))  # T last: the layers run along it
        return score.permute(2, 0, 1)

    def mask(self, scores: Tensor) -> Tensor:
        """M1 [T, B, C]: 1 where exactly one of the two rankings chooses."""
        channels = _top_half(scores, dim=2)
        steps = _top_half(scores, dim=0)
        if self.training and self.setting.straight_through:
            channels = channels + (scores - scores.detach())
            steps = steps + (scores - scores.detach())
        return channels + steps - 2.0 * channels * steps


def _top_half(scores: Tensor, dim: int) -> Tensor:
    """1 for the largest floor(n / 2) values along dim, and for all that equal the last of them."""
    count = scores.shape[dim] // 2
    limit = torch.topk(scores, count, dim=dim).values.amin(dim=dim, keepdim=True)
    return (scores >= limit).to(scores.dtype)


def _attend(timesteps: int, variant: Variant, setting: str) -> Attend:
    if setting not in SETTINGS:
        raise ValueError(f"no ASA setting {setting!r}; known: {', '.join(SETTINGS)}")
    chosen = SETTINGS[setting]

    return lambda in_channels, channels: Placement(
        after=nn.Sequential(ASA(timesteps, variant, chosen))
    )


def asa_snn_3(
    timesteps: int,
    classes: int,
    variant: Variant,
    setting: str,
    neuron: str = "asa_gesture_gait",
) -> LIFSNN3:
    """ASA on LIF-SNN-3; ASA Table 3, supplement Table S1: 10,914 parameters more with ASA-1.

    variant 1 or 2, setting a name of SETTINGS.
    """
    return lif_snn_3(timesteps, classes, neuron, _attend(timesteps, variant, setting))


def asa_snn_3_small(
    timesteps: int,
    variant: Variant,
    setting: str,
    classes: int = 10,
    size: int = 28,
    neuron: str = "asa_gesture_gait",
) -> LIFSNN3:
    """The same on small frames (lif_snn.py); not from a paper."""
    attend = _attend(timesteps, variant, setting)
    return lif_snn_3_small(timesteps, classes, size, neuron, attend)


def asa_snn_5(
    timesteps: int,
    classes: int,
    pool: Pool,
    variant: Variant,
    setting: str,
    neuron: str = "plif",
) -> LIFSNN5:
    """ASA on LIF-SNN-5; ASA Table 1 and supplement Tables S5 and S6."""
    return lif_snn_5(timesteps, classes, pool, neuron, _attend(timesteps, variant, setting))
