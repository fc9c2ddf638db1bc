"""Every neuron module runs alone: right descriptions pass, wrong ones are named."""

from __future__ import annotations

import itertools
import re

import pytest
import torch
from described_neurons import NEURONS, Described, alone, wrong_descriptions
from torch import nn

from snndeploy.errors import ModelError
from snndeploy.frontend.neuron_probe import verify_neurons

pytestmark = pytest.mark.torch

WRONG = [
    (name, field, value)
    for name, does in NEURONS.items()
    for field, value in wrong_descriptions(does)
]
SOME = WRONG[::7]


def probed(neuron, **shape):
    graph, model = alone(neuron, **shape)
    return verify_neurons(graph, model)


def refused(neuron, **shape):
    with pytest.raises(ModelError) as caught:
        probed(neuron, **shape)
    return str(caught.value)


# right descriptions


@pytest.mark.parametrize("name", NEURONS)
def test_a_right_description_passes(name):
    assert probed(Described(**NEURONS[name])) == []


class InputDecayed(nn.Module):
    """SpikingJelly's charge  v += (x - (v - v_reset)) / tau, hard reset to v_reset."""

    def __init__(self, threshold, v_reset, tau):
        super().__init__()
        self.threshold, self.v_reset, self.tau = threshold, v_reset, tau

    def rate(self):
        return 1 / self.tau

    def forward(self, x):
        v, spikes = torch.full_like(x[0], self.v_reset), []
        for current in x:
            v = v + (current - (v - self.v_reset)) / self.tau
            spike = (v >= self.threshold).to(x.dtype)
            v = v * (1 - spike) + self.v_reset * spike
            spikes.append(spike)
        return torch.stack(spikes)

    def neuron_parameters(self):
        return {"threshold": (self.threshold - self.v_reset) * self.tau, "decay": 1 - 1 / self.tau,
                "v_reset": 0.0, "fires_at": "ge", "reset": "hard", "time_axis": 0}  # fmt: skip


class Learned(InputDecayed):
    """ParametricLIFNode: 1 / tau = sigmoid(w)."""

    def __init__(self, w):
        super().__init__(1.0, 0.0, float(1 / torch.sigmoid(torch.tensor(w, dtype=torch.float64))))
        self.w = nn.Parameter(torch.tensor(w))

    def forward(self, x):
        v, spikes = torch.zeros_like(x[0]), []
        for current in x:
            v = v + (current - v) * torch.sigmoid(self.w)
            spikes.append((v >= self.threshold).to(x.dtype))
            v = v * (1 - spikes[-1])
        return torch.stack(spikes)


THRESHOLDS, RESETS = (0.3, 1.0, 1.3), (0.0, -0.3, 0.1, -0.75, -2.7)
CHARGES = list(
    itertools.product(THRESHOLDS, RESETS, (1.1, 1.5, 2.0, 3.0, 5.0, 7.0, 10.0, 30.0, 100.0))
)
TIME_CONSTANTS = torch.randn(180, generator=torch.Generator().manual_seed(0)).mul(2).tolist()


@pytest.mark.parametrize("part", [CHARGES[::9], pytest.param(CHARGES, marks=pytest.mark.slow)])
def test_a_charge_in_another_order_of_operations(part):
    assert len(CHARGES) == 135
    for threshold, v_reset, tau in part:
        probed(InputDecayed(threshold, v_reset, tau), timesteps=8)


@pytest.mark.parametrize(
    "part", [TIME_CONSTANTS[:20], pytest.param(TIME_CONSTANTS, marks=pytest.mark.slow)]
)
def test_learned_time_constants(part):
    for w in part:
        probed(Learned(w), timesteps=8)


# wrong ones


def wrongly(name, field, value):
    return Described({field: value}, **NEURONS[name])


def test_there_are_enough_wrong_descriptions():
    assert len(WRONG) >= 200
    assert {name for name, _, _ in SOME} == set(NEURONS)


@pytest.mark.parametrize("name, field, value", SOME)
def test_a_wrong_description_is_named(name, field, value):
    assert re.match(
        r"neuron '0' (does not do what it states \(fires at U .*\): in step \d+ it returns \d"
        r" where the membrane is \S+|has )",
        refused(wrongly(name, field, value)),
    )


@pytest.mark.slow
def test_all_wrong_descriptions_are_found():
    passed = []
    for wrong in WRONG:
        try:
            probed(wrongly(*wrong))
            passed.append(wrong)
        except ModelError:
            continue
    assert passed == []


@pytest.mark.slow
@pytest.mark.parametrize("timesteps", [4, 25])
def test_so_are_those_of_shorter_and_longer_models(timesteps):
    passed = []
    for name, field, value in WRONG:
        if field in ("threshold", "decay", "v_reset", "initial", "reset", "fires_at"):
            try:
                probed(wrongly(name, field, value), timesteps=timesteps)
                passed.append((name, field, value))
            except ModelError:
                continue
    assert passed == []
