"""Simulate a program on data: encoder, chip, traffic, time, energy, and the float model beside."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from snndeploy.engines.boundary import describe_overflows
from snndeploy.engines.engine import engine_name, late_arrival, run_network
from snndeploy.engines.functional import misaligned
from snndeploy.errors import DataError
from snndeploy.graph import Graph
from snndeploy.network import Network, Population
from snndeploy.ops.answer import answers_by_head
from snndeploy.ops.evaluate import by_step, evaluate
from snndeploy.program import Program
from snndeploy.program.input_range import range_warning
from snndeploy.simulator.answers import answers_of
from snndeploy.simulator.answers import logits_of as logits_of
from snndeploy.target.events import require_times
from snndeploy.timing.analytic import Timing, analytic_timing, load_of
from snndeploy.timing.cycle import CycleTiming, cycle_timing
from snndeploy.timing.cycle_walk import SpikeRecorder
from snndeploy.timing.energy import Energy, chip_energy
from snndeploy.timing.hotspots import Hotspots, hotspots
from snndeploy.traffic.counter import TrafficCounter
from snndeploy.traffic.layers import merge

COUNTER_BYTES = 400_000_000  # what one chunk's traffic counters may take
BATCH_ELEMENTS = 60_000_000  # neuron values of the float model and the chip in one batch

Progress = Callable[[int, int], None]


@dataclass(eq=False)
class LayerActivity:
    """Sums over the run of one population."""

    neurons: int
    spikes: int = 0
    matching: int | None = None  # (neuron, step) pairs equal to the float model's


@dataclass(eq=False)
class Simulation:
    """What a run found.

    logits: answers of the first head, (samples, values), of the chip; reference_logits: of the
    float model, or None.  other_answers, other_reference: those of the other heads.
    totals: the traffic counters, mean a sample; largest_link_load: messages in one step.
    layer_traffic: by population, counts by chip step, summed over the samples (traffic_layers.py).
    hotspots: busy cores and links, and what the run waits for.
    graded_operations: synaptic operations that multiply a graded payload, mean a sample; part of
    totals["synaptic_operations"].
    """

    samples: int
    logits: np.ndarray
    reference_logits: np.ndarray | None
    layers: dict[str, LayerActivity]
    totals: dict[str, float]
    largest_link_load: int
    timings: list[Timing]
    energies: list[Energy]
    layer_traffic: dict[str, dict[str, np.ndarray]]
    hotspots: Hotspots
    graded_operations: float = 0.0
    warnings: list[str] = field(default_factory=list)
    engine: str = ""
    cycle: CycleTiming | None = None
    input_warning: str = ""
    """Where the data lie far outside what calibration saw (`program.input_range`)."""
    host_rates: dict[str, float] = field(default_factory=dict)
    """Spikes a neuron and step of the encoder's own neurons, by graph node."""
    channel_spikes: dict[str, np.ndarray] = field(default_factory=dict)
    """Spikes by channel over the run, of populations that carry reduced ones (`Reduced`)."""
    other_answers: list[np.ndarray] = field(default_factory=list)
    other_reference: list[np.ndarray] = field(default_factory=list)

    def answers(self) -> list[tuple[np.ndarray, np.ndarray | None]]:
        """Of every head, the chip's and the float model's."""
        others: list[np.ndarray | None] = [*self.other_reference]
        others = others or [None] * len(self.other_answers)
        return [
            (self.logits, self.reference_logits),
            *zip(self.other_answers, others, strict=True),
        ]

    def timing_mean(self, name: str) -> float | None:
        parts = [getattr(timing, name) for timing in self.timings]
        if any(part is None for part in parts):
            return None
        return float(np.concatenate(parts).mean())


def injections_of(
    network: Network, model: Graph, values: Mapping[str, object], samples: int
) -> tuple[dict[int, np.ndarray], int]:
    """Integers for every injection from the encoder's tensors, and how many were clipped."""
    injected: dict[int, np.ndarray] = {}
    clipped = 0
    for index, injection in enumerate(network.injections):
        node = model.by_name[injection.encoder_output]
        real = by_step(node, values[injection.encoder_output], samples)
        real = network.kept_of(injection.target, real)
        if injection.mode == "bias":
            real = real[:, 0]
        integers = injection.quantize(real)
        clipped += int((injection.rounded(real) != integers).sum())
        if injection.mode != "bias" and integers.shape[1] == 1:
            integers = np.repeat(integers, network.timesteps, axis=1)
        injected[index] = integers
    return injected, clipped


def encode(program: Program, x: np.ndarray) -> tuple[dict[int, np.ndarray], int]:
    """Integers that the host sends for a batch of inputs."""
    outputs = program.encoder_outputs
    values = evaluate(program.encoder, x, outputs) if outputs else {}
    return injections_of(program.network, program.model, values, len(x))


def check_input(program: Program, x: np.ndarray) -> None:
    """Refuse data that is not what the model takes.

    Raises:
        DataError: wrong shape, not numbers, NaN or infinite.
    """
    expected = tuple(size for size in program.model.input.shape[1:])
    if x.ndim < 1 or len(x) == 0:
        raise DataError("the data holds no samples")
    if tuple(x.shape[1:]) != expected:
        raise DataError(
            f"samples have shape {tuple(x.shape[1:])}, the model takes {expected}; reshape or"
            " resize the data"
        )
    if x.dtype.kind not in "biuf":
        raise DataError(f"the data has type {x.dtype}; numbers are needed")
    bad = int((~np.isfinite(x)).sum()) if x.dtype.kind == "f" else 0
    if bad:
        raise DataError(f"the data has {bad} values that are NaN or infinite")


def simulate(
    program: Program,
    x: np.ndarray,
    *,
    reference: bool = True,
    batch: int | None = None,
    cycle_samples: int = 0,
    progress: Progress | None = None,
) -> Simulation:
    """Run every sample of `x` on the emulated chip.

    reference: run the float model beside it and compare spikes.  batch: samples at once.
    cycle_samples: the first so many samples are timed message by message, the others scaled.
    """
    check_input(program, x)
    require_times(program.target)
    run = _Run(program, len(x), reference and program.has_float_model, cycle_samples)
    warning = range_warning(program.facts.input_range, x)
    size = batch or _batch_size(program)
    chunk = max(size, _chunk_size(program), cycle_samples)
    tables = TrafficCounter(program.network, program.layout, min(chunk, len(x)), program.target)
    for start in range(0, len(x), chunk):
        part = x[start : start + chunk]
        counter = tables.fresh(len(part))
        for first in range(0, len(part), size):
            run.batch(part[first : first + size].astype(np.float32), counter)
            if progress:
                progress(min(start + first + size, len(x)), len(x))
        run.account(counter)
    return replace(run.result(), input_warning=warning)


def _batch_size(program: Program) -> int:
    each = program.network.neurons * program.network.timesteps
    return max(1, min(64, BATCH_ELEMENTS // max(each, 1)))


def _chunk_size(program: Program) -> int:
    each = program.layout.cores * program.network.chip_steps * 8 * 8
    return max(1, COUNTER_BYTES // max(each, 1))


class _Run:
    def __init__(
        self,
        program: Program,
        samples: int,
        reference: bool,
        cycle_samples: int,
    ) -> None:
        self.program, self.samples = program, samples
        self.reference = reference
        network = program.network
        self.layers = {
            p.name: LayerActivity(p.neurons, 0, 0 if self._comparable(p) else None)
            for p in network.populations
        }
        self.answers: list[list[np.ndarray]] = []
        self.reference_answers: list[list[np.ndarray]] = []
        self.totals: dict[str, float] = {}
        self.largest_link_load = 0
        self.timings: list[Timing] = []
        self.energies: list[Energy] = []
        self.layer_traffic: dict[str, dict[str, np.ndarray]] = {}
        self.hotspots: Hotspots | None = None
        self.warnings: list[str] = []
        self.overflows: dict[str, np.ndarray] = {}
        self.channel_spikes = {
            p.name: np.zeros(p.shape[0], dtype=np.int64)
            for p in network.populations
            if any(entry.carrier == p.name for entry in network.reduced)
        }
        self.clipped = 0
        timed = range(min(cycle_samples, samples))
        self.recorder = SpikeRecorder(network, timed) if cycle_samples else None
        self.cycle: CycleTiming | None = None
        self.accounted = 0
        encoder = program.encoder if program.encoder_outputs else None
        self.host_spikes = {n.name: 0.0 for n in encoder.neurons()} if encoder else {}

    def _comparable(self, population: Population) -> bool:
        return self.reference and population.neuron.fires and bool(population.origin)

    def batch(self, x: np.ndarray, counter: TrafficCounter) -> None:
        program, samples = self.program, len(x)
        compared = {p.name: p.origin for p in program.network.populations if self._comparable(p)}
        record = [*program.encoder_outputs, *self.host_spikes]
        graph = program.encoder if record else program.model
        if self.reference:
            graph = program.model
            record += [*program.model.outputs, *compared.values()]
        values = evaluate(graph, x, dict.fromkeys(record)) if record else {}
        injected, clipped = injections_of(program.network, program.model, values, samples)
        self.clipped += clipped
        for name in self.host_spikes:
            self.host_spikes[name] += float(values[name].mean()) * samples
        for index, integers in injected.items():
            counter.observe_injection(index, integers)
            if self.recorder:
                self.recorder.observe_injection(index, integers)

        def observe(population: Population, spikes: np.ndarray, updated: np.ndarray | None) -> None:
            counter(population, spikes, updated)
            if self.recorder:
                self.recorder(population, spikes, updated)
            layer = self.layers[population.name]
            layer.spikes += int(np.count_nonzero(spikes))
            if population.name in self.channel_spikes:
                self.channel_spikes[population.name] += np.count_nonzero(spikes, axis=(0, 1, 3, 4))
            if layer.matching is not None:
                node = program.model.by_name[population.origin]
                wanted = by_step(node, values[population.origin], samples)
                kept = program.network.kept_of(population.name, wanted)
                layer.matching += int((spikes == kept).sum())

        activity = run_network(
            program.network, injected, observer=observe, samples=samples, batch=samples
        )
        for name, counts in activity.overflows.items():
            self.overflows[name] = self.overflows.get(name, 0) + counts
        self.answers.append(answers_of(program.network, activity.outputs))
        if self.reference:
            self.reference_answers.append(answers_by_head(program.model, values, samples))

    def account(self, counter: TrafficCounter) -> None:
        program = self.program
        traffic = counter.result()
        load = load_of(traffic, program.layout, program.target)
        timing = analytic_timing(
            traffic, program.layout, program.target, program.network.timesteps, load
        )
        if self.recorder and self.cycle is None:
            place = (program.network, program.layout, program.target)
            self.cycle = cycle_timing(*place, self.recorder)
        if self.cycle:
            timing = self.cycle.applied_to(timing, first_sample=self.accounted)
        self.accounted += len(timing.latency_seconds)
        found = hotspots(traffic, load, timing)
        self.hotspots = self.hotspots + found if self.hotspots else found
        self.layer_traffic = merge([self.layer_traffic, counter.layers()])
        self.timings.append(timing)
        self.energies.append(chip_energy(traffic, timing, program.layout, program.target))
        for name in vars(traffic):
            if name in ("link_load", "links"):
                continue
            total = float(getattr(traffic, name).sum())
            self.totals[name] = self.totals.get(name, 0.0) + total / self.samples
        self.largest_link_load = max(self.largest_link_load, int(traffic.link_load.max(initial=0)))

    def result(self) -> Simulation:
        assert self.hotspots is not None, "nothing was simulated"
        self.warnings += [late_arrival(*late) for late in misaligned(self.program.network)]
        self.warnings += describe_overflows(self.program.network, self.overflows)
        if self.clipped:
            self.warnings.append(f"{self.clipped:,} host values were clipped to their register")
        logits, *others = _joined(self.answers)
        reference = _joined(self.reference_answers)
        return Simulation(
            samples=self.samples,
            logits=logits,
            reference_logits=reference[0] if reference else None,
            layers=self.layers,
            totals=self.totals,
            largest_link_load=self.largest_link_load,
            timings=self.timings,
            energies=self.energies,
            layer_traffic=self.layer_traffic,
            hotspots=self.hotspots,
            graded_operations=self.totals["graded_operations"],
            warnings=self.warnings,
            engine=engine_name(self.program.network),
            cycle=self.cycle,
            host_rates={k: v / self.samples for k, v in self.host_spikes.items()},
            channel_spikes=self.channel_spikes,
            other_answers=others,
            other_reference=reference[1:],
        )


def _joined(batches: list[list[np.ndarray]]) -> list[np.ndarray]:
    """Of every head, all batches."""
    return [np.concatenate(parts) for parts in zip(*batches, strict=True)]
