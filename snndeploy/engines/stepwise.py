"""The pipelined chip step by step, vectorised over samples: recurrent networks, odd delays.

Equal to `reference.run_reference` for every network, with the kernels of the fast engine.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from snndeploy.engines.activity import Activity
from snndeploy.engines.attended import currents, fired, refined
from snndeploy.engines.boundary import Injected, count_samples
from snndeploy.engines.convolution import synapses
from snndeploy.engines.functional import batch_size, host_payload, measured
from snndeploy.engines.layer import Contribution, Layer, channels_last
from snndeploy.engines.recording import Observer, Recording
from snndeploy.network import Network, Population, Projection
from snndeploy.neurons.kernel import Result


def run_stepwise(
    network: Network,
    injected: Injected,
    record: Iterable[str] = (),
    record_membranes: Iterable[str] = (),
    observer: Observer | None = None,
    samples: int = 1,
    batch: int | None = None,
) -> Activity:
    """Run any network, honouring depths and delays as the chip does.  As `run_functional`."""
    samples = count_samples(network, injected, samples)
    recording = Recording(network, record, record_membranes, observer)
    batch = batch or batch_size(network, samples)
    for start in range(0, samples, batch):
        _Batch(network, injected, slice(start, min(start + batch, samples)), recording).run()
    return recording.activity(samples)


class _Batch:
    """One sample window for the samples of one batch."""

    def __init__(self, network: Network, injected: Injected, batch: slice, recording: Recording):
        self.network = network
        self.injected = injected
        self.batch = batch
        self.recording = recording
        self.layers = {p.name: Layer(network, p, injected, batch) for p in network.populations}
        self.held: dict[str, list[np.ndarray]] = {}
        self.results = {p.name: self._empty(p) for p in network.populations}
        self.arrivals = {id(p): _arrival_groups(network, p) for p in network.projections}
        self.graded = {
            index: channels_last(injected[index][batch]).astype(np.int32)
            for index, injection in enumerate(network.injections)
            if injection.mode == "graded"
        }

    def _empty(self, population: Population) -> Result:
        if not population.neuron.on_chip:
            return host_payload(population, self.network, self.injected, self.batch)
        samples = self.batch.stop - self.batch.start
        shape = (samples, self.network.timesteps, population.neurons)
        membranes = self.recording.wants_membranes(population.name)
        return Result(
            np.zeros(shape, dtype=np.int32 if population.neuron.sends_integers else np.uint8),
            np.zeros(shape[:2], dtype=np.int64),
            np.zeros(shape, dtype=np.uint8) if self.recording.wants_updated else None,
            np.zeros(shape, dtype=np.int32) if membranes else None,
        )

    def run(self) -> None:
        for chip_step in range(1, self.network.chip_steps + 1):
            for population in self.network.populations:
                if population.neuron.on_chip:
                    self._chip_step(population, chip_step)
        for population in self.network.populations:
            self.recording.take(self.layers[population.name], self.results[population.name])

    def _chip_step(self, population: Population, chip_step: int) -> None:
        """Take in what arrives, and work on the step that is due; behind a full window, later."""
        arrives = chip_step - population.arrival - 1
        tau = chip_step - population.depth - 1
        if population.arrival != population.depth and 0 <= arrives < self.network.timesteps:
            layer = self.layers[population.name]
            now = currents(layer, self._contributions(population, arrives), 1)
            self.held.setdefault(population.name, []).append(now)
        if 0 <= tau < self.network.timesteps:
            self._step(population, tau)

    def _step(self, population: Population, tau: int) -> None:
        result = self.results[population.name]
        layer = self.layers[population.name]
        wanted = (result.updated is not None, result.membranes is not None)
        if not population.attention:
            stepped = layer.advance(self._contributions(population, tau), 1, *wanted)
        elif population.arrival == population.depth:
            now = currents(layer, self._contributions(population, tau), 1)
            stepped = fired(layer, refined(layer, now), *wanted)
        else:
            if tau == 0:
                whole = refined(layer, np.concatenate(self.held[population.name], axis=1))
                self.held[population.name] = list(np.moveaxis(whole[:, None], 2, 0))
            stepped = fired(layer, self.held[population.name][tau], *wanted)
        result.payload[:, tau] = stepped.payload[:, 0]
        result.counts[:, tau] = stepped.counts[:, 0]
        if result.updated is not None and stepped.updated is not None:
            result.updated[:, tau] = stepped.updated[:, 0]
        if result.membranes is not None and stepped.membranes is not None:
            result.membranes[:, tau] = stepped.membranes[:, 0]

    def _contributions(self, population: Population, tau: int) -> list[Contribution]:
        found = []
        for projection in self.network.incoming(population.name):
            payload = self._arriving(projection, tau)
            if payload is None:
                continue
            source = self.network.by_name[projection.source]
            channels, height, width = source.shape
            prepared = synapses(projection.connection, source.shape)
            payload, largest = measured(payload)
            sums = prepared(payload.reshape(-1, height, width, channels), largest)
            exponent = prepared.exponent + projection.exponent
            found.append(Contribution(sums, exponent, prepared.bound(largest)))
        for index, values in self.graded.items():
            injection = self.network.injections[index]
            if injection.target == population.name:
                now = np.ascontiguousarray(values[:, tau])
                bound = int(np.abs(now.astype(np.int64)).max(initial=0))
                found.append(Contribution(now, injection.exponent, bound))
        return found

    def _arriving(self, projection: Projection, tau: int) -> np.ndarray | None:
        """Payloads (samples, neurons) that the target's step tau sees; None when all are zero."""
        history = self.results[projection.source].payload
        arriving = np.zeros((history.shape[0], history.shape[2]), dtype=history.dtype)
        for lag, chosen in self.arrivals[id(projection)]:
            if 0 <= tau - lag < self.network.timesteps:
                arriving[:, chosen] = history[:, tau - lag, chosen]
        return arriving if arriving.any() else None


def _arrival_groups(
    network: Network, projection: Projection
) -> tuple[tuple[int, slice | np.ndarray], ...]:
    """(target's tau minus source's tau, which source neurons): those with the same total delay.

    Neurons whose total delay is negative would be read from the future; they never arrive.
    """
    source, target = network.by_name[projection.source], network.by_name[projection.target]
    skew = source.depth + 1 - target.arrival
    if projection.axonal_delay is None:
        return ((skew + projection.delay, slice(None)),) if projection.delay >= 0 else ()
    late = channels_last(np.asarray(projection.axonal_delay).reshape(source.shape)).reshape(-1)
    total = projection.delay + late
    return tuple(
        (skew + delay, np.flatnonzero(total == delay))
        for delay in np.unique(total[total >= 0]).tolist()
    )
