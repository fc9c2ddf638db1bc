"""Entropy of what an observer sees of a neuron: its T bits S^1..S^T, over a data set (GAC Eq. 9).

    H(V) = - sum over v of p(v) log2 p(v)          bits; V: the neuron's pattern of T bits

GAC leaves open which values v takes, and its Proposition 2 takes a single bit, v in {0, 1}.  The
pattern of T bits is the general case: at T = 1 it is the proposition's, and by the chain rule
    H(S^1..S^T) = sum over t of H(S^t | S^1..S^(t-1))
so that what step t adds is what the observer could not know after step t - 1.  Behind a constant
current a pattern follows from its first spike, and H is the entropy of T_p.

p is a share of the samples.  This estimate is too low by (patterns - 1) / (2 n ln 2) bits to first
order in 1 / n (Miller 1955; patterns: those of p > 0), for which the corrected figure puts in the
patterns that were seen; no estimate exceeds log2 n.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log, log2

import numpy as np

LARGEST_PATTERNS = 8_000_000  # pairs of a neuron and a pattern that are counted, 16 bytes each
KEY_BITS = 62  # of a neuron's number and its pattern in one integer


class PatternSums:
    """How often each neuron of a layer showed each pattern.

    A pair (neuron, pattern) is one integer, neuron * 2^T + pattern, the first step its highest
    bit.  absent: why nothing is counted (any more), or ''.
    """

    def __init__(self, timesteps: int, neurons: int) -> None:
        self.timesteps, self.neurons = timesteps, neurons
        self.samples = 0
        self.keys = np.zeros(0, dtype=np.int64)
        self.counts = np.zeros(0, dtype=np.int64)
        self.bits = np.zeros((0, neurons), dtype=np.int64)
        self.absent = ""
        if timesteps + max(neurons - 1, 1).bit_length() > KEY_BITS:
            self.absent = f"2^{timesteps} patterns of {neurons:,} neurons are too many to count"

    def take(self, step: int, fired: np.ndarray) -> None:
        """fired: bool (samples, ...), the steps of a batch in their order from 0."""
        if self.absent:
            return
        now = fired.reshape(len(fired), self.neurons)
        self.bits = now.astype(np.int64) if step == 0 else 2 * self.bits + now
        if step == self.timesteps - 1:
            self._count()

    def _count(self) -> None:
        self.samples += len(self.bits)
        first = np.arange(self.neurons, dtype=np.int64) << self.timesteps
        keys, counts = np.unique(self.bits + first, return_counts=True)
        self.keys, place = np.unique(np.concatenate([self.keys, keys]), return_inverse=True)
        every = np.concatenate([self.counts, counts])
        self.counts = np.bincount(place, weights=every).astype(np.int64)  # exact below 2^53
        if len(self.keys) > LARGEST_PATTERNS:
            self.absent = f"more than {LARGEST_PATTERNS:,} patterns were seen"
            self.keys, self.counts = self.keys[:0], self.counts[:0]

    def result(self) -> Patterns | None:
        """None where they were too many."""
        if self.absent:
            return None
        return Patterns(self.timesteps, self.neurons, self.samples, self.keys, self.counts)


@dataclass(frozen=True, eq=False)
class Patterns:
    """What `PatternSums` counted."""

    timesteps: int
    neurons: int
    samples: int
    keys: np.ndarray
    counts: np.ndarray

    def bits(self, steps: int | None = None) -> np.ndarray:
        """H of the first `steps` bits (default: all T) of every neuron, (neurons,) bits."""
        neuron, counts = self._of_window(self.timesteps if steps is None else steps)
        weighted = np.bincount(neuron, counts * np.log2(counts), self.neurons)
        found: np.ndarray = np.maximum(log2(self.samples) - weighted / self.samples, 0.0)
        return found

    def seen(self) -> np.ndarray:
        """Patterns that every neuron showed, (neurons,)."""
        return np.bincount(self.keys >> self.timesteps, minlength=self.neurons)

    def corrected_bits(self) -> np.ndarray:
        """H of all T bits with Miller's correction, (neurons,) bits."""
        return self.bits() + (self.seen() - 1) / (2 * self.samples * log(2))

    def step_bits(self) -> np.ndarray:
        """H of the single bit S^t, mean over the neurons, (timesteps,) bits: GAC Proposition 2."""
        found = np.zeros(self.timesteps)
        neuron = self.keys >> self.timesteps
        for step in range(self.timesteps):
            bit = (self.keys >> (self.timesteps - 1 - step)) & 1
            rate = np.bincount(neuron, self.counts * bit, self.neurons) / self.samples
            found[step] = np.mean(_bits_of(rate) + _bits_of(1 - rate))
        return found

    def pooled_bits(self) -> float:
        """H of the pattern of a neuron drawn at random, all neurons and samples together."""
        _, place = np.unique(self.keys & ((1 << self.timesteps) - 1), return_inverse=True)
        counts = np.bincount(place, weights=self.counts)
        total = self.samples * self.neurons
        return max(float(log2(total) - (counts * np.log2(counts)).sum() / total), 0.0)

    def growth(self) -> np.ndarray:
        """Mean over the neurons of H of the first 1, 2, .. T bits, (timesteps,) bits."""
        return np.array([self.bits(steps).mean() for steps in range(1, self.timesteps + 1)])

    @property
    def largest_bits(self) -> float:
        """What neither T bits nor n samples can exceed."""
        return min(float(self.timesteps), log2(self.samples))

    def _of_window(self, steps: int) -> tuple[np.ndarray, np.ndarray]:
        """Neuron and count of every pattern of the first steps; the keys are in order."""
        prefixes = self.keys >> (self.timesteps - steps)
        starts = np.flatnonzero(np.diff(prefixes, prepend=-1))
        return prefixes[starts] >> steps, np.add.reduceat(self.counts, starts)


def _bits_of(p: np.ndarray) -> np.ndarray:
    """- p log2 p, 0 at p = 0."""
    found: np.ndarray = -p * np.log2(np.where(p > 0, p, 1))
    return found
