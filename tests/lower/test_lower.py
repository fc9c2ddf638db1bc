"""What graphs become: populations, terms, host parts and readouts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from nets import MSResNet, Net, Pooled, Sew, SpikingResNet, conv, neuron, over_time, parted
from real_evaluator import run_real
from torch import nn

from snndeploy.connections import Conv, Dense
from snndeploy.errors import UnsupportedError
from snndeploy.lower.lower import lower
from snndeploy.lower.real_network import lowering_cost
from snndeploy.target import Target

pytestmark = pytest.mark.torch

POOLED = "; pool behind the neurons, where it takes the maximum of spikes, or average instead"
WAY_OUT = (
    "; move it into the encoder, fold a static scaling into the weights, or drop it and fine-tune"
)


def told(network):
    """One line a population."""
    lines = []
    for population in network.populations:
        terms = " + ".join(f"{form(t.connection)} {t.source}" for t in population.terms)
        host = f" host {population.host}" if population.host else ""
        constant = " constant" if population.host_constant else ""
        offset = " offset" if population.offset is not None else ""
        lines.append(f"{population.kind} {population.name}: {terms}{host}{constant}{offset}")
    return lines


def form(connection):
    kernel = "x".join(map(str, connection.weight.shape))
    if isinstance(connection, Dense):
        return f"dense {kernel} pool {connection.pool[0]}"
    return f"conv {kernel}/{connection.stride[0]}"


def test_membrane_shortcuts_by_composition():
    network = lower(parted(MSResNet()), "compose")
    assert network.shortcuts == "compose"
    assert told(network) == [
        "lif spikes.0:  host repeat constant",
        "lif spikes.1: conv 4x4x3x3/1 spikes.0",
        "lif spikes.2: conv 4x4x3x3/1 spikes.1 host repeat constant",
        "lif spikes.3: conv 4x4x3x3/2 spikes.2",
        "lif spikes.4: conv 4x4x3x3/1 spikes.3 + conv 4x4x3x3/2 spikes.1"
        " host view_9@host(_native_batch_norm_legit_no_training_5@host(conv2d_5@host("
        "view_8@host(repeat)))) constant",
        "integrator readout: dense 2x4x1x1 pool 4 spikes.4",
    ]


def test_membrane_shortcuts_by_relay():
    network = lower(parted(MSResNet("gac")), "relay")
    assert [line.split(":")[0] for line in told(network)] == [
        "lif spikes.0", "lif spikes.1", "lif spikes.2", "lif spikes.3", "relay relay",
        "lif spikes.4", "integrator readout",
    ]  # fmt: skip
    assert network.shortcuts == "relay"
    relay, last = network.populations[4], network.populations[5]
    assert relay.name == f"relay:{relay.node}"
    assert form(relay.terms[0].connection) == "conv 4x4x3x3/1"
    assert relay.host and not last.host  # the encoder's graded part travels with the relay
    assert [form(term.connection) for term in last.terms] == ["conv 4x4x3x3/1", "conv 4x4x1x1/2"]


def test_constant_encoders_stay_out_of_relays():
    network = lower(parted(MSResNet("ms")), "relay")
    relay, last = network.populations[4], network.populations[5]
    assert not relay.host and last.host_constant


def test_direct_coding_has_no_shortcut_to_cross():
    network = lower(parted(SpikingResNet("direct")), "relay")
    assert network.shortcuts == "none"
    assert network.populations[0].host_constant
    assert [p.host for p in network.populations[1:]] == [""] * 5


def test_additions_of_spikes_share_one_kernel():
    network = lower(parted(Sew("direct")), "compose")
    last = network.by_name["spikes.4"]
    assert [term.source for term in last.terms] == ["spike", "spikes.1", "spikes.3"]
    assert len({id(term.connection) for term in last.terms}) == 1


def test_pools_of_spikes_compose_with_what_reads_them():
    network = lower(parted(Pooled("direct")), "compose")
    assert told(network)[1:] == [
        "lif spikes.0: conv 4x4x6x6/2 spike",
        "lif spikes.1: dense 4x4x2x2 pool 2 spikes.0 offset",
        "integrator readout: dense 2x4x1x1 pool 1 spikes.1",
    ]


class Readout(Net):
    """One spiking layer, and a readout to be tried."""

    def __init__(self, answer):
        super().__init__("direct")
        self.answer = answer
        self.linear = nn.Linear(4 * 8 * 8, 6, bias=False)

    def build(self):
        self.conv, self.last = conv(4, 4), neuron()

    def forward(self, x):
        return self.answer(self, self.last(over_time(self.conv, self.encode(x))))


def vote(net, s):
    return net.linear(s.flatten(2)).mean(0).unflatten(1, (2, 3)).mean(2)


ANSWERS = {
    "count": lambda net, s: s.mean(0).flatten(1),
    "sum": lambda net, s: s.sum(0).flatten(1),
    "per step": lambda net, s: net.classifier(s.mean((3, 4))),
    "mean of all at once": lambda net, s: net.classifier(s.mean((0, 3, 4))),
    "flattened plane": lambda net, s: net.classifier(s.flatten(3).mean(3)).mean(0),
    "bias before a sum": lambda net, s: net.classifier(s.mean((3, 4))).sum(0),
    "votes": vote,
    "two means": lambda net, s: net.classifier(s.mean((3, 4)).mean(0))
    - net.classifier(s.mean((3, 4)).sum(0)),
    "scaled": lambda net, s: 3 * net.classifier(s.mean((0, 3, 4))) + 1,
    "pooled then linear": lambda net, s: net.linear(
        nn.functional.adaptive_avg_pool2d(s.flatten(0, 1), 8).flatten(1)
    ).unflatten(0, (2, -1)).mean(0),
}  # fmt: skip
KINDS = {"count": ("count", 0.5), "sum": ("count", 1.0)}


@pytest.mark.parametrize("name", ANSWERS)
def test_readouts(name):
    model = Readout(ANSWERS[name]).eval()
    network = lower(parted(model), "compose")
    kind, factor = KINDS.get(name, ("membrane", network.readout.factor))
    assert (network.readout.kind, network.readout.factor) == (kind, factor)
    x = torch.randn(3, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        wanted = model.double()(x.double())
    wanted = wanted.mean(0) if name == "per step" else wanted
    _, logits = run_real(network, x.double().numpy())
    np.testing.assert_allclose(logits, wanted.numpy(), atol=1e-6)
    notes = ("the model answers at every step; the steps' answers are averaged",)
    assert network.notes == (notes if name == "per step" else ())
    for term in network.populations[-1].terms if kind == "membrane" else ():
        assert isinstance(term.connection, Dense)


class Broken(Readout):
    """A change between the two spiking layers."""

    def __init__(self, change):
        super().__init__(None)
        self.change = change

    def forward(self, x):
        spikes = self.last(over_time(self.conv, self.encode(x)))
        return self.spike(self.change(self, spikes)).mean(0)


def shuffled(net, s):
    return s.unflatten(2, (2, 2)).transpose(2, 3).flatten(2, 3)


@pytest.mark.parametrize(
    "change, node, reason",
    [
        (lambda net, s: over_time(net.conv, shuffled(net, s)), "view_2",
         "has no single spike-driven kernel: a view from (4, 8, 8) to (2, 2, 8, 8)"),
        (lambda net, s: over_time(net.conv, s.transpose(3, 4)), "transpose",
         "has no single spike-driven kernel: a change of the order of channels, rows or columns"),
        (lambda net, s: over_time(net.conv, s).sum(2, keepdim=True), "sum_1",
         "has no single spike-driven kernel: a reduction over other dimensions than time, or rows"
         " and columns"),
        (lambda net, s: torch.relu(over_time(net.conv, s)), "relu",
         "applies ReLU to values that are not spikes"),
        (lambda net, s: net.encode(torch.zeros(1)) if s is None else over_time(
            nn.MaxPool2d(2), over_time(net.conv, s)), "max_pool2d",
         "takes the maximum of real values"),
        (lambda net, s: over_time(net.conv, over_time(net.conv, s)), "conv.0",
         "has no single spike-driven kernel: the outer layer pads with zeros where the inner one's"
         " result would not be zero"),
        (lambda net, s: over_time(net.conv, s) - over_time(net.conv, s).mean(0, keepdim=True),
         "mean", "mixes several time steps"),
    ],
)  # fmt: skip
def test_what_no_kernel_can_do_is_named(change, node, reason):
    with pytest.raises(UnsupportedError) as caught:
        lower(parted(Broken(change)), "compose")
    text = str(caught.value)
    assert text.startswith(f"{node} (")
    advice = POOLED if node == "max_pool2d" else WAY_OUT
    assert text.endswith(f") cannot run on the chip: it {reason}{advice}")
    assert (caught.value.node, caught.value.reason) == (node, reason)


def test_a_relay_helps_where_kernels_do_not_compose():
    model = Broken(lambda net, s: over_time(net.conv, over_time(net.conv, s)))
    network = lower(parted(model), "relay")
    assert [p.kind for p in network.populations] == ["lif", "lif", "relay", "lif"]


def test_an_answer_without_spikes():
    class Encoder(Readout):
        def forward(self, x):
            self.last(over_time(self.conv, self.encode(x)))
            return self.stem(x).mean((2, 3))

    class Mixed(Readout):
        def forward(self, x):
            spikes = self.last(over_time(self.conv, self.encode(x)))
            return spikes.mean((0, 3, 4)) + self.stem(x).mean((2, 3))

    with pytest.raises(UnsupportedError) as caught:
        lower(parted(Encoder(None)), "compose")
    assert caught.value.reason == "adds the encoder's values behind the last neuron"
    with pytest.raises(UnsupportedError) as caught:
        lower(parted(Mixed(None)), "compose")
    assert caught.value.reason in (
        "adds the encoder's values behind the last neuron",
        "has no single spike-driven kernel: adding values of one step to sums over time",
    )


def test_max_pooling_of_spikes_is_an_or():
    class Pool(Readout):
        def forward(self, x):
            spikes = nn.functional.max_pool2d(self.encode(x).flatten(0, 1), 3, 2, 1)
            return self.last(over_time(self.conv, spikes.unflatten(0, (2, -1)))).mean((0, 3, 4))

    network = lower(parted(Pool(None)), "compose")
    pool = network.populations[1]
    assert (pool.kind, pool.shape) == ("or", (4, 4, 4))
    assert isinstance(pool.terms[0].connection, Conv)
    assert pool.terms[0].connection.groups == 4


def test_costs_count_shared_kernels_once():
    network = lower(parted(Sew("direct")), "compose")
    chip = Target.load("loihi2")
    cost = lowering_cost(network, {}, chip, assumed_rate=0.2)
    kernels = {id(t.connection): t.connection for p in network.populations for t in p.terms}
    assert cost.synapse_memory_bytes == sum(k.weight.size for k in kernels.values())
    assert cost.host_io_bytes == 2 * 4 * 8 * 8
    shapes = {p.name: p.shape for p in network.populations}
    shared = 0.2 * network.timesteps * sum(
        term.connection.synapses(shapes[term.source])
        for p in network.populations for term in p.terms if isinstance(term.connection, Conv)
    )  # fmt: skip
    dense = cost.synaptic_operations - shared
    assert min(shared, dense) > 0
    events = 24.0 * shared + 35.5 * dense + 244.0 * cost.host_io_bytes
    assert cost.energy_pj == pytest.approx(events, rel=1e-12)
    assert cost.weight == cost.energy_pj
    left = {k: v for k, v in chip.quantities.items() if k != "energy.synaptic_operation_pj"}
    unpriced = lowering_cost(network, {}, replace(chip, quantities=left), assumed_rate=0.2)
    assert unpriced.energy_pj is None
    assert unpriced.weight == cost.synaptic_operations


def test_synapses_of_payloads_are_priced_as_multiplications():
    network = lower(parted(MSResNet("ms")), "relay")
    relays = {p.name: p for p in network.populations if p.kind == "relay"}
    graded = network.timesteps * sum(
        int(term.connection.fan_out(relays[term.source].shape).sum())
        * relays[term.source].shape[0]
        for p in network.populations for term in p.terms if term.source in relays
    )  # fmt: skip
    assert graded > 0
    cost = lowering_cost(network, {}, Target.load("hybrid45nm"), assumed_rate=0.2)
    spiking = cost.synaptic_operations - graded
    assert cost.energy_pj == pytest.approx(0.9 * spiking + 4.6 * graded, rel=1e-12)
