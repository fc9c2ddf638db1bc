"""Where a run's time goes: busy cores and links, steps, and what a full pipeline waits for.

Sums over the samples, chunk after chunk, so that their size does not grow with the run.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from snndeploy.engines.activity import Traffic
from snndeploy.timing.analytic import BOUNDS, Load, Timing

SEND, RECEIVE, LINK, BARRIER, HOST = range(len(BOUNDS))
CORE_COUNTS = ("messages_out", "messages_in", "synaptic_operations")


@dataclass(frozen=True, eq=False)
class Hotspots:
    """Sums over `samples` samples.

    step_seconds: float64 (steps,), barrier included.  step_bounds: int64 (steps, BOUNDS), in how
        many samples each kind was the longest part of the step.
    core_send, core_receive: float64 (cores,) seconds.  core_busy: of the larger of both in every
        step, as they overlap.  core_counts: int64 (CORE_COUNTS, cores).
    core_binds, link_binds: int64, the (sample, step) pairs in which it was the slowest part.
    links: int32 (links, 4), x, y, dx, dy.  link_messages: int64 (links,).
    link_busy: float64 (links,) seconds.
    link_peak: int64 (links,), most messages in one step of one sample.
    link_utilisation: float64 (links,), the largest share of a step, barrier included.
    pipelined: float64 (BOUNDS,), seconds of a full pipeline's steps by what they wait for: busy
        seconds of the slowest part, the barriers, and waiting for the host's attention.
    pipelined_cores: float64 (2, cores), pipelined_links: float64 (links,), the busy ones of these
        by the core (sending, receiving) or link.
    """

    samples: int
    links: np.ndarray
    step_seconds: np.ndarray
    step_bounds: np.ndarray
    core_send: np.ndarray
    core_receive: np.ndarray
    core_busy: np.ndarray
    core_counts: np.ndarray
    core_binds: np.ndarray
    link_messages: np.ndarray
    link_busy: np.ndarray
    link_binds: np.ndarray
    link_peak: np.ndarray
    link_utilisation: np.ndarray
    pipelined: np.ndarray
    pipelined_cores: np.ndarray
    pipelined_links: np.ndarray

    def __add__(self, other: Hotspots) -> Hotspots:
        """Two runs of one program as one."""
        assert np.array_equal(self.links, other.links), "the runs are of different programs"
        largest = ("link_peak", "link_utilisation")
        joined = {
            name: np.maximum(value, getattr(other, name))
            if name in largest
            else value + getattr(other, name)
            for name, value in vars(self).items()
            if name != "links"
        }
        return Hotspots(links=self.links, **joined)

    @cached_property
    def pipeline_limit(self) -> int:
        """What a full pipeline waits for most, an index into BOUNDS."""
        return int(self.pipelined.argmax())


def hotspots(traffic: Traffic, load: Load, timing: Timing) -> Hotspots:
    """Where the time of a chunk of samples goes.  load: of the same traffic."""
    samples, _, cores = load.send.shape
    links = load.link.shape[2]
    loads = traffic.link_load
    seconds_of_step = timing.step_seconds[..., None]
    share = np.divide(
        load.link, seconds_of_step, out=np.zeros_like(load.link), where=seconds_of_step > 0
    )
    binds = [_count(timing.bound == kind, timing.critical, cores) for kind in (SEND, RECEIVE)]
    busy, kind = timing.pipelined_busy_seconds, timing.pipelined_bound
    seconds = [float(busy[kind == part].sum()) for part in (SEND, RECEIVE, LINK)]
    where = timing.pipelined_critical
    return Hotspots(
        samples=samples,
        links=traffic.links,
        step_seconds=timing.step_seconds.sum(axis=0),
        step_bounds=np.stack([(timing.bound == b).sum(axis=0) for b in range(len(BOUNDS))], axis=1),
        core_send=load.send.sum(axis=(0, 1)),
        core_receive=load.receive.sum(axis=(0, 1)),
        core_busy=np.maximum(load.send, load.receive).sum(axis=(0, 1)),
        core_counts=np.stack([getattr(traffic, name).sum(axis=(0, 1)) for name in CORE_COUNTS]),
        core_binds=binds[0] + binds[1],
        link_messages=loads.sum(axis=(0, 1)),
        link_busy=load.link.sum(axis=(0, 1)),
        link_binds=_count(timing.bound == LINK, timing.critical, links),
        link_peak=loads.max(axis=(0, 1)) if loads.size else np.zeros(links, dtype=np.int64),
        link_utilisation=share.max(axis=(0, 1)) if share.size else np.zeros(links),
        pipelined=np.array(
            [
                *seconds,
                timing.barrier_seconds * busy.size,
                float(timing.host_waiting_seconds.sum()),
            ]
        ),
        pipelined_cores=np.stack(
            [_sum(kind == part, where, busy, cores) for part in (SEND, RECEIVE)]
        ),
        pipelined_links=_sum(kind == LINK, where, busy, links),
    )


def _count(chosen: np.ndarray, where: np.ndarray, size: int) -> np.ndarray:
    return np.bincount(where[chosen], minlength=size)


def _sum(chosen: np.ndarray, where: np.ndarray, seconds: np.ndarray, size: int) -> np.ndarray:
    """Seconds of the chosen steps by the core or link they wait for, float64 (size,)."""
    known = chosen & (where >= 0)
    return np.bincount(where[known], weights=seconds[known], minlength=size)
