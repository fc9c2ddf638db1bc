"""LIF-SNN-5: the five-layer PLIF network for event frames (MA [38], ASA B; ASA-S Tables S5, S6).

    Input 2x128x128 - {128C3-BN-PLIF-P2} x 5 - 512FC-PLIF - 10 K FC-PLIF - voting

Convolutions have no bias, linear layers do. Pooling sits behind the neuron. MA writes average
pooling (AP2), which feeds quarters to convolutions 2 to 5 and to the first linear layer; ASA
writes max pooling (MP2), which keeps spikes binary. Ten output neurons vote for a class.

The supplements disagree on two more points; each reading is an option of the factory:

    hidden layer   512FC    head="linear"        the code's, and the default
                   512C3-BN head="convolution"   on the last plane of 4x4, in front of the output
    neuron         PLIF     neuron="plif"        the code's, and the default
                   LIF      neuron="ma_events"   V_th = .3, decay = .3

The printed 2,793,472 conv neurons are those of the five stages, so they speak for 512FC: with
512C3-BN there would be 8,192 more. Nothing that is printed tells LIF from PLIF, whose seven
weights of time appear in no count.

Input: event counts [B, T, 2, 128, 128], float32 holding non-negative integers. Output: mean over
T and voters of the output spikes [B, K], in [0, 1].
"""

from __future__ import annotations

from typing import Literal

from layers import NOWHERE, Attend, SpikingConv, initialize
from lif_snn import example
from neurons import over_time, preset
from torch import Tensor, nn

__all__ = ["LIFSNN5", "example", "lif_snn_5"]

Pool = Literal["average", "max"]
Head = Literal["linear", "convolution"]
VOTERS = 10


class LIFSNN5(nn.Module):
    """Event counts [B, T, P, H, W] to class firing rates [B, classes].

    layers is the number of convolutions, each followed by a pooling of 2; neuron a name of
    neurons.PRESETS or PARAMETRIC_PRESETS, attend the attention of the convolutions, head what the
    hidden layer is.
    """

    input_signal = "integer"

    def __init__(
        self,
        *,
        classes: int,
        neuron: str,
        input_shape: tuple[int, int, int, int],
        pool: Pool,
        channels: int,
        layers: int,
        hidden: int,
        head: Head = "linear",
        attend: Attend | None = None,
    ) -> None:
        super().__init__()
        if head not in ("linear", "convolution"):
            raise ValueError(f"head is {head!r}; use 'linear' (512FC) or 'convolution' (512C3-BN)")
        if pool not in ("average", "max"):
            raise ValueError(f"pool is {pool!r}; use 'average' (MA) or 'max' (ASA)")
        timesteps, width, rows, columns = input_shape
        self.timesteps = timesteps
        self.input_shape = input_shape
        self.pool = nn.AvgPool2d(2) if pool == "average" else nn.MaxPool2d(2)
        place = attend or (lambda in_channels, channels: NOWHERE)
        self.convs = nn.ModuleList()
        for _ in range(layers):
            placed = place(width, channels)
            self.convs.append(
                SpikingConv(width, channels, bias=False, neuron=neuron, placement=placed)
            )
            width = channels
        pixels = (rows >> layers) * (columns >> layers)
        if head == "linear":
            self.linear1 = nn.Linear(channels * pixels, hidden)
            self.spike1 = preset(neuron)
            initialized = [self.linear1]
        else:
            self.conv = SpikingConv(channels, hidden, bias=False, neuron=neuron)
            hidden, initialized = hidden * pixels, []
        self.head = head
        self.linear2 = nn.Linear(hidden, classes * VOTERS)
        self.spike2 = preset(neuron)
        self.classes = classes
        initialize(self, neuron, *initialized, self.linear2)

    def forward(self, frames: Tensor) -> Tensor:
        spikes = frames.transpose(0, 1)
        for conv in self.convs:
            spikes = over_time(self.pool, conv(spikes))
        if self.head == "linear":
            spikes = self.spike1(over_time(self.linear1, spikes.flatten(2)))
        else:
            spikes = self.conv(spikes).flatten(2)
        spikes = self.spike2(over_time(self.linear2, spikes))
        votes = spikes.view(*spikes.shape[:2], self.classes, VOTERS)
        rate: Tensor = votes.mean(dim=3).mean(dim=0)
        return rate


def lif_snn_5(
    timesteps: int,
    classes: int,
    pool: Pool,
    neuron: str = "plif",
    attend: Attend | None = None,
    head: Head = "linear",
) -> LIFSNN5:
    """The paper's network on 2x128x128 frames; MA Table 1, ASA supplement Tables S5 and S6.

    2,793,472 neurons in the convolutions; 1,698,933 parameters with 11 classes and PLIF.
    """
    return LIFSNN5(
        classes=classes,
        neuron=neuron,
        input_shape=(timesteps, 2, 128, 128),
        pool=pool,
        channels=128,
        layers=5,
        hidden=512,
        head=head,
        attend=attend,
    )
