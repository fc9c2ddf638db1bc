"""Loops over time written by hand: every style rolls, and what differs by step is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from loop_nets import drawn, stated
from spiking_graphs import opened
from torch import nn

from snndeploy.data import Data
from snndeploy.errors import UnsupportedError
from snndeploy.frontend.torch import trace
from snndeploy.ops.evaluate import evaluate
from snndeploy.pipeline import Options, compile_opened
from snndeploy.simulator.run import simulate
from snndeploy.target import Target

pytestmark = pytest.mark.torch

STEPS = 5
EXAMPLE = torch.zeros(1, STEPS, 6)


class Net(nn.Module):
    """6 values a step -> 8 neurons, by a loop in forward -> 3 values."""

    timesteps, input_signal = STEPS, "binary"

    def __init__(self, loop):
        super().__init__()
        self.first, self.last = drawn(nn.Linear(6, 8)), drawn(nn.Linear(8, 3), seed=1)
        self.loop = loop

    def forward(self, x):
        return self.loop(self, x)


def stacked(net, x):
    v, spikes = torch.zeros(len(x), 8), []
    for t in range(STEPS):
        u = v + net.first(x[:, t])
        s = (u >= 1).float()
        v = 0.5 * u * (1 - s)
        spikes.append(s)
    return net.last(torch.stack(spikes, 1).mean(1))


def last_read(net, x):
    v = torch.zeros(len(x), 8)
    for t in range(STEPS):
        u = v + net.first(x[:, t])
        s = (u >= 1).float()
        v = 0.5 * u * (1 - s)
    return net.last(s)


def number_first(net, x):
    v, total = 0, 0
    for t in range(STEPS):
        u = 0.5 * v + net.first(x[:, t])
        s = (u >= 1).float()
        v = u * (1 - s)
        total += s
    return net.last(total / STEPS)


def where_and_heaviside(net, x):
    v, spikes = torch.zeros(len(x), 8), []
    for step in x.transpose(0, 1):
        u = 0.5 * v + net.first(step)
        s = torch.heaviside(u - 1, torch.tensor(1.0))
        v = torch.where(s > 0, torch.zeros_like(u), u)
        spikes.append(s)
    return net.last(torch.stack(spikes).mean(0))


def in_place(net, x):
    v = torch.zeros(len(x), 8)
    total = torch.zeros(len(x), 8)
    for t in range(STEPS):
        v.mul_(0.5).add_(net.first(x[:, t]))
        s = v.ge(1).float()
        v.masked_fill_(s.bool(), 0.0)
        total += s
    return net.last(total / STEPS)


def grown(net, x):
    v, out = torch.zeros(len(x), 8), torch.empty(0, len(x), 8)
    for t in range(STEPS):
        u = 0.5 * v + net.first(x[:, t])
        s = (u >= 1).float()
        v = u - u * s
        out = torch.cat([out, s.unsqueeze(0)])
    return net.last(out.mean(0))


def index_writes(net, x):
    v, out = None, torch.zeros(len(x), STEPS, 8)
    for t in range(STEPS):
        current = net.first(x[:, t])
        v = current if v is None else 0.5 * v + current
        s = (v >= 1).float()
        v = v * (1 - s)
        out[:, t] = s
    return net.last(out.mean(1))


def running_sum(net, x):
    v, counts = torch.zeros(len(x), 8), torch.zeros(len(x), 3)
    for t in range(STEPS):
        u = 0.5 * v + net.first(x[:, t])
        s = (~(u < 1)).float()
        v = u * (1 - s)
        counts = counts + net.last(s)
    return counts / STEPS


STYLES = (
    stacked, last_read, number_first, where_and_heaviside, in_place, grown, index_writes,
    running_sum,
)  # fmt: skip


def evaluated(graph, x):
    (found,) = evaluate(graph, x.numpy(), hoist=False).values()
    return found


@pytest.mark.parametrize("style", STYLES, ids=lambda style: style.__name__)
def test_every_style_rolls_with_difference_zero(style):
    net = Net(style)
    graph = trace(net, EXAMPLE)
    (neuron,) = graph.neurons()
    assert stated(neuron) == {
        "threshold": 1.0, "fires_at": "ge", "decay": 0.5, "v_reset": 0.0, "reset": "hard",
    }  # fmt: skip
    x = torch.randint(0, 2, (40, STEPS, 6), generator=torch.Generator().manual_seed(2)).float()
    with torch.no_grad():
        theirs, spikes = net(x), evaluate(graph, x.numpy(), [neuron.name], hoist=False)
    assert (evaluated(graph, x) - theirs).abs().max() < 1e-5
    assert 0.01 < float(spikes[neuron.name].mean()) < 0.6


def test_the_graph_has_one_call_a_layer():
    graph = trace(Net(stacked), EXAMPLE)
    assert [node.op for node in graph.nodes if node.op in ("linear", "neuron", "mean")] == [
        "linear", "neuron", "mean", "linear",
    ]  # fmt: skip


# steps behind a burn-in, and steps with weights of their own


def fired(net, x):
    v, spikes = torch.zeros(len(x), 8), []
    for t in range(STEPS):
        u = v + net.first(x[:, t])
        spikes.append((u >= 1).float())
        v = 0.5 * u * (1 - spikes[-1])
    return spikes


def scored(net, x):
    return [net.last(s) for s in fired(net, x)]


READOUTS = {
    "behind a burn-in": (lambda net, x: torch.stack(scored(net, x)[2:]).mean(0), "take mean"),
    "summed behind a burn-in": (lambda net, x: sum(scored(net, x)[2:]) / 3, "take sum scale"),
    "the last two spikes": (lambda net, x: sum(fired(net, x)[-2:]), "take sum"),
    "the first three": (lambda net, x: torch.stack(scored(net, x)[:3]).mean(0), "take mean"),
    "falling weights": (
        lambda net, x: sum(y * 0.5**t for t, y in enumerate(scored(net, x))), "weigh sum"),
    "divided behind a burn-in": (
        lambda net, x: torch.stack([y / (t + 1) for t, y in enumerate(scored(net, x))][2:]).sum(0),
        "weigh take sum"),
    "learned weights behind a burn-in": (
        lambda net, x: sum(net.weights[t] * y for t, y in enumerate(scored(net, x)) if t > 1),
        "weigh take sum"),
}  # fmt: skip


@pytest.mark.parametrize("name", READOUTS)
def test_some_steps_and_weights_of_steps_stay_on_the_chip(name):
    readout, ops = READOUTS[name]
    net = Net(readout)
    net.weights = nn.Parameter(torch.tensor([0.5, -1.0, 2.0, 0.25, 3.0]))
    graph = trace(net, EXAMPLE)
    assert [n.op for n in graph.nodes if n.op not in ("input", "permute", "linear", "neuron")] == (
        ops.split()
    )
    x = torch.randint(0, 2, (40, STEPS, 6), generator=torch.Generator().manual_seed(2)).float()
    with torch.no_grad():
        assert (evaluated(graph, x) - net(x)).abs().max() < 1e-5
    program = compile_opened(
        opened(graph),
        Target.load("loihi2"),
        Options(calibration=Data(x.numpy(), None, 1.0, "events"), mapping="tiles"),
    )
    ((chip, real),) = simulate(program, x.numpy()).answers()
    assert np.corrcoef(chip.reshape(-1), real.reshape(-1))[0, 1] > 0.98


# what differs by step


def reversed_input(net, x):
    return _loop(net, [x[:, STEPS - 1 - t] for t in range(STEPS)])


def swapped_input(net, x):
    return _loop(net, [x[:, t] for t in (1, 0, *range(2, STEPS))])


def _loop(net, steps, **changes):
    v, spikes = torch.zeros(len(steps[0]), 8), []
    for t, step in enumerate(steps):
        odd = t == 2
        layer = net.other if odd and "weights" in changes else net.first
        layer = net.other if t % 2 and "alternating" in changes else layer
        threshold = 1.5 if odd and "threshold" in changes else 1.0
        decay = 0.7 if odd and "decay" in changes else 0.5
        u = v + layer(step)
        s = (u >= threshold).float()
        if "mask" in changes and t > 1:
            s = s * (1 - spikes[t - 2])
        v = decay * u if odd and "reset" in changes else decay * u * (1 - s)
        spikes.append(s)
    return net.last(sum(spikes))


def changed(name):
    def loop(net, x):
        return _loop(net, [x[:, t] for t in range(STEPS)], **{name: True})

    return loop


SABOTAGED = {
    "reversed": (reversed_input, "step 1: select"),
    "swapped": (swapped_input, "step 1: select"),
    **{
        name: (changed(name), says)
        for name, says in {
            "weights": "step 3 of module 'first': linear with another tensor",
            "alternating": "step 2 of module 'first': linear with another tensor",
            "threshold": "step 3: ge with 1.5 where other steps have 1",
            "decay": "step 3: mul with 0.7 where other steps have 0.5",
            "reset": "step 3: it has add where other steps have mul",
            "mask": "step 1: it has _to_copy where other steps have mul",
        }.items()
    },
}


@pytest.mark.parametrize("name", SABOTAGED)
def test_a_loop_that_differs_by_step_is_refused(name):
    loop, says = SABOTAGED[name]
    net = Net(loop)
    net.other = drawn(nn.Linear(6, 8), seed=3)
    with pytest.raises(UnsupportedError) as caught:
        trace(net, EXAMPLE)
    assert says in str(caught.value)


def tilted(net, x):
    """A bias and a tensor of each step: neither is a factor."""
    return net.last(sum(s + t for t, s in enumerate(fired(net, x))))


def test_numbers_of_steps_are_factors_alone():
    graph = trace(Net(tilted), EXAMPLE)
    assert "weigh" not in {node.op for node in graph.nodes}
    x = torch.ones(4, STEPS, 6)
    with torch.no_grad():
        assert (evaluated(graph, x) - Net(tilted)(x)).abs().max() < 1e-4
