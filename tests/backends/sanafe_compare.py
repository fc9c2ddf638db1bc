"""The same replayed sample in SANA-FE and here, number by number."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from snndeploy.backends.sanafe import export_sanafe
from snndeploy.backends.sanafe_network import synapses_of
from snndeploy.simulator.cycle import cycle_timing
from snndeploy.simulator.cycle_walk import SpikeRecorder
from snndeploy.simulator.energy import chip_energy
from snndeploy.simulator.engine import run_network
from snndeploy.simulator.timing import analytic_timing
from snndeploy.simulator.traffic import TrafficCounter

RUNNER = Path(__file__).parent / "sanafe_runner.py"
RUN_SECONDS = 900
NOT_CHIP = ("static power", "host bytes in", "host bytes out")


def interpreter():
    """The Python that has sanafe 2.2.9, or None: SNNDEPLOY_SANAFE_PYTHON, or this one."""
    python = os.environ.get("SNNDEPLOY_SANAFE_PYTHON", sys.executable)
    code = "import importlib.metadata as m; print(m.version('sanafe'))"
    run = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False)
    return python if run.stdout.strip() == "2.2.9" else None


def run_sanafe(python, folder, steps, timing_model="detailed"):
    """What SANA-FE counted: by name, one number a step."""
    result = Path(folder) / "result.json"
    command = [python, str(RUNNER), str(folder), str(steps), timing_model, str(result)]
    run = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=RUN_SECONDS
    )
    assert run.returncode == 0, (run.stdout + run.stderr)[-2000:]
    return {name: np.array(values) for name, values in json.loads(result.read_text()).items()}


@dataclass
class Comparison:
    """Sums over the steps, and times by step; `ours` and `theirs` are equal where exact."""

    ours: dict[str, int]
    theirs: dict[str, int]
    zero_sums: int  # updates that SANA-FE counts because spikes arrived, though their sum is zero
    updates: int
    energy_ratio: float  # theirs over ours
    cycle_ratio: np.ndarray  # cycle over SANA-FE, by step
    analytic_ratio: np.ndarray
    stalled_messages: int


def compare(python, network, layout, target, injected, folder, timing_model="detailed"):
    """Run one sample here, replay it there."""
    recorder, counter = SpikeRecorder(network), TrafficCounter(network, layout, 1)
    for index, values in injected.items():
        recorder.observe_injection(index, values)
        counter.observe_injection(index, values)

    def observe(population, spikes, updated):
        recorder(population, spikes, updated)
        counter(population, spikes, updated)

    run_network(network, injected, observer=observe, samples=1)
    traffic = counter.result()
    export = export_sanafe(network, layout, target, folder, recorder)
    found = run_sanafe(python, folder, export.steps, timing_model)
    found = {name: values[export.skip :] for name, values in found.items()}
    updates = int(traffic.neuron_updates.sum())
    zero_sums = hits_without_update(network, recorder)
    hops = traffic.hops_east_west + traffic.hops_north_south
    analytic = analytic_timing(traffic, layout, target, network.timesteps)
    cycle = cycle_timing(network, layout, target, recorder, pipelined=True)
    lines = chip_energy(traffic, analytic, layout, target).breakdown
    energy = sum(joules for name, joules in lines.items() if name not in NOT_CHIP)
    shift = export.skip  # SANA-FE's first step is our step 0
    seconds = np.roll(found["sim_time"], shift)
    return Comparison(
        ours={
            "synaptic operations": int(traffic.synaptic_operations.sum()),
            "messages": int(traffic.messages_in.sum()),
            "hops": int(hops.sum()),
            "spikes": int(traffic.spikes.sum()),
            "updates": updates + zero_sums,
        },
        theirs={
            "synaptic operations": int(found["spikes"].sum()) - export.free_synapses,
            "messages": int(found["packets"].sum()),
            "hops": int(found["hops"].sum()),
            "spikes": int(found["fired"].sum()) - export.host_spikes,
            "updates": int(found["updated"].sum()) - export.host_spikes,
        },
        zero_sums=zero_sums,
        updates=updates,
        energy_ratio=float(found["total_energy"].sum()) / energy,
        cycle_ratio=cycle.step_seconds[0] / seconds,
        analytic_ratio=cycle.analytic_seconds[0] / seconds,
        stalled_messages=int(cycle.stalled_messages.sum()),
    )


def hits_without_update(network, recorder):
    """How many neurons receive spikes in a step of the full pipeline and yet are not updated."""
    timesteps, total = network.timesteps, 0
    for population in network.populations:
        hit = np.zeros((timesteps, population.neurons), dtype=bool)
        for projection in network.incoming(population.name):
            source = network.by_name[projection.source]
            lag = population.depth - source.depth - 1
            for pre, post, _ in synapses_of(network, projection):
                for tau in range(timesteps):
                    fired = recorder.spikes(source.name, 0, tau)
                    hit[(tau - lag) % timesteps, post[fired[pre]]] = True
        if population.kind != "input":
            updates = [recorder.updates(population.name, 0, tau) for tau in range(timesteps)]
            total += int((hit & ~np.array(updates)).sum())
    return total
