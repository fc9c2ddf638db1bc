"""Steps that overlap: a core may still take in the messages of one step when the next begins.

Where a chip's barrier waits until every message has arrived, and no core has more than a backlog of
them to work off, a core enters step k with what is left of step k - 1:

    starts(c, k)  = left(c, k - 1)                           seconds after the step begins
    sends(c, k)   = starts + send(c, k)                      it updates when it has all its input
    done(c, k)    = starts + receive(c, k)
    waits(c, k)   = receive(c, k) * min(backlog, messages) / messages          what may be left
    busy(k)       = max over cores of sends, over cores of done - waits, over links of link
    step(k)       = max(busy(k) + pause(k), least)           pause: the barrier, and the host
    left(c, k)    = max(done(c, k) - step(k), 0)

So a core is never more than one step behind, and in the long run the steps take the core with the
largest mean load, not the mean of the largest loads.  The last step of a sample waits for all of
its messages.  That every message of a step takes the core's mean time is an approximation; `cycle`
has each its own.  Without a backlog nothing is left, and a step waits for its slowest core.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from snndeploy.target import Target
from snndeploy.target.events import BACKLOG

MOST_STEPS = 64  # of a full pipeline, if what is left does not repeat before


LINK = 2  # in (send, receive, link)


@dataclass(frozen=True, eq=False)
class Busy:
    """Of (samples, steps): the seconds before the pause; which part of (send, receive, link) takes
    them, and which core or link of it (-1: there is none)."""

    seconds: np.ndarray
    part: np.ndarray
    where: np.ndarray


def backlog_of(target: Target) -> int:
    """Messages that a core may carry into the next step; 0 where steps do not overlap."""
    return int(target.number(BACKLOG)) if target.has(BACKLOG) else 0


def waits(receive: np.ndarray, messages: np.ndarray, backlog: int) -> np.ndarray:
    """Seconds of receiving that a core's queue may hold at the end of a step."""
    held = np.minimum(messages, backlog)
    share = np.divide(held, messages, out=np.zeros_like(receive), where=messages > 0)
    return receive * share


def longest(parts: Sequence[np.ndarray]) -> Busy:
    """The largest value of any part along its last axis, that part, and where in it."""
    values, places = zip(*(_slowest(part) for part in parts), strict=True)
    stacked = np.stack(values)
    which = stacked.argmax(axis=0)
    where = np.take_along_axis(np.stack(places), which[None], axis=0)[0]
    return Busy(stacked.max(axis=0), which, where)


def _slowest(part: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The largest value along the last axis and where it is; 0 and -1 where there is none."""
    if not part.shape[-1]:
        return np.zeros(part.shape[:-1]), np.full(part.shape[:-1], -1)
    where = part.argmax(axis=-1)
    return np.take_along_axis(part, where[..., None], axis=-1)[..., 0], where


def one_step(
    left: np.ndarray,
    parts: tuple[np.ndarray, np.ndarray, np.ndarray],
    may_wait: np.ndarray,
    pause: np.ndarray | float,
    least: float,
) -> tuple[Busy, np.ndarray]:
    """One step, and what is left at its end, both by the equations above.

    left, may_wait: float64 (..., cores).  parts: send, receive (..., cores) and link (..., links).
    """
    send, receive, link = parts
    done = left + receive
    busy = longest((left + send, done - may_wait, link))
    lasts = np.maximum(busy.seconds + pause, least)
    return busy, np.maximum(done - lasts[..., None], 0)


def busy_steps(
    parts: tuple[np.ndarray, np.ndarray, np.ndarray],
    may_wait: np.ndarray,
    pause: np.ndarray,
    least: float,
    *,
    again: bool,
) -> Busy:
    """All steps of a run; parts and may_wait as in `one_step`, behind axes (samples, steps).

    again: the steps repeat without end, as those of a full pipeline; else the last one waits.
    """
    if not may_wait.any():
        return longest(parts)
    if not again:
        may_wait = may_wait.copy()
        may_wait[:, -1] = 0
    timesteps = may_wait.shape[1]
    left = np.zeros_like(may_wait[:, 0])
    slowest_link, which_link = _slowest(parts[2])  # links carry nothing on
    parts = (parts[0], parts[1], slowest_link[..., None])
    for _ in range(-(-MOST_STEPS // timesteps) if again else 1):
        begun, found = left, []
        for step in range(timesteps):
            send, receive, link = (part[:, step] for part in parts)
            busy, left = one_step(
                left, (send, receive, link), may_wait[:, step], pause[:, step], least
            )
            found.append(busy)
        if np.allclose(begun, left, rtol=1e-9, atol=0):
            break
    seconds, part, where = (
        np.stack([getattr(busy, name) for busy in found], axis=1)
        for name in ("seconds", "part", "where")
    )
    return Busy(seconds, part, np.where(part == LINK, which_link, where))
