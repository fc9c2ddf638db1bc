"""Mapping's figures are the report's: equal on the same activity, near at calibration's rates."""

from __future__ import annotations

import numpy as np
import pytest

from snndeploy.data import load_data
from snndeploy.engines.engine import run_network
from snndeploy.mapping.expect import expect
from snndeploy.pipeline import compile, walk
from snndeploy.shelf import model_entry
from snndeploy.simulator.run import encode, simulate

pytestmark = pytest.mark.torch

NETS = [
    *((net, target) for net in ("gac-digits", "direct-digits", "ms-digits", "lif-snn-3-small")
      for target in ("loihi2", "hybrid45nm")),
    ("lif-snn-3-small-tcsa", "hybrid45nm"), ("lif-snn-3-small-asa", "hybrid45nm"),
]  # fmt: skip
SAMPLES = 2


@pytest.fixture(scope="module", params=NETS, ids="-".join)
def case(request):
    """A program with the rates that it was mapped by, its data, and what its report says."""
    net, target = request.param
    seen = {}

    def placing(network, chip, rates, **options):
        seen.update(rates)
        return place(network, chip, rates, **options)

    place, walk.place = walk.place, placing
    try:
        program = compile(net, target=target)
    finally:
        walk.place = place
    x = load_data(model_entry(net).test_data).take(SAMPLES).inputs()
    run = simulate(program, x, reference=False)
    latency = np.concatenate([timing.latency_seconds for timing in run.timings])
    energy = np.concatenate([energy.total for energy in run.energies])
    return program, seen, x, latency, energy


def activity(program, x):
    """Spikes and updates of every neuron and step, and the host's values that are not zero."""
    injected, _ = encode(program, x)
    spikes, updates = {}, {}

    def observe(population, sent, updated):
        spikes[population.name] = np.asarray(sent != 0, dtype=np.float64)
        if updated is not None:
            updates[population.name] = np.asarray(updated != 0, dtype=np.float64)

    run_network(program.network, injected, observer=observe, samples=len(x), batch=len(x))
    return spikes, updates, {key: (value != 0).astype(float) for key, value in injected.items()}


def test_on_the_same_activity_latency_and_energy_are_the_reports(case):
    program, _, x, latency, energy = case
    measured = activity(program, x)
    for sample in range(SAMPLES):
        spikes, updates, host = ({key: value[sample] for key, value in part.items()}
                                 for part in measured)  # fmt: skip
        found = expect(
            program.network, program.layout, program.target, spikes, updates=updates, host=host
        )
        assert found.latency_seconds == pytest.approx(latency[sample], rel=1e-9)
        assert found.energy_joules == pytest.approx(energy[sample], rel=1e-9)


def test_at_calibrations_rates_they_are_near(case):
    """What the mapper goes by: one rate a population, every neuron updated (docs/timing.md)."""
    program, rates, _, latency, energy = case
    found = expect(program.network, program.layout, program.target, rates)
    assert 0.6 < found.latency_seconds / latency.mean() < 1.1
    assert 0.85 < found.energy_joules / energy.mean() < 1.15
