"""The chip's fixed neuron, current-based leaky integrate-and-fire (`snndeploy.network`):

s = v > (threshold << 6)                    strict: "fires at >=" is threshold = M - 1
v = 0 where s   (hard)   or   v - (reset_amount << 6) where s   (soft)
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from snndeploy.neurons.contract import (
    DECAY_ONE,
    MEMBRANE_MAXIMUM,
    MEMBRANE_SHIFT,
    NO_CURRENT_MEMORY,
    WIDEST_PAYLOAD,
    decayed,
    fits_current,
    sat24,
)
from snndeploy.neurons.equation import Equation, FiresAt, Reset
from snndeploy.neurons.leaky import Leaky, LeakyKernel
from snndeploy.neurons.leaky_fire import LeakyFire
from snndeploy.neurons.neuron import Drive, Neuron, Refine, State, Stepped, register

LARGEST_REGISTER = 1 << 31


@dataclass(frozen=True)
class Lif(Leaky):
    """threshold, reset_amount: in units of a; reset_amount is used by a soft reset alone."""

    threshold: int = register(-LARGEST_REGISTER, LARGEST_REGISTER, 0)
    reset: Reset = Reset.HARD
    reset_amount: int = register(-LARGEST_REGISTER, LARGEST_REGISTER, 0)

    name = "lif"
    trained = LeakyFire
    attention = frozenset({"current", "membrane"})
    fires = True
    payload_bound = 1

    @property
    def fires_above(self) -> int:
        return self.threshold << MEMBRANE_SHIFT

    @property
    def lost(self) -> int | None:
        """What a spike takes from the membrane, in units of v; None: everything."""
        return None if self.reset is Reset.HARD else self.reset_amount << MEMBRANE_SHIFT

    def take_in(
        self,
        state: State,
        w: np.ndarray,
        counts: np.ndarray,
        refine: Refine | None = None,
        largest: int = MEMBRANE_MAXIMUM,
    ) -> Stepped:
        v = self.integrated(state["v"], w, counts, largest)
        before = v if refine is None else refine(v)
        spike = before > self.fires_above
        after = np.zeros_like(before) if self.lost is None else before - self.lost
        new = {**state, "v": np.where(spike, after, before)}
        return Stepped(new, spike.astype(np.int64), before)

    def kernel(self, where: str) -> LeakyKernel:
        return LeakyKernel.of(self, where, self.fires_above, self.lost)

    # proofs: every step is monotone in a and v, so a bound of what arrives bounds the membrane

    def payload_range(self, drive: Drive | None) -> tuple[Any, Any]:
        if drive is None:
            return 0, 1
        return 0, np.where(self.never_fires(drive), 0, 1)

    def never_fires(self, drive: Drive) -> np.ndarray:
        """Neurons that no input can make fire within the steps, bool (C, H, W)."""
        low, high = (
            np.clip(end, -WIDEST_PAYLOAD, WIDEST_PAYLOAD) for end in (drive.low, drive.high)
        )
        quiet = np.ones(low.shape, dtype=bool)
        u = np.zeros(low.shape, dtype=np.int64)
        v, lowest = np.zeros_like(u), np.zeros_like(u)
        for _ in range(drive.steps):
            known = u, v, lowest
            u = decayed(u, self.current_decay) + (high << MEMBRANE_SHIFT)
            lowest = decayed(lowest, self.current_decay) + (low << MEMBRANE_SHIFT)
            v = sat24(decayed(v, self.membrane_decay) + u + drive.bias_high)
            quiet &= v <= self.fires_above
            quiet &= (u <= MEMBRANE_MAXIMUM) & (lowest >= -MEMBRANE_MAXIMUM)
            v = np.where(quiet, v, 0)  # a neuron that is lost already may not overflow the bounds
            u, lowest = np.where(quiet, u, 0), np.where(quiet, lowest, 0)
            if not quiet.any() or all(map(np.array_equal, known, (u, v, lowest))):
                break
        return quiet

    def always_fires(self, drive: Drive) -> np.ndarray:
        if self.current_decay != NO_CURRENT_MEMORY or not fits_current(drive.low, drive.high):
            return super().always_fires(drive)
        added = drive.bias_low + (drive.low << MEMBRANE_SHIFT)
        always = np.ones(drive.low.shape, dtype=bool)
        v = np.zeros(drive.low.shape, dtype=np.int64)
        for _ in range(drive.steps):
            known = v
            v = sat24(decayed(v, self.membrane_decay) + added)
            always &= v > self.fires_above
            v = np.where(always, v - self.lost, 0) if self.lost is not None else np.zeros_like(v)
            if not always.any() or np.array_equal(known, v):
                break
        return always

    # verify

    def real(self, unit: float, like: Equation) -> Equation:
        """The threshold's register and the reset amount stand for one value, so one is enough."""
        at_least = like.fires_at is FiresAt.AT_LEAST
        values = {
            "threshold": (self.threshold + at_least) * unit,
            "decay": (DECAY_ONE - self.membrane_decay) / DECAY_ONE,
            "reset": self.reset,
            "current_decay": (DECAY_ONE - self.current_decay) / DECAY_ONE,
        }
        return dataclasses.replace(like, **values)  # type: ignore[arg-type]

    def near(self, field: dataclasses.Field[Any]) -> list[Any]:
        soft = self.reset is Reset.SOFT
        if field.name in ("reset", "reset_amount") and not soft:
            return []
        found = super().near(field)
        if field.name == "reset_amount":
            found += [at for at in (self.threshold, self.threshold + 1) if at not in found]
        return [value for value in found if value != getattr(self, field.name)]

    def changes(self) -> Iterator[tuple[str, Neuron]]:
        yield from super().changes()
        if self.reset is Reset.HARD:  # a soft reset subtracts what fires, M
            for amount in (self.threshold + 1, self.threshold):
                soft = dataclasses.replace(self, reset=Reset.SOFT, reset_amount=amount)
                yield self.said_change("reset", Reset.SOFT), soft

    def said_change(self, key: str, value: Any) -> str:
        if key != "threshold":
            return super().said_change(key, value)
        lower = value < self.threshold
        sign = "'>=' instead of '>'" if lower else "'>' instead of '>='"
        return f"threshold: the other side's is one {'lower' if lower else 'higher'} ({sign})"
