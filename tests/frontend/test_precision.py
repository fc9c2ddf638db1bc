"""Modules in double or half precision are traced as float32, and again as their parameters are."""

from __future__ import annotations

import pytest
import torch
from tiny import LIF
from torch import nn

from snndeploy.errors import ModelError
from snndeploy.frontend.torch import trace, traced

pytestmark = pytest.mark.torch


class Net(nn.Module):
    timesteps, input_signal = 3, "binary"

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.layer, self.neuron, self.last = nn.Linear(4, 6), LIF(), nn.Linear(6, 2)

    def forward(self, x):
        return self.last(self.neuron(4 * self.layer(x.transpose(0, 1)))).mean(0)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_another_precision(dtype):
    model = Net().to(dtype)
    graph, again = traced(model, torch.zeros(1, 3, 4))
    (first, _) = (node for node in graph.nodes if node.op == "linear")
    assert torch.equal(
        torch.tensor(first.parameters["weight"]), model.layer.weight.detach().float()
    )
    assert model.layer.weight.dtype == dtype  # the model itself stays as it was
    with torch.no_grad():
        model.layer.weight.mul_(2)
    later = again().by_name[first.name].parameters["weight"]
    assert torch.equal(torch.tensor(later), model.layer.weight.detach().float())


class TwoInputs(Net):
    def forward(self, x, y):
        return super().forward(x + y)


def test_a_second_input_is_refused_with_what_to_write():
    with pytest.raises(ModelError) as raised:
        trace(TwoInputs(), torch.zeros(1, 3, 4))
    assert str(raised.value) == (
        "the model cannot be traced: its forward needs more than one tensor; wrap it in a module"
        " whose forward takes one, of the inputs put together, and takes them apart for it"
    )
