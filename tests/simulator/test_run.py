"""A program's run: what is added up over batches, and what multiplies."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from snndeploy.data import load_data
from snndeploy.engines.engine import run_network
from snndeploy.pipeline import compile
from snndeploy.program import Program
from snndeploy.shelf import model_entry
from snndeploy.simulator.run import encode, simulate

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def program() -> Program:
    return compile("gac-digits", target="loihi2", shortcuts="relay")


@pytest.fixture(scope="module")
def digits() -> np.ndarray:
    data = model_entry("gac-digits").test_data
    assert data is not None
    return load_data(data).take(4).inputs()


def test_overflows_are_added_over_batches(program: Program, digits: np.ndarray) -> None:
    network = program.network
    loud = replace(network.projections[0], exponent=network.projections[0].exponent + 6)
    changed = replace(network, projections=(loud, *network.projections[1:]))
    broken = replace(program, network=changed)
    runs = [simulate(broken, digits, batch=batch, reference=False) for batch in (1, 4)]
    assert runs[0].warnings == runs[1].warnings
    assert any("beyond the declared 16 bits" in warning for warning in runs[0].warnings)


@pytest.mark.parametrize(("target", "bits"), [("loihi2", 16), ("hybrid45nm", 18)])
def test_a_population_declares_its_targets_accumulator(target: str, bits: int) -> None:
    network = compile("gac-digits", target=target, shortcuts="relay").network
    assert {p.accumulator_bits for p in network.populations} == {bits}


def test_graded_operations_equal_every_weight_walked(program: Program, digits: np.ndarray) -> None:
    network = program.network
    injected, _ = encode(program, digits)
    relays = [p.name for p in network.populations if p.neuron.name == "relay"]
    sent = run_network(network, injected, record=relays, samples=len(digits)).spikes
    walked = 0
    for name in relays:
        for projection in network.outgoing(name):
            kernel = projection.connection
            ones = replace(kernel, weight=(kernel.weight != 0).astype(np.int8))
            for step in range(network.timesteps):
                fired = (sent[name][:, step] != 0).astype(np.int64)
                walked += int(ones.sums(fired).sum())
    found = simulate(program, digits, reference=False)
    assert relays and walked > 0
    assert found.graded_operations * len(digits) == walked
    assert walked < found.totals["synaptic_operations"] * len(digits)
