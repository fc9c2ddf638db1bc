"""What attention costs by the papers' formulas; `attended` counts it in a traced network.

    Delta_MAC = Delta_MAC1 + Delta_MAC2
    Delta_MAC1  multiplications that find the scores
    Delta_MAC2  multiplications that refine the membrane: T * neurons for each attended dimension

A point (c, h, w) is the size of an attended layer where attention works on it.  Reductions and
kernels are arguments without a default, because the papers contradict themselves (C8, C9).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

Point = tuple[int, int, int]


@dataclass(frozen=True)
class AttentionCount:
    """Trainable parameters, and multiplications of one sample."""

    parameters: int
    mac1: int
    mac2: int

    @property
    def macs(self) -> int:
        """Delta_MAC."""
        return self.mac1 + self.mac2

    def __add__(self, other: AttentionCount) -> AttentionCount:
        """TCA, TSA, CSA, TCSA: the attentions of a product add up (MA Eq. 14)."""
        return AttentionCount(
            self.parameters + other.parameters, self.mac1 + other.mac1, self.mac2 + other.mac2
        )


def refinement(points: Sequence[Point], timesteps: int) -> int:
    """Delta_MAC2 of one attended dimension: T * neurons of the attended layers."""
    return timesteps * sum(prod(point) for point in points)


def temporal(points: Sequence[Point], timesteps: int, *, reduction: int) -> AttentionCount:
    """TA: one MLP T -> T // r -> T a layer, counted once a sample (MA Eq. 7, MA-S section 1)."""
    weights = len(points) * 2 * timesteps * _hidden(timesteps, reduction)
    return AttentionCount(weights, weights, refinement(points, timesteps))


def channel(points: Sequence[Point], timesteps: int, *, reduction: int) -> AttentionCount:
    """CA (CBAM): one MLP c -> c // r -> c a layer, counted once a step (MA Eq. 9, Table 5).

    The MLP runs on two vectors, the mean and the maximum, and is counted once.
    """
    weights = sum(2 * c * _hidden(c, reduction) for c, _, _ in points)
    return AttentionCount(weights, timesteps * weights, refinement(points, timesteps))


def spatial(points: Sequence[Point], timesteps: int, *, kernel: int) -> AttentionCount:
    """SA: one K x K convolution 2 -> 1 a layer and step, no bias (MA Eq. 11; K = 7 in the text)."""
    weights = 2 * kernel * kernel
    mac1 = timesteps * sum(weights * h * w for _, h, w in points)
    return AttentionCount(len(points) * weights, mac1, refinement(points, timesteps))


def eca(points: Sequence[Point], timesteps: int, *, kernel: int, square: bool) -> AttentionCount:
    """ECA: one convolution of K taps along the channels a layer and step (MA Table 5, K = 4).

    square: K * K parameters, as MA Table 5 prints; K taps work either way.
    """
    weights = len(points) * (kernel * kernel if square else kernel)
    mac1 = timesteps * sum(kernel * c for c, _, _ in points)
    return AttentionCount(weights, mac1, refinement(points, timesteps))


def simam(points: Sequence[Point], timesteps: int) -> AttentionCount:
    """SimAM: four multiplications a neuron and step, one a layer, no parameters (MA Table 5).

    One of the four refines the membrane.
    """
    each = refinement(points, timesteps)
    return AttentionCount(0, 3 * each + len(points), each)


def asa_1(points: Sequence[Point], timesteps: int, *, reduction: int) -> AttentionCount:
    """ASA-1: as ASA-2, with an MLP T -> T // r -> T a layer (ASA-S Table S1; r = 2 in the text).

    The MLP runs once a channel and is counted once.
    """
    weights = len(points) * 2 * timesteps * _hidden(timesteps, reduction)
    return asa_2(points, timesteps) + AttentionCount(weights, weights, 0)


def asa_2(points: Sequence[Point], timesteps: int) -> AttentionCount:
    """ASA-2: two 3 x 3 convolutions 2 -> 1 a layer, once a sample, alpha and gamma; one refinement.

    The parameter formula of ASA-S Table S1 leaves alpha and gamma out; its printed total has them.
    """
    mac1 = sum(36 * h * w for _, h, w in points)
    return AttentionCount(len(points) * (36 + 2), mac1, refinement(points, timesteps))


def _hidden(width: int, reduction: int) -> int:
    """floor(width / r) hidden units.

    Raises:
        ValueError: none is left.
    """
    hidden = width // reduction
    if hidden < 1:
        raise ValueError(f"{width} units with a reduction of {reduction} leave no hidden unit")
    return hidden
