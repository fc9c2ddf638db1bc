"""What attention costs: operations by hand, shares of cores, bytes and waiting of the host."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from attention_graphs import channel_gate, window_gate
from populations import make_population

from snndeploy.connections import Conv
from snndeploy.engines.engine import run_network
from snndeploy.errors import UnsupportedError
from snndeploy.lower.pipeline_delay import assign_depths
from snndeploy.mapping import place
from snndeploy.network import Attention, Injection, Network, Projection
from snndeploy.target import Target
from snndeploy.timing.analytic import BOUNDS, analytic_timing
from snndeploy.timing.cycle import cycle_timing
from snndeploy.timing.cycle_walk import SpikeRecorder
from snndeploy.timing.energy import chip_energy
from snndeploy.traffic.attention_work import Work, buffer_bytes, work_of
from snndeploy.traffic.counter import TrafficCounter

pytestmark = pytest.mark.torch
SHAPE, STEPS, SAMPLES = (2, 3, 4), 3, 2
NEURONS = 24


def test_operations_by_hand():
    rng = np.random.default_rng(0)
    # a 2 x 2 matrix and 24 products; 24 values are averaged
    assert work_of(channel_gate(SHAPE, rng)) == Work(4 + 24, 24)
    # a 3 x 3 matrix and 3 * 24 products; 3 * 24 values are averaged
    assert work_of(window_gate(SHAPE, STEPS, rng)) == Work(9 + 72, 72)


def run(attention: Attention, target: Target):
    """Traffic, layout and network of two samples."""
    one = Conv(np.full((2, 1, 1, 1), 10, dtype=np.int8), groups=2)
    network = Network(
        STEPS,
        (
            make_population("in", SHAPE, "input"),
            make_population("middle", SHAPE, threshold=5, scale=0.5, attention=(attention,)),
            make_population("out", SHAPE, threshold=5),
        ),
        (Projection("a", "in", "middle", one), Projection("b", "middle", "out", one)),
        (Injection("in", "x", "spikes", minimum=0, maximum=1),),
    )
    network = assign_depths(network, target)
    layout = place(network, target, mode="tiles", objective="cores")
    counter = TrafficCounter(network, layout, SAMPLES)
    x = np.ones((SAMPLES, STEPS, *SHAPE), dtype=np.int32)
    run_network(network, {0: x}, observer=counter, samples=SAMPLES)
    traffic = counter.result()
    return traffic, layout, network, analytic_timing(traffic, layout, target, STEPS)


def test_the_chip_does_it_at_the_cores_of_the_population():
    target = Target.load("hybrid45nm")
    gate = channel_gate(SHAPE, np.random.default_rng(0))
    traffic, layout, network, timing = run(Attention(gate, "current"), target)
    depth = network.by_name["middle"].depth
    assert traffic.attention_macs.sum(axis=2).tolist() == [[0, 28, 28, 28, 0]] * SAMPLES
    assert traffic.attention_additions.sum(axis=2).tolist() == [[0, 24, 24, 24, 0]] * SAMPLES
    cores = {tile.core for tile in layout.tiles_of("middle")}
    assert set(np.flatnonzero(traffic.attention_macs.sum(axis=(0, 1)))) == cores
    energy = chip_energy(traffic, timing, layout, target)
    assert energy.breakdown["multiply-accumulate"] == pytest.approx(3 * 28 * 4.6e-12)
    assert energy.breakdown["addition in attention"] == pytest.approx(3 * 24 * 0.9e-12)
    assert not traffic.attention_bytes.any() and depth == 1


def test_a_window_is_worked_off_at_once():
    target = Target.load("hybrid45nm")
    gate = window_gate(SHAPE, STEPS, np.random.default_rng(0))
    traffic, _, network, _ = run(Attention(gate, "current", full_window=True), target)
    middle = network.by_name["middle"]
    assert (middle.arrival, middle.depth) == (1, 1 + STEPS)
    assert traffic.attention_macs.sum(axis=(0, 2)).tolist() == [0, 0, 0, 0, SAMPLES * 81, 0, 0, 0]
    assert buffer_bytes(middle) == STEPS * NEURONS * 3


def test_the_host_does_it_and_the_chip_waits():
    target = Target.load("loihi1")
    gate = window_gate(SHAPE, STEPS, np.random.default_rng(0))
    attention = Attention(gate, "current", full_window=True, unit="host")
    traffic, _, _, timing = run(attention, target)
    assert not traffic.attention_macs.any()
    out, back = [0] + [4 * NEURONS] * 3 + [0] * 4, [0] * 4 + [4 * NEURONS] * 3 + [0]
    assert traffic.attention_bytes[0].tolist() == [a + b for a, b in zip(out, back, strict=True)]
    assert (traffic.host_bytes_out[0] == out).all()
    rate = target.number("host.io_bytes_per_second")
    np.testing.assert_allclose(timing.host_waiting_seconds, traffic.attention_bytes / rate)
    free = analytic_timing(
        replace(traffic, attention_bytes=0 * traffic.attention_bytes),
        *run(attention, target)[1:2], target, STEPS,
    )  # fmt: skip
    waited = timing.latency_seconds - free.latency_seconds
    np.testing.assert_allclose(waited, 6 * 4 * NEURONS / rate)
    np.testing.assert_allclose(timing.interval_seconds - free.interval_seconds, waited)
    assert BOUNDS[timing.bound[0, 1]] == "host" and timing.critical[0, 1] == -1
    assert (free.mark, timing.mark) == ("fitted", "assumed")  # the link's speed is assumed
    assert timing.notes == (
        "attention is computed by the host between steps; its own computing time is not counted",
    )


def test_the_hosts_bytes_fall_in_the_steps_that_use_them():
    """Behind a window of three steps: inputs from the first step on, membranes from the fourth."""
    rng = np.random.default_rng(0)
    window = Attention(window_gate(SHAPE, STEPS, rng), "current", full_window=True, unit="host")
    gates = Attention(channel_gate(SHAPE, rng), "membrane", unit="host")
    middle = make_population("middle", SHAPE, threshold=5, scale=0.5, attention=(window, gates))
    network = Network(
        STEPS, (middle,), (),
        (Injection("middle", "a", "graded", minimum=0, maximum=9),
         Injection("middle", "b", "bias")),
    )  # fmt: skip
    target = Target.load("loihi2")
    network = assign_depths(network, target)
    assert (network.by_name["middle"].arrival, network.by_name["middle"].depth) == (1, 1 + STEPS)
    counter = TrafficCounter(network, place(network, target, mode="tiles"), SAMPLES)
    injected = {0: np.ones((SAMPLES, STEPS, *SHAPE)), 1: np.ones((SAMPLES, *SHAPE))}
    injected = {index: values.astype(np.int32) for index, values in injected.items()}
    counter.observe_injection(0, injected[0])
    run_network(network, injected, observer=counter, samples=SAMPLES)
    sent = 4 * NEURONS
    traffic = counter.result()
    assert traffic.host_bytes_out[0].tolist() == [0] + [sent] * 6  # currents, then membranes
    into = [0, sent + 2 * NEURONS, sent, sent] + [2 * sent] * 3
    assert traffic.host_bytes_in[0].tolist() == into
    assert traffic.messages_in[0].sum(axis=1).tolist() == [0] + [NEURONS] * 3 + [0] * 3
    layers = counter.layers()["middle"]
    assert layers["host_bytes_in"].tolist() == [SAMPLES * count for count in into]
    assert layers["host_messages"].tolist() == [0] + [SAMPLES * NEURONS] * 3 + [0] * 3


def test_cycle_timing_adds_it_in_front_of_the_walk():
    target = Target.load("hybrid45nm")
    rng = np.random.default_rng(0)
    for attention in (
        Attention(channel_gate(SHAPE, rng), "current"),
        Attention(window_gate(SHAPE, STEPS, rng), "current", full_window=True),
    ):
        _, layout, network, timing = run(attention, target)
        recorder = SpikeRecorder(network, range(SAMPLES))
        x = np.ones((SAMPLES, STEPS, *SHAPE), dtype=np.int32)
        run_network(network, {0: x}, observer=recorder, samples=SAMPLES)
        cycle = cycle_timing(network, layout, target, recorder)
        np.testing.assert_allclose(cycle.analytic_seconds, timing.step_seconds, rtol=1e-12)
        assert (cycle.step_seconds >= timing.step_seconds * (1 - 1e-12)).all()
        plain = replace(
            network, populations=tuple(replace(p, attention=()) for p in network.populations)
        )
        free = cycle_timing(plain, layout, target, recorder)
        work = [28 + 24, 81 + 72][attention.full_window] * 2e-9
        # a step in which the host is silent, so that nothing hides it
        quiet = network.by_name["middle"].depth + (0 if attention.full_window else STEPS - 1)
        longer = cycle.step_seconds[0, quiet] - free.step_seconds[0, quiet]
        assert longer == pytest.approx(work)  # one core has the whole population
        full = cycle_timing(network, layout, target, recorder, pipelined=True)
        assert full.step_seconds.sum() >= timing.interval_seconds.sum() * (1 - 1e-12)


def test_cycle_timing_sees_the_hosts_values_in_front_of_a_window():
    target = Target.load("hybrid45nm")
    window = Attention(
        window_gate(SHAPE, STEPS, np.random.default_rng(0)), "current", full_window=True
    )
    middle = make_population("middle", SHAPE, threshold=5, scale=0.5, attention=(window,))
    sent = Injection("middle", "a", "graded", minimum=0, maximum=9)
    network = assign_depths(Network(STEPS, (middle,), (), (sent,)), target)
    layout = place(network, target, mode="tiles")
    values = np.ones((1, STEPS, *SHAPE), dtype=np.int32)
    counter, recorder = TrafficCounter(network, layout, 1), SpikeRecorder(network, range(1))
    for observer in (counter, recorder):
        observer.observe_injection(0, values)
        run_network(network, {0: values}, observer=observer, samples=1)
    cycle = cycle_timing(network, layout, target, recorder)
    timing = analytic_timing(counter.result(), layout, target, STEPS)
    np.testing.assert_allclose(cycle.analytic_seconds, timing.step_seconds, rtol=1e-12)


def test_cycle_timing_refuses_the_hosts_attention():
    attention = Attention(channel_gate(SHAPE, np.random.default_rng(0)), "current", unit="host")
    target = Target.load("loihi2")
    _, layout, network, _ = run(attention, target)
    recorder = SpikeRecorder(network, range(1))
    run_network(network, {0: np.ones((1, STEPS, *SHAPE), dtype=np.int32)}, observer=recorder)
    with pytest.raises(UnsupportedError) as refused:
        cycle_timing(network, layout, target, recorder)
    assert str(refused.value) == (
        "middle: the host computes its attention, which cycle timing does not model; use --timing"
        " analytic"
    )
