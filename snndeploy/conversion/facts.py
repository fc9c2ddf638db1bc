"""What is known of a conversion, as facts that the program keeps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

MaxPool = Literal["average", "any"]


@dataclass(frozen=True)
class Threshold:
    """A layer that was balanced.

    threshold: what one of its spikes stands for.  largest: the largest activation that was seen;
    clipped: the share of activations above the threshold, which no rate of spikes can say.
    """

    layer: str
    threshold: float
    largest: float
    clipped: float


@dataclass(frozen=True)
class AtStep:
    """The converted network, in real numbers, read after some steps.

    agreement: share of samples whose largest answer is the ANN's; accuracy: is the label's (None
    without labels).  distance: rms of (answer - ANN's answer) / rms of the ANN's answer.
    """

    timesteps: int
    agreement: float
    accuracy: float | None
    distance: float


@dataclass(frozen=True)
class Conversion:
    """percentile: of the positive activations, which is the threshold (100: the largest).

    max_pools: what became of them, None where there is none.  balanced_on, measured_on: numbers of
    samples; fresh: those measured were not balanced on.  ann_accuracy: None without labels.
    """

    timesteps: int
    percentile: float
    max_pools: MaxPool | None
    data: str
    balanced_on: int
    measured_on: int
    fresh: bool
    ann_accuracy: float | None
    thresholds: tuple[Threshold, ...]
    steps: tuple[AtStep, ...]
