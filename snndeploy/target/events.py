"""What a chip is charged for: each event once, its counter, its costs, and what it keeps busy.

Mapping, simulation and every report read this list.  An event whose energy or time the target does
not state is left out of the sum, and the report says so; it is nowhere taken for something else,
but for a hop between chips, which takes the time of a hop where it has none of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from snndeploy.errors import TargetError
from snndeploy.target.chip import Target

Resource = Literal["send", "receive", "link", "host", ""]


@dataclass(frozen=True)
class Event:
    """One kind of event.

    name: its line in the energy table; several counters may share one.
    counter: the array of `Traffic` that counts it.
    energy, time: keys of the target, in pJ and ns; the host link's are pJ and 1/s a byte.
    resource: what it keeps busy: the sending or receiving side of a core, a link, the host link.
    instead_of: the counter that counts these events too: where the target prices this line they
        are charged here, and elsewhere there.
    part_of: the name of the event that includes this one where the target does not state it.
    """

    name: str
    counter: str
    energy: str
    time: str = ""
    resource: Resource = ""
    instead_of: str = ""
    part_of: str = ""


def _event(name: str, counter: str, cost: str, resource: Resource, **rules: str) -> Event:
    return Event(name, counter, f"energy.{cost}_pj", f"timing.{cost}_ns", resource, **rules)


EVENTS = (
    _event("neuron access", "neuron_accesses", "neuron_access", "send"),
    _event("neuron update", "neuron_updates", "neuron_update", "send"),
    _event("spike generation", "spikes", "spike_generation", "send"),
    _event("message out", "messages_out", "message_out", "send"),
    _event("message in", "messages_in", "message_in", "receive"),
    _event("synaptic operation", "synaptic_operations", "synaptic_operation", "receive"),
    _event(
        "sparse synaptic operation", "sparse_operations", "synaptic_operation_sparse", "receive",
        instead_of="synaptic_operations",
    ),
    _event(
        "convolution operation", "conv_operations", "synaptic_operation_conv", "receive",
        instead_of="synaptic_operations",
    ),
    _event("multiply-accumulate", "attention_macs", "mac", "send"),
    Event(
        "multiply-accumulate", "graded_operations", "energy.mac_pj",
        instead_of="synaptic_operations",
    ),
    _event("addition in attention", "attention_additions", "synaptic_operation", "send"),
    _event("hop east-west", "hops_east_west", "hop_east_west", "link"),
    _event("hop north-south", "hops_north_south", "hop_north_south", "link"),
    _event("hop between chips", "hops_inter_chip", "inter_chip_hop", "link"),
    Event(
        "message within a tile", "local_messages", "energy.tile_local_hop_pj",
        part_of="message out",
    ),
    Event("host bytes in", "host_bytes_in", "host.io_pj_per_byte", "host.io_bytes_per_second",
          "host"),
    Event("host bytes out", "host_bytes_out", "host.io_pj_per_byte", "host.io_bytes_per_second",
          "host"),
)  # fmt: skip

STATIC_POWER = "energy.static_power_per_chip_w"
BARRIER = "timing.barrier_ns"
BOARD_BARRIER = "timing.board_barrier_ns"
FIXED_STEP = "timing.fixed_step_ns"
LINK_MESSAGE = "timing.link_message_ns"
BACKLOG, CORE_QUEUE = "timing.backlog_messages", "timing.core_queue_messages"
LINK_BUFFER, DEFAULT_LINK_BUFFER = "timing.link_buffer_messages", 16  # the default is assumed
BY_COUNTER = {event.counter: event for event in EVENTS}
INTER_CHIP_HOP = BY_COUNTER["hops_inter_chip"]
HOST_LINK = BY_COUNTER["host_bytes_in"].time


def events_on(resource: Resource) -> tuple[Event, ...]:
    """The events that keep a resource busy, in the order of the list."""
    return tuple(event for event in EVENTS if event.resource == resource)


def nanoseconds(target: Target, counter: str) -> float:
    """Time of one event; 0 where the target states none."""
    event = BY_COUNTER[counter]
    if event.instead_of and not target.has(event.time):
        return nanoseconds(target, event.instead_of)
    return target.number(event.time) if target.has(event.time) else 0.0


def picojoules(target: Target, counter: str) -> float:
    """Energy of one event; 0 where the target states none, or where others' figures hold it."""
    event = BY_COUNTER[counter]
    other = BY_COUNTER.get(event.instead_of)
    if other and not target.has(event.energy):
        return picojoules(target, other.counter)
    stated = target.has(event.energy) and not target.includes(event.energy)
    return target.number(event.energy) if stated else 0.0


def prices_graded(target: Target) -> bool:
    """Whether operations on graded payloads have an energy of their own."""
    return target.has(BY_COUNTER["graded_operations"].energy)


def charged(
    counts: Mapping[str, np.ndarray], event: Event, cost: Literal["energy", "time"], target: Target
) -> np.ndarray:
    """Events that are charged under the event's own cost: those that another event's cost is
    stated for are left to it, and all are left to `instead_of` where none is stated here.

    counts: by counter, arrays of one shape.
    """
    found = counts[event.counter]
    if event.instead_of and not target.has(getattr(event, cost)):
        return np.zeros_like(found)
    for other in EVENTS:
        if other.instead_of == event.counter and target.has(getattr(other, cost)):
            found = found - counts[other.counter]
    return found


def hop_nanoseconds(target: Target, across: np.ndarray, crosses: np.ndarray) -> np.ndarray:
    """Time that a message holds each link, float64 of the masks' shape: a hop's, or where the
    target states how fast messages follow one another on a link, that.

    across: links along x.  crosses: links to another chip.
    """
    stated = [nanoseconds(target, f"hops_{way}") for way in ("east_west", "north_south")]
    if target.has(LINK_MESSAGE):
        stated = [target.number(LINK_MESSAGE)] * 2
    found = np.where(across, *stated)
    if target.has(INTER_CHIP_HOP.time):
        found = np.where(crosses, target.number(INTER_CHIP_HOP.time), found)
    return found


def times_of(target: Target, events: Iterable[Event]) -> list[str]:
    """The keys, each once, of the events' times that the target states."""
    return [key for key in dict.fromkeys(e.time for e in events) if key and target.has(key)]


def has_times(target: Target) -> bool:
    """Whether the target states the time of anything that happens in a step."""
    on_chip = (event for event in EVENTS if event.resource != "host")
    return bool(times_of(target, on_chip)) or target.has(BARRIER) or target.has(FIXED_STEP)


def require_times(target: Target) -> None:
    """Refuse to time a run on a chip that states no time at all.

    Raises:
        TargetError: it does not.
    """
    if not has_times(target):
        keys = ", ".join(key for key in dict.fromkeys(e.time for e in EVENTS) if "timing." in key)
        raise TargetError(
            f"target {target.name} states no time of any event, so a run has no latency; add some"
            f" of {keys} to {target.origin}"
        )
