"""Sides, audit rows and flags of the papers' kinds of networks (papers.md section 7)."""

from __future__ import annotations

import pytest
import torch
from nets import Attention, MSResNet, Pooled, Sew, SpikingResNet, TemporalAttention, neuron, parted
from torch import nn

from snndeploy.errors import UnsupportedError
from snndeploy.frontend.load import load
from snndeploy.frontend.torch import trace
from snndeploy.lower.lower import lower
from snndeploy.passes.audit import audit
from snndeploy.passes.partition import partition
from snndeploy.passes.signals import infer_signals
from snndeploy.verdict import flags_of

pytestmark = pytest.mark.torch

UNIT = (
    "; let the host do it between steps (--host-attention), choose a target with a MAC unit"
    " (hybrid45nm), fold fixed gates into the weights of the layer in front, or drop it and"
    " fine-tune"
)


def rows_of(graph):
    """Layer -> (side, what it reads), for conv and linear layers."""
    rows = audit(graph).rows
    return {r.layer: (r.side, r.input_signal) for r in rows if r.op in ("conv", "linear")}


def sides(graph):
    return {node.label: node.side for node in graph.nodes if node.op == "neuron"}


def test_direct_coding():
    graph = parted(SpikingResNet("direct"))
    assert rows_of(graph) == {
        "stem.0": ("encoder", "real"),
        "conv1.0": ("body", "binary"),
        "conv2.0": ("body", "binary"),
        "conv3.0": ("body", "binary"),
        "conv4.0": ("body", "binary"),
        "shortcut.0": ("body", "binary"),
        "classifier": ("readout", "real"),
    }
    assert set(sides(graph).values()) == {"body"}  # the stem's neuron fires on the chip
    flags = flags_of(graph)
    assert (flags.synapses_binary, flags.needs_dynamic_multiply, flags.needs_full_window) == (
        True, False, False
    )  # fmt: skip
    assert flags.reasons == ()


def test_gated_attention_in_front_of_a_spiking_resnet():
    """The first block's first convolution reads real values (as GAC says): the host's."""
    graph = parted(SpikingResNet("gac"))
    rows = rows_of(graph)
    assert rows["conv1.0"] == ("encoder", "real")
    assert rows["conv2.0"] == ("body", "binary")
    assert sides(graph)["spike"] == "encoder"
    assert sides(graph)["spikes.0"] == "body"
    flags = flags_of(graph)
    assert flags.synapses_binary
    assert flags.reasons == (
        "mean_1: mixes several time steps, inside the encoder",
        f"conv1.0: reads real values behind a neuron, so the host computes it:"
        f" {4 * 4 * 9 * 8 * 8 * 2:,} MAC a sample",
    )


def test_membrane_shortcuts_read_real_values():
    graph = parted(MSResNet())
    found = audit(graph)
    row = next(row for row in found.rows if row.layer == "shortcut.0")
    assert (row.side, row.input_signal, row.work) == ("body", "real", "mac")
    assert row.reason == "multiplies real membrane values (membrane shortcut)"
    assert row.rewrite == (
        "by linearity 1 spike-driven kernel; the encoder's part is computed by the host"
    )
    assert flags_of(graph).synapses_binary
    assert flags_of(graph).reasons == (
        f"shortcut.0: {row.reason}; {row.rewrite}",
        f"shortcut.0: the host computes the encoder's part of it: {4 * 4 * 4 * 4:,} MAC a sample",
    )


def test_additions_of_spikes_are_integers():
    graph = parted(Sew("direct"))
    rows = rows_of(graph)
    assert rows["convs.0.0"] == ("body", "binary")
    assert rows["convs.1.0"] == ("body", "binary")
    assert rows["convs.2.0"] == ("body", "integer")
    assert rows["convs.4.0"] == ("body", "integer")
    bounds = [graph.by_name[name].signal.bound for name in ("add", "add_1")]
    assert bounds == [2.0, 3.0]
    assert flags_of(graph).synapses_binary  # one kernel reads each addend


def test_averages_of_spikes_fold():
    graph = parted(Pooled("direct"))
    found = {row.layer: row for row in audit(graph).rows}
    assert found["conv.0"].side == "body"
    assert found["conv.0"].reason == "reads averages of spikes"
    assert found["linear"].side == "body"
    assert found["linear"].reason == "reads averages of spikes"
    assert flags_of(graph).synapses_binary


def test_attention_in_the_body_is_refused():
    graph = parted(Attention("direct"))
    found = audit(graph)
    flags = flags_of(graph)
    assert flags.needs_dynamic_multiply and not flags.needs_full_window
    assert flags.synapses_binary  # the gates are real, what convolutions read is not
    assert found.convolutions() == {"binary": 2, "integer": 0, "real": 2, "attention": 1}
    for mode in ("compose", "relay"):
        with pytest.raises(UnsupportedError) as caught:
            lower(graph, mode)
        assert str(caught.value) == (
            "score: attention on the current multiplies at run time, which the chip cannot do"
            f"{UNIT}"
        )


def test_attention_over_the_window_is_refused():
    graph = parted(TemporalAttention("direct"))
    flags = flags_of(graph)
    assert flags.needs_dynamic_multiply and flags.needs_full_window
    with pytest.raises(UnsupportedError) as caught:
        lower(graph, "compose")
    assert str(caught.value) == (
        "score: attention on the current, which needs all time steps at once, multiplies at run"
        f" time, which the chip cannot do{UNIT}"
    )


def test_products_of_spikes_name_their_reason():
    class Gate(SpikingResNet):
        def body(self, x):
            return super().body(x) * super().body(x)

    class Behind(Gate):
        def body(self, x):
            return self.spikes[0](super().body(x))

    with pytest.raises(UnsupportedError) as caught:
        lower(parted(Behind("direct")), "compose")
    assert caught.value.reason == "multiplies two signals computed at run time"


class Events(nn.Module):
    timesteps, input_signal = 3, "integer"

    def __init__(self):
        super().__init__()
        self.pool, self.conv = nn.MaxPool2d(2), nn.Conv2d(2, 3, 3)
        self.spike, self.linear, self.last = neuron(), nn.Linear(3, 2), neuron()

    def forward(self, x):
        frames = self.pool(x.flatten(0, 1))
        current = self.conv(frames).mean((2, 3)).unflatten(0, (-1, 3)).transpose(0, 1)
        return self.last(self.linear(self.spike(current))).mean(0)


@pytest.mark.parametrize("on_chip, side", [(True, "body"), (False, "encoder")])
def test_event_counts(on_chip, side):
    graph = infer_signals(trace(Events(), torch.zeros(1, 3, 2, 8, 8)))
    graph = partition(graph, integer_input_on_chip=on_chip)
    assert rows_of(graph) == {"conv": (side, "integer"), "linear": ("body", "binary")}
    pool = next(node for node in graph.nodes if node.op == "max_pool")
    assert (pool.side, pool.why) == ("encoder", "takes the maximum of integer values")
    network = lower(graph, "compose")
    kinds = [population.kind for population in network.populations]
    assert kinds == (["input", "lif", "lif"] if on_chip else ["lif", "lif"])


@pytest.mark.parametrize(
    "name, real_shortcuts, binary_convolutions, timesteps",
    [
        ("ms-resnet18", 4, 16, 6),
        ("gac-ms-resnet18", 4, 16, 6),
        ("ms-resnet18-cifar10", 3, 16, 6),
        ("gac-ms-resnet18-cifar10", 3, 16, 6),
        ("gac-digits", 2, 6, 4),
    ],
)
def test_ms_resnets_as_papers_section_7(name, real_shortcuts, binary_convolutions, timesteps):
    loaded = load(name, random_weights=True)
    graph = partition(infer_signals(trace(loaded.module, loaded.example, verify=False)))
    found = audit(graph)
    convolutions = [row for row in found.rows if row.op == "conv" and "body" in row.layer]
    shortcuts = [row for row in convolutions if ".shortcut." in row.layer]
    blocks = [row for row in convolutions if ".shortcut." not in row.layer]
    assert {row.input_signal for row in shortcuts} == {"real"}
    assert len(shortcuts) == real_shortcuts
    assert {row.input_signal for row in blocks} == {"binary"}
    assert len(blocks) == binary_convolutions
    assert {row.operations % timesteps for row in blocks} == {0}
    flags = flags_of(graph)
    assert flags.synapses_binary
    assert not flags.needs_dynamic_multiply
    assert not flags.needs_full_window
    classifier = next(row for row in found.rows if row.layer == "classifier")
    assert (classifier.side, classifier.reason) == ("readout", "reads averages of spikes")
    if name.startswith("gac"):
        spatial = [row for row in found.rows if ".spatial." in row.layer]
        assert [(row.side, row.hoisted) for row in spatial] == [("encoder", True)] * 2
        temporal = [row for row in found.rows if ".temporal." in row.layer]
        assert {row.operations for row in temporal} == {timesteps * (timesteps // 2)}
        assert any("mixes several time steps, inside the encoder" in r for r in flags.reasons)
    assert sum(row.share for row in found.rows) == pytest.approx(1.0)
