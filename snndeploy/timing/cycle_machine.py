"""A mapped network on its chip, with every cost in ticks: runs one chip step of `cycle` timing."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from snndeploy.layout.layout import Layout
from snndeploy.layout.operations import ENCODINGS
from snndeploy.layout.routes import DIRECTIONS, Mesh, crosses_chips
from snndeploy.target import Target
from snndeploy.target.events import (
    BARRIER,
    BOARD_BARRIER,
    DEFAULT_LINK_BUFFER,
    FIXED_STEP,
    INTER_CHIP_HOP,
    LINK_BUFFER,
    events_on,
    hop_nanoseconds,
    nanoseconds,
    times_of,
)
from snndeploy.timing.analytic import BOUNDS, NANO
from snndeploy.timing.cycle_agenda import FOLLOWING, NONE, SLOTS
from snndeploy.timing.cycle_kernels import (
    BUSY_TICKS,
    COLUMNS,
    DEEPEST,
    DUE,
    END,
    EVENTS,
    FIRST_WAITER,
    HELD,
    LAST_MESSAGE,
    LAST_PLACE,
    LINKS,
    MESSAGE,
    ROUTER,
    ROW,
    SENDERS,
    STALLED_SINCE,
    STALLED_TICKS,
    STALLS,
    TICKS,
    TOTALS,
    TRANSIT,
    run_step,
)
from snndeploy.timing.cycle_messages import count_messages, list_messages
from snndeploy.timing.cycle_walk import Walk

PICOSECONDS_PER_NANOSECOND = 1000
SECONDS_PER_PICOSECOND = 1e-12
OPERATIONS = {"sparse": "sparse_operations", "conv": "conv_operations"}  # all others are dense
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


class Machine:
    """Tables of one mapped network and target; `run` may be called from several threads.

    links: int32 (links, 4), x, y, dx, dy of every link of the board, used or not.
    """

    def __init__(self, walk: Walk, layout: Layout, target: Target, attention: bool = False) -> None:
        self.walk, self.cores = walk, layout.cores
        mesh = Mesh(layout.mesh[0] * layout.board[0], layout.mesh[1] * layout.board[1])
        self.links = mesh.links(np.ones((4, mesh.height, mesh.width), dtype=bool))
        crosses = crosses_chips(self.links, layout.mesh)
        self.barrier_seconds = NANO * target.barrier_ns(layout.mapped_routers, layout.chips)
        self.least_seconds = NANO * target.number(FIXED_STEP) if target.has(FIXED_STEP) else 0.0
        hop = hop_nanoseconds(target, self.links[:, 2] != 0, crosses)
        events = [event for event in (*events_on("send"), *events_on("receive"))
                  if attention or event.counter not in ATTENTION]  # fmt: skip
        costs = {event.counter: nanoseconds(target, event.counter) for event in events}
        self.tick_seconds, (hop, ticks) = _in_ticks(hop, costs)
        walked = [event.counter for event in events_on("send") if event.counter not in ATTENTION]
        self.costs = np.zeros((self.cores + 1, len(walked)), dtype=np.int64)
        self.costs[:-1] = [ticks[counter] for counter in walked]
        self.attention = {counter: ticks[counter] for counter in ATTENTION if attention}
        self.fan_out = walk.parcels(
            ticks["messages_in"],
            [ticks[OPERATIONS.get(encoding, "synaptic_operations")] for encoding in ENCODINGS],
        )
        self.fresh = _fresh_places(mesh, layout, hop)
        links = [event for event in events_on("link")
                 if event is not INTER_CHIP_HOP or crosses.any()]  # fmt: skip
        keys = times_of(target, [*events, *links])
        self._describe(target, keys, multiple_chips=layout.chips > 1)

    def _describe(self, target: Target, keys: list[str], *, multiple_chips: bool) -> None:
        """Capacity of buffers, the weakest mark among the costs, and notes."""
        self.capacity = DEFAULT_LINK_BUFFER
        self.notes: tuple[str, ...] = ()
        keys = [*keys, *(key for key in (BARRIER,) if target.has(key))]
        if multiple_chips and target.has(BOARD_BARRIER):
            keys.append(BOARD_BARRIER)
        if target.has(LINK_BUFFER):
            self.capacity = int(target.number(LINK_BUFFER))
            keys.append(LINK_BUFFER)
        else:
            said = f"{target.name} does not state {LINK_BUFFER}: {self.capacity} are assumed"
            self.notes = (said,)
        self.mark = target.weakest_mark(keys)

    def run(self, state: np.ndarray, attention: Mapping[str, np.ndarray] | None = None) -> Step:
        """Simulate one step from the state of every neuron (`Walk.state`).

        attention: by counter, int64 (cores,): done by each core before it walks its neurons.
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
        places = self.fresh.copy()
        links, senders = len(self.links), len(self.links) + self.cores
        places[senders:, MESSAGE], places[senders:, LAST_MESSAGE] = first[:-1], first[1:]
        places[senders:, TICKS] = tail
        totals = np.zeros(TOTALS, dtype=np.int64)
        totals[[LAST_PLACE, LINKS, SENDERS]] = NONE, links, senders
        parcels = np.empty((len(places), self.capacity), dtype=np.int64)
        wheel = np.full(SLOTS, NONE, dtype=np.int32)
        occupied = np.zeros(SLOTS >> 6, dtype=np.uint64)
        stack = np.zeros(2 * len(places) + 1, dtype=np.int32)
        run_step(places, parcels, wheel, occupied, stack, totals, listed, delays)
        assert not places[:, HELD].any(), "messages were left behind"
        return self._summary(places, totals, send[:-1], len(listed))

    def _summary(
        self, places: np.ndarray, totals: np.ndarray, send: np.ndarray, messages: int
    ) -> Step:
        seconds = self.tick_seconds
        links, senders = len(self.links), len(self.links) + self.cores
        parts = (send, places[links:senders, BUSY_TICKS], places[:links, BUSY_TICKS])
        busy = [int(part.max(initial=0)) for part in parts]
        bound = busy.index(max(busy))
        critical = int(parts[bound].argmax())
        if max(busy) * seconds < self.barrier_seconds:
            bound, critical = BOUNDS.index("barrier"), -1
        end, last = int(totals[END]), int(totals[LAST_PLACE])
        last_core = last - (links if last < senders else senders)
        deepest = places[:, DEEPEST]
        utilisation = [value / max(end, 1) for value in busy]
        return Step(
            step_seconds=max(end * seconds + self.barrier_seconds, self.least_seconds),
            analytic_seconds=max(max(busy) * seconds + self.barrier_seconds, self.least_seconds),
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


def _fresh_places(mesh: Mesh, layout: Layout, hop_ticks: np.ndarray) -> np.ndarray:
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
