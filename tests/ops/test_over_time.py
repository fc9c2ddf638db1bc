"""leaky, weigh, softmax and argmax: values, signals and what they do to the steps."""

import numpy as np
import pytest
import torch

from snndeploy.graph import Graph, Node, Signal
from snndeploy.ops import KINDS, kind_of
from snndeploy.program.consistency_nodes import computable

pytestmark = pytest.mark.torch

TIMED = ((("time", 4),), (("batch", 1),), (("feature", 3),))
X = np.random.default_rng(0).normal(size=(4, 2, 3))
REAL = Signal("real")


def before(axes=TIMED):
    return Node("x", "input", attributes={"signal": "real"}, axes=axes, signal=REAL)


def node(op, **attributes):
    return Node("y", op, ("x",), attributes, axes=TIMED, signal=REAL)


def value(made, x=X):
    return kind_of(made).evaluate(made, [torch.tensor(x)], x.shape[1], len(x)).numpy()


LEAKY = node("leaky", decay=0.75, time_axis=0, timesteps=4)
WEIGH = node("weigh", weights=[1.0, -2.0, 0.5, 0.0], time_axis=0, timesteps=4)


def test_leaky_is_the_recurrence():
    held, wanted = np.zeros((2, 3)), []
    for x in X:
        held = 0.75 * held + x
        wanted.append(held)
    np.testing.assert_allclose(value(LEAKY), wanted)


def test_weigh_is_a_product_step_by_step():
    wanted = [w * x for w, x in zip(WEIGH.attributes["weights"], X, strict=True)]
    np.testing.assert_allclose(value(WEIGH), wanted)


@pytest.mark.parametrize(
    "made",
    [
        LEAKY,
        WEIGH,
        node("mean", dimensions=[0], keep=False),
        node("sum", dimensions=[0], keep=False),
        node("take", dimension=0, start=3, stop=4, step=1, drop=True),
        node("take", dimension=0, start=1, stop=4, step=2, drop=False),
    ],
    ids=lambda made: made.op,
)
def test_what_is_done_to_the_steps_is_what_is_computed(made):
    """The matrix times the steps is the value."""
    rows = kind_of(made).linear.over_time(made, [before()], 4)
    found = value(made).reshape(len(rows), 2, 3)
    np.testing.assert_allclose(np.einsum("rt,tbf->rbf", rows, X), found)


def test_what_leaves_the_steps_alone_says_so():
    for made in (
        node("mean", dimensions=[2], keep=False),
        node("take", dimension=2, start=0, stop=1, step=1, drop=True),
    ):
        assert kind_of(made).linear.over_time(made, [before()], 4) is None


@pytest.mark.parametrize(
    "op, wanted",
    [
        ("softmax", np.exp(X) / np.exp(X).sum(-1, keepdims=True)),
        ("log_softmax", X - np.log(np.exp(X).sum(-1, keepdims=True))),
        ("argmax", X.argmax(-1)),
    ],
)
def test_what_a_host_makes_of_scores(op, wanted):
    np.testing.assert_allclose(value(node(op, dimension=2)), wanted)


def test_signals_and_blocks():
    constant = Signal("binary", 1.0, constant=True)
    for made in (LEAKY, WEIGH):
        assert kind_of(made).signal(made, [REAL], [before()]) == REAL
    assert not kind_of(WEIGH).signal(WEIGH, [constant], [before()]).constant
    assert kind_of(LEAKY).contracts_time(LEAKY, [before()])
    assert kind_of(WEIGH).blocked(WEIGH, [before()], True).reason == (
        "gives every time step a weight of its own"
    )
    argmax = node("argmax", dimension=2)
    assert kind_of(argmax).signal(argmax, [REAL], [before()]) == Signal("integer", 2.0)
    assert kind_of(argmax).axes(argmax, [TIMED]) == TIMED[:2]


@pytest.mark.parametrize(
    "attributes",
    [
        {"decay": 1.5, "time_axis": 0, "timesteps": 4},
        {"decay": 0.5, "time_axis": 0, "timesteps": 5},
        {"decay": 0.5, "time_axis": 3, "timesteps": 4},
        {"time_axis": 0, "timesteps": 4},
    ],
)
def test_records_of_a_leak_that_is_none(attributes):
    made = node("leaky", **attributes)
    assert not computable(Graph((before(), made), ("y",), 4), made)
    assert computable(Graph((before(), LEAKY), ("y",), 4), LEAKY)


def test_time_must_be_where_the_node_says():
    swapped = (TIMED[1], TIMED[0], TIMED[2])
    with pytest.raises(ValueError, match="dimension 0 of its input should be the 4 time steps"):
        KINDS["leaky"].axes(LEAKY, [swapped])
