"""What several families are built of: an attended spiking convolution, and initial weights."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from neurons import Neuron, over_time, preset, threshold_of
from torch import Tensor, nn


class Placement(NamedTuple):
    """Where attention sits in one layer; each entry maps [T, B, C, H, W] to the same shape.

    before:  on what the convolution receives (Conv-PRE)
    between: on what the convolution gives, before the norm (published Att-VGG)
    after:   on the current X, before it is integrated (Conv-POST)
    inside:  on the membrane U = H + X, at every step before firing (Activate-PRE)
    """

    before: nn.Module | None = None
    between: nn.Module | None = None
    after: nn.Module | None = None
    inside: nn.Module | None = None


NOWHERE = Placement()

Attend = Callable[[int, int], Placement]
"""(channels in, channels out) of a layer to its attention."""


class AttentionLIF(nn.Module):
    """U = attention(H + X), then the neuron's own fire(U); currents [T, B, C, H, W] to spikes.

    The attention refines the membrane of every step (Activate-PRE, MA Eq. 14), so H of the next
    step is made of the refined U. It works on one step at a time: nothing that pools over T.

    This is not a LIF, and it says so: it has no neuron_parameters(), because a compiler would
    then replace it by a LIF and lose the attention. step_parameters() describes it instead.
    """

    def __init__(self, attention: nn.Module, neuron: Neuron) -> None:
        super().__init__()
        self.attention = attention
        self.neuron = neuron

    def forward(self, current: Tensor) -> Tensor:
        carried = torch.zeros_like(current[0])
        spikes = []
        for step in range(current.shape[0]):
            membrane = self.attend(carried + current[step])
            spike, carried = self.neuron.fire(membrane)
            spikes.append(spike)
        return torch.stack(spikes)

    def attend(self, membrane: Tensor) -> Tensor:
        """The refined membrane of one step, [B, C, H, W] in and out; no state."""
        refined: Tensor = self.attention(membrane.unsqueeze(0))
        return refined.squeeze(0)

    def step_parameters(self) -> dict[str, object]:
        """The neuron's parameters, and the attention's submodule."""
        return {
            **self.neuron.neuron_parameters(),
            "attention": "attention",
        }


def spiking(neuron: str, placement: Placement = NOWHERE) -> nn.Module:
    """The named neuron, with the attention inside its membrane loop if there is one."""
    fires = preset(neuron)
    return fires if placement.inside is None else AttentionLIF(placement.inside, fires)


class SpikingConv(nn.Module):
    """S = LIF(BN(Conv(x))), with attention where the placement says; [T, B, C, H, W] in and out.

    Padding is kernel // 2.
    """

    def __init__(
        self,
        in_channels: int,
        channels: int,
        *,
        kernel: int = 3,
        stride: int = 1,
        bias: bool,
        neuron: str,
        placement: Placement = NOWHERE,
    ) -> None:
        super().__init__()
        self.before = placement.before or nn.Identity()
        self.conv = nn.Conv2d(in_channels, channels, kernel, stride, padding=kernel // 2, bias=bias)
        self.between = placement.between or nn.Identity()
        self.norm = nn.BatchNorm2d(channels)
        nn.init.constant_(self.norm.weight, gate_gain(placement))
        self.after = placement.after or nn.Identity()
        self.spike = spiking(neuron, placement)

    def forward(self, sequence: Tensor) -> Tensor:
        current = self.between(over_time(self.conv, self.before(sequence)))
        spikes: Tensor = self.spike(self.after(over_time(self.norm, current)))
        return spikes


def gate_gain(placement: Placement) -> float:
    """What undoes an untrained layer's gates: each is near one half, so 2 ** gates."""
    counts = [len(entry) for entry in placement if isinstance(entry, nn.Sequential)]
    return float(2 ** sum(counts))


def initialize(module: nn.Module, neuron: str, *linear: nn.Linear) -> None:
    """Normal weights of variance (2 V_th)^2 * 2 / fan-in, so that an untrained network spikes.

    For every convolution but the one-channel maps of attention, and for the linear layers in
    front of a neuron, which are named.
    """
    gain = 2.0 * threshold_of(neuron)
    convolutions = [layer for layer in module.modules() if isinstance(layer, nn.Conv2d)]
    for layer in (*(conv for conv in convolutions if conv.out_channels > 1), *linear):
        fan_in = layer.weight[0].numel()
        nn.init.normal_(layer.weight, std=gain * math.sqrt(2.0 / fan_in))
