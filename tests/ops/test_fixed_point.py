"""Fixed point against exact fractions: what every operation must give, whatever the machine."""

from __future__ import annotations

from fractions import Fraction
from math import exp

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from snndeploy.errors import ProgramError
from snndeploy.graph import Graph, Node
from snndeploy.ops.fixed_point import (
    LARGEST,
    VALUE_BITS,
    WEIGHT_BITS,
    evaluate_fixed,
    fixed_point,
)

pytestmark = pytest.mark.torch

CHANNELS, ROWS, COLUMNS = 3, 2, 3
BATCH, TIME = (("batch", 1),), (("time", 1),)
PLANE = (BATCH, TIME, *((("feature", n),) for n in (CHANNELS, ROWS, COLUMNS)))
FLAT = (BATCH, TIME, (("feature", CHANNELS),))


def grid(value, bits=VALUE_BITS):
    """The nearest multiple of 2^-bits, half to even (Python's round), saturated."""
    rounded = Fraction(round(Fraction(value) * 2**bits), 2**bits)
    return max(min(rounded, Fraction(LARGEST)), Fraction(-LARGEST))


def channel_gate(first, second):
    """x * sigmoid(second relu(first mean(x))), as channel attention does."""
    nodes = (
        Node("x", "input", attributes={"signal": "real"}, axes=PLANE),
        Node("mean", "mean", ("x",), {"dimensions": [3, 4], "keep": False}, axes=FLAT),
        Node("first", "linear", ("mean",), parameters={"weight": first},
             axes=(BATCH, TIME, (("feature", len(first)),))),
        Node("relu", "relu", ("first",), axes=(BATCH, TIME, (("feature", len(first)),))),
        Node("second", "linear", ("relu",), parameters={"weight": second}, axes=FLAT),
        Node("sigmoid", "sigmoid", ("second",), axes=FLAT),
        Node("gate", "view", ("sigmoid",),
             axes=(BATCH, TIME, (("feature", CHANNELS),), (), ())),
        Node("refined", "multiply", ("x", "gate"), axes=PLANE),
    )  # fmt: skip
    return Graph(nodes, ("refined",), 1)


def by_fractions(first, second, x):
    """The same for one step (channels, rows, columns), in exact fractions but for exp."""
    first, second = (
        [[grid(value, WEIGHT_BITS) for value in row] for row in weight.tolist()]
        for weight in (first, second)
    )
    x = [[[grid(v) for v in row] for row in plane] for plane in x.tolist()]
    mean = [grid(sum(v for row in plane for v in row) / (ROWS * COLUMNS)) for plane in x]
    hidden = [max(grid(sum(w * m for w, m in zip(row, mean, strict=True))), 0) for row in first]
    score = [grid(sum(w * h for w, h in zip(row, hidden, strict=True))) for row in second]
    gate = [grid(Fraction(1 / (1 + exp(min(-float(s), 700))))) for s in score]
    return [
        [[float(grid(v * g)) for v in row] for row in plane]
        for plane, g in zip(x, gate, strict=True)
    ]


weights = st.floats(-4, 4, width=32)
values = st.one_of(st.floats(-40, 40, width=32), st.sampled_from([-1e6, 1e6, 2.0**-17, 0.0]))


@settings(max_examples=60)
@given(
    arrays.arrays(np.float64, (2, CHANNELS), elements=weights),
    arrays.arrays(np.float64, (CHANNELS, 2), elements=weights),
    arrays.arrays(np.float64, (2, CHANNELS, ROWS, COLUMNS), elements=values),
)
def test_a_channel_gate_equals_exact_fractions(first, second, x):
    graph = fixed_point(channel_gate(first, second))
    found = evaluate_fixed(graph, x[:, None], "layer")[0][:, 0]
    expected = [by_fractions(first, second, sample) for sample in x]
    np.testing.assert_array_equal(found, expected)


def test_weights_are_put_on_their_grid_and_counted_as_such():
    weight = np.array([[0.1, -0.3, 2.0], [1 / 3, 0.0, 1e-6]])
    graph = fixed_point(channel_gate(weight, weight.T))
    kept = graph.by_name["first"].parameters["weight"]
    np.testing.assert_array_equal(kept * 4096, [[410, -1229, 8192], [1365, 0, 0]])


@pytest.mark.parametrize("threads", [1, 2])
def test_neither_batch_nor_threads_matter(threads):
    generator = np.random.default_rng(0)
    weight = generator.normal(size=(8, 64, 3, 3))
    plane = (BATCH, *((("feature", n),) for n in (64, 12, 12)))
    attributes = {"stride": [1, 1], "padding": [1, 1, 1, 1], "dilation": [1, 1], "groups": 1}
    nodes = (
        Node("x", "input", attributes={"signal": "real"}, axes=plane),
        Node("conv", "conv", ("x",), attributes, {"weight": weight},
             axes=(BATCH, *((("feature", n),) for n in (8, 12, 12)))),
        Node("sigmoid", "sigmoid", ("conv",),
             axes=(BATCH, *((("feature", n),) for n in (8, 12, 12)))),
    )  # fmt: skip
    graph = fixed_point(Graph(nodes, ("sigmoid",), 1))
    x = generator.normal(size=(33, 1, 64, 12, 12)) * 8
    usual = torch.get_num_threads()
    try:
        torch.set_num_threads(threads)
        whole = evaluate_fixed(graph, x, "layer")[0]
        torch.set_num_threads(1)
        parts = [evaluate_fixed(graph, x[i : i + 1], "layer")[0] for i in range(33)]
        single = np.concatenate(parts)
    finally:
        torch.set_num_threads(usual)
    np.testing.assert_array_equal(whole, single)


def test_quotients_by_zero():
    flat = (BATCH, (("feature", 4),))
    nodes = (
        Node("x", "input", attributes={"signal": "real"}, axes=flat),
        Node("zero", "scale", ("x",), {"factor": 0.0, "offset": 0.0}, axes=flat),
        Node("ratio", "divide", ("x", "zero"), axes=flat),
    )
    x = np.array([[[2.0, -1.0, 0.0, 2.0**-16]]])
    found, saturated = evaluate_fixed(Graph(nodes, ("ratio",), 1), x, "layer")
    assert found.reshape(-1).tolist() == [LARGEST, -LARGEST, 0.0, LARGEST]
    assert saturated == 4


def test_sums_that_float64_cannot_hold_are_refused():
    graph = fixed_point(channel_gate(np.full((2, CHANNELS), 4096.0), np.ones((CHANNELS, 2))))
    x = np.full((1, 1, CHANNELS, ROWS, COLUMNS), 30000.0)
    with pytest.raises(ProgramError) as refused:
        evaluate_fixed(graph, x, "spike1")
    assert str(refused.value) == (
        "spike1: first adds up values of 3e+04, more than the 53-bit sums of the MAC unit hold;"
        " rescale the model's weights"
    )
