"""The neuron equation of the field: leaky integrate-and-fire, and what trained models add to it.

    I[t] = current_decay * I[t-1] + X[t]          I[-1] = 0
    U[t] = H[t-1] + I[t]                          H[-1] = initial
    S[t] = [U >= threshold]  (or >);  several a step: min(floor(U / threshold), most_spikes)
    V[t] = max(U, lower_bound)
    H[t] = v_reset * S + decay * V * (1 - S)      hard (v_reset is not decayed)
           decay * (V - threshold * S)            soft
           decay * V - threshold * S              soft_after
           decay * V                              none

MA Eq. 4, ASA Eq. 1-4 and GAC Eq. 1 are hard with v_reset 0; what frameworks compute is in
`doors.md`.  For `refractory` steps behind a spike there is none: what arrives is integrated, or
dropped, so that H stays.  With a grid (lava-dl's), X and all that leaks are rounded toward zero to
multiples of it.  A spike of the last step that is subtracted in this one is soft_after.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from snndeploy.neurons.contract import MEMBRANE_SHIFT
from snndeploy.neurons.equation import (
    Equation,
    FiresAt,
    Refusal,
    Reset,
    Suited,
    WhileRefractory,
)
from snndeploy.neurons.fire_range import membrane_range
from snndeploy.neurons.grid import finest_step, fires_alike, leak_places, multiples
from snndeploy.neurons.registers import decay_register, threshold_in_units, threshold_register
from snndeploy.target import Target

if TYPE_CHECKING:
    from snndeploy.neurons.neuron import Neuron


ROUNDING = 1e-9  # relative: a quotient of two numbers that were rounded themselves


class Fired(NamedTuple):
    """What is carried from step to step: H, I (None without synaptic current), and the steps in
    which it may not fire (None without refractory steps)."""

    carried: Any
    current: Any
    waiting: Any


@dataclass(frozen=True)
class LeakyFire(Equation):
    """The trained neuron: parameters in the model's real units, decays in 0..1."""

    decay: float
    v_reset: float
    reset: Reset
    current_decay: float = 0.0
    initial: float = 0.0
    lower_bound: float | None = None
    refractory: int = 0
    refractory_input: WhileRefractory = WhileRefractory.INTEGRATED
    most_spikes: int = 1
    grid: float = 0.0

    kind = "lif"

    def faults(self) -> list[str]:
        wrong = super().faults()
        if wrong:
            return wrong
        for key in ("decay", "current_decay"):
            if not 0 <= (value := getattr(self, key)) <= 1:
                wrong.append(f"{key.replace('_', ' ')} {value:g}; it must lie in 0..1")
        if self.refractory < 0:
            wrong.append(f"{self.refractory} refractory steps; none or more are needed")
        if self.grid < 0:
            wrong.append(f"grid {self.grid:g}; it must not be negative")
        if self.most_spikes < 1:
            wrong.append(f"most_spikes {self.most_spikes}; at least 1 is needed")
        if self.most_spikes > 1 and self.fires_at is FiresAt.ABOVE:
            wrong.append("several spikes a step and fires_at 'gt'; floor(U / threshold) is 'ge'")
        if self.lower_bound is not None and self._exceeds_what_a_spike_leaves(self.lower_bound):
            wrong.append(
                f"lower bound {self.lower_bound:g}; it must not exceed what a spike leaves,"
                f" {self._least_behind_a_spike:g}"
            )
        return wrong

    @property
    def _least_behind_a_spike(self) -> float:
        """The least V that a spike leaves; the bound is tested before or behind the reset alike."""
        if self.reset is not Reset.HARD:
            return 0.0
        return self.v_reset / self.decay if self.decay else self.threshold

    def _exceeds_what_a_spike_leaves(self, bound: float) -> bool:
        """By more than the rounding of v_reset / decay, which is no fault of the model's."""
        least = self._least_behind_a_spike
        return bound > least and not math.isclose(bound, least, rel_tol=ROUNDING)

    @property
    def payload_bound(self) -> int:
        return self.most_spikes

    # the reference arithmetic

    def rest(self, current: Any) -> Fired:
        zero = current.new_zeros(current.shape)
        return Fired(
            zero + self.initial,
            zero if self.current_decay else None,
            zero if self.refractory else None,
        )

    def charged(self, state: Fired, current: Any) -> Any:
        membrane = state.carried + self._synaptic(state, current)
        if self.refractory_input is WhileRefractory.DROPPED and state.waiting is not None:
            return membrane.where(state.waiting <= 0, state.carried)
        return membrane

    def fires(self, state: Fired, membrane: Any) -> Any:
        fired = super().fires(state, membrane)
        if state.waiting is not None:
            fired = fired & (state.waiting <= 0)
        if self.most_spikes == 1:
            return fired
        several = (membrane / self.threshold).floor().clamp(max=self.most_spikes)
        return several * fired.to(membrane.dtype)

    def after(self, state: Fired, current: Any, membrane: Any, fired: Any) -> Fired:
        waiting = state.waiting
        carried = self._carried(membrane, fired)
        if waiting is not None:
            if self.refractory_input is WhileRefractory.DROPPED:
                carried = carried.where(waiting <= 0, state.carried)
            waiting = (waiting - 1).clamp(min=0).masked_fill(fired > 0, self.refractory)
        synaptic = self._synaptic(state, current) if self.current_decay else None
        return Fired(carried, synaptic, waiting)

    def _synaptic(self, state: Fired, current: Any) -> Any:
        entering = self._on_grid(current)
        if not self.current_decay:
            return entering
        return self._on_grid(self.current_decay * state.current) + entering

    def _on_grid(self, value: Any) -> Any:
        """Rounded toward zero to a multiple of the grid, where there is one."""
        return (value / self.grid).trunc() * self.grid if self.grid else value

    def _carried(self, membrane: Any, fired: Any) -> Any:
        held = membrane if self.lower_bound is None else membrane.clamp(min=self.lower_bound)
        spikes = fired.to(membrane.dtype)
        match self.reset:
            case Reset.HARD:
                return self._on_grid(self.decay * held).masked_fill(fired > 0, self.v_reset)
            case Reset.SOFT:
                return self._on_grid(self.decay * (held - self.threshold * spikes))
            case Reset.SOFT_AFTER:
                return self._on_grid(self.decay * held) - self.threshold * spikes
            case Reset.NONE:
                return self._on_grid(self.decay * held)

    # the way to integers

    def suited(self, target: Target) -> Suited:
        """Without its reset value where that is the membrane's start too, by a shift:

        U' = U - r with v_reset = decay * r:  threshold - r, initial 0, lower bound - r, and the
        input gets (decay - 1) * r.  Without leak at all, r is v_reset.
        """
        plain = self._simplified()
        if not self._shifts(plain):
            return Suited(plain)
        rest = plain.v_reset / plain.decay
        moved = dataclasses.replace(
            plain,
            threshold=plain.threshold - rest,
            v_reset=0.0,
            initial=0.0,
            lower_bound=None if plain.lower_bound is None else plain.lower_bound - rest,
        )
        if moved.program(target) and target.neuron_program:
            return Suited(plain)  # a program holds the value itself
        return Suited(moved, (plain.decay - 1.0) * rest, f"the membrane is shifted by {-rest:g}")

    @staticmethod
    def _shifts(plain: LeakyFire) -> bool:
        if plain.reset is not Reset.HARD or plain.v_reset == 0.0 or plain.decay == 0.0:
            return False
        return plain.initial == plain.v_reset < plain.threshold * plain.decay

    def _simplified(self) -> LeakyFire:
        """Without what has no effect where nothing is carried over, or no leak."""
        if self.decay == 0.0 and self.reset is not Reset.SOFT_AFTER:
            hard = self.reset is Reset.HARD
            return dataclasses.replace(
                self, reset=Reset.HARD, v_reset=self.v_reset if hard else 0.0, lower_bound=None
            )
        if self.decay == 1.0 and self.reset is Reset.SOFT_AFTER:
            return dataclasses.replace(self, reset=Reset.SOFT)
        return self

    def _needs(self, target: Target) -> list[Refusal]:
        """The forms of the equation that the target's fixed neuron does not have."""
        programs = "or choose a target with neuron programs (loihi2)"
        here, hard = f"{target.name}'s neuron", self.reset is Reset.HARD
        forms = (
            (
                self.reset is Reset.SOFT and not target.soft_reset,
                Refusal(
                    "soft reset", f"{target.name} has no soft reset",
                    "fine-tune with a hard reset, or choose a target that has it",
                ),
            ),
            (
                self.reset is Reset.SOFT_AFTER,
                Refusal(
                    "soft reset", f"{here} cannot subtract the threshold behind the leak",
                    f"fine-tune with a hard reset, {programs}",
                ),
            ),
            (
                self.reset is Reset.NONE,
                Refusal(
                    "no reset", f"{here} resets at every spike",
                    f"fine-tune with a hard reset, {programs}",
                ),
            ),
            (
                hard and self.v_reset != 0,
                Refusal(
                    "reset value",
                    f"a reset to {self.v_reset:g} has no exact integer form with leak",
                    "fine-tune with a reset to 0", f"{self.v_reset:g} instead of 0",
                ),
            ),
            (
                self.current_decay == 1.0,
                Refusal(
                    "current without leak",
                    f"{here} loses at least 1/{target.decay_one} of its synaptic current a step",
                    f"let it leak, {programs}",
                ),
            ),
            (
                self.initial != 0,
                Refusal(
                    "initial membrane",
                    f"{here} starts at 0, the model's at {self.initial:g}",
                    f"let it start at 0, {programs}", f"{self.initial:g} instead of 0",
                ),
            ),
            (
                self.lower_bound is not None,
                Refusal(
                    "lower bound", f"{here} has no lower bound of its membrane",
                    f"drop it and fine-tune, {programs}",
                ),
            ),
            (
                self.refractory > 0,
                Refusal(
                    "refractory steps", f"{here} has no refractory steps",
                    f"drop them and fine-tune, {programs}", f"{self.refractory} steps",
                ),
            ),
            (
                self.most_spikes > 1,
                Refusal(
                    "several spikes a step", f"{here} fires once a step at most",
                    f"train with one, {programs}", f"up to {self.most_spikes:,}",
                ),
            ),
        )  # fmt: skip
        return [refusal for needed, refusal in forms if needed]

    def refusals(self, target: Target) -> list[Refusal]:
        if not target.neuron_program:
            return _as_leaky_fire(self.suited(target).equation)._needs(target)
        if self.most_spikes > 1 and not target.graded_spikes:
            what = f"{target.name} has no graded spikes for several spikes a step"
            return [Refusal("several spikes a step", what, "train with one")]
        return []

    def program(self, target: Target) -> str:
        if not target.neuron_program:
            return ""
        return ", ".join(dict.fromkeys(need.reason for need in self._needs(target)))

    def unscaled(self, target: Target) -> Neuron:
        from snndeploy.neurons.lif import Lif  # the kinds name this equation as theirs
        from snndeploy.neurons.programmed import Programmed

        if self.suited(target).equation.program(target):
            return Programmed(most_spikes=self.most_spikes)
        return Lif()

    def registers(self, unit: float, target: Target, name: str) -> Neuron:
        """On a suited equation (`suited`)."""
        from snndeploy.neurons.lif import Lif
        from snndeploy.neurons.programmed import Programmed

        if self.program(target):
            return Programmed.of(self, unit, target, name)
        soft = self.reset is Reset.SOFT
        return Lif(
            decay_register(self.decay, target),
            decay_register(self.current_decay, target, least=1, most=target.decay_one),
            threshold=threshold_register(self, unit, target, name),
            reset=self.reset,
            reset_amount=round(self.threshold / unit) if soft else 0,
        )

    def __str__(self) -> str:
        sign = ">=" if self.fires_at is FiresAt.AT_LEAST else ">"
        more = [
            f"{field.name.replace('_', ' ')} {_said(getattr(self, field.name))}"
            for field in dataclasses.fields(self)
            if field.default is not dataclasses.MISSING
            and getattr(self, field.name) != field.default
            and not (field.name == "refractory_input" and not self.refractory)
        ]
        return ", ".join(
            [
                f"fires at U {sign} {self.threshold:g}", f"decay {self.decay:g}",
                f"{self.reset} reset".replace("_", " "), f"v_reset {self.v_reset:g}", *more,
            ]
        )  # fmt: skip

    def membrane_range(self, most: Any, least: Any, steps: int) -> tuple[float, float]:
        return membrane_range(self, most, least, steps)

    def is_exact(self, unit: float, step: float, steps: int, bound: float, target: Target) -> bool:
        """On a suited equation, inside the registers."""
        programmed = bool(self.program(target))
        if self.grid:
            return False
        places = [leak_places(decay, target.decay_one) for decay in self._leaks()]
        if None in places or (self.current_decay == 1.0 and not programmed):
            return False
        most = max((place for place in places if place is not None), default=0)
        finest = finest_step([step, *self.constants()], unit, most * (steps - 1), MEMBRANE_SHIFT)
        if finest is None:
            return False
        if programmed:
            return True  # its registers hold the threshold in units of v, and a leak of all
        if self.reset is Reset.SOFT and multiples(self.threshold, unit) % 1:
            return False
        register = threshold_in_units(self, unit)
        above = register << MEMBRANE_SHIFT
        left = 0
        if self.decay == 0.0:  # the fixed register keeps one part in decay_one, toward zero
            left = math.floor(bound * (1 << MEMBRANE_SHIFT) / unit / (target.decay_one - 1))
            if above >= target.decay_one:
                return False  # of the highest membrane that does not fire something is left
        at_least = self.fires_at is FiresAt.AT_LEAST
        return 0 <= register <= target.threshold_max and fires_alike(
            self.threshold, unit, finest, above, left=left, at_least=at_least, shift=MEMBRANE_SHIFT
        )

    def _leaks(self) -> list[float]:
        """What of its membrane and of its current lasts."""
        return [decay for decay in (self.decay, self.current_decay) if decay]

    def constants(self) -> list[float]:
        found = [self.initial, self.v_reset if self.reset is Reset.HARD else self.threshold]
        found += [self.threshold] * (self.most_spikes > 1)
        return [value for value in (*found, self.lower_bound or 0.0) if value]


def _as_leaky_fire(equation: Equation) -> LeakyFire:
    assert isinstance(equation, LeakyFire)
    return equation


def _said(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float | int) else str(value)
