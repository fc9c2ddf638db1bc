"""Neurons in plain torch whose descriptions can be made wrong one field at a time."""

from __future__ import annotations

import torch
from torch import nn

from snndeploy.frontend.adapters import find_neurons
from snndeploy.graph import Graph, Node

TIMESTEPS, FEATURES = 10, 6
PLAIN = {
    "threshold": 1.0, "decay": 0.5, "v_reset": 0.0, "fires_at": "ge", "reset": "hard",
    "current_decay": 0.0, "initial": 0.0, "lower_bound": None, "refractory": 0,
    "refractory_input": "integrated", "most_spikes": 1,
}  # fmt: skip


class Described(nn.Module):
    """The field's equation, step by step in float32; `stated` replaces what it says of itself."""

    def __init__(self, stated=None, **does):
        super().__init__()
        self.does = {**PLAIN, **does}
        self.stated = {**self.does, **(stated or {})}

    def neuron_parameters(self):
        return {**self.stated, "time_axis": 0}

    def forward(self, x):
        n = self.does
        h, i = torch.zeros_like(x[0]) + n["initial"], torch.zeros_like(x[0])
        wait, spikes = torch.zeros_like(x[0]), []
        for current in x:
            i = n["current_decay"] * i + current
            ready = wait == 0
            u = h + i
            if n["refractory_input"] == "dropped":
                u = torch.where(ready, u, h)
            over = u >= n["threshold"] if n["fires_at"] == "ge" else u > n["threshold"]
            s = (over & ready).to(x.dtype)
            if n["most_spikes"] > 1:
                s = s * torch.floor(u / n["threshold"]).clamp(max=n["most_spikes"])
            kept = self.left(n, u, s)
            if n["refractory_input"] == "dropped":
                kept = torch.where(ready, kept, h)
            h = kept
            if n["refractory"]:
                wait = torch.where(s > 0, float(n["refractory"]), (wait - 1).clamp(min=0))
            spikes.append(s)
        return torch.stack(spikes)

    @staticmethod
    def left(n, u, s):
        low = -float("inf") if n["lower_bound"] is None else n["lower_bound"]
        if n["reset"] == "hard":
            return torch.where(s > 0, n["v_reset"], n["decay"] * u.clamp(min=low))
        if n["reset"] == "soft":
            return n["decay"] * (u - n["threshold"] * s).clamp(min=low)
        if n["reset"] == "soft_after":
            return n["decay"] * u.clamp(min=low) - n["threshold"] * s
        return n["decay"] * u.clamp(min=low)


NEURONS = {
    "leaky": {},
    "slow": {"threshold": 0.75, "decay": 0.9},
    "above": {"fires_at": "gt", "decay": 0.75},
    "no leak": {"decay": 1.0, "threshold": 2.0},
    "reset value": {"v_reset": -0.25, "decay": 0.8},
    "soft": {"reset": "soft", "decay": 0.9},
    "soft behind the leak": {"reset": "soft_after", "decay": 0.75, "fires_at": "gt"},
    "no reset": {"reset": "none", "decay": 0.6},
    "current": {"current_decay": 0.6, "decay": 0.8},
    "current, soft": {"current_decay": 0.3, "decay": 0.9, "reset": "soft_after"},
    "start": {"initial": 0.25, "decay": 0.75},
    "bounded": {"lower_bound": -0.5, "decay": 0.9},
    "bounded, soft": {"lower_bound": -1.0, "decay": 1.0, "reset": "soft"},
    "refractory": {"refractory": 2, "decay": 0.75},
    "dropping": {"refractory": 3, "refractory_input": "dropped", "decay": 0.75},
    "several": {"most_spikes": 4, "reset": "soft", "decay": 1.0},
    "all of it": {"current_decay": 0.5, "decay": 0.75, "v_reset": 0.125, "initial": -0.25,
                  "lower_bound": -2.0, "refractory": 1},
}  # fmt: skip


def wrong_descriptions(does):
    """What a module of these parameters may state wrongly: (field, value), each with an effect."""
    n = {**PLAIN, **does}
    for part in (0.98, 1.02, 0.5, 10.0):
        yield "threshold", n["threshold"] * part
    for step in (-0.01, 0.01, -0.1):
        if 0 <= n["decay"] + step <= 1:
            yield "decay", n["decay"] + step
    for reset in ("hard", "soft", "soft_after", "none"):
        behind = {n["reset"], reset} == {"soft", "soft_after"}
        if reset != n["reset"] and not (behind and n["decay"] == 1.0):
            yield "reset", reset
    if n["reset"] == "hard":
        yield from (("v_reset", n["v_reset"] + step) for step in (0.02, -0.02, 0.3))
    yield from (("initial", n["initial"] + step) for step in (0.02, -0.1))
    if n["most_spikes"] == 1:
        yield "fires_at", "gt" if n["fires_at"] == "ge" else "ge"
    yield "current_decay", n["current_decay"] + 0.01
    yield "current_decay", 0.0 if n["current_decay"] else 0.5
    yield "lower_bound", None if n["lower_bound"] is not None else -1.5
    if n["lower_bound"] is not None:
        yield "lower_bound", n["lower_bound"] * 1.02
    yield "refractory", n["refractory"] + 1
    if n["refractory"]:
        yield "refractory", 0
        yield "refractory", n["refractory"] - 1
        other = {"integrated": "dropped", "dropped": "integrated"}
        yield "refractory_input", other[n["refractory_input"]]
    if n["fires_at"] == "ge":
        yield "most_spikes", 1 if n["most_spikes"] > 1 else 2
        yield "most_spikes", n["most_spikes"] + 1


def alone(neuron, timesteps=TIMESTEPS, features=(FEATURES,), signal="real"):
    """The graph of a model that is one neuron, and the model."""
    model = nn.Sequential(neuron)
    found = find_neurons(model)["0"]
    shape = [("feature", size) for size in features]
    axes = ((("time", timesteps),), (("batch", 1),), *((atom,) for atom in shape))
    entry = Node("input", "input", attributes={"signal": signal}, axes=axes)
    attributes = {**found, "timesteps": timesteps}
    node = Node("n", "neuron", ("input",), attributes, axes=axes, module="0")
    return Graph((entry, node), ("n",), timesteps), model
