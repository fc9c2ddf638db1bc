"""Analytic timing: how long each chip step takes, from its traffic alone.

A step lasts until its slowest part is done, then all cores synchronise (where a chip's steps
overlap, as `overlap.py` says):

    send(core)    = accesses * neuron_access_ns + updates * neuron_update_ns
                    + spikes * spike_generation_ns + messages_out * message_out_ns
                    + attention_macs * mac_ns + attention_additions * synaptic_operation_ns
    receive(core) = messages_in * message_in_ns + synaptic_operations * synaptic_operation_ns,
                    sparse and convolution operations at their own time where it is stated
    link(l)       = messages on it * the latency of one hop over it
    step          = max over cores of send, over cores of receive, over links of link
                    + barrier(mapped routers, chips) + bytes of host attention / link speed,
                    and at least fixed_step_ns

The costs are those of `target.events`; what the target states no time for takes none, and `notes`
says so.
Sending, receiving and moving are taken to overlap perfectly, as in SANA-FE's *simple* model, so
this is a lower bound on an event-driven model: a core that waits for its first message, and the
time of flight, are not seen.  A link passes one message in `link_message_ns`, or where the target
does not state it in the time of one hop (assumed).

A sample's *latency* is the sum over its timesteps + depth chip steps.  In a pipeline a new sample
enters every `timesteps` steps, so that two or more samples share the chip: the *interval* between
answers is the time of `timesteps` steps in which the traffic of steps s, s + timesteps, ... falls
together, each sample standing for its neighbours.  Where steps overlap, the pipeline is taken when
what is left of a round repeats, or after 64 steps: what a core carries on is at most one step's, so
the interval is then off by less than one step in 64.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from snndeploy.engines.activity import Traffic
from snndeploy.layout.layout import Layout
from snndeploy.layout.routes import crosses_chips
from snndeploy.target import Target
from snndeploy.target.events import (
    BACKLOG,
    BARRIER,
    BOARD_BARRIER,
    EVENTS,
    FIXED_STEP,
    HOST_LINK,
    INTER_CHIP_HOP,
    LINK_MESSAGE,
    Event,
    Resource,
    charged,
    events_on,
    hop_nanoseconds,
    nanoseconds,
)
from snndeploy.timing.overlap import backlog_of, busy_steps, waits

BOUNDS = ("send", "receive", "link", "barrier", "host")
NANO = 1e-9


@dataclass(frozen=True, eq=False)
class Timing:
    """How long a run takes on the chip.

    step_seconds: float64 (samples, steps), barrier included.
    bound: uint8 (samples, steps), index into BOUNDS: the longest part of the step.
    critical: int32 (samples, steps), the slowest core (send, receive) or row of `Traffic.links`
        (link); -1 where the barrier or the host is the longest part.
    latency_seconds, interval_seconds: float64 (samples,), see the top of this file.
    host_waiting_seconds: float64 (samples, steps), part of step_seconds: currents on their way to
        the host's attention and back.
    host_seconds: float64 (samples,), to move a sample's other bytes over the host link, apart from
        the steps; None where the target does not state the link's speed.
    mark: the least trustworthy mark among the times used.
    pipelined_busy_seconds, pipelined_bound, pipelined_critical: of the (samples, timesteps) steps
        of a full pipeline, as above but by the analytic model always: what the slowest core or
        link takes, barrier left out, the kind of that part, which is never the barrier, and which
        one it is.
    """

    model: str
    step_seconds: np.ndarray
    bound: np.ndarray
    critical: np.ndarray
    barrier_seconds: float
    latency_seconds: np.ndarray
    interval_seconds: np.ndarray
    host_waiting_seconds: np.ndarray
    host_seconds: np.ndarray | None
    mark: str
    pipelined_busy_seconds: np.ndarray
    pipelined_bound: np.ndarray
    pipelined_critical: np.ndarray
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Load:
    """Seconds that each core sends, each core receives and each link moves messages.

    Arrays float64 (samples, steps, cores), the same, and (samples, steps, links).
    """

    send: np.ndarray
    receive: np.ndarray
    link: np.ndarray


def load_of(traffic: Traffic, layout: Layout, target: Target) -> Load:
    """The time that a run's traffic takes at each core and link."""
    return Load(
        send=_per_core(traffic, "send", target),
        receive=_per_core(traffic, "receive", target),
        link=traffic.link_load * _hop_seconds(traffic, layout, target),
    )


def analytic_timing(
    traffic: Traffic, layout: Layout, target: Target, timesteps: int, load: Load | None = None
) -> Timing:
    """Time a run from its traffic; `timesteps` is the network's, without the pipeline's fill.

    load: of the same traffic, where the caller has it already.
    """
    barrier = NANO * target.barrier_ns(layout.mapped_routers, layout.chips)
    load = load or load_of(traffic, layout, target)
    parts = (load.send, load.receive, load.link)
    waiting = _host_waiting(traffic, target)
    least = NANO * target.number(FIXED_STEP) if target.has(FIXED_STEP) else 0.0
    backlog, messages = backlog_of(target), traffic.messages_in
    may_wait = waits(load.receive, messages, backlog)
    busy = busy_steps(parts, may_wait, barrier + waiting, least, again=False)
    which = np.where(busy.seconds < barrier, BOUNDS.index("barrier"), busy.part)
    which = np.where(waiting > np.maximum(busy.seconds, barrier), BOUNDS.index("host"), which)
    step_seconds = np.maximum(busy.seconds + barrier + waiting, least)
    send, receive, link = (_fold(part, timesteps) for part in parts)
    pause = np.full(send.shape[:2], barrier)
    may_wait = waits(receive, _fold(messages, timesteps), backlog)
    full = busy_steps((send, receive, link), may_wait, pause, least, again=True)
    keys = _keys(traffic, layout, target)
    return Timing(
        model="analytic",
        step_seconds=step_seconds,
        bound=which.astype(np.uint8),
        critical=np.where(which < BOUNDS.index("barrier"), busy.where, -1).astype(np.int32),
        barrier_seconds=barrier,
        latency_seconds=step_seconds.sum(axis=1),
        interval_seconds=np.maximum(full.seconds + barrier, least).sum(axis=1)
        + waiting.sum(axis=1),
        host_waiting_seconds=waiting,
        host_seconds=_host_seconds(traffic, target),
        mark=target.weakest_mark(keys),
        pipelined_busy_seconds=full.seconds,
        pipelined_bound=full.part.astype(np.uint8),
        pipelined_critical=full.where.astype(np.int32),
        notes=_notes(traffic, target),
    )


def _per_core(traffic: Traffic, resource: Resource, target: Target) -> np.ndarray:
    """Seconds of every core, (samples, steps, cores)."""
    total = np.zeros(traffic.spikes.shape)
    for event in events_on(resource):
        events = charged(vars(traffic), event, "time", target)
        if events.any():
            total += events * (NANO * nanoseconds(target, event.counter))
    return total


def _hop_seconds(traffic: Traffic, layout: Layout, target: Target) -> np.ndarray:
    """Seconds that one message holds each link, (links,)."""
    crosses = crosses_chips(traffic.links, layout.mesh)
    return NANO * hop_nanoseconds(target, traffic.links[:, 2] != 0, crosses)


def _fold(part: np.ndarray, timesteps: int) -> np.ndarray:
    """Add up the chip steps that fall together in a full pipeline: (samples, timesteps, ...)."""
    folded = np.zeros((part.shape[0], timesteps, *part.shape[2:]))
    for start in range(0, part.shape[1], timesteps):
        piece = part[:, start : start + timesteps]
        folded[:, : piece.shape[1]] += piece
    return folded


def _host_seconds(traffic: Traffic, target: Target) -> np.ndarray | None:
    if not target.has(HOST_LINK):
        return None
    moved = (traffic.host_bytes_in + traffic.host_bytes_out - traffic.attention_bytes).sum(axis=1)
    return moved / target.number(HOST_LINK)


def _host_waiting(traffic: Traffic, target: Target) -> np.ndarray:
    """Seconds that each step waits while the host refines currents, (samples, steps)."""
    if not traffic.attention_bytes.any() or not target.has(HOST_LINK):
        return np.zeros(traffic.attention_bytes.shape)
    return traffic.attention_bytes / target.number(HOST_LINK)


def _keys(traffic: Traffic, layout: Layout, target: Target) -> list[str]:
    """The times that this run really used."""
    happened = [event.time for event in EVENTS if event.resource != "host" and event.time
                and charged(vars(traffic), event, "time", target).any()]  # fmt: skip
    keys = [BARRIER, BACKLOG, LINK_MESSAGE, *happened]
    if layout.chips > 1:
        keys.append(BOARD_BARRIER)
    if traffic.attention_bytes.any():
        keys.append(HOST_LINK)  # the steps wait for it
    return [key for key in dict.fromkeys(keys) if target.has(key)]


def _untimed(event: Event) -> str:
    """What is made of events without a time."""
    if event is INTER_CHIP_HOP:
        return "hops between chips cost a hop"
    return f"{event.name} takes no time here"


def _notes(traffic: Traffic, target: Target) -> tuple[str, ...]:
    notes = [
        f"{target.name} does not state {event.time}: {_untimed(event)}"
        for event in EVENTS
        if event.resource in ("send", "receive", "link")
        and not (target.has(event.time) or event.instead_of)
        and getattr(traffic, event.counter).any()
    ]
    if not (target.has(BARRIER) or target.has(FIXED_STEP)):
        notes.append(f"{target.name} does not state {BARRIER}: cores synchronise in no time")
    if traffic.attention_bytes.any():
        timed = "" if target.has(HOST_LINK) else " nor the link's time"
        notes.append(
            "attention is computed by the host between steps; its own computing time is not"
            f" counted{timed}"
        )
    if not target.has(HOST_LINK):
        notes.append(f"{target.name} does not state {HOST_LINK}: the host link is not timed")
    return tuple(notes)
