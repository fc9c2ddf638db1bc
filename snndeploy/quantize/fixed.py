"""The scales of one compilation, for compiling the same network again as it trains on.

The same weights and the same scales give the same integers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from snndeploy.quantize.calibration import Calibration
from snndeploy.quantize.scales import Scale


@dataclass(frozen=True, eq=False)
class Chosen:
    """units: by the first population of each group that shares one.
    exponents: of a population's kernels; a weight that grows beyond them is clipped."""

    units: Mapping[str, Scale] = field(default_factory=dict)
    exponents: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    def of(self, population: str, kernels: int) -> tuple[int | None, ...]:
        return self.exponents.get(population, (None,) * kernels)


@dataclass(frozen=True, eq=False)
class FixedScales:
    """shortcuts: how membrane shortcuts are lowered, as `RealNetwork` says it.
    samples: the inputs that were calibrated on, and calibration: what the float model did on them.
    """

    shortcuts: str
    samples: np.ndarray
    calibration: Calibration
    chosen: Chosen
