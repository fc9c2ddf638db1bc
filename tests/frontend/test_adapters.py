"""Neuron descriptions: where they come from, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tiny import LIF, Net
from torch import nn

from snndeploy.errors import ModelError
from snndeploy.frontend.adapters import find_neurons

pytestmark = pytest.mark.torch

GOOD = {
    "kind": "lif",
    "threshold": 1.0,
    "decay": 0.5,
    "v_reset": 0.0,
    "fires_at": "ge",
    "reset": "hard",
    "time_axis": 0,
}


class Described(nn.Module):
    def __init__(self, **changes):
        super().__init__()
        self.stated = {**GOOD, **changes}

    def neuron_parameters(self):
        return {key: value for key, value in self.stated.items() if value is not None}


def test_neurons_describe_themselves():
    assert find_neurons(Net()) == {"spike1": GOOD, "spike2": GOOD}
    extra = Described(threshold=torch.tensor(0.5))
    assert find_neurons(nn.Sequential(extra)) == {"0": {**GOOD, "threshold": 0.5}}


def test_a_users_adapter_comes_first():
    def adapter(module):
        return {**GOOD, "decay": 0.25} if isinstance(module, LIF) else None

    assert find_neurons(Net(), [adapter])["spike1"]["decay"] == 0.25


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"decay": None, "reset": None}, "neuron 0 does not say its decay, reset"),
        ({"decay": 1.5}, "neuron 0 has decay 1.5; it must lie in 0..1"),
        ({"threshold": 0}, "neuron 0 has threshold 0; it must be positive"),
        ({"threshold": float("nan")}, "neuron 0 has threshold nan; a finite number is needed"),
        ({"threshold": torch.ones(3, 2)},
         "neuron 0 has a threshold of shape (3, 2); one number, or one a channel, is needed"),
        ({"threshold": "high"},
         "neuron 0 has threshold 'high'; a number, or one a channel, is needed"),
        ({"threshold": torch.tensor([1.0, -2.0])},
         "neuron 0 has threshold -2; it must be positive"),
        ({"decay": torch.tensor([0.5, 0.25, 0.5])},
         "neuron 0: decay differs over channels (2 values); split the layer by value, or train"
         " one"),
        ({"threshold": torch.tensor([1.0, 2.0]), "v_reset": 0.5},
         "neuron 0: v_reset differs over channels (2 values once every channel is scaled to one"
         " threshold); split the layer by value, or let it be the same part of each threshold"),
        ({"threshold": torch.tensor([1.0, 2.0]), "initial": torch.ones(3)},
         "neuron 0 has 3 values of initial and 2 thresholds; one a channel is needed"),
        ({"refractory": 1.5}, "neuron 0 has refractory 1.5; a whole number is needed"),
        ({"refractory": True}, "neuron 0 has refractory True; a whole number is needed"),
        ({"refractory_input": 1},
         "neuron 0 has refractory_input 1; known: integrated or dropped"),
        ({"reset": "zero"},
         "neuron 0 has reset 'zero'; known: hard or soft or soft_after or none"),
        ({"fires_at": ">="},
         "neuron 0 has fires_at '>='; known: ge or gt"),
        ({"kind": "izhikevich"}, "neuron 0 is of kind 'izhikevich'; known: lif"),
        ({"pause": 2}, "neuron 0 states pause, which a lif does not have"),
        ({"time_axis": -2},
         "neuron 0 has time_axis -2; the number of its input's time dimension is needed, counted"
         " from 0, or -1 for the last"),
    ],
)  # fmt: skip
def test_descriptions_that_are_refused(changes, message):
    with pytest.raises(ModelError) as caught:
        find_neurons(nn.Sequential(Described(**changes)))
    assert str(caught.value) == message


def described(**changes):
    class Exactly(nn.Module):
        def neuron_parameters(self):
            return {**GOOD, **changes}

    return find_neurons(nn.Sequential(Exactly()))["0"]


def test_what_has_a_default_may_be_left_out():
    nothing = {
        "current_decay": 0.0, "initial": 0, "lower_bound": None, "refractory": None,
        "refractory_input": "integrated", "most_spikes": 1,
    }  # fmt: skip
    assert described(**nothing) == described() == GOOD


def test_what_a_neuron_has_besides():
    more = {
        "current_decay": torch.tensor(0.5), "initial": np.float32(0.25), "lower_bound": -1,
        "refractory": torch.tensor(2), "refractory_input": "dropped", "most_spikes": 3.0,
    }  # fmt: skip
    assert described(**more) == {
        **GOOD, "current_decay": 0.5, "initial": 0.25, "lower_bound": -1.0, "refractory": 2,
        "refractory_input": "dropped", "most_spikes": 3,
    }  # fmt: skip
    assert type(described(**more)["refractory"]) is int


@pytest.mark.parametrize("form", [torch.tensor, np.array, lambda v: nn.Parameter(torch.tensor(v))])
def test_a_threshold_a_channel_becomes_a_scale(form):
    found = described(threshold=form([0.5, 1.0, 0.25]))
    assert found == {**GOOD, "threshold": 0.5, "channel_scale": [1.0, 0.5, 2.0]}
    assert described(threshold=form([[[0.5]], [[1.0]]]))["channel_scale"] == [1.0, 0.5]


def test_what_is_the_same_part_of_each_threshold_is_one_value():
    found = described(
        threshold=torch.tensor([0.5, 1.0]), v_reset=torch.tensor([0.25, 0.5]), initial=0.0
    )
    assert found == {**GOOD, "threshold": 0.5, "v_reset": 0.25, "channel_scale": [1.0, 0.5]}


def test_equal_values_of_all_channels_are_one():
    assert described(threshold=torch.full((4,), 0.5), decay=torch.full((4,), 0.25)) == {
        **GOOD, "threshold": 0.5, "decay": 0.25,
    }  # fmt: skip


def test_an_adapter_that_raises():
    def adapter(module):
        return {"threshold": module.no_such_thing}

    with pytest.raises(ModelError) as caught:
        find_neurons(nn.Sequential(nn.ReLU()), [adapter])
    assert str(caught.value) == (
        "module '' cannot describe its neuron (adapter): AttributeError: 'Sequential' object has no"
        " attribute 'no_such_thing'"
    )
