"""Cycle-level timing of any network: the analytic bound, and a plain simulation beside it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from cycle_reference import Reference
from populations import make_population
from random_layouts import random_layout
from random_networks import Features, random_network
from target_variants import stating
from traffic_runs import count, random_spikes

from snndeploy.connections import Conv
from snndeploy.errors import DataError
from snndeploy.layout.layout import Layout, Tile
from snndeploy.network import Network, Projection
from snndeploy.target import Target
from snndeploy.timing.analytic import analytic_timing
from snndeploy.timing.cycle import cycle_timing
from snndeploy.timing.cycle_kernels import TICKS
from snndeploy.timing.cycle_machine import Machine
from snndeploy.timing.cycle_messages import SERVICE_BITS, SERVICE_MASK
from snndeploy.timing.cycle_walk import SpikeRecorder, walk_of

LOIHI1 = Target.load("loihi1")
FEATURES = Features(recurrent=True, axonal_delays=True, populations=4, timesteps=3)


def recorded(network, spikes, updated, injected):
    recorder = SpikeRecorder(network)
    for index, values in injected.items():
        recorder.observe_injection(index, values)
    for population in network.populations:
        marks = updated[population.name] if population.neuron.name != "input" else None
        recorder(population, spikes[population.name], marks)
    return recorder


def random_case(seed):
    random = np.random.default_rng(seed)
    network = random_network(seed, FEATURES)
    layout = random_layout(network, random)
    spikes, updated = random_spikes(network, random, samples=2)
    injected = {
        index: random.integers(-1, 2, (2, network.timesteps, *network.by_name[i.target].shape))
        for index, i in enumerate(network.injections)
        if i.mode == "graded"
    }
    return random, network, layout, spikes, updated, injected


@pytest.mark.parametrize("seed", range(25))
def test_never_below_analytic_and_the_same_messages(seed):
    _, network, layout, spikes, updated, injected = random_case(seed)
    traffic = count(network, layout, spikes, updated, injected, [2]).result()
    analytic = analytic_timing(traffic, layout, LOIHI1, network.timesteps)
    recorder = recorded(network, spikes, updated, injected)
    walk = walk_of(network, layout)
    cycle = cycle_timing(network, layout, LOIHI1, recorder, walk=walk)
    assert np.array_equal(cycle.messages, traffic.messages_in.sum(axis=-1))
    assert cycle.analytic_seconds == pytest.approx(analytic.step_seconds, rel=1e-12)
    assert (cycle.step_seconds >= cycle.analytic_seconds * (1 - 1e-12)).all()
    assert np.array_equal(cycle.bound, analytic.bound)
    full = cycle_timing(network, layout, LOIHI1, recorder, walk=walk, pipelined=True)
    assert full.analytic_seconds.sum(axis=1) == pytest.approx(analytic.interval_seconds)
    assert full.messages.sum() == cycle.messages.sum()
    timing = cycle.applied_to(analytic, full)
    assert np.array_equal(timing.step_seconds, cycle.step_seconds)
    assert (timing.interval_seconds >= analytic.interval_seconds * (1 - 1e-12)).all()


@pytest.mark.parametrize("seed", range(25))
def test_equal_to_a_plain_simulation(seed):
    """Costs are random, of a million ticks, so that no two events fall together."""
    random, network, layout, spikes, updated, injected = random_case(seed)
    room = int(random.integers(1, 6))
    target = stating(LOIHI1, link_buffer_messages=room)
    machine = Machine(walk_of(network, layout), layout, target)
    machine.costs[:-1] = random.integers(1, 10**6, machine.costs[:-1].shape)
    service = random.integers(1, 10**6, len(machine.fan_out))
    machine.fan_out = (machine.fan_out & ~SERVICE_MASK) | service
    machine.fresh[: len(machine.links), TICKS] = random.integers(1, 10**6, len(machine.links))
    recorder = recorded(network, spikes, updated, injected)
    for step in range(network.chip_steps):
        state = machine.walk.state(recorder, 0, step, pipelined=False)
        found = machine.run(state)
        expected = reference(machine, layout, state, room)
        end = (found.step_seconds - machine.barrier_seconds) / machine.tick_seconds
        assert round(end) == expected.run()
        assert round(found.stall_seconds / machine.tick_seconds) == expected.stall_ticks
        assert found.messages == expected.served


def reference(machine, layout, state, room):
    """The same step for `Reference`, its messages listed in plain Python."""
    walk = machine.walk
    messages, tails = [], []
    for sender in range(machine.cores + 1):
        delay, part = 0, []
        for neuron in walk.order[walk.first[sender] : walk.first[sender + 1]]:
            access, update, spike, out = machine.costs[sender].tolist()
            delay += access * bool(state[neuron] & 1) + update * bool(state[neuron] & 2)
            if state[neuron] & 4:
                delay += spike
                row = walk.row[neuron]
                for parcel in machine.fan_out[walk.row_start[row] : walk.row_start[row + 1]]:
                    core, service = int(parcel) >> SERVICE_BITS, int(parcel) & SERVICE_MASK
                    part.append((delay + out, core, service))
                    delay = 0
        messages.append(part)
        tails.append(delay)
    ticks = machine.fresh[: len(machine.links), TICKS].tolist()
    links = {tuple(link): tick for link, tick in zip(machine.links.tolist(), ticks, strict=True)}
    routers = [*map(tuple, layout.positions[:, :2].tolist()), (0, 0)]
    return Reference(links, routers, messages, tails, room)


# Selections and refusals


def three_steps():
    source = make_population("source", (2, 3, 3))
    target = make_population("target", (2, 3, 3), depth=1)
    conv = Conv(np.ones((2, 2, 3, 3), dtype=np.int8), padding=(1, 1))
    network = Network(2, (source, target), (Projection("p", "source", "target", conv),))
    tiles = (
        Tile("source", (0, 2), (0, 3), (0, 3), 0),
        Tile("target", (0, 2), (0, 3), (0, 3), 1),
    )
    positions = np.array([(0, 0, 0), (1, 0, 0)], dtype=np.int32)
    layout = Layout(tiles, positions, (2, 1), (1, 1), {}, {}, "")
    random = np.random.default_rng(0)
    spikes, updated = random_spikes(network, random, samples=3)
    return network, layout, spikes, updated


def test_samples_and_steps_may_be_chosen():
    network, layout, spikes, updated = three_steps()
    whole = cycle_timing(network, layout, LOIHI1, recorded(network, spikes, updated, {}))
    assert whole.step_seconds.shape == (3, 3)
    chosen = SpikeRecorder(network, samples=[2])
    for first in range(3):  # sample by sample
        for p in network.populations:
            chosen(p, spikes[p.name][first : first + 1], updated[p.name][first : first + 1])
    assert chosen.samples == (2,)
    part = cycle_timing(network, layout, LOIHI1, chosen, steps=[1])
    assert part.samples == (2,) and part.steps == (1,)
    assert part.step_seconds[0, 0] == whole.step_seconds[2, 1]
    traffic = count(network, layout, spikes, updated, {}, [3]).result()
    analytic = analytic_timing(traffic, layout, LOIHI1, 2)
    applied = part.applied_to(analytic)
    assert applied.step_seconds[2, 1] == part.step_seconds[0, 0]
    assert applied.step_seconds[0, 0] == pytest.approx(part.ratio * analytic.step_seconds[0, 0])
    assert applied.notes[0].startswith("cycle timing: 1 of 9 steps simulated, ")
    later = part.applied_to(analytic_part(analytic, slice(1, 3)), first_sample=1)
    assert np.array_equal(later.step_seconds, applied.step_seconds[1:])


def analytic_part(timing, samples):
    """The timing of some samples of a run."""
    names = ("step_seconds", "bound", "critical", "latency_seconds", "interval_seconds")
    return replace(timing, **{name: getattr(timing, name)[samples] for name in names})


def test_threads_do_not_change_the_result():
    network, layout, spikes, updated = three_steps()
    recorder = recorded(network, spikes, updated, {})
    one, two = (
        cycle_timing(network, layout, LOIHI1, recorder, threads=threads) for threads in (1, 2)
    )
    assert np.array_equal(one.step_seconds, two.step_seconds)


def test_what_was_not_recorded_is_refused():
    network, layout, spikes, updated = three_steps()
    recorder = recorded(network, spikes, updated, {})
    with pytest.raises(DataError, match=r"samples \(3,\) were not recorded"):
        cycle_timing(network, layout, LOIHI1, recorder, samples=[3])
    with pytest.raises(DataError, match=r"steps \(3,\) are not all in 0\.\.2"):
        cycle_timing(network, layout, LOIHI1, recorder, steps=[3])
    with pytest.raises(DataError, match="were not recorded"):
        cycle_timing(network, layout, LOIHI1, SpikeRecorder(network))
