"""The float operations: golden LIF traces, dimensions, hoisting, read-only arrays."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch

from snndeploy.graph import Graph, Node, Signal
from snndeploy.ops import KINDS
from snndeploy.ops.evaluate import by_step, evaluate
from snndeploy.tensors import tensor

pytestmark = pytest.mark.torch

BATCH = (("batch", 1),)


def time(steps):
    return (("time", steps),)


def features(*counts):
    return tuple((("feature", count),) for count in counts)


def neuron(threshold, decay, fires_at="ge", reset="hard", v_reset=0.0, steps=6):
    return Node(
        "neuron",
        "neuron",
        ("input",),
        {
            "kind": "lif",
            "threshold": threshold,
            "decay": decay,
            "fires_at": fires_at,
            "reset": reset,
            "v_reset": v_reset,
            "time_axis": 0,
            "timesteps": steps,
        },
    )


def fire(node, currents):
    x = torch.tensor(currents, dtype=torch.float64)
    return KINDS["neuron"].evaluate(node, [x], 1, len(currents)).int().tolist()


# Decimal arithmetic in the paper; 3 * 0.1 style rounding does not matter in these traces.
@pytest.mark.parametrize(
    "threshold, decay, currents, at_least, above",
    [
        (0.3, 0.3, [0.3] * 6, [1, 1, 1, 1, 1, 1], [0, 1, 0, 1, 0, 1]),
        (0.3, 0.3, [0.2, 0.25, 0.1, 0.3, 0.5, 0], [0, 1, 0, 1, 1, 0], [0, 1, 0, 1, 1, 0]),
        (0.5, 0.25, [0.4] * 6, [0, 1, 0, 1, 0, 1], [0, 0, 1, 0, 0, 1]),
    ],
)
def test_golden_lif_traces(threshold, decay, currents, at_least, above):
    assert fire(neuron(threshold, decay, "ge"), currents) == at_least
    assert fire(neuron(threshold, decay, "gt"), currents) == above


def test_reset_forms():
    assert fire(neuron(1.0, 1.0, reset="soft"), [1.5, 0.5, 0.5, 0, 0, 0]) == [1, 1, 0, 0, 0, 0]
    assert fire(neuron(1.0, 0.5, v_reset=0.5), [1.0, 0.5, 0.0, 0.5, 0, 0]) == [1, 1, 0, 0, 0, 0]
    # v_reset is not decayed: 0.5 is carried after the spike, 0.25 after the silent step
    assert fire(neuron(1.0, 0.5, v_reset=0.5), [1.0, 0.0, 0.75, 0, 0, 0]) == [1, 0, 1, 0, 0, 0]


def test_a_neuron_needs_its_time_axis():
    node = neuron(1.0, 0.5)
    wrong = "dimension 0 of its input should be the 6 time steps, but is batch 1"
    with pytest.raises(ValueError, match=wrong):
        KINDS["neuron"].axes(node, [(BATCH, *features(3))])
    with pytest.raises(ValueError, match="its input has 0 dimensions, and dimension 0 should be"):
        KINDS["neuron"].axes(node, [()])


@pytest.mark.parametrize(
    "first, second, found",
    [
        ((BATCH, *features(1, 5, 5)), (BATCH, *features(3, 5, 5)), (BATCH, *features(3, 5, 5))),
        ((BATCH, *features(3, 5, 5)), (BATCH, *features(1, 5, 5)), (BATCH, *features(3, 5, 5))),
        ((time(4), BATCH, (), ()), (*features(4), BATCH, *features(3, 2)),
         (time(4), BATCH, *features(3, 2))),
        (features(3), (BATCH, *features(3)), (BATCH, *features(3))),
    ],
)  # fmt: skip
def test_broadcasting_takes_the_named_or_the_larger_dimension(first, second, found):
    assert KINDS["add"].axes(Node("add", "add"), [first, second]) == found


@pytest.mark.parametrize(
    "op, attributes, parameters, axes, message",
    [
        ("mean", {"dimensions": [0], "keep": False}, {}, (BATCH, *features(3)),
         "it reduces over the batch dimension, so that samples see each other"),
        ("linear", {}, {"weight": np.zeros((2, 3))}, (*features(3), BATCH),
         "it is a linear layer over the batch dimension, so that samples see each other"),
        ("norm", {"channel_axis": 1}, {}, (BATCH, time(4), *features(3)),
         "it normalises the time dimension; fold time into the batch before it, or use (batch,"
         " channels, ...) inputs"),
    ],
)  # fmt: skip
def test_mixing_samples_or_steps_is_refused(op, attributes, parameters, axes, message):
    node = Node("node", op, ("input",), attributes, parameters)
    with pytest.raises(ValueError) as caught:
        KINDS[op].axes(node, [axes])
    assert str(caught.value) == message


def gated(constant):
    """input -> repeat -> conv -> (sigmoid, neuron) -> multiply, with signals as given."""
    image, sequence = (BATCH, *features(2, 4, 4)), (time(3), BATCH, *features(2, 4, 4))
    flat = ((("time", 3), ("batch", 1)), *features(2, 4, 4))
    rng = np.random.default_rng(0)
    conv = {"stride": [1, 1], "padding": [1, 1, 1, 1], "dilation": [1, 1], "groups": 1}
    weight = {"weight": rng.normal(size=(2, 2, 3, 3))}
    real = Signal("real", None, constant)
    lif = neuron(0.5, 0.5, steps=3)
    return Graph(
        (
            Node("input", "input", attributes={"signal": "real"}, axes=image, signal=real),
            Node("repeat", "expand", ("input",), axes=sequence, signal=real),
            Node("flat", "view", ("repeat",), axes=flat, signal=real),
            Node("conv", "conv", ("flat",), conv, weight, axes=flat, signal=real),
            Node("unflat", "view", ("conv",), axes=sequence, signal=real),
            Node("gate", "sigmoid", ("unflat",), axes=sequence, signal=real),
            replace(lif, inputs=("unflat",), axes=sequence, signal=Signal("binary")),
            Node("out", "multiply", ("gate", "neuron"), axes=sequence, signal=Signal("real")),
        ),
        ("out",),
        3,
    )


def test_hoisting_computes_the_same():
    x = np.random.default_rng(1).normal(size=(5, 2, 4, 4))
    graph, names = gated(constant=True), ["conv", "gate", "neuron", "out"]
    hoisted = evaluate(graph, x, names, double=True)
    full = evaluate(graph, x, names, hoist=False, double=True)
    for name in names:
        node = graph.by_name[name]
        ours, wanted = (by_step(node, values[name], 5) for values in (hoisted, full))
        steps = 1 if node.signal.constant else 3
        assert ours.shape == (5, steps, 2, 4, 4)
        assert wanted.shape == (5, 3, 2, 4, 4)
        np.testing.assert_allclose(np.broadcast_to(ours, wanted.shape), wanted, atol=1e-12)


def test_evaluation_computes_only_what_is_recorded():
    seen = []

    def observe(node, inputs, value):
        seen.append(node.name)
        return value

    evaluate(gated(True), np.zeros((1, 2, 4, 4)), ["conv"], observe=observe)
    assert seen == ["repeat", "flat", "conv"]


def test_read_only_arrays_make_no_warning():
    array = np.arange(6.0).reshape(2, 3)
    array.flags.writeable = False
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = tensor(array, torch.float32)
        graph = gated(True)
        weight = graph.by_name["conv"].parameters["weight"]
        weight.flags.writeable = False
        evaluate(graph, np.zeros((1, 2, 4, 4)))
    assert found.tolist() == array.tolist()
    assert not np.shares_memory(found.numpy(), array)
