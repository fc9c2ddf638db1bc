"""Lava's fixed-point simulation equals the reference: every population, every step."""

from __future__ import annotations

import numpy as np
import pytest
from lava_networks import CASES
from random_networks import Features, random_injected, random_network

from snndeploy.backends.lava.execute import run_bundle

pytestmark = pytest.mark.lava

FORWARD = Features(programmed=True)
RECURRENT = Features(programmed=True, recurrent=True, current_decay=True)


def assert_equal(bundled, lava_python, network, injected):
    folder, activity = bundled(network, injected)
    run = run_bundle(folder, timeout_s=180, python=lava_python)
    assert run.equal, run.report
    return folder, activity


@pytest.mark.parametrize("name", CASES)
def test_a_network_by_hand(name, bundled, lava_python):
    network, injected = CASES[name]()
    _, activity = assert_equal(bundled, lava_python, network, injected)
    assert not any("wrapped" in line for line in activity.warnings)
    for population in network.populations:
        if population.neuron.fires and not population.name.startswith("zero"):
            fired = (activity.spikes[population.name] > 0).mean()
            assert 0 < fired < 1, f"{population.name} always does the same: a test of nothing"


def draw(seed: int, features: Features):
    """A random network whose currents stay inside 24 bits: beyond, Lava wraps in its own way."""
    from snndeploy.engines.reference import run_reference

    for attempt in range(seed * 1000, seed * 1000 + 100):
        network = random_network(attempt, features)
        injected = random_injected(network, attempt)
        if not any("wrapped" in line for line in run_reference(network, injected).warnings):
            return network, injected
    raise AssertionError("no network without wraps")


@pytest.mark.parametrize("seed", range(3))
def test_a_random_network(seed, bundled, lava_python):
    assert_equal(bundled, lava_python, *draw(seed, FORWARD))


@pytest.mark.parametrize("seed", range(100, 102))
def test_a_random_recurrent_network(seed, bundled, lava_python):
    assert_equal(bundled, lava_python, *draw(seed, RECURRENT))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3, 63))
def test_many_random_networks(seed, bundled, lava_python):
    assert_equal(bundled, lava_python, *draw(seed, RECURRENT if seed % 4 == 0 else FORWARD))


def test_results_come_back_in_a_file(bundled, lava_python, tmp_path):
    network, injected = CASES["pooled_integrator"]()
    folder, activity = bundled(network, injected)
    file = tmp_path / "results.npz"
    seen = []
    run_bundle(
        folder,
        timeout_s=180,
        samples=2,
        results=file,
        python=lava_python,
        progress=lambda done, total: seen.append((done, total)),
    )
    with np.load(file) as results:
        assert sorted(results) == ["outputs", "spikes/first", "spikes/second"]
        for name in ("first", "second"):
            np.testing.assert_array_equal(results[f"spikes/{name}"], activity.spikes[name][:2])
        np.testing.assert_array_equal(results["outputs"], activity.outputs[:2])
    assert seen == [(step, 19) for step in range(1, 20)]
