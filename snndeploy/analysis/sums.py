"""All sums of a run, which grow with the network and not with the data set."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from snndeploy.analysis.coding import PeriodSums
from snndeploy.analysis.entropy import PatternSums
from snndeploy.analysis.input_code import CodeSums
from snndeploy.analysis.layers import SpikingLayer, chosen
from snndeploy.analysis.membranes import MembraneSums
from snndeploy.analysis.rates import LayerRates, SpikeSums
from snndeploy.analysis.result import Analysis, Settings
from snndeploy.analysis.runs import Sink
from snndeploy.errors import DataError

LARGEST_MAPS = 32_000_000  # steps x neurons whose spikes are counted one by one, 8 bytes each
LARGEST_KEPT = 256_000_000  # samples x steps x neurons whose spikes are kept, a byte each
BARS_PER_THRESHOLD = 10  # of the default bin width


class Sums(Sink):
    """Called for every layer, step and batch, between `begin` and `end`."""

    def __init__(self, layers: Sequence[SpikingLayer], timesteps: int, settings: Settings) -> None:
        self.layers, self.timesteps, self.settings = tuple(layers), timesteps, settings
        self.notes: list[str] = []
        detailed = self._detailed()
        self.detailed = tuple(layer.name for layer in detailed)
        self.membrane_keys = {layer.key for layer in detailed}
        self.spikes = {
            layer.name: SpikeSums(timesteps, layer.shape, layer.name in self.detailed)
            for layer in layers
        }
        self.membranes = {layer.name: self._membrane_sums(layer) for layer in detailed}
        self.patterns = {layer.name: PatternSums(timesteps, layer.neurons) for layer in detailed}
        self.kept = self._room_for_samples(detailed)
        self.rows: list[tuple[int, int]] = []  # of the batch: place in `kept`, place in the batch
        self.by_sample: list[np.ndarray] = []  # spikes of every sample, batch by batch
        self.samples = 0

    def _detailed(self) -> tuple[SpikingLayer, ...]:
        wanted = chosen(self.layers, self.settings.layers or [n.name for n in self.layers])
        values = self.timesteps * sum(layer.neurons for layer in wanted)
        if values <= LARGEST_MAPS:
            return wanted
        size = (
            f"{self.timesteps} steps x {values // self.timesteps:,} neurons are {values:,} counts;"
            f" at most {LARGEST_MAPS:,} are kept"
        )
        if self.settings.layers:
            raise DataError(f"maps of the chosen layers do not fit: {size}; choose fewer --layer")
        self.notes.append(
            f"maps, membranes and patterns are absent: {size}; choose layers with --layer"
        )
        return ()

    def _membrane_sums(self, layer: SpikingLayer) -> MembraneSums:
        width = self.settings.bin_width or abs(layer.threshold) / BARS_PER_THRESHOLD or 0.1
        return MembraneSums(layer.name, self.timesteps, layer.shape[0], layer.threshold, width)

    def _room_for_samples(self, detailed: Sequence[SpikingLayer]) -> dict[str, np.ndarray]:
        samples = len(self.settings.samples)
        values = samples * self.timesteps * sum(layer.neurons for layer in detailed)
        if values > LARGEST_KEPT:
            raise DataError(
                f"spikes of {samples} single samples are {values:,} values; at most"
                f" {LARGEST_KEPT:,} are kept: choose fewer --sample, or layers with --layer"
            )
        if not samples:
            return {}
        return {
            layer.name: np.zeros((samples, self.timesteps, *layer.shape), dtype=bool)
            for layer in detailed
        }

    def begin(self, samples: int) -> None:
        """The next `samples` samples of the data are a batch."""
        self.by_sample.append(np.zeros(samples, dtype=np.int64))
        self.rows = [
            (row, sample - self.samples)
            for row, sample in enumerate(self.settings.samples)
            if self.samples <= sample < self.samples + samples
        ]

    def __call__(
        self, layer: SpikingLayer, step: int, fired: np.ndarray, distance: np.ndarray | None
    ) -> None:
        self.spikes[layer.name].take(step, fired)
        self.by_sample[-1] += np.count_nonzero(fired, axis=(1, 2, 3))
        if layer.name in self.patterns:
            self.patterns[layer.name].take(step, fired)
        if layer.name in self.kept:
            for row, place in self.rows:
                self.kept[layer.name][row, step] = fired[place]
        if distance is not None:
            self.membranes[layer.name].take(step, distance, fired)

    def end(self) -> None:
        self.samples += len(self.by_sample[-1])

    def result(
        self,
        name: str,
        of: Literal["model", "chip"],
        target: str,
        periods: tuple[PeriodSums, ...],
        codes: tuple[CodeSums, ...],
        notes: Sequence[str],
    ) -> Analysis:
        assert self.samples
        patterns = {key: sums.result() for key, sums in self.patterns.items()}
        absent = [
            f"entropy of {key} is absent: {sums.absent}"
            for key, sums in self.patterns.items()
            if sums.absent
        ]
        return Analysis(
            name=name,
            of=of,
            target=target,
            samples=self.samples,
            timesteps=self.timesteps,
            settings=self.settings,
            layers=self.layers,
            detailed=self.detailed,
            rates={
                layer.name: LayerRates(
                    self.spikes[layer.name].counts, self.samples, layer.neurons,
                    self.spikes[layer.name].by_neuron,
                )
                for layer in self.layers
            },
            membranes={key: sums.result() for key, sums in self.membranes.items()},
            patterns={key: found for key, found in patterns.items() if found is not None},
            spikes_by_sample=np.concatenate(self.by_sample),
            sample_spikes=self.kept,
            periods=periods,
            codes=codes,
            notes=(*self.notes, *absent, *notes),
        )  # fmt: skip
