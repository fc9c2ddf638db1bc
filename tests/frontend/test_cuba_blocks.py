"""Own twins of lava-dl's blocks: CUBA in whole parts of 1/4096, time last, a step of delay, pools
that put channels below each other."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from snndeploy.errors import ModelError
from snndeploy.frontend.slayer import CUBA, DELAYS, FAMILY
from snndeploy.frontend.slayer_pools import SYNAPSES
from snndeploy.frontend.torch import trace

pytestmark = pytest.mark.torch
ONE = 4096


class Neuron(nn.Module):
    """u = rz(u (1 - du)) + x;  v = rz(v (1 - dv)) + u, and 0 behind a spike."""

    p_scale = s_scale = ONE
    persistent_state, graded_spike, norm = False, False, None

    def __init__(self, threshold=1.25):
        super().__init__()
        self.threshold = threshold
        self.current_decay = nn.Parameter(torch.tensor([0.25 * ONE + 0.3]))
        self.voltage_decay = nn.Parameter(torch.tensor([123.0]))

    def filtered(self, x, decay, threshold=None):
        held, out = torch.zeros(x.shape[:-1], dtype=torch.int64), torch.zeros_like(x)
        for t in range(x.shape[-1]):
            leaked = held * int(ONE - decay.round())
            new = leaked.sign() * (leaked.abs() >> 12) + (ONE * x[..., t]).to(torch.int64)
            held = new if threshold is None else new * (new < threshold * ONE)
            out[..., t] = new / ONE
        return out

    def forward(self, x):
        above = self.threshold + 0.01 / ONE
        v = self.filtered(self.filtered(x, self.current_decay), self.voltage_decay, above)
        return (v >= above).to(x.dtype)


Neuron.__module__ = CUBA


class Pool(nn.Conv3d):
    def __init__(self):
        super().__init__(1, 1, (2, 2, 1), stride=(2, 2, 1), bias=False)
        self.pre_hook_fx = None

    def forward(self, x):
        batch, channels, rows, columns, steps = x.shape
        flat = x.reshape(batch, 1, channels * rows, columns, steps)
        return super().forward(flat).reshape(batch, channels, rows // 2, columns // 2, steps)


Pool.__module__ = SYNAPSES


class Net(nn.Module):
    timesteps, input_signal = 6, "binary"

    def __init__(self, second=None):
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.pool = nn.Conv3d(2, 3, (3, 3, 1), padding=(1, 1, 0)), Pool()
        self.dense = nn.Conv3d(27, 4, 1, bias=False)
        self.neuron1, self.neuron2 = Neuron(), second or Neuron()
        for layer in (self.conv, self.pool, self.dense):
            layer.weight.data *= 4

    def shifted(self, x):
        late = torch.zeros_like(x)
        late[..., 1:] = x[..., :-1]
        return late

    def forward(self, x):
        x = self.shifted(self.neuron1(self.conv(x)))
        x = self.pool(x)
        x = x.reshape(len(x), -1, 1, 1, x.shape[-1])
        return self.shifted(self.neuron2(self.dense(x))).mean(-1).flatten(1)


def test_is_the_module_on_its_grid():
    graph = trace(Net(), torch.zeros(1, 2, 6, 6, 6))
    first, second = graph.neurons()
    for node in (first, second):
        assert node.attributes["grid"] == 1 / ONE
        assert node.attributes["decay"] == 1 - 123 / ONE
        assert node.attributes["current_decay"] == 0.75
        assert (node.attributes["threshold"], node.attributes["fires_at"]) == (1.25, "gt")
    assert [node.attributes["steps"] for node in graph.nodes if node.op == "delay"] == [1, 1]
    assert [node.attributes["groups"] for node in graph.nodes if node.op == "conv"] == [1, 3]


@pytest.mark.parametrize(
    "module, name, options, says",
    [
        (FAMILY + "alif", "Neuron", {}, "of SLAYER's neurons CUBA compiles, not alif"),
        (CUBA, "Neuron", {"graded_spike": True}, "its graded_spike does not compile; make the"
         " block without it"),
        (DELAYS, "Delay", {}, "a delay for every axon compiles from lava-dl's own file: write it"
         " with export_hdf5 and compile the .net; or make the block with delay=False"),
    ],
)  # fmt: skip
def test_what_else_slayer_has_is_named(module, name, options, says):
    other = type(name, (Neuron,), {"__module__": module, **options})()
    with pytest.raises(ModelError) as refusal:
        trace(Net(other), torch.zeros(1, 2, 6, 6, 6))
    assert str(refusal.value) == (
        f"module 'neuron2' cannot describe its neuron (slayer_neuron): ValueError: {says}"
    )
