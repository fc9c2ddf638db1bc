"""Kernels in integers: mantissas and exponents of real weights, and the sums they can reach."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from snndeploy.connections import Connection


@dataclass(frozen=True, eq=False)
class Kernel:
    """A real connection seen from its target: weights a unit of payload.

    payload: largest |payload| of the source; payload_unit: its real value.
    """

    source: str
    connection: Connection
    payload_unit: float
    payload: int

    @property
    def weight(self) -> np.ndarray:
        return self.connection.weight * self.payload_unit

    @property
    def largest(self) -> float:
        """Largest |weight|."""
        return float(np.abs(self.connection.weight).max(initial=0)) * self.payload_unit


@dataclass(frozen=True, eq=False)
class Mantissas:
    """weight = values * 2^exponent * unit + low, up to rounding.

    clipped: weights that were out of range.  low: what the first part leaves, in a second
    projection; None: one part says it all.
    """

    values: np.ndarray
    exponent: int
    clipped: int
    low: Mantissas | None = None

    @property
    def parts(self) -> tuple[Mantissas, ...]:
        """One for each projection, the highest first."""
        return (self,) if self.low is None else (self, *self.low.parts)

    @property
    def together(self) -> tuple[np.ndarray, int]:
        """All parts as one, values and exponent: what sums can reach is told by it."""
        if self.low is None:
            return self.values, self.exponent
        low, exponent = self.low.together
        high = self.values.astype(np.int64) << (self.exponent - exponent)
        return high + low, exponent

    def real(self, unit: float) -> np.ndarray:
        found = self.values * (unit * (1 << self.exponent))
        return found if self.low is None else found + self.low.real(unit)


def exponent_of(kernel: Kernel, unit: float, clip: float, limit: int) -> int:
    """The smallest exponent with which mantissas of -limit - 1..limit hold clip * largest."""
    ratio = max(clip * kernel.largest / unit / limit, 1.0)
    return max(0, math.ceil(math.log2(ratio) - 1e-9))


def mantissas(
    kernel: Kernel, unit: float, clip: float, limit: int, exponent: int | None = None
) -> Mantissas:
    """Mantissas of -limit - 1..limit, with the smallest exponent that holds clip * largest."""
    if exponent is None:
        exponent = exponent_of(kernel, unit, clip, limit)
    rounded = np.rint(kernel.weight / (unit * (1 << exponent)))
    values = np.clip(rounded, -limit - 1, limit)
    return Mantissas(values.astype(kind_of(limit)), exponent, int((rounded != values).sum()))


def double_mantissas(kernel: Kernel, unit: float, limit: int) -> Mantissas:
    """Twice as many bits, in two parts: whole = high * 2^(exponent - low exponent) + low.

    The low part lies in -limit - 1..limit too, as in two's complement; exponent 0 needs none.
    """
    exponent = exponent_of(kernel, unit, 1.0, limit)
    if exponent == 0:
        return mantissas(kernel, unit, 1.0, limit)
    below = max(0, exponent - (limit.bit_length() + 1))
    span = 1 << (exponent - below)
    whole = np.rint(kernel.weight / (unit * (1 << below)))
    high = np.floor((whole + span // 2) / span)
    low = Mantissas((whole - high * span).astype(kind_of(limit)), below, 0)
    return Mantissas(high.astype(kind_of(limit)), exponent, 0, low)


def kind_of(limit: int) -> type[np.signedinteger]:
    """The type that holds mantissas of -limit - 1..limit."""
    return np.int8 if limit <= np.iinfo(np.int8).max else np.int32


def worst_case(parts: Sequence[tuple[Connection, int, int]], injected: int = 0) -> int:
    """Largest |a| that spikes can cause; parts: integer connection, exponent, largest payload."""
    total: np.ndarray | int = 0
    for connection, exponent, payload in parts:
        total = total + (connection.reach(connection.weight, payload) << exponent)
    return int(np.max(total)) + injected


def weight_error(kernels: Sequence[Kernel], found: Sequence[Mantissas], unit: float) -> float:
    """Root mean square error of all weights over their root mean square."""
    error = power = 0.0
    for kernel, integers in zip(kernels, found, strict=True):
        weight = kernel.weight
        error += float(((integers.real(unit) - weight) ** 2).sum())
        power += float((weight**2).sum())
    return math.sqrt(error / power) if power else 0.0
