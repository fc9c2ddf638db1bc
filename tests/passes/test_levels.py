"""Max pooling of sums of spikes (SEW): taken apart into levels, exact in reals and on the chip."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lowering_checks import answer, check_real
from nets import over_time
from random_models import Neuron
from torch import nn

from snndeploy.engines.engine import run_network
from snndeploy.engines.reference import run_reference
from snndeploy.errors import UnsupportedError
from snndeploy.frontend.torch import trace
from snndeploy.graph import Graph, Node, Signal
from snndeploy.lower.lower import lower
from snndeploy.ops import KINDS
from snndeploy.ops.evaluate import evaluate
from snndeploy.passes.audit import audit
from snndeploy.passes.levels import MOST_LEVELS, split_levels
from snndeploy.passes.partition import partition, with_blocks
from snndeploy.passes.signals import infer_signals
from snndeploy.quantize.calibration import calibrate
from snndeploy.quantize.quantize import quantize
from snndeploy.simulator.run import injections_of
from snndeploy.target import Target
from snndeploy.verdict import flags_of

pytestmark = pytest.mark.torch

STEPS, SAMPLES = 3, 2
LOIHI2 = Target.load("loihi2")


class Sew(nn.Module):
    """Stem, blocks x + LIF(conv(x)), each with a max pool behind it, and a linear readout."""

    timesteps, input_signal = STEPS, "real"

    def __init__(self, blocks=2, pool=(2, 2, 0), channels=3, size=9):
        super().__init__()
        generator = torch.Generator().manual_seed(blocks + 10 * channels)
        self.stem, self.first = nn.Conv2d(1, channels, 3, padding=1), Neuron(1.0, 0.5, "ge")
        self.convs = nn.ModuleList(
            nn.Conv2d(channels, channels, 3, padding=1) for _ in range(blocks)
        )
        self.spikes = nn.ModuleList(Neuron(0.5, 0.5, "gt") for _ in range(blocks))
        self.pool, self.size = nn.MaxPool2d(*pool), size
        for layer in (self.stem, *self.convs):
            for tensor in layer.parameters():
                values = torch.randint(-2, 4, tensor.shape, generator=generator) / 4
                tensor.data.copy_(values)
        self.last = Neuron(1.0, 0.5, "ge")

    def forward(self, x):
        counts = self.first(self.stem(x).unsqueeze(0).repeat(STEPS, 1, 1, 1, 1))
        for layer, spike in zip(self.convs, self.spikes, strict=True):
            counts = over_time(self.pool, counts + spike(over_time(layer, counts)))
        return self.last(counts.mean((3, 4))).mean(0)

    def example(self, count=1, seed=0):
        generator = torch.Generator().manual_seed(seed)
        values = torch.randint(-4, 9, (count, 1, self.size, self.size), generator=generator)
        return values / 4


def traced(model):
    return infer_signals(trace(model, model.example(), verify=False))


def chip_of(network, graph, x):
    """The integer network, and what the host sends it."""
    nodes = {node.name: node for node in (*graph.nodes, *network.encoder.nodes)}
    whole = graph.with_nodes(nodes.values())
    wanted = [n for p in network.populations for n in (p.node, p.current, p.host) if n]
    chip = quantize(network, LOIHI2, calibrate(whole, x, wanted)).network
    outputs = list(dict.fromkeys(i.encoder_output for i in chip.injections))
    injected, _ = injections_of(chip, whole, evaluate(whole, x, outputs), len(x))
    return chip, injected


@settings(max_examples=5, suppress_health_check=list(HealthCheck), deadline=None)
@given(
    st.integers(1, 3),
    st.sampled_from([(2, 2, 0), (2, 1, 0), (3, 2, 1), (3, 1, 1), (2, 1, 1)]),
    st.integers(1, 3),
)
def test_levels_are_exact(blocks, pool, channels):
    model = Sew(blocks, pool, channels)
    plain = traced(model)
    graph = partition(plain)
    x = model.example(SAMPLES, seed=1)
    output, spikes = answer(model, x)
    values = evaluate(graph, x.numpy(), double=True)
    assert np.allclose(values[graph.outputs[0]].numpy(), output, atol=1e-12)
    network = lower(graph, "compose")
    check_real(network, x.numpy(), spikes, output)
    chip, injected = chip_of(network, graph, x.numpy())
    fast = run_network(chip, injected, record=[p.name for p in chip.populations], samples=SAMPLES)
    check_pools(network, plain, fast.spikes)
    if blocks == 1:
        slow = run_reference(chip, injected, samples=SAMPLES)
        for name, fired in slow.spikes.items():
            assert np.array_equal(fast.spikes[name], fired), name
        assert np.array_equal(fast.outputs, slow.outputs)


def check_pools(network, plain, spikes):
    """On the chip: pooled levels add up to the maximum of the chip's own sums of spikes."""
    pools = [node for node in plain.nodes if node.op == "max_pool"]
    assert pools
    for node in pools:
        first = network.by_name[f"{node.name}@pool1"]
        total = sum(spikes[term.source].astype(np.float64) for term in first.terms)
        flat = torch.tensor(total.reshape(-1, *total.shape[2:]))
        kernel, stride, padding = (node.attributes[k] for k in ("kernel", "stride", "padding"))
        wanted = nn.functional.max_pool2d(flat, kernel, stride, padding).numpy()
        levels = int(plain.by_name[node.inputs[0]].signal.bound)
        found = sum(
            spikes[f"{node.name}@pool{level}"].astype(np.float64) for level in range(1, levels + 1)
        )
        assert np.array_equal(found.reshape(wanted.shape), wanted)
        assert wanted.max() > 1  # more than an OR


def test_populations_of_one_pooling():
    network = lower(partition(traced(Sew(1))), "compose")
    found = [(p.name, p.kind, p.level, [t.source for t in p.terms]) for p in network.populations]
    assert found[2:5] == [
        ("max_pool2d@pool1", "or", 1, ["first", "spikes.0"]),
        ("max_pool2d@level2", "or", 2, ["first", "spikes.0"]),
        ("max_pool2d@pool2", "or", 1, ["max_pool2d@level2"]),
    ]
    graph = partition(traced(Sew(1)))
    chip = chip_of(network, graph, Sew(1).example(2).numpy())[0]
    registers = [(p.neuron.threshold, p.neuron.membrane_decay) for p in chip.populations[2:5]]
    assert registers == [(0, 4095), (1, 4095), (0, 4095)]
    weights = {p.name: np.unique(p.connection.weight).tolist() for p in chip.projections}
    assert weights["first->max_pool2d@level2"] == [1]


def test_one_spike_counts_as_often_as_it_is_added():
    class Doubled(Sew):
        def forward(self, x):
            counts = self.first(self.stem(x).unsqueeze(0).repeat(STEPS, 1, 1, 1, 1))
            counts = over_time(self.pool, counts + counts + self.spikes[0](
                over_time(self.convs[0], counts)
            ))  # fmt: skip
            return self.last(counts.mean((3, 4))).mean(0)

    model = Doubled(1)
    graph = partition(traced(model))
    network = lower(graph, "compose")
    third = network.by_name["max_pool2d@level3"]
    assert [float(term.connection.weight.max()) for term in third.terms] == [2.0, 1.0]
    x = model.example(SAMPLES, seed=1)
    output, spikes = answer(model, x)
    check_real(network, x.numpy(), spikes, output)
    chip, _ = chip_of(network, graph, x.numpy())
    widest = [p for p in chip.projections if p.target == "max_pool2d@level3"]
    assert [np.unique(p.connection.weight).tolist() for p in widest] == [[2], [1]]


def test_the_audit_reads_counts():
    graph = partition(traced(Sew(2)))
    found = audit(graph)
    rows = {row.layer: row for row in found.rows}
    assert (rows["convs.0"].input_signal, rows["convs.1"].input_signal) == ("binary", "integer")
    assert rows["convs.1"].rewrite == "by linearity 2 spike-driven kernels"
    assert flags_of(graph).synapses_binary


def counted(most, signed=False):
    """A sum (or difference) of as many spikes, and its max pooling, as a graph."""
    outer = (("batch", 1),)
    axes, small = ((outer, *((("feature", size),) for size in (2, rows, rows))) for rows in (4, 2))
    spikes = Signal("binary", 1.0)
    nodes = [
        Node("input", "input", attributes={"signal": "binary"}, axes=axes, signal=spikes),
        Node("fired", "neuron", ("input",), axes=axes, signal=spikes),
    ]
    op = "subtract" if signed else "add"
    for count in range(2, most + 1):
        before = nodes[-1].name
        signal = Signal("integer", float(count))
        nodes.append(Node(f"sum{count}", op, (before, "fired"), axes=axes, signal=signal))
    pool = {"kernel": [2, 2], "stride": [2, 2], "padding": [0, 0]}
    last = Signal("integer", float(most))
    nodes.append(Node("pool", "max_pool", (nodes[-1].name,), pool, axes=small, signal=last))
    return Graph(tuple(nodes), ("pool",), 1)


def test_the_last_node_keeps_the_name_and_the_value():
    found = split_levels(counted(5))
    assert [n.attributes["number"] for n in found.nodes if n.op == "compare"] == [1, 2, 3, 4, 5]
    assert sum(node.op == "max_pool" for node in found.nodes) == 5
    counts = torch.tensor(
        np.random.default_rng(0).integers(0, 6, (7, 2, 4, 4)), dtype=torch.float64
    )
    values = {"sum5": counts}
    for node in found.nodes[found.nodes.index(found.by_name["sum5"]) + 1 :]:
        inputs = [values[name] for name in node.inputs]
        values[node.name] = KINDS[node.op].evaluate(node, inputs, 7, 1)
    assert torch.equal(values["pool"], nn.functional.max_pool2d(counts, 2))
    assert (found.by_name["pool"].op, found.by_name["pool"].signal) == ("add", Signal("integer", 5))


@pytest.mark.parametrize(
    "graph, reason",
    [
        (counted(MOST_LEVELS + 1),
         "takes the maximum of integer values up to 17 (counts up to 16 can be done)"),
        (counted(2, signed=True), "takes the maximum of integer values"),
    ],
)  # fmt: skip
def test_too_many_or_signed_values_stay_refused(graph, reason):
    assert split_levels(graph).by_name["pool"].op == "max_pool"
    body = (replace(node, side="body") for node in graph.nodes)
    assert with_blocks(graph.with_nodes(body)).by_name["pool"].block.reason == reason


def test_signed_counts_cannot_be_compared():
    class Signed(Sew):
        def forward(self, x):
            counts = self.first(self.stem(x).unsqueeze(0).repeat(STEPS, 1, 1, 1, 1))
            other = self.spikes[0](over_time(self.convs[0], counts))
            fired = ((counts - other) >= 1.0).to(x.dtype)
            return self.last(over_time(self.convs[0], fired).mean((3, 4))).mean(0)

    with pytest.raises(UnsupportedError) as caught:
        lower(partition(traced(Signed(1))), "compose")
    assert str(caught.value) == (
        "ge (compare) cannot run on the chip: it reads values that are no sum of spikes; move it"
        " into the encoder, fold a static scaling into the weights, or drop it and fine-tune"
    )


def test_comparing_counts_lowers_without_a_pool():
    class Majority(Sew):
        def forward(self, x):
            counts = self.first(self.stem(x).unsqueeze(0).repeat(STEPS, 1, 1, 1, 1))
            other = self.spikes[0](over_time(self.convs[0], counts))
            both = ((counts + other) >= 2.0).to(x.dtype)
            return self.last(over_time(self.convs[0], both).mean((3, 4))).mean(0)

    model = Majority(1)
    network = lower(partition(traced(model)), "compose")
    assert [(p.kind, p.level) for p in network.populations][2] == ("or", 2)
    x = model.example(SAMPLES, seed=1)
    output, spikes = answer(model, x)
    check_real(network, x.numpy(), spikes, output)
