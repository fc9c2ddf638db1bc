"""SANA-FE's `detailed` schedule from its own trace of messages, with parts of it left out.

The trace says of every message how long its core worked for it, how long `detailed` held it back
at its sender (blocking) and in the network (queueing or flight), and how long it was served.
"""

from __future__ import annotations

import csv
import heapq
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Message:
    """destination: None where neurons were walked and nothing was sent.  Times in seconds."""

    destination: str | None
    generation: float
    service: float
    network: float
    blocking: float
    flight: float


def read_messages(path):
    """By step (from SANA-FE's first), by sending core: its messages in the order of sending."""
    steps = {}
    with open(path, newline="") as file:
        for row in csv.DictReader(file):
            queues = steps.setdefault(int(row["timestep"]), {})
            sent = not row["dest_hw"].startswith("x")
            delays = ("processing_delay", "network_delay", "blocking_delay", "min_hop_delay")
            message = Message(
                row["dest_hw"] if sent else None,
                float(row["generation_delay"]),
                *(float(row[name]) if sent else 0.0 for name in delays),
            )
            queues.setdefault(row["src_hw"], []).append(message)
    return [queues for _, queues in sorted(steps.items())]


def duration(queues, *, blocking, queueing):
    """Seconds of a step without the barrier; without queueing a message takes its flight alone."""
    cores = list(queues)
    ready = [(queues[core][0].generation, index, 0) for index, core in enumerate(cores)]
    heapq.heapify(ready)
    served, last = {}, 0.0
    while ready:
        time, index, number = heapq.heappop(ready)
        message = queues[cores[index]][number]
        time += message.blocking if blocking else 0.0
        last = max(last, time)
        if message.destination is not None:
            arrival = time + (message.network if queueing else message.flight)
            begin = max(served.get(message.destination, 0.0), arrival)
            served[message.destination] = begin + message.service
            last = max(last, begin + message.service)
        if number + 1 < len(queues[cores[index]]):
            following = queues[cores[index]][number + 1].generation
            heapq.heappush(ready, (time + following, index, number + 1))
    return last


def durations(steps, **parts):
    return np.array([duration(queues, **parts) for queues in steps])
