"""Modules that process one step a call, inputs with time first, and the one answer of several."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from stepping import Kept, OneStep, Passed, Whole
from torch import nn

from snndeploy.errors import ModelError
from snndeploy.frontend.answer import answer_of
from snndeploy.frontend.calling import Called, Calling, reset_states, step_by_step
from snndeploy.frontend.capture.double import in_double
from snndeploy.frontend.torch import trace
from snndeploy.ops.evaluate import evaluate

pytestmark = pytest.mark.torch

STEPS = 5


def answers(graph, x):
    """(time, batch, 3) of the graph for (batch, ...) inputs."""
    found = evaluate(graph, x.numpy().astype(np.float64), hoist=False, double=True)
    return found[graph.outputs[0]].reshape(STEPS, len(x), 3).float()


def by_hand(net, steps):
    """The user's loop."""
    with torch.no_grad():
        return torch.stack([net(step) for step in steps])


def random(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(3)) * 3


def test_one_step_a_call_with_one_input_for_all_steps():
    graph = trace(OneStep(), torch.zeros(1, 6), timesteps=STEPS)
    x = random(2, 6)
    expected = by_hand(OneStep(), [x] * STEPS)
    assert 0 < expected.sum() < expected.numel()
    assert torch.equal(answers(graph, x), expected)
    assert [node.module for node in graph.neurons()] == ["lif1", "lif2"]
    assert graph.notes[0] == (
        "the model processes one step a call: it is called 5 times with the same input, from states"
        " that are reset, and its answers are put together in time"
    )


@pytest.mark.parametrize("shape", [(1, STEPS, 6), (STEPS, 1, 6)])
def test_one_step_a_call_with_an_input_of_each_step(shape):
    graph = trace(OneStep(), torch.zeros(shape), timesteps=STEPS)
    x = random(2, STEPS, 6)
    assert torch.equal(answers(graph, x), by_hand(OneStep(), x.transpose(0, 1)))
    assert "with the input of each step" in graph.notes[0]


def test_states_that_are_arguments_are_passed_on():
    graph = trace(Passed(), torch.zeros(1, STEPS, 6), timesteps=STEPS)
    x, net, mem, expected = random(2, STEPS, 6), Passed(), None, []
    for step in x.transpose(0, 1):
        spike, mem = net(step, mem)
        expected.append(spike.detach())
    assert torch.equal(answers(graph, x), torch.stack(expected))


def test_a_module_with_its_own_loop_is_called_once_and_finds_time_first():
    graph = trace(Whole(STEPS), torch.zeros(1, STEPS, 6), timesteps=STEPS)
    x = random(2, STEPS, 6)
    with torch.no_grad():
        assert torch.equal(answers(graph, x), Whole(STEPS)(x.transpose(0, 1)))
    assert graph.notes == ()


@pytest.mark.parametrize(
    "form, place", [("tuple", "[0]"), ("lists", "[0]"), ("dictionary", "['spikes']")]
)
def test_the_first_of_several_results_is_the_answer(form, place):
    graph = trace(Whole(STEPS, form), torch.zeros(STEPS, 1, 6), timesteps=STEPS)
    assert graph.notes == (f"of all that the model returns, {place} is taken as its answer",)
    x = random(2, STEPS, 6)
    with torch.no_grad():
        assert torch.equal(answers(graph, x), Whole(STEPS)(x.transpose(0, 1)))


def test_answers_in_every_container():
    a, b = torch.zeros(2, 3), torch.ones(4)
    assert answer_of(a, 4) == (a, "")
    assert answer_of((None, [a], b), 4) == (a, "[1]")
    assert answer_of({"loss": None, "out": (b, a)}, 4) == (b, "['out'][0]")
    assert answer_of([None, "text"], 2) == (None, "")
    stacked, place = answer_of([a, a + 1, a + 2], 3)
    assert place == "" and torch.equal(stacked, torch.stack([a, a + 1, a + 2]))
    assert answer_of([a, a], 3) == (a, "[0]")


def test_who_remembers_is_called_step_by_step():
    assert step_by_step(OneStep(), torch.zeros(1, 6), 4) == Calling(4, stepped=True)
    sequence = torch.zeros(1, 4, 6)
    assert step_by_step(OneStep(), sequence, 4, 1) == Calling(4, stepped=True, along=1)
    assert step_by_step(nn.Linear(6, 3), torch.zeros(1, 6), 4) is None
    assert step_by_step(Whole(4), torch.zeros(4, 1, 6), 4, 0) is None
    assert step_by_step(OneStep(), torch.zeros(1, 6), 1) is None


def test_states_of_earlier_calls_are_reset():
    net = OneStep()
    net(torch.ones(1, 6))
    assert trace(net, torch.zeros(1, 6), timesteps=STEPS).neurons()
    assert net.lif1.v == 0.0


def test_a_reset_that_changes_weights_is_refused():
    class Fresh(Kept):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.ones(3))

        def reset(self):
            nn.init.zeros_(self.weight)

    with pytest.raises(ModelError) as refused:
        reset_states(nn.Sequential(Fresh()))
    assert str(refused.value) == (
        "method reset() of module '0' changes weights; the compiler calls it to clear states: let"
        " it do that alone"
    )


def test_a_called_module_runs_in_double_precision_and_again_from_rest():
    called = Called(OneStep(), Calling(STEPS, stepped=True))
    x = random(2, 6)
    expected = by_hand(OneStep().double(), [x.double()] * STEPS)
    with torch.no_grad():
        assert torch.equal(called(x).double(), expected)
    assert torch.equal(in_double(called, x), expected)


def test_a_reset_that_raises_is_named():
    """What it left behind would silently be where the network begins."""

    class Stuck(torch.nn.Linear):
        def reset(self):
            raise RuntimeError("no state yet")

    with pytest.raises(ModelError, match=r"method reset\(\) of module '' raises: .*no state yet"):
        reset_states(Stuck(2, 2))
