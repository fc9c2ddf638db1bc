"""Do the parts of a network fit together?  The network's share of `program/consistency.py`."""

from __future__ import annotations

import math
from dataclasses import fields
from itertools import pairwise
from math import prod
from typing import get_args

import numpy as np

from snndeploy.connections import Connection
from snndeploy.graph import Graph
from snndeploy.network import (
    UNREAD,
    Injection,
    Network,
    Population,
    Projection,
    ReadingKind,
    Readout,
    Reduced,
)
from snndeploy.program.consistency import (
    MOST_NEURONS,
    MOST_STEPS,
    broadcasts,
    check_graph,
    extents,
    finite,
    integers,
    require,
    text,
    texts,
    whole,
)
from snndeploy.target import WIDEST

LARGEST_SHIFT = 32
LARGEST_INTEGER = 1 << 31
SMALLEST_SCALE = 2.0**-126  # as of normal 32-bit floats


def check_network(network: Network) -> None:
    """Populations, projections, injections and readout agree in names and shapes."""
    whole(network.timesteps, 1, MOST_STEPS, "network timesteps")
    names = [population.name for population in network.populations]
    require(len(set(names)) == len(names), "two populations share a name")
    for population in network.populations:
        _check_population(population, network.timesteps)
    neurons = sum(population.neurons for population in network.populations)
    require(neurons <= MOST_NEURONS, f"{neurons} neurons")
    for projection in network.projections:
        _check_projection(network, projection)
    for injection in network.injections:
        _check_injection(network, injection)
    require(bool(network.readouts) or not network.heads, "there are heads and no answer")
    for number, readout in enumerate(network.readouts):
        _check_readout(network, readout, f"head {number + 1}" if number else "the readout")
    for entry in network.reduced:
        _check_reduced(network, entry)
    names = [entry.population for entry in network.reduced]
    require(len(set(names)) == len(names), "a population was reduced twice")
    texts(network.notes, "network notes")


def _check_population(population: Population, steps: int) -> None:
    where = f"population {population.name!r}"
    text(population.name, where)
    text(population.origin, f"{where}: origin")
    extents(population.shape, 3, 1, where)
    for field in fields(population.neuron):
        if "bounds" in field.metadata:
            low, high = field.metadata["bounds"]
            whole(getattr(population.neuron, field.name), low, high, f"{where}: {field.name}")
    for key, low, high in (
        ("bias_exponent", 0, LARGEST_SHIFT),
        ("accumulator_bits", 1, WIDEST["accumulator_bits"]),
        ("depth", 0, MOST_STEPS),
    ):
        whole(getattr(population, key), low, high, f"{where}: {key}")
    finite(population.scale, f"{where}: scale")
    good = SMALLEST_SCALE <= population.scale <= 1 / SMALLEST_SCALE
    require(good, f"{where}: scale is {population.scale!r}, no size of a membrane's unit")
    _check_attention(population, steps, where)
    if population.bias is not None:
        integers(population.bias, f"{where}: bias")
        shapes = (population.shape[:1], population.shape)
        require(population.bias.shape in shapes, f"{where}: bias has another shape")


def _check_attention(population: Population, steps: int, where: str) -> None:
    """Each place once, on neurons or relays, and graphs of the population's shape."""
    places = [attention.at for attention in population.attention]
    require(len(set(places)) == len(places), f"{where} has two attentions in one place")
    allowed = population.neuron.attention
    for attention in population.attention:
        require(attention.at in allowed, f"{where} has attention at {attention.at!r}")
        require(attention.unit in ("chip", "host"), f"{where}: attention by {attention.unit!r}")
        require(isinstance(attention.full_window, bool), f"{where}: attention over no window")
        window = attention.full_window
        require(attention.at == "current" or not window, f"{where}: a window of membranes")
        graph = attention.graph
        check_graph(graph)
        whole(graph.timesteps, 1, MOST_STEPS, f"{where}: steps of attention")
        require(graph.timesteps == (steps if window else 1), f"{where}: attention over other steps")
        for end in (graph.input, *(graph.by_name[name] for name in graph.outputs)):
            values = prod(end.shape)
            require(
                values == population.neurons * graph.timesteps and len(graph.outputs) == 1,
                f"{where}: attention over {values} values",
            )
    whole(population.arrival, 0, MOST_STEPS, f"{where}: arrival")


def _check_projection(network: Network, projection: Projection) -> None:
    where = f"projection {projection.name!r}"
    text(projection.name, where)
    for end in (projection.source, projection.target):
        require(end in network.by_name, f"{where} names no population {end!r}")
    source, target = (network.by_name[end] for end in (projection.source, projection.target))
    require(target.neuron.on_chip, f"{where} goes into an input")
    whole(projection.exponent, -LARGEST_SHIFT, LARGEST_SHIFT, f"{where}: exponent")
    whole(projection.delay, 0, MOST_STEPS, f"{where}: delay")
    _check_connection(projection.connection, source, where)
    found = projection.connection.output_shape(source.shape)
    require(found == target.shape, f"{where} gives shape {found}, its target has {target.shape}")
    delays = projection.axonal_delay
    if delays is not None:
        integers(delays, f"{where}: axonal delays")
        good = delays.size == source.neurons and 0 <= delays.min() <= delays.max() <= MOST_STEPS
        require(good, f"{where} has axonal delays that do not belong to its source")


def _check_connection(connection: Connection, source: Population, where: str) -> None:
    integers(connection.weight, f"{where}: weight")
    require(connection.weight.size > 0, f"{where} has no weights")
    for key, (count, least) in connection.fields.items():
        value = getattr(connection, key)
        if count:
            extents(value, count, least, f"{where}: {key}")
        else:
            whole(value, least, MOST_NEURONS, f"{where}: {key}")
    fault = connection.fault(source.shape)
    require(not fault, f"{where} {fault}")


def _check_injection(network: Network, injection: Injection) -> None:
    where = f"injection into {injection.target!r}"
    require(injection.target in network.by_name, f"{where}: no such population")
    require(injection.mode in ("bias", "graded", "spikes"), f"{where} has mode {injection.mode!r}")
    finite(injection.multiplier, f"{where}: multiplier")
    whole(injection.exponent, 0, LARGEST_SHIFT, f"{where}: exponent")
    whole(injection.minimum, -LARGEST_INTEGER, LARGEST_INTEGER, f"{where}: minimum")
    whole(injection.maximum, injection.minimum, LARGEST_INTEGER, f"{where}: maximum")
    if injection.offset is not None:
        shape = network.by_name[injection.target].shape
        broadcasts(injection.offset, shape, f"{where}: offset")


def _check_reduced(network: Network, entry: Reduced) -> None:
    """Every channel has a place, and those of a carrier of the same name are all taken."""
    where = f"reduced population {entry.population!r}"
    for value in (entry.population, entry.origin, entry.carrier):
        text(value, where)
    extents(entry.shape, 3, 1, where)
    require(math.prod(entry.shape) <= MOST_NEURONS, f"{where}: {entry.shape} neurons")
    integers(entry.place, f"{where}: places")
    require(entry.place.shape == entry.shape[:1], f"{where}: other places than channels")
    carrier = network.by_name.get(entry.carrier)
    require(carrier is not None or not entry.carrier, f"{where}: no carrier {entry.carrier!r}")
    channels = carrier.shape[0] if carrier else 0
    inside = (entry.place >= UNREAD) & (entry.place < channels)
    require(bool(inside.all()), f"{where} has places outside {entry.carrier!r}")
    if carrier is not None:
        require(carrier.shape[1:] == entry.shape[1:], f"{where}: its carrier has another plane")
    if entry.population == entry.carrier:
        require(len(entry.kept) == channels, f"{where}: channels of it stand for none")
    else:
        require(entry.population not in network.by_name, f"{where} is here, with another carrier")


def _check_readout(network: Network, readout: Readout, where: str) -> None:
    """Readings are of steps that there are, and every array is of their number or the neurons'."""
    require(readout.population in network.by_name, f"no population {readout.population!r} to read")
    population = network.by_name[readout.population]
    require(readout.kind in get_args(ReadingKind), f"{where} has kind {readout.kind!r}")
    membranes = readout.kind != "membrane" or population.neuron.has_membrane
    require(membranes, f"{where} reads membranes of {readout.population!r}, which has none")
    finite(readout.scale, f"{where}'s scale")
    for step in readout.steps:
        whole(step, 0, network.timesteps - 1, f"{where}: a step")
    rising = all(a < b for a, b in pairwise(readout.steps))
    require(rising, f"{where} reads its steps in another order")
    require(readout.kind != "count" or not readout.steps, f"{where} counts over some steps")
    rows = _check_weights(network, readout, where)
    if readout.offset is not None:
        broadcasts(readout.offset, (rows, population.neurons), f"{where}'s offset")
    if readout.finish is not None:
        _check_finish(network, readout.finish, rows * population.neurons, where)


def _check_weights(network: Network, readout: Readout, where: str) -> int:
    """How many rows the readings make."""
    weights = readout.weights
    if weights is None:
        require(readout.readings == 1, f"{where} has {readout.readings} readings and no weights")
        return 1
    good = isinstance(weights, np.ndarray) and weights.dtype.kind == "f"
    require(good and bool(np.isfinite(weights).all()), f"{where}'s weights are no finite array")
    shapes = ((rows, readout.readings) for rows in (1, network.timesteps))
    require(weights.shape in shapes, f"{where}'s weights have shape {weights.shape}")
    return len(weights)


def _check_finish(network: Network, finish: Graph, values: int, where: str) -> None:
    check_graph(finish)
    steps = finish.timesteps == network.timesteps and len(finish.outputs) == 1
    require(steps, f"{where} is finished over other steps")
    given = prod(finish.input.shape)
    require(given == values, f"{where} is finished from {given} values, it has {values}")
