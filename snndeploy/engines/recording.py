"""What a run keeps: collects populations batch by batch into one Activity."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

import numpy as np

from snndeploy.engines.activity import Activity
from snndeploy.engines.boundary import describe_overflows, read_outputs, readings_of
from snndeploy.engines.layer import Layer, channels_first
from snndeploy.errors import DataError, near_names
from snndeploy.network import Network, Population
from snndeploy.neurons import no_overflows
from snndeploy.neurons.kernel import Result


class Observer(Protocol):
    """Sees every population once per batch of samples, in the order of the network's list.

    Batches are consecutive: the n-th call for a population holds the samples after those of its
    (n-1)-th call.  spikes, (samples, timesteps, C, H, W), is uint8, or int32 for relays and graded
    inputs; updated, uint8 of that shape, marks neurons with input, bias or a membrane that is not
    zero before the step (None for inputs).  Both are views of channels-last memory and are freed
    after the call.
    """

    def __call__(
        self, population: Population, spikes: np.ndarray, updated: np.ndarray | None
    ) -> None: ...


class Recording:
    """Counts always; spikes and membranes of the populations asked for."""

    def __init__(
        self,
        network: Network,
        record: Iterable[str] = (),
        record_membranes: Iterable[str] = (),
        observer: Observer | None = None,
    ) -> None:
        self.network = network
        self.record = set(record)
        self.record_membranes = set(record_membranes)
        self.observer = observer
        for name in sorted(self.record | self.record_membranes):
            if name not in network.by_name:
                hint = near_names(name, network.by_name)
                raise DataError(f"no population {name!r} to record{hint}")
        for name in sorted(self.record_membranes):
            if not network.by_name[name].neuron.has_membrane:
                raise DataError(f"population {name!r} has no membrane to record")
        self.overflows = {p.name: no_overflows() for p in network.populations}
        self._readings: dict[int, list[np.ndarray]] = {id(r): [] for r in network.readouts}
        self._counts: dict[str, list[np.ndarray]] = {p.name: [] for p in network.populations}
        self._spikes: dict[str, list[np.ndarray]] = {name: [] for name in self.record}
        self._membranes: dict[str, list[np.ndarray]] = {name: [] for name in self.record_membranes}

    def wants_membranes(self, name: str) -> bool:
        """Of every step, to keep them or because a head reads them."""
        read = (r for r in self.network.readouts if r.population == name and r.kind == "membrane")
        return name in self.record_membranes or any(r.steps for r in read)

    @property
    def wants_updated(self) -> bool:
        return self.observer is not None

    def take(self, layer: Layer, result: Result) -> None:
        """One population's whole window for one batch."""
        population = layer.population
        name = population.name
        spikes = channels_first(result.payload, population)
        self.overflows[name] += layer.overflows
        self._counts[name].append(result.counts)
        if name in self.record:
            self._spikes[name].append(np.ascontiguousarray(spikes))
        membranes = None
        if result.membranes is not None:
            membranes = channels_first(result.membranes, population)
        if name in self.record_membranes:
            assert membranes is not None
            self._membranes[name].append(np.ascontiguousarray(membranes))
        for readout in self.network.readouts:
            if readout.population != name:
                continue
            if readout.kind == "membrane" and not readout.steps:
                found = channels_first(layer.state["v"], population)[:, None]
            else:
                found = readings_of(self.network, readout, membranes, spikes)
            self._readings[id(readout)].append(np.ascontiguousarray(found))
        if self.observer is not None:
            updated = result.updated
            marked = None if updated is None else channels_first(updated, population)
            self.observer(population, spikes, marked)

    def activity(self, samples: int) -> Activity:
        return Activity(
            outputs=read_outputs(
                self.network, samples, lambda head: np.concatenate(self._readings[id(head)])
            ),
            spike_counts={name: np.concatenate(parts) for name, parts in self._counts.items()},
            spikes={name: np.concatenate(parts) for name, parts in self._spikes.items()},
            membranes={name: np.concatenate(parts) for name, parts in self._membranes.items()},
            overflows=self.overflows,
            warnings=describe_overflows(self.network, self.overflows),
        )
