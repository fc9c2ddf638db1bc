"""The walk over a data set: batch after batch into sums, so that memory does not grow with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from snndeploy.analysis.coding import Coding, PeriodSums, codings, take_periods
from snndeploy.analysis.layers import (
    SpikingLayer,
    chosen,
    layers_of_chip,
    layers_of_model,
)
from snndeploy.analysis.membranes import Membranes, MembraneSums
from snndeploy.analysis.rates import LayerRates, SpikeSums
from snndeploy.analysis.runs import ChipRun, Sink, run_model
from snndeploy.engines.boundary import describe_overflows
from snndeploy.errors import DataError, ModelError, ProgramError
from snndeploy.graph import Graph
from snndeploy.program import Program

LARGEST_MAPS = 32_000_000  # steps x neurons whose spikes are counted one by one, 8 bytes each
BATCH_VALUES = 12_000_000  # steps x neurons x samples at once
LARGEST_BATCH = 64
BARS_PER_THRESHOLD = 10  # of the default bin width
GHOST_THRESHOLD = 0.9

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Settings:
    """layers: names whose maps and membranes are wanted; empty: all, if they fit into memory.
    bin_width: of the membrane histograms, membrane units; None: a tenth of the layer's threshold.
    ghost_threshold: the Pearson correlation from which two ASRV maps are ghosts.
    batch: samples at once; None: chosen by size.

    Raises:
        DataError: a number that is no width or no correlation.
    """

    layers: tuple[str, ...] = ()
    bin_width: float | None = None
    ghost_threshold: float = GHOST_THRESHOLD
    batch: int | None = None

    def __post_init__(self) -> None:
        width, likeness = self.bin_width, self.ghost_threshold
        if width is not None and not 0 < width < float("inf"):
            raise DataError(f"a bin width of {width:g} is none; give a number above 0")
        if not -1 <= likeness <= 1:
            raise DataError(f"a ghost threshold of {likeness:g} is no correlation; give -1..1")


@dataclass(frozen=True, eq=False)
class Analysis:
    """What a data set showed.

    of: the float model, or the program's integers (and its host's floats).  rates: of every layer,
    by name.  membranes: of the layers in `detailed`.  spikes_spread: standard deviation of the
    spikes a sample, all layers together.  periods: of neurons with a constant input; coding_absent:
    why there are none.
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
    spikes_spread: float
    periods: tuple[PeriodSums, ...]
    notes: tuple[str, ...] = field(default=())


def analyze_model(
    graph: Graph,
    x: np.ndarray,
    settings: Settings = Settings(),
    progress: Progress | None = None,
) -> Analysis:
    """Analyse a float graph (with signals) on x (samples, ...), float32.

    Raises:
        ModelError: it has no spiking neurons.
        DataError: a layer is unknown, or what is asked for does not fit into memory.
    """
    layers = layers_of_model(graph)
    if not layers:
        raise ModelError(f"{graph.name or 'the model'} has no spiking neurons to analyse")
    sums = _Sums(layers, graph.timesteps, settings)
    periods, refusals = _period_sums(graph, graph.timesteps)

    def batch(part: np.ndarray) -> None:
        run_model(graph, part, layers, sums.membrane_keys, sums)
        take_periods(graph, periods, part)

    _walk(batch, x, _batch_size(settings, layers, graph), sums, progress)
    return sums.result(graph.name, "model", "", periods, refusals)


def analyze_chip(
    program: Program,
    x: np.ndarray,
    settings: Settings = Settings(),
    progress: Progress | None = None,
) -> Analysis:
    """Analyse a program's integers, bit for bit as the simulator runs them.

    Raises:
        ProgramError: nothing in it spikes.
        DataError: a layer is unknown, or what is asked for does not fit into memory.
    """
    layers = layers_of_chip(program)
    if not any(layer.place == "chip" for layer in layers):
        raise ProgramError(f"{program.name} has no spiking populations to analyse")
    sums = _Sums(layers, program.network.timesteps, settings)
    run = ChipRun(program, layers, sums.membrane_keys)
    periods, refusals = _period_sums(program.model, program.network.timesteps)

    def batch(part: np.ndarray) -> None:
        run.batch(part, sums)
        take_periods(program.model, periods, part)

    _walk(batch, x, _batch_size(settings, layers, program.model), sums, progress)
    notes = [*refusals, *describe_overflows(program.network, run.overflows)]
    if program.network.reduced:
        notes.append("channels that the reduction removed are not counted: rates are the chip's")
    if run.clipped:
        notes.append(f"{run.clipped:,} host values were clipped to their register")
    return sums.result(program.name, "chip", program.target.name, periods, notes)


def _walk(
    batch: Callable[[np.ndarray], None],
    x: np.ndarray,
    size: int,
    sums: _Sums,
    progress: Progress | None,
) -> None:
    for start in range(0, len(x), size):
        part = x[start : start + size].astype(np.float32, copy=False)
        sums.begin(len(part))
        batch(part)
        sums.end()
        if progress:
            progress(min(start + size, len(x)), len(x))


def _batch_size(settings: Settings, layers: Sequence[SpikingLayer], graph: Graph) -> int:
    neurons = sum(layer.neurons for layer in layers)
    values = max(neurons * graph.timesteps, int(np.prod(graph.input.shape)), 1)
    return settings.batch or max(1, min(LARGEST_BATCH, BATCH_VALUES // values))


def _period_sums(graph: Graph, timesteps: int) -> tuple[tuple[PeriodSums, ...], list[str]]:
    needed = graph.ancestors(graph.outputs)
    names = [node.name for node in graph.neurons() if node.name in needed]
    found: tuple[Coding, ...] = codings(graph, names)
    refusals = [
        f"T_p of {coding.node.label} is absent: {coding.refusal}"
        for coding in found
        if coding.refusal
    ]
    return tuple(PeriodSums(c, timesteps) for c in found if not c.refusal), refusals


class _Sums(Sink):
    """All sums of a run; called for every layer, step and batch."""

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
        self.samples = 0
        self.in_batch = np.zeros(0, dtype=np.int64)  # spikes of every sample of the batch
        self.spike_sum = self.spike_square_sum = 0

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

    def begin(self, samples: int) -> None:
        self.in_batch = np.zeros(samples, dtype=np.int64)

    def __call__(
        self, layer: SpikingLayer, step: int, fired: np.ndarray, distance: np.ndarray | None
    ) -> None:
        self.spikes[layer.name].take(step, fired)
        self.in_batch += np.count_nonzero(fired, axis=(1, 2, 3))
        if distance is not None:
            self.membranes[layer.name].take(step, distance, fired)

    def end(self) -> None:
        self.samples += len(self.in_batch)
        self.spike_sum += int(self.in_batch.sum())
        self.spike_square_sum += int(np.square(self.in_batch).sum())

    def result(
        self,
        name: str,
        of: Literal["model", "chip"],
        target: str,
        periods: tuple[PeriodSums, ...],
        notes: Sequence[str],
    ) -> Analysis:
        assert self.samples
        mean_square = self.spike_square_sum * self.samples - self.spike_sum**2
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
            spikes_spread=mean_square**0.5 / self.samples,
            periods=periods,
            notes=(*self.notes, *notes),
        )  # fmt: skip
