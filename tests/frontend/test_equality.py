"""Graph and model must agree: whoever differs is named."""

from __future__ import annotations

import pytest
import torch
from tiny import IMAGE, LIF, Net
from torch import nn

from snndeploy.errors import ModelError
from snndeploy.frontend import equality
from snndeploy.frontend.torch import trace

pytestmark = pytest.mark.torch

STATED = "does not do what it states (fires at U >= 1, decay 0.5, hard reset, v_reset 0): in step"


def refused(model):
    with pytest.raises(ModelError) as caught:
        trace(model, IMAGE)
    return str(caught.value)


class Strict(LIF):
    def spike(self, membrane):
        return (membrane > 1.0).to(membrane.dtype)


class Higher(LIF):
    def spike(self, membrane):
        return (membrane >= 1.01).to(membrane.dtype)


class Slower(LIF):
    def forward(self, x):
        carried, spikes = torch.zeros_like(x[0]), []
        for current in x:
            membrane = carried + current
            spikes.append(self.spike(membrane))
            carried = 0.52 * membrane * (1 - spikes[-1])
        return torch.stack(spikes)


class Signed(LIF):
    def spike(self, membrane):
        return torch.sign(membrane)


def test_a_neuron_that_fires_above_but_states_at_least():
    assert refused(Net(neuron=Strict)) == (
        f"neuron 'spike1' {STATED} 1 it returns 0 where the membrane is 1"
    )


@pytest.mark.parametrize("neuron", [Higher, Slower, Signed])
def test_a_neuron_with_another_threshold_decay_or_output(neuron):
    assert refused(Net(neuron=neuron)).startswith(f"neuron 'spike1' {STATED} ")


def test_a_neuron_that_changes_its_input():
    class Greedy(LIF):
        def forward(self, x):
            spikes = super().forward(x)
            x.mul_(0.5)
            return spikes

    assert refused(Net(neuron=Greedy)) == (
        "neuron 'spike1' changes its input in place, which the trace cannot see; let it work on a"
        " copy"
    )


def test_a_neuron_with_state_left_from_before():
    class Remembering(LIF):
        carried = None

        def forward(self, x):
            spikes, carried = [], self.carried
            for current in x:
                membrane = current if carried is None else carried + current
                spikes.append(self.spike(membrane))
                carried = 0.5 * membrane * (1 - spikes[-1])
            self.carried = carried.mean() + 0.25
            return torch.stack(spikes)

    fresh = Net(neuron=Remembering)
    trace(fresh, IMAGE)  # as every sample begins: without state
    used = Net(neuron=Remembering)
    with torch.no_grad():
        used(torch.ones_like(IMAGE))
    assert refused(used) == (
        "neuron 'spike1' keeps state between calls; reset the model before compiling it"
    )


def test_a_layer_that_the_trace_does_not_see():
    class Hidden(nn.Conv2d):
        calls = 0

        def forward(self, x):
            found = super().forward(x)
            return found if torch.compiler.is_exporting() else found + 0.01

    message = refused(Net(conv=Hidden(4, 4, 3)))
    assert message == (
        "the traced graph and the model differ first at 'conv': largest difference 0.01; the model"
        " does something there that the trace does not see (a value computed outside torch, state"
        " kept between calls, or an input that a module changes in place)"
    )


def test_a_difference_between_modules_is_found_at_the_next_neuron():
    class Adding(Net):
        def encode(self, x):
            found = super().encode(x)
            return found if torch.compiler.is_exporting() else found + 1

    assert refused(Adding()).startswith(
        "the traced graph and the model differ first at the input of 'spike1': largest difference"
    )


def test_a_difference_at_the_output():
    class Shifted(Net):
        def forward(self, x):
            found = super().forward(x)
            return found if torch.compiler.is_exporting() else found + 1

    assert refused(Shifted()).startswith(
        "the traced graph and the model differ first at the output: largest difference 1;"
    )


def test_a_model_that_raises_when_it_runs():
    class Failing(Net):
        def encode(self, x):
            if not torch.compiler.is_exporting():
                raise RuntimeError("only traced")
            return super().encode(x)

    assert refused(Failing()) == ("the model raises on a random input: RuntimeError: only traced")


def test_rounding_alone_never_counts(monkeypatch):
    """Where float32 rounds differently, float64 decides."""

    class Rounding(Net):
        def encode(self, x):
            return (super().encode(x) + 1e4) - 1e4

    tried = []
    compare = equality._compare
    monkeypatch.setattr(equality, "_compare", lambda *a: (tried.append(a[-1]), compare(*a))[1])
    trace(Rounding(), IMAGE)
    assert tried[0] == torch.float32
