"""Exact and fast: feed-forward networks layer by layer, all steps of many samples in one call.

Works on aligned time: a projection brings step tau of its source to step tau of its target, which
is what consistent depths and delays mean (`misaligned` lists the projections where they do not;
`run_network` then steps the pipelined chip instead).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np

from snndeploy.engines.activity import Activity
from snndeploy.engines.attended import currents, fired, refined
from snndeploy.engines.boundary import Injected, count_samples
from snndeploy.engines.convolution import synapses
from snndeploy.engines.layer import Contribution, Layer, channels_last
from snndeploy.engines.recording import Observer, Recording
from snndeploy.errors import DeployError
from snndeploy.network import Network, Population, Projection
from snndeploy.neurons.kernel import Result

WORKING_SET_BYTES = 200_000_000

Payload = tuple[np.ndarray, int]
"""(samples, steps, neurons) uint8 or int32, channels-last, and its largest magnitude."""


def run_functional(
    network: Network,
    injected: Injected,
    record: Iterable[str] = (),
    record_membranes: Iterable[str] = (),
    observer: Observer | None = None,
    samples: int = 1,
    batch: int | None = None,
) -> Activity:
    """Run a feed-forward network, ignoring depths and delays (see the top of this file).

    injected: see `boundary.Injected`.   record, record_membranes: names of populations to keep.
    observer: called per population and batch.   samples: only for a network without injections.
    batch: samples computed at once; None keeps the working set at a few hundred megabytes.
    """
    if network.is_recurrent:
        raise DeployError("a recurrent network cannot run layer by layer; use run_network")
    samples = count_samples(network, injected, samples)
    recording = Recording(network, record, record_membranes, observer)
    batch = batch or batch_size(network, samples)
    for start in range(0, samples, batch):
        _Batch(network, injected, slice(start, min(start + batch, samples)), recording).run()
    return recording.activity(samples)


def misaligned(network: Network) -> tuple[tuple[Projection, int], ...]:
    """Forward projections whose spikes arrive a number of steps late (negative: early)."""
    order = {population.name: index for index, population in enumerate(network.populations)}
    found = []
    for projection in network.projections:
        source, target = network.by_name[projection.source], network.by_name[projection.target]
        late = projection.delay - (target.arrival - source.depth - 1)
        if late and order[projection.source] < order[projection.target]:
            found.append((projection, late))
    return tuple(found)


def batch_size(network: Network, samples: int) -> int:
    """Samples whose spikes, shared sums and largest layer fit into WORKING_SET_BYTES."""
    uses = Counter((p.source, id(p.connection)) for p in network.projections)
    shared = {
        (p.source, id(p.connection)): network.by_name[p.target].neurons
        for p in network.projections
        if uses[p.source, id(p.connection)] > 1
    }
    payloads = sum(p.neurons * (4 if p.neuron.sends_integers else 1) for p in network.populations)
    largest = max((p.neurons for p in network.populations), default=0)
    sample = network.timesteps * (payloads + 4 * sum(shared.values()) + 12 * largest)
    return max(1, min(samples, WORKING_SET_BYTES // max(sample, 1)))


def measured(payload: np.ndarray) -> Payload:
    """A graded payload with its largest magnitude; as bytes when it fits."""
    smallest, largest = int(payload.min(initial=0)), int(payload.max(initial=0))
    if smallest >= 0 and largest <= 255:
        return payload.astype(np.uint8), largest
    return payload, max(largest, -smallest)


def host_payload(
    population: Population, network: Network, injected: Injected, batch: slice
) -> Result:
    """What the host sends for an input population in a batch."""
    shape = (batch.stop - batch.start, network.timesteps, population.neurons)
    kind = np.int32 if population.neuron.sends_integers else np.uint8
    for index, injection in enumerate(network.injections):
        if injection.target == population.name and injection.mode == "spikes":
            flat = channels_last(injected[index][batch].astype(kind)).reshape(shape)
            return Result(flat, np.count_nonzero(flat, axis=2).astype(np.int64))
    return Result(np.zeros(shape, dtype=kind), np.zeros(shape[:2], dtype=np.int64))


def delayed(payload: np.ndarray, delays: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    """Each source neuron's payloads some steps later: (samples, steps, neurons) channels-last.

    delays: int, flat source order (C, H, W).
    """
    late = channels_last(np.asarray(delays).reshape(shape)).reshape(-1)
    result = np.zeros_like(payload)
    for delay in np.unique(late[late < payload.shape[1]]).tolist():
        chosen = late == delay
        result[:, delay:, chosen] = payload[:, : payload.shape[1] - delay, chosen]
    return result


class _Batch:
    """One pass through the network for the samples of one batch."""

    def __init__(self, network: Network, injected: Injected, batch: slice, recording: Recording):
        self.network = network
        self.injected = injected
        self.batch = batch
        self.recording = recording
        self.payloads: dict[str, Payload] = {}
        self.sums: dict[tuple[str, int, int], Contribution] = {}
        self.waiting = Counter(projection.source for projection in network.projections)
        self.sharing = Counter(_key(projection) for projection in network.projections)

    def run(self) -> None:
        for population in self.network.populations:
            layer = Layer(self.network, population, self.injected, self.batch)
            result = self._result(population, layer)
            if self.waiting[population.name]:
                binary = result.payload.dtype == np.uint8
                self.payloads[population.name] = (
                    (result.payload, 1) if binary else measured(result.payload)
                )
            self.recording.take(layer, result)

    def _result(self, population: Population, layer: Layer) -> Result:
        if not population.neuron.on_chip:
            return host_payload(population, self.network, self.injected, self.batch)
        arriving = self._contributions(population)
        steps = self.network.timesteps
        wanted = (
            self.recording.wants_updated,
            self.recording.wants_membranes(population.name),
        )
        if population.attention:
            w = refined(layer, currents(layer, arriving, steps))
            return fired(layer, w, *wanted)
        return layer.advance(arriving, steps, *wanted)

    def _contributions(self, population: Population) -> list[Contribution]:
        found = []
        for projection in self.network.incoming(population.name):
            shared = self._sums(projection)
            exponent = shared.exponent + projection.exponent
            found.append(Contribution(shared.sums, exponent, shared.bound))
        for index, injection in enumerate(self.network.injections):
            if injection.target == population.name and injection.mode == "graded":
                values = channels_last(self.injected[index][self.batch]).astype(np.int32)
                bound = int(np.abs(values.astype(np.int64)).max(initial=0))
                found.append(Contribution(values, injection.exponent, bound))
        return found

    def _sums(self, projection: Projection) -> Contribution:
        """Sums of weight * payload, computed once for all targets that share the connection."""
        key = _key(projection)
        if key not in self.sums:
            source = self.network.by_name[projection.source]
            payload, largest = self.payloads[projection.source]
            if projection.axonal_delay is not None:
                payload = delayed(payload, projection.axonal_delay, source.shape)
            channels, height, width = source.shape
            prepared = synapses(projection.connection, source.shape)
            sums = prepared(payload.reshape(-1, height, width, channels), largest)
            self.sums[key] = Contribution(sums, prepared.exponent, prepared.bound(largest))
        self.sharing[key] -= 1
        self.waiting[projection.source] -= 1
        if not self.waiting[projection.source]:
            self.payloads.pop(projection.source, None)
        return self.sums[key] if self.sharing[key] else self.sums.pop(key)


def _key(projection: Projection) -> tuple[str, int, int]:
    """Projections with equal keys have equal sums."""
    return projection.source, id(projection.connection), id(projection.axonal_delay)
