"""Attention regions of the papers' networks: where they begin and end, and what they compute."""

from __future__ import annotations

import sys
from pathlib import Path

import networkx
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from nets import Net, conv, neuron, over_time, parted
from torch import nn

from snndeploy.errors import UnsupportedError
from snndeploy.frontend.torch import trace
from snndeploy.lower.lower import lower
from snndeploy.ops import is_layer
from snndeploy.ops import neuron as neuron_op
from snndeploy.ops.evaluate import by_step, evaluate
from snndeploy.passes.gates import score_layers
from snndeploy.passes.partition import partition
from snndeploy.passes.regions import _immediate, attention_regions
from snndeploy.passes.signals import infer_signals

MODELS = str(Path(__file__).resolve().parents[2] / "models")
sys.path.insert(0, MODELS)

import asa_snn  # noqa: E402
import attention  # noqa: E402
import ma_snn  # noqa: E402
import ms_resnet  # noqa: E402
import vgg_snn  # noqa: E402

pytestmark = pytest.mark.torch

T = 4


def parted_model(module):
    """Partitioned for a chip that takes event counts, so that the first layer is the body's too."""
    torch.manual_seed(0)
    graph = infer_signals(trace(module, torch.zeros(1, *module.input_shape), verify=False))
    return partition(graph, integer_input_on_chip=True)


def ma(dimensions, setting="small", location=None):
    pre = location == "conv_pre"
    return ma_snn.ma_snn_3_small(T, dimensions, setting, location, skip_first=pre, size=16)


def asa(variant):
    return asa_snn.asa_snn_3_small(T, variant, "asa_text", size=16)


def residual(variant, dimensions="CS"):
    """Att-Res-SNN of three blocks, with two stages."""

    def refine(channels):
        chosen = attention.setting("small")
        return nn.Sequential(*attention.modules(dimensions, chosen, T, channels))

    places = {"refine_branch" if variant == 1 else "refine_sum": refine}
    return ms_resnet.MSResNet(
        encoder="direct", timesteps=T, classes=3, neuron="gac", input_shape=(1, 8, 8),
        stem=(8, 3, 1), channels=(8, 16), blocks=(2, 1), strides=(1, 2), **places,
    )  # fmt: skip


def vgg():
    place = attention.attend("CS", attention.setting("small", "before_norm"), T)
    return vgg_snn.VGGSNN(layout=(8, 8), timesteps=T, classes=3, neuron="gac", attend=place)


LAYERS = ("after.0", "after.1", "after.2")
LOOPS = tuple(f"spike{index}.attention" for index in (1, 2, 3))
BLOCKS = ("stage1.0", "stage1.1", "stage2.0")

ALONE = [f"{layer}.0" for layer in LAYERS]

# network; what is refined; whole window?; the modules that the regions are called by
NETWORKS = {
    "TA post": (lambda: ma("T", location="conv_post"), "current", True, ALONE),
    "CA post": (lambda: ma("C", location="conv_post"), "current", False, ALONE),
    "SA post": (lambda: ma("S", location="conv_post"), "current", False, ALONE),
    "TCSA post": (
        lambda: ma("TCS", location="conv_post"), "current", True, [f"{x}.2" for x in LAYERS]
    ),
    "code": (lambda: ma("TCS", "ma_code_gait"), "current", True, [f"{x}.3" for x in LAYERS]),
    "ECA post": (lambda: ma("C", "ma_eca", "conv_post"), "current", False, ALONE),
    "SimAM post": (lambda: ma("C", "ma_simam", "conv_post"), "current", False, ALONE),
    "CSA pre": (
        lambda: ma("CS", location="conv_pre"), "spikes", False, ["before.1.1", "before.2.1"]
    ),
    "TA pre": (lambda: ma("T", location="conv_pre"), "spikes", True, ["before.1.0", "before.2.0"]),
    "CSA loop": (lambda: ma("CS"), "membrane", False, list(LOOPS)),
    "SimAM loop": (lambda: ma("C", "ma_simam", "activate_pre"), "membrane", False, list(LOOPS)),
    "ECA loop": (lambda: ma("C", "ma_eca"), "membrane", False, list(LOOPS)),
    "ASA-1": (lambda: asa(1), "current", True, ALONE),
    "ASA-2": (lambda: asa(2), "current", True, ALONE),
    "Att-Res-1": (
        lambda: residual(1), "stream", False, [f"body.{x}.refine_branch.1" for x in BLOCKS]
    ),
    "before norm": (vgg, "stream", False, ["body.1.between.1"]),
}  # fmt: skip


def same_values(graph, region):
    """The region's own graph, given the source's values, computes the result's."""
    source, result = graph.by_name[region.source], graph.by_name[region.result]
    shape, samples = graph.input.shape, 2
    x = np.random.default_rng(0).poisson(0.5, (samples, *shape[1:])).astype(np.float64)
    values = evaluate(graph, x, [source.name, result.name], hoist=False, double=True)
    before = by_step(source, values[source.name], samples)
    wanted = by_step(result, values[result.name], samples)
    steps, given = region.graph.timesteps, before
    if not region.full_window:
        assert steps == 1
        given = before.reshape(samples * graph.timesteps, 1, *before.shape[2:])
    output = region.graph.by_name[region.graph.outputs[0]]
    assert given.shape[1:] == region.graph.input.shape[1:]
    found = evaluate(region.graph, given, hoist=False, double=True)[output.name]
    found = by_step(output, found, len(given)).reshape(wanted.shape)
    np.testing.assert_allclose(found, wanted, atol=1e-9)
    assert not np.allclose(wanted, before.reshape(wanted.shape))  # it does refine something


@pytest.mark.parametrize(
    "make, location, window, labels", list(NETWORKS.values()), ids=list(NETWORKS)
)
def test_regions_of_the_papers_networks(make, location, window, labels):
    graph = parted_model(make())
    regions = attention_regions(graph)
    assert [region.label for region in regions] == labels
    assert {region.location for region in regions} == {location}
    assert {region.full_window for region in regions} == {window}
    inside = {node.name for region in regions for node in region.graph.nodes}
    for region in regions:
        if location == "membrane":
            assert region.source == region.result == region.neurons[0]
            assert region.graph is graph.by_name[region.source].body
            continue
        same_values(graph, region)
        if location == "current":
            (fired,) = region.neurons
            assert graph.by_name[fired].op == "neuron"
        else:
            assert region.neurons == ()
    if location != "membrane":  # gates are found by another rule: both name the same layers
        layers = {node.name for node in graph.nodes if is_layer(node) and node.name in inside}
        assert {n for n in score_layers(graph) if graph.by_name[n].side == "body"} == layers


def test_attention_on_current_and_membrane_at_once():
    regions = attention_regions(parted_model(ma("TCS")))
    assert [(r.location, r.full_window, r.label) for r in regions] == [
        entry
        for layer, loop in zip(LAYERS, LOOPS, strict=True)
        for entry in (("current", True, f"{layer}.0"), ("membrane", False, loop))
    ]
    assert [r.neurons for r in regions[::2]] == [r.neurons for r in regions[1::2]]


def test_a_refined_sum_is_a_current_only_where_nothing_else_reads_it():
    graph = parted_model(residual(2))
    regions = attention_regions(graph)
    assert [(r.location, len(r.neurons)) for r in regions] == [
        ("stream", 0), ("stream", 0), ("current", 1)
    ]  # fmt: skip
    for region in regions:
        assert graph.by_name[region.source].op == "add"
        same_values(graph, region)


class Attended(Net):
    """One convolution whose current is changed by `refine` in front of one or two neurons."""

    def __init__(self, refine):
        self.refine = [refine]
        super().__init__("direct")

    def build(self):
        self.conv1, self.conv2, self.score = conv(4, 4), conv(4, 4), nn.Linear(4, 4)
        self.spikes = nn.ModuleList(neuron() for _ in range(3))

    def gate(self, x):
        return torch.sigmoid(self.score(x.mean((3, 4))))[..., None, None]

    def body(self, x):
        return self.refine[0](self, over_time(self.conv1, x))


def leaving(net, x):
    """The gate drives a neuron as well."""
    gate = net.gate(x)
    return net.spikes[0](x * gate) + net.spikes[1](gate.expand(x.shape))


def entering(net, x):
    """The gate follows from another layer."""
    return net.spikes[0](x * net.gate(over_time(net.conv2, net.spikes[1](x))))


def shrinking(net, x):
    """No value of the source's shape comes back."""
    return net.spikes[0]((x * net.gate(x)).mean((3, 4), keepdim=True))


def product_free(net, x):
    return net.spikes[0](torch.relu(x) - x.mean((3, 4), keepdim=True))


@pytest.mark.parametrize("refine", [leaving, entering, product_free])
def test_no_region_where_paths_leave_or_enter(refine):
    assert attention_regions(parted(Attended(refine))) == ()


def test_a_region_ends_where_the_shape_comes_back():
    (region,) = attention_regions(parted(Attended(shrinking)))
    assert (region.location, region.neurons) == ("stream", ())


def twice(net, x):
    first = x * net.gate(x)
    return net.spikes[0](first * net.gate(first))


def twice_and_read_between(net, x):
    first = x * net.gate(x)
    return net.spikes[0](first * net.gate(first)) + net.spikes[1](first)


def test_regions_one_behind_the_other_are_one():
    (region,) = attention_regions(parted(Attended(twice)))
    assert sum(node.op == "multiply" for node in region.graph.nodes) == 2
    regions = attention_regions(parted(Attended(twice_and_read_between)))
    assert [(r.location, len(r.neurons)) for r in regions] == [("stream", 0), ("current", 1)]


def test_a_relu_behind_attention_belongs_to_it():
    (region,) = attention_regions(
        parted(Attended(lambda net, x: net.spikes[0](torch.relu(x * net.gate(x)))))
    )
    assert region.graph.by_name[region.result].op == "relu"


def test_membranes_are_refined_by_the_region_of_the_neuron():
    graph = parted_model(ma("CS"))
    region = attention_regions(graph)[0]
    node = graph.by_name[region.source]
    x = torch.tensor(np.random.default_rng(0).normal(size=(T, 2, *node.step_shape)))
    membrane, _ = next(neuron_op.run(node, x))
    found = evaluate(region.graph, x[0].numpy(), double=True)[region.graph.outputs[0]]
    assert torch.equal(found, membrane)
    assert not torch.allclose(membrane, x[0])


class TwoBranches(Net):
    """Two gated branches, traced one after the other or in turns."""

    in_turns = False

    def build(self):
        self.first, self.second = conv(4, 4), conv(4, 4)
        self.gates = nn.ModuleList(nn.Linear(4, 4) for _ in range(4))
        self.spikes = nn.ModuleList(neuron() for _ in range(2))

    def gate(self, index, x):
        return x * torch.sigmoid(self.gates[index](x.mean((3, 4))))[..., None, None]

    def body(self, x):
        first, second = over_time(self.first, x), over_time(self.second, x)
        if self.in_turns:
            first = self.gate(0, first)
            second = self.gate(1, second)
            first, second = self.gate(2, first), self.gate(3, second)
        else:
            first = self.gate(2, self.gate(0, first))
            second = self.gate(3, self.gate(1, second))
        return self.spikes[0](first) + self.spikes[1](second)


@pytest.mark.parametrize("in_turns", [False, True])
def test_the_order_of_the_trace_does_not_matter(in_turns):
    model = TwoBranches()
    model.in_turns = in_turns
    graph = partition(infer_signals(trace(model, torch.zeros(1, 1, 6, 6), verify=False)))
    regions = attention_regions(graph)
    assert [region.location for region in regions] == ["current", "current"]
    assert [sum(n.op == "multiply" for n in region.graph.nodes) for region in regions] == [2, 2]


class GatedByTheSpikes(Net):
    """conv(s) * sigmoid(s): both factors come from the spikes, one through an ordinary layer."""

    def build(self):
        self.conv, self.spike1 = conv(4, 4), neuron()

    def body(self, x):
        return self.spike1(over_time(self.conv, x) * torch.sigmoid(x))


def test_an_ordinary_layer_is_no_part_of_attention():
    graph = parted(GatedByTheSpikes())
    assert attention_regions(graph) == ()
    with pytest.raises(UnsupportedError, match="it multiplies two signals computed at run time"):
        lower(graph, "compose", attention=True)


@given(st.integers(2, 9), st.integers(0, 10_000))
def test_the_immediate_dominator_is_the_last_that_no_way_avoids(size, seed):
    """Random graphs against the definition: what lies on every way from a root to the node."""
    rng = np.random.default_rng(seed)
    dag = networkx.DiGraph()
    dag.add_nodes_from(map(str, range(size)))
    pairs = [(str(a), str(b)) for b in range(size) for a in range(b)]
    dag.add_edges_from(pair for pair in pairs if rng.random() < 0.4)
    roots = [name for name in dag if not dag.in_degree(name)]
    found = _immediate(dag)
    for name in dag:
        ways = [
            set(way[:-1])
            for root in roots
            for way in ([[name]] if root == name else networkx.all_simple_paths(dag, root, name))
        ]
        assert found[name] == max(set.intersection(*ways), default="", key=int)
