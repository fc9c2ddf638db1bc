"""The walk over a data set: batch after batch into sums, so that memory does not grow with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from snndeploy.analysis.coding import Coding, PeriodSums, codings, take_periods
from snndeploy.analysis.input_code import CodeSums, input_codes, take_codes
from snndeploy.analysis.layers import SpikingLayer, layers_of_chip, layers_of_model
from snndeploy.analysis.result import Analysis, Settings
from snndeploy.analysis.runs import ChipRun, run_model
from snndeploy.analysis.sums import Sums
from snndeploy.engines.boundary import describe_overflows
from snndeploy.errors import ModelError, ProgramError
from snndeploy.graph import Graph
from snndeploy.program import Program

BATCH_VALUES = 12_000_000  # steps x neurons x samples at once
LARGEST_BATCH = 64

Progress = Callable[[int, int], None]


def analyze_model(
    graph: Graph,
    x: np.ndarray,
    settings: Settings | None = None,
    progress: Progress | None = None,
) -> Analysis:
    """Analyse a float graph (with signals) on x (samples, ...), float32.

    Raises:
        ModelError: it has no spiking neurons.
        DataError: a layer, step or sample is unknown, or what is asked for does not fit into
        memory.
    """
    settings = settings or Settings()
    layers = layers_of_model(graph)
    if not layers:
        raise ModelError(f"{graph.name or 'the model'} has no spiking neurons to analyse")
    settings.check(len(x), graph.timesteps)
    sums, coding = Sums(layers, graph.timesteps, settings), _CodingSums(graph)

    def batch(part: np.ndarray) -> None:
        run_model(graph, part, layers, sums.membrane_keys, sums)
        coding.take(part)

    _walk(batch, x, _batch_size(settings, layers, graph), sums, progress)
    return sums.result(graph.name, "model", "", coding.periods, coding.codes, coding.notes())


def analyze_chip(
    program: Program,
    x: np.ndarray,
    settings: Settings | None = None,
    progress: Progress | None = None,
) -> Analysis:
    """Analyse a program's integers, bit for bit as the simulator runs them.

    Raises:
        ProgramError: nothing in it spikes.
        DataError: a layer, step or sample is unknown, or what is asked for does not fit into
        memory.
    """
    settings = settings or Settings()
    layers = layers_of_chip(program)
    if not any(layer.place == "chip" for layer in layers):
        raise ProgramError(f"{program.name} has no spiking populations to analyse")
    settings.check(len(x), program.network.timesteps)
    sums = Sums(layers, program.network.timesteps, settings)
    run = ChipRun(program, layers, sums.membrane_keys)
    coding = _CodingSums(program.model)

    def batch(part: np.ndarray) -> None:
        run.batch(part, sums)
        coding.take(part)

    _walk(batch, x, _batch_size(settings, layers, program.model), sums, progress)
    notes = [*coding.notes(), *describe_overflows(program.network, run.overflows)]
    if program.network.reduced:
        notes.append("channels that the reduction removed are not counted: rates are the chip's")
    if run.clipped:
        notes.append(f"{run.clipped:,} host values were clipped to their register")
    return sums.result(
        program.name, "chip", program.target.name, coding.periods, coding.codes, notes
    )


def _walk(
    batch: Callable[[np.ndarray], None],
    x: np.ndarray,
    size: int,
    sums: Sums,
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


class _CodingSums:
    """How a graph's input is coded: by neurons with a constant current, or without neurons."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        needed = graph.ancestors(graph.outputs)
        names = [node.name for node in graph.neurons() if node.name in needed]
        self.found: tuple[Coding, ...] = codings(graph, names)
        self.periods = tuple(
            PeriodSums(coding, graph.timesteps) for coding in self.found if not coding.refusal
        )
        self.codes = tuple(CodeSums(code, graph.timesteps) for code in input_codes(graph))

    def take(self, x: np.ndarray) -> None:
        take_periods(self.graph, self.periods, x)
        take_codes(self.graph, self.codes, x)

    def notes(self) -> list[str]:
        """What is absent."""
        periods = [
            f"T_p of {coding.node.label} is absent: {coding.refusal}"
            for coding in self.found
            if coding.refusal
        ]
        codes = [
            f"entropy of the input code is absent: {code.patterns.absent}"
            for code in self.codes
            if code.patterns.absent
        ]
        return [*periods, *codes]
