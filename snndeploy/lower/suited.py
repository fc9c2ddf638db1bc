"""Exact changes of variable: neurons as a target has them, with the same spikes.

A reset value becomes a shift of the membrane, whose constant joins the population's offset; what
changes nothing (a leak of all, a bound behind it) is left out.  A chip adds its bias behind the
synaptic current, the model in front of it: there neurons that fire at every step bring it.  What a
neuron program does for a target's neurons is named.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from snndeploy.connections import Conv, Dense
from snndeploy.lower.real_network import RealNetwork, RealPopulation, Term
from snndeploy.neurons import FiresAt, LeakyFire, Reset
from snndeploy.target import Target

STEADY = "constant of "  # begins the name of a population that fires at every step
EVERY_STEP = LeakyFire(1.0, FiresAt.AT_LEAST, 1.0, 0.0, Reset.HARD)


def suited(network: RealNetwork, target: Target) -> RealNetwork:
    """The network with neurons that the target has, where there is an exact way."""
    sourced = [made for population in network.populations for made in _with_source(population)]
    changed = [_suited(population, target) for population in sourced]
    populations = tuple(population for population, _ in changed)
    said = [note for _, note in changed if note]
    said += _programs(populations, target)
    known = (*network.neurons, *(note for note in said if note not in network.neurons))
    return replace(network, populations=populations, neurons=known)


def _suited(population: RealPopulation, target: Target) -> tuple[RealPopulation, str]:
    if population.neuron is None or population.attention:
        return population, ""
    found = population.neuron.suited(target)
    if found.equation == population.neuron:
        return population, ""
    offset = population.offset
    if found.added:
        before = np.zeros(population.shape) if offset is None else offset
        offset = before + found.added
    note = f"{population.name}: {found.how}, with the same spikes" if found.how else ""
    return replace(population, neuron=found.equation, offset=offset), note


def _with_source(population: RealPopulation) -> tuple[RealPopulation, ...]:
    """The population behind one that brings its constants to its synaptic current."""
    lasting = isinstance(population.neuron, LeakyFire) and population.neuron.current_decay > 0
    if not lasting or population.sourced:
        return (population,)
    steady = replace(population, host_constant=False, sourced=True)  # the host sends at every step
    if population.offset is None:
        return (steady,)
    channels, *plane = population.shape
    flat = population.offset.reshape(channels, -1)
    if not np.allclose(flat, flat[:, :1], rtol=1e-9, atol=1e-12):  # noise of float64 sums
        return (population,)  # no kernel says it: `quantize.legality` refuses it
    weight, shape = flat[:, :1, None, None], (1, plane[0], plane[1])
    connection = Dense(weight) if plane == [1, 1] else Conv(weight)
    source = RealPopulation(
        f"{STEADY}{population.name}", "lif", shape, "", offset=np.ones(shape), neuron=EVERY_STEP
    )
    terms = (*population.terms, Term(source.name, connection))
    return source, replace(steady, offset=None, terms=terms)


def _programs(populations: tuple[RealPopulation, ...], target: Target) -> Iterator[str]:
    """Which populations need a neuron program, for what, and what that rests on."""
    needs: dict[str, list[str]] = {}
    for population in populations:
        if population.neuron is not None and (what := population.neuron.program(target)):
            needs.setdefault(what, []).append(population.name)
    for what, names in needs.items():
        source = target.quantities["formats.neuron_program"]
        yield (
            f"{', '.join(names)}: {what} by a neuron program ({source.mark}: {source.source});"
            f" {source.note or 'the fixed neuron has none'}"
        )
