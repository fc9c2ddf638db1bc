"""Every form of the neuron equation, from plain torch to Lava: equal spike for spike."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import twins

from snndeploy import pipeline
from snndeploy.engines.reference import run_reference
from snndeploy.frontend.door import OpenedModel, SpecOptions
from snndeploy.frontend.doors import open_spec
from snndeploy.frontend.torch import trace
from snndeploy.graph import Graph
from snndeploy.pipeline import Options, compile_opened
from snndeploy.pipeline.deploy import lava_link
from snndeploy.program import Program
from snndeploy.simulator.run import encode
from snndeploy.target import Target
from snndeploy.verify.chain import verify

pytestmark = pytest.mark.torch

FORMS = {
    "Soft": "programmed", "SoftAfter": "programmed", "Synaptic": "lif", "Bounded": "programmed",
    "Shifted": "programmed", "Waiting": "programmed", "Deaf": "programmed", "Several": "programmed",
    "Unbounded": "programmed",
}  # fmt: skip
LOIHI2 = Target.load("loihi2")


def spec_of(neuron: str) -> str:
    return f"{twins.__file__}:Net(neuron='{neuron}')"


def frames(samples: int) -> np.ndarray:
    drawn = np.random.default_rng(0).random((samples, 6, twins.WIDTH))
    return (drawn < 0.4).astype(np.float32)


@pytest.fixture(scope="module")
def calibration(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("data") / "frames.npz"
    np.savez(path, x=frames(12), y=np.zeros(12, dtype=np.int64))
    return path


def compiled(neuron: str, calibration: Path) -> Program:
    return pipeline.compile(
        spec_of(neuron), calibration=calibration, mapping="naive", random_weights=True
    )


def recurrent(calibration: Path) -> tuple[Program, twins.Net]:
    """The program and the module; both layers hear their own last spikes."""
    net = twins.Net("Halving")
    for name, width in (("first", 10), ("second", 8)):
        neuron = twins.Recurrent(width)
        drawn = torch.Generator().manual_seed(width)
        with torch.no_grad():
            back = torch.randint(-8, 9, (width, width), generator=drawn) / 16
            neuron.back.weight.copy_(back)
        setattr(net, name, neuron)
    opened = open_spec(spec_of("Halving"), SpecOptions(random_weights=True))
    assert isinstance(opened, OpenedModel)
    nodes = tuple(
        replace(node, feedback=_linear(getattr(net, node.label))) if node.is_neuron else node
        for node in opened.graph.nodes
    )
    graph = replace(opened.graph, nodes=nodes)
    options = Options(calibration=calibration, mapping="naive")
    return compile_opened(replace(opened, graph=graph), LOIHI2, options), net


def _linear(neuron: twins.Recurrent) -> Graph:
    example = torch.zeros(1, neuron.back.in_features)
    return trace(neuron.back, example, timesteps=1, spiking=False)


def assert_spikes_of(net: twins.Net, program: Program, x: np.ndarray) -> None:
    """The reference step fires as the torch module does; every layer sometimes, none always."""
    injected, _ = encode(program, x)
    found = run_reference(program.network, injected).spikes
    with torch.no_grad():
        expected = net.spikes(torch.as_tensor(x))
    for name, spikes in zip(("first", "second"), expected, strict=True):
        wanted = spikes.transpose(0, 1).numpy()
        np.testing.assert_array_equal(found[name].reshape(wanted.shape), wanted, err_msg=name)
        assert 0.05 < (wanted > 0).mean() < 0.6


def assert_engines_agree(program: Program, x: np.ndarray) -> None:
    links = verify(program, x)[0].links
    exact = {link.name: link.exact for link in links if link.exact is not None}
    assert exact["reference step -> simulator"] and all(exact.values()), exact


@pytest.mark.parametrize("neuron", FORMS)
def test_a_form_computes_what_torch_does(neuron, calibration):
    program = compiled(neuron, calibration)
    first, second = program.network.populations[1:3]
    assert {first.neuron.name, second.neuron.name} == {FORMS[neuron]}
    assert_spikes_of(twins.Net(neuron), program, frames(12))
    assert_engines_agree(program, frames(4))


def test_recurrence_computes_what_torch_does(calibration):
    program, net = recurrent(calibration)
    assert program.network.is_recurrent
    assert_spikes_of(net, program, frames(12))
    assert_engines_agree(program, frames(4))


@pytest.mark.lava
@pytest.mark.parametrize("neuron", FORMS)
def test_a_form_is_equal_on_lava(neuron, calibration, tmp_path, lava_python):
    link = lava_link(compiled(neuron, calibration), frames(3), tmp_path)
    assert link.exact, str(link.first)
    assert link.compared == 3 * 6 * (10 + 8)


@pytest.mark.lava
def test_recurrence_is_equal_on_lava(calibration, tmp_path, lava_python):
    link = lava_link(recurrent(calibration)[0], frames(2), tmp_path)
    assert link.exact, str(link.first)
