"""Random spikes of a network, and what the traffic counter counts of them."""

from __future__ import annotations

import numpy as np

from snndeploy.traffic.counter import TrafficCounter


def random_spikes(network, random, samples):
    """Spikes and updates of every population: arrays of the kind the simulator hands over."""
    spikes, updated = {}, {}
    for population in network.populations:
        shape = (samples, network.timesteps, *population.shape)
        values = (random.random(shape) < random.choice([0.05, 0.3, 1.0])).astype(np.uint8)
        if population.neuron.sends_integers:
            values = values * random.integers(-3, 300, shape).astype(np.int32)
        spikes[population.name] = channels_last(values)
        updated[population.name] = channels_last((random.random(shape) < 0.5).astype(np.uint8))
    return spikes, updated


def channels_last(values):
    """The same values, (samples, timesteps, C, H, W), on channels-last memory."""
    return np.moveaxis(np.ascontiguousarray(np.moveaxis(values, 2, -1)), -1, 2)


def count(network, layout, spikes, updated, injected, batches, target=None):
    counter = TrafficCounter(network, layout, sum(batches), target)
    for index, values in injected.items():
        counter.observe_injection(index, values)
    first = 0
    for size in batches:
        part = slice(first, first + size)
        for population in network.populations:
            marks = updated[population.name][part] if population.neuron.on_chip else None
            counter(population, spikes[population.name][part], marks)
        first += size
    return counter
