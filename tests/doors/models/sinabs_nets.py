"""Networks as sinabs' users write them: (batch, time, ...) in, spike counts between the layers."""

from __future__ import annotations

import sinabs.layers as sl
import torch
from sinabs.from_torch import from_model
from torch import nn

TIMESTEPS = 8


class Repeated(nn.Module):
    """One image in, the same at every step of a network that takes (batch, time, ...)."""

    def __init__(self, network: nn.Module, *, squeezed: bool = False) -> None:
        super().__init__()
        self.network, self.squeezed = network, squeezed

    def forward(self, x):
        x = x.unsqueeze(1).repeat(1, TIMESTEPS, *[1] * (x.dim() - 1))
        if not self.squeezed:
            return self.network(x).mean(1)
        return self.network(x.flatten(0, 1)).unflatten(0, (-1, TIMESTEPS)).mean(1)


def neurons(kind: str):
    """A maker of one layer's neurons."""
    makers = {
        "iaf": lambda: sl.IAF(),
        "iaf_bounded": lambda: sl.IAF(min_v_mem=-1.0),
        "iaf_single": lambda: sl.IAF(spike_fn=sinabs_single()),
        "iaf_reset": lambda: sl.IAF(reset_fn=sinabs_reset(), spike_fn=sinabs_single()),
        "lif": lambda: sl.LIF(tau_mem=5.0),
        "lif_raw": lambda: sl.LIF(tau_mem=5.0, norm_input=False),
        "lif_bounded": lambda: sl.LIF(tau_mem=5.0, min_v_mem=-0.5),
        "lif_synapse": lambda: sl.LIF(tau_mem=5.0, tau_syn=3.0),
    }
    return makers[kind]


def sinabs_single():
    from sinabs.activation import SingleSpike

    return SingleSpike


def sinabs_reset():
    from sinabs.activation import MembraneReset

    return MembraneReset()


def dense(kind: str = "iaf"):
    """Two layers of neurons between linear ones; takes an image's pixels."""
    make = neurons(kind)
    torch.manual_seed(0)
    return Repeated(
        nn.Sequential(nn.Linear(64, 32), make(), nn.Linear(32, 16), make(), nn.Linear(16, 10))
    )


def squeezed():
    """The convolutional net of sinabs' tutorials, with IAFSqueeze: (batch * time, ...)."""
    torch.manual_seed(0)
    iaf = lambda: sl.IAFSqueeze(num_timesteps=TIMESTEPS, min_v_mem=-1.0)  # noqa: E731
    network = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1, bias=False), iaf(), nn.AvgPool2d(2),
        nn.Conv2d(8, 16, 3, padding=1, bias=False), iaf(), nn.AvgPool2d(2),
        nn.Flatten(), nn.Linear(64, 10, bias=False),
    )  # fmt: skip
    return Repeated(network, squeezed=True)


def exp_leak():
    """A spiking layer, and a leaky readout that never fires."""
    torch.manual_seed(0)
    return Repeated(
        nn.Sequential(
            nn.Linear(64, 32), sl.LIF(tau_mem=5.0), nn.Linear(32, 10), sl.ExpLeak(tau_mem=5.0)
        )
    )


def ann():
    """What sinabs converts: convolutions and ReLU."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1, bias=False), nn.ReLU(), nn.AvgPool2d(2),
        nn.Conv2d(8, 16, 3, padding=1, bias=False), nn.ReLU(), nn.AvgPool2d(2),
        nn.Flatten(), nn.Linear(64, 10, bias=False), nn.ReLU(),
    )  # fmt: skip


def converted():
    """`from_model` of an ANN; every step of an image's repetition."""
    network = from_model(ann(), input_shape=(1, 8, 8), num_timesteps=TIMESTEPS)
    return Repeated(network.spiking_model, squeezed=True)
