"""What a verdict gathers, and what its plan says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from nets import MSResNet, Sew, SpikingResNet, conv, neuron, over_time
from odd_models import opened
from torch import nn

from snndeploy.errors import FitError, UnsupportedError, Violation, refusal
from snndeploy.frontend.torch import trace
from snndeploy.passes.signals import infer_signals
from snndeploy.pipeline import Options, compile_opened
from snndeploy.target import Target
from snndeploy.verdict import judge

pytestmark = pytest.mark.torch
LOIHI1, LOIHI2, HYBRID = (Target.load(name) for name in ("loihi1", "loihi2", "hybrid45nm"))
WAY_OUT = (
    "move it into the encoder, fold a static scaling into the weights, or drop it and fine-tune"
)
FIXED = replace(LOIHI2, neuron_program=False)  # its neurons as Lava's LIF has them
STEPS, PLANE = 2, 64  # of the networks in `nets`, whose planes are 8 x 8


def graph_of(model, example=None):
    example = torch.zeros(1, 1, 8, 8) if example is None else example
    return infer_signals(trace(model.eval(), example, verify=False))


class Faults(SpikingResNet):
    """Four things that no Loihi does, in four layers."""

    def build(self):
        super().build()
        self.conv2[1].bias.data.fill_(1e6)
        self.spikes[0] = neuron(reset="soft")
        self.spikes[1] = neuron()
        self.spikes[2] = Reset()

    def body(self, x):
        branch = self.spikes[0](over_time(self.conv1, x))
        x = self.spikes[1](over_time(self.conv2, branch))
        return self.spikes[2](torch.relu(over_time(self.conv3, x)))


class Reset(type(neuron())):
    def __init__(self):
        super().__init__(0.5, 0.25, "gt")

    def neuron_parameters(self):
        return {**super().neuron_parameters(), "v_reset": -0.5}


def test_everything_is_found_at_once():
    graph = graph_of(Faults())
    found = judge(graph, FIXED)
    assert [(v.layer, v.reason, v.size) for v in found.violations] == [
        ("relu", "applies ReLU to values that are not spikes", ""),
        ("spikes.0", "soft reset", ""),
        ("spikes.1", "bias register", "exponent 15 of at most 7"),
        ("spikes.2", "reset value", "-0.5 instead of 0"),
    ]
    with pytest.raises(UnsupportedError) as caught:
        compile_opened(opened(Faults(), torch.zeros(1, 1, 8, 8), "faults"), FIXED)
    bias = 64 * (1e6 / 0.5)
    assert str(caught.value) == (
        "4 reasons: (1) relu (relu) cannot run on the chip: it applies ReLU to values that are not"
        f" spikes; {WAY_OUT}; (2) spikes.0: loihi2 has no soft reset; fine-tune with a hard reset,"
        f" or choose a target that has it; (3) spikes.1: a bias of {bias:,.0f} units needs exponent"
        " 15, the register holds 0..7; the layer's offsets are far larger than its threshold; (4)"
        " spikes.2: a reset to -0.5 has no exact integer form with leak; fine-tune with a reset to"
        " 0"
    )
    assert caught.value.violations == found.violations
    assert set(found.violations[0].as_json()) == {
        "layer", "operation", "reason", "size", "advice", "text"
    }  # fmt: skip
    assert found.violations[0].as_json()["advice"] == WAY_OUT
    assert "soft reset" not in {v.reason for v in judge(graph, HYBRID).violations}


def test_layers_that_share_a_reason_are_named_in_one():
    violations = [Violation(f"layer{i}", " is odd", f"layer{i}", "odd") for i in range(5)]
    assert str(refusal(violations[:1])) == "layer0 is odd"
    assert str(refusal(violations[:2])) == "layer0 and layer1 is odd"
    assert str(refusal(violations[:3])) == "layer0, layer1 and layer2 is odd"
    assert str(refusal(violations)) == "layer0, layer1 and 3 more is odd"
    large = replace(violations[0], said=" is large", too_large=True)
    assert isinstance(refusal([large]), FitError)
    assert isinstance(refusal([large, violations[1]]), UnsupportedError)


class Cat(SpikingResNet):
    """A refused node in front of a layer, and another refused node behind that."""

    def body(self, x):
        x = torch.tanh(over_time(self.conv1, x))
        x = self.spikes[0](torch.sigmoid(over_time(self.conv2, x)))
        return self.spikes[1](over_time(self.conv4, x))


def test_the_walk_goes_on_behind_what_is_refused():
    found = judge(graph_of(Cat()), LOIHI2)
    assert [v.operation for v in found.violations] == ["tanh", "sigmoid"]
    plan = found.plan()
    # conv2 would read what tanh gives, and no spikes
    assert {layer.layer: layer.reads for layer in plan.layers if layer.layer != "classifier"} == {
        "conv1.0": "binary", "conv2.0": "graded", "conv4.0": "binary"
    }  # fmt: skip
    assert not found.flags().synapses_binary


def test_a_shortcut_by_composition_and_by_relay():
    """One layer, two answers, each as its program has it."""
    graph = graph_of(MSResNet())
    reads = {}
    for way in ("compose", "relay"):
        verdict = judge(graph, LOIHI2, shortcuts=way)
        plan = verdict.plan()
        reads[way] = {layer.layer: layer.reads for layer in plan.layers}
        ms = opened(MSResNet(), torch.zeros(1, 1, 8, 8), "ms")
        made = compile_opened(ms, LOIHI2, Options(shortcuts=way, mapping="tiles"))
        assert made.facts.flags == verdict.flags()
        assert made.facts.plan.layers == plan.layers
        graded = {p.target for p in made.network.projections
                  if made.network.by_name[p.source].neuron.sends_graded}  # fmt: skip
        assert bool(graded) is ("graded" in reads[way].values())
    assert reads["compose"]["shortcut.0"] == "binary"
    assert reads["relay"] == {**reads["compose"], "shortcut.0": "graded"}


def macs(outputs, inputs, kernel, plane):
    return outputs * inputs * kernel**2 * plane


def test_what_the_host_computes_of_a_gated_spiking_network():
    """The first block's first convolution reads gates times spikes: the host's, at every step."""
    plan = judge(graph_of(SpikingResNet("gac")), LOIHI2).plan()
    assert [(h.layer, h.macs, h.why) for h in plan.host] == [
        ("stem.0", macs(4, 1, 3, PLANE), "encoder"),
        ("conv1.0", macs(4, 4, 3, PLANE) * STEPS, "moved"),
    ]
    assert {layer.reads for layer in plan.layers} == {"binary"}


def test_what_the_host_computes_beside_layers_of_the_chip():
    """The second block reads gates times spikes plus spikes: the kernel has two parts."""
    graph = graph_of(Sew("gac"))
    verdict = judge(graph, LOIHI2)
    plan = verdict.plan()
    each = macs(4, 4, 3, PLANE) * STEPS
    assert [(h.layer, h.macs, h.why) for h in plan.host] == [
        ("stem.0", macs(4, 1, 3, PLANE), "encoder"),
        ("convs.0.0", each, "moved"),
        ("convs.2.0", each, "part"),
        ("convs.4.0", each, "part"),
    ]
    reasons = [reason for reason in verdict.flags().reasons if reason.startswith("convs.2.0")]
    assert reasons == [
        "convs.2.0: reads the encoder's real output besides spikes; by linearity 1 spike-driven"
        " kernel; the encoder's part is computed by the host",
        f"convs.2.0: the host computes the encoder's part of it: {each:,} MAC a sample",
    ]


def test_the_cheapest_way_that_is_legal():
    """A composed shortcut would wait too long, so it is relayed, whatever it costs."""
    graph = graph_of(MSResNet())
    either = judge(graph, LOIHI2)
    assert {network.shortcuts for network in either.networks} == {"compose", "relay"}
    short = judge(graph, replace(LOIHI2, delay_max=1))
    assert [network.shortcuts for network in short.networks] == ["relay"]
    refused = judge(graph, replace(LOIHI2, delay_max=1), shortcuts="compose")
    assert [v.size for v in refused.violations] == ["2 steps of at most 1"]
    assert refused.violations[0].too_large


class Counts(nn.Module):
    timesteps, input_signal = 2, "integer"

    def __init__(self):
        super().__init__()
        self.spike, self.linear = neuron(), nn.Linear(4, 2)
        self.last = neuron()

    def forward(self, x):
        return self.last(self.linear(self.spike(x.transpose(0, 1)))).mean(0)


def test_counts_need_graded_spikes():
    graph = graph_of(Counts(), torch.zeros(1, 2, 4))
    (violation,) = judge(graph, LOIHI1).violations
    assert violation.text == (
        "transpose: the model's input holds integers, and loihi1 has no graded spikes; put a layer"
        " in front, which the host computes, or choose a target that has them"
    )
    assert not judge(graph, LOIHI2).violations


def test_what_calibration_alone_can_tell():
    """The encoder's values may overflow a bias register: the verdict says who will know."""

    class Loud(SpikingResNet):
        def forward(self, x):
            return super().forward(x * 1e6)

    graph = graph_of(Loud())
    verdict = judge(graph, LOIHI2)
    assert not verdict.violations
    assert verdict.open == (
        "spike: whether bias registers hold the encoder's values depends on calibration",
    )
    with pytest.raises(FitError, match="depends on calibration"):
        compile_opened(opened(Loud(), torch.zeros(1, 1, 8, 8), "loud"), LOIHI2)


def test_two_reasons_of_size_are_one_fit_error():
    board = replace(FIXED, max_chips=1, cores_per_chip=1, neurons_per_core=100)
    found = judge(graph_of(SpikingResNet()), board)
    (violation,) = found.violations
    assert violation.too_large and "cores" in violation.text
    soft = graph_of(Soft())
    assert {v.too_large for v in judge(soft, board).violations} == {True, False}


class Soft(SpikingResNet):
    def build(self):
        super().build()
        self.spikes[1] = neuron(reset="soft")


def test_rearranged_channels_are_told_once():
    class Shuffled(SpikingResNet):
        def body(self, x):
            x = x.unflatten(2, (2, 2)).transpose(2, 3).flatten(2, 3)
            return self.spikes[0](over_time(self.conv1, x))

    (violation,) = judge(graph_of(Shuffled()), LOIHI2).violations
    assert violation.reason == (
        "has no single spike-driven kernel: a view from (4, 8, 8) to (2, 2, 8, 8)"
    )


def test_a_network_without_neurons_has_one_reason():
    plain = nn.Sequential(conv(1, 2), nn.Flatten(), nn.Linear(128, 2))
    traced = trace(plain.eval(), torch.zeros(1, 1, 8, 8), timesteps=1, spiking=False)
    found = judge(infer_signals(traced), LOIHI2)
    (violation,) = found.violations
    assert violation.text.startswith("no spiking neuron was recognised in the model")
    assert not found.flags().synapses_binary


def test_chosen_before_and_after_calibration():
    """The way that the assumed rate chooses is the one of these rates too."""
    verdict = judge(graph_of(MSResNet()), LOIHI2)
    rates = {p.node: 0.2 for network in verdict.networks for p in network.populations}
    assert verdict.plan(rates).shortcuts == verdict.plan().shortcuts
    assert np.isclose(verdict.plan(rates).prices[0].weight, verdict.plan().prices[0].weight)
