"""What is asked of an analysis, and what it found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from snndeploy.analysis.coding import PeriodSums
from snndeploy.analysis.entropy import Patterns
from snndeploy.analysis.input_code import CodeSums
from snndeploy.analysis.layers import SpikingLayer
from snndeploy.analysis.membranes import Membranes
from snndeploy.analysis.rates import LayerRates
from snndeploy.errors import DataError

GHOST_THRESHOLD = 0.9


@dataclass(frozen=True)
class Settings:
    """layers: names whose maps and membranes are wanted; empty: all, if they fit into memory.
    bin_width: of the membrane histograms, membrane units; None: a tenth of the layer's threshold.
    ghost_threshold: the Pearson correlation from which two ASRV maps are ghosts.
    steps: whose ASRV maps are drawn besides the mean over all, counted from 1.
    samples: whose own spikes are kept, by their places in the data from 0.
    batch: samples at once; None: chosen by size.

    Raises:
        DataError: a number that is no width, no correlation, no step or no place.
    """

    layers: tuple[str, ...] = ()
    bin_width: float | None = None
    ghost_threshold: float = GHOST_THRESHOLD
    batch: int | None = None
    steps: tuple[int, ...] = ()
    samples: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        width, likeness = self.bin_width, self.ghost_threshold
        if width is not None and not 0 < width < float("inf"):
            raise DataError(f"a bin width of {width:g} is none; give a number above 0")
        if not -1 <= likeness <= 1:
            raise DataError(f"a ghost threshold of {likeness:g} is no correlation; give -1..1")
        for step in self.steps:
            if step < 1:
                raise DataError(f"there is no step {step}; steps count from 1")
        for sample in self.samples:
            if sample < 0:
                raise DataError(f"there is no sample {sample}; samples count from 0")

    def check(self, samples: int, timesteps: int) -> None:
        """Refuse steps and samples beyond those that there are.

        Raises:
            DataError: with the first of them.
        """
        for step in self.steps:
            if step > timesteps:
                raise DataError(f"there is no step {step}: the network has {timesteps}, from 1")
        for sample in self.samples:
            if sample >= samples:
                raise DataError(f"there is no sample {sample}: the data has {samples:,}, from 0")


@dataclass(frozen=True, eq=False)
class Analysis:
    """What a data set showed.

    of: the float model, or the program's integers (and its host's floats).  rates: of every layer,
    by name.  membranes: of the layers in `detailed`; patterns: of those of them whose patterns
    could be counted.  spikes_by_sample: all layers together, (samples,).  sample_spikes: bool
    (settings.samples, timesteps, channels, height, width) of the detailed layers.
    periods: of neurons with a constant input.  codes: of an image without neurons.
    """

    name: str
    of: Literal["model", "chip"]
    target: str
    samples: int
    timesteps: int
    settings: Settings
    layers: tuple[SpikingLayer, ...]
    detailed: tuple[str, ...]
    rates: Mapping[str, LayerRates]
    membranes: Mapping[str, Membranes]
    patterns: Mapping[str, Patterns]
    spikes_by_sample: np.ndarray
    sample_spikes: Mapping[str, np.ndarray]
    periods: tuple[PeriodSums, ...]
    codes: tuple[CodeSums, ...]
    notes: tuple[str, ...] = field(default=())

    @property
    def spikes_spread(self) -> float:
        """Standard deviation of the spikes a sample."""
        return float(self.spikes_by_sample.std())
