"""Cycle-level timing: every message of a chip step moved through cores and routers.

A step begins with all cores at once.  Each core walks its neurons in order (access, update, spike;
`cycle_walk.py`), and every message it sends costs axon out and enters the core's output queue.
Messages cross links one at a time, one hop latency each, along x and then y, wait in buffers of
`timing.link_buffer_messages` messages, and hold up what is behind them when the next buffer is
full (`cycle_kernels.py`).  Where the target states how fast messages follow one another on a link,
they do so, and what a hop's latency is longer (some ns of flight a message) is not counted.  The
receiving core takes them one after another: message in, then its
synapses.  When all is sent and served, the barrier ends the step; where steps overlap
(`overlap.py`), when all is sent and has arrived, and no input queue holds more than the backlog.

Against `analytic`, which takes sending, moving and receiving to overlap perfectly: the analytic
time is a lower bound of this one, and equal to it where what follows the last message is hidden
behind the slowest core.  Both know the same costs; `cycle` adds waiting, and nothing else.  (Of
steps that overlap this holds but for the time of the messages that wait, which is their mean there,
and their own here.)
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np

from snndeploy.errors import DataError, UnsupportedError
from snndeploy.layout.layout import Layout
from snndeploy.network import Network
from snndeploy.target import MARKS, Target
from snndeploy.timing.analytic import BOUNDS, Timing
from snndeploy.timing.cycle_machine import Machine, Step
from snndeploy.timing.cycle_walk import SpikeRecorder, Walk, walk_of
from snndeploy.traffic.attention_work import on_chip


@dataclass(frozen=True, eq=False)
class CycleTiming:
    """How long chosen steps of chosen samples take; arrays are (samples, steps).

    samples: their numbers in the run.  steps: chip steps, from 0; pipelined: of a full pipeline
    (0 .. timesteps - 1), in which every population is busy.
    step_seconds: barrier included.  analytic_seconds: of the same steps by the analytic model.
    bound, critical: as `Timing`: the busiest core (send, receive) or row of `links` (link).
    last_core: the core whose event ended the step; -1 for the host, or where nothing happened.
    messages: moved, the host's included.  delivery_seconds: mean time from a message's sender to
    the start of its service.
    stall_seconds: time that cores stood still because their output queue was full, summed;
    stalled_messages: how many messages met that.
    link_queue, core_queue: the most messages that any link's buffer, any core's input queue held;
    deepest_link: that link's row of `links`.
    send_utilisation, receive_utilisation, link_utilisation: busy share of the busiest core or link
    of the step, without the barrier.
    links: int32 (links, 4), x, y, dx, dy.  events: handled by the simulator.
    """

    samples: tuple[int, ...]
    steps: tuple[int, ...]
    pipelined: bool
    step_seconds: np.ndarray
    analytic_seconds: np.ndarray
    barrier_seconds: float
    bound: np.ndarray
    critical: np.ndarray
    last_core: np.ndarray
    messages: np.ndarray
    delivery_seconds: np.ndarray
    stall_seconds: np.ndarray
    stalled_messages: np.ndarray
    link_queue: np.ndarray
    deepest_link: np.ndarray
    core_queue: np.ndarray
    send_utilisation: np.ndarray
    receive_utilisation: np.ndarray
    link_utilisation: np.ndarray
    links: np.ndarray
    events: int
    mark: str
    notes: tuple[str, ...] = ()

    @property
    def ratio(self) -> float:
        """Time of all simulated steps over their analytic time; at least 1."""
        return float(self.step_seconds.sum() / self.analytic_seconds.sum())

    @property
    def largest_ratio(self) -> float:
        """The same of the step in which they differ most."""
        return float((self.step_seconds / self.analytic_seconds).max())

    def summary(self) -> dict[str, float | int | dict[str, int]]:
        """Plain numbers for a report; queues and utilisations are the largest of any step."""
        bounds = Counter(BOUNDS[bound] for bound in self.bound.ravel())
        moved = max(int(self.messages.sum()), 1)
        return {
            "samples": len(self.samples),
            "steps": self.step_seconds.size,
            "times_analytic": self.ratio,
            "times_analytic_in_worst_step": self.largest_ratio,
            "messages": int(self.messages.sum()),
            "delivery_seconds": float((self.delivery_seconds * self.messages).sum() / moved),
            "stalled_messages": int(self.stalled_messages.sum()),
            "stall_core_seconds": float(self.stall_seconds.sum()),
            "link_queue": int(self.link_queue.max()),
            "core_queue": int(self.core_queue.max()),
            "send_utilisation": float(self.send_utilisation.max()),
            "receive_utilisation": float(self.receive_utilisation.max()),
            "link_utilisation": float(self.link_utilisation.max()),
            "steps_bound_by": dict(bounds),
        }

    def applied_to(
        self, analytic: Timing, pipelined: CycleTiming | None = None, *, first_sample: int = 0
    ) -> Timing:
        """The timing of a run: simulated steps as they are, all others scaled by `ratio`.

        analytic: of the run's samples from `first_sample` on.  pipelined: the steps of a full
        pipeline; without it the interval is scaled like the rest.
        """
        if self.pipelined:
            raise DataError("the steps of a full pipeline are not those of a sample's latency")
        step_seconds = analytic.step_seconds * self.ratio
        rows = [
            (row, sample - first_sample)
            for row, sample in enumerate(self.samples)
            if 0 <= sample - first_sample < len(step_seconds)
        ]
        for row, place in rows:
            step_seconds[place, list(self.steps)] = self.step_seconds[row]
        interval_ratio = pipelined.ratio if pipelined else self.ratio
        note = (
            f"cycle timing: {len(rows) * len(self.steps):,} of {step_seconds.size:,} steps"
            f" simulated, {self.ratio:.3f} times the analytic model (at most"
            f" {self.largest_ratio:.3f} in a step); the others are scaled by that"
        )
        return replace(
            analytic,
            model="cycle",
            step_seconds=step_seconds,
            latency_seconds=step_seconds.sum(axis=1),
            interval_seconds=analytic.interval_seconds * interval_ratio,
            mark=max(analytic.mark, self.mark, key=MARKS.index),
            notes=(*analytic.notes, note, *self.notes),
        )


def cycle_timing(
    network: Network,
    layout: Layout,
    target: Target,
    recorder: SpikeRecorder,
    *,
    samples: Sequence[int] | None = None,
    steps: Iterable[int] | None = None,
    pipelined: bool = False,
    walk: Walk | None = None,
    threads: int | None = None,
) -> CycleTiming:
    """Simulate steps of the samples that `recorder` kept.

    samples: which of those (default: all).  steps: which chip steps (default: all).
    walk: tables from `walk_of`, to share between calls.  threads: steps simulated at once.
    """
    kept = recorder.samples
    chosen = tuple(kept if samples is None else samples)
    count = network.timesteps if pipelined else network.chip_steps
    wanted = tuple(range(count) if steps is None else steps)
    if not chosen or not set(chosen) <= set(kept):
        raise DataError(f"samples {chosen} were not recorded; those recorded are {kept}")
    if not wanted or not all(0 <= step < count for step in wanted):
        raise DataError(f"steps {wanted} are not all in 0..{count - 1}")
    attention = _attention(network, layout, count)
    machine = Machine(walk or walk_of(network, layout, target), layout, target, bool(attention))

    def given(sample: int, step: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        state = machine.walk.state(recorder, kept.index(sample), step, pipelined=pipelined)
        return state, {name: work[:, step] for name, work in attention.items()}

    def run(job: tuple[int, int]) -> Step:
        return machine.run(*given(*job))

    def run_on(sample: int) -> list[Step]:
        """All steps up to the last one wanted, each with what is left of the one before; those of
        a full pipeline twice, so that the first has something left before it."""
        left, steps = machine.nothing_left(), {}
        for step in [*range(count)] * 2 if pipelined else range(max(wanted) + 1):
            waits = pipelined or step < count - 1
            steps[step], left = machine.run_on(*given(sample, step), left, waits=waits)
        return [steps[step] for step in wanted]

    with ThreadPoolExecutor(threads or os.cpu_count() or 1) as pool:
        if machine.backlog:
            found = [step for steps in pool.map(run_on, chosen) for step in steps]
        else:
            jobs = [(sample, step) for sample in chosen for step in wanted]
            found = list(pool.map(run, jobs))
    shape = (len(chosen), len(wanted))
    columns = {
        name: np.array([getattr(step, name) for step in found]).reshape(shape)
        for name in Step.__dataclass_fields__
    }
    events = int(columns.pop("events").sum())
    return CycleTiming(
        samples=chosen, steps=wanted, pipelined=pipelined, events=events,
        barrier_seconds=machine.barrier_seconds, links=machine.links,
        mark=machine.mark, notes=machine.notes, **columns,
    )  # fmt: skip


def _attention(network: Network, layout: Layout, steps: int) -> dict[str, np.ndarray]:
    """Attention's work on the chip by counter, (cores, steps), of a full pipeline if there are only
    its steps; nothing where there is none.

    Raises:
        UnsupportedError: the host computes attention, which is not modelled message by message.
    """
    attended = [p for p in network.populations if p.attention]
    for population in attended:
        if any(attention.unit == "host" for attention in population.attention):
            raise UnsupportedError(
                f"{population.name}: the host computes its attention, which cycle timing does not"
                " model; use --timing analytic",
                node=population.name,
                reason="attention by the host",
            )
    if not attended:
        return {}
    found = {}
    for name, work in on_chip(network, layout).items():
        folded = np.zeros((len(work), steps), dtype=np.int64)
        for start in range(0, work.shape[1], steps):
            piece = work[:, start : start + steps]
            folded[:, : piece.shape[1]] += piece
        found[f"attention_{name}"] = folded
    return found
