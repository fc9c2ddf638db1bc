"""The leaky integrate-and-fire neuron.

Trained (MA Eq. 4, ASA Eq. 1-4, GAC Eq. 1), H = 0 at first; v_reset is not decayed:

    U = H + X ;  S = [U >= threshold]  (or >) ;  H = v_reset * S + decay * U * (1 - S)   hard
                                                 H = decay * (U - threshold * S)         soft

On the chip (`snndeploy.network`):

    s = v > (threshold << 6)                    strict: "fires at >=" is threshold = M - 1
    v = 0 where s   (hard)   or   v - (reset_amount << 6) where s   (soft)
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from snndeploy.errors import FitError
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
from snndeploy.neurons.equation import Equation, FiresAt, Refusal
from snndeploy.neurons.grid import fires_alike, leak_places, multiples
from snndeploy.neurons.leaky import Leaky, LeakyKernel
from snndeploy.neurons.neuron import Drive, Neuron, Refine, State, Stepped, register
from snndeploy.target import Target

LARGEST_REGISTER = 1 << 31


class Reset(StrEnum):
    """What a spike does to the membrane: it is cleared, or an amount is subtracted."""

    HARD = "hard"
    SOFT = "soft"


@dataclass(frozen=True)
class LeakyFire(Equation):
    """The trained neuron: parameters in the model's real units, decay in 0..1."""

    decay: float
    v_reset: float
    reset: Reset

    kind = "lif"

    def faults(self) -> list[str]:
        wrong = super().faults()
        if not wrong and not 0 <= self.decay <= 1:
            wrong.append(f"decay {self.decay:g}; it must lie in 0..1")
        return wrong

    def rest(self, current: Any) -> Any:
        return current.new_zeros(current.shape)

    def charged(self, state: Any, current: Any) -> Any:
        return state + current

    def after(self, state: Any, membrane: Any, fired: Any) -> Any:
        if self.reset is Reset.SOFT:
            return self.decay * (membrane - self.threshold * fired.to(membrane.dtype))
        return (self.decay * membrane).masked_fill(fired, self.v_reset)

    def refusals(self, target: Target) -> list[Refusal]:
        found = []
        if self.reset is Reset.SOFT and not target.soft_reset:
            advice = "fine-tune with a hard reset, or choose a target that has it"
            found.append(Refusal("soft reset", f"{target.name} has no soft reset", advice))
        if self.v_reset != 0:
            what = f"a reset to {self.v_reset:g} has no exact integer form with leak"
            size = f"{self.v_reset:g} instead of 0"
            found.append(Refusal("reset value", what, "fine-tune with a reset to 0", size))
        return found

    def registers(self, unit: float, target: Target, name: str) -> Lif:
        soft = self.reset is Reset.SOFT
        return Lif(
            decay_register(self.decay, target),
            threshold=threshold_register(self, unit, target, name),
            reset=self.reset,
            reset_amount=round(self.threshold / unit) if soft else 0,
        )

    def __str__(self) -> str:
        sign = ">=" if self.fires_at is FiresAt.AT_LEAST else ">"
        return (
            f"fires at U {sign} {self.threshold:g}, decay {self.decay:g}, {self.reset} reset,"
            f" v_reset {self.v_reset:g}"
        )

    def membrane_bound(self, most: Any, least: Any, steps: int) -> float:
        """What does not fire stays below the threshold; a soft reset keeps what lies above."""
        high, low, found = np.zeros_like(most), np.zeros_like(least), 0.0
        for _ in range(steps):
            high, low = self.decay * high + most, self.decay * low + least
            found = max(found, float(np.maximum(high, -low).max()))
            rest = high - self.threshold if self.reset is Reset.SOFT else 0.0
            high = np.maximum(np.minimum(high, self.threshold), rest)
        return found

    def is_exact(self, unit: float, step: float, steps: int, bound: float, target: Target) -> bool:
        if self.reset is not Reset.HARD or self.v_reset != 0:
            return False
        places = leak_places(self.decay, target.decay_one)
        if self.decay == 0.0 and bound * (1 << MEMBRANE_SHIFT) < unit * target.decay_one:
            places = 0  # the register keeps one part in decay_one, which rounds to zero
        register = _register(self, unit)
        inside = places is not None and 0 <= register <= target.threshold_max
        return inside and fires_alike(
            self.threshold, unit, step, (places or 0) * (steps - 1), register,
            at_least=self.fires_at is FiresAt.AT_LEAST, shift=MEMBRANE_SHIFT,
        )  # fmt: skip


def threshold_register(neuron: LeakyFire, unit: float, target: Target, name: str) -> int:
    """M - 1 for a neuron that fires at U >= threshold, M for U > threshold (hardware.md section 2).

    Raises:
        FitError: the register is too narrow.
    """
    register = _register(neuron, unit)
    if not 0 <= register <= target.threshold_max:
        raise FitError(
            f"{name}: threshold {neuron.threshold:g} becomes {register:,}; the register holds"
            f" 0..{target.threshold_max:,}; rescale the layer's weights and threshold together"
        )
    return register


def _register(neuron: LeakyFire, unit: float) -> int:
    units = multiples(neuron.threshold, unit)
    at_least = neuron.fires_at is FiresAt.AT_LEAST
    return math.ceil(units) - 1 if at_least else math.floor(units)


def decay_register(decay: float, target: Target) -> int:
    """The register that keeps `decay` of the membrane: round(4096 (1 - decay)), at most 4095."""
    one = target.decay_one
    return min(round(one * (1.0 - decay)), one - 1)


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
        assert isinstance(like, LeakyFire)
        at_least = like.fires_at is FiresAt.AT_LEAST
        return dataclasses.replace(
            like,
            threshold=(self.threshold + at_least) * unit,
            decay=(DECAY_ONE - self.membrane_decay) / DECAY_ONE,
            reset=self.reset,
        )

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
