"""The contract's arithmetic in plain int64 numpy: integers, one step of one population.

Written to be read beside `snndeploy.network`; the fast engines do not use it, they are compared
with it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from snndeploy.engines.attention import attend
from snndeploy.network import MEMBRANE_MAXIMUM, MEMBRANE_SHIFT, Population

DECAY_BITS = 12
DECAY_ONE = 1 << DECAY_BITS
CURRENT_RANGE = 1 << 24


# --- integers -----------------------------------------------------------------------------------


def rz(value: np.ndarray, bits: int) -> np.ndarray:
    """Shift right, rounding toward zero: sign(value) * (|value| >> bits)."""
    return np.sign(value) * (np.abs(value) >> bits)


def wrap24(value: np.ndarray) -> np.ndarray:
    """Wrap into (-2^23, 2^23]: -2^23 becomes +2^23, 2^23 + 1 becomes -2^23 + 1."""
    half = CURRENT_RANGE // 2
    return half - (half - value) % CURRENT_RANGE


def sat24(value: np.ndarray) -> np.ndarray:
    """Clip to +-(2^23 - 1)."""
    return np.clip(value, -MEMBRANE_MAXIMUM, MEMBRANE_MAXIMUM)


def shift(value: np.ndarray, exponent: int) -> np.ndarray:
    """value << exponent; a negative exponent shifts right and rounds down, as Lava does."""
    return value << exponent if exponent >= 0 else value >> -exponent


# --- neurons ------------------------------------------------------------------------------------


class Stepped(NamedTuple):
    """State after one step, what is sent, and overflow events (int64 (len(OVERFLOW_KINDS),))."""

    u: np.ndarray
    v: np.ndarray
    payload: np.ndarray
    overflows: np.ndarray


def own_bias(population: Population) -> np.ndarray | int:
    """The population's bias in units of v, broadcastable to (samples, C, H, W)."""
    if population.bias is None:
        return 0
    mantissa = np.asarray(population.bias, dtype=np.int64)
    if mantissa.ndim == 1:
        mantissa = mantissa[:, None, None]
    return shift(mantissa, population.bias_exponent)


def step_neurons(
    population: Population,
    u: np.ndarray,
    v: np.ndarray,
    a: np.ndarray,
    injected_bias: np.ndarray | int = 0,
) -> Stepped:
    """One step of a lif or integrator; all arrays (samples, C, H, W) int64."""
    current = rz(u * (DECAY_ONE - population.current_decay), DECAY_BITS) + (a << MEMBRANE_SHIFT)
    u = wrap24(current)
    leaked = rz(v * (DECAY_ONE - population.membrane_decay), DECAY_BITS)
    membrane = leaked + u + own_bias(population) + injected_bias
    v = sat24(membrane)
    overflows = np.array(
        [
            np.count_nonzero(np.abs(a) > population.input_maximum),
            np.count_nonzero(u != current),
            np.count_nonzero(v != membrane),
            0,
            0,
        ],
        dtype=np.int64,
    )
    if population.kind == "integrator":
        return Stepped(u, v, np.zeros_like(v), overflows)
    spike = v > (population.threshold << MEMBRANE_SHIFT)
    if population.reset == "hard":
        v = np.where(spike, 0, v)
    else:
        v = np.where(spike, v - (population.reset_amount << MEMBRANE_SHIFT), v)
    return Stepped(u, v, spike.astype(np.int64), overflows)


def attended_current(
    population: Population, u: np.ndarray, a: np.ndarray, injected_bias: np.ndarray | int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """u, the value that attention refines (units of v), and overflow events of the two."""
    current = rz(u * (DECAY_ONE - population.current_decay), DECAY_BITS) + (a << MEMBRANE_SHIFT)
    u = wrap24(current)
    wide = np.count_nonzero(np.abs(a) > population.input_maximum)
    overflows = [wide, np.count_nonzero(u != current), 0, 0, 0]
    return u, u + own_bias(population) + injected_bias, np.array(overflows, dtype=np.int64)


def step_attended(population: Population, u: np.ndarray, v: np.ndarray, w: np.ndarray) -> Stepped:
    """One step of a lif or relay on the value w that stands for u + bias."""
    if population.kind == "relay":
        payload = w >> (MEMBRANE_SHIFT + population.payload_shift)
        bound = population.payload_bound
        beyond = np.count_nonzero(np.abs(payload) > bound)
        overflows = np.array([0, 0, 0, beyond, 0], dtype=np.int64)
        return Stepped(u, v, np.clip(payload, -bound, bound), overflows)
    membrane = rz(v * (DECAY_ONE - population.membrane_decay), DECAY_BITS) + w
    v = sat24(membrane)
    overflows = np.array([0, 0, np.count_nonzero(v != membrane), 0, 0], dtype=np.int64)
    inside = population.attention_at("membrane")
    if inside is not None:
        v = attend(population, inside, v[:, None], overflows)[:, 0]
    spike = v > (population.threshold << MEMBRANE_SHIFT)
    reset = 0 if population.reset == "hard" else v - (population.reset_amount << MEMBRANE_SHIFT)
    return Stepped(u, np.where(spike, reset, v), spike.astype(np.int64), overflows)


def step_relay(
    population: Population, u: np.ndarray, v: np.ndarray, payload: np.ndarray
) -> Stepped:
    """A relay (payload = a >> payload_shift) or an input (payload = what the host sends)."""
    beyond = np.count_nonzero(np.abs(payload) > population.payload_bound)
    return Stepped(u, v, payload, np.array([0, 0, 0, beyond, 0], dtype=np.int64))
