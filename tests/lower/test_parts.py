"""Concatenation and choice of channels are linear: kernels divided by source, exactly."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from lowering_checks import check_model
from random_models import Neuron
from torch import nn

from snndeploy.errors import UnsupportedError
from snndeploy.frontend.torch import trace
from snndeploy.lower.lower import lower
from snndeploy.passes.audit import audit
from snndeploy.passes.partition import partition
from snndeploy.passes.signals import infer_signals
from snndeploy.target import Target

pytestmark = pytest.mark.torch
STEPS = 4


def dyadic(layer, seed):
    """Weights that every sum is exact with."""
    generator = torch.Generator().manual_seed(seed)
    for value in layer.parameters():
        value.data = torch.randint(-4, 5, value.shape, generator=generator) / 4
    return layer


def over_time(layer, x):
    flat = layer(x.flatten(0, 1))
    return flat.view(*x.shape[:2], *flat.shape[1:])


class Skip(nn.Module):
    """Two layers of spikes x and y (STEPS, samples, 3 or 4 channels, 6, 6), and what joins them."""

    timesteps, input_signal, input_shape = STEPS, "binary", (STEPS, 2, 6, 6)
    time_first, readout = False, "mean"

    def __init__(self, join, inputs, *, flat=False, groups=1, kernel=3, wide=4):
        super().__init__()
        self.first, self.second = nn.Conv2d(2, 3, 3, padding=1), nn.Conv2d(3, wide, 3, padding=1)
        self.layer = nn.Conv2d(inputs, 4, kernel, groups=groups)
        if flat:
            self.layer = nn.Linear(inputs, 4)
        self.last = nn.LazyLinear(3)
        self.neurons = nn.ModuleList(Neuron(0.5, 0.5, "gt") for _ in range(3))
        self.join, self.flat = join, flat
        with torch.no_grad():
            self(torch.zeros(1, *self.input_shape))
        for seed, layer in enumerate((self.first, self.second, self.layer, self.last)):
            dyadic(layer, seed)

    def forward(self, events):
        x = self.neurons[0](over_time(self.first, events.transpose(0, 1)))
        y = self.neurons[1](over_time(self.second, x))
        joined = self.join(x, y, events.transpose(0, 1))
        read = self.layer(joined) if self.flat else over_time(self.layer, joined)
        return self.last(self.neurons[2](read).flatten(2)).mean(0)

    def example(self, samples=1, seed=0):
        generator = torch.Generator().manual_seed(seed)
        return torch.randint(0, 2, (samples, *self.input_shape), generator=generator).float()


def pooled(kind, x):
    return over_time(kind(2), x)


# what is joined, how many values the layer reads, and how else the network differs
JOINS = {
    "two maps": (lambda x, y, e: torch.cat([x, y], 2), 7, {}),
    "three, one of them the input's events": (lambda x, y, e: torch.cat([e, y, x], 2), 9, {}),
    "a map with itself": (lambda x, y, e: torch.cat([x, x], 2), 6, {}),
    "sums of spikes": (lambda x, y, e: torch.cat([x + x, y], 2), 7, {}),
    "averages": (lambda x, y, e: pooled(nn.AvgPool2d, torch.cat([x, y], 2)), 7, {"kernel": 2}),
    "of averages": (
        lambda x, y, e: torch.cat([pooled(nn.AvgPool2d, v) for v in (x, y)], 2), 7, {"kernel": 2}
    ),
    "maxima": (lambda x, y, e: pooled(nn.MaxPool2d, torch.cat([x, y], 2)), 7, {"kernel": 2}),
    "maxima of counts": (
        lambda x, y, e: pooled(nn.MaxPool2d, torch.cat([x + x, y], 2)), 7, {"kernel": 2}
    ),
    "a grouped kernel": (lambda x, y, e: torch.cat([x, y, x], 2), 10, {"groups": 2}),
    "features": (lambda x, y, e: torch.cat([x.flatten(2), y.flatten(2)], 2), 252, {"flat": True}),
    "features of different planes": (
        lambda x, y, e: torch.cat([pooled(nn.AvgPool2d, x).flatten(2), y.flatten(2)], 2), 171,
        {"flat": True},
    ),
    "a slice of channels": (lambda x, y, e: y[:, :, 1:4:2], 2, {}),
    "one channel": (lambda x, y, e: y[:, :, 2].flatten(2), 36, {"flat": True}),
    "channel by channel": (lambda x, y, e: torch.cat([y[:, :, 2:], x, y[:, :, :2]], 2), 7, {}),
    "a slice of features": (lambda x, y, e: y.flatten(2)[..., 5:50], 45, {"flat": True}),
    "padding": (lambda x, y, e: nn.functional.pad(torch.cat([x, y], 2), (1, 0, 2, 1)), 7, {}),
}  # fmt: skip


@pytest.mark.parametrize("name", JOINS)
def test_parts_are_exact(name):
    """Lowered network, fast engine and reference step fire exactly as the model does."""
    join, inputs, more = JOINS[name]
    check_model(Skip(join, inputs, **more), Target.load("loihi2"))


class Coded(Skip):
    """The first layer is the encoder's: its real values join the body's currents (membranes)."""

    input_signal = "real"

    def forward(self, image):
        coded = over_time(self.first, image.transpose(0, 1))
        y = over_time(self.second, self.neurons[0](coded))
        fired = self.neurons[1](self.join(coded, y, None))
        return self.last(self.neurons[2](over_time(self.layer, fired)).flatten(2)).mean(0)


@pytest.mark.parametrize("join", [
    lambda x, y, e: torch.cat([x, y], 2),
    lambda x, y, e: torch.cat([y, x, y], 2),
    lambda x, y, e: torch.cat([y[:, :, 1:] - x, y[:, :, :1]], 2),
])  # fmt: skip
def test_the_encoders_part_joins(join):
    inputs = join(torch.zeros(1, 1, 3, 6, 6), torch.zeros(1, 1, 4, 6, 6), None).shape[2]
    check_model(Coded(join, inputs), Target.load("loihi2"))


def lowered(model):
    graph = infer_signals(trace(model, torch.zeros(1, *model.input_shape), verify=False))
    return lower(partition(graph), "compose")


def test_the_kernel_is_divided():
    """Its first input channels read x, the others y; nothing else is made."""
    model = Skip(*JOINS["two maps"][:2])
    read = lowered(model).by_name["neurons.2"].terms
    weight = model.layer.weight.detach().numpy()
    assert [term.source for term in read] == ["neurons.0", "neurons.1"]
    assert np.array_equal(read[0].connection.weight, weight[:, :3])
    assert np.array_equal(read[1].connection.weight, weight[:, 3:])


def test_one_source_twice_is_one_kernel():
    model = Skip(*JOINS["a map with itself"][:2])
    (term,) = lowered(model).by_name["neurons.2"].terms
    weight = model.layer.weight.detach().numpy()
    assert np.array_equal(term.connection.weight, weight[:, :3] + weight[:, 3:])


def test_the_audit_reads_spikes():
    graph = infer_signals(trace(Skip(*JOINS["two maps"][:2]), torch.zeros(1, STEPS, 2, 6, 6)))
    rows = {row.layer: row for row in audit(partition(graph)).rows}
    assert (rows["layer"].side, rows["layer"].input_signal) == ("body", "binary")


REFUSED = {
    "rows": (lambda x, y, e: torch.cat([x, x], 3), 3, {},
             "a part of the rows, columns or another dimension than the channels"),
    "a row": (lambda x, y, e: x[:, :, :, 1:4], 3, {},
              "a part of the rows, columns or another dimension than the channels"),
    "a new dimension": (lambda x, y, e: torch.stack([x, x], 3).flatten(2), 216, {"flat": True},
                        "values put together along a new dimension"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_no_kernel_can_do_is_named(name):
    join, inputs, more, reason = REFUSED[name]
    with pytest.raises(UnsupportedError) as raised:
        lowered(Skip(join, inputs, **more))
    assert raised.value.reason == f"has no single spike-driven kernel: {reason}"
