"""A small network on a grid of eighths, with an end to be tried, and its twin in plain numpy.

    U = H + X;  S = U >= 1;  H = U (1 - S) / 2          X = first(x),  Y = second(S)

Weights and offsets are eighths and the leak is a half, so float64 holds every value exactly.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

STEPS, INPUTS, HIDDEN, OUTPUTS = 6, 12, 10, 3
OVER_TIME = np.array([0.5, -1.0, 0.25, 2.0, 0.125, 1.0])
FALLING = 0.5 ** np.arange(STEPS - 1, -1, -1.0)


class Fire(nn.Module):
    def forward(self, x):
        held, spikes = torch.zeros_like(x[0]), []
        for current in x:
            membrane = held + current
            fired = (membrane >= 1.0).to(x.dtype)
            held = 0.5 * membrane * (1 - fired)
            spikes.append(fired)
        return torch.stack(spikes)

    def neuron_parameters(self):
        return {
            "threshold": 1.0, "decay": 0.5, "v_reset": 0.0, "fires_at": "ge", "reset": "hard",
            "time_axis": 0,
        }  # fmt: skip


def eighths(*shape):
    return np.random.default_rng(sum(shape)).integers(-8, 9, shape) / 8.0


class Model(nn.Module):
    timesteps, input_shape, input_signal = STEPS, (STEPS, INPUTS), "binary"

    def __init__(self, end, outputs=OUTPUTS):
        super().__init__()
        self.end, self.fire = end, Fire()
        self.first, self.second = nn.Linear(INPUTS, HIDDEN), nn.Linear(HIDDEN, outputs)
        for name, values in (("over_time", OVER_TIME), ("falling", FALLING)):
            self.register_buffer(name, torch.tensor(values, dtype=torch.float32).view(-1, 1, 1))
        with torch.no_grad():
            for layer in (self.first, self.second):
                layer.weight.copy_(torch.tensor(eighths(*layer.weight.shape)))
                layer.bias.copy_(torch.tensor(eighths(len(layer.bias))))

    def forward(self, x):
        return self.end(self, self.fire(self.first(x.transpose(0, 1))))


def data(samples, seed=1):
    return np.random.default_rng(seed).integers(0, 2, (samples, STEPS, INPUTS)).astype(np.float32)


def twin(x, outputs=OUTPUTS):
    """Spikes and what the second layer makes of them, (steps, samples, ...), in float64."""
    held, spikes = 0.0, []
    for frame in x.swapaxes(0, 1).astype(np.float64):
        membrane = held + frame @ eighths(HIDDEN, INPUTS).T + eighths(HIDDEN)
        spikes.append((membrane >= 1.0) * 1.0)
        held = 0.5 * membrane * (1 - spikes[-1])
    fired = np.stack(spikes)
    return fired, fired @ eighths(outputs, HIDDEN).T + eighths(outputs)


def leaked(y, decay):
    """v[t] = decay v[t-1] + y[t] of every step."""
    held, found = 0.0 * y[0], []
    for step in y:
        held = decay * held + step
        found.append(held)
    return np.stack(found)


def softmax(y):
    grown = np.exp(y - y.max(-1, keepdims=True))
    return grown / grown.sum(-1, keepdims=True)


def column(weights):
    return weights[:, None, None]


# name: the model's end, the twin's, what is read (kind, steps), whether the host goes on
ALL = tuple(range(STEPS))
ENDS = {
    "mean": (lambda n, s: n.second(s).mean(0), lambda s, y: y.mean(0), ("membrane", ()), False),
    "last": (lambda n, s: n.second(s)[-1], lambda s, y: y[-1], ("membrane", (4, 5)), False),
    "third": (lambda n, s: n.second(s)[2], lambda s, y: y[2], ("membrane", (1, 2)), False),
    "first": (lambda n, s: n.second(s)[0], lambda s, y: y[0], ("membrane", (0,)), False),
    "layer behind the last": (
        lambda n, s: n.second(s[:, :, :][-1]), lambda s, y: y[-1], ("membrane", (4, 5)), False),
    "behind a burn-in": (
        lambda n, s: n.second(s)[2:].mean(0), lambda s, y: y[2:].mean(0), ("membrane", (1, 5)),
        False),
    "sum of two steps": (
        lambda n, s: s[-2:].sum(0), lambda s, y: s[-2:].sum(0), ("spikes", (4, 5)), False),
    "last spikes": (lambda n, s: s[-1], lambda s, y: s[-1], ("spikes", ()), False),
    "maximum": (lambda n, s: n.second(s).amax(0), lambda s, y: y.max(0), ("membrane", ALL), True),
    "maximum with its place": (
        lambda n, s: n.second(s).max(0)[0], lambda s, y: y.max(0), ("membrane", ALL), True),
    "did it fire": (lambda n, s: s.amax(0), lambda s, y: s.max(0), ("spikes", ALL), True),
    "maximum of some": (
        lambda n, s: n.second(s)[-2:].amax(0), lambda s, y: y[-2:].max(0), ("membrane", ALL), True),
    "weights over time": (
        lambda n, s: (n.second(s) * n.over_time).sum(0),
        lambda s, y: (y * column(OVER_TIME)).sum(0), ("membrane", ALL), False),
    "falling weights": (
        lambda n, s: (n.second(s) * n.falling).sum(0),
        lambda s, y: (y * column(FALLING)).sum(0), ("membrane", ()), False),
    "weights over spikes": (
        lambda n, s: (n.over_time * s).sum(0), lambda s, y: (s * column(OVER_TIME)).sum(0),
        ("spikes", ALL), False),
    "softmax": (
        lambda n, s: n.second(s).mean(0).softmax(-1), lambda s, y: softmax(y.mean(0)),
        ("membrane", ()), True),
    "softmax of every step": (
        lambda n, s: n.second(s).softmax(-1).mean(0), lambda s, y: softmax(y).mean(0),
        ("membrane", ALL), True),
    "softmax at every step": (
        lambda n, s: n.second(s).softmax(-1), lambda s, y: softmax(y).mean(0), ("membrane", ALL),
        True),
    "log softmax": (
        lambda n, s: nn.functional.log_softmax(n.second(s).sum(0), -1),
        lambda s, y: np.log(softmax(y.sum(0))), ("membrane", ()), True),
    "sigmoid": (
        lambda n, s: n.second(s)[-1].sigmoid(), lambda s, y: 1 / (1 + np.exp(-y[-1])),
        ("membrane", (4, 5)), True),
    "class": (
        lambda n, s: n.second(s).mean(0).argmax(-1), lambda s, y: y.mean(0).argmax(-1)[:, None],
        ("membrane", ()), True),
    "every step": (lambda n, s: n.second(s), lambda s, y: y.mean(0), ("membrane", ()), False),
}  # fmt: skip
HEADS = {
    "tuple": lambda n, s: (n.second(s).mean(0), s[-1], n.second(s).amax(0)),
    "dict": lambda n, s: {
        "scores": n.second(s).mean(0), "spikes": s[-1], "most": n.second(s).amax(0)
    },
}  # fmt: skip


def end(name):
    """For SPECs: readout_models.py:end('mean')."""
    return Model(ENDS[name][0])


def heads(name):
    return Model(HEADS[name])


SHIFT = 0.6  # some samples of `data` are above zero, some below


def single():
    return Model(lambda n, s: n.second(s).mean(0) + SHIFT, 1)


def single_sigmoid():
    return Model(lambda n, s: (n.second(s).mean(0) + SHIFT).sigmoid(), 1)
