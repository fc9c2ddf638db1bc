"""Neurons that only the conformance test knows, each as a file in `snndeploy/neurons/` would be.

bounded       U = max(floor, H + X) ;  S = [U >= threshold] ;  H = decay * (U - threshold * S)
refractory    U = H + X ;  S = [U >= threshold and no spike in the last `pause` steps] ;
              H = decay * U * (1 - S)
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np

from snndeploy.neurons import (
    DECAY_ONE,
    MEMBRANE_MAXIMUM,
    MEMBRANE_SHIFT,
    Equation,
    FiresAt,
    Neuron,
    Refusal,
    Stepped,
    decay_register,
)
from snndeploy.neurons.contract import SATURATION, decayed, sat24
from snndeploy.neurons.neuron import Refine, State, register
from snndeploy.target import Target

LARGEST = 1 << 17


@dataclass(frozen=True)
class BoundedFire(Equation):
    """decay: 0..1; floor: the least membrane, below 0."""

    decay: float
    floor: float

    kind = "bounded"

    def rest(self, current: Any) -> Any:
        return current.new_zeros(current.shape)

    def charged(self, state: Any, current: Any) -> Any:
        return (state + current).clamp(min=self.floor)

    def after(self, state: Any, current: Any, membrane: Any, fired: Any) -> Any:
        return self.decay * (membrane - self.threshold * fired.to(membrane.dtype))

    def refusals(self, target: Target) -> list[Refusal]:
        if target.soft_reset:
            return []
        return [Refusal("bounded neuron", f"{target.name} has no bounded neurons", "use Lif")]

    def registers(self, unit: float, target: Target, name: str) -> Bounded:
        fires = round(self.threshold / unit)
        return Bounded(
            decay_register(self.decay, target),
            fires - (self.fires_at is FiresAt.AT_LEAST),
            fires,
            round(-self.floor / unit),
        )

    def __str__(self) -> str:
        return f"threshold {self.threshold:g}, decay {self.decay:g}, floor {self.floor:g}"


@dataclass(frozen=True)
class Bounded(Neuron):
    """amount: what a spike subtracts; depth: how far below 0 the membrane may go; units of a."""

    membrane_decay: int = register(0, DECAY_ONE, 0, "decay")
    threshold: int = register(0, LARGEST, 0)
    amount: int = register(0, LARGEST, 0)
    depth: int = register(0, LARGEST, 0, "lower bound")

    name = "bounded"
    trained = BoundedFire
    state = ("v",)
    attention = frozenset({"current"})
    fires = True
    payload_bound = 1

    @property
    def fires_above(self) -> int:
        return self.threshold << MEMBRANE_SHIFT

    def state_bits(self, target: Target) -> int:
        return target.membrane_bits

    def take_in(
        self,
        state: State,
        w: np.ndarray,
        counts: np.ndarray,
        refine: Refine | None = None,
        largest: int = MEMBRANE_MAXIMUM,
    ) -> Stepped:
        total = np.maximum(
            decayed(state["v"], self.membrane_decay) + w, -self.depth << MEMBRANE_SHIFT
        )
        v = sat24(total, largest)
        counts[SATURATION] += np.count_nonzero(v != total)
        spike = (v > self.fires_above).astype(np.int64)
        return Stepped({**state, "v": v - spike * (self.amount << MEMBRANE_SHIFT)}, spike, v)

    def real(self, unit: float, like: Equation) -> Equation:
        at_least = like.fires_at is FiresAt.AT_LEAST
        return dataclasses.replace(
            like,
            threshold=(self.threshold + at_least) * unit,
            decay=(DECAY_ONE - self.membrane_decay) / DECAY_ONE,
            floor=-self.depth * unit,
        )


@dataclass(frozen=True)
class RefractoryFire(Equation):
    """decay: 0..1; pause: steps after a spike in which there is none, a whole number."""

    decay: float
    pause: float

    kind = "refractory"

    def faults(self) -> list[str]:
        wrong = super().faults()
        if not wrong and (self.pause < 0 or self.pause % 1):
            wrong.append(f"pause {self.pause:g}; whole steps are needed")
        return wrong

    def rest(self, current: Any) -> Any:
        zero = current.new_zeros(current.shape)
        return zero, zero

    def charged(self, state: Any, current: Any) -> Any:
        return state[0] + current

    def fires(self, state: Any, membrane: Any) -> Any:
        return super().fires(state, membrane) & (state[1] <= 0)

    def after(self, state: Any, current: Any, membrane: Any, fired: Any) -> Any:
        waiting = (state[1] - 1).clamp(min=0).masked_fill(fired, self.pause)
        return (self.decay * membrane).masked_fill(fired, 0.0), waiting

    def refusals(self, target: Target) -> list[Refusal]:
        if target.soft_reset:
            return []
        return [Refusal("refractory neuron", f"{target.name} has no refractory neurons", "use Lif")]

    def registers(self, unit: float, target: Target, name: str) -> Refractory:
        fires = round(self.threshold / unit) - (self.fires_at is FiresAt.AT_LEAST)
        return Refractory(decay_register(self.decay, target), fires, int(self.pause))

    def __str__(self) -> str:
        return f"threshold {self.threshold:g}, decay {self.decay:g}, pause {self.pause:g}"


@dataclass(frozen=True)
class Refractory(Neuron):
    membrane_decay: int = register(0, DECAY_ONE, 0, "decay")
    threshold: int = register(0, LARGEST, 0)
    pause: int = register(0, 63, 0)

    name = "refractory"
    trained = RefractoryFire
    state = ("v", "waiting")
    attention = frozenset({"current"})
    fires = True
    payload_bound = 1

    @property
    def fires_above(self) -> int:
        return self.threshold << MEMBRANE_SHIFT

    def state_bits(self, target: Target) -> int:
        return target.membrane_bits + 6

    def take_in(
        self,
        state: State,
        w: np.ndarray,
        counts: np.ndarray,
        refine: Refine | None = None,
        largest: int = MEMBRANE_MAXIMUM,
    ) -> Stepped:
        total = decayed(state["v"], self.membrane_decay) + w
        v = sat24(total, largest)
        counts[SATURATION] += np.count_nonzero(v != total)
        spike = (v > self.fires_above) & (state["waiting"] == 0)
        waiting = np.where(spike, self.pause, np.maximum(state["waiting"] - 1, 0))
        new = {**state, "v": np.where(spike, 0, v), "waiting": waiting}
        return Stepped(new, spike.astype(np.int64), v)

    def real(self, unit: float, like: Equation) -> Equation:
        at_least = like.fires_at is FiresAt.AT_LEAST
        return dataclasses.replace(
            like,
            threshold=(self.threshold + at_least) * unit,
            decay=(DECAY_ONE - self.membrane_decay) / DECAY_ONE,
            pause=float(self.pause),
        )
