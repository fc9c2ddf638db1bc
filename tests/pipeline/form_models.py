"""Networks in plain torch, one for every form of the neuron equation; written step by step."""

import torch
from torch import nn

FORMS = {
    "plain": {},
    "above": {"fires_at": "gt"},
    "soft": {"reset": "soft"},
    "soft_after": {"reset": "soft_after"},
    "none": {"reset": "none"},
    "shifted": {"v_reset": 0.125, "initial": 0.125},
    "reset_value": {"v_reset": -0.5},
    "initial": {"initial": 0.375},
    "synaptic": {"current_decay": 0.5},
    "lasting": {"current_decay": 1.0},
    "bounded": {"lower_bound": -0.5, "decay": 1.0},
    "refractory": {"refractory": 2},
    "dropping": {"refractory": 2, "refractory_input": "dropped"},
    "several": {"most_spikes": 3},
    "everything": {
        "reset": "soft_after", "current_decay": 0.5, "initial": -0.25, "lower_bound": -1.0,
        "refractory": 1, "most_spikes": 3,
    },
}  # fmt: skip
TIMESTEPS = 6


class Neuron(nn.Module):
    def __init__(self, **form):
        super().__init__()
        plain = {"threshold": 1.0, "fires_at": "ge", "decay": 0.5, "v_reset": 0.0, "reset": "hard"}
        self.form = plain | form

    def neuron_parameters(self):
        return {**self.form, "time_axis": 0}

    def forward(self, x):
        p = self.form
        theta, leak, floor = p["threshold"], p["decay"], p.get("lower_bound")
        most, pause = p.get("most_spikes", 1), p.get("refractory", 0)
        drops = p.get("refractory_input") == "dropped"
        h = torch.full_like(x[0], p.get("initial", 0.0))
        i, wait = torch.zeros_like(h), torch.zeros_like(h)
        spikes = []
        for now in x:
            i = p.get("current_decay", 0.0) * i + now
            waits = wait > 0
            u = torch.where(waits, h, h + i) if drops else h + i
            s = torch.floor(u / theta).clamp(0, most)
            if p["fires_at"] == "gt":
                s = (u > theta).to(u.dtype)
            s = torch.where(waits, torch.zeros_like(s), s)
            v = u if floor is None else torch.clamp(u, min=floor)
            if p["reset"] == "hard":
                after = torch.where(s > 0, torch.full_like(v, p["v_reset"]), leak * v)
            elif p["reset"] == "soft":
                after = leak * (v - theta * s)
            elif p["reset"] == "soft_after":
                after = leak * v - theta * s
            else:
                after = leak * v
            h = torch.where(waits, h, after) if drops else after
            wait = torch.where(s > 0, torch.full_like(wait, float(pause)), (wait - 1).clamp(min=0))
            spikes.append(s)
        return torch.stack(spikes)


class Net(nn.Module):
    """Two layers of neurons on the grid of 1/16, and a readout."""

    timesteps, input_shape, input_signal = TIMESTEPS, (TIMESTEPS, 12), "binary"

    def __init__(self, form):
        super().__init__()
        torch.manual_seed(3)
        self.first, self.second = nn.Linear(12, 20), nn.Linear(20, 16)
        self.out = nn.Linear(16, 4)
        self.one, self.two = Neuron(**FORMS[form]), Neuron(**FORMS[form])
        for layer in (self.first, self.second, self.out):
            for part in layer.parameters():
                part.data = torch.round(part.data * 3 * 16) / 16

    def forward(self, x):
        hidden = self.one(self.first(x.transpose(0, 1)))
        return self.out(self.two(self.second(hidden))).mean(0)


def net(form):
    return Net(form)
