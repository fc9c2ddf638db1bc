"""`Programmed` in the fast engines: its step in a compiled loop."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from snndeploy.neurons.contract import DECAY_ONE
from snndeploy.neurons.equation import Reset, WhileRefractory
from snndeploy.neurons.kernel import Arriving, PlainKernel, Refine, Result, Run, Wanted

if TYPE_CHECKING:
    from snndeploy.neurons.programmed import Programmed

RESETS = (Reset.HARD, Reset.SOFT, Reset.SOFT_AFTER, Reset.NONE)  # as `kernels` numbers them


@dataclass(frozen=True)
class ProgrammedKernel:
    neuron: Programmed

    def start(self, samples: int, neurons: int) -> dict[str, np.ndarray]:
        starts = self.neuron.starts
        return {
            key: np.full((samples, neurons), starts.get(key, 0), np.int32)
            for key in ("u", *self.neuron.state)
        }

    def advance(self, run: Run, arriving: Arriving, wanted: Wanted) -> Result:
        from snndeploy.neurons import kernels  # numba takes a second to import

        shape, neuron, state = arriving.shape, self.neuron, run.state
        payload = np.empty(shape, np.int32 if neuron.sends_integers else np.uint8)
        counts = np.zeros(shape[:2], dtype=np.int64)
        updated = np.empty(shape if wanted.updated else (0, 0, 0), dtype=np.uint8)
        membranes = np.empty(shape if wanted.membranes else (0, 0, 0), dtype=np.int32)
        kernels.run_program(
            arriving.total(), np.int32(DECAY_ONE - neuron.current_decay), np.int64(run.limit),
            run.bias, np.int32(DECAY_ONE - neuron.membrane_decay), np.int64(neuron.threshold),
            RESETS.index(neuron.reset), np.int64(neuron.reset_value), np.int64(neuron.amount),
            np.int64(neuron.lower_bound), neuron.refractory,
            neuron.refractory_input is WhileRefractory.DROPPED, np.int64(neuron.most_spikes),
            state["u"], state["v"], state["waiting"], payload, counts, updated, membranes,
            run.overflows,
        )  # fmt: skip
        return Result(
            payload, counts, updated if wanted.updated else None,
            membranes if wanted.membranes else None,
        )  # fmt: skip

    def take_in(self, run: Run, w: np.ndarray, refine: Refine | None, wanted: Wanted) -> Result:
        """Attention costs far more than the neurons, so these steps are plain numpy."""
        return PlainKernel(self.neuron).take_in(run, w, refine, wanted)
