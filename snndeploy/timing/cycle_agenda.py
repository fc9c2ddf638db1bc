"""When what happens next: a wheel of events and a stack of places to look at again, for numba.

Time is counted in integer ticks.  Every place has at most one event under way, kept in a wheel of
SLOTS ticks (`wheel`: the first place of each slot; `occupied`: a bit a slot; column FOLLOWING of
`places`: the next place of the same slot); an event further ahead goes around again.  The stack
holds 2 * place + is_wake, its last entry is its size, and every key is on it once at most.
"""

from __future__ import annotations

import numba
import numpy as np

Array = np.ndarray

SLOTS = 1 << 16
SLOT_MASK = SLOTS - 1
WORD_MASK = (SLOTS >> 6) - 1
NONE = -1
FOLLOWING, STACKED = 0, 1  # columns of `places`
PENDING = 0  # entry of `totals`: events in the wheel
DE_BRUIJN = 0x03F79D71B4CB0A89  # every six bits of it, from the top, are different


def _bit_numbers() -> Array:
    numbers = np.zeros(64, dtype=np.int64)
    for bit in range(64):
        numbers[((DE_BRUIJN << bit) & (2**64 - 1)) >> 58] = bit
    return numbers


BIT_NUMBER = _bit_numbers()

# Nothing is allocated inside.  Without _nrt=False the kernels count references to their arrays at
# every call, which is atomic and takes more than half of the time.
compiled = numba.njit(cache=True, nogil=True, error_model="numpy", _nrt=False)


@compiled
def _lowest_bit(word: np.uint64) -> int:
    lowest = word & (~word + np.uint64(1))
    return BIT_NUMBER[(lowest * np.uint64(DE_BRUIJN)) >> np.uint64(58)]


@compiled
def file(
    places: Array, wheel: Array, occupied: Array, totals: Array, place: int, due: int, now: int
) -> None:
    """Put a place's event into the wheel, as near to `due` as it reaches."""
    slot = min(due, now + SLOT_MASK) & SLOT_MASK
    places[place, FOLLOWING] = wheel[slot]
    wheel[slot] = place
    totals[PENDING] += 1
    occupied[slot >> 6] |= np.uint64(1) << np.uint64(slot & 63)


@compiled
def pop(places: Array, wheel: Array, occupied: Array, totals: Array, slot: int) -> int:
    """Take an event out of a slot that holds one."""
    place = wheel[slot]
    following = places[place, FOLLOWING]
    wheel[slot] = following
    totals[PENDING] -= 1
    if following == NONE:
        occupied[slot >> 6] &= ~(np.uint64(1) << np.uint64(slot & 63))
    return place


@compiled
def next_time(occupied: Array, now: int) -> int:
    """The time of the next slot that holds an event, `now` included; there must be one."""
    slot = now & SLOT_MASK
    word = occupied[slot >> 6] >> np.uint64(slot & 63)
    if word:
        return now + _lowest_bit(word)
    base = now - (slot & 63)
    index = slot >> 6
    while not word:
        base += 64
        index = (index + 1) & WORD_MASK
        word = occupied[index]
    return base + _lowest_bit(word)


@compiled
def look_again(places: Array, stack: Array, place: int, is_wake: int) -> None:
    """Put a place on the stack, once: to send on what it holds, or (wake) because it has room."""
    if not places[place, STACKED] & (1 << is_wake):
        places[place, STACKED] |= 1 << is_wake
        size = stack[-1]
        stack[size] = 2 * place + is_wake
        stack[-1] = size + 1


@compiled
def next_look(places: Array, stack: Array) -> int:
    """Take 2 * place + is_wake from the stack, which is not empty."""
    size = stack[-1] - 1
    stack[-1] = size
    key = stack[size]
    places[key >> 1, STACKED] &= ~(1 << (key & 1))
    return key
