"""The event loop of cycle-level timing, compiled by numba: one chip step, message by message.

Places.  A message waits in one of three kinds of first-in-first-out buffers, each with a room of
its own (column ROOM, from BASE on in `parcels`) and a server that works on one message at a time:

    link      the buffer at the far end of a directed link; server: the wire, one hop a message
    receiver  the input queue of a core; server: axon in, synapses and dendrite of one message
    sender    the output queue of a core (the last one: the host); server: the walk over neurons
              (access, update, spike) and axon out, up to the next message

Numbers: links 0 .. 4 * routers - 1 (direction * routers + router, as in `routes.DIRECTIONS`), then
receivers, then senders.  A message leaves a buffer only when the next place has room for it, so a
full buffer blocks what is behind it, back to the walking core.  Waiting messages are served oldest
first.  Routes go along x, then along y, which cannot deadlock because receivers always drain.

Where steps overlap (BACKLOG of `totals` is not NONE), the step ends when all senders have walked,
every message lies in the queue of its receiver, and no queue holds more than the backlog; PAUSE
ticks later the next one begins, and the receivers keep what they have not served.  A core whose
receiver is behind begins its walk that much later (column STARTS).

Everything about a place is a row of `places`, int64 (places, COLUMNS).
"""

from __future__ import annotations

import numpy as np

from snndeploy.timing.cycle_agenda import (
    NONE,
    PENDING,
    SLOT_MASK,
    compiled,
    file,
    look_again,
    next_look,
    next_time,
    pop,
)
from snndeploy.timing.cycle_messages import SERVICE_BITS, SERVICE_MASK

Array = np.ndarray

# Columns of `places`.  FOLLOWING, STACKED: see `cycle_agenda.py`.
ROUTER, COLUMN, ROW = 2, 3, 4  # where a message that leaves the place stands
TICKS = 5  # of a link: one hop; of a sender: the walk after its last message
DUE = 6  # when the server is done; NONE when it is idle
CARRIED = 7  # of a link: the parcel on the wire
HEAD, HELD = 8, 9  # of the buffer
FIRST_WAITER, LAST_WAITER, NEXT_WAITER, WAITS = 10, 11, 12, 13  # places waiting for a place
MESSAGE, LAST_MESSAGE = 14, 15  # of a sender: the next message and the end of its messages
STALLED_SINCE, STALLED_TICKS = 16, 17  # of a sender; since: NONE when it is not stalled
BUSY_TICKS, DEEPEST = 18, 19  # work of links and receivers; most messages ever held
BASE, ROOM = 20, 21  # of the buffer, in `parcels`
STARTS = 22  # of a sender: ticks before it begins to walk
COLUMNS = 23

# Entries of `totals`; PENDING is 0.
END, LAST_PLACE, TRANSIT, STALLS, EVENTS, LINKS, SENDERS = 1, 2, 3, 4, 5, 6, 7
BACKLOG, PAUSE, LEAST, DELIVERED, CROWDED = 8, 9, 10, 11, 12
TOTALS = 13


@compiled
def _put(places: Array, parcels: Array, place: int, parcel: int) -> None:
    """Append to a buffer that has room."""
    room = places[place, ROOM]
    held = places[place, HELD] + 1
    end = places[place, HEAD] + held - 1
    parcels[places[place, BASE] + (end - room if end >= room else end)] = parcel
    places[place, HELD] = held
    if held > places[place, DEEPEST]:
        places[place, DEEPEST] = held


@compiled
def _take(places: Array, parcels: Array, stack: Array, place: int) -> int:
    """Remove the first message; whoever waits for its room is looked at again."""
    head = places[place, HEAD]
    parcel = parcels[places[place, BASE] + head]
    places[place, HEAD] = 0 if head + 1 == places[place, ROOM] else head + 1
    places[place, HELD] -= 1
    if places[place, FIRST_WAITER] != NONE or places[place, STALLED_SINCE] != NONE:
        look_again(places, stack, place, 1)
    return parcel


@compiled
def _has_room(places: Array, totals: Array, place: int) -> bool:
    """Whether a message may set out for this place: the wire is idle and the buffer not full."""
    if places[place, HELD] >= places[place, ROOM]:
        return False
    return place >= totals[LINKS] or places[place, DUE] == NONE


@compiled
def _next_place(places: Array, totals: Array, place: int, parcel: int) -> int:
    """Where a parcel at the head of a link or sender goes: a link on, or its receiver."""
    routers = totals[LINKS] >> 2
    receiver = totals[LINKS] + (parcel >> SERVICE_BITS)
    at = places[place, ROUTER]
    across = places[receiver, COLUMN] - places[place, COLUMN]
    if across:
        return at if across > 0 else routers + at
    down = places[receiver, ROW] - places[place, ROW]
    if down:
        return 2 * routers + at if down > 0 else 3 * routers + at
    return receiver


@compiled
def _serve(
    places: Array, parcels: Array, wheel: Array, occupied: Array, stack: Array, totals: Array,
    place: int, now: int,
) -> None:  # fmt: skip
    """Let an idle receiver begin with its first message."""
    service = _take(places, parcels, stack, place) & SERVICE_MASK
    if totals[BACKLOG] != NONE and places[place, HELD] == totals[BACKLOG]:
        totals[CROWDED] -= 1
        totals[END] = max(now, totals[END])
        totals[LAST_PLACE] = place
    totals[TRANSIT] += now
    places[place, BUSY_TICKS] += service
    places[place, DUE] = now + service
    file(places, wheel, occupied, totals, place, now + service, now)


@compiled
def _move(
    places: Array, parcels: Array, wheel: Array, occupied: Array, stack: Array, totals: Array,
    source: int, goal: int, now: int,
) -> None:  # fmt: skip
    """The first message of `source` sets out for `goal`, which has room."""
    parcel = _take(places, parcels, stack, source)
    if goal < totals[LINKS]:
        ticks = places[goal, TICKS]
        places[goal, CARRIED] = parcel
        places[goal, BUSY_TICKS] += ticks
        places[goal, DUE] = now + ticks
        file(places, wheel, occupied, totals, goal, now + ticks, now)
        return
    _put(places, parcels, goal, parcel)
    totals[DELIVERED] += 1
    if totals[BACKLOG] != NONE:
        totals[CROWDED] += places[goal, HELD] == totals[BACKLOG] + 1
        totals[END] = max(now, totals[END])
        totals[LAST_PLACE] = goal
    if places[goal, DUE] == NONE:
        _serve(places, parcels, wheel, occupied, stack, totals, goal, now)


@compiled
def _advance(
    places: Array, parcels: Array, wheel: Array, occupied: Array, stack: Array, totals: Array,
    place: int, now: int,
) -> None:  # fmt: skip
    """Send on what is at the head of a link or sender, until it must wait."""
    while places[place, HELD] and not places[place, WAITS]:
        parcel = parcels[places[place, BASE] + places[place, HEAD]]
        goal = _next_place(places, totals, place, parcel)
        first = places[goal, FIRST_WAITER]
        if first == NONE and _has_room(places, totals, goal):
            _move(places, parcels, wheel, occupied, stack, totals, place, goal, now)
            continue
        places[place, WAITS] = 1
        places[place, NEXT_WAITER] = NONE
        if first == NONE:
            places[goal, FIRST_WAITER] = place
        else:
            places[places[goal, LAST_WAITER], NEXT_WAITER] = place
        places[goal, LAST_WAITER] = place


@compiled
def _wake(
    places: Array, parcels: Array, wheel: Array, occupied: Array, stack: Array, totals: Array,
    goal: int, now: int,
) -> None:  # fmt: skip
    """A link or receiver may have room: serve those that wait for it, oldest first."""
    while places[goal, FIRST_WAITER] != NONE and _has_room(places, totals, goal):
        source = places[goal, FIRST_WAITER]
        places[goal, FIRST_WAITER] = places[source, NEXT_WAITER]
        places[source, WAITS] = 0
        _move(places, parcels, wheel, occupied, stack, totals, source, goal, now)
        look_again(places, stack, source, 0)


@compiled
def _walk_on(
    places: Array, wheel: Array, occupied: Array, totals: Array, delays: Array, place: int,
    now: int,
) -> None:  # fmt: skip
    """Let a sender go on to its next message, or to the end of its walk."""
    message = places[place, MESSAGE]
    if message < places[place, LAST_MESSAGE]:
        places[place, DUE] = now + delays[message]
        file(places, wheel, occupied, totals, place, places[place, DUE], now)
    elif now + places[place, TICKS] > totals[END]:
        totals[END] = now + places[place, TICKS]
        totals[LAST_PLACE] = place


@compiled
def _offer(
    places: Array, parcels: Array, wheel: Array, occupied: Array, stack: Array, totals: Array,
    listed: Array, delays: Array, place: int, now: int,
) -> None:  # fmt: skip
    """A sender's message is ready: put it into the output queue, or stall until there is room."""
    since = places[place, STALLED_SINCE]
    if places[place, HELD] == places[place, ROOM]:
        if since == NONE:
            places[place, STALLED_SINCE] = now
        return
    if since != NONE:
        totals[STALLS] += place != len(places) - 1  # the host has no walk to hold up
        places[place, STALLED_TICKS] += now - since
        places[place, STALLED_SINCE] = NONE
    totals[TRANSIT] -= now
    _put(places, parcels, place, listed[places[place, MESSAGE]])
    places[place, MESSAGE] += 1
    if places[place, HELD] == 1:
        look_again(places, stack, place, 0)
    _walk_on(places, wheel, occupied, totals, delays, place, now)


@compiled
def _complete(
    places: Array, parcels: Array, wheel: Array, occupied: Array, stack: Array, totals: Array,
    place: int, now: int,
) -> None:  # fmt: skip
    """A link or receiver is done: a message crossed it, or was served."""
    if place < totals[LINKS]:
        _put(places, parcels, place, places[place, CARRIED])
        if places[place, HELD] == 1:
            _advance(places, parcels, wheel, occupied, stack, totals, place, now)
        if places[place, FIRST_WAITER] != NONE:
            look_again(places, stack, place, 1)
        return
    if totals[BACKLOG] == NONE and now >= totals[END]:
        totals[END] = now
        totals[LAST_PLACE] = place
    if places[place, HELD]:
        _serve(places, parcels, wheel, occupied, stack, totals, place, now)


@compiled
def run_step(
    places: Array, parcels: Array, wheel: Array, occupied: Array, stack: Array, totals: Array,
    listed: Array, delays: Array,
) -> None:  # fmt: skip
    """Move all messages of one step; `totals` come fresh, and `places` and `parcels` too or with
    what the receivers have left of the step before.

    listed, delays: parcels and delays as `list_messages` wrote them; MESSAGE, LAST_MESSAGE and
    TICKS of the senders say which and what follows.  parcels: the rooms of all places.
    totals: LINKS and SENDERS where links end and senders begin; END the last tick, LAST_PLACE
    where it was, TRANSIT ticks of all messages from their sender to the start of their service,
    STALLS messages that a full output queue held up.
    """
    for place in range(totals[LINKS], totals[SENDERS]):
        if places[place, DUE] != NONE:
            file(places, wheel, occupied, totals, place, places[place, DUE], 0)
    for place in range(totals[SENDERS], len(places)):
        _walk_on(places, wheel, occupied, totals, delays, place, places[place, STARTS])
    now = 0
    while totals[PENDING]:
        now = next_time(occupied, now)
        if totals[BACKLOG] != NONE and totals[DELIVERED] == len(listed) and not totals[CROWDED]:
            if now > max(totals[END] + totals[PAUSE], totals[LEAST]):
                break
        slot = now & SLOT_MASK
        while wheel[slot] != NONE:
            place = pop(places, wheel, occupied, totals, slot)
            if places[place, DUE] > now:
                file(places, wheel, occupied, totals, place, places[place, DUE], now)
                continue
            places[place, DUE] = NONE
            totals[EVENTS] += 1
            if place < totals[SENDERS]:
                _complete(places, parcels, wheel, occupied, stack, totals, place, now)
            else:
                _offer(places, parcels, wheel, occupied, stack, totals, listed, delays, place, now)
            while stack[-1]:
                key = next_look(places, stack)
                chosen = key >> 1
                if not key & 1:
                    _advance(places, parcels, wheel, occupied, stack, totals, chosen, now)
                elif chosen < totals[SENDERS]:
                    _wake(places, parcels, wheel, occupied, stack, totals, chosen, now)
                elif places[chosen, STALLED_SINCE] != NONE:
                    _offer(
                        places, parcels, wheel, occupied, stack, totals, listed, delays, chosen,
                        now,
                    )  # fmt: skip


@compiled
def ticks_left(places: Array, parcels: Array, totals: Array, now: int, left: Array) -> None:
    """What every receiver still has to serve at a time after the step's end, int64 (cores,)."""
    for core in range(len(left)):
        place = totals[LINKS] + core
        if places[place, DUE] == NONE:
            continue
        total = places[place, DUE] - now
        for number in range(places[place, HELD]):
            at = (places[place, HEAD] + number) % places[place, ROOM]
            total += parcels[places[place, BASE] + at] & SERVICE_MASK
        left[core] = total
