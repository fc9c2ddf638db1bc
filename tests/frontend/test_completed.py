"""A description that leaves out what the module's loop has is completed; a wrong one is refused."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from snndeploy.errors import ModelError
from snndeploy.frontend.torch import trace
from snndeploy.neurons import equation_of

pytestmark = pytest.mark.torch
STATED = {
    "threshold": 1.0, "decay": 0.75, "v_reset": 0.0, "fires_at": "ge", "reset": "hard",
    "time_axis": 0,
}  # fmt: skip


class Synaptic(nn.Module):
    """A current that lasts, which the description does not mention."""

    def __init__(self, **stated):
        super().__init__()
        self.stated = {**STATED, **stated}

    def neuron_parameters(self):
        return self.stated

    def forward(self, x):
        current, carried, spikes = torch.zeros_like(x[0]), torch.zeros_like(x[0]), []
        for now in x:
            current = 0.5 * current + now
            membrane = carried + current
            spike = (membrane >= 1.0).to(x.dtype)
            carried = 0.75 * membrane * (1 - spike)
            spikes.append(spike)
        return torch.stack(spikes)


class Net(nn.Module):
    timesteps, input_signal = 6, "binary"

    def __init__(self, **stated):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.spikes, self.out = nn.Linear(8, 12), Synaptic(**stated), nn.Linear(12, 3)

    def forward(self, x):
        return self.out(self.spikes(2 * self.first(x.transpose(0, 1)))).mean(0)


def test_what_is_left_out_is_read_from_the_loop_and_said():
    graph = trace(Net(), torch.zeros(1, 6, 8))
    (node,) = graph.neurons()
    found = equation_of(node.attributes)
    assert (found.threshold, found.decay, found.current_decay) == (1.0, 0.75, 0.5)
    assert "neuron 'spikes' does not state its current decay 0.5: read from its code" in graph.notes


@pytest.mark.parametrize(
    "wrong",
    [{"threshold": 1.1}, {"decay": 0.7}, {"fires_at": "gt", "decay": 0.5}, {"reset": "soft"},
     {"current_decay": 0.25}],
)  # fmt: skip
def test_a_value_that_is_stated_wrongly_is_refused(wrong):
    with pytest.raises(ModelError, match="does not do what it states"):
        trace(Net(**wrong), torch.zeros(1, 6, 8))
