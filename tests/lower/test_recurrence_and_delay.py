"""Recurrent neurons and delayed spikes, from a graph by hand to the chip's integers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from snndeploy.costs.activity import measure
from snndeploy.costs.layers import layer_costs
from snndeploy.engines.engine import run_network
from snndeploy.engines.reference import run_reference
from snndeploy.errors import FitError, UnsupportedError
from snndeploy.graph import Axes, Graph, Node
from snndeploy.lower.lower import lower
from snndeploy.network import Network
from snndeploy.ops.evaluate import by_step, evaluate
from snndeploy.passes.audit import audit
from snndeploy.passes.partition import partition
from snndeploy.passes.signals import infer_signals
from snndeploy.program.records import graph_record, read_graph
from snndeploy.quantize.calibration import calibrate
from snndeploy.quantize.quantize import quantize
from snndeploy.target import Target

pytestmark = pytest.mark.torch

STEPS, INPUTS, HIDDEN = 6, 8, 10
LOIHI2 = Target.load("loihi2")
PLAIN = {
    "kind": "lif", "threshold": 1.0, "fires_at": "ge", "decay": 0.5, "v_reset": 0.0,
    "reset": "hard", "time_axis": 1, "timesteps": STEPS,
}  # fmt: skip


def axes(features: int, *, time: bool = True) -> Axes:
    batch, feature = (("batch", 1),), (("feature", features),)
    return (batch, (("time", STEPS),), feature) if time else (batch, feature)


def grid(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return (rng.integers(-12, 13, shape) / 16).astype(np.float32)


def linear(name: str, source: str, weight: np.ndarray, bias: np.ndarray, time: bool = True) -> Node:
    parameters = {"weight": weight, "bias": bias}
    return Node(name, "linear", (source,), {}, parameters, axes(len(weight), time=time))


def recurrent(rng: np.random.Generator, delay: int = 0) -> Graph:
    """Spikes of a layer come back to it through weights; those that the next layer reads wait."""
    back = Graph(
        (
            Node("s", "input", attributes={"signal": "binary"}, axes=axes(HIDDEN, time=False)),
            linear("w", "s", grid(rng, HIDDEN, HIDDEN), grid(rng, HIDDEN), time=False),
        ),
        ("w",),
        1,
    )
    nodes = [
        Node("x", "input", attributes={"signal": "binary"}, axes=axes(INPUTS)),
        linear("in", "x", 2 * grid(rng, HIDDEN, INPUTS), grid(rng, HIDDEN)),
        Node("one", "neuron", ("in",), PLAIN, axes=axes(HIDDEN), feedback=back),
    ]
    if delay:
        wait = {"steps": delay, "time_axis": 1, "timesteps": STEPS}
        nodes.append(Node("late", "delay", ("one",), wait, axes=axes(HIDDEN)))
    nodes += [
        linear("next", nodes[-1].name, 2 * grid(rng, 4, HIDDEN), grid(rng, 4)),
        Node("two", "neuron", ("next",), PLAIN, axes=axes(4)),
        Node(
            "answer", "sum", ("two",), {"dimensions": [1], "keep": False}, axes=axes(4, time=False)
        ),
    ]  # fmt: skip
    return infer_signals(Graph(tuple(nodes), ("answer",), STEPS))


def fired(drive: np.ndarray, back: dict[str, np.ndarray] | None = None) -> np.ndarray:
    """Spikes (samples, steps, neurons) on what arrives, with what comes back: the equation."""
    h = np.zeros_like(drive[:, 0])
    s, found = np.zeros_like(h), []
    for step in range(STEPS):
        u = h + drive[:, step]
        u = u if back is None else u + s @ back["weight"].T + back["bias"]
        s = (u >= 1.0).astype(float)
        h = 0.5 * u * (1 - s)
        found.append(s)
    return np.stack(found, axis=1)


def by_hand(graph: Graph, x: np.ndarray, delay: int) -> list[np.ndarray]:
    """Spikes of both layers, a few lines of numpy."""
    first, second = (graph.by_name[name].parameters for name in ("in", "next"))
    feedback = graph.by_name["one"].feedback
    assert feedback is not None
    one = fired(x @ first["weight"].T + first["bias"], dict(feedback.by_name["w"].parameters))
    late = np.zeros_like(one)
    late[:, delay:] = one[:, : STEPS - delay]
    return [one, fired(late @ second["weight"].T + second["bias"])]


def on_chip(graph: Graph, x: np.ndarray) -> Network:
    parted = partition(graph)
    real = lower(parted, "compose")
    wanted = [n for p in real.populations for n in (p.node, p.current, p.host) if n]
    return quantize(real, LOIHI2, calibrate(parted, x, wanted)).network


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("delay", [0, 1, 3])
def test_every_spike_is_the_equations(seed: int, delay: int):
    rng = np.random.default_rng(seed)
    graph = recurrent(rng, delay)
    x = (rng.random((20, STEPS, INPUTS)) < 0.4).astype(np.float32)
    network = on_chip(graph, x)
    assert network.is_recurrent
    assert any(p.axonal_delay is not None for p in network.projections) == bool(delay)
    spikes = {0: x[..., None, None].astype(np.int32)}
    fast = run_network(network, spikes, record=["one", "two"], samples=len(x))
    slow = run_reference(network, spikes, samples=len(x))
    for name, wanted in zip(("one", "two"), by_hand(graph, x, delay), strict=True):
        assert 0.05 < wanted.mean() < 0.95
        assert np.array_equal(fast.spikes[name][..., 0, 0], wanted)
        assert np.array_equal(slow.spikes[name][..., 0, 0], wanted)
        found = evaluate(graph, x, [name])[name]
        assert np.array_equal(by_step(graph.by_name[name], found, len(x)), wanted)
    assert np.array_equal(fast.outputs, slow.outputs)


def test_a_delay_beyond_the_synapses_is_refused():
    rng = np.random.default_rng(0)
    graph = recurrent(rng, 3)
    x = np.zeros((2, STEPS, INPUTS), np.float32)
    real = lower(partition(graph), "compose")
    wanted = [n for p in real.populations for n in (p.node, p.current, p.host) if n]
    with pytest.raises(FitError, match=r"must wait 3 steps for the model's delay.*at most 2"):
        quantize(real, replace(LOIHI2, delay_max=2), calibrate(partition(graph), x, wanted))


def test_a_delayed_constant_is_refused_by_name():
    rng = np.random.default_rng(0)
    graph = recurrent(rng)
    wait = {"steps": 2, "time_axis": 1, "timesteps": STEPS}
    nodes = []
    for node in graph.nodes:
        if node.name == "two":
            nodes.append(Node("wait", "delay", ("next",), wait, axes=axes(4)))
            node = replace(node, inputs=("wait",))
        nodes.append(node)
    with pytest.raises(UnsupportedError, match=r"wait .*a delay of a constant"):
        lower(partition(infer_signals(graph.with_nodes(nodes))), "compose")


def test_the_file_keeps_what_is_fed_back():
    arrays: list[np.ndarray] = []

    class Store:
        def put(self, array: np.ndarray) -> int:
            arrays.append(array)
            return len(arrays) - 1

    graph = recurrent(np.random.default_rng(1))
    again = read_graph(graph_record(graph, Store()), lambda at: arrays[at])
    kept = again.by_name["one"].feedback
    assert kept is not None
    wanted = graph.by_name["one"].feedback.by_name["w"].parameters
    assert np.array_equal(kept.by_name["w"].parameters["weight"], wanted["weight"])


def test_the_audit_and_the_formulas_count_it():
    rng = np.random.default_rng(2)
    graph = partition(recurrent(rng))
    rows = {row.layer: row for row in audit(graph).rows}
    assert rows["w"].work == "accumulate" and rows["w"].operations == HIDDEN * HIDDEN * STEPS
    x = (rng.random((20, STEPS, INPUTS)) < 0.4).astype(np.float32)
    layers, measured = layer_costs(graph), measure(graph, x)
    sent = by_step(graph.by_name["one"], evaluate(graph, x, ["one"])["one"], len(x))
    (last,) = (layer for layer in layers if layer.name == "w")
    assert last.flops == HIDDEN * HIDDEN and last.driving == last.own == ("one",)
    assert measured.events is not None
    assert measured.events[layers.index(last)] == pytest.approx(
        sent[:, :-1].sum() * HIDDEN / (len(x) * STEPS)
    )
