"""The structure of a lowered network: what is mapped before there are integers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, assert_never

import numpy as np

from snndeploy.connections import Connection, Shape
from snndeploy.lower.pipeline_delay import delayed, own_delay
from snndeploy.lower.real_network import RealNetwork, RealPopulation
from snndeploy.network import Attention, Injection, Network, Population, Projection, Readout
from snndeploy.neurons import Input, Integrator, Lif, Neuron, Relay, kind_trained
from snndeploy.target import Target


def projection_names(population: RealPopulation, parts: int = 1) -> list[str]:
    """Names of the projections of its terms, as the integer network has them; parts: of each."""
    sources = [term.source for term in population.terms for _ in range(parts)]
    return [
        f"{source}->{population.name}" + (f"#{before + 1}" if before else "")
        for index, source in enumerate(sources)
        for before in [sources[:index].count(source)]
    ]


def structure(network: RealNetwork, target: Target, *, parts: int = 1) -> Network:
    """Populations and projections of a lowered network, with weights that take no memory.

    parts: projections that hold each weight together (those of 'or' take one).
    """
    populations = tuple(_population(p, target) for p in network.populations)
    shapes = {p.name: p.shape for p in network.populations}
    projections = tuple(
        projection
        for p in network.populations
        for projection in _projections(p, shapes, 1 if p.kind == "or" else parts)
    )
    injections = tuple(
        Injection(p.name, p.host or p.node, _mode(p))
        for p in network.populations
        if p.kind == "input" or p.host
    )
    readout, *heads = (Readout(r.population, r.kind, steps=r.steps) for r in network.readouts)
    made = Network(
        network.timesteps, populations, projections, injections, readout, heads=tuple(heads)
    )
    return delayed(made)


def _projections(
    population: RealPopulation, shapes: Mapping[str, Shape], parts: int
) -> Iterator[Projection]:
    terms = [term for term in population.terms for _ in range(parts)]
    for name, term in zip(projection_names(population, parts), terms, strict=True):
        yield Projection(
            name,
            term.source,
            population.name,
            _empty(term.connection),
            axonal_delay=own_delay(term, shapes[term.source]),
        )


def _population(population: RealPopulation, target: Target) -> Population:
    bias = None
    if population.offset is not None and not (population.host and population.host_constant):
        flat = population.offset.reshape(population.shape[0], -1)
        same = np.allclose(flat, flat[:, :1], rtol=1e-9, atol=1e-12)  # noise of float64 sums
        bias = np.broadcast_to(np.int32(0), population.shape[:1] if same else population.shape)
    return Population(
        population.name,
        population.shape,
        _unscaled(population, target),
        bias=bias,
        origin=population.node,
        attention=tuple(
            Attention(
                region.graph,
                "membrane" if region.location == "membrane" else "current",
                region.full_window,
            )
            for region in population.attention
        ),
    )


def _unscaled(population: RealPopulation, target: Target) -> Neuron:
    """The kind of its neurons; registers do not count here."""
    match population.kind:
        case "input":
            return Input()
        case "integrator":
            return Integrator()
        case "relay":
            return Relay()
        case "or":
            return Lif()
        case "lif":
            assert population.neuron is not None
            neuron = population.neuron
            return neuron.unscaled(target) or kind_trained(neuron)()
        case unknown:
            assert_never(unknown)


def _empty(connection: Connection) -> Connection:
    return connection.with_weight(np.broadcast_to(np.int8(0), connection.weight.shape))


def _mode(population: RealPopulation) -> Any:
    if population.kind == "input":
        return "spikes"
    return "bias" if population.host_constant else "graded"
