"""Cycle-level timing: cases done on paper."""

from __future__ import annotations

import numpy as np
import pytest
from hand_made import ten_to_ten, traffic_of
from populations import make_population
from target_variants import stating

from snndeploy.connections import Dense
from snndeploy.layout.layout import Layout, Tile
from snndeploy.network import Injection, Network, Projection
from snndeploy.target import Target
from snndeploy.timing.analytic import BOUNDS, analytic_timing
from snndeploy.timing.cycle import cycle_timing
from snndeploy.timing.cycle_walk import SpikeRecorder, walk_of
from snndeploy.timing.energy import chip_energy

LOIHI1 = Target.load("loihi1")
BARRIER_1, BARRIER_2 = 600.0, 1000.0  # ns, one and two tiles
HOP, CHIP_HOP = 4.1, 159.0  # ns


def pair(sources, targets, router, start=(0, 0), board=(1, 1)):
    """A core of `sources` neurons, each with one message to a core of `targets` neurons."""
    source = make_population("source", (sources, 1, 1))
    target = make_population("target", (targets, 1, 1), depth=1)
    weight = np.ones((targets, sources, 1, 1), dtype=np.int8)
    network = Network(1, (source, target), (Projection("p", "source", "target", Dense(weight)),))
    tiles = (
        Tile("source", (0, sources), (0, 1), (0, 1), 0),
        Tile("target", (0, targets), (0, 1), (0, 1), 1),
    )
    positions = np.array([(*start, 0), (*router, 1)], dtype=np.int32)
    return network, Layout(tiles, positions, (8, 4), board, {}, {}, "")


def record(network, firing, updated=True):
    """One sample in which these source neurons fire, and all or no neuron is updated."""
    recorder = SpikeRecorder(network)
    for population in network.populations:
        spikes = np.zeros((1, network.timesteps, *population.shape), dtype=np.uint8)
        if population.name == "source":
            spikes[0, 0, list(firing)] = 1
        recorder(population, spikes, np.full_like(spikes, updated))
    return recorder


def timed(case, firing, target=LOIHI1, **options):
    network, layout = case
    return cycle_timing(network, layout, target, record(network, firing), **options)


# Cases on paper


@pytest.mark.parametrize(
    ("router", "nanoseconds", "hops_pj"),
    [((0, 0), 1184.8, 0), ((0, 1), 1591.3, 42), ((1, 0), 1588.9, 30)],
)
def test_worked_cases(router, nanoseconds, hops_pj):
    """What SANA-FE 2.2.9 gives for ten neurons that fire at ten others."""
    network, layout = ten_to_ten(router)
    cycle = timed((network, layout), range(10))
    assert cycle.step_seconds[0, 0] * 1e9 == pytest.approx(nanoseconds, rel=1e-12)
    traffic = traffic_of(network, layout)
    timing = cycle.applied_to(analytic_timing(traffic, layout, LOIHI1, 1))
    assert timing.model == "cycle"
    assert timing.latency_seconds[0] == pytest.approx(cycle.step_seconds.sum(), rel=1e-12)
    energy = chip_energy(traffic, timing, layout, LOIHI1).breakdown
    static = energy.pop("static power")
    events = 10 * (142.1 + 111) + 100 * 35.5 + 10 * (51.2 + 21.6)
    assert sum(energy.values()) * 1e12 == pytest.approx(events + hops_pj, rel=1e-12)
    assert static == pytest.approx(0.104 * timing.latency_seconds[0], rel=1e-12)


def test_nothing_happens():
    cycle = timed(pair(10, 10, (1, 0)), ())
    assert cycle.step_seconds == pytest.approx(cycle.analytic_seconds, rel=1e-12)
    assert cycle.messages.tolist() == [[0, 0]]
    assert [BOUNDS[bound] for bound in cycle.bound[0]] == ["barrier", "barrier"]


def test_one_message_hidden_behind_the_walk_takes_the_analytic_time():
    """The first of 100 neurons fires: its message arrives while the core walks on."""
    cycle = timed(pair(100, 10, (3, 0)), [0])
    assert cycle.messages[0, 0] == 1
    assert cycle.step_seconds == pytest.approx(cycle.analytic_seconds, rel=1e-12)
    assert cycle.ratio == pytest.approx(1, rel=1e-12)
    assert cycle.delivery_seconds[0, 0] * 1e9 == pytest.approx(3 * HOP)


def test_one_message_that_nothing_hides_adds_its_flight_and_service():
    """The last of 100 neurons fires."""
    cycle = timed(pair(100, 10, (3, 0)), [99])
    walk, service = 100 * 9.7 + 30 + 5.1, 16 + 10 * 3.8
    assert cycle.step_seconds[0, 0] * 1e9 == pytest.approx(walk + 3 * HOP + service + BARRIER_2)
    assert cycle.analytic_seconds[0, 0] * 1e9 == pytest.approx(walk + BARRIER_2)


@pytest.mark.parametrize("messages", [1, 5, 16])
def test_queueing_delay_of_a_saturated_link(messages):
    """Message k waits (k - 1) times what the link is slower than the core; no buffer is full."""
    cycle = timed(pair(messages, 1, (9, 0), start=(7, 0), board=(2, 1)), range(messages))
    generation, service = 9.7 + 30 + 5.1, 16 + 3.8
    waiting = (CHIP_HOP - generation) * (messages - 1) / 2
    assert cycle.delivery_seconds[0, 0] * 1e9 == pytest.approx(waiting + CHIP_HOP + HOP)
    barrier = cycle.barrier_seconds * 1e9
    total = generation + messages * CHIP_HOP + HOP + service
    assert cycle.step_seconds[0, 0] * 1e9 == pytest.approx(total + barrier)
    assert cycle.stall_seconds[0, 0] == 0 and cycle.stalled_messages[0, 0] == 0
    assert cycle.link_utilisation[0, 0] == pytest.approx(messages * CHIP_HOP / total)


@pytest.mark.parametrize("room", [1, 4, 16])
def test_a_full_buffer_holds_up_the_core(room):
    """With room for B messages, message k enters when message k - B sets out: a closed form."""
    messages = 60
    target = stating(LOIHI1, link_buffer_messages=room)
    case = pair(messages, 1, (9, 0), start=(7, 0), board=(2, 1))
    cycle = timed(case, range(messages), target)
    generation = 9.7 + 30 + 5.1
    # the last message enters the queue when message (messages - room) sets out on the link
    stalled = generation + (messages - room - 1) * CHIP_HOP - messages * generation
    assert cycle.stall_seconds[0, 0] * 1e9 == pytest.approx(stalled)
    total = generation + messages * CHIP_HOP + HOP + 16 + 3.8
    assert (cycle.step_seconds[0, 0] - cycle.barrier_seconds) * 1e9 == pytest.approx(total)
    deepest = cycle.links[cycle.deepest_link[0, 0]].tolist()
    assert deepest == [7, 0, 1, 0]


def test_a_slow_receiver_holds_up_the_links_before_it():
    """Service is the bottleneck: queues fill from the receiver back, and the total is its work."""
    messages, targets = 100, 100
    cycle = timed(pair(messages, targets, (2, 0)), range(messages))
    service = 16 + targets * 3.8
    total = 44.8 + 2 * HOP + messages * service + BARRIER_2
    assert cycle.step_seconds[0, 0] * 1e9 == pytest.approx(total)
    assert cycle.link_queue[0, 0] == cycle.core_queue[0, 0] == 16
    assert BOUNDS[cycle.bound[0, 0]] == "receive" and cycle.critical[0, 0] == 1
    assert cycle.last_core[0, 0] == 1
    # 4 queues of 16 are filled; the rest of the messages wait for the receiver
    started = 44.8 + 2 * HOP + (messages - 64 - 1) * service
    assert cycle.stall_seconds[0, 0] * 1e9 == pytest.approx(started - messages * 44.8)


def test_summary():
    summary = timed(pair(100, 100, (2, 0)), range(100)).summary()
    assert summary["messages"] == 100 and summary["steps"] == 2
    assert summary["link_queue"] == summary["core_queue"] == 16
    assert summary["steps_bound_by"] == {"receive": 1, "barrier": 1}
    assert summary["times_analytic"] > 1 and summary["link_utilisation"] < 0.02
    assert all(type(value) in (int, float, dict) for value in summary.values())


def test_host_spikes_enter_at_router_0():
    """The host's messages are ready at once, cross one link and are served one after another."""
    source, target = (
        make_population("source", (5, 1, 1), "input"),
        make_population("t", (3, 1, 1), depth=1),
    )
    weight = np.ones((3, 5, 1, 1), dtype=np.int8)
    network = Network(
        1, (source, target), (Projection("p", "source", "t", Dense(weight)),),
        (Injection("source", "x", "spikes"),),
    )  # fmt: skip
    tiles = (Tile("t", (0, 3), (0, 1), (0, 1), 0),)
    layout = Layout(tiles, np.array([(1, 0, 0)], dtype=np.int32), (8, 4), (1, 1), {}, {}, "")
    cycle = timed((network, layout), range(5))
    assert cycle.messages.tolist() == [[5, 0]]
    expected = HOP + 5 * (16 + 3 * 3.8) + BARRIER_1
    assert cycle.step_seconds[0, 0] * 1e9 == pytest.approx(expected)
    assert cycle.stall_seconds[0, 0] == 0


def test_walking_order_is_by_tile_row_column_channel():
    network = Network(1, (make_population("p", (2, 2, 2)),), ())
    tiles = (Tile("p", (0, 2), (1, 2), (0, 2), 0), Tile("p", (0, 2), (0, 1), (0, 2), 0))
    layout = Layout(tiles, np.zeros((1, 3), dtype=np.int32), (1, 1), (1, 1), {}, {}, "")
    assert walk_of(network, layout).order.tolist() == [4, 5, 6, 7, 0, 1, 2, 3]


def test_an_unstated_buffer_is_said():
    cycle = timed(pair(1, 1, (1, 0)), [0], stating(LOIHI1, link_buffer_messages=None))
    assert cycle.notes == ("loihi1 does not state timing.link_buffer_messages: 16 are assumed",)
