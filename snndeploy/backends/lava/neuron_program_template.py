"""A neuron program, step by step in whole numbers; numpy is all that it needs.

The registers and the state are in units of v, rz(x, k) is sign(x) * (|x| >> k):

    u = wrap24( rz(u * (4096 - current_decay), 12) + (a << 6) )
    v = sat24( h + u + bias )                         h, where it waits and drops what arrives
    s = v > threshold  (0 where it waits);  of several  min(1 + (v - threshold - 1) // amount, most)
    w = max(v, lower_bound)
    h = reset_value where s, else rz(w * keep, 12)    hard        keep = 4096 - membrane_decay
        rz((w - amount * s) * keep, 12)               soft
        rz(w * keep, 12) - amount * s                 soft_after
        rz(w * keep, 12)                              none

It waits `refractory` steps behind a spike.  A sample starts with u = 0, h = initial, no waiting.
"""

from __future__ import annotations

from typing import Any

import numpy as np

DECAY_BITS = 12
DECAY_ONE = 1 << DECAY_BITS
MEMBRANE_SHIFT = 6
MEMBRANE_MAXIMUM = (1 << 23) - 1

State = dict[str, np.ndarray]
"""u, h, and the steps still to wait: int64."""


def at_rest(registers: dict[str, Any], shape: tuple[int, ...]) -> State:
    start = {"u": 0, "h": registers["initial"], "waiting": 0}
    return {key: np.full(shape, value, dtype=np.int64) for key, value in start.items()}


def step(
    registers: dict[str, Any], state: State, a: np.ndarray, bias: np.ndarray
) -> tuple[State, np.ndarray]:
    """The state behind a step, and how often each neuron fires in it; a, bias: int64."""
    waits, drops = state["waiting"] > 0, registers["refractory_input"] == "dropped"
    u = wrap24(decayed(state["u"], registers["current_decay"]) + (a << MEMBRANE_SHIFT))
    v = np.clip(state["h"] + u + bias, -MEMBRANE_MAXIMUM, MEMBRANE_MAXIMUM)
    spikes = np.where(waits, 0, fired(registers, v))
    h = carried(registers, v, spikes)
    if drops:
        h = np.where(waits, state["h"], h)
    left = np.maximum(state["waiting"] - 1, 0)
    waiting = np.where(spikes > 0, registers["refractory"], left)
    return {"u": u, "h": h, "waiting": waiting}, spikes


def fired(registers: dict[str, Any], v: np.ndarray) -> np.ndarray:
    above = v > registers["threshold"]
    if registers["most_spikes"] == 1:
        return above.astype(np.int64)
    several = 1 + (v - registers["threshold"] - 1) // registers["amount"]
    return np.where(above, np.minimum(several, registers["most_spikes"]), 0)


def carried(registers: dict[str, Any], v: np.ndarray, spikes: np.ndarray) -> np.ndarray:
    """What the membrane starts the next step with."""
    decay, lost = registers["membrane_decay"], registers["amount"] * spikes
    bounded = np.maximum(v, registers["lower_bound"])
    if registers["reset"] == "soft":
        return decayed(bounded - lost, decay)
    leaked = decayed(bounded, decay)
    if registers["reset"] == "hard":
        return np.where(spikes > 0, registers["reset_value"], leaked)
    return leaked - lost if registers["reset"] == "soft_after" else leaked


def decayed(value: np.ndarray, decay: int) -> np.ndarray:
    product = value * (DECAY_ONE - decay)
    return np.sign(product) * (np.abs(product) >> DECAY_BITS)


def wrap24(value: np.ndarray) -> np.ndarray:
    """Into (-2^23, 2^23]."""
    half = 1 << 23
    return half - (half - value) % (2 * half)
