"""Exact changes of variable: neurons as a target has them, with the same spikes.

A reset value becomes a shift of the membrane, whose constant joins the population's offset; what
changes nothing (a leak of all, a bound behind it) is left out.  What a neuron program does for a
target's neurons is named.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from snndeploy.lower.real_network import RealNetwork, RealPopulation
from snndeploy.target import Target


def suited(network: RealNetwork, target: Target) -> RealNetwork:
    """The network with neurons that the target has, where there is an exact way."""
    changed = [_suited(population, target) for population in network.populations]
    populations = tuple(population for population, _ in changed)
    notes = [note for _, note in changed if note]
    notes += _programs(populations, target)
    known = (*network.notes, *(note for note in notes if note not in network.notes))
    return replace(network, populations=populations, notes=known)


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
