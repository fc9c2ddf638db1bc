"""Two nets that met trouble: long inhibition before excitation, and ties with a leak."""

from __future__ import annotations

import numpy as np
import pytest
from spiking_graphs import Net, Rows, compiled

from snndeploy.engines.engine import run_network
from snndeploy.ops.evaluate import by_step, evaluate
from snndeploy.passes.signals import infer_signals
from snndeploy.simulator.run import encode
from snndeploy.target import Target

pytestmark = pytest.mark.torch


def inhibited_first() -> Net:
    """30 steps of inhibition, then 30 of excitation; or excitation in the last 20 alone."""
    rng = np.random.default_rng(62)
    weight = np.repeat([[0.13, -0.13 * 1.05]], 10, axis=1) * (1 + 0.02 * rng.random((8, 20)))
    events = np.zeros((24, 60, 20), np.float32)
    events[::2, :30, 10:] = events[::2, 30:, :10] = 1
    events[1::2, 40:, :10] = rng.random((12, 20, 10)) < 0.6
    rows = Rows(60, (20,))
    rows.layer(weight)
    rows.neuron(threshold=1.0, decay=1.0, fires_at="ge")
    rows.layer(np.array([[0.0] * 8, [1.0] * 8]), np.array([0.5, 0.0]))
    return Net(rows.graph(), events)


def ties() -> Net:
    """Weights of one and minus one, threshold 2, a leak of three quarters, fires above."""
    rng = np.random.default_rng(80)
    rows = Rows(8, (64,))
    rows.layer(rng.choice([-1.0, 1.0], (48, 64)))
    rows.neuron(threshold=2.0, decay=0.75, fires_at="gt")
    rows.layer(rng.normal(size=(5, 48)))
    return Net(rows.graph(), (rng.random((24, 8, 64)) < 0.3).astype(np.float32))


@pytest.mark.parametrize("chip", ["loihi1", "loihi2"])
@pytest.mark.parametrize("make", [inhibited_first, ties])
def test_every_spike_and_every_answer_is_the_models(make, chip):
    net = make()
    graph, samples = infer_signals(net.graph), len(net.events)
    program = compiled(net, Target.load(chip))
    (name,) = [node.name for node in graph.neurons()]
    values = evaluate(graph, net.events, [name, "answer"], double=True)
    labels = values["answer"].numpy().argmax(1)
    assert len(set(labels)) > 1
    wanted = by_step(graph.by_name[name], values[name], samples)
    injected, _ = encode(program, net.events)
    run = run_network(program.network, injected, record=[name], samples=samples)
    assert np.array_equal(run.spikes[name].reshape(wanted.shape), wanted)
    assert wanted.sum() / samples > 20 and not run.warnings
    readout = program.network.readout
    logits = run.outputs * readout.scale + (0 if readout.offset is None else readout.offset)
    assert np.array_equal(logits.argmax(1), labels)
