"""A network whose weights a `.net` file can give to a chip: within 8 bits, without exponents.

A population whose weights are all multiples of 2^s computes the same in units of 2^s:

    weight / 2^s,   bias / 2^s,   V > 64 T  is  V / 2^s > 64 floor(T / 2^s)

exactly where its membrane holds no part of 2^s: without a leak (or with nothing kept), with biases
that are multiples too.  A leak loses s binary places: then it is asked for, like rounded biases.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from snndeploy.backends.netx.chain import NETX_BIAS_EXPONENT
from snndeploy.backends.netx.weights import chip_holds
from snndeploy.network import NO_CURRENT_MEMORY, Network, Population, Projection
from snndeploy.neurons import Integrator, Lif

MOST_PLACES = 16  # by which weights are divided


def narrowed(network: Network, rounded: bool) -> tuple[Network, tuple[str, ...]]:
    """The network with the weights of every population that can be within 8 bits, and notes.

    rounded: also where that is not bit-exact.
    """
    populations, projections, notes = [], {p.name: p for p in network.projections}, []
    readout = network.readout
    for population in network.populations:
        incoming = network.incoming(population.name)
        places = _places(incoming)
        exact = _stays_exact(population, places)
        if not places or not (exact or rounded):
            populations.append(population)
            continue
        populations.append(_divided(population, places, exact))
        for projection in incoming:
            projections[projection.name] = _shifted(projection, places)
        if not exact:
            notes.append(
                f"{population.name}: held in units of 2^{places}, so that weights fit 8 bits: its"
                " leak and threshold round, not bit-exact"
            )
        if readout is not None and readout.kind == "membrane":
            if readout.population == population.name:
                readout = replace(readout, scale=readout.scale * (1 << places))
                notes.append(f"{population.name}: its membrane is 1/{1 << places} of the program's")
    found = replace(
        network,
        populations=tuple(populations),
        projections=tuple(projections[p.name] for p in network.projections),
        readout=readout,
    )
    return found, tuple(notes)


def _places(incoming: tuple[Projection, ...]) -> int:
    """The least s with which the weights are whole and fit; 0: none is needed, or none does."""
    if not incoming or any(p.exponent < 0 for p in incoming):
        return 0
    whole = [p.connection.weight.astype(np.int64) << p.exponent for p in incoming]
    for places in range(MOST_PLACES):
        if any((w % (1 << places)).any() for w in whole):
            return 0
        if all(chip_holds(w >> places) for w in whole):
            return places
    return 0


def _stays_exact(population: Population, places: int) -> bool:
    neuron = population.neuron
    if not isinstance(neuron, Lif | Integrator) or neuron.current_decay != NO_CURRENT_MEMORY:
        return False
    leak_free = neuron.membrane_decay in (0, NO_CURRENT_MEMORY)
    return leak_free and not (population.own_bias % (1 << (places + NETX_BIAS_EXPONENT))).any()


def _divided(population: Population, places: int, exact: bool) -> Population:
    neuron, scale = population.neuron, population.scale * (1 << places)
    if isinstance(neuron, Lif):
        units = neuron.threshold / (1 << places)
        threshold = neuron.threshold >> places if exact else int(np.rint(units))
        neuron = replace(neuron, threshold=threshold)
    changed = replace(population, neuron=neuron, scale=scale)
    if population.bias is None:
        return changed
    step = 1 << (places + NETX_BIAS_EXPONENT)
    bias = np.rint(population.own_bias / step).astype(np.int32)
    if np.asarray(population.bias).ndim == 1:
        bias = bias[:, 0, 0]
    return replace(changed, bias=bias, bias_exponent=NETX_BIAS_EXPONENT)


def _shifted(projection: Projection, places: int) -> Projection:
    whole = projection.connection.weight.astype(np.int64) << projection.exponent
    weight = (whole >> places).astype(np.int32)
    return replace(projection, connection=projection.connection.with_weight(weight), exponent=0)
