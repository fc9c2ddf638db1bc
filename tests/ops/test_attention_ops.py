"""The operations of attention and codings: values against torch, dimensions, signals."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from snndeploy.graph import Graph, Node, Signal, sizes
from snndeploy.ops import KINDS
from snndeploy.ops.evaluate import by_step, evaluate
from snndeploy.passes.signals import infer_signals

pytestmark = pytest.mark.torch

BATCH = (("batch", 1),)
STEPS, SAMPLES = 4, 3


def time(steps=STEPS):
    return (("time", steps),)


def features(*counts):
    return tuple((("feature", count),) for count in counts)


SEQUENCE = (time(), BATCH, *features(3, 2, 5))


@st.composite
def sequences(draw):
    """Axes in any order, without the batch's place, and a tensor of SAMPLES samples."""
    counts = draw(st.lists(st.integers(1, 4), min_size=1, max_size=3))
    axes = draw(st.permutations([BATCH, time(), *features(*counts)]))
    seed = draw(st.integers(0, 2**32 - 1))
    values = np.random.default_rng(seed).normal(size=sizes(axes, SAMPLES)) * 2
    return tuple(axes), torch.tensor(values)


def free(draw, axes):
    """A dimension that is not the batch's."""
    return draw(st.sampled_from([i for i, dimension in enumerate(axes) if dimension != BATCH]))


def run(op, attributes, axes, *values, parameters=None):
    """Axes and value, which agree in shape."""
    node = Node("node", op, ("a", "b")[: len(values)], attributes, parameters or {})
    node = replace(node, axes=KINDS[op].axes(node, [axes] * len(values)))
    found = KINDS[op].evaluate(node, values, SAMPLES, STEPS)
    assert list(found.shape) == sizes(node.axes, SAMPLES)
    return node, found


def contracts(node, axes, count=1):
    return KINDS[node.op].contracts_time(node, [Node("a", "input", axes=axes)] * count)


@given(sequences(), st.sampled_from(["ge", "gt", "le", "lt", "eq"]), st.floats(-2, 2))
def test_compare(sequence, relation, number):
    axes, x = sequence
    other = x.flip(0)
    for attributes, second in (({}, other), ({"number": number}, number)):
        given_values = (x, other) if second is other else (x,)
        node, found = run("compare", {"relation": relation, **attributes}, axes, *given_values)
        wanted = getattr(torch, relation)(x, second)
        assert node.axes == axes
        assert torch.equal(found, wanted.to(x.dtype))


@given(sequences(), st.data())
def test_top_k(sequence, data):
    axes, x = sequence
    dimension = free(data.draw, axes)
    count = data.draw(st.integers(1, x.shape[dimension]))
    node, found = run("top_k", {"count": count, "dimension": dimension}, axes, x)
    wanted = np.flip(np.sort(x.numpy(), dimension), dimension).take(range(count), dimension)
    assert np.array_equal(found.numpy(), wanted)
    assert contracts(node, axes) == (axes[dimension] == time())


@given(sequences(), st.data())
def test_top_k_mask(sequence, data):
    axes, x = sequence
    dimension = free(data.draw, axes)
    count = data.draw(st.integers(1, x.shape[dimension]))
    node, found = run("top_k_mask", {"count": count, "dimension": dimension}, axes, x)
    least = np.sort(x.numpy(), dimension).take([-count], dimension)
    assert np.array_equal(found.numpy(), x.numpy() >= least)
    assert node.axes == axes
    assert contracts(node, axes) == (axes[dimension] == time())


@given(sequences(), st.data())
def test_take(sequence, data):
    axes, x = sequence
    dimension = free(data.draw, axes)
    size = x.shape[dimension]
    start = data.draw(st.integers(0, size - 1))
    stop, step = data.draw(st.integers(start + 1, size)), data.draw(st.integers(1, 3))
    chosen = {"dimension": dimension, "start": start, "stop": stop, "step": step, "drop": False}
    node, found = run("take", chosen, axes, x)
    assert np.array_equal(found.numpy(), x.numpy().take(range(start, stop, step), dimension))
    assert contracts(node, axes) == (axes[dimension] == time())
    alone, one = run("take", {**chosen, "stop": start + 1, "drop": True}, axes, x)
    assert torch.equal(one, x.select(dimension, start))
    assert alone.axes == axes[:dimension] + axes[dimension + 1 :]


@given(sequences(), st.data())
def test_concatenate(sequence, data):
    axes, x = sequence
    dimension = free(data.draw, axes)
    attributes = {"dimension": dimension, "new": False, "timesteps": STEPS}
    node, found = run("concatenate", attributes, axes, x, 2 * x)
    assert torch.equal(found, torch.cat([x, 2 * x], dimension))
    assert contracts(node, axes, 2) == (axes[dimension] == time())
    place = data.draw(st.integers(0, len(axes)))
    node, found = run("concatenate", {**attributes, "dimension": place, "new": True}, axes, x, x)
    assert torch.equal(found, torch.stack([x, x], place))
    assert not contracts(node, axes, 2)


def test_steps_made_one_by_one_are_time():
    image = (BATCH, *features(2, 3, 3))
    assert stacked(image, 0, STEPS) == (time(), *image)
    assert stacked(image, 1, STEPS) == (BATCH, time(), *image[1:])
    assert stacked(image, 2, STEPS) == (BATCH, *features(2, STEPS, 3, 3))  # not in front
    assert stacked(image, 0, STEPS - 1) == (*features(STEPS - 1), *image)
    assert stacked((BATCH, *features(2)), 0, STEPS) == (time(), BATCH, *features(2))
    assert stacked(SEQUENCE[:2], 0, STEPS) == (*features(STEPS), *SEQUENCE[:2])  # has time already
    one = ((), BATCH, *features(2, 3, 3))  # x[None], joined by cat
    node = Node("node", "concatenate", attributes={"dimension": 0, "new": False, "timesteps": 4})
    assert KINDS["concatenate"].axes(node, [one] * 4) == (time(), BATCH, *features(2, 3, 3))


def stacked(axes, dimension, count):
    attributes = {"dimension": dimension, "new": True, "timesteps": STEPS}
    return KINDS["concatenate"].axes(Node("node", "concatenate", (), attributes), [axes] * count)


@settings(max_examples=40)
@given(sequences(), st.data())
def test_element_by_element(sequence, data):
    axes, x = sequence
    low = data.draw(st.floats(-2, 0))
    high = data.draw(st.floats(0, 2))
    for op, attributes, wanted in (
        ("floor", {}, np.floor(x.numpy())),
        ("round", {}, np.rint(x.numpy())),
        ("clamp", {"minimum": low, "maximum": high}, np.clip(x.numpy(), low, high)),
        ("clamp", {"minimum": low, "maximum": None}, np.maximum(x.numpy(), low)),
        ("clamp", {"minimum": None, "maximum": high}, np.minimum(x.numpy(), high)),
    ):
        assert np.array_equal(run(op, attributes, axes, x)[1].numpy(), wanted)
    found = run("divide", {}, axes, x, x.abs() + 1)[1]
    assert np.array_equal(found.numpy(), x.numpy() / (np.abs(x.numpy()) + 1))


@given(sequences(), st.data(), st.booleans())
def test_min(sequence, data, keep):
    axes, x = sequence
    dimension = free(data.draw, axes)
    node, found = run("min", {"dimensions": [dimension], "keep": keep}, axes, x)
    assert np.array_equal(found.numpy(), x.numpy().min(dimension, keepdims=keep))
    assert contracts(node, axes) == (axes[dimension] == time())


@pytest.mark.parametrize(
    "op, attributes, what",
    [
        ("top_k", {"count": 1, "dimension": 1}, "ranks"),
        ("top_k_mask", {"count": 1, "dimension": 1}, "ranks"),
        ("take", {"dimension": 1, "start": 0, "stop": 1, "step": 1, "drop": True}, "takes a part"),
        ("concatenate", {"dimension": 1, "new": False, "timesteps": 4}, "concatenates"),
        ("min", {"dimensions": [1], "keep": False}, "reduces"),
    ],
)
def test_samples_never_see_each_other(op, attributes, what):
    with pytest.raises(ValueError) as caught:
        KINDS[op].axes(Node("node", op, ("input",), attributes), [SEQUENCE])
    assert str(caught.value) == (
        f"it {what} over the batch dimension, so that samples see each other"
    )


REAL, SPIKES, COUNTS = Signal("real"), Signal("binary", 1.0), Signal("integer", 3.0)
STILL = Signal("real", None, True)


@pytest.mark.parametrize(
    "op, attributes, signals, found",
    [
        ("compare", {"relation": "ge", "number": 1.0}, [REAL], SPIKES),
        ("compare", {"relation": "ge", "number": 1.0}, [STILL], Signal("binary", 1.0, True)),
        ("compare", {"relation": "ge"}, [STILL, REAL], SPIKES),
        ("top_k", {"count": 1, "dimension": 2}, [COUNTS], COUNTS),
        ("top_k_mask", {"count": 1, "dimension": 2}, [COUNTS], SPIKES),
        ("top_k_mask", {"count": 1, "dimension": 0}, [STILL], SPIKES),
        ("top_k_mask", {"count": 1, "dimension": 2}, [STILL], Signal("binary", 1.0, True)),
        ("take", {"dimension": 2, "start": 0, "stop": 1, "step": 1, "drop": True}, [SPIKES],
         SPIKES),
        ("min", {"dimensions": [2], "keep": False}, [COUNTS], COUNTS),
        ("concatenate", {"dimension": 2, "new": False, "timesteps": 4}, [SPIKES, COUNTS], COUNTS),
        ("concatenate", {"dimension": 2, "new": False, "timesteps": 4}, [SPIKES, REAL], REAL),
        ("concatenate", {"dimension": 2, "new": False, "timesteps": 4}, [STILL, STILL], STILL),
        ("divide", {}, [COUNTS, COUNTS], REAL),
        ("floor", {}, [REAL], Signal("integer")),
        ("floor", {}, [SPIKES], SPIKES),
        ("round", {}, [STILL], Signal("integer", None, True)),
        ("clamp", {"minimum": -2.0, "maximum": 1.0}, [COUNTS], Signal("integer", 2.0)),
        ("clamp", {"minimum": 0.0, "maximum": None}, [COUNTS], Signal("integer")),
        ("clamp", {"minimum": 0.5, "maximum": None}, [COUNTS], REAL),
        ("clamp", {"minimum": 0.0, "maximum": 1.0}, [REAL], REAL),
    ],
)  # fmt: skip
def test_signals(op, attributes, signals, found):
    inputs = [Node(str(i), "input", axes=SEQUENCE, signal=s) for i, s in enumerate(signals)]
    node = Node("node", op, ("0", "1")[: len(signals)], attributes, axes=SEQUENCE)
    assert KINDS[op].signal(node, signals, inputs) == found


def drawn(per_step, repeated):
    """An image, perhaps repeated over T, compared with draws: one array, or one a step."""
    image, sequence = (BATCH, *features(2, 3, 3)), (time(), BATCH, *features(2, 3, 3))
    draws = np.random.default_rng(0).random((STEPS if per_step else 1, 1, 2, 3, 3))
    nodes = [Node("input", "input", attributes={"signal": "real"}, axes=image)]
    if repeated:
        nodes.append(Node("repeat", "expand", ("input",), axes=sequence))
    compared = Node(
        "fired", "compare", (nodes[-1].name,), {"relation": "ge"}, {"other": draws},
        axes=sequence if per_step or repeated else (*features(1), *image),
    )  # fmt: skip
    return infer_signals(Graph((*nodes, compared), ("fired",), STEPS)), draws


@pytest.mark.parametrize("per_step", [False, True])
@pytest.mark.parametrize("repeated", [False, True])
def test_rate_coding_changes_where_its_draws_do(per_step, repeated):
    graph, draws = drawn(per_step, repeated)
    x = np.random.default_rng(1).random((SAMPLES, 2, 3, 3))
    node = graph.by_name["fired"]
    assert node.signal == Signal("binary", 1.0, constant=not per_step)
    wanted = np.broadcast_to(x[:, None] >= draws[:, 0], (SAMPLES, len(draws), 2, 3, 3))
    for hoist in (False, True):
        found = by_step(node, evaluate(graph, x, double=True, hoist=hoist)["fired"], SAMPLES)
        found = found.reshape(SAMPLES, -1, 2, 3, 3)
        assert np.array_equal(found, np.broadcast_to(wanted, found.shape))


def test_ranking_over_time_is_not_the_same_at_every_step():
    still = Node("still", "input", attributes={"signal": "real"}, axes=(BATCH, *features(2)))
    spread = Node("spread", "expand", ("still",), axes=(time(), BATCH, *features(2)))
    best = Node("best", "top_k", ("spread",), {"count": 2, "dimension": 0})
    best = replace(best, axes=(*features(2), BATCH, *features(2)))
    graph = infer_signals(Graph((still, spread, best), ("best",), STEPS))
    assert [n.signal.constant for n in graph.nodes] == [True, True, False]
    x = np.random.default_rng(0).normal(size=(SAMPLES, 2))
    found = evaluate(graph, x, double=True)["best"]
    assert np.array_equal(found.numpy(), np.broadcast_to(x, (2, SAMPLES, 2)))
