"""A cycle read as the neuron equation, every option alone and together; what it is not is named."""

from __future__ import annotations

import pytest
import torch
from loop_nets import EXAMPLE, Sequence, stated
from torch import nn

from snndeploy.errors import UnsupportedError
from snndeploy.frontend.torch import trace

pytestmark = pytest.mark.torch


class Options(nn.Module):
    """Every option of a hand-written neuron on (T, B, ...); numbers are powers of two or small."""

    def __init__(self, **options):
        super().__init__()
        self.o = {
            "start": 0.0, "alpha": None, "bound": None, "wait": 0, "soft": False, "to": 0.0,
            "strict": False, "decay": 0.5,
        } | options  # fmt: skip

    def forward(self, x):
        o = self.o
        held = torch.full_like(x[0], o["start"])
        current, waits, out = torch.zeros_like(x[0]), torch.zeros_like(x[0]), []
        for step in x:
            current = step if o["alpha"] is None else o["alpha"] * current + step
            u = held + current
            if o["bound"] is not None:
                u = u.clamp(min=o["bound"])
            s = ((u > 1) if o["strict"] else (u >= 1)).to(x.dtype)
            if o["wait"]:
                s = s * (waits <= 0)
                waits = torch.where(s > 0, torch.full_like(waits, float(o["wait"])), waits - 1)
            held = o["decay"] * (u - s) if o["soft"] else o["decay"] * u * (1 - s) + o["to"] * s
            out.append(s)
        return torch.stack(out)


def plain(**more):
    return {
        "threshold": 1.0, "fires_at": "ge", "decay": 0.5, "v_reset": 0.0, "reset": "hard", **more,
    }  # fmt: skip


@pytest.mark.parametrize(
    "options, expected",
    [
        ({}, plain()),
        ({"start": 0.3}, plain(initial=0.3)),
        ({"strict": True, "to": -0.25}, plain(fires_at="gt", v_reset=-0.25)),
        ({"soft": True, "start": -0.5}, plain(reset="soft", initial=-0.5)),
        ({"alpha": 0.75}, plain(current_decay=0.75)),
        ({"bound": -0.5}, plain(lower_bound=-0.5)),
        ({"bound": -0.5, "soft": True, "alpha": 0.5},
         plain(lower_bound=-0.5, reset="soft", current_decay=0.5)),
        ({"wait": 2}, plain(refractory=2, refractory_input="integrated")),
        ({"wait": 1, "strict": True, "bound": -1.0, "alpha": 0.5, "start": 0.25},
         plain(refractory=1, refractory_input="integrated", fires_at="gt", lower_bound=-1.0,
               current_decay=0.5, initial=0.25)),
        ({"decay": 0.0}, plain(decay=0.0)),
        ({"decay": 1.0, "to": 0.25}, plain(decay=1.0, v_reset=0.25)),
        ({"decay": 1.0, "soft": True}, plain(decay=1.0, reset="soft")),
    ],
)  # fmt: skip
def test_every_option(options, expected):
    (neuron,) = trace(Sequence(Options(**options)), EXAMPLE).neurons()
    assert stated(neuron) == expected


class Millivolts(nn.Module):
    """Rest -65, reset -60, threshold -52: U = v + 65."""

    def forward(self, x):
        v, out = torch.full_like(x[0], -65.0), []
        for step in x:
            v = -65.0 + 0.9 * (v + 65.0) + step
            s = (v >= -52.0).to(x.dtype)
            v = v * (1 - s) - 60.0 * s
            out.append(s)
        return torch.stack(out)


def test_a_rest_potential_is_shifted_out():
    """v_reset is what is carried over: 0.9 * (-60 + 65)."""
    (neuron,) = trace(Sequence(Millivolts(), factor=40.0), EXAMPLE).neurons()
    assert stated(neuron) == plain(threshold=13.0, decay=0.9, v_reset=4.5)


class ThresholdsOfChannels(nn.Module):
    def __init__(self):
        super().__init__()
        self.threshold = nn.Parameter(torch.linspace(0.5, 2.25, 8))

    def forward(self, x):
        held, out = torch.zeros_like(x[0]), []
        for step in x:
            u = held + step
            s = (u >= self.threshold).to(x.dtype)
            held = 0.5 * u * (1 - s)
            out.append(s)
        return torch.stack(out)


def test_a_threshold_of_each_channel_scales_its_current():
    graph = trace(Sequence(ThresholdsOfChannels()), EXAMPLE)
    (neuron,) = graph.neurons()
    assert stated(neuron) == plain(threshold=0.5)
    (norm,) = (node for node in graph.nodes if node.op == "norm")
    expected = 0.5 / torch.linspace(0.5, 2.25, 8).numpy()
    assert abs(norm.parameters["scale"] - expected).max() < 1e-7
    assert not norm.parameters["shift"].any()


class Adaptive(nn.Module):
    """The threshold rises with every spike: no neuron of the equation."""

    def forward(self, x):
        held, extra, out = torch.zeros_like(x[0]), torch.zeros_like(x[0]), []
        for step in x:
            u = held + step
            s = (u >= 1 + extra).to(x.dtype)
            extra = 0.9 * extra + 0.5 * s
            held = 0.5 * u * (1 - s)
            out.append(s)
        return torch.stack(out)


class Quadratic(nn.Module):
    def forward(self, x):
        held, out = torch.zeros_like(x[0]), []
        for step in x:
            u = held * held + step
            s = (u >= 1).to(x.dtype)
            held = 0.5 * u * (1 - s)
            out.append(s)
        return torch.stack(out)


def test_what_is_no_such_neuron_is_named_with_a_description_to_paste():
    says = "what its membrane keeps without a spike is no line of the membrane"
    with pytest.raises(UnsupportedError) as caught:
        trace(Sequence(Quadratic()), EXAMPLE)
    said = str(caught.value)
    assert said.startswith("the neuron in module 'neuron' is not one that the compiler reads from")
    assert says in said
    assert said.endswith(
        "def neuron_parameters(self): return dict(threshold=1.0, decay=0.5, v_reset=0.0,"
        ' fires_at="ge", reset="hard", time_axis=0)'
    )


class Gated(nn.Module):
    """What it remembers enters squashed; it fires above 0.75."""

    def forward(self, x):
        held, gate, out = torch.zeros_like(x[0]), torch.zeros_like(x[0]), []
        for step in x:
            u = held + step + 0.5 * gate
            s = (u > 0.75).to(x.dtype)
            gate = torch.tanh(u)
            held = 0.5 * u * (1 - s)
            out.append(s)
        return torch.stack(out)


def test_the_state_that_is_not_affine_is_named_and_what_is_known_is_filled_in():
    with pytest.raises(UnsupportedError) as caught:
        trace(Sequence(Gated()), EXAMPLE)
    said = str(caught.value)
    assert "of its 2 states that which mul gives is not affine; describe it by" in said
    assert 'dict(threshold=0.75, decay=0.5, v_reset=0.0, fires_at="gt", reset="hard"' in said


def test_an_adaptive_threshold_is_named():
    with pytest.raises(UnsupportedError) as caught:
        trace(Sequence(Adaptive()), EXAMPLE)
    assert str(caught.value) == (
        "the neuron in module 'neuron' is not one that the compiler reads from its loop: its spikes"
        " alone move a state that moves its threshold (it adapts); train it with a fixed threshold"
    )
