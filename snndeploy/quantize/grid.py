"""The common grid of a layer: one step of which all its weights are whole multiples."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from snndeploy.neurons.grid import SAME

FINEST_BITS = 24  # binary places in which float32 weights are looked for


def common_step(arrays: Sequence[np.ndarray], most: int) -> float | None:
    """The largest real of which every value is a whole multiple, or None.

    most: distinct magnitudes beyond which no integer format can hold them.
    """
    found = np.unique(np.abs(np.concatenate([np.ravel(a).astype(np.float64) for a in arrays])))
    values = found[found > 0]
    if not len(values) or len(values) > most or not np.isfinite(values).all():
        return None
    whole = np.ldexp(values, FINEST_BITS)
    if whole[-1] < 2.0**53 and np.all(whole % 1 == 0):
        together = int(np.gcd.reduce(whole.astype(np.int64)))
        if values[-1] / math.ldexp(together, -FINEST_BITS) <= most:
            return math.ldexp(together, -FINEST_BITS)
    return _uniform_step(values, most)


def _uniform_step(values: np.ndarray, most: int) -> float | None:
    """The step of weights k * s with a real s, as quantized training leaves them."""
    apart = np.diff(values, prepend=0.0)
    first = float(apart[apart > SAME * values[-1]].min(initial=values[0]))
    multiples = np.rint(values / first)
    if multiples[0] < 1 or multiples[-1] > most:
        return None
    step = float((values @ multiples) / (multiples @ multiples))
    near = np.abs(values / step - multiples) <= SAME * multiples
    return step if near.all() else None
