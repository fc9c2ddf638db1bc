"""The walk of every core over its neurons in one step, as a list of messages, compiled by numba."""

from __future__ import annotations

import numba
import numpy as np

Array = np.ndarray

ACTIVE, UPDATED, FIRED = 1, 2, 4  # state of a neuron in a step
SERVICE_BITS = 36  # a parcel is destination core << SERVICE_BITS | service ticks
SERVICE_MASK = (1 << SERVICE_BITS) - 1

_compile = numba.njit(cache=True, nogil=True, error_model="numpy")


@_compile
def count_messages(
    walk: Array, first: Array, state: Array, row: Array, row_start: Array, counts: Array
) -> None:
    """Messages of every sender in one step, int64 (senders,); arguments as `list_messages`."""
    for sender in range(len(first) - 1):
        total = 0
        for place in range(first[sender], first[sender + 1]):
            neuron = walk[place]
            if state[neuron] & FIRED:
                total += row_start[row[neuron] + 1] - row_start[row[neuron]]
        counts[sender] = total


@_compile
def list_messages(
    walk: Array, first: Array, state: Array, row: Array, row_start: Array, fan_out: Array,
    costs: Array, first_message: Array, parcels: Array, delays: Array, tail: Array,
) -> None:  # fmt: skip
    """Write every sender's messages in walking order.

    walk: neurons in the order that the senders visit them, from first[sender].
    row: of each neuron, its row of fan_out (parcels, from row_start).
    costs: ticks of access, update, spike and message out, int64 (senders, 4).
    first_message: int64 (senders + 1,), where each sender's messages begin in `parcels` and
    `delays`, the ticks since the message before.  tail: ticks of the walk after the last message.
    """
    for sender in range(len(first) - 1):
        access, update, spike, message_out = costs[sender]
        message = first_message[sender]
        delay = np.int64(0)
        for place in range(first[sender], first[sender + 1]):
            neuron = walk[place]
            flags = state[neuron]
            if flags & ACTIVE:
                delay += access
            if flags & UPDATED:
                delay += update
            if flags & FIRED:
                delay += spike
                for entry in range(row_start[row[neuron]], row_start[row[neuron] + 1]):
                    parcels[message] = fan_out[entry]
                    delays[message] = delay + message_out
                    message += 1
                    delay = np.int64(0)
        tail[sender] = delay
