"""A mapped network on its chip, with every cost in ticks: runs one chip step of `cycle` timing."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from snndeploy.connections.encoding import COUNTERS, ENCODINGS
from snndeploy.layout.layout import Layout
from snndeploy.layout.routes import DIRECTIONS, Mesh, crosses_chips
from snndeploy.target import Target
from snndeploy.target.events import (
    BACKLOG,
    BARRIER,
    BOARD_BARRIER,
    CORE_QUEUE,
    DEFAULT_LINK_BUFFER,
    FIXED_STEP,
    INTER_CHIP_HOP,
    LINK_BUFFER,
    LINK_MESSAGE,
    events_on,
    hop_nanoseconds,
    nanoseconds,
    times_of,
)
from snndeploy.timing.analytic import BOUNDS, NANO
from snndeploy.timing.cycle_agenda import FOLLOWING, NONE, SLOTS
from snndeploy.timing.cycle_kernels import BACKLOG as CARRIED
from snndeploy.timing.cycle_kernels import (
    BASE,
    BUSY_TICKS,
    COLUMNS,
    DEEPEST,
    DUE,
    END,
    EVENTS,
    FIRST_WAITER,
    HEAD,
    HELD,
    LAST_MESSAGE,
    LAST_PLACE,
    LEAST,
    LINKS,
    MESSAGE,
    PAUSE,
    ROOM,
    ROUTER,
    ROW,
    SENDERS,
    STALLED_SINCE,
    STALLED_TICKS,
    STALLS,
    STARTS,
    TICKS,
    TOTALS,
    TRANSIT,
    run_step,
    ticks_left,
)
from snndeploy.timing.cycle_messages import (
    SERVICE_BITS,
    SERVICE_MASK,
    count_messages,
    list_messages,
)
from snndeploy.timing.cycle_walk import Walk
from snndeploy.timing.overlap import backlog_of, one_step
from snndeploy.timing.overlap import waits as queued

PICOSECONDS_PER_NANOSECOND = 1000
SECONDS_PER_PICOSECOND = 1e-12
ATTENTION = ("attention_macs", "attention_additions")  # before a core walks its neurons


@dataclass(frozen=True)
class Step:
    """One step; fields as in `cycle.CycleTiming`."""

    step_seconds: float
    analytic_seconds: float
    bound: int
    critical: int
    last_core: int
    messages: int
    delivery_seconds: float
    stall_seconds: float
    stalled_messages: int
    link_queue: int
    deepest_link: int
    core_queue: int
    send_utilisation: float
    receive_utilisation: float
    link_utilisation: float
    events: int


@dataclass(frozen=True, eq=False)
class Left:
    """What the receivers carry into the next step.

    places, parcels: of the kernels.  ticks: int64 (cores,), what each still has to serve.
    analytic_seconds: the same by the analytic model.
    """

    places: np.ndarray
    parcels: np.ndarray
    ticks: np.ndarray
    analytic_seconds: np.ndarray


class Machine:
    """Tables of one mapped network and target; `run` may be called from several threads.

    backlog: messages that a core may carry into the next step; 0 where steps do not overlap.

    links: int32 (links, 4), x, y, dx, dy of every link of the board, used or not.
    """

    def __init__(self, walk: Walk, layout: Layout, target: Target, attention: bool = False) -> None:
        self.walk, self.cores = walk, layout.cores
        mesh = Mesh(layout.mesh[0] * layout.board[0], layout.mesh[1] * layout.board[1])
        self.links = mesh.links(np.ones((4, mesh.height, mesh.width), dtype=bool))
        crosses = crosses_chips(self.links, layout.mesh)
        self.barrier_seconds = NANO * target.barrier_ns(layout.mapped_routers, layout.chips)
        self.backlog = backlog_of(target)
        self.least_seconds = NANO * target.number(FIXED_STEP) if target.has(FIXED_STEP) else 0.0
        hop = hop_nanoseconds(target, self.links[:, 2] != 0, crosses)
        events = [event for event in (*events_on("send"), *events_on("receive"))
                  if attention or event.counter not in ATTENTION]  # fmt: skip
        costs = {event.counter: nanoseconds(target, event.counter) for event in events}
        if self.backlog:  # what is left is counted in ticks at the end of the barrier
            costs |= {BARRIER: self.barrier_seconds / NANO, FIXED_STEP: self.least_seconds / NANO}
        self.tick_seconds, (hop, ticks) = _in_ticks(hop, costs)
        self.pause, self.least = ticks.get(BARRIER, 0), ticks.get(FIXED_STEP, 0)
        walked = [event.counter for event in events_on("send") if event.counter not in ATTENTION]
        self.costs = np.zeros((self.cores + 1, len(walked)), dtype=np.int64)
        self.costs[:-1] = [ticks[counter] for counter in walked]
        self.attention = {counter: ticks[counter] for counter in ATTENTION if attention}
        self.fan_out = walk.parcels(
            ticks["messages_in"],
            [ticks[COUNTERS[encoding]] for encoding in ENCODINGS],
        )
        self._describe_queues(target)
        rooms = np.full(len(self.links) + 2 * self.cores + 1, self.capacity)
        rooms[len(self.links) : len(self.links) + self.cores] = self.queue
        self.fresh = _fresh_places(mesh, layout, hop, rooms)
        links = [event for event in events_on("link")
                 if event is not INTER_CHIP_HOP or crosses.any()]  # fmt: skip
        keys = times_of(target, [*events, *links])
        self._describe(target, keys, multiple_chips=layout.chips > 1)

    def _describe_queues(self, target: Target) -> None:
        """Capacity of buffers, and a note where it is assumed."""
        self.capacity = DEFAULT_LINK_BUFFER
        self.notes: tuple[str, ...] = ()
        if target.has(LINK_BUFFER):
            self.capacity = int(target.number(LINK_BUFFER))
        else:
            said = f"{target.name} does not state {LINK_BUFFER}: {self.capacity} are assumed"
            self.notes = (said,)
        stated = target.has(CORE_QUEUE)
        self.queue = int(target.number(CORE_QUEUE)) if stated else max(self.capacity, self.backlog)

    def _describe(self, target: Target, keys: list[str], *, multiple_chips: bool) -> None:
        """The weakest mark among the costs."""
        also = [BARRIER, LINK_MESSAGE, LINK_BUFFER, CORE_QUEUE, BACKLOG] + [
            BOARD_BARRIER
        ] * multiple_chips
        self.mark = target.weakest_mark([*keys, *(key for key in also if target.has(key))])

    def run(self, state: np.ndarray, attention: Mapping[str, np.ndarray] | None = None) -> Step:
        """Simulate one step from the state of every neuron (`Walk.state`), alone.

        attention: by counter, int64 (cores,): done by each core before it walks its neurons.
        """
        return self.run_on(state, attention, self.nothing_left(), waits=False)[0]

    def nothing_left(self) -> Left:
        """Before the first step."""
        parcels = np.empty(int(self.fresh[:, ROOM].sum()), dtype=np.int64)
        ticks = np.zeros(self.cores, dtype=np.int64)
        return Left(self.fresh.copy(), parcels, ticks, np.zeros(self.cores))

    def run_on(
        self,
        state: np.ndarray,
        attention: Mapping[str, np.ndarray] | None,
        left: Left,
        *,
        waits: bool,
    ) -> tuple[Step, Left]:
        """Simulate one step behind another, which used up `left`.

        waits: whether messages may wait for the next step, which then begins with what is left.
        """
        walk = self.walk
        tables = (walk.order, walk.first, state, walk.row, walk.row_start)
        counts = np.zeros(self.cores + 1, dtype=np.int64)
        count_messages(*tables, counts)
        first = np.concatenate([[0], np.cumsum(counts)])
        listed, delays = (np.empty(first[-1], dtype=np.int64) for _ in range(2))
        tail = np.zeros(self.cores + 1, dtype=np.int64)
        list_messages(*tables, self.fan_out, self.costs, first, listed, delays, tail)
        for counter, work in (attention or {}).items():
            busy = np.append(work * self.attention[counter], 0)
            begins = counts > 0
            delays[first[:-1][begins]] += busy[begins]
            tail[~begins] += busy[~begins]
        send = np.diff(np.concatenate([[0], np.cumsum(delays)])[first]) + tail
        places, parcels = left.places, left.parcels
        links, senders = len(self.links), len(self.links) + self.cores
        places[senders:, MESSAGE], places[senders:, LAST_MESSAGE] = first[:-1], first[1:]
        places[senders:, TICKS] = tail
        places[senders:-1, STARTS] = left.ticks
        totals = np.zeros(TOTALS, dtype=np.int64)
        totals[[LAST_PLACE, LINKS, SENDERS]] = NONE, links, senders
        totals[[CARRIED, PAUSE, LEAST]] = self.backlog if waits else NONE, self.pause, self.least
        wheel = np.full(SLOTS, NONE, dtype=np.int32)
        occupied = np.zeros(SLOTS >> 6, dtype=np.uint64)
        stack = np.zeros(2 * len(places) + 1, dtype=np.int32)
        run_step(places, parcels, wheel, occupied, stack, totals, listed, delays)
        receivers = slice(links, senders)
        assert not np.delete(places[:, HELD], receivers).any(), "messages were left behind"
        assert waits or not places[:, HELD].any(), "messages were left behind"
        step, analytic_left = self._summary(places, totals, send[:-1], listed, left, waits)
        return step, self._left(places, parcels, totals, analytic_left)

    def _left(
        self, places: np.ndarray, parcels: np.ndarray, totals: np.ndarray, analytic: np.ndarray
    ) -> Left:
        """What the receivers carry on, in the time of the next step; all else fresh."""
        now = max(int(totals[END] + totals[PAUSE]), int(totals[LEAST]))
        ticks = np.zeros(self.cores, dtype=np.int64)
        ticks_left(places, parcels, totals, now, ticks)
        receivers = slice(len(self.links), len(self.links) + self.cores)
        again = self.fresh.copy()
        again[receivers, HEAD : HELD + 1] = places[receivers, HEAD : HELD + 1]
        again[receivers, DEEPEST] = places[receivers, HELD]
        due = places[receivers, DUE]
        again[receivers, DUE] = np.where(due == NONE, NONE, due - now)
        return Left(again, parcels, ticks, analytic)

    def _summary(
        self,
        places: np.ndarray,
        totals: np.ndarray,
        send: np.ndarray,
        listed: np.ndarray,
        left: Left,
        waits: bool,
    ) -> tuple[Step, np.ndarray]:
        """The step, and what is left of it by the analytic model, in seconds."""
        seconds, messages = self.tick_seconds, len(listed)
        links, senders = len(self.links), len(self.links) + self.cores
        goal = listed >> SERVICE_BITS
        received = np.bincount(goal, weights=listed & SERVICE_MASK, minlength=self.cores)
        each = np.bincount(goal, minlength=self.cores)
        parts = (send * seconds, received * seconds, places[:links, BUSY_TICKS] * seconds)
        may_wait = queued(parts[1], each, self.backlog * waits)
        analytic, after = one_step(
            left.analytic_seconds, parts, may_wait, self.barrier_seconds, self.least_seconds
        )
        bound, critical = int(analytic.part), int(analytic.where)
        if analytic.seconds < self.barrier_seconds:
            bound, critical = BOUNDS.index("barrier"), -1
        busy = [float(part.max(initial=0)) / seconds for part in parts]
        end, last = int(totals[END]), int(totals[LAST_PLACE])
        last_core = last - (links if last < senders else senders)
        deepest = places[:, DEEPEST]
        utilisation = [value / max(end, 1) for value in busy]
        step = Step(
            step_seconds=max(end * seconds + self.barrier_seconds, self.least_seconds),
            analytic_seconds=max(
                float(analytic.seconds) + self.barrier_seconds, self.least_seconds
            ),
            bound=bound,
            critical=critical,
            last_core=last_core if 0 <= last_core < self.cores else -1,
            messages=messages,
            delivery_seconds=int(totals[TRANSIT]) * seconds / max(messages, 1),
            stall_seconds=int(places[senders:-1, STALLED_TICKS].sum()) * seconds,
            stalled_messages=int(totals[STALLS]),
            link_queue=int(deepest[:links].max(initial=0)),
            deepest_link=int(deepest[:links].argmax()) if deepest[:links].any() else -1,
            core_queue=int(deepest[links:senders].max(initial=0)),
            send_utilisation=utilisation[0],
            receive_utilisation=utilisation[1],
            link_utilisation=utilisation[2],
            events=int(totals[EVENTS]),
        )
        return step, after


def _fresh_places(
    mesh: Mesh, layout: Layout, hop_ticks: np.ndarray, rooms: np.ndarray
) -> np.ndarray:
    """Empty buffers and idle servers of links, receivers and senders, the host last."""
    routers = mesh.width * mesh.height
    stride = DIRECTIONS[:, 0] + DIRECTIONS[:, 1] * mesh.width
    far_end = (stride[:, None] + np.arange(routers)).ravel()  # off the mesh: never used
    own = layout.positions[:, 1] * mesh.width + layout.positions[:, 0]
    router = np.concatenate([far_end, own, own, [0]])
    places = np.zeros((len(router), COLUMNS), dtype=np.int64)
    places[:, [FOLLOWING, DUE, FIRST_WAITER, STALLED_SINCE]] = NONE
    places[:, ROUTER] = router
    places[:, ROUTER + 1 : ROW + 1] = np.stack([router % mesh.width, router // mesh.width], axis=1)
    places[: len(hop_ticks), TICKS] = hop_ticks
    places[:, ROOM], places[:, BASE] = rooms, np.cumsum(rooms) - rooms
    return places


def _in_ticks(
    hop_ns: np.ndarray, costs_ns: Mapping[str, float]
) -> tuple[float, tuple[np.ndarray, dict[str, int]]]:
    """Seconds of the largest tick of whole picoseconds that divides all costs; costs in ticks."""
    hop = np.rint(hop_ns * PICOSECONDS_PER_NANOSECOND).astype(np.int64)
    costs = {name: round(cost * PICOSECONDS_PER_NANOSECOND) for name, cost in costs_ns.items()}
    tick = math.gcd(*costs.values(), *np.unique(hop).tolist()) or 1
    ticks = {name: cost // tick for name, cost in costs.items()}
    return tick * SECONDS_PER_PICOSECOND, (hop // tick, ticks)
