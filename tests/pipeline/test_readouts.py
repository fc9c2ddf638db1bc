"""From a model's end to integers, engines and answers, against a twin in plain numpy."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from readout_models import ENDS, FALLING, HEADS, STEPS, Model, data, leaked, softmax, twin

from snndeploy.engines.engine import run_network
from snndeploy.engines.reference import run_reference
from snndeploy.engines.stepwise import run_stepwise
from snndeploy.errors import UnsupportedError
from snndeploy.frontend.door import ModelFacts, OpenedModel
from snndeploy.frontend.torch import trace
from snndeploy.graph import Node
from snndeploy.lower.lower import lower
from snndeploy.passes.partition import partition
from snndeploy.passes.signals import infer_signals
from snndeploy.pipeline.walk import compile_opened
from snndeploy.program import load, save
from snndeploy.simulator.answers import answers_of, heads_of
from snndeploy.simulator.run import encode, simulate
from snndeploy.target import Target
from snndeploy.traffic.host_link import host_transfers
from snndeploy.training import quantized
from snndeploy.verify.chain import verify

pytestmark = pytest.mark.torch

SAMPLES = 24
X = data(SAMPLES)


def traced(end, outputs=3):
    return trace(Model(end, outputs), torch.zeros(1, STEPS, 12))


def compiled(graph, target="loihi2"):
    facts = ModelFacts("readout", "", "given", 0, "", STEPS, (STEPS, 12), "binary")
    return compile_opened(OpenedModel(facts, graph), Target.load(target))


def answered(program):
    """The answers on the chip and in the float model, of every head."""
    return simulate(program, X).answers()


@pytest.mark.parametrize("name", ENDS)
def test_every_end_answers_as_its_twin(name):
    end, expected, (kind, steps), goes_on = ENDS[name]
    program = compiled(traced(end))
    readout = program.network.readout
    assert (readout.kind, readout.steps, readout.finish is not None) == (kind, steps, goes_on)
    ((chip, reference),) = answered(program)
    wanted = expected(*twin(X))
    np.testing.assert_allclose(chip, wanted, rtol=1e-12, atol=1e-12)  # float64 holds all of it
    np.testing.assert_allclose(reference, wanted, atol=1e-6)


@pytest.mark.parametrize(
    "name", ["last", "did it fire", "weights over time", "softmax at every step"]
)
def test_every_engine_reads_the_same_integers(name):
    program = compiled(traced(ENDS[name][0]))
    network, (injected, _) = program.network, encode(program, X)
    outputs = [run(network, injected).outputs for run in (run_network, run_reference, run_stepwise)]
    assert outputs[0].any()
    for other in outputs[1:]:
        np.testing.assert_array_equal(other, outputs[0])
    in_parts = run_network(network, injected, batch=5).outputs
    np.testing.assert_array_equal(in_parts, outputs[0])
    assert verify(program, X[:4])[0].passed


@pytest.mark.parametrize("name", HEADS)
def test_heads_are_all_read(name, tmp_path):
    program = compiled(traced(HEADS[name]))
    spikes, y = twin(X)
    for (chip, reference), wanted in zip(
        answered(program), (y.mean(0), spikes[-1], y.max(0)), strict=True
    ):
        np.testing.assert_allclose(chip, wanted, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(reference, wanted, atol=1e-6)
    assert [head.shape for head in heads_of(program)] == [(3,), (10,), (3,)]
    save(program, tmp_path / "net.snnp")
    again = load(tmp_path / "net.snnp")
    injected, _ = encode(again, X)
    outputs = run_network(again.network, injected).outputs
    for found, (chip, _) in zip(answers_of(again.network, outputs), answered(program), strict=True):
        np.testing.assert_array_equal(found, chip)
    assert any("returns 3 values" in note for note in program.facts.notes)
    assert verify(again, X[:2])[0].passed


# leaky membranes


def leaky(end, decay):
    return swapped(traced(end), decay)


def swapped(graph, decay):
    """The product with `over_time` is a leaky membrane instead."""
    (weighed,) = [node for node in graph.nodes if node.op == "weigh"]
    attributes = {"decay": decay, "time_axis": 0, "timesteps": STEPS}
    leak = Node(weighed.name, "leaky", weighed.inputs, attributes, axes=weighed.axes)
    return graph.with_nodes(leak if node is weighed else node for node in graph.nodes)


ALL = tuple(range(STEPS))
LEAKY = {  # the end, the twin's, steps that are read, decay register
    "last": (lambda n, s: (n.second(s) * n.over_time)[-1], lambda v: v[-1], (), 2048),
    "mean": (  # a membrane without a leak takes as many readings, and no register rounds it
        lambda n, s: (n.second(s) * n.over_time).mean(0), lambda v: v.mean(0), ALL, 0),
    "maximum": (
        lambda n, s: (n.second(s) * n.over_time).amax(0), lambda v: v.max(0), ALL, 2048),
    "softmax": (
        lambda n, s: (n.second(s) * n.over_time)[-1].softmax(-1), lambda v: softmax(v[-1]), (),
        2048),
}  # fmt: skip


@pytest.mark.parametrize("name", LEAKY)
def test_leaky_membranes_on_a_grid_are_exact(name):
    end, expected, steps, register = LEAKY[name]
    program = compiled(leaky(end, 0.5))
    readout = program.network.readout
    population = program.network.by_name[readout.population]
    assert (population.neuron.name, population.neuron.membrane_decay) == ("integrator", register)
    assert readout.steps == steps
    line = program.facts.quantized(readout.population)
    assert line.exact and line.proved and line.decay_error == 0.0
    ((chip, reference),) = answered(program)
    wanted = expected(leaked(twin(X)[1], 0.5))
    np.testing.assert_allclose(chip, wanted, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(reference, wanted, atol=1e-6)
    assert verify(program, X[:4])[0].passed


def test_a_leak_that_the_register_rounds_is_said():
    program = compiled(leaky(LEAKY["last"][0], 0.9))
    readout = program.network.readout
    neuron = program.network.by_name[readout.population].neuron
    assert neuron.membrane_decay == round(4096 * 0.1) == 410
    line = program.facts.quantized(readout.population)
    assert not line.exact and line.decay_error == pytest.approx(abs(0.9 - 3686 / 4096))
    assert (
        "readout: its membrane keeps 0.9 of itself a step; the decay register of 12 bits holds"
        " 0.899902" in program.facts.notes
    )
    # the same in integers: v <- toward zero of v * 3686 / 4096, plus 64 times the sum
    injected, _ = encode(program, X)
    activity = run_network(program.network, injected, record=["fire"])
    (projection,) = program.network.incoming(readout.population)
    v = np.zeros((SAMPLES, 3), dtype=np.int64)
    for step in range(STEPS):
        spikes = activity.spikes["fire"][:, step].reshape(SAMPLES, -1).astype(np.int64)
        kept = np.sign(v) * (np.abs(v) * (4096 - 410) >> 12)
        sums = spikes @ projection.connection.weight.reshape(3, -1).T.astype(np.int64)
        v = kept + ((sums << projection.exponent) << 6)
    np.testing.assert_array_equal(activity.outputs, v)
    ((chip, _),) = answered(program)
    np.testing.assert_allclose(chip, leaked(twin(X)[1], 0.9)[-1], atol=0.005)


def test_a_leaky_membrane_before_a_neuron_is_refused():
    class Twice(Model):
        def forward(self, x):
            fired = self.fire(self.first(x.transpose(0, 1)))
            return self.second(self.again(self.third(fired) * self.over_time)).mean(0)

        def __init__(self):
            super().__init__(None)
            self.third, self.again = torch.nn.Linear(10, 10), type(self.fire)()

    graph = infer_signals(swapped(trace(Twice(), torch.zeros(1, STEPS, 12)), 0.5))
    said = r"^\w+ \(leaky\) cannot run on the chip: it mixes several time steps; "
    with pytest.raises(UnsupportedError, match=said):
        lower(partition(graph), "compose")


# the host link


def test_every_reading_crosses_the_host_link():
    """4 bytes of each of 3 membranes, behind each step that is read."""
    for name, readings in (("mean", 1), ("last", 2), ("maximum", STEPS)):
        program = compiled(traced(ENDS[name][0]))
        out = [t for t in host_transfers(program.network) if t.counter == "host_bytes_out"]
        assert [t.moved for t in out] == [12] * readings
        depth = program.network.by_name["readout"].depth
        assert [t.step for t in out] == [depth + s for s in program.network.readout.steps_of(STEPS)]
        said = [note for note in program.facts.notes if "readings of 3 membranes" in note]
        assert len(said) == (readings > 1)
        run = simulate(program, X[:2], reference=False)
        assert run.totals["host_bytes_out"] == 12 * readings


# what is refused


def test_answers_of_two_values_are_refused():
    end = lambda n, s: n.second(s).amax(0) + n.second(s).mean(0)  # noqa: E731
    with pytest.raises(UnsupportedError, match="makes the answer of 2 values that are read"):
        compiled(traced(end))


def test_a_layer_behind_a_function_is_refused():
    with pytest.raises(UnsupportedError, match="layers are the chip's behind the last neuron"):
        compiled(traced(lambda n, s: n.second(s.amax(0))))


def test_what_a_weight_falls_by_is_found_again():
    program = compiled(traced(ENDS["falling weights"][0]))
    neuron = program.network.by_name["readout"].neuron
    assert neuron.membrane_decay == round(4096 * (1 - FALLING[0] / FALLING[1]))


def test_a_changed_reading_is_found_by_verify():
    program = compiled(traced(ENDS["last"][0]))
    network = program.network
    wrong = replace(network.readout, steps=(3, 5))
    found = verify(replace(program, network=replace(network, readout=wrong)), X[:2])[0]
    assert not found.passed
    assert str(found.links[0].findings[0]) == "readout: readout's steps: another than the model's"


@pytest.mark.parametrize("name", ["last", "softmax"])
def test_fine_tuning_refuses_what_it_does_not_read(name):
    with pytest.raises(UnsupportedError, match=r"^readout: several heads or readings"):
        quantized(Model(ENDS[name][0]), "loihi2", calibration=X, example=torch.zeros(1, STEPS, 12))(
            torch.tensor(X)
        )
