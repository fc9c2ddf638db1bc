"""Populations that repeat their source: they fire exactly when it does, so it can send itself.

Direct coding gives such a population: the encoder's neuron feeds the first block's neuron through
an identity, and one spike is enough to fire it.  For a lif of one projection

    1x1 convolution, one source channel a target channel, binary source, no bias, hard reset,
    threshold >= 0 and  weight << exponent > threshold  for every channel

v is 0 before every step (it was never left above 0), hence s(tau) = source's s(tau).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from snndeploy.errors import FitError
from snndeploy.lower.pipeline_delay import assign_depths
from snndeploy.network import (
    MEMBRANE_MAXIMUM,
    MEMBRANE_SHIFT,
    NO_CURRENT_MEMORY,
    Network,
    Population,
    Projection,
    Reduced,
)
from snndeploy.neurons import Lif, Reset
from snndeploy.reduce.drop import COPY, Pass, Removal, Skip, fixed, staying
from snndeploy.target import Target


def drop_copies(network: Network, target: Target) -> Pass:
    """The network without the populations that repeat their source; the path becomes shorter."""
    removals, skips = [], []
    if network.is_recurrent or any(not _aligned(network, p) for p in network.projections):
        return Pass(network)
    for name in [p.name for p in network.populations]:
        population = network.by_name[name]
        if fixed(network, population) or not repeats(network, population):
            continue
        try:
            network = assign_depths(bypassed(network, population), target)
        except FitError:
            reason = "without it a shortcut would wait longer than a synapse can"
            skips.append(Skip(name, population.shape[0], reason))
            continue
        removals.append(Removal(name, COPY, population.shape[0], population.neurons, True))
    return Pass(network, tuple(removals), tuple(skips))


def _aligned(network: Network, projection: Projection) -> bool:
    source, target = network.by_name[projection.source], network.by_name[projection.target]
    on_time = projection.delay == target.arrival - source.depth - 1
    return on_time and projection.axonal_delay is None


def repeats(network: Network, population: Population) -> bool:
    """True when its spikes are its only source's, by the conditions at the top of this file."""
    incoming = network.incoming(population.name)
    neuron = population.neuron
    if type(neuron) is not Lif or len(incoming) != 1 or network.injections_into(population.name):
        return False
    biased = population.bias is not None and population.bias.any()
    if biased or neuron.reset is not Reset.HARD or neuron.threshold < 0:
        return False
    if neuron.current_decay != NO_CURRENT_MEMORY:
        return False
    source = network.by_name[incoming[0].source]
    binary = source.neuron.payload_bound == 1 and not source.neuron.sends_integers
    same = incoming[0].connection.one_to_one(source.shape[0])
    return binary and same and _fires(incoming[0], neuron)


def _fires(projection: Projection, neuron: Lif) -> bool:
    """One spike is enough for every channel, and does not wrap."""
    if projection.exponent < 0:
        return False
    current = projection.connection.weight.astype(np.int64) << projection.exponent
    enough = current.min() > neuron.threshold
    return bool(enough and current.max() <= MEMBRANE_MAXIMUM >> MEMBRANE_SHIFT)


def bypassed(network: Network, population: Population) -> Network:
    """Its source sends to its targets; depths and delays are still to be given."""
    (incoming,) = network.incoming(population.name)
    projections: list[Projection] = []
    for projection in network.projections:
        if projection.name == incoming.name and projection.target == population.name:
            continue
        if projection.source == population.name:
            projection = replace(projection, name="", source=incoming.source)
        projections.append(projection)
    entries = {entry.population: entry for entry in network.reduced}
    own = Reduced(
        population.name, population.origin, population.shape, population.name, staying(population)
    )
    entries.setdefault(population.name, own)
    reduced = tuple(
        replace(entry, carrier=incoming.source) if entry.carrier == population.name else entry
        for entry in entries.values()
    )
    populations = tuple(p for p in network.populations if p.name != population.name)
    return replace(
        network, populations=populations, projections=_named(projections), reduced=reduced
    )


def _named(projections: list[Projection]) -> tuple[Projection, ...]:
    """Projections without a name are named as `quantize` names them."""
    taken = {projection.name for projection in projections}
    named = []
    for projection in projections:
        if not projection.name:
            stem = f"{projection.source}->{projection.target}"
            count = 2
            name = stem
            while name in taken:
                name, count = f"{stem}#{count}", count + 1
            taken.add(name)
            projection = replace(projection, name=name)
        named.append(projection)
    return tuple(named)
