"""Every primitive of NIR against Euler steps in plain numpy, in double precision."""

from itertools import pairwise

import nir
import numpy as np
import pytest
import torch
from nir_euler import Euler
from nir_graphs import DT, affine, events, full, neuron, recurrent, rng, written

from snndeploy import pipeline
from snndeploy.data import Data
from snndeploy.errors import OptionError
from snndeploy.frontend.door import SpecOptions
from snndeploy.frontend.doors import open_spec
from snndeploy.ops.evaluate import evaluate
from snndeploy.simulator.run import simulate

pytestmark = pytest.mark.torch
STEPS = 24


def agree(tmp_path, graph, x, *, fires=True, **said):
    """The graph that is read computes what plain Euler steps do; x: (steps, ...)."""
    spec = written(tmp_path, graph)
    options = SpecOptions(timesteps=len(x), answer="all", **said)
    opened = open_spec(spec, options)
    (found,) = evaluate(opened.graph, torch.as_tensor(x)[None], double=True).values()
    told = {key: value for key, value in said.items() if key != "input_signal"}
    due = Euler(graph, **told).run(x)
    if fires:
        assert 0.01 < due.mean() < 0.9 and set(np.unique(due)) == {0.0, 1.0}
        np.testing.assert_array_equal(found[0].numpy(), due)
    else:
        np.testing.assert_allclose(found[0].numpy(), due, rtol=0, atol=1e-12)
    return opened


@pytest.mark.parametrize("reset", ["hard", "soft"])
@pytest.mark.parametrize("kind", ["IF", "LIF", "CubaLIF"])
def test_neurons(tmp_path, kind, reset):
    graph = nir.NIRGraph.from_list(affine(6, 5), neuron(kind, 6), affine(4, 6, 2.0, 1),
                                   neuron(kind, 4))  # fmt: skip
    agree(tmp_path, graph, events(STEPS, 5), dt=DT, reset=reset)


@pytest.mark.parametrize(
    ("kind", "reset", "v_leak", "v_reset"),
    [
        ("LIF", "hard", 0.2, 0.2), ("LIF", "hard", 0.2, -0.3), ("LIF", "hard", 0.9, 0.1),
        ("LIF", "soft", 0.3, 0.0), ("IF", "hard", 0.0, -0.4), ("CubaLIF", "hard", -0.3, 0.1),
    ],
)  # fmt: skip
def test_what_membranes_rest_at_and_reset_to(tmp_path, kind, reset, v_leak, v_reset):
    graph = nir.NIRGraph.from_list(affine(8, 5), neuron(kind, 8, v_leak=v_leak, v_reset=v_reset))
    agree(tmp_path, graph, events(STEPS, 5), dt=DT, reset=reset)


def test_a_lower_bound(tmp_path):
    graph = nir.NIRGraph.from_list(affine(8, 5, 3.0), neuron("IF", 8))
    opened = agree(tmp_path, graph, events(STEPS, 5), reset="soft", lower_bound=-0.5)
    assert opened.graph.neurons()[0].attributes["lower_bound"] == -0.5
    free = agree(tmp_path, graph, events(STEPS, 5), reset="soft")
    assert "lower_bound" not in free.graph.neurons()[0].attributes


def test_a_threshold_and_a_gain_for_each_neuron(tmp_path):
    r, theta = np.linspace(3.0, 9.0, 6), np.linspace(0.3, 1.1, 6)
    cell = nir.LIF(tau=full(6, 5 * DT), r=r, v_leak=np.zeros(6), v_threshold=theta)
    opened = agree(tmp_path, nir.NIRGraph.from_list(affine(6, 5), cell), events(STEPS, 5), dt=DT)
    assert opened.graph.neurons()[0].attributes["threshold"] == 1.0


def test_planes(tmp_path):
    made = rng()
    shape = (2, 9, 8)

    def conv(plane, o, i, k, **more):
        fields = {"stride": (1, 1), "padding": (0, 0), "dilation": (1, 1), "groups": 1, **more}
        weight = (made.standard_normal((o, i, *k)) * 0.7).astype(np.float32)
        bias = (made.standard_normal(o) * 0.1).astype(np.float32)
        return nir.Conv2d(plane, weight, bias=bias, **fields)

    def fires(*plane):
        return nir.IF(r=full(plane, 1.0), v_threshold=full(plane, 0.8))

    pool = {"kernel_size": np.array([2, 2]), "stride": np.array([2, 2])}
    nodes = {
        "input": nir.Input({"input": np.array(shape)}),
        "a": conv((9, 8), 4, 2, (3, 2), stride=(2, 1), padding=(1, 0)), "b": fires(4, 5, 7),
        "c": nir.SumPool2d(padding=np.array([0, 1]), **pool),
        "d": conv((2, 4), 4, 2, (1, 1), groups=2),
        "e": fires(4, 2, 4), "f": nir.AvgPool2d(padding=np.array([0, 0]), **pool),
        "g": conv((1, 2), 3, 4, (1, 3), padding="same", dilation=(1, 1)),
        "h": nir.Flatten({"input": np.array([3, 1, 2])}, 0, -1), "i": affine(4, 6, 2.0),
        "j": neuron("IF", 4),
        "output": nir.Output({"output": np.array([4])}),
    }  # fmt: skip
    names = list(nodes)
    # nir's own check takes every kernel for a square
    graph = nir.NIRGraph(nodes, list(pairwise(names)), type_check=False)
    agree(tmp_path, graph, events(STEPS, *shape))


def test_rows(tmp_path):
    weight = rng().standard_normal((3, 2, 4)).astype(np.float32)
    conv = nir.Conv1d(7, weight, 2, 1, 1, 1, np.zeros(3, np.float32))
    fires = nir.IF(r=full((3, 3), 1.0), v_threshold=full((3, 3), 0.8))
    agree(tmp_path, nir.NIRGraph.from_list(conv, fires), events(STEPS, 2, 7))


def test_scales_thresholds_and_delays(tmp_path):
    scale = nir.Scale(np.array([0.5, -1.0, 2.0, 1.5]))
    nodes = [affine(4, 3), scale, nir.Threshold(full(4, 0.3)), nir.Delay(full(4, 3 * DT)),
             affine(5, 4, 1.5, 2), neuron("LIF", 5)]  # fmt: skip
    opened = agree(tmp_path, nir.NIRGraph.from_list(*nodes), events(STEPS, 3), dt=DT)
    assert not any("rounded" in note for note in opened.graph.notes)


def test_a_delay_between_two_steps_is_rounded_and_said(tmp_path):
    graph = nir.NIRGraph.from_list(affine(4, 3), nir.Delay(full(4, 2.3 * DT)), neuron("LIF", 4))
    opened = agree(tmp_path, graph, events(STEPS, 3), dt=DT)
    assert "delay: its delay is rounded by 0.3 of a step" in opened.graph.notes


@pytest.mark.parametrize("kind", ["LI", "CubaLI", "I"])
def test_membranes_that_do_not_fire(tmp_path, kind):
    last = {
        "LI": lambda: nir.LI(tau=full(3, 7 * DT), r=full(3, 2.0), v_leak=full(3, 0.25)),
        "CubaLI": lambda: nir.CubaLI(tau_mem=full(3, 7 * DT), tau_syn=full(3, 4 * DT),
                                     r=full(3, 2.0), v_leak=full(3, -0.5), w_in=full(3, 3.0)),
        "I": lambda: nir.I(r=np.array([1.0, 0.5, 2.0])),
    }[kind]()  # fmt: skip
    graph = nir.NIRGraph.from_list(affine(6, 5), neuron("IF", 6), affine(3, 6, 1.0, 3), last)
    agree(tmp_path, graph, events(STEPS, 5), fires=False, dt=DT)


@pytest.mark.parametrize("reset", ["hard", "soft"])
@pytest.mark.parametrize("kind", ["IF", "LIF", "CubaLIF"])
def test_spikes_come_back_a_step_later(tmp_path, kind, reset):
    graph = recurrent(affine(6, 6, 0.8, 4), kind=kind)
    opened = agree(tmp_path, graph, events(STEPS, 5), dt=DT, reset=reset)
    assert opened.graph.neurons()[0].feedback is not None


def test_an_edge_from_a_neuron_to_itself(tmp_path):
    graph = recurrent(nir.Scale(full(6, -0.7)))
    graph.edges.append(("cell", "cell"))
    agree(tmp_path, graph, events(STEPS, 5), dt=DT)


def test_a_recurrent_neuron_runs_on_the_chip(tmp_path):
    """Integers of binary fractions are the float model, bit for bit: also the way back."""
    weight = rng().integers(-4, 5, (6, 5)).astype(np.float32) / 4
    back = nir.Linear(rng().integers(-3, 4, (6, 6)).astype(np.float32) / 4)
    graph = recurrent(back, kind="IF")
    graph.nodes["in"] = nir.Linear(weight)
    graph.nodes["cell"] = nir.IF(r=full(6, 1.0), v_threshold=full(6, 1.0))
    x = events(16, STEPS, 5)
    made = pipeline.compile(written(tmp_path, graph), calibration=Data(x, None, 1.0, "events"),
                            mapping="naive")  # fmt: skip
    run = simulate(made, x)
    assert 0.05 < run.reference_logits.mean() < 0.9
    np.testing.assert_allclose(run.logits, run.reference_logits, rtol=0, atol=1e-6)
    plain = np.stack([Euler(graph).run(sample).mean(axis=0) for sample in x])
    np.testing.assert_allclose(run.reference_logits, plain, rtol=0, atol=1e-6)


def test_graphs_in_graphs(tmp_path):
    inner = nir.NIRGraph.from_list(affine(6, 5), neuron("LIF", 6))
    around = nir.NIRGraph.from_list(inner, affine(4, 6, 2.0, 1))
    graph = nir.NIRGraph(
        {"input": nir.Input({"input": np.array([5])}), "block": around, "last": neuron("LIF", 4),
         "output": nir.Output({"output": np.array([4])})},
        [("input", "block"), ("block", "last"), ("last", "output")],
        type_check=False,
    )  # fmt: skip
    opened = agree(tmp_path, graph, events(STEPS, 5), dt=DT)
    labels = [node.label for node in opened.graph.neurons()]
    assert labels == ["block.nirgraph.lif", "last"]


def test_edges_into_one_node_add_up(tmp_path):
    nodes = {
        "input": nir.Input({"input": np.array([5])}), "a": affine(6, 5), "b": neuron("IF", 6),
        "c": affine(6, 6, 1.0, 7), "d": neuron("IF", 6),
        "output": nir.Output({"output": np.array([6])}),
    }  # fmt: skip
    edges = [("input", "a"), ("a", "b"), ("b", "c"), ("c", "d"), ("a", "d"), ("d", "output")]
    agree(tmp_path, nir.NIRGraph(nodes, edges), events(STEPS, 5))


@pytest.mark.parametrize("answer", ["mean", "sum", "last"])
def test_answers(tmp_path, answer):
    graph = nir.NIRGraph.from_list(affine(6, 5), neuron("LIF", 6))
    x = events(STEPS, 5)
    opened = open_spec(written(tmp_path, graph),
                       SpecOptions(timesteps=STEPS, answer=answer, dt=DT))  # fmt: skip
    (found,) = evaluate(opened.graph, torch.as_tensor(x)[None], double=True).values()
    steps = Euler(graph, DT).run(x)
    due = {"mean": steps.mean(axis=0), "sum": steps.sum(axis=0), "last": steps[-1]}[answer]
    np.testing.assert_allclose(found[0].numpy(), due, rtol=0, atol=1e-12)


# what NIR does not store


def test_what_was_assumed_is_said(tmp_path):
    graph = nir.NIRGraph.from_list(affine(6, 5), neuron("LIF", 6))
    opened = open_spec(written(tmp_path, graph), SpecOptions(timesteps=4, dt=DT))
    assert opened.graph.notes == (
        "NIR stores no time step: Euler steps of 0.001 s",
        "NIR stores no kind of reset, and no lower bound: a spike resets to v_reset (hard), lower"
        " bound none; membranes start at v_leak",
        "NIR stores a sequence: the answer is its mean over time",
    )
    assert opened.facts.input_signal == "integer" and opened.facts.parameters == 36


def test_what_must_be_said(tmp_path):
    spec = written(tmp_path, nir.NIRGraph.from_list(affine(6, 5), neuron("LIF", 6)))
    for said, message in (
        ({"dt": DT}, "net.nir does not say how many time steps a sample has, and NIR cannot; give"
                     " --timesteps T, or data whose samples have them first"),
        ({"timesteps": 4}, "net.nir: node 'lif' (LIF) is described in seconds, and NIR stores no"
                           " time step; give --dt SECONDS, as the network was trained (NIR's own"
                           " examples: 1e-4)"),
        ({"timesteps": 4, "dt": 0.1}, "net.nir: node 'lif' (LIF) has tau 0.008 s, shorter than a"
                                      " time step of 0.1 s; give --dt 0.008 or less"),
        ({"timesteps": 4, "dt": 0.0}, "--dt 0: more than 0 is needed, below 1,048,576"),
        ({"timesteps": 4, "dt": DT, "reset": "none"}, "--reset 'none' is not one of hard, soft"),
        ({"timesteps": 4, "dt": DT, "answer": "max"},
         "--answer 'max' is not one of mean, sum, last, all"),
    ):  # fmt: skip
        with pytest.raises(OptionError) as caught:
            open_spec(spec, SpecOptions(**said))
        assert str(caught.value) == message


def test_steps_and_signal_come_from_data(tmp_path):
    spec = written(tmp_path, nir.NIRGraph.from_list(affine(6, 5), neuron("IF", 6)))
    for x, signal in ((events(2, 9, 5), "binary"), (events(2, 9, 5) * 3, "integer"),
                      (events(2, 9, 5) / 2, "real")):  # fmt: skip
        facts = open_spec(spec, SpecOptions(data=Data(x, None, 1.0, "x"))).facts
        assert (facts.timesteps, facts.input_signal) == (9, signal)


# on the chip


def readout(kind):
    if kind == "LI":
        return nir.LI(tau=full(3, 7 * DT), r=full(3, 2.0), v_leak=full(3, 0.25))
    if kind == "I":
        return nir.I(r=full(3, 0.5))
    return nir.CubaLI(tau_mem=full(3, 7 * DT), tau_syn=full(3, 4 * DT), r=full(3, 2.0),
                      v_leak=full(3, 0.0), w_in=full(3, 3.0))  # fmt: skip


@pytest.mark.parametrize("answer", ["mean", "last"])
@pytest.mark.parametrize("kind", ["LI", "CubaLI", "I"])
def test_a_membrane_is_the_readout_of_the_chip(tmp_path, kind, answer):
    """Spikes are exact, of weights that are binary fractions; the readout's weights are rounded."""
    first = nir.Linear((rng().integers(-3, 4, (6, 5)) / 2).astype(np.float32))
    fires = nir.IF(r=full(6, 1.0), v_threshold=full(6, 1.0))
    graph = nir.NIRGraph.from_list(first, fires, affine(3, 6, 1.0, 3), readout(kind))
    x = events(8, STEPS, 5)
    made = pipeline.compile(written(tmp_path, graph), calibration=Data(x, None, 1.0, "x"), dt=DT,
                            answer=answer, mapping="naive")  # fmt: skip
    run = simulate(made, x)
    steps = np.stack([Euler(graph, DT).run(sample) for sample in x])
    due = steps.mean(axis=1) if answer == "mean" else steps[:, -1]
    np.testing.assert_allclose(run.reference_logits, due, rtol=0, atol=1e-5)
    size = np.abs(due).max()
    assert size > 0.1 and np.abs(run.logits - due).max() < 0.02 * size


@pytest.mark.parametrize("kind", ["conv1d", "delay", "threshold"])
def test_other_primitives_on_the_chip(tmp_path, kind):
    made = rng()
    if kind == "conv1d":
        weight = (made.integers(-3, 4, (3, 2, 4)) / 2).astype(np.float32)
        conv = nir.Conv1d(7, weight, 2, 1, 1, 1, np.zeros(3, np.float32))
        nodes, shape = [conv, nir.IF(r=full((3, 3), 1.0), v_threshold=full((3, 3), 1.0))], (2, 7)
    else:
        linear = nir.Linear((made.integers(-3, 4, (4, 5)) / 2).astype(np.float32))
        nodes = [linear, nir.IF(r=full(4, 1.0), v_threshold=full(4, 1.0)),
                 nir.Delay(full(4, 3 * DT)), nir.Linear(np.eye(4, dtype=np.float32)),
                 nir.IF(r=full(4, 1.0), v_threshold=full(4, 1.5))]  # fmt: skip
        if kind == "threshold":
            nodes = [linear, nir.Threshold(full(4, 0.5))]
        shape = (5,)
    graph = nir.NIRGraph.from_list(*nodes)
    x = events(8, STEPS, *shape)
    program = pipeline.compile(written(tmp_path, graph), calibration=Data(x, None, 1.0, "x"),
                               dt=DT, mapping="naive")  # fmt: skip
    run = simulate(program, x)
    due = np.stack([Euler(graph, DT).run(sample).mean(axis=0) for sample in x])
    assert 0.02 < due.mean() < 0.9
    np.testing.assert_allclose(run.reference_logits.reshape(due.shape), due, rtol=0, atol=1e-6)
    np.testing.assert_allclose(run.logits.reshape(due.shape), due, rtol=0, atol=1e-6)
