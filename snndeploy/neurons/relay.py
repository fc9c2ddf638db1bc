"""The relay: memoryless, it forwards its input as integer payloads.

payload = a >> payload_shift                        sent where it is not zero
payload = f(a << 6 + bias) >> (6 + payload_shift)   behind attention f, clipped to its bound
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from snndeploy.errors import DeployError
from snndeploy.neurons.contract import MEMBRANE_MAXIMUM, MEMBRANE_SHIFT, PAYLOAD, WIDEST_PAYLOAD
from snndeploy.neurons.kernel import Arriving, Result, Run, Wanted
from snndeploy.neurons.neuron import Drive, Neuron, Refine, State, Stepped, register
from snndeploy.target import Target

LARGEST_SHIFT = 32


@dataclass(frozen=True)
class Relay(Neuron):
    """payload_bound: largest |payload|; without attention it is only declared, and counted."""

    payload_shift: int = register(0, LARGEST_SHIFT, 0)
    payload_bound: int = register(1, WIDEST_PAYLOAD, 1)

    name = "relay"
    state = ()
    attention = frozenset({"current"})
    fires = False
    sends_integers = True

    def state_bits(self, target: Target) -> int:
        return target.membrane_bits  # where the payload waits

    def step(
        self, state: State, a: np.ndarray, bias: Any, limit: int, counts: np.ndarray
    ) -> Stepped:
        payload = a >> self.payload_shift
        counts[PAYLOAD] += np.count_nonzero(np.abs(payload) > self.payload_bound)
        return Stepped(state, payload, payload)

    def take_in(
        self,
        state: State,
        w: np.ndarray,
        counts: np.ndarray,
        refine: Refine | None = None,
        largest: int = MEMBRANE_MAXIMUM,
    ) -> Stepped:
        payload = w >> (MEMBRANE_SHIFT + self.payload_shift)
        counts[PAYLOAD] += np.count_nonzero(np.abs(payload) > self.payload_bound)
        sent = np.clip(payload, -self.payload_bound, self.payload_bound)
        return Stepped(state, sent, payload)

    def kernel(self, where: str) -> RelayKernel:
        return RelayKernel(self.payload_shift, self.payload_bound)

    def payload_range(self, drive: Drive | None) -> tuple[Any, Any]:
        """Without attention a payload beyond the bound is sent as it is."""
        if drive is None:
            return -WIDEST_PAYLOAD, WIDEST_PAYLOAD
        ends = (end >> self.payload_shift for end in (drive.low, drive.high))
        low, high = (np.clip(end, -WIDEST_PAYLOAD, WIDEST_PAYLOAD) for end in ends)
        return low, high


@dataclass(frozen=True)
class RelayKernel:
    shift: int
    bound: int

    def start(self, samples: int, neurons: int) -> dict[str, np.ndarray]:
        return {}

    def advance(self, run: Run, arriving: Arriving, wanted: Wanted) -> Result:
        a = arriving.total()
        payload = a >> self.shift
        largest = max(int(payload.max(initial=0)), -int(payload.min(initial=0)))
        if largest >= WIDEST_PAYLOAD:
            raise DeployError(f"{run.where}: a payload of {largest} needs over 32 bits")
        if largest > self.bound:
            run.overflows[PAYLOAD] += np.count_nonzero(np.abs(payload) > self.bound)
        return Result(
            payload.astype(np.int32, copy=False),
            np.count_nonzero(payload, axis=2).astype(np.int64),
            (a != 0).view(np.uint8) if wanted.updated else None,
        )

    def take_in(self, run: Run, w: np.ndarray, refine: Refine | None, wanted: Wanted) -> Result:
        payload = w >> (MEMBRANE_SHIFT + self.shift)
        run.overflows[PAYLOAD] += np.count_nonzero(np.abs(payload) > self.bound)
        clipped = np.clip(payload, -self.bound, self.bound).astype(np.int32)
        marked = (w != 0).astype(np.uint8) if wanted.updated else None
        return Result(clipped, np.count_nonzero(clipped, axis=2).astype(np.int64), marked)
