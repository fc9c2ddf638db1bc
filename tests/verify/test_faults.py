"""verify finds, names and classifies faults that are put into a real program on purpose."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from populations import altered

from snndeploy.data import load_data
from snndeploy.engines.engine import run_network
from snndeploy.network import Network, Projection
from snndeploy.pipeline import compile
from snndeploy.program import Program
from snndeploy.shelf import model_entry
from snndeploy.simulator.run import encode
from snndeploy.verify import Link, Verification, compare, verify
from snndeploy.verify.chain import recorded

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def program() -> Program:
    return compile("gac-digits", target="loihi2", shortcuts="compose")


@pytest.fixture(scope="module")
def digits() -> np.ndarray:
    data = model_entry("gac-digits").test_data
    assert data is not None
    return load_data(data).take(2).inputs()


def check(program: Program, digits: np.ndarray) -> Verification:
    return verify(program, digits)[0]


def link(found: Verification, start: str) -> Link:
    return next(link for link in found.links if link.name.startswith(start))


def with_population(program: Program, name: str, **changes: object) -> Program:
    network = program.network
    populations = tuple(altered(p, **changes) if p.name == name else p for p in network.populations)
    return replace(program, network=replace(network, populations=populations))


def with_projection(program: Program, index: int, **changes: object) -> Program:
    network: Network = program.network
    projections: list[Projection] = list(network.projections)
    projections[index] = replace(projections[index], **changes)  # type: ignore[arg-type]
    return replace(program, network=replace(network, projections=tuple(projections)))


def test_a_sound_program_passes(program: Program, digits: np.ndarray) -> None:
    found = check(program, digits)
    assert found.passed
    assert [link.exact for link in found.links] == [True, True, True, None]
    agreement = link(found, "float model -> chip's spikes")
    assert 0.9 < agreement.agreement < 1
    assert agreement.first is not None and agreement.first.cause == "weight rounding"
    expected, got = agreement.first.expected_membrane, agreement.first.found_membrane
    assert expected is not None and got is not None
    threshold = agreement.first.threshold
    assert threshold is not None and (expected >= threshold) != (got >= threshold)


def test_threshold_off_by_one(program: Program, digits: np.ndarray) -> None:
    name = "body.stage2.0.spike2"
    register = program.network.by_name[name].neuron.threshold
    found = check(with_population(program, name, threshold=register - 1), digits)
    assert not found.passed
    (finding,) = link(found, "float model -> program's integers").findings
    assert str(finding) == (
        f"{name}: threshold off by -1: register {register - 1}, expected {register}"
    )
    first = link(found, "recorded answer").first
    assert first is not None and first.population == name
    assert first.cause.startswith("threshold: the other side's is one higher")


def test_more_than_instead_of_at_least(program: Program, digits: np.ndarray) -> None:
    name = "body.stage2.0.spike1"
    register = program.network.by_name[name].neuron.threshold
    found = check(with_population(program, name, threshold=register + 1), digits)
    (finding,) = link(found, "float model -> program's integers").findings
    assert finding.cause == "'>' instead of '>='"
    first = link(found, "recorded answer").first
    assert first is not None and "'>=' instead of '>'" in first.cause
    assert first.expected_membrane == first.found_membrane


def test_wrapped_bias(program: Program, digits: np.ndarray) -> None:
    name = "body.stage2.0.spike1"
    bias = program.network.by_name[name].bias
    assert bias is not None
    wrapped = bias.copy()
    channel = int(np.argmax(np.abs(bias)))
    wrapped[channel] -= int(np.sign(bias[channel])) * 8192
    found = check(with_population(program, name, bias=wrapped), digits)
    (finding,) = link(found, "float model -> program's integers").findings
    assert finding.cause == "wrapped bias"
    assert f"channel {channel}, y 0, x 0" in finding.detail
    first = link(found, "recorded answer").first
    assert first is not None and first.neuron[0] == channel


def test_dropped_shortcut_delay(program: Program, digits: np.ndarray) -> None:
    projections = program.network.projections
    index = next(i for i, p in enumerate(projections) if p.delay > 0)
    found = check(with_projection(program, index, delay=0), digits)
    (finding,) = link(found, "float model -> program's integers").findings
    name, needed = projections[index].name, projections[index].delay
    assert finding.cause == "delay"
    assert finding.detail == f"{name} waits 0 steps, its path needs {needed}"
    first = link(found, "recorded answer").first
    assert first is not None and first.population == projections[index].target
    assert first.cause == f"delay: {name} waits 0 steps, not as its path needs"


def test_flipped_weight_bit(program: Program, digits: np.ndarray) -> None:
    projection = program.network.projections[1]
    weight = projection.connection.weight.copy()
    place = (2, 3, 1, 1)
    before = int(weight[place])
    weight[place] ^= 16
    changed = replace(projection.connection, weight=weight)
    found = check(with_projection(program, 1, connection=changed), digits)
    (finding,) = link(found, "float model -> program's integers").findings
    assert finding.cause == "weight bit flipped"
    assert f"weight [2, 3, 1, 1] is {int(weight[place])}, expected {before}" in finding.detail
    first = link(found, "recorded answer").first
    assert first is not None and first.neuron[0] == 2
    assert first.cause.startswith("weights or bias of channel 2")


def test_dropped_projection(program: Program, digits: np.ndarray) -> None:
    network = program.network
    dropped = network.projections[-2]
    kept = tuple(p for p in network.projections if p is not dropped)
    found = check(replace(program, network=replace(network, projections=kept)), digits)
    causes = [f.cause for f in link(found, "float model -> program's integers").findings]
    assert "projections" in causes and not found.passed


def test_a_link_without_a_population_proves_nothing(program: Program, digits: np.ndarray) -> None:
    injected, _ = encode(program, digits)
    names = recorded(program.network)
    spikes = run_network(program.network, injected, record=names, samples=len(digits)).spikes
    silent = {name: values for name, values in spikes.items() if name != "spike"}
    broken = compare("ours -> theirs", program.network, spikes, silent, injected, ours="expected")
    assert broken.exact is False
    assert broken.note == "nothing recorded of spike, so this link proves nothing of them"
    assert compare("ours -> ours", program.network, spikes, spikes, injected, ours="found").exact


@pytest.mark.parametrize("shortcuts", ["compose", "relay"])
@pytest.mark.parametrize("model", ["direct-digits", "lif-snn-3-small"])
def test_shipped_models_pass(model: str, shortcuts: str) -> None:
    made = compile(model, target="loihi2", shortcuts=shortcuts)  # type: ignore[arg-type]
    data = model_entry(model).test_data
    assert data is not None
    assert check(made, load_data(data).take(2).inputs()).passed
