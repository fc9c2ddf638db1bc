"""The neuron of a program: `LeakyFire` with everything that it can say, in the chip's integers.

For targets whose neurons are programmable.  u and its arrival are as of `lif`; all registers below
are in units of v, h is what the membrane starts the next step with:

    v = sat24( h + u + bias )                         h, where it waits and drops what arrives
    s = v > threshold  (0 where it waits);  of several  min(1 + (v - threshold - 1) // amount, most)
    w = max(v, lower_bound)
    h = reset_value where s, else rz(w * keep, 12)    hard        keep = 4096 - membrane_decay
        rz((w - amount * s) * keep, 12)               soft
        rz(w * keep, 12) - amount * s                 soft_after
        rz(w * keep, 12)                              none

It waits `refractory` steps behind a spike.  h starts at `initial`.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from snndeploy.errors import FitError
from snndeploy.neurons.contract import (
    DECAY_ONE,
    MEMBRANE_MAXIMUM,
    MEMBRANE_SHIFT,
    NO_CURRENT_MEMORY,
    SATURATION,
    decayed,
    sat24,
)
from snndeploy.neurons.equation import Equation, FiresAt, Reset, WhileRefractory
from snndeploy.neurons.grid import multiples
from snndeploy.neurons.leaky_fire import LeakyFire
from snndeploy.neurons.neuron import Neuron, Refine, State, Stepped, register
from snndeploy.neurons.programmed_kernel import ProgrammedKernel
from snndeploy.neurons.registers import decay_register
from snndeploy.target import Target

LONGEST_WAIT = 63
MOST_SPIKES = 1 << 15
WAITING_BITS = 6


@dataclass(frozen=True)
class Programmed(Neuron):
    """membrane_decay, current_decay: what is lost at a step, in parts of 4096."""

    membrane_decay: int = register(0, DECAY_ONE, 0, "decay")
    current_decay: int = register(0, NO_CURRENT_MEMORY, NO_CURRENT_MEMORY)
    threshold: int = register(-MEMBRANE_MAXIMUM, MEMBRANE_MAXIMUM, 0)
    reset: Reset = Reset.HARD
    reset_value: int = register(-MEMBRANE_MAXIMUM, MEMBRANE_MAXIMUM, 0)
    amount: int = register(1, MEMBRANE_MAXIMUM, 1, "reset amount")
    lower_bound: int = register(-MEMBRANE_MAXIMUM, MEMBRANE_MAXIMUM, -MEMBRANE_MAXIMUM)
    initial: int = register(-MEMBRANE_MAXIMUM, MEMBRANE_MAXIMUM, 0, "initial membrane")
    refractory: int = register(0, LONGEST_WAIT, 0, "refractory steps")
    refractory_input: WhileRefractory = WhileRefractory.INTEGRATED
    most_spikes: int = register(1, MOST_SPIKES, 1, "most spikes of a step")

    name = "programmed"
    trained = LeakyFire
    state = ("v", "waiting")
    attention = frozenset({"current", "membrane"})
    fires = True

    @classmethod
    def of(cls, neuron: LeakyFire, unit: float, target: Target, name: str) -> Programmed:
        """The registers of a trained neuron; unit: real value of one unit of a.

        Raises:
            FitError: a register is too narrow; `name` is the population's.
        """
        step = unit / (1 << MEMBRANE_SHIFT)
        units = multiples(neuron.threshold, step)
        at_least = neuron.fires_at is FiresAt.AT_LEAST
        values = {
            "threshold": math.ceil(units) - 1 if at_least else math.floor(units),
            "reset_value": round(neuron.v_reset / step) if neuron.reset is Reset.HARD else 0,
            "amount": max(1, round(units)),
            "initial": round(neuron.initial / step),
            "refractory": neuron.refractory,
            "most_spikes": neuron.most_spikes,
        }
        if neuron.lower_bound is not None:
            values["lower_bound"] = round(neuron.lower_bound / step)
        for key, value in values.items():
            low, high = cls.__dataclass_fields__[key].metadata["bounds"]
            if not low <= value <= high:
                words = cls.__dataclass_fields__[key].metadata["words"] or key.replace("_", " ")
                raise FitError(
                    f"{name}: {words} becomes {value:,}; {target.name}'s register holds"
                    f" {low:,}..{high:,}; rescale the layer's weights and neuron together"
                )
        return cls(
            decay_register(neuron.decay, target, most=target.decay_one),
            decay_register(neuron.current_decay, target, most=target.decay_one),
            reset=neuron.reset,
            refractory_input=neuron.refractory_input,
            **values,
        )

    @property
    def payload_bound(self) -> int:
        return self.most_spikes

    @property
    def fires_above(self) -> int:
        return self.threshold

    @property
    def starts(self) -> Mapping[str, int]:
        return {"v": self.initial}

    def state_bits(self, target: Target) -> int:
        lasting = self.current_decay != NO_CURRENT_MEMORY
        waits = WAITING_BITS if self.refractory else 0
        return target.membrane_bits + (target.current_bits if lasting else 0) + waits

    def take_in(
        self,
        state: State,
        w: np.ndarray,
        counts: np.ndarray,
        refine: Refine | None = None,
        largest: int = MEMBRANE_MAXIMUM,
    ) -> Stepped:
        held, waits = state["v"], state["waiting"] > 0
        total = held + w
        v = sat24(total, largest)
        counts[SATURATION] += np.count_nonzero(v != total)
        before = v if refine is None else refine(v)
        if self.refractory_input is WhileRefractory.DROPPED:
            before = np.where(waits, held, before)
        spikes = np.where(waits | (before <= self.threshold), 0, self._spikes(before))
        carried = self._carried(before, spikes)
        if self.refractory_input is WhileRefractory.DROPPED:
            carried = np.where(waits, held, carried)
        waiting = np.where(spikes > 0, self.refractory, np.maximum(state["waiting"] - 1, 0))
        return Stepped({**state, "v": carried, "waiting": waiting}, spikes, before)

    def _spikes(self, v: np.ndarray) -> np.ndarray:
        if self.most_spikes == 1:
            return np.ones_like(v)
        return np.minimum(1 + (v - self.threshold - 1) // self.amount, self.most_spikes)

    def _carried(self, v: np.ndarray, spikes: np.ndarray) -> np.ndarray:
        bounded = np.maximum(v, self.lower_bound)
        match self.reset:
            case Reset.HARD:
                leaked = decayed(bounded, self.membrane_decay)
                return np.where(spikes > 0, self.reset_value, leaked)
            case Reset.SOFT:
                return decayed(bounded - self.amount * spikes, self.membrane_decay)
            case Reset.SOFT_AFTER:
                return decayed(bounded, self.membrane_decay) - self.amount * spikes
            case Reset.NONE:
                return decayed(bounded, self.membrane_decay)

    def kernel(self, where: str) -> ProgrammedKernel:
        return ProgrammedKernel(self)

    # verify

    def real(self, unit: float, like: Equation) -> Equation:
        """The threshold's register and the amount stand for one value, so one is enough."""
        step = unit / (1 << MEMBRANE_SHIFT)
        at_least = like.fires_at is FiresAt.AT_LEAST
        bounded = self.lower_bound > -MEMBRANE_MAXIMUM
        values: dict[str, Any] = {
            "threshold": (self.threshold + at_least) * step,
            "decay": (DECAY_ONE - self.membrane_decay) / DECAY_ONE,
            "v_reset": self.reset_value * step if self.reset is Reset.HARD else 0.0,
            "reset": self.reset,
            "current_decay": (DECAY_ONE - self.current_decay) / DECAY_ONE,
            "initial": self.initial * step,
            "lower_bound": self.lower_bound * step if bounded else None,
            "refractory": self.refractory,
            "refractory_input": self.refractory_input,
            "most_spikes": self.most_spikes,
        }
        return dataclasses.replace(like, **values)
