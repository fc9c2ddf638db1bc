"""Which engine runs, and that a wrong delay cannot hide."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
from comparison import assert_same, compare, everything
from populations import make_population
from random_networks import Case, Features, random_injected, random_network

from snndeploy.connections import Conv, Dense
from snndeploy.engines.engine import engine_name, run_network
from snndeploy.engines.functional import misaligned, run_functional
from snndeploy.engines.reference import run_reference
from snndeploy.engines.stepwise import run_stepwise
from snndeploy.errors import DeployError
from snndeploy.network import Injection, Network, Projection, Readout

pytestmark = pytest.mark.torch


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Two threads on a busy machine make tiny convolutions up to 25 times slower."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def residual(delay: int) -> Network:
    """input -> first -> second, and a shortcut input -> second whose right delay is 1."""
    shape = (2, 4, 4)
    weight = np.eye(2, dtype=np.int32)[:, :, None, None]
    return Network(
        6,
        (
            make_population("input", shape, "input"),
            make_population("first", shape, threshold=4, membrane_decay=2048, depth=1),
            make_population("second", shape, threshold=9, membrane_decay=1024, depth=2),
        ),
        (
            Projection("a", "input", "first", Conv(weight * 3)),
            Projection("b", "first", "second", Conv(weight * 5)),
            Projection("shortcut", "input", "second", Conv(weight * 6), delay=delay),
        ),
        (Injection("input", "x", "spikes"),),
        Readout("second", "count"),
    )


@pytest.mark.parametrize("delay", [0, 2])
def test_a_wrong_delay_is_detected(delay: int):
    right, wrong = residual(1), residual(delay)
    injected = random_injected(right, 0)
    assert_same(run_reference(right, injected), run_functional(right, injected, *everything(right)))
    chip = run_reference(wrong, injected)
    aligned = run_functional(wrong, injected, *everything(wrong))
    assert not np.array_equal(chip.spikes["second"], aligned.spikes["second"])
    assert not np.array_equal(chip.outputs, aligned.outputs)


def test_run_network_simulates_a_wrong_delay_and_says_so():
    network = residual(2)
    injected = random_injected(network, 0)
    found = run_network(network, injected, *everything(network))
    assert found.warnings == (
        "shortcut: input arrives at second 1 step late (delay 2, depths need 1)",
    )
    assert_same(run_reference(network, injected), replace(found, warnings=()))
    assert misaligned(residual(1)) == ()
    assert engine_name(network) == "steps"


def test_misaligned_networks_step_like_the_reference():
    for seed in range(40):
        network = random_network(seed, Features(axonal_delays=seed % 2 == 0))
        skewed = tuple(
            replace(p, delay=max(0, p.delay + (seed + index) % 3 - 1))
            for index, p in enumerate(network.projections)
        )
        network = replace(network, projections=skewed)
        compare(Case(network, random_injected(network, seed), 2), run_stepwise)


def test_recurrent_networks_are_refused_layer_by_layer():
    network = random_network(3, Features(recurrent=True))
    looped = replace(
        network,
        projections=network.projections
        + (Projection("loop", "readout", "readout", Dense(np.ones((3, 3, 1, 1), np.int32))),),
    )
    with pytest.raises(DeployError, match="a recurrent network cannot run layer by layer"):
        run_functional(looped, random_injected(looped, 3))
