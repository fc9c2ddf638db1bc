"""NIR's neurons in Euler steps of dt; NIR stores equations in continuous time, and no dt.

    LIF, LI          v[t] = v[t-1] + dt/tau * (v_leak - v[t-1] + R x[t])
    CubaLIF, CubaLI  i[t] = i[t-1] + dt/tau_syn * (w_in x[t] - i[t-1])
                     v[t] = v[t-1] + dt/tau_mem * (v_leak - v[t-1] + R i[t])
    IF, I            v[t] = v[t-1] + R x[t]           an event brings its charge, whatever dt
    fires where      v[t] > v_threshold               (Threshold: x[t] > threshold)
    then             v[t] = v_reset                   hard
                     v[t] = v[t] - v_threshold        soft
    starts at        v[-1] = v_leak, i[-1] = 0

An equation of `neurons.leaky_fire` has one number for all neurons and a plain input.  What is
linear moves to the input (R, w_in, dt/tau); v_leak moves into v, and a threshold for each neuron
becomes the unit of v, so that w = (v - v_leak) / v_threshold fires above 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from snndeploy.errors import OptionError
from snndeploy.frontend.nir.reader import Primitive
from snndeploy.neurons import equation_of

FIRING = ("CubaLIF", "IF", "LIF", "Threshold")
LEAKING = ("CubaLI", "I", "LI")
IN_TIME = ("CubaLI", "CubaLIF", "Delay", "LI", "LIF")  # what a time constant is part of

ResetName = Literal["hard", "soft"]
RESETS: tuple[ResetName, ...] = ("hard", "soft")


@dataclass(frozen=True)
class Assumed:
    """What NIR does not store: the time step in seconds, what a spike does to v, the least v.

    at_least: our own export says that its thresholds are the next 32-bit number below those that
    fire where they are just met.
    """

    dt: float | None = None
    reset: ResetName = "hard"
    lower_bound: float | None = None
    at_least: bool = False

    def fraction(self, part: Primitive, name: str) -> np.ndarray:
        """dt / tau, of every neuron.

        Raises:
            OptionError: dt is not known, or too long for it.
            ModelError: a time constant that is none.
        """
        tau = numbers(part, name)
        if (tau <= 0).any():
            raise part.refuse(f"has {name} {tau.min():g}; a time constant is positive")
        found: np.ndarray = self.seconds(part) / tau
        if (found > 1).any():
            raise OptionError(
                f"{part.where} has {name} {tau.min():g} s, shorter than a time step of"
                f" {self.dt:g} s; give --dt {tau.min():g} or less"
            )
        return found

    def seconds(self, part: Primitive) -> float:
        if self.dt is None:
            raise OptionError(
                f"{part.where} is described in seconds, and NIR stores no time step; give --dt"
                " SECONDS, as the network was trained (NIR's own examples: 1e-4)"
            )
        return self.dt


def numbers(part: Primitive, name: str) -> np.ndarray:
    return np.asarray(getattr(part.value, name), dtype=np.float64)


@dataclass(frozen=True, eq=False)
class Stepped:
    """attributes: of the equation.  Its input is gain * x + offset."""

    attributes: Mapping[str, Any]
    gain: np.ndarray
    offset: np.ndarray


def firing(part: Primitive, assumed: Assumed) -> Stepped:
    """
    Raises:
        ModelError: neurons that differ in more than gain and threshold, or that make no neuron.
    """
    if part.kind == "Threshold":
        return _firing(part, Assumed(assumed.dt), "threshold")
    return _firing(part, assumed, "v_threshold")


def _firing(part: Primitive, assumed: Assumed, threshold_name: str) -> Stepped:
    threshold, hard = numbers(part, threshold_name), assumed.reset == "hard"
    if assumed.at_least:
        met = np.nextafter(threshold.astype(np.float32), np.float32(np.inf))
        threshold = met.astype(np.float64)
    leak, gain, current_decay = _membrane(part, assumed)
    resting = numbers(part, "v_leak") if hasattr(part.value, "v_leak") else np.zeros(1)
    reset = numbers(part, "v_reset") if hasattr(part.value, "v_reset") else np.zeros(1)
    moved = resting if hard and (threshold > resting).all() else np.zeros(1)
    if current_decay.any() and (resting != moved).any():
        why = "above its threshold" if hard else "elsewhere than at 0, with a soft reset"
        raise part.refuse(f"rests {why}: a constant cannot pass its synaptic current by")
    height = threshold - moved
    unit = height if np.unique(height).size > 1 else np.ones(1)
    if (height <= 0).any():
        raise part.refuse(f"has threshold {threshold.min():g}; it must be positive")
    decay = 1.0 - leak
    attributes: dict[str, Any] = {
        "kind": "lif",
        "threshold": _one(part, height / unit, "threshold"),
        "fires_at": "ge" if assumed.at_least else "gt",
        "reset": assumed.reset,
        "decay": _one(part, decay, "time constant"),
        "v_reset": _one(part, decay * (reset - moved) / unit, "v_reset") if hard else 0.0,
    }
    initial = _one(part, decay * (resting - moved) / unit, "v_leak")
    if initial:
        attributes["initial"] = initial
    if current_decay.any():
        attributes["current_decay"] = _one(part, current_decay, "synaptic time constant")
    if assumed.lower_bound is not None:
        attributes["lower_bound"] = _one(part, (assumed.lower_bound - moved) / unit, "v_leak")
    faults = equation_of(attributes).faults()
    if faults:
        raise part.refuse(f"has {'; '.join(faults)}")
    return Stepped(attributes, gain / unit, leak * (resting - moved) / unit)


def _membrane(part: Primitive, assumed: Assumed) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What leaks of v in a step, the gain of the input, what lasts of the current (0: none)."""
    none = np.zeros(1)
    match part.kind:
        case "Threshold":
            return np.ones(1), np.ones(1), none
        case "IF" | "I":
            return none, numbers(part, "r"), none
        case "LIF" | "LI":
            leak = assumed.fraction(part, "tau")
            return leak, numbers(part, "r") * leak, none
    leak, enters = assumed.fraction(part, "tau_mem"), assumed.fraction(part, "tau_syn")
    gain = numbers(part, "w_in") * enters * numbers(part, "r") * leak
    return leak, gain, 1.0 - enters


@dataclass(frozen=True, eq=False)
class Filtered:
    """v = leaky(leaky(gain * x)) + resting, one leaky filter a decay."""

    decays: tuple[float, ...]
    gain: np.ndarray
    resting: np.ndarray


def leaking(part: Primitive, assumed: Assumed) -> Filtered:
    """A membrane that does not fire."""
    leak, gain, current_decay = _membrane(part, assumed)
    decays = [_one(part, 1.0 - leak, "time constant")]
    if current_decay.any():
        decays.insert(0, _one(part, current_decay, "synaptic time constant"))
    resting = numbers(part, "v_leak") if hasattr(part.value, "v_leak") else np.zeros(1)
    return Filtered(tuple(decays), gain, resting)


def delay_steps(part: Primitive, assumed: Assumed) -> tuple[int, float]:
    """Whole steps, and how far they are from what was asked, in steps."""
    delay = _one(part, numbers(part, "delay"), "delay")
    if delay < 0:
        raise part.refuse(f"waits {delay:g} s; what is to come cannot be known")
    steps = delay / assumed.seconds(part)
    return round(steps), abs(round(steps) - steps)


def _one(part: Primitive, values: np.ndarray, what: str) -> float:
    found = np.unique(values)
    if found.size != 1:
        raise part.refuse(
            f"has a {what} of its own for each neuron ({found.size} of them from {found[0]:.6g} to"
            f" {found[-1]:.6g}); write a node for the neurons of each value"
        )
    return float(found[0])
