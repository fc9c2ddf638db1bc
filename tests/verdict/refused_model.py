"""A network with a soft reset and a function in its body, for the tests of the command line."""

import torch
from tiny_model import LIF, Net


class Soft(LIF):
    def forward(self, x):
        carried, spikes = torch.zeros_like(x[0]), []
        for current in x:
            membrane = carried + current
            spike = (membrane >= 1.0).to(x.dtype)
            carried = 0.5 * (membrane - spike)
            spikes.append(spike)
        return torch.stack(spikes)

    def neuron_parameters(self):
        return {**super().neuron_parameters(), "reset": "soft"}


def net():
    found = Net(function="tanh")
    found.spike1 = Soft()
    return found
