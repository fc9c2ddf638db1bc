"""Leaky membranes: the arithmetic that LIFs and integrators share, and their fast kernel.

v = sat24( rz(v * (4096 - membrane_decay), 12) + u + bias )
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from snndeploy.errors import DeployError
from snndeploy.neurons.contract import (
    DECAY_BITS,
    MEMBRANE_MAXIMUM,
    MEMBRANE_SHIFT,
    NO_CURRENT_MEMORY,
    SATURATION,
    decayed,
    sat24,
)
from snndeploy.neurons.kernel import Arriving, Refine, Result, Run, Wanted
from snndeploy.neurons.neuron import Neuron, register
from snndeploy.target import Target

NEVER_FIRES = 1 << 30  # a membrane stays below 2^23
LARGEST_RESET = 1 << 29


@dataclass(frozen=True)
class Leaky(Neuron):
    """A membrane that leaks, and a current that may last: no kind by itself.

    membrane_decay, current_decay: what is lost at a step, in parts of 4096.
    """

    membrane_decay: int = register(0, NO_CURRENT_MEMORY, 0, "decay")
    current_decay: int = register(0, NO_CURRENT_MEMORY, NO_CURRENT_MEMORY)

    state = ("v",)

    def state_bits(self, target: Target) -> int:
        lasting = self.current_decay != NO_CURRENT_MEMORY
        return target.membrane_bits + (target.current_bits if lasting else 0)

    def integrated(
        self, v: np.ndarray, w: np.ndarray, counts: np.ndarray, largest: int
    ) -> np.ndarray:
        """The membrane with w added, saturated."""
        membrane = decayed(v, self.membrane_decay) + w
        held = sat24(membrane, largest)
        counts[SATURATION] += np.count_nonzero(held != membrane)
        return held


@dataclass(frozen=True)
class LeakyKernel:
    """Leaky integrate-and-fire in 32 bits.

    keep, current_keep: what a decay leaves, in parts of 4096.   threshold, amount: in units of v.
    soft_mask: -1 a spike subtracts amount, 0 it clears the membrane.
    """

    keep: np.int32
    current_keep: np.int32
    threshold: np.int32
    soft_mask: np.int32
    amount: np.int32

    @classmethod
    def of(
        cls, neuron: Leaky, where: str, threshold: int | None = None, amount: int | None = None
    ) -> LeakyKernel:
        """threshold, amount: in units of v; None: it never fires, and resets to zero.

        Raises:
            DeployError: an amount beyond 32-bit arithmetic.
        """
        if amount is not None and abs(amount) > LARGEST_RESET:
            register = amount >> MEMBRANE_SHIFT
            raise DeployError(f"{where}: reset amount {register} is too large")
        highest = NEVER_FIRES if threshold is None else threshold
        return cls(
            np.int32(NO_CURRENT_MEMORY - neuron.membrane_decay),
            np.int32(NO_CURRENT_MEMORY - neuron.current_decay),
            np.int32(np.clip(highest, -NEVER_FIRES, NEVER_FIRES)),
            np.int32(0 if amount is None else -1),
            np.int32(amount or 0),
        )

    def start(self, samples: int, neurons: int) -> dict[str, np.ndarray]:
        kept = ("v", "u") if self.current_keep else ("v",)
        return {key: np.zeros((samples, neurons), dtype=np.int32) for key in kept}

    def advance(self, run: Run, arriving: Arriving, wanted: Wanted) -> Result:
        from snndeploy.neurons import kernels  # numba takes a second to import

        shape, v = arriving.shape, run.state["v"]
        spikes = np.empty(shape, dtype=np.uint8)
        counts = np.zeros(shape[:2], dtype=np.int64)
        updated = np.empty(shape if wanted.updated else (0, 0, 0), dtype=np.uint8)
        membranes = np.empty(shape if wanted.membranes else (0, 0, 0), dtype=np.int32)
        outputs = (spikes, counts, updated, membranes, run.overflows)
        neurons = (run.bias, self.keep, self.threshold, self.soft_mask, self.amount)
        if "u" in run.state:
            kernels.integrate_current_and_fire(
                arriving.total(), self.current_keep, np.int64(run.limit), *neurons,
                run.state["u"], v, *outputs,
            )  # fmt: skip
        else:
            a, scale = arriving.scaled()
            limit = scale.dtype.type(run.limit)
            kernels.integrate_and_fire(a, scale, limit, *neurons, v, *outputs)
        return Result(
            spikes, counts, updated if wanted.updated else None,
            membranes if wanted.membranes else None,
        )  # fmt: skip

    def take_in(self, run: Run, w: np.ndarray, refine: Refine | None, wanted: Wanted) -> Result:
        """Attention costs far more than the neurons, so these steps are plain numpy."""
        spikes = np.empty(w.shape, dtype=np.uint8)
        updated = np.empty(w.shape, dtype=np.uint8) if wanted.updated else None
        membranes = np.empty(w.shape, dtype=np.int32) if wanted.membranes else None
        v = run.state["v"].astype(np.int64)
        for step in range(w.shape[1]):
            if updated is not None:
                updated[:, step] = (w[:, step] != 0) | (v != 0)
            total = np.sign(v) * ((np.abs(v) * int(self.keep)) >> DECAY_BITS) + w[:, step]
            v = np.clip(total, -MEMBRANE_MAXIMUM, MEMBRANE_MAXIMUM)
            run.overflows[SATURATION] += np.count_nonzero(v != total)
            if refine is not None:
                v = refine(v)
            spike = v > self.threshold
            after = v - self.amount if self.soft_mask else np.zeros_like(v)
            v = np.where(spike, after, v)
            spikes[:, step] = spike
            if membranes is not None:
                membranes[:, step] = v
        run.state["v"][:] = v
        return Result(spikes, spikes.sum(axis=2, dtype=np.int64), updated, membranes)
