"""Steps that overlap: what a core may carry on, by hand and against what Loihi 2 was seen to do."""

from __future__ import annotations

import heapq
from collections import deque
from dataclasses import replace

import numpy as np
import pytest
from cycle_reference import Reference
from hand_made import ten_to_ten, traffic_of
from target_variants import stating
from test_cycle import pair
from test_cycle_networks import LOIHI1, SERVICE_MASK, random_case, recorded, reference
from traffic_runs import count

from snndeploy.target import Quantity, Target
from snndeploy.timing.analytic import BOUNDS, analytic_timing, load_of
from snndeploy.timing.cycle import cycle_timing
from snndeploy.timing.cycle_kernels import TICKS
from snndeploy.timing.cycle_machine import Machine
from snndeploy.timing.cycle_walk import SpikeRecorder, walk_of
from snndeploy.timing.overlap import busy_steps, longest, waits

NO_BARRIER = dict.fromkeys(("barrier_tiles", "barrier_ns"))


def with_backlog(messages, queue=4096, **times):
    """Loihi 1, if its steps overlapped."""
    target = stating(LOIHI1, **times)
    own = {
        f"timing.{name}": Quantity(value, "messages", "assumed", "a test")
        for name, value in (("backlog_messages", messages), ("core_queue_messages", queue))
    }
    return replace(target, quantities=target.quantities | own)


def steps_of(receive, messages, backlog, *, send=None, again=False, pause=0.0, least=0.0):
    """Busy times of one sample's steps; receive: (steps, cores)."""
    receive = np.asarray(receive, dtype=float)[None]
    messages = np.broadcast_to(np.asarray(messages, dtype=float), receive.shape)
    send = np.zeros_like(receive) if send is None else np.asarray(send, dtype=float)[None]
    link = np.zeros((*receive.shape[:2], 0))
    pauses = np.full(receive.shape[:2], pause)
    may_wait = waits(receive, messages, backlog)
    return busy_steps((send, receive, link), may_wait, pauses, least, again=again)


# the equations


def test_the_levels_that_pilotnet_repeats_on_loihi2():
    """silicon.md 1.2: two layers' busiest cores in turn, 1.02 ns an operation, 900 messages.

    Published: 201.3, 107.4, 180.9, 125.2 us.  A core waits for no slower one in any single step:
    the largest load alone would give 201.3, 156.7, 180.9 and 156.7.
    """
    conv3 = np.array([195104, 106176, 177184, 124376])
    conv2 = np.array([108420, 153600, 108420, 153600])
    receive = np.stack([conv3, conv2], axis=1) * 1.02e-3  # us
    messages = np.stack([[2805, 1530, 2550, 1785], conv2 / 55.05], axis=1)
    found = steps_of(receive, messages, 900, again=True, pause=0.2)
    assert found.seconds[0] + 0.2 == pytest.approx([201.3, 107.4, 180.9, 125.2], rel=0.015)
    strict = steps_of(receive, messages, 0, again=True, pause=0.2).seconds[0]
    assert strict == pytest.approx(receive.max(axis=1))


def test_a_long_run_takes_the_largest_mean_load():
    loads = np.array([[150.0, 90.0], [100.0, 140.0]])
    unlimited = steps_of(loads, 1000, 1000, again=True)
    assert unlimited.seconds.sum() == pytest.approx(250)  # of the first core; the other has 230
    assert steps_of(loads, 1000, 0, again=True).seconds.sum() == pytest.approx(290)


def test_a_core_is_never_more_than_one_step_behind():
    """100 is left of step 0; in step 1 the core can only begin behind it."""
    found = steps_of([[100.0], [0.0], [0.0]], [[10], [0], [0]], 10, send=[[1.0], [1.0], [1.0]])
    assert found.seconds[0].tolist() == [1.0, 100.0, 1.0]


def test_the_last_step_waits_for_all():
    found = steps_of([[100.0], [100.0]], 10, 5)
    assert found.seconds[0].tolist() == [50.0, 150.0]
    assert found.part[0].tolist() == [BOUNDS.index("receive")] * 2


def test_the_barrier_works_off_what_is_left():
    assert steps_of([[100.0], [60.0]], 10, 5, pause=30.0).seconds[0].tolist() == [50.0, 80.0]
    assert steps_of([[100.0], [60.0]], 10, 5, least=70.0).seconds[0].tolist() == [50.0, 90.0]


def test_without_a_backlog_a_step_is_its_slowest_core():
    random = np.random.default_rng(0)
    parts = tuple(random.random((2, 5, 4)) for _ in range(3))
    pauses = np.zeros((2, 5))
    found = busy_steps(parts, np.zeros((2, 5, 4)), pauses, 0.0, again=False)
    plain = longest(parts)
    for name in ("seconds", "part", "where"):
        assert np.array_equal(getattr(found, name), getattr(plain, name))


def test_a_run_carries_what_its_target_lets_it():
    """Ten neurons that fire every step: 540 ns to receive, 448 to send."""
    network, layout = ten_to_ten((0, 0))
    traffic = traffic_of(network, layout)
    strict = analytic_timing(traffic, layout, stating(LOIHI1, **NO_BARRIER), network.timesteps)
    target = with_backlog(2, **NO_BARRIER)
    timing = analytic_timing(traffic, layout, target, network.timesteps)
    first = timing.step_seconds[0, 0] / strict.step_seconds[0, 0]
    assert first == pytest.approx(448 / 540)  # 540 less two messages of ten is 432: sending binds
    assert timing.mark == "assumed"


# message by message


def three_steps():
    """Ten neurons fire in each of three steps, at ten targets on the same tile."""
    network, layout = pair(10, 10, (0, 0))
    network = replace(network, timesteps=3)
    recorder = SpikeRecorder(network)
    for population in network.populations:
        spikes = np.zeros((1, 3, *population.shape), dtype=np.uint8)
        spikes[:] = population.name == "source"
        recorder(population, spikes, np.ones_like(spikes))
    return network, layout, recorder


@pytest.mark.parametrize(
    ("backlog", "nanoseconds"),
    [
        # 54 ns a message, the last one sent at 448; step 0 is served at 584.8: 136.8 are left.
        # Step 1 begins to serve at 136.8, and has 4 of its messages unserved at 448: 228.8 left.
        # Step 2 at 228.8: at 448 only 5 have been taken; the sixth is at 498.8: 270 are left.
        # Step 3 has no spikes: the targets walk ten neurons of 9.7 ns each behind them.
        (4, [448.0, 448.0, 498.8, 367.0]),
        (9, [448.0, 448.0, 448.0, 417.8]),
        # 136.8 + 7 * 54: the eighth message of step 1 is taken; 162 are left, and so on
        (2, [448.0, 514.8, 540.0, 259.0]),
    ],
)
def test_a_queue_that_is_carried_on(backlog, nanoseconds):
    network, layout, recorder = three_steps()
    target = with_backlog(backlog, **NO_BARRIER)
    found = cycle_timing(network, layout, target, recorder)
    assert found.step_seconds[0] * 1e9 == pytest.approx(nanoseconds)
    again = cycle_timing(network, layout, target, recorder, steps=[2])
    assert again.step_seconds[0] * 1e9 == pytest.approx(nanoseconds[2:3])


def test_a_full_pipeline_is_timed_with_what_is_left_before_it():
    network, layout, recorder = three_steps()
    target = with_backlog(9, **NO_BARRIER)
    found = cycle_timing(network, layout, target, recorder, pipelined=True)
    # 136.8, 228.8, 320.8 are left of the first round; then 412.8, and the targets, which are
    # updated behind that, walk for 97 ns: 443 are left of the fifth step, and all take 540
    assert found.step_seconds[0] * 1e9 == pytest.approx([448.0, 412.8 + 97, 540.0])


def test_a_queue_of_its_own_room():
    """Forty messages at once, none served in time: room for 30 holds the sender up, for 40 not."""
    network, layout = pair(40, 200, (0, 0))
    stalled = []
    for room in (10, 60):
        target = with_backlog(8, queue=room, message_out_ns=0.0, link_buffer_messages=1)
        recorder = SpikeRecorder(network)
        for population in network.populations:
            spikes = np.full((1, 1, *population.shape), population.name == "source", dtype=np.uint8)
            recorder(population, spikes, np.ones_like(spikes))
        stalled.append(int(cycle_timing(network, layout, target, recorder).stalled_messages.sum()))
    assert stalled[0] > 0 and stalled[1] == 0


def test_a_link_passes_messages_as_fast_as_the_target_says():
    """Ten messages over one link: a hop's 4.1 ns each, or 0.5 ns where that is stated."""
    network, layout = ten_to_ten((1, 0))
    traffic = traffic_of(network, layout)
    stated = {"timing.link_message_ns": Quantity(0.5, "ns", "assumed", "a test")}
    fast = replace(LOIHI1, quantities=LOIHI1.quantities | stated)
    for target, nanoseconds in ((LOIHI1, 4.1), (fast, 0.5)):
        link = load_of(traffic, layout, target).link
        assert link.max() * 1e9 == pytest.approx(10 * nanoseconds)
        machine = Machine(walk_of(network, layout), layout, target)
        (taken,) = np.flatnonzero((machine.links == [0, 0, 1, 0]).all(axis=1))
        assert machine.fresh[taken, TICKS] * machine.tick_seconds * 1e9 == pytest.approx(
            nanoseconds
        )


class Carrying(Reference):
    """Several steps in a row: receivers keep what the backlog lets them."""

    def __init__(self, links, routers, messages, tails, capacity, queue, left):
        super().__init__(links, routers, messages, tails, capacity)
        self.left = left  # of each core: (ticks until it is done, services that wait)
        self.free = [0] * len(routers)
        for core, (due, services) in enumerate(left):
            buffer = self.buffers["receiver", core]
            buffer.capacity = queue
            buffer.messages = deque((core, service) for service in services)
            if due:
                buffer.idle = False
                self.later(0, due, buffer, None)

    def later(self, now, ticks, buffer, message):
        if buffer.kind == "receiver":
            self.free[buffer.key] = now + ticks
        super().later(now, ticks, buffer, message)

    def settled(self, backlog):
        if any(buffer.kind != "receiver" for _, _, buffer, _ in self.events):
            return False  # a core walks, or a message crosses a link
        senders = [b for b in self.buffers.values() if b.kind != "receiver"]
        if any(b.messages or b.pending for b in senders):
            return False
        receivers = [b for b in self.buffers.values() if b.kind == "receiver"]
        return all(len(b.messages) <= backlog for b in receivers)

    def carry(self, backlog, pause):
        """Run to the end of the step; what is left when the next one begins."""
        ends = [0]
        walked = self.walk

        def walk(sender, now):
            if not self.todo[sender]:
                ends.append(now + self.tails[sender])
            walked(sender, now)

        self.walk = walk
        for sender in range(len(self.routers)):
            due, services = self.left[sender] if sender < len(self.left) else (0, ())
            self.walk(sender, due + sum(services))
        now, since = 0, None
        while self.do_something(0):
            pass
        while True:
            if since is None and self.settled(backlog):
                since = now
            if since is not None:
                ended = max(since, *ends)
                if not self.events or self.events[0][0] > ended + pause:
                    break
            now, _, buffer, message = heapq.heappop(self.events)
            if buffer.kind == "receiver":
                buffer.idle = True
            elif buffer.kind == "link":
                buffer.idle = True
                self.append(buffer, message)
            else:
                buffer.pending = (message, now)
            while self.do_something(now):
                pass
        begins, left = ended + pause, []
        for core in range(len(self.routers) - 1):
            buffer = self.buffers["receiver", core]
            due = 0 if buffer.idle else self.free[core] - begins
            left.append((due, tuple(service for _, service in buffer.messages)))
        return ended, left


@pytest.mark.parametrize("seed", range(12))
def test_equal_to_a_plain_simulation_of_steps_in_a_row(seed):
    random, network, layout, spikes, updated, injected = random_case(seed)
    backlog, room = int(random.integers(1, 6)), int(random.integers(1, 6))
    queue = backlog + int(random.integers(0, 4))
    target = with_backlog(backlog, queue, link_buffer_messages=room)
    machine = Machine(walk_of(network, layout), layout, target)
    machine.costs[:-1] = random.integers(1, 10**6, machine.costs[:-1].shape)
    service = random.integers(1, 10**6, len(machine.fan_out))
    machine.fan_out = (machine.fan_out & ~SERVICE_MASK) | service
    machine.fresh[: len(machine.links), TICKS] = random.integers(1, 10**6, len(machine.links))
    recorder = recorded(network, spikes, updated, injected)
    left = machine.nothing_left()
    expected_left = [(0, ())] * layout.cores
    for step in range(network.chip_steps):
        state = machine.walk.state(recorder, 0, step, pipelined=False)
        plain = reference(machine, layout, state, room)
        carrying = Carrying(
            plain.links, plain.routers, [list(part) for part in plain.todo], plain.tails, room,
            queue, expected_left,
        )  # fmt: skip
        found, left = machine.run_on(state, None, left, waits=True)
        end, expected_left = carrying.carry(backlog, machine.pause)
        assert round((found.step_seconds - machine.barrier_seconds) / machine.tick_seconds) == end
        assert left.ticks.tolist() == [due + sum(services) for due, services in expected_left]


@pytest.mark.parametrize("seed", range(8))
def test_the_analytic_part_of_the_cycle_model_is_the_analytic_model(seed):
    _, network, layout, spikes, updated, injected = random_case(seed)
    target = with_backlog(3, barrier_ns=(10.0, 20.0, 30.0, 40.0))
    traffic = count(network, layout, spikes, updated, injected, [2], target).result()
    analytic = analytic_timing(traffic, layout, target, network.timesteps)
    cycle = cycle_timing(network, layout, target, recorded(network, spikes, updated, injected))
    assert cycle.analytic_seconds == pytest.approx(analytic.step_seconds, rel=1e-9)
    assert np.array_equal(cycle.messages, traffic.messages_in.sum(axis=-1))


def test_loihi2_states_how_its_steps_overlap():
    target = Target.load("loihi2")
    assert target.number("timing.backlog_messages") >= 900  # silicon.md: a lower bound
    assert 1.01 <= target.number("timing.synaptic_operation_conv_ns") <= 1.03
