"""Own neurons in plain torch, one for each form of the equation, described by themselves."""

from types import MappingProxyType

import torch
from torch import nn

WIDTH = 12


class Neuron(nn.Module):
    """I = current_decay * I + X;  U = H + I;  S = [U >= 1];  H = decay * U behind the reset."""

    decay, stated = 0.75, MappingProxyType({})

    def forward(self, x):
        carried, current, spikes = self.start(x[0]), torch.zeros_like(x[0]), []
        self.waiting = torch.zeros_like(x[0])
        for now in x:
            current = self.stated.get("current_decay", 0.0) * current + now
            spike, carried = self.fire(carried, current)
            spikes.append(spike)
        return torch.stack(spikes)

    def start(self, x):
        return torch.zeros_like(x) + self.stated.get("initial", 0.0)

    def fire(self, carried, current):
        u = carried + current
        spike = (u >= 1).to(u.dtype)
        return spike, self.decay * self.reset(u, spike)

    def reset(self, u, spike):
        return u * (1 - spike)

    def neuron_parameters(self):
        plain = {"threshold": 1.0, "decay": self.decay, "v_reset": 0.0, "fires_at": "ge"}
        return {**plain, "reset": "hard", "time_axis": 0, **self.stated}


class Soft(Neuron):
    stated = MappingProxyType({"reset": "soft"})

    def reset(self, u, spike):
        return u - spike


class SoftAfter(Neuron):
    stated = MappingProxyType({"reset": "soft_after"})

    def fire(self, carried, current):
        u = carried + current
        spike = (u >= 1).to(u.dtype)
        return spike, self.decay * u - spike


class Halving(Neuron):
    """Coarse enough a leak for the fixed neuron, whose threshold has no fraction, to be exact."""

    decay = 0.5


class Synaptic(Halving):
    stated = MappingProxyType({"current_decay": 0.5})


class Bounded(Neuron):
    decay, stated = 1.0, MappingProxyType({"lower_bound": -0.5})

    def reset(self, u, spike):
        return u.clamp(min=-0.5) * (1 - spike)


class Shifted(Neuron):
    """Starts away from where it is reset to, so that no shift of the membrane says it."""

    stated = MappingProxyType({"initial": 0.5, "v_reset": 0.25})

    def fire(self, carried, current):
        u = carried + current
        spike = (u >= 1).to(u.dtype)
        return spike, self.decay * u * (1 - spike) + 0.25 * spike


class Waiting(Neuron):
    """Integrates for two steps behind a spike, without firing."""

    stated = MappingProxyType({"refractory": 2})

    def fire(self, carried, current):
        u = carried + current
        spike = (u >= 1).to(u.dtype) * (self.waiting == 0)
        self.waiting = torch.where(spike > 0, 2.0, (self.waiting - 1).clamp(min=0))
        return spike, self.decay * self.reset(u, spike)


class Deaf(Neuron):
    """Holds its membrane for two steps behind a spike, and loses what arrives."""

    stated = MappingProxyType({"refractory": 2, "refractory_input": "dropped", "v_reset": 0.25})

    def fire(self, carried, current):
        waits = self.waiting > 0
        u = carried + current
        spike = (u >= 1).to(u.dtype) * ~waits
        self.waiting = torch.where(spike > 0, 2.0, (self.waiting - 1).clamp(min=0))
        after = self.decay * u * (1 - spike) + 0.25 * spike
        return spike, torch.where(waits, carried, after)


class Several(Neuron):
    """Up to three spikes a step, each of which takes the threshold."""

    stated = MappingProxyType({"reset": "soft", "most_spikes": 3})

    def fire(self, carried, current):
        u = carried + current
        spikes = u.floor().clamp(0, 3)
        return spikes, self.decay * (u - spikes)


class Unbounded(Neuron):
    """It is never reset."""

    stated = MappingProxyType({"reset": "none"})

    def reset(self, u, spike):
        return u


class Recurrent(Halving):
    """What it hears of its own last spikes is not part of its description."""

    def __init__(self, width):
        super().__init__()
        self.back = nn.Linear(width, width, bias=False)

    def forward(self, x):
        carried, spike, spikes = torch.zeros_like(x[0]), torch.zeros_like(x[0]), []
        for now in x:
            spike, carried = self.fire(carried, now + self.back(spike))
            spikes.append(spike)
        return torch.stack(spikes)


class Net(nn.Module):
    """Two layers of a neuron and a readout; its weights are multiples of 1/16."""

    input_signal = "binary"

    def __init__(self, neuron, timesteps=6):
        super().__init__()
        self.timesteps, self.input_shape = timesteps, (timesteps, WIDTH)
        self.into, self.between = nn.Linear(WIDTH, 10, bias=False), nn.Linear(10, 8, bias=False)
        self.out = nn.Linear(8, 3, bias=False)
        self.first, self.second = globals()[neuron](), globals()[neuron]()
        drawn = torch.Generator().manual_seed(5)
        with torch.no_grad():
            for weight in self.parameters():
                weight.copy_(torch.randint(-10, 15, weight.shape, generator=drawn) / 16)

    def forward(self, x):
        return self.out(self.spikes(x)[-1]).mean(0)

    def spikes(self, x):
        """Of both layers, (time, batch, neurons)."""
        first = self.first(self.into(x.transpose(0, 1)))
        return first, self.second(self.between(first))
