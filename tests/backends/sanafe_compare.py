"""The same sample replayed in SANA-FE and computed here, number by number."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from populations import altered
from target_variants import stating

from snndeploy.backends.sanafe.export import export_sanafe
from snndeploy.backends.sanafe.network import synapses_of
from snndeploy.engines.engine import run_network
from snndeploy.timing.analytic import analytic_timing
from snndeploy.timing.cycle import cycle_timing
from snndeploy.timing.cycle_walk import SpikeRecorder
from snndeploy.timing.energy import chip_energy
from snndeploy.traffic.counter import TrafficCounter

RUNNER = Path(__file__).parent / "sanafe_runner.py"
VERSION = "2.2.9"
RUN_SECONDS = 900
NOT_CHIP = ("static power", "host bytes in", "host bytes out")


def interpreter():
    """The Python that has SANA-FE: SNNDEPLOY_SANAFE_PYTHON, or this one; None when it has not."""
    python = os.environ.get("SNNDEPLOY_SANAFE_PYTHON", sys.executable)
    code = "import importlib.metadata as m; print(m.version('sanafe'))"
    run = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False)
    return python if run.stdout.strip() == VERSION else None


def run_sanafe(python, folder, steps, timing_model="detailed"):
    """What SANA-FE counted: by name, one number a step."""
    result = Path(folder) / "result.json"
    command = [python, str(RUNNER), str(folder), str(steps), timing_model, str(result)]
    run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=RUN_SECONDS)
    assert run.returncode == 0, (run.stdout + run.stderr)[-2000:]
    return {name: np.array(values) for name, values in json.loads(result.read_text()).items()}


@dataclass
class Sample:
    """What every population did: arrays (1, timesteps, C, H, W) by name; injected, by index."""

    spikes: dict
    updated: dict
    injected: dict


def run_sample(network, injected):
    spikes, updated = {}, {}

    def observe(population, sent, marks):
        spikes[population.name] = sent.copy()
        updated[population.name] = (sent != 0) if marks is None else marks.copy()

    run_network(network, injected, observer=observe, samples=1)
    return Sample(spikes, updated, injected)


def on_chip(network, sample):
    """The network with its input on cores of the chip, and nothing that comes from the host."""
    populations = tuple(
        altered(p, kind="lif", payload_bound=1) if p.neuron.name == "input" else p
        for p in network.populations
    )
    spikes = {name: (values != 0).astype(np.uint8) for name, values in sample.spikes.items()}
    changed = replace(network, populations=populations, injections=())
    return changed, Sample(spikes, sample.updated, {})


@dataclass
class Comparison:
    """Totals of one sample, and times of every step.

    zero_sums: neuron updates that SANA-FE counts because spikes arrive, though they add up to zero
    at a neuron without bias and membrane; here such a neuron is not updated.
    booksim: SANA-FE's own cycle-level model, of the first steps; booksim_cycle: ours of those,
    with buffers of 8 messages.
    """

    ours: dict[str, int]
    theirs: dict[str, int]
    zero_sums: int
    energy_ratio: float
    cycle: np.ndarray
    analytic: np.ndarray
    detailed: np.ndarray
    booksim_cycle: np.ndarray
    booksim: np.ndarray


def compare(python, network, layout, target, sample, folder, booksim_steps=0):
    """Replay the sample there; count and time it here."""
    recorder, traffic = observe(network, layout, sample, target)
    export = export_sanafe(network, layout, target, folder, recorder)
    found = run_sanafe(python, folder, export.steps)
    found = {name: values[export.skip :] for name, values in found.items()}
    zero_sums = hits_without_update(network, recorder)
    analytic = analytic_timing(traffic, layout, target, network.timesteps)
    cycle = cycle_timing(network, layout, target, recorder, pipelined=True)
    lines = chip_energy(traffic, analytic, layout, target).breakdown
    energy = sum(joules for name, joules in lines.items() if name not in NOT_CHIP)
    booksim, booksim_cycle = np.zeros(0), np.zeros(0)
    if booksim_steps:
        small = stating(target, link_buffer_messages=8)
        timed = cycle_timing(network, layout, small, recorder, pipelined=True)
        booksim_cycle = timed.step_seconds[0, :booksim_steps]
        booksim = run_sanafe(python, folder, booksim_steps, "cycle")["sim_time"]
    return Comparison(
        ours={
            "synaptic operations": int(traffic.synaptic_operations.sum()),
            "messages": int(traffic.messages_in.sum()),
            "hops": int((traffic.hops_east_west + traffic.hops_north_south).sum()),
            "spikes": int(traffic.spikes.sum()),
            "updates": int(traffic.neuron_updates.sum()) + zero_sums,
        },
        theirs={
            "synaptic operations": int(found["spikes"].sum()) - export.free_synapses,
            "messages": int(found["packets"].sum()),
            "hops": int(found["hops"].sum()),
            "spikes": int(found["fired"].sum()) - export.host_spikes,
            "updates": int(found["updated"].sum()) - export.host_spikes,
        },
        zero_sums=zero_sums,
        energy_ratio=float(found["total_energy"].sum()) / energy,
        cycle=cycle.step_seconds[0],
        analytic=cycle.analytic_seconds[0],
        detailed=np.roll(found["sim_time"], export.skip),  # its first step is our step 0
        booksim_cycle=booksim_cycle,
        booksim=booksim,
    )


def observe(network, layout, sample, target):
    """The recording to replay, and the traffic."""
    recorder, counter = SpikeRecorder(network), TrafficCounter(network, layout, 1, target)
    for index, values in sample.injected.items():
        recorder.observe_injection(index, values)
        counter.observe_injection(index, values)
    for population in network.populations:
        marks = None if population.neuron.name == "input" else sample.updated[population.name]
        recorder(population, sample.spikes[population.name], marks)
        counter(population, sample.spikes[population.name], marks)
    return recorder, counter.result()


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
        if population.neuron.name != "input":
            updates = [recorder.updates(population.name, 0, tau) for tau in range(timesteps)]
            total += int((hit & ~np.array(updates)).sum())
    return total
