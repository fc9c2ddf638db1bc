"""Whole multiples: when integers of a neuron hold every value that its equation can reach.

A membrane that starts at 0 and takes in multiples of g is a multiple of g, and behind t leaks by
p / 2^q a multiple of g / 2^(q t).  With one unit of the accumulator worth  g / 2^e  and 6 bits
below it, integers of the membrane hold every value that the model can reach within T steps when
q (T - 1) <= 6 + e.  Then nothing is rounded, and the first value that fires on the chip is the
first that fires in the model, which is tested here and not assumed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from functools import reduce

SAME = 2.0**-20  # how close to a multiple of a step that is no power of two a value must lie


def multiples(value: float, unit: float) -> float:
    """value / unit, a whole number where it is one but for the rounding of floats."""
    ratio = value / unit
    nearest = round(ratio)
    return float(nearest) if abs(ratio - nearest) <= SAME * max(abs(nearest), 1) else ratio


def leak_places(decay: float, decay_one: int) -> int | None:
    """Binary places that a step of leak adds; None: the register does not say it exactly."""
    kept = Fraction(decay)
    if kept == 0 or decay_one % kept.denominator:
        return None
    return kept.denominator.bit_length() - 1


def finest_step(values: Sequence[float], unit: float, places: int, shift: int) -> Fraction | None:
    """The step of all membranes, in units of v, whose parts are multiples of the values behind
    leaks of `places` binary places; None: it is no whole number of them."""
    parts = [Fraction(multiples(value, unit / (1 << shift))) for value in values]
    finest = reduce(_common, (abs(part) for part in parts)) / (1 << places)
    return finest if finest.denominator == 1 else None


def _common(one: Fraction, other: Fraction) -> Fraction:
    """The largest of which both are whole multiples."""
    numerator = math.gcd(one.numerator * other.denominator, other.numerator * one.denominator)
    return Fraction(numerator, one.denominator * other.denominator)


def fires_alike(
    threshold: float,
    unit: float,
    finest: Fraction,
    above: int,
    *,
    left: int = 0,
    at_least: bool,
    shift: int,
) -> bool:
    """Is the first membrane above `above` (units of v) the first that fires in the model?

    finest: reachable membranes are its multiples.  left: how far below them the chip's may lie.
    """
    on_chip = (above // finest + 1) * finest
    wanted = Fraction(multiples(threshold, unit)) * (1 << shift) / finest
    first = math.ceil(wanted) if at_least else math.floor(wanted) + 1
    return on_chip == first * finest and on_chip - left > above
