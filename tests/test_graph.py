"""Graph: shapes and meanings of dimensions, selection, checks, and the text form."""

from __future__ import annotations

import networkx
import pytest

from snndeploy.graph import Graph, Node, Signal, check, sizes, to_text

BATCH, TIME = (("batch", 1),), (("time", 4),)


def features(*counts):
    return tuple((("feature", count),) for count in counts)


def small():
    folded = ((("time", 4), ("batch", 1)), *features(3, 8, 8))
    return Graph(
        (
            Node("input", "input", attributes={"signal": "real"}, axes=(BATCH, *features(3, 8, 8))),
            Node("repeat", "expand", ("input",), axes=(TIME, BATCH, *features(3, 8, 8))),
            Node("flat", "view", ("repeat",), axes=folded, module="stem.flat"),
            Node("other", "view", ("repeat",), axes=folded),
        ),
        ("flat",),
        4,
        "small",
    )


def test_shapes_are_those_of_one_sample():
    graph = small()
    assert [node.shape for node in graph.nodes] == [
        (1, 3, 8, 8), (4, 1, 3, 8, 8), (4, 3, 8, 8), (4, 3, 8, 8)
    ]  # fmt: skip
    assert {node.step_shape for node in graph.nodes} == {(3, 8, 8)}
    assert [node.has_time for node in graph.nodes] == [False, True, True, True]
    assert [node.label for node in graph.nodes] == ["input", "repeat", "stem.flat", "other"]


def test_sizes_put_the_real_batch_and_a_single_step_in():
    axes = small().by_name["flat"].axes
    assert sizes(axes, 10) == [40, 3, 8, 8]
    assert sizes(axes, 10, timesteps=1) == [10, 3, 8, 8]


def test_select_keeps_what_the_outputs_need():
    graph = small()
    assert [node.name for node in graph.select(["flat"]).nodes] == ["input", "repeat", "flat"]
    assert graph.users["repeat"] == ("flat", "other")
    assert graph.ancestors(["flat"]) == {"input", "repeat", "flat"}


def test_text_form():
    assert to_text(small()) == (
        "graph small timesteps=4 outputs=flat\n"
        "input = input() [1x3x8x8] signal=real\n"
        "repeat = expand(input) [4x1x3x8x8]\n"
        "flat = view(repeat) [4x3x8x8]\n"
        "other = view(repeat) [4x3x8x8]\n"
    )


@pytest.mark.parametrize(
    "signal, text",
    [
        (Signal("binary", 1.0), "binary"),
        (Signal("integer", 3.0), "integer<=3"),
        (Signal("integer"), "integer"),
        (Signal("real", None, True), "real constant"),
    ],
)
def test_signals_in_words(signal, text):
    assert str(signal) == text


def test_check_names_what_a_stage_lacks():
    graph = small()
    check(graph, "traced")
    with pytest.raises(AssertionError, match="node input has no signal"):
        check(graph, "signals")
    with pytest.raises(AssertionError, match="node repeat reads a later or missing node"):
        check(Graph(graph.nodes[1:], (), 4), "traced")
    with pytest.raises(AssertionError, match="node input appears twice"):
        check(Graph((*graph.nodes[:1], *graph.nodes), (), 4), "traced")
    with pytest.raises(AssertionError, match="an output is missing"):
        check(Graph(graph.nodes, ("nothing",), 4), "traced")


def test_as_networkx():
    """Every node, an edge from each input, the Node itself as an attribute."""
    graph = small()
    found = graph.to_networkx()
    assert list(found) == [node.name for node in graph.nodes]
    assert set(found.edges) == {(name, node.name) for node in graph.nodes for name in node.inputs}
    assert [found.nodes[node.name]["node"] for node in graph.nodes] == list(graph.nodes)
    for node in graph.nodes:
        above = {name for name in found if networkx.has_path(found, name, node.name)}
        assert above == graph.ancestors([node.name])
