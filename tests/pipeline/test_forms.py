"""Every form of the neuron equation, from a module in plain torch to the chip's spikes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from cli_runner import run
from form_models import FORMS, TIMESTEPS

from snndeploy.engines.engine import run_network
from snndeploy.engines.reference import run_reference
from snndeploy.errors import UnsupportedError
from snndeploy.neurons import Lif, Programmed
from snndeploy.ops.evaluate import by_step, evaluate
from snndeploy.pipeline import compile
from snndeploy.program import Program, load, save
from snndeploy.simulator.run import encode

pytestmark = pytest.mark.torch

MODELS = Path(__file__).with_name("form_models.py")
FIXED = ("plain", "above", "shifted", "synaptic")  # what a chip's fixed neuron does
REASONS = {
    "soft": "soft reset", "soft_after": "soft reset", "none": "no reset",
    "reset_value": "reset value", "lasting": "current without leak",
    "initial": "initial membrane", "bounded": "lower bound",
    "refractory": "refractory steps", "dropping": "refractory steps",
    "several": "several spikes a step",
}  # fmt: skip


@pytest.fixture(scope="module")
def x() -> np.ndarray:
    return (np.random.default_rng(0).random((40, TIMESTEPS, 12)) < 0.4).astype(np.float32)


@pytest.fixture(scope="module")
def data(x: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("forms") / "data.npz"
    np.savez(path, x=x, y=np.arange(len(x)) % 4)
    return path


def compiled(form: str, data: Path, target: str = "loihi2") -> Program:
    return compile(f"{MODELS}:net({form!r})", target=target, random_weights=True, calibration=data)


@pytest.mark.parametrize("form", FORMS)
def test_every_spike_is_the_models(form: str, data: Path, x: np.ndarray, tmp_path: Path):
    """On its grid nothing is rounded: the float module is the golden model."""
    program = compiled(form, data)
    layers = [p for p in program.network.populations if p.neuron.fires and p.origin]
    assert [type(p.neuron) for p in layers] == [Lif if form in FIXED else Programmed] * 2
    injected, _ = encode(program, x)
    names = [p.name for p in program.network.populations]
    fast = run_network(program.network, injected, record=names, samples=len(x))
    slow = run_reference(program.network, injected, samples=len(x))
    assert np.array_equal(fast.outputs, slow.outputs)
    for population in layers:
        node = program.model.by_name[population.origin]
        wanted = by_step(node, evaluate(program.model, x, [node.name])[node.name], len(x))
        assert program.facts.quantized(population.name).exact
        assert wanted.any() and np.array_equal(
            fast.spikes[population.name].reshape(wanted.shape), wanted
        )
        assert np.array_equal(fast.spikes[population.name], slow.spikes[population.name])
    save(program, tmp_path / "net.snnp")
    assert [p.neuron for p in load(tmp_path / "net.snnp").network.populations] == [
        p.neuron for p in program.network.populations
    ]


@pytest.mark.parametrize("form", REASONS)
def test_a_fixed_neuron_refuses_it_by_name(form: str, data: Path):
    with pytest.raises(UnsupportedError) as caught:
        compiled(form, data, "loihi1")
    assert {v.reason for v in caught.value.violations} == {REASONS[form]}


@pytest.mark.parametrize("form", [form for form in FIXED])
def test_a_fixed_neuron_does_what_an_exact_change_gives(form: str, data: Path, x: np.ndarray):
    program = compiled(form, data, "loihi1")
    assert all(isinstance(p.neuron, Lif) for p in program.network.populations if p.neuron.fires)


def test_a_program_is_said_with_its_source(data: Path):
    (note,) = compiled("soft", data).facts.plan.neurons
    assert note.startswith("one, two: soft reset by a neuron program (published: Intel Loihi 2")
    assert "Lava ships no such program" in note


@pytest.mark.parametrize("form", ["synaptic", "everything"])
def test_the_commands_know_it(form: str, data: Path, tmp_path: Path):
    program = tmp_path / "net.snnp"
    save(compiled(form, data), program)
    for command in (
        ("inspect", program), ("simulate", program, "--data", data, "--samples", "8"),
        ("verify", program, "--data", data, "--samples", "4"),
        ("analyze", program, "--data", data, "--samples", "4", "-o", tmp_path / "pages"),
    ):  # fmt: skip
        found = run(*command)
        assert found.exit_code == 0, (command, found.output)
