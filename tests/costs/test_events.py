"""Events of a convolution equal those of a convolution of ones, whatever its geometry."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from snndeploy.costs.events import events_at_rate_one, fan_out_plane, sums_of_spikes
from snndeploy.graph import Graph, Node, Signal
from snndeploy.ops import KINDS
from snndeploy.ops.evaluate import evaluate

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch
BATCH = (("batch", 1),)


def feature(size):
    return (("feature", size),)


def entry(shape, kind="binary"):
    axes = (BATCH, *(feature(size) for size in shape))
    return Node("x", "input", attributes={"signal": kind}, axes=axes, signal=Signal(kind, 1.0))


def behind(source, name, op, attributes, parameters=None, kind="real"):
    node = Node(name, op, (source.name,), attributes, parameters or {}, signal=Signal(kind))
    axes = KINDS[op].axes(node, [source.axes])
    return Node(name, op, (source.name,), attributes, parameters or {}, axes, signal=Signal(kind))


pairs = st.tuples(st.integers(1, 3), st.integers(1, 3))
sides = st.tuples(*[st.integers(0, 3)] * 4)


@given(pairs, pairs, pairs, sides, sides, st.booleans(), st.integers(0, 99))
def test_fan_out_is_that_of_a_convolution_of_ones(
    kernel, stride, dilation, padding, border, has_border, seed
):
    generator = np.random.default_rng(seed)
    height, width = (int(size) for size in generator.integers(3, 9, 2))
    source = entry((4, height, width))
    nodes = [source]
    if has_border:
        nodes.append(behind(source, "pad", "pad", {"padding": border}, kind="binary"))
    weight = np.ones((6, 2, *kernel), np.float32)
    attributes = {"stride": stride, "padding": padding, "dilation": dilation, "groups": 2}
    grown = nodes[-1].shape[-2:]
    room = [
        size + padding[2 * i] + padding[2 * i + 1] - dilation[i] * (kernel[i] - 1)
        for i, size in enumerate(grown)
    ]
    assume(min(room) >= 1)
    nodes.append(behind(nodes[-1], "conv", "conv", attributes, {"weight": weight}))
    graph = Graph(tuple(nodes), ("conv",), 1)
    x = generator.integers(0, 2, (1, 4, height, width)).astype(np.float32)
    met = float(evaluate(graph, x, hoist=False)["conv"].sum())
    plane = fan_out_plane(nodes[-1], nodes[-2])
    inner = np.pad(x[0], ((0, 0), *_both(border))) if has_border else x[0]
    assert float((inner.sum(0) * plane).sum()) == met
    everywhere = float(evaluate(graph, np.ones_like(x), hoist=False)["conv"].sum())
    assert events_at_rate_one(graph, nodes[-1]) == everywhere


def _both(sides):
    top, bottom, left, right = sides
    return (top, bottom), (left, right)


def test_averages_hold_their_spikes():
    """An average pool, then a mean over the plane: all spikes reach every output."""
    source = entry((3, 4, 4))
    pool = behind(source, "pool", "avg_pool", {"kernel": (2, 2), "stride": (2, 2)})
    mean = behind(pool, "mean", "mean", {"dimensions": (2, 3), "keep": False})
    layer = behind(mean, "out", "linear", {}, {"weight": np.ones((5, 3), np.float32)})
    graph = Graph((source, pool, mean, layer), ("out",), 1)
    summed = sums_of_spikes(graph, mean)
    assert (summed.window, summed.ones) == (16, 16)
    assert events_at_rate_one(graph, layer) == 5 * 3 * 16


def test_values_that_are_no_sums_of_spikes():
    source = entry((3, 4, 4), "real")
    assert sums_of_spikes(Graph((source,), ("x",), 1), source) is None
    spikes = entry((3, 4, 4))
    shifted = behind(spikes, "shifted", "scale", {"factor": 1.0, "offset": 0.5})
    gate = behind(spikes, "gate", "sigmoid", {})
    graph = Graph((spikes, shifted, gate), ("gate",), 1)
    assert sums_of_spikes(graph, shifted) is None and sums_of_spikes(graph, gate) is None
