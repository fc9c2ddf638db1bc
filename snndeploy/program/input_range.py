"""The range of the input that calibration saw, and data that lie far outside it.

Scales, proofs and rates rest on calibration's values: bytes where 0..1 was seen are clipped, wrap,
or make every neuron fire, and the figures of such a run mean nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

FAR = 2.0  # calibrated spans, from the other end of the range


@dataclass(frozen=True)
class InputRange:
    """The least and the most value of all samples."""

    least: float
    most: float

    @classmethod
    def of(cls, x: np.ndarray) -> InputRange:
        """Of at least one value."""
        return cls(float(x.min()), float(x.max()))

    def is_left_by(self, other: InputRange) -> bool:
        """Does the other reach beyond FAR spans, on either side?"""
        reach = FAR * (self.most - self.least)
        return other.most > self.least + reach or other.least < self.most - reach

    def __str__(self) -> str:
        return f"{self.least:g}..{self.most:g}"


def range_warning(calibrated: InputRange | None, x: np.ndarray) -> str:
    """One line where data lie far outside what calibration saw; '' where not, or not known."""
    if calibrated is None or not x.size:
        return ""
    found = InputRange.of(x)
    if not calibrated.is_left_by(found):
        return ""
    return (
        f"the data lies in {found}, calibration saw {calibrated}: the integers' scales rest on"
        " that; scale the data as the model was trained, or compile with --calibration on such data"
    )
