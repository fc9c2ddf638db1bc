"""RealNetwork: the lowered network before quantization; the twin of Network in real numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from snndeploy.connections import Connection, Shape
from snndeploy.connections.encoding import COUNTERS, encoding_of
from snndeploy.graph import Graph
from snndeploy.network import ReadingKind
from snndeploy.neurons import Equation
from snndeploy.passes.regions import Region
from snndeploy.target import Target
from snndeploy.target.events import BY_COUNTER, picojoules, prices_graded


@dataclass(frozen=True, eq=False)
class Term:
    """One connection into a population; one `connection` object is one kernel (shared scale).

    delay: steps that its spikes come later than those of other terms.
    """

    source: str
    connection: Connection
    delay: int = 0


@dataclass(frozen=True, eq=False)
class RealPopulation:
    """kind as in network.Population, with 'or' besides: it fires where the sum of its inputs
    reaches `level`, and forgets (1: max pooling of spikes).

    node: the graph node whose value it computes (spikes, or the relayed current); '' where it fires
    at every step (`lower.suited`).
    current: the graph node of its input current ('' for input and or populations).
    host: the node of the encoder graph whose value the host adds to the current, or ''.
    offset: the constant part of the current, shape of the population (all zero: none).
    neuron: the trained neuron, of a lif.  keep: what a step leaves of an integrator's membrane.
    sourced: its constants reach its synaptic current by synapses; `offset` enters behind it.
    attention: what refines the current or the membrane; `current` is then the node in front of it.
    """

    name: str
    kind: Literal["lif", "integrator", "relay", "input", "or"]
    shape: Shape
    node: str
    current: str = ""
    terms: tuple[Term, ...] = ()
    host: str = ""
    host_constant: bool = False
    offset: np.ndarray | None = None
    neuron: Equation | None = None
    level: int = 1
    sourced: bool = False
    attention: tuple[Region, ...] = ()
    keep: float = 1.0


@dataclass(frozen=True)
class RealLayer:
    """A conv or linear layer of the model, and what it reads as lowered.

    node: of the graph.  sources: populations whose spikes or payloads its kernels multiply.
    host: node of the encoder graph with the encoder's part of its result, or ''.
    """

    node: str
    sources: tuple[str, ...]
    host: str = ""


@dataclass(frozen=True, eq=False)
class RealReadout:
    """value[r] = factor * sum over i of weights[r, i] * reading[i] + offset[r]; as in
    `network.Readout`, of real readings."""

    population: str
    kind: ReadingKind
    factor: float
    offset: np.ndarray
    steps: tuple[int, ...] = ()
    weights: np.ndarray | None = None
    finish: Graph | None = None


@dataclass(frozen=True, eq=False)
class RealNetwork:
    populations: tuple[RealPopulation, ...]
    readout: RealReadout
    encoder: Graph
    timesteps: int
    shortcuts: Literal["none", "compose", "relay"]
    notes: tuple[str, ...] = ()
    layers: tuple[RealLayer, ...] = ()
    neurons: tuple[str, ...] = ()  # how a target has them, where not as they are (`lower.suited`)
    heads: tuple[RealReadout, ...] = ()

    @property
    def readouts(self) -> tuple[RealReadout, ...]:
        """Every head of the model, the answer first."""
        return (self.readout, *self.heads)

    @cached_property
    def by_name(self) -> dict[str, RealPopulation]:
        return {population.name: population for population in self.populations}


@dataclass(frozen=True)
class LoweringCost:
    """What a choice of shortcuts costs, per sample, before mapping."""

    shortcuts: str
    synapse_memory_bytes: int
    synaptic_operations: float
    host_io_bytes: int
    energy_pj: float | None
    """Of synapses, and of the host link if the target prices it; None: synapses have no price."""

    @property
    def weight(self) -> float:
        """What choices are compared by: energy, or synaptic operations where they have no price."""
        return self.synaptic_operations if self.energy_pj is None else self.energy_pj


BYTES_PER_VALUE = 2


def lowering_cost(
    network: RealNetwork,
    rates: Mapping[str, float],
    target: Target,
    *,
    assumed_rate: float | None = None,
) -> LoweringCost:
    """Cost of a lowering at the target's prices and given rates (spikes a neuron and step; relays
    send every step, and their synapses multiply).

    rates: by graph node.  assumed_rate: of every node that is not in it; None: all must be.
    Weights count one byte each, shared kernels once; host input counts two bytes a value.
    """
    populations = network.by_name
    kernels = {id(t.connection): t.connection for p in network.populations for t in p.terms}
    memory = sum(connection.weight.size for connection in kernels.values())
    work, operation_pj, host = 0.0, 0.0, 0
    for population in network.populations:
        for term in population.terms:
            source = populations[term.source]
            rate = 1.0 if source.kind == "relay" else _rate(source, rates, assumed_rate)
            synapses = term.connection.synapses(source.shape)
            operations = synapses * rate * network.timesteps
            work += operations
            counter = COUNTERS[encoding_of(term.connection, target)]
            if source.kind == "relay" and prices_graded(target):
                counter = "graded_operations"
            operation_pj += operations * picojoules(target, counter)
        if population.host:
            loads = 1 if population.host_constant else network.timesteps
            host += int(np.prod(population.shape)) * loads * BYTES_PER_VALUE
    energy = None
    if target.has(BY_COUNTER["synaptic_operations"].energy):
        energy = operation_pj + host * picojoules(target, "host_bytes_in")
    return LoweringCost(network.shortcuts, memory, work, host, energy)


def _rate(source: RealPopulation, rates: Mapping[str, float], assumed: float | None) -> float:
    rate = rates.get(source.node, assumed) if source.node else 1.0  # fires at every step
    assert rate is not None, f"{source.name} has no rate"
    return rate
