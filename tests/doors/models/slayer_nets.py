"""Networks of SLAYER blocks as in lava-dl's tutorials: (batch, channels, ..., time), time last."""

from __future__ import annotations

import sys
import types

import torch
from torch import nn

for absent in ("lava.lib.dl.slayer.object_detection",):  # it needs packages for pictures alone
    sys.modules.setdefault(absent, types.ModuleType(absent))

import lava.lib.dl.slayer as slayer  # noqa: E402

NEURON = {
    "threshold": 1.25, "current_decay": 0.25, "voltage_decay": 0.03, "tau_grad": 0.03,
    "scale_grad": 3, "requires_grad": True,
}  # fmt: skip


class Network(nn.Module):
    """Blocks in a row; their mean over time is the answer."""

    def __init__(self, *blocks: nn.Module) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(blocks)

    def forward(self, spike):
        for block in self.blocks:
            spike = block(spike)
        return spike.mean(-1)


def dense():
    """The N-MNIST tutorial's: dense blocks with weight norm."""
    torch.manual_seed(0)
    make = slayer.block.cuba.Dense
    return Network(
        make(NEURON, 128, 32, weight_norm=True, weight_scale=4),
        make(NEURON, 32, 32, weight_norm=True, weight_scale=4),
        make(NEURON, 32, 10, weight_norm=True, weight_scale=4),
    )


def conv():
    """Convolutions, pooling, flat, dense."""
    torch.manual_seed(0)
    block = slayer.block.cuba
    return Network(
        block.Conv(NEURON, 2, 8, 3, padding=1, weight_scale=4, weight_norm=True),
        block.Pool(NEURON, 2, stride=2),
        block.Flatten(),
        block.Dense(NEURON, 8 * 25, 10, weight_scale=4, weight_norm=True),
    )


def pilotnet():
    """PilotNet's shape, small: strided convolutions, dense blocks, one steering angle read from a
    membrane that does not fire."""
    torch.manual_seed(0)
    block = slayer.block.cuba
    return Steering(
        block.Conv(NEURON, 3, 8, 3, stride=2, padding=1, weight_scale=4, weight_norm=True),
        block.Conv(NEURON, 8, 12, 3, stride=2, padding=1, weight_scale=4, weight_norm=True),
        block.Flatten(),
        block.Dense(NEURON, 12 * 16, 20, weight_scale=4, weight_norm=True),
        block.Affine(NEURON, 20, 1, dynamics=False),
    )


class Steering(Network):
    def forward(self, frames):
        return super().forward(frames)


def delayed():
    """Axonal delays that are trained."""
    torch.manual_seed(0)
    make = slayer.block.cuba.Dense
    return Network(make(NEURON, 128, 32, weight_scale=4, delay=True), make(NEURON, 32, 10))


def recurrent():
    torch.manual_seed(0)
    block = slayer.block.cuba
    return Network(block.Recurrent(NEURON, 128, 16, weight_scale=4), block.Dense(NEURON, 16, 10))


def adaptive():
    torch.manual_seed(0)
    alif = {**NEURON, "threshold_step": 0.5, "threshold_decay": 0.1, "refractory_decay": 0.1}
    return Network(slayer.block.alif.Dense(alif, 128, 10, weight_scale=4))
