"""Lines that a cycle's values lie on, and the numbers of a neuron read off them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from snndeploy.frontend.capture.rolled import Rolled

AGREEMENT = 1e-9  # of the largest magnitude, in float64
DIGITS = 12  # of a parameter that is a shorter number within rounding


class NotAffine(Exception):
    """Why a cycle is no neuron that the compiler knows, and what else to do than to describe it."""

    def __init__(self, why: str, cure: str = "") -> None:
        super().__init__(why)
        self.cure = cure


@dataclass(eq=False)
class Line:
    """y = slope p + start over the probes, for every channel."""

    slope: Any
    start: Any


def shifted(
    still: Line, fired: Line, first: Any, decay: float, size: float
) -> tuple[Any, Any, str, Any]:
    """(threshold, offset on X, kind of reset, v_reset): margins shifted so that U decays to 0."""
    taken = still.start - fired.start  # by a spike, where both lines are parallel
    zero = torch.zeros_like(taken)
    cleared = bool((fired.slope == 0).all())
    if not cleared and not close(fired.slope, still.slope, 1.0):
        raise NotAffine("a spike neither clears its membrane nor subtracts from it")
    kept = not cleared and close(taken, zero, size)
    if decay < 1:
        threshold = clean(-still.start / (1 - decay), size)
    else:
        started = clean(still.start - first, size)  # the membrane starts at zero
        natural = kept or (cleared and bool((started > 0).all()))
        threshold = started if natural else clean(taken, size)

    def drift(threshold: Any) -> Any:
        return clean(still.start + threshold * (1 - decay), size)

    if kept:
        return threshold, drift(threshold), "none", zero
    if cleared:
        if not bool((threshold > 0).all()) and decay:
            threshold = clean(taken / decay, size)  # seen from the reset value, with a drift
        after = fired.start + threshold - drift(threshold)
        return threshold, drift(threshold), "hard", clean(after, size)
    for amount, kind in ((taken / decay, "soft"), (taken, "soft_after")):
        if close(amount, threshold, size):
            return threshold, drift(threshold), kind, zero
    if not bool((taken > 0).all()):
        raise NotAffine("a spike adds to its membrane")
    amount = clean(taken / decay, size)
    return amount, drift(amount), "soft", zero


def unit_of(gains: dict[Rolled, Any], threshold: Any) -> Any:
    """What margins are multiplied by: the first gain divided out, one threshold for all."""
    first = next(iter(gains.values()))
    reference = threshold.reshape(-1)[0]
    common = first.abs().reshape(-1)[0]
    if bool((threshold == reference).all()):
        return torch.ones_like(threshold) / common
    return reference / threshold / common


def the_one(values: Any, what: str) -> float:
    """The one number that all channels have."""
    flat = values.reshape(-1)
    if not bool((flat - flat[0]).abs().max() <= AGREEMENT * max(1.0, float(flat.abs().max()))):
        raise NotAffine(
            f"it has {len(torch.unique(flat))} different {what}, and one is needed for all its"
            " channels",
            "train one number for the layer, or make a module of its own for each",
        )
    return float(flat[0])


def close(one: Any, two: Any, size: float) -> bool:
    two = torch.as_tensor(two, dtype=torch.float64)
    scale = max(size, float(one.abs().max()), float(two.abs().max()))
    return bool((one - two).abs().max() <= AGREEMENT * scale)


def clean(values: Any, size: float) -> Any:
    """Numbers of rounding's size are zero, and shorter numbers nearby are meant."""
    flat = [snap(float(value), size) for value in values.reshape(-1)]
    return torch.tensor(flat, dtype=torch.float64).reshape(values.shape)


def snap(value: float, size: float) -> float:
    """The nearest short number within rounding: decimal, or of float32, which modules hold."""
    room = 4e-14 * max(size, abs(value))
    if abs(value) <= room:
        return 0.0
    single = float(torch.tensor(value, dtype=torch.float32))
    few = [float(f"{value:.{digits}g}") for digits in range(1, DIGITS + 1)]
    near = (short for short in (*few[:6], single, *few[6:]) if abs(short - value) <= room)
    return next(near, value)
