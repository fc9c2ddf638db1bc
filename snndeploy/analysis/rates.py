"""Firing rates, from counts of spikes that are added up over samples (MA-S, ASA Definitions 1-2).

    N-SFR(t, neuron)  = part of the samples in which the neuron fires at step t
    C-SFR(t, c)       = mean N-SFR of the channel's neurons
    LSAR(n, t)        = spikes of layer n at step t / its neurons          (ASA: L-SFR)
    LASAR(n)          = mean of LSAR over t                                (ASA: LASFR)
    NSAR(t) = T-SFR(t)= spikes of all layers at step t / all neurons
    NASAR = NASFR     = mean of NSAR over t = sum of N_n * LASAR_n / sum of N_n
    ASRV map          = N-SFR of a channel as a picture
All are means over the samples, and all follow from integer counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

SMALL_BATCH = 255  # samples whose spikes of one neuron and step a byte can count


class SpikeSums:
    """Spikes of one layer, int64: by neuron where `by_neuron`, else by channel.

    counts: (timesteps, channels, height, width), or (timesteps, channels, 1, 1) sums of them.
    """

    def __init__(self, timesteps: int, shape: tuple[int, int, int], by_neuron: bool = True) -> None:
        self.by_neuron = by_neuron
        kept = shape if by_neuron else (shape[0], 1, 1)
        self.counts = np.zeros((timesteps, *kept), dtype=np.int64)

    def take(self, step: int, fired: np.ndarray) -> None:
        """fired: bool (samples, channels, height, width)."""
        if self.by_neuron:
            kind = np.uint8 if len(fired) <= SMALL_BATCH else np.int64
            self.counts[step] += fired.view(np.uint8).sum(axis=0, dtype=kind)
        else:
            per_channel = np.count_nonzero(fired, axis=(0, 2, 3))
            self.counts[step] += per_channel[:, None, None]


@dataclass(frozen=True, eq=False)
class LayerRates:
    """counts: as `SpikeSums` has them, over `samples`; neurons: of the layer."""

    counts: np.ndarray
    samples: int
    neurons: int
    by_neuron: bool

    @property
    def timesteps(self) -> int:
        return len(self.counts)

    @property
    def spikes_by_step(self) -> np.ndarray:
        """int64 (timesteps,), all samples together."""
        total: np.ndarray = self.counts.sum(axis=(1, 2, 3))
        return total

    @property
    def lsar(self) -> np.ndarray:
        """(timesteps,) spikes a neuron."""
        return self.spikes_by_step / (self.samples * self.neurons)

    @property
    def lasar(self) -> float:
        """Spikes a neuron and step."""
        return float(self.spikes_by_step.sum() / (self.samples * self.neurons * self.timesteps))

    @property
    def spikes_per_sample(self) -> float:
        return float(self.spikes_by_step.sum() / self.samples)

    @property
    def n_sfr(self) -> np.ndarray:
        """(timesteps, channels, height, width); only of a layer that was kept by neuron."""
        assert self.by_neuron
        return self.counts / self.samples

    @property
    def c_sfr(self) -> np.ndarray:
        """(timesteps, channels)."""
        positions = self.neurons // self.counts.shape[1]
        return self.counts.sum(axis=(2, 3)) / (self.samples * positions)

    @property
    def asrv(self) -> np.ndarray:
        """ASRV maps averaged over the steps, (channels, height, width), spikes a step."""
        assert self.by_neuron
        return self.counts.sum(axis=0) / (self.samples * self.timesteps)


@dataclass(frozen=True, eq=False)
class NetworkRates:
    """Rates of several layers together.  by_identity: sum of N_n * LASAR_n / sum of N_n."""

    neurons: int
    nsar: np.ndarray
    nasar: float
    spikes_per_sample: float
    by_identity: float


def network_rates(layers: Sequence[LayerRates]) -> NetworkRates | None:
    """None without a layer: no neurons, no rate."""
    if not layers:
        return None
    neurons = sum(layer.neurons for layer in layers)
    spikes = np.sum([layer.spikes_by_step for layer in layers], axis=0)
    samples, timesteps = layers[0].samples, layers[0].timesteps
    return NetworkRates(
        neurons=neurons,
        nsar=spikes / (samples * neurons),
        nasar=float(spikes.sum() / (samples * neurons * timesteps)),
        spikes_per_sample=float(spikes.sum() / samples),
        by_identity=sum(layer.neurons * layer.lasar for layer in layers) / neurons,
    )
