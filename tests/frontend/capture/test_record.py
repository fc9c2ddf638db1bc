"""The fast road for many steps: what is recorded is what an export gives, and never more."""

from __future__ import annotations

import time

import pytest
import torch
from framework_twins import JellyLIF, Leaky, MemUpdate, NorseLIF
from loop_nets import Sequence, Stepped, drawn, stated
from torch import nn

from snndeploy.errors import ModelError, UnsupportedError
from snndeploy.frontend import torch as door
from snndeploy.frontend.capture.aliasing import NotRecorded
from snndeploy.frontend.capture.program import read_program
from snndeploy.frontend.capture.record import FROM_STEPS, recorded
from snndeploy.frontend.capture.replay import Replay
from snndeploy.frontend.capture.values import Call, Constant
from snndeploy.frontend.torch import trace
from snndeploy.ops.axes import TRACE_BATCH

pytestmark = pytest.mark.torch


class Module(nn.Module):
    """A module of one function of its input, (samples, 5, 6), and a parameter (5, 6)."""

    def __init__(self, function):
        super().__init__()
        torch.manual_seed(0)
        self.weight = nn.Parameter(torch.randn(5, 6))
        self.function = function

    def forward(self, x):
        return self.function(x, self.weight)


def program_of(module, shape):
    x = torch.zeros(TRACE_BATCH, *shape)
    with torch.no_grad():
        return read_program(recorded(module, x, door.WRITTEN_IN_OTHERS), 1)[0]


def said(program):
    """A program line by line: operators, numbers, shapes, and which value every place reads, in an
    order that only what the output reads decides (a view is recorded where it is read)."""
    numbers = {}

    def number(call):
        for source in call.sources():
            if isinstance(source, Call) and source not in numbers:
                number(source)
        numbers[call] = len(numbers)

    number(program.output)

    def of(argument):
        if isinstance(argument, (list, tuple)):
            return [of(part) for part in argument]
        if isinstance(argument, Call):
            return f"call {numbers[argument]}"
        if isinstance(argument, Constant):
            value = torch.as_tensor(argument.value).double()
            return argument.shape, round(float((value * torch.arange(value.numel()).reshape(
                value.shape)).sum() + value.sum()), 4)  # fmt: skip
        return str(argument) if not hasattr(argument, "dtype") else "input"

    return [
        (call.name, call.module, call.shape, str(call.dtype),
         {key: of(value) for key, value in call.arguments.items()})
        for call in numbers
    ]  # fmt: skip


NETS = {
    "leaky, states passed": lambda: Stepped(Leaky(), 1),
    "synapse, a tuple of states": lambda: Stepped(NorseLIF(), 0),
    "a sequence, states kept": lambda: Sequence(JellyLIF()),
    "written by index": lambda: Sequence(MemUpdate()),
}


@pytest.mark.parametrize("name", NETS)
def test_a_recorded_program_is_the_exported_one(name):
    x = torch.zeros(TRACE_BATCH, 6, 5)
    with torch.no_grad():
        exported = door._exported(NETS[name]().eval(), x)
    theirs = said(read_program(exported, 6)[0])
    ours = said(program_of(NETS[name]().eval(), (6, 5)))
    assert len(ours) > 20
    assert ours == theirs


# writes in place


def rows(x, w):
    out = torch.zeros(len(x), 5, 6)
    for t in range(5):
        out[:, t] = x[:, t] * w[t]
        out[:, t, 1:4] += 1.0
    return out


def written_through_views(x, w):
    v = x.clone()
    wide = v.unsqueeze(1)
    turned = wide.transpose(2, 3)
    turned[:, 0, 2].mul_(w[:, 2])  # a column of v
    v[:, 1:3].add_(wide[:, 0, 3:5])  # reads what was written before
    flat = v.view(len(x), 30)
    flat[:, ::7] = 0.5
    return turned.squeeze(1) + v.transpose(1, 2)


def of_parts(x, w):
    v = x * w
    one, two = v.split([2, 3], dim=1)
    one.neg_()
    first, *_ = two.unbind(1)
    first.clamp_(min=0.25)
    kept = v.detach()
    v.masked_fill_(v > 1, -2.0)
    return torch.cat([two, one], 1) + kept


def numbers_become_others(x, w):
    fires = x > w
    fires[:, 0] = False
    counts = torch.zeros(len(x), 5, 6, dtype=torch.int64)
    counts += fires
    v = x.clone()
    v.copy_(counts)
    return v.permute(2, 0, 1).sub_(1).permute(1, 2, 0) * w


@pytest.mark.parametrize("function", [rows, written_through_views, of_parts, numbers_become_others])
def test_writes_in_place_reach_every_view(function):
    module = Module(function)
    program = program_of(module, (5, 6))
    x = torch.randn(TRACE_BATCH, 5, 6, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        theirs = module(x.clone())
    ours = Replay(program, torch.float32).run(x, ())[program.output]
    assert torch.equal(ours.reshape(theirs.shape), theirs)


def test_parameters_and_buffers_are_not_written():
    class Counting(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("v", torch.ones(6))

        def forward(self, x):
            self.v.add_(1.0)
            return x * self.v

    module = Counting()
    program = program_of(module, (6,))
    assert module.v.tolist() == [1.0] * 6
    x = torch.ones(TRACE_BATCH, 6)
    assert bool((Replay(program, torch.float32).run(x, ())[program.output] == 2).all())


# what is not recorded is exported, or refused as it would be


def decides(x, w):
    return x * w if x.sum() > 0 else x


def leaves(x, w):
    return x * torch.from_numpy(x.numpy().copy())


def broadcast_and_written(x, w):
    wide = x[:, :1].expand(len(x), 5, 6)
    (x[:, 0]).add_(1.0)
    return wide.relu_() * w


@pytest.mark.parametrize(
    ("function", "says"),
    [(decides, "DataDependent"), (leaves, "numpy"), (broadcast_and_written, "aten.expand")],
)
def test_what_cannot_be_seen_is_not_recorded(function, says):
    with pytest.raises(NotRecorded, match=says):
        program_of(Module(function), (5, 6))


class Deep(nn.Module):
    """Three layers of hand-written neurons over T steps of real values."""

    input_signal = "real"

    def __init__(self, timesteps, threshold=None):
        super().__init__()
        self.timesteps = timesteps
        self.layers = nn.ModuleList(
            drawn(nn.Linear(a, b), 2.0) for a, b in ((12, 24), (24, 24), (24, 5))
        )
        self.threshold = threshold or (lambda t: 1.0)

    def forward(self, x):
        states, total = [0.0] * 3, 0.0
        for t in range(self.timesteps):
            s = x[:, t]
            for i, layer in enumerate(self.layers):
                u = 0.875 * states[i] + layer(s)
                s = (u > self.threshold(t)).float()
                states[i] = u * (1 - s)
            total = total + s
        return total / self.timesteps


def not_exported(*_):
    raise AssertionError("it was exported")


def test_many_steps_are_recorded_and_proved(monkeypatch):
    monkeypatch.setattr(door, "_exported", not_exported)
    graph = trace(Deep(FROM_STEPS), torch.zeros(1, FROM_STEPS, 12))
    neurons = graph.neurons()
    assert len(neurons) == 3 and not graph.notes
    expected = dict(threshold=1.0, fires_at="gt", decay=0.875, v_reset=0.0, reset="hard")
    assert all(stated(neuron) == expected for neuron in neurons)


def test_a_step_that_differs_is_refused_of_many_too(monkeypatch):
    monkeypatch.setattr(door, "_exported", not_exported)
    net = Deep(FROM_STEPS, lambda t: 1.5 if t == 11 else 1.0)
    with pytest.raises(UnsupportedError, match=r"step 12: gt with 1\.5 where other steps have 1;"):
        trace(net, torch.zeros(1, FROM_STEPS, 12))


def test_what_the_recording_does_not_see_is_found_by_the_proof():
    class Hidden(Deep):
        def forward(self, x):
            shift = 0.0 if x.__class__ is not torch.Tensor else 0.25
            return super().forward(x) + shift

    with pytest.raises(ModelError, match="output and its trace differ by up to 0"):
        trace(Hidden(FROM_STEPS), torch.zeros(1, FROM_STEPS, 12))


@pytest.mark.slow
def test_two_hundred_steps_of_three_layers_take_less_than_ten_seconds():
    """Processor time: other work on the machine is not counted."""
    start = time.process_time()
    graph = trace(Deep(200), torch.zeros(1, 200, 12))
    assert len(graph.neurons()) == 3
    assert time.process_time() - start < 10
