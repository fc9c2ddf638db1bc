"""The walk as functions: what a program carries, and what the shipped network must reach."""

from pathlib import Path

import numpy as np
import pytest
import tiny_model

import snndeploy
from snndeploy.engines.engine import run_network
from snndeploy.errors import DataError, UnsupportedError
from snndeploy.simulator.run import encode

pytestmark = pytest.mark.torch
SPEC = f"{tiny_model.__file__}:net(timesteps=3)"
DIGITS = Path(__file__).resolve().parents[2] / "models" / "data" / "mnist_test.npz"


@pytest.fixture(scope="module")
def program():
    return snndeploy.compile(SPEC, random_weights=True)


def test_the_golden_answer_is_what_the_chip_answers(program, tmp_path):
    snndeploy.save(program, tmp_path / "net.snnp")
    loaded = snndeploy.load(tmp_path / "net.snnp")
    golden, network = loaded.golden, loaded.network
    injected, _ = encode(loaded, golden.x)
    assert set(injected) == set(golden.injected)
    for index, values in injected.items():
        np.testing.assert_array_equal(values, golden.injected[index])
    found = run_network(network, injected, record=list(golden.spikes), samples=len(golden.x))
    np.testing.assert_array_equal(found.outputs, golden.outputs)
    for name, packed in golden.spikes.items():
        np.testing.assert_array_equal(np.packbits(found.spikes[name] != 0), packed)


def test_a_loaded_program_answers_as_the_one_that_was_saved(program, tmp_path):
    snndeploy.save(program, tmp_path / "net.snnp")
    x = np.random.default_rng(1).random((3, 1, 8, 8)).astype(np.float32)
    runs = [snndeploy.simulate(p, x) for p in (program, snndeploy.load(tmp_path / "net.snnp"))]
    np.testing.assert_array_equal(runs[0].logits, runs[1].logits)
    np.testing.assert_array_equal(runs[0].reference_logits, runs[1].reference_logits)
    reports = [snndeploy.summarize(program, run) for run in runs]
    assert reports[0] == reports[1]


def test_without_calibration_data_a_note_says_so(program):
    assert sum("no calibration data was given" in note for note in program.facts.notes) == 1


def test_steps_are_told_in_order():
    told = []
    snndeploy.load_graph(SPEC, random_weights=True, step=told.append)
    assert told == ["load the model", "trace it and compare the graph with the model"]


def test_relays_need_graded_spikes():
    with pytest.raises(UnsupportedError) as caught:
        snndeploy.compile(SPEC, random_weights=True, target="loihi1", shortcuts="relay")
    assert str(caught.value) == (
        "loihi1 has no graded spikes, which --shortcuts relay needs; use compose"
    )


def test_the_function_refuses_data_like_the_command(program):
    for x, said in (
        (np.zeros((1, 1, 8, 9)), "samples have shape (1, 8, 9), the model takes (1, 8, 8)"),
        (np.full((1, 1, 8, 8), np.nan), "the data has 64 values that are NaN or infinite"),
        (np.zeros((0, 1, 8, 8)), "the data holds no samples"),
    ):
        with pytest.raises(DataError) as caught:
            snndeploy.simulate(program, x)
        assert str(caught.value).startswith(said)


def test_every_verb_exists():
    for name in snndeploy.__all__:
        assert callable(getattr(snndeploy, name))
    assert set(snndeploy.__all__) <= set(dir(snndeploy))
    with pytest.raises(AttributeError):
        snndeploy.no_such_verb  # noqa: B018


@pytest.mark.slow
def test_the_shipped_network_on_a_thousand_digits():
    """Float accuracy at least 96 %, integers within one point of it, every population compared."""
    program = snndeploy.compile("gac-digits", target="loihi2")
    data = snndeploy.load_data(DIGITS)
    assert len(data.x) == 1000
    simulation = snndeploy.simulate(program, data.inputs())
    report = snndeploy.summarize(program, simulation, data.y)
    accuracy = report["accuracy"]
    assert accuracy["reference"] >= 0.96
    assert abs(accuracy["chip"] - accuracy["reference"]) <= 0.01
    spiking = [layer for layer in report["spikes"]["layers"] if layer["kind"] == "lif"]
    assert spiking and all(0.9 < layer["agreement"] <= 1 for layer in spiking)
    shown = snndeploy.render(report)
    assert all(layer["name"] in shown for layer in spiking)


@pytest.mark.parametrize(
    "spec, target, said",
    [
        ("lif-snn-3-small", "loihi2", "the body has no attention"),
        ("lif-snn-3-small-tcsa", "hybrid45nm", "hybrid45nm has a unit for it"),
        ("lif-snn-3-small-tcsa", "loihi2", None),
    ],
)
def test_an_option_that_changes_nothing_says_so(spec, target, said):
    made = snndeploy.compile(spec, target=target, host_attention=True, mapping="tiles")
    found = [note for note in made.facts.notes if "--host-attention" in note]
    assert found == ([f"--host-attention changed nothing: {said}"] if said else [])
