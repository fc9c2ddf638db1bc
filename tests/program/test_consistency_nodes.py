"""Nodes of a resealed program's graphs that could not be computed are refused when it is read."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from snndeploy.graph import Graph, Node, Signal
from snndeploy.program.consistency import Mismatch, check_graph

REAL = Signal("real")
IMAGE = ((("batch", 1),), (("feature", 4),), (("feature", 6),), (("feature", 6),))
GATES = (*IMAGE[:2], (), ())
STEPS = ((("time", 1),), (("batch", 1),), (("feature", 4),))


def node(name, op, *inputs, axes=IMAGE, parameters=None, **attributes):
    return Node(name, op, inputs, attributes, parameters or {}, axes, "module", REAL, "body")


def gated():
    """x * sigmoid(W mean(x)): a squeeze and excitation."""
    weight = {"weight": np.ones((4, 4), np.float32), "bias": np.zeros(4, np.float32)}
    kernel = {"weight": np.ones((4, 4, 3, 3), np.float32)}
    one = (1, 1)
    nodes = (
        node("x", "input", signal="real"),
        node("conv", "conv", "x", parameters=kernel, stride=one, dilation=one, groups=1,
             padding=(1, 1, 1, 1)),
        node("mean", "mean", "conv", axes=IMAGE[:2], dimensions=[2, 3], keep=False),
        node("linear", "linear", "mean", axes=IMAGE[:2], parameters=weight),
        node("gate", "sigmoid", "linear", axes=IMAGE[:2]),
        node("shaped", "view", "gate", axes=GATES),
        node("half", "scale", "shaped", axes=GATES, factor=0.5, offset=0.0),
        node("y", "multiply", "conv", "half"),
    )  # fmt: skip
    return Graph(nodes, ("y",), 1, "attention")


def changed(name, **fields):
    graph = gated()
    return graph.with_nodes(replace(n, **fields) if n.name == name else n for n in graph.nodes)


def refusal(graph):
    with pytest.raises(Mismatch) as raised:
        check_graph(graph)
    return str(raised.value)


def test_a_graph_that_can_be_computed_passes():
    check_graph(gated())


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("gate", {"op": "scale"}),  # without a factor
        ("gate", {"op": "clamp"}),
        ("gate", {"op": "compare"}),
        ("gate", {"op": "multiply"}),  # of one input
        ("y", {"inputs": ("conv",)}),
        ("y", {"inputs": ("conv", "half", "half")}),
        ("shaped", {"inputs": ("x",)}),  # more elements than the view has
        ("shaped", {"op": "expand"}),
        ("half", {"attributes": {"factor": float("inf"), "offset": 0.0}}),
        ("half", {"attributes": {"factor": True, "offset": 0.0}}),
        ("linear", {"parameters": {"weight": np.ones((4, 5), np.float32)}}),
        ("linear", {"parameters": {"weight": np.full((4, 4), np.nan, np.float32)}}),
        ("linear", {"parameters": {"weight": np.ones((4, 4)), "bias": np.ones(3)}}),
        ("linear", {"parameters": {"weight": np.ones((4, 4)), "bias": None}}),
        ("conv", {"attributes": {"stride": (1, 1), "dilation": (1, 1), "groups": 2,
                                 "padding": (1, 1, 1, 1)}}),
        ("mean", {"attributes": {"dimensions": [2, 3, 3], "keep": False}}),
    ],
)  # fmt: skip
def test_a_node_that_cannot_be_computed_is_refused(name, fields):
    graph = changed(name, **fields)
    assert refusal(graph) == (
        f"node {name} cannot be computed: its {graph.by_name[name].op} lacks something, or reads"
        " other shapes"
    )


def test_a_batch_in_another_place_is_no_broadcast():
    """With one sample the shapes agree; with more they would not."""
    nodes = (
        node("x", "input", axes=STEPS, signal="real"),
        node("turned", "permute", "x", axes=(STEPS[1], STEPS[0], STEPS[2]), order=[1, 0, 2]),
        node("y", "expand", "turned", axes=STEPS),
    )
    assert refusal(Graph(nodes, ("y",), 1)) == (
        "node y cannot be computed: its expand lacks something, or reads other shapes"
    )


def test_a_constant_reads_constants():
    graph = changed("gate", signal=Signal("real", None, constant=True))
    assert refusal(graph) == "node gate is constant and reads what is not"
