"""The integers that all neurons share: units, widths, rounding, and what is counted as an overflow.

A membrane is held in units of 1/64 of the accumulator's: a << MEMBRANE_SHIFT enters it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

MEMBRANE_SHIFT = 6
MEMBRANE_MAXIMUM = (1 << 23) - 1
DECAY_BITS = 12
DECAY_ONE = 1 << DECAY_BITS
NO_CURRENT_MEMORY = DECAY_ONE
CURRENT_RANGE = 1 << 24
UNBOUNDED = 1 << 62  # the largest membrane, where none saturates
WIDEST_PAYLOAD = 1 << 31  # a payload beyond this is refused when it is simulated

OVERFLOW_KINDS = ("input", "wrap", "saturation", "payload", "attention")
"""Columns of an overflow count: |a| > input_maximum; u wrapped; v saturated; |payload| >
payload_bound; a value inside attention, or what it returns, saturated or was 0 / 0."""
INPUT, WRAP, SATURATION, PAYLOAD, ATTENTION = range(len(OVERFLOW_KINDS))


def rz(value: np.ndarray, bits: int) -> np.ndarray:
    """Shift right, rounding toward zero: sign(value) * (|value| >> bits)."""
    return np.sign(value) * (np.abs(value) >> bits)


def decayed(value: np.ndarray, decay: int) -> np.ndarray:
    """What a decay register leaves of an int64 value: rz(value * (4096 - decay), 12)."""
    return rz(value * (DECAY_ONE - decay), DECAY_BITS)


def wrap24(value: np.ndarray) -> np.ndarray:
    """Wrap into (-2^23, 2^23]: -2^23 becomes +2^23, 2^23 + 1 becomes -2^23 + 1."""
    half = CURRENT_RANGE // 2
    return half - (half - value) % CURRENT_RANGE


def sat24(value: np.ndarray, largest: int = MEMBRANE_MAXIMUM) -> np.ndarray:
    """Clip to +-(2^23 - 1), or to another width's largest value."""
    return np.clip(value, -largest, largest)


def shift(value: Any, exponent: int) -> Any:
    """value << exponent; a negative exponent shifts right and rounds down, as Lava does."""
    return value << exponent if exponent >= 0 else value >> -exponent


def fits_current(low: np.ndarray, high: np.ndarray) -> bool:
    """True when a << 6 cannot wrap at 24 bits, for a in low..high."""
    most = MEMBRANE_MAXIMUM >> MEMBRANE_SHIFT
    return bool(low.min(initial=0) >= -most and high.max(initial=0) <= most)


def no_overflows() -> np.ndarray:
    """Counts of OVERFLOW_KINDS, to be added to."""
    return np.zeros(len(OVERFLOW_KINDS), dtype=np.int64)
