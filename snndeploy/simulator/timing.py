"""Analytic timing: how long each chip step takes, from its traffic alone.

A step lasts until its slowest part is done, then all cores synchronise:

    send(core)    = accesses * neuron_access_ns + updates * neuron_update_ns
                    + spikes * spike_generation_ns + messages_out * message_out_ns
    receive(core) = messages_in * message_in_ns + synaptic_operations * synaptic_operation_ns
    link(l)       = messages on it * the latency of one hop over it
    step          = max over cores of send, over cores of receive, over links of link
                    + barrier(mapped routers, chips)

Sending, receiving and moving are taken to overlap perfectly, as in SANA-FE's *simple* model, so
this is a lower bound on an event-driven model: a core that waits for its first message, and the
time of flight, are not seen.  A link passes one message in the time of one hop, and all synaptic
operations take the time of a dense one (both assumed).

A sample's *latency* is the sum over its timesteps + depth chip steps.  In a pipeline a new sample
enters every `timesteps` steps, so that two or more samples share the chip: the *interval* between
answers is the time of `timesteps` steps in which the traffic of steps s, s + timesteps, ... falls
together, each sample standing for its neighbours.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from snndeploy.mapping.layout import Layout
from snndeploy.mapping.routes import crosses_chips
from snndeploy.simulator.activity import Traffic
from snndeploy.target import Target

BOUNDS = ("send", "receive", "link", "barrier")
NANO = 1e-9

SEND_COSTS = {
    "neuron_accesses": "timing.neuron_access_ns",
    "neuron_updates": "timing.neuron_update_ns",
    "spikes": "timing.spike_generation_ns",
    "messages_out": "timing.message_out_ns",
}
RECEIVE_COSTS = {
    "messages_in": "timing.message_in_ns",
    "synaptic_operations": "timing.synaptic_operation_ns",
}
HOP_COSTS = ("timing.hop_east_west_ns", "timing.hop_north_south_ns")
INTER_CHIP_COST = "timing.inter_chip_hop_ns"
BARRIER = "timing.barrier_ns"
BOARD_BARRIER = "timing.board_barrier_ns"
HOST_LINK = "host.io_bytes_per_second"


@dataclass(frozen=True, eq=False)
class Timing:
    """How long a run takes on the chip.

    step_seconds: float64 (samples, steps), barrier included.
    bound: uint8 (samples, steps), index into BOUNDS: the longest part of the step.
    critical: int32 (samples, steps), the slowest core (send, receive) or row of `Traffic.links`
        (link); -1 where the barrier is the longest part.
    latency_seconds, interval_seconds: float64 (samples,), see the top of this file.
    host_seconds: float64 (samples,), to move a sample's bytes over the host link, apart from the
        steps; None where the target does not state the link's speed.
    mark: the least trustworthy mark among the times used.
    """

    model: str
    step_seconds: np.ndarray
    bound: np.ndarray
    critical: np.ndarray
    barrier_seconds: float
    latency_seconds: np.ndarray
    interval_seconds: np.ndarray
    host_seconds: np.ndarray | None
    mark: str
    notes: tuple[str, ...] = ()


def analytic_timing(traffic: Traffic, layout: Layout, target: Target, timesteps: int) -> Timing:
    """Time a run from its traffic; `timesteps` is the network's, without the pipeline's fill."""
    barrier = NANO * target.barrier_ns(layout.mapped_routers, layout.chips)
    parts = [_per_core(traffic, SEND_COSTS, target), _per_core(traffic, RECEIVE_COSTS, target)]
    parts.append(traffic.link_load * _hop_seconds(traffic, layout, target))
    slowest = np.stack([_slowest(part)[0] for part in parts])
    busy = slowest.max(axis=0)
    bound = np.where(busy >= barrier, slowest.argmax(axis=0), BOUNDS.index("barrier"))
    critical = np.full(bound.shape, -1, dtype=np.int32)
    for index, part in enumerate(parts):
        critical = np.where(bound == index, _slowest(part)[1], critical)
    step_seconds = busy + barrier
    folded = [_slowest(_fold(part, timesteps))[0] for part in parts]
    interval = (np.max(folded, axis=0) + barrier).sum(axis=1)
    keys = _keys(traffic, layout, target)
    return Timing(
        model="analytic",
        step_seconds=step_seconds,
        bound=bound.astype(np.uint8),
        critical=critical.astype(np.int32),
        barrier_seconds=barrier,
        latency_seconds=step_seconds.sum(axis=1),
        interval_seconds=interval,
        host_seconds=_host_seconds(traffic, target),
        mark=target.weakest_mark(keys),
        notes=_notes(traffic, target),
    )


def _per_core(traffic: Traffic, costs: dict[str, str], target: Target) -> np.ndarray:
    """Seconds of every core, (samples, steps, cores)."""
    total = np.zeros(traffic.spikes.shape)
    for counter, key in costs.items():
        total += getattr(traffic, counter) * (NANO * target.number(key))
    return total


def _hop_seconds(traffic: Traffic, layout: Layout, target: Target) -> np.ndarray:
    """Seconds that one message holds each link, (links,)."""
    east_west, north_south = (NANO * target.number(key) for key in HOP_COSTS)
    seconds = np.where(traffic.links[:, 2] != 0, east_west, north_south)
    if target.has(INTER_CHIP_COST):
        inter_chip = NANO * target.number(INTER_CHIP_COST)
        seconds = np.where(crosses_chips(traffic.links, layout.mesh), inter_chip, seconds)
    return seconds


def _slowest(part: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The largest value along the last axis and where it is; 0 and -1 where there is none."""
    if not part.shape[-1]:
        return np.zeros(part.shape[:-1]), np.full(part.shape[:-1], -1)
    where = part.argmax(axis=-1)
    return np.take_along_axis(part, where[..., None], axis=-1)[..., 0], where


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
    moved = (traffic.host_bytes_in + traffic.host_bytes_out).sum(axis=1)
    return moved / target.number(HOST_LINK)


def _keys(traffic: Traffic, layout: Layout, target: Target) -> list[str]:
    """The times that this run really used."""
    costs = {**SEND_COSTS, **RECEIVE_COSTS}
    keys = [BARRIER, *(key for counter, key in costs.items() if getattr(traffic, counter).any())]
    hops = ("hops_east_west", "hops_north_south", "hops_inter_chip")
    used = zip(hops, (*HOP_COSTS, INTER_CHIP_COST), strict=True)
    keys += [key for counter, key in used if getattr(traffic, counter).any() and target.has(key)]
    if layout.chips > 1 and target.has(BOARD_BARRIER):
        keys.append(BOARD_BARRIER)
    return keys


def _notes(traffic: Traffic, target: Target) -> tuple[str, ...]:
    notes = []
    if not target.has(INTER_CHIP_COST) and traffic.hops_inter_chip.any():
        notes.append(
            f"{target.name} does not state {INTER_CHIP_COST}: hops between chips cost a hop"
        )
    if not target.has(HOST_LINK):
        notes.append(f"{target.name} does not state {HOST_LINK}: the host link is not timed")
    return tuple(notes)
