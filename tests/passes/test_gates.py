"""Which layers find attention's scores, and how the audit counts them."""

from __future__ import annotations

import pytest
import torch
from nets import Net, conv, neuron, over_time, parted
from torch import nn

from snndeploy.frontend.load import load
from snndeploy.frontend.torch import trace
from snndeploy.passes.audit import audit
from snndeploy.passes.gates import score_layers
from snndeploy.passes.partition import partition
from snndeploy.passes.signals import infer_signals
from snndeploy.verdict import flags_of

pytestmark = pytest.mark.torch


class Changed(Net):
    """A current x = conv1(spikes) that `change` turns into another in front of the neuron."""

    def __init__(self, change):
        self.change = [change]
        super().__init__("direct")

    def build(self):
        self.conv1, self.conv2, self.score = conv(4, 4), conv(4, 4), nn.Linear(4, 4)
        self.fires = neuron()

    def body(self, x):
        return self.fires(self.change[0](self, over_time(self.conv1, x)))


def channels(net, x):
    return net.score(x.mean((3, 4)))[..., None, None]


CHANGES = {
    "gate": (lambda net, x: torch.sigmoid(channels(net, x)) * x, {"score"}),
    "one minus a gate": (lambda net, x: (1 - torch.sigmoid(channels(net, x))) * x, {"score"}),
    "mask": (lambda net, x: (channels(net, x) >= 0.0).to(x.dtype) * x, {"score"}),
    "two layers": (
        lambda net, x: torch.sigmoid(net.score(channels(net, x)[..., 0, 0].relu()))[..., None, None]
        * x,
        {"score"},
    ),
    "gate of a layer": (lambda net, x: torch.sigmoid(over_time(net.conv2, x)) * x, {"conv2.0"}),
    "no squashing": (lambda net, x: channels(net, x) * x, set()),
    "no product": (lambda net, x: torch.sigmoid(channels(net, x)) + x, set()),
    "swish": (lambda net, x: torch.sigmoid(x) * x, set()),
    "read twice": (
        lambda net, x: torch.sigmoid(channels(net, x)) * x + channels(net, x).relu(), {"score"}
    ),
}  # fmt: skip


@pytest.mark.parametrize("change, labels", list(CHANGES.values()), ids=list(CHANGES))
def test_layers_that_lead_to_gates_alone(change, labels):
    graph = parted(Changed(change))
    found = score_layers(graph)
    assert {graph.by_name[name].label for name in found} == labels
    rows = [row for row in audit(graph).rows if row.op in ("conv", "linear")]
    assert {row.layer for row in rows if row.work == "attention"} == labels
    assert sum(row.work == "attention" for row in rows) == len(found)


def test_a_result_that_also_drives_neurons_is_no_score():
    def both(net, x):
        score = channels(net, x)
        return torch.sigmoid(score) * x + score

    assert score_layers(parted(Changed(both))) == frozenset()


def test_layers_in_the_membrane_loop_are_counted():
    loaded = load("lif-snn-3-small-tcsa", random_weights=True)
    graph = partition(infer_signals(trace(loaded.module, loaded.example, verify=False)))
    found = audit(graph)
    assert found.convolutions() == {"binary": 4, "integer": 1, "real": 0, "attention": 27}
    rows = {row.layer: row for row in found.rows}
    mlp, spatial = rows["spike2.attention.0.mlp.0"], rows["spike2.attention.1.conv"]
    assert (mlp.work, mlp.input_signal, mlp.operations) == ("attention", "real", 8 * 32 * 8)
    assert (spatial.side, spatial.operations) == ("body", 8 * 2 * 9 * 7 * 7)
    assert mlp.reason == "refines the membrane at every step"
    assert sum(row.share for row in found.rows) == pytest.approx(1.0)
    assert flags_of(graph).synapses_binary


def test_layers_behind_attention_are_not_folded():
    def shortcut(net, x):
        refined = torch.sigmoid(channels(net, x)) * x
        return over_time(net.conv2, refined)

    graph = parted(Changed(shortcut))
    found = audit(graph)
    row = next(row for row in found.rows if row.layer == "conv2.0")
    assert (row.work, row.rewrite) == ("mac", "")
    assert row.reason == "multiplies what attention or a function has changed"
    assert not flags_of(graph).synapses_binary


def test_networks_without_neurons_are_not_spike_driven():
    plain = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(72, 2))
    graph = trace(plain, torch.zeros(1, 1, 8, 8), timesteps=1, spiking=False)
    flags = flags_of(partition(infer_signals(graph)))
    assert not flags.synapses_binary
    assert flags.reasons == ("no spiking neuron: every layer multiplies",)
