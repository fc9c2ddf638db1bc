"""Every neuron module runs alone: right descriptions pass, wrong ones are named."""

from __future__ import annotations

import itertools
import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from described_neurons import NEURONS, Described, alone, wrong_descriptions
from torch import nn

from snndeploy.errors import ModelError
from snndeploy.frontend.neuron_probe import verify_at_traced_size, verify_neurons
from snndeploy.graph import Node

pytestmark = pytest.mark.torch

GOOD = {"threshold": 1.0, "decay": 0.75, "v_reset": 0.0, "fires_at": "ge", "reset": "hard",
        "time_axis": 0}  # fmt: skip

WRONG = [
    (name, field, value)
    for name, does in NEURONS.items()
    for field, value in wrong_descriptions(does)
]
SOME = WRONG[::3]


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
        lasts = NEURONS[name].get("refractory", 0) + 1  # a spike's effect shows behind it
        if field in ("threshold", "decay", "v_reset", "initial", "reset") and lasts < timesteps:
            try:
                probed(wrongly(name, field, value), timesteps=timesteps)
                passed.append((name, field, value))
            except ModelError:
                continue
    assert passed == []


# thresholds a channel, one threshold behind a scale of the currents


class Channels(nn.Module):
    def __init__(self, stated=None):
        super().__init__()
        self.threshold = nn.Parameter(torch.tensor([0.3, 0.5, 2.0, 1.7]))
        self.stated = self.threshold if stated is None else torch.tensor(stated)

    def forward(self, x):
        h, spikes = torch.zeros_like(x[0]), []
        for current in x:
            u = h + current
            spikes.append((u >= self.threshold.view(-1, 1)).to(x.dtype))
            h = 0.75 * u * (1 - spikes[-1])
        return torch.stack(spikes)

    def neuron_parameters(self):
        return {**GOOD, "threshold": self.stated}


def scaled(neuron):
    """The neuron's graph with the scale that its description asks for."""
    graph, model = alone(neuron, features=(4, 3))
    entry, node = graph.nodes
    factors = np.array(node.attributes["channel_scale"], dtype=np.float32)
    norm = {"scale": factors, "shift": np.zeros_like(factors)}
    front = Node("f", "norm", ("input",), {"channel_axis": 2}, norm, node.axes, "0")
    return graph.with_nodes([entry, front, replace(node, inputs=("f",))]), model


def test_thresholds_a_channel():
    assert verify_neurons(*scaled(Channels())) == []
    with pytest.raises(ModelError, match="does not do what it states"):
        verify_neurons(*scaled(Channels(stated=[0.3, 0.5, 2.0, 1.72])))


def test_thresholds_a_channel_without_the_scale():
    with pytest.raises(ModelError, match="does not do what it states"):
        probed(Channels(), features=(4, 3))


# modules that are not called with the currents alone, or not on few features


def test_one_that_takes_other_shapes_is_tried_on_those():
    class Picky(Described):
        def forward(self, x):
            assert x.shape[1:] == (1, 5, 3)
            return super().forward(x)

    assert probed(Picky(), features=(5, 3)) == []
    assert "does not do what it states" in refused(Picky({"decay": 0.51}), features=(5, 3))


def test_one_that_raises_is_refused():
    class Failing(Described):
        def forward(self, x):
            raise RuntimeError("not so")

    assert refused(Failing()) == (
        "neuron '0' cannot be tried alone on currents of shape (10, 1, 6): RuntimeError: not so; if"
        " it keeps state from an earlier run, reset it"
    )


def test_one_that_needs_more_than_currents():
    class Second(Described):
        def forward(self, x, other):
            return super().forward(x + other.current)

    assert refused(Second()) == (
        "neuron '0' takes an argument `other` that its description does not state; let it start its"
        " own state, and add currents in front of it"
    )


def test_one_that_returns_something_else():
    class Last(Described):
        def forward(self, x):
            return super().forward(x)[-1]

    assert refused(Last()) == (
        "neuron '0' returns shape (1, 6) for an input of shape (10, 1, 6); one spike for each input"
        " value is needed"
    )


def test_all_neurons_of_the_traced_size():
    """One of 12 differs, where few features do not show it."""

    class Uneven(Described):
        def forward(self, x):
            if x.shape[2:] == (4, 3):
                x = x.clone()
                x[..., -1, -1] *= 0.9
            return super().forward(x)

    graph, model = alone(Uneven(), features=(4, 3))
    assert verify_neurons(graph, model) == []
    with pytest.raises(ModelError, match="does not do what it states"):
        verify_at_traced_size(graph, model, ["0"])


# what happens on the threshold


@pytest.mark.parametrize("threshold", [1.0, 0.75, 3.0])
@pytest.mark.parametrize("decay", [0.5, 0.9])
def test_ties_that_are_exact_are_decided(threshold, decay):
    does = {"threshold": threshold, "decay": decay, "fires_at": "gt"}
    assert probed(Described(**does)) == []
    assert refused(Described({"fires_at": "ge"}, **does)) == (
        f"neuron '0' does not do what it states (fires at U >= {threshold:g}, decay {decay:g}, hard"
        f" reset, v_reset 0): in step 1 it returns 0 where the membrane is {threshold:g}"
    )


def test_ties_that_rounding_decides_are_told():
    """rate * (1 / rate) is below 1 in float32 for this rate: it looks like >, and is >=."""
    rate = np.float32(0.0509)
    assert rate * np.float32(1 / float(rate)) < 1

    class Scaled(Described):
        def forward(self, x):
            h, spikes = torch.zeros_like(x[0]), []
            for current in x:
                u = h + current
                spikes.append((u * float(rate) >= 1.0).to(x.dtype))
                h = (1 - float(rate)) * u * (1 - spikes[-1])
            return torch.stack(spikes)

        def neuron_parameters(self):
            return {**GOOD, "threshold": 1 / float(rate), "decay": 1 - float(rate)}

    assert probed(Scaled()) == ["0"]
