"""Neuron descriptions: where they come from, and what is refused."""

from __future__ import annotations

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
        ({"threshold": torch.ones(3)},
         "neuron 0 has a threshold that is not one number; neurons of a layer share one"),
        ({"fires_at": ">="},
         "neuron 0 has fires_at '>='; known: ge or gt"),
        ({"kind": "izhikevich"}, "neuron 0 is of kind 'izhikevich'; known: lif"),
        ({"pause": 2}, "neuron 0 states pause, which a lif does not have"),
        ({"time_axis": -1},
         "neuron 0 has time_axis -1; the number of its input's time dimension is needed, counted"
         " from 0"),
    ],
)  # fmt: skip
def test_descriptions_that_are_refused(changes, message):
    with pytest.raises(ModelError) as caught:
        find_neurons(nn.Sequential(Described(**changes)))
    assert str(caught.value) == message


def test_an_adapter_that_raises():
    def adapter(module):
        return {"threshold": module.no_such_thing}

    with pytest.raises(ModelError) as caught:
        find_neurons(nn.Sequential(nn.ReLU()), [adapter])
    assert str(caught.value) == (
        "module '' cannot describe its neuron (adapter): AttributeError: 'Sequential' object has no"
        " attribute 'no_such_thing'"
    )
