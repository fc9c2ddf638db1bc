"""What crosses the border of a run: injections in, answers and overflow warnings out.

Shared by every engine, so that two engines that agree also say the same words.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from snndeploy.errors import DataError
from snndeploy.network import Network, Population, Readout
from snndeploy.neurons import OVERFLOW_KINDS as OVERFLOW_KINDS

Injected = Mapping[int, np.ndarray]
"""Host values by index into `network.injections`, integers:
bias: mantissas (samples, C, H, W), constant over the sample;
graded: values (samples, timesteps, C, H, W), added to a in the aligned step;
spikes: payloads (samples, timesteps, C, H, W) of an input population."""

_WORDS = {
    "input": "{count} inputs beyond the declared {bits} bits (|a| > {maximum})",
    "wrap": "{count} currents wrapped at 24 bits",
    "saturation": "{count} membranes saturated at 24 bits",
    "attention": "{count} values of attention saturated",
    "payload": "{count} payloads beyond the declared bound of {bound}",
}


def count_samples(network: Network, injected: Injected, samples: int = 1) -> int:
    """Check every array against its injection; the number of samples (`samples` if none says)."""
    known = range(len(network.injections))
    for index in injected:
        if index not in known:
            raise DataError(
                f"injection {index} does not exist: the network has {len(network.injections)}"
            )
    counts: dict[int, int] = {}
    for index, injection in enumerate(network.injections):
        where = f"injection {index} ({injection.mode}) into {injection.target!r}"
        if index not in injected:
            raise DataError(f"{where} got no values; give an array for every injection")
        values = injected[index]
        if values.dtype.kind not in "iub":
            raise DataError(f"{where} has values of type {values.dtype}; give integers")
        shape = network.by_name[injection.target].shape
        expected = shape if injection.mode == "bias" else (network.timesteps, *shape)
        if values.shape[1:] != expected:
            raise DataError(
                f"{where} has values of shape {values.shape}; expected (samples, "
                f"{', '.join(map(str, expected))})"
            )
        if injection.mode == "spikes":
            modes = [other.mode for other in network.injections_into(injection.target)]
            if modes.count("spikes") > 1:
                raise DataError(f"{where} is not the only one; merge their payloads into one")
            _check_payloads(values, network.by_name[injection.target].neuron.payload_bound, where)
        counts[index] = values.shape[0]
    if len(set(counts.values())) > 1:
        raise DataError(f"injections disagree on the number of samples: {sorted(counts.items())}")
    return next(iter(counts.values()), samples)


def _check_payloads(values: np.ndarray, bound: int, where: str) -> None:
    largest = max(int(values.max(initial=0)), -int(values.min(initial=0)))
    if largest > bound:
        raise DataError(f"{where} has payloads up to {largest}; its population declares {bound}")


def describe_overflows(network: Network, counts: Mapping[str, np.ndarray]) -> tuple[str, ...]:
    """Warnings in words, in population order; counts are int64 (len(OVERFLOW_KINDS),) each."""
    return tuple(
        f"{population.name}: {_said(population, kind, count)}"
        for population in network.populations
        if population.name in counts
        for kind, count in zip(OVERFLOW_KINDS, counts[population.name].tolist(), strict=True)
        if count
    )


def _said(population: Population, kind: str, count: int) -> str:
    return _WORDS[kind].format(
        count=count,
        bits=population.accumulator_bits,
        maximum=population.input_maximum,
        bound=population.neuron.payload_bound,
    )


def read_outputs(
    network: Network, samples: int, readings: Callable[[Readout], np.ndarray]
) -> np.ndarray:
    """The integers that the host reads, int64 (samples, outputs): every head, the answer first, of
    each its readings in the order of the steps, of each the population's neurons.

    readings: of a head, (samples, readings, C, H, W).  Without a readout: (samples, 0).
    """
    found = [readings(readout).reshape(samples, -1) for readout in network.readouts]
    empty = np.zeros((samples, 0), dtype=np.int64)
    return np.concatenate([empty, *found], axis=1).astype(np.int64)


def readings_of(
    network: Network, readout: Readout, membranes: np.ndarray | None, spikes: np.ndarray
) -> np.ndarray:
    """A head's readings from its population's membranes and spikes, (samples, T, C, H, W) each."""
    if readout.kind == "count":
        return spikes.sum(axis=1, dtype=np.int64, keepdims=True)
    values = membranes if readout.kind == "membrane" else spikes
    assert values is not None, f"{readout.population} has no membrane"
    return values[:, list(readout.steps_of(network.timesteps))]


def split_outputs(network: Network, outputs: np.ndarray) -> list[np.ndarray]:
    """The readings of every head, (samples, readings, neurons), from `read_outputs`."""
    found, start = [], 0
    for readout in network.readouts:
        neurons = network.by_name[readout.population].neurons
        stop = start + readout.readings * neurons
        found.append(outputs[:, start:stop].reshape(len(outputs), readout.readings, neurons))
        start = stop
    return found
