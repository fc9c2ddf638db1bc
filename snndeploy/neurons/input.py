"""The input: no neuron of the chip; the host sends its payloads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from snndeploy.neurons.contract import MEMBRANE_MAXIMUM, PAYLOAD, WIDEST_PAYLOAD
from snndeploy.neurons.neuron import Drive, Neuron, Refine, State, Stepped, register
from snndeploy.target import Target


@dataclass(frozen=True)
class Input(Neuron):
    """payload_bound: largest |payload| that the host may send; 1: binary spikes."""

    payload_bound: int = register(1, WIDEST_PAYLOAD, 1)

    name = "input"
    state = ()
    attention = frozenset()
    on_chip = False
    fires = False

    def state_bits(self, target: Target) -> int:
        return target.membrane_bits  # a core that stands in for the host

    def step(
        self, state: State, a: np.ndarray, bias: Any, limit: int, counts: np.ndarray
    ) -> Stepped:
        """a: what the host sends."""
        counts[PAYLOAD] += np.count_nonzero(np.abs(a) > self.payload_bound)
        return Stepped(state, a, a)

    def take_in(
        self,
        state: State,
        w: np.ndarray,
        counts: np.ndarray,
        refine: Refine | None = None,
        largest: int = MEMBRANE_MAXIMUM,
    ) -> Stepped:
        raise AssertionError("an input takes in nothing")

    def payload_range(self, drive: Drive | None) -> tuple[Any, Any]:
        return (0 if self.payload_bound == 1 else -self.payload_bound), self.payload_bound
