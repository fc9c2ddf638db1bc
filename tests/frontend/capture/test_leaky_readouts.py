"""Readouts that leak, as Norse and NeuroBench write them, and what else stands around neurons."""

from __future__ import annotations

import pytest
import torch
from loop_nets import drawn
from torch import nn

from snndeploy.frontend.torch import trace
from snndeploy.passes.partition import partition
from snndeploy.passes.signals import infer_signals

pytestmark = pytest.mark.torch
EXAMPLE = torch.zeros(1, 6, 5)


class Net(nn.Module):
    """fc, a neuron, a ReLU of its spikes, fc, then v += dt ((v_leak - v) + i) with its current."""

    timesteps, input_signal = 6, "binary"

    def __init__(self, answer):
        super().__init__()
        self.first, self.last = drawn(nn.Linear(5, 8)), drawn(nn.Linear(8, 3), seed=1)
        self.answer = answer

    def forward(self, x):
        v_leak, out = torch.tensor(0.0), []
        held = torch.zeros(len(x), 8)
        v, i = torch.zeros(len(x), 3), torch.zeros(len(x), 3)
        for t in range(self.timesteps):
            u = held + self.first(x[:, t].squeeze())
            spikes = (u > 1).float()
            held = 0.5 * u * (1 - spikes)
            jump = i + self.last(torch.relu(spikes))
            v = v + 0.1 * ((v_leak - v) + jump)
            i = jump - 0.2 * jump
            out.append(v)
        return self.answer(torch.stack(out))


@pytest.mark.parametrize(
    "answer",
    [lambda v: v.mean(0), lambda v: v[-1], lambda v: v.max(0).values],
    ids=["mean", "last", "max"],
)
def test_two_states_of_a_line_are_one(answer):
    graph = trace(Net(answer), EXAMPLE)
    assert len(graph.neurons()) == 1
    decays = sorted(node.attributes["decay"] for node in graph.nodes if node.op == "leaky")
    assert decays == pytest.approx([0.8, 0.9])
    assert not graph.notes


def test_a_relu_of_spikes_is_no_work():
    graph = infer_signals(trace(Net(lambda v: v[-1]), EXAMPLE))
    assert [node.op for node in graph.nodes if node.op == "relu"] == ["relu"]
    parted = partition(graph)
    assert not [node for node in parted.nodes if node.op == "relu"]
    assert not [node for node in parted.nodes if node.block and "ReLU" in node.block.reason]
