"""What runs a neuron in the fast engines: many steps of a whole batch at once.

Arrays are channels-last, (samples, steps, neurons).  A kernel is the second, independent
computation of a neuron; tests hold it against the neuron's reference step.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from snndeploy.neurons.neuron import Neuron

Refine = Callable[[np.ndarray], np.ndarray]


@dataclass(eq=False)
class Result:
    """Steps of one population, (samples, steps, neurons) in channels-last order.

    payload: uint8 spikes; int32 of relays and graded inputs.   counts: int64 (samples, steps).
    updated: uint8, and membranes: int32, None when not asked for or without meaning.
    """

    payload: np.ndarray
    counts: np.ndarray
    updated: np.ndarray | None = None
    membranes: np.ndarray | None = None


@dataclass(eq=False)
class Run:
    """What a kernel works on.

    limit: the largest |a| that is no overflow.   bias: int32 (1 or samples, neurons), units of v.
    state: by name, (samples, neurons), changed in place.   overflows: int64, added to.
    """

    where: str
    limit: int
    bias: np.ndarray
    state: dict[str, np.ndarray]
    overflows: np.ndarray


@dataclass(frozen=True)
class Wanted:
    """What else is to be recorded."""

    updated: bool = False
    membranes: bool = False


class Arriving(Protocol):
    """What arrives in some steps."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """(samples, steps, neurons)."""

    def total(self) -> np.ndarray:
        """a, int32, or int64 where the worst case needs it."""

    def scaled(self) -> tuple[np.ndarray, np.number]:
        """a as inputs * scale, of one type, without a copy where there is one summand."""


class Kernel(Protocol):
    """One neuron's steps."""

    def start(self, samples: int, neurons: int) -> dict[str, np.ndarray]:
        """The state of a sample's first step."""

    def advance(self, run: Run, arriving: Arriving, wanted: Wanted) -> Result:
        """The steps in which `arriving` arrives."""

    def take_in(self, run: Run, w: np.ndarray, refine: Refine | None, wanted: Wanted) -> Result:
        """The same from w = u + bias on, int64: behind attention at the current.

        refine: attention at the membrane, (samples, neurons) to the same.
        """


@dataclass(frozen=True)
class PlainKernel:
    """The reference step in a loop, for neurons without a kernel of their own."""

    neuron: Neuron

    def start(self, samples: int, neurons: int) -> dict[str, np.ndarray]:
        starts = self.neuron.starts
        return {
            key: np.full((samples, neurons), starts.get(key, 0), np.int64)
            for key in ("u", *self.neuron.state)
        }

    def advance(self, run: Run, arriving: Arriving, wanted: Wanted) -> Result:
        a = arriving.total().astype(np.int64)
        w, entered = np.empty_like(a), np.empty(a.shape, dtype=bool)
        bias = run.bias.astype(np.int64)
        for step in range(a.shape[1]):
            u = run.state["u"]
            u[:], w[:, step] = self.neuron.arriving(u, a[:, step], bias, run.limit, run.overflows)
            entered[:, step] = (u != 0) | (bias != 0)
        return self._integrate(run, w, entered, None, wanted)

    def take_in(self, run: Run, w: np.ndarray, refine: Refine | None, wanted: Wanted) -> Result:
        return self._integrate(run, w, w != 0, refine, wanted)

    def _integrate(
        self,
        run: Run,
        w: np.ndarray,
        entered: np.ndarray,
        refine: Refine | None,
        wanted: Wanted,
    ) -> Result:
        payload = np.empty(w.shape, np.int32 if self.neuron.sends_integers else np.uint8)
        updated = np.empty(w.shape, np.uint8) if wanted.updated else None
        membranes = np.empty(w.shape, np.int32) if wanted.membranes else None
        held = [run.state[key] for key in self.neuron.state]
        for step in range(w.shape[1]):
            if updated is not None:
                updated[:, step] = np.any([entered[:, step], *(h != 0 for h in held)], axis=0)
            stepped = self.neuron.take_in(run.state, w[:, step], run.overflows, refine)
            for key, value in zip(self.neuron.state, held, strict=True):
                value[:] = stepped.state[key]
            payload[:, step] = stepped.payload
            if membranes is not None:
                membranes[:, step] = stepped.state["v"]
        return Result(payload, np.count_nonzero(payload, axis=2), updated, membranes)
