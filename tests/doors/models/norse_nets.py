"""Networks as Norse's users write them: SequentialState, cells in a loop, Lift; states are tuples
with names."""

from __future__ import annotations

import norse.torch as norse
import torch
from torch import nn

TIMESTEPS = 8


class OverTime(nn.Module):
    """A SequentialState that takes one step a call, called in a loop; the last output, or the
    largest over time as in Norse's examples."""

    def __init__(self, network: nn.Module, answer: str = "mean") -> None:
        super().__init__()
        self.network, self.answer = network, answer

    def forward(self, x):
        state, outputs = None, []
        for _ in range(TIMESTEPS):
            out, state = self.network(x, state)
            outputs.append(out)
        outputs = torch.stack(outputs)
        if self.answer == "max":
            return outputs.max(0).values
        return outputs[-1] if self.answer == "last" else outputs.mean(0)


def parameters(**given: float):
    return norse.LIFParameters(
        tau_mem_inv=torch.as_tensor(200.0), v_th=torch.as_tensor(0.3),
        **{key: torch.as_tensor(value) for key, value in given.items()},
    )  # fmt: skip


def box_parameters():
    return norse.LIFBoxParameters(tau_mem_inv=torch.as_tensor(200.0), v_th=torch.as_tensor(0.3))


def sequential(answer: str = "mean", kind: str = "lif"):
    """Convolutions with LIFCell, a readout of LICell."""
    torch.manual_seed(0)
    cell = {
        "lif": lambda: norse.LIFCell(p=parameters()),
        "leak": lambda: norse.LIFCell(p=parameters(v_leak=0.1, v_reset=0.05)),
        "box": lambda: norse.LIFBoxCell(p=box_parameters()),
    }[kind]
    network = norse.SequentialState(
        nn.Conv2d(1, 8, 3, padding=1), cell(), nn.AvgPool2d(2),
        nn.Conv2d(8, 16, 3, padding=1), cell(), nn.AvgPool2d(2), nn.Flatten(),
        nn.Linear(64, 10), norse.LICell(),
    )  # fmt: skip
    return OverTime(network, answer)


class ByHand(nn.Module):
    """Cells called by name, their states kept in local variables, as in Norse's MNIST example."""

    def __init__(self, box: bool = False) -> None:
        super().__init__()
        make = (
            (lambda: norse.LIFBoxCell(p=box_parameters()))
            if box
            else (lambda: norse.LIFCell(p=parameters()))
        )
        self.fc1, self.lif1 = nn.Linear(64, 32), make()
        self.fc2, self.lif2 = nn.Linear(32, 16), make()
        self.out, self.readout = nn.Linear(16, 10), norse.LICell()

    def forward(self, x):
        s1 = s2 = so = None
        voltages = torch.zeros(TIMESTEPS, x.shape[0], 10, device=x.device, dtype=x.dtype)
        for step in range(TIMESTEPS):
            z, s1 = self.lif1(self.fc1(x.flatten(1)), s1)
            z, s2 = self.lif2(self.fc2(10 * z), s2)
            v, so = self.readout(self.out(torch.relu(z)), so)
            voltages[step, :, :] = v
        return voltages.max(0).values


def by_hand(box: bool = False):
    torch.manual_seed(0)
    return ByHand(box)


class Lifted(nn.Module):
    """Sequences (time, batch, ...) through Lift and LIF, or Lift of a cell; the spikes' mean."""

    def __init__(self, box: bool) -> None:
        super().__init__()

        def make():
            if box:
                return norse.Lift(norse.LIFBoxCell(p=box_parameters()))
            return norse.LIF(p=parameters())

        self.conv, self.spike1 = norse.Lift(nn.Conv2d(1, 8, 3, padding=1)), make()
        self.pool, self.flat = norse.Lift(nn.AvgPool2d(2)), norse.Lift(nn.Flatten())
        self.linear, self.spike2 = norse.Lift(nn.Linear(128, 10)), make()

    def forward(self, x):
        spikes, _ = self.spike1(self.conv(x.unsqueeze(0).repeat(TIMESTEPS, 1, 1, 1, 1)))
        spikes, _ = self.spike2(self.linear(self.flat(self.pool(spikes))))
        return spikes.mean(0)


def lifted(box: bool = False):
    torch.manual_seed(0)
    return Lifted(box)
