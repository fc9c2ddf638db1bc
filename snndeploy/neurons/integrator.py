"""The readout: a membrane that never fires and is read at the end of the sample."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from snndeploy.neurons.contract import DECAY_ONE, MEMBRANE_MAXIMUM
from snndeploy.neurons.leaky import Leaky, LeakyKernel
from snndeploy.neurons.neuron import Drive, Neuron, Refine, State, Stepped


@dataclass(frozen=True)
class Integrator(Leaky):
    """As a LIF without a threshold."""

    name = "integrator"
    attention = frozenset()
    fires = False
    payload_bound = 0

    def take_in(
        self,
        state: State,
        w: np.ndarray,
        counts: np.ndarray,
        refine: Refine | None = None,
        largest: int = MEMBRANE_MAXIMUM,
    ) -> Stepped:
        v = self.integrated(state["v"], w, counts, largest)
        return Stepped({**state, "v": v}, np.zeros_like(v), v)

    def kernel(self, where: str) -> LeakyKernel:
        return LeakyKernel.of(self, where)

    def payload_range(self, drive: Drive | None) -> tuple[Any, Any]:
        return 0, 0


def listener(neuron: Neuron) -> Integrator:
    """What forgets at once: its v after each step is what `neuron` takes in, w = u + bias."""
    return Integrator(membrane_decay=DECAY_ONE, current_decay=neuron.current_decay)
