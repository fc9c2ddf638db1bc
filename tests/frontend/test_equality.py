"""Graph and model must agree: whoever differs is named."""

from __future__ import annotations

import pytest
import torch
from tiny import IMAGE, LIF, Net
from torch import nn

from snndeploy.errors import ModelError
from snndeploy.frontend import equality
from snndeploy.frontend.proof_inputs import DRIVES, driving_input
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


# what the model gives a neuron, and what it gives back


class Stepping(LIF):
    """Takes its membrane, and returns it beside the spikes."""

    def forward(self, x, membrane=None):
        carried = torch.zeros_like(x[0]) if membrane is None else membrane
        spikes = []
        for current in x:
            spikes.append(self.spike(carried + current))
            carried = 0.5 * (carried + current) * (1 - spikes[-1])
        return torch.stack(spikes), carried


class Needing(Stepping):
    def forward(self, x, membrane):
        return super().forward(x, membrane)


def test_the_first_of_several_results_is_the_spikes():
    class First(Net):
        def forward(self, x):
            spikes, _ = self.spike1(4 * self.encode(x))
            current = self.conv(spikes.flatten(0, 1)).unflatten(0, (self.timesteps, -1))
            return self.classifier(self.spike2(4 * current)[0].mean((3, 4)).mean(0))

    class Pairs(First):
        timesteps = 2  # as many as results

    for net in (First, Pairs):
        assert trace(net(neuron=Stepping), IMAGE).notes == ()


def test_no_other_result_may_be_used():
    class Membrane(Net):
        def encode(self, x):
            self.carried = super().encode(x)
            return self.carried

        def forward(self, x):
            _, membrane = self.spike1(4 * self.encode(x))
            return self.classifier(membrane.mean((2, 3)))

    assert refused(Membrane(neuron=Stepping)) == (
        "the model uses more of neuron 'spike1' than its spikes, which come first of its results;"
        " its description states nothing else"
    )


class Given(Net):
    """Its neurons are given a membrane to start with."""

    def start(self, x):
        return torch.zeros_like(x[0])

    def forward(self, x):
        current = 4 * self.encode(x)
        spikes, _ = self.spike1(current, self.start(current))
        current = self.conv(spikes.flatten(0, 1)).unflatten(0, (self.timesteps, -1))
        return self.classifier(self.spike2(4 * current, None)[0].mean((3, 4)).mean(0))


@pytest.mark.parametrize("neuron", [Stepping, Needing])
def test_a_start_from_nothing_may_be_given(neuron):
    class Nothing(Given):
        def forward(self, x):
            if neuron is Stepping:
                return super().forward(x)
            current = 4 * self.encode(x)
            spikes, _ = self.spike1(current, self.start(current))
            current = 4 * self.conv(spikes.flatten(0, 1)).unflatten(0, (self.timesteps, -1))
            return self.classifier(self.spike2(current, self.start(current))[0].mean((0, 3, 4)))

    assert trace(Nothing(neuron=neuron), IMAGE).notes == ()


def test_an_argument_that_says_something():
    class Started(Given):
        def start(self, x):
            return torch.full_like(x[0], 0.25)

    assert refused(Started(neuron=Stepping)) == (
        "neuron 'spike1' takes an argument `membrane` that its description does not state; let it"
        " start its own state, and add currents in front of it"
    )


def test_an_argument_that_cannot_be_left_out():
    class Gated(LIF):
        def forward(self, x, *, gate, mode):
            return super().forward(x * gate[mode])

    class Gating(Net):
        def forward(self, x):
            gates = {"open": torch.ones(1)}
            spikes = self.spike1(4 * self.encode(x), gate=gates, mode="open")
            return self.classifier(spikes.mean((0, 3, 4)))

    assert refused(Gating(neuron=Gated)) == (
        "neuron 'spike1' takes arguments `gate`, `mode` that its description does not state; let it"
        " start its own state, and add currents in front of it"
    )


# silent layers


class Quiet(Net):
    """Its second layer gets nothing of the first, which hardly ever fires."""

    def __init__(self, **layers):
        super().__init__(**layers)
        with torch.no_grad():
            self.stem.weight.mul_(1e-3)
            self.stem.bias.zero_()


def lying(stated, fires):
    class Lying(LIF):
        threshold = stated

        def spike(self, membrane):
            return (membrane >= fires).to(membrane.dtype)

    return Lying


def test_silent_layers_are_driven_until_they_fire():
    """The first layer by larger inputs, the second by random spikes of the first."""
    assert trace(Quiet(), IMAGE).notes == ()


def test_wiring_behind_a_silent_layer_is_compared():
    class Hidden(nn.Conv2d):
        def forward(self, x):
            found = super().forward(x)
            return found if torch.compiler.is_exporting() else found * (1 + 1e-3 * x.mean())

    assert refused(Quiet(conv=Hidden(4, 4, 3))).startswith(
        "the traced graph and the model differ first at 'conv': largest difference"
    )


class Unreachable(Net):
    def forward(self, x):
        spikes = self.spike1(4 * self.encode(x))
        current = self.conv(spikes.flatten(0, 1)).unflatten(0, (self.timesteps, -1))
        return self.classifier(self.spike2(1e-3 * current).mean((3, 4)).mean(0))


class Flooded(Net):
    def forward(self, x):
        spikes = self.spike1(4 * self.encode(x))
        current = self.conv(spikes.flatten(0, 1)).unflatten(0, (self.timesteps, -1))
        return self.classifier(self.spike2(current + 100).mean((3, 4)).mean(0))


def test_layers_that_nothing_drives_are_named():
    assert trace(Unreachable(), IMAGE).notes == (
        "no input of the proof makes 'spike2' fire: verified alone, not inside the model",
    )
    assert trace(Flooded(), IMAGE).notes == (
        "'spike2' fired throughout the proof: verified alone, not inside the model",
    )


@pytest.mark.parametrize("net", [Net, Quiet, Unreachable, Flooded])
def test_a_threshold_that_is_ten_times_too_high_is_always_found(net):
    model = net()
    model.spike2 = lying(5.0, 0.5)()
    assert refused(model).startswith(
        "neuron 'spike2' does not do what it states (fires at U >= 5, decay 0.5, hard reset"
    )


@pytest.mark.parametrize("net", [Unreachable, Flooded])
def test_such_layers_are_tried_with_all_their_neurons(net):
    """One of 64 neurons differs: too few features of a probe would not show it."""

    class Uneven(LIF):
        def spike(self, membrane):
            higher = torch.zeros_like(membrane)
            higher[..., -1, -1] = 0.25 if membrane.shape[-1] == 4 else 0.0
            return (membrane >= 1.0 + higher).to(membrane.dtype)

    model = net()
    model.spike2 = Uneven()
    assert refused(model).startswith("neuron 'spike2' does not do what it states")


@pytest.mark.parametrize("signal, values", [("binary", {0, 1}), ("integer", set(range(256)))])
def test_inputs_are_of_the_kind_that_the_model_takes(signal, values):
    for drive in DRIVES:
        x = driving_input(torch.zeros(1, 40, 40), signal, drive)
        assert set(x.reshape(-1).tolist()) <= values and x.any()
