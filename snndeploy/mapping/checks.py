"""Limits that are not a matter of tiling: of one neuron, and of a whole chip."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

import numpy as np

from snndeploy.connections import Connection, Shape
from snndeploy.errors import FitError
from snndeploy.layout.layout import Layout
from snndeploy.layout.wiring import population_wiring
from snndeploy.mapping.memory import list_lengths, state_bytes
from snndeploy.mapping.parts import Part, fed_by_group, parts_of
from snndeploy.network import Network
from snndeploy.target import Target


def check_neurons(network: Network, target: Target) -> None:
    """Refuse a neuron with more state, or more inputs, than the target has.

    Raises:
        FitError: with both numbers.
    """
    for population in network.populations:
        if not population.neuron.on_chip:
            continue
        label = population.origin or population.name
        most = target.neuron_state_bytes_max
        need = state_bytes(network, population, target)
        if most is not None and need > most:
            raise FitError(
                f"{label} needs {need:,} bytes of state a neuron; a {target.name} neuron has"
                f" {most:,}. Use shorter delays, or choose another target."
            )
        inputs = sum(p.connection.fan_in for p in network.incoming(population.name))
        if target.fan_in_max is not None and inputs > target.fan_in_max:
            raise FitError(
                f"{label} has {inputs:,} inputs a neuron; a {target.name} neuron takes"
                f" {target.fan_in_max:,}. Use fewer input channels or a smaller kernel, or choose"
                " another target."
            )


def check_layout_limits(network: Network, layout: Layout, target: Target) -> None:
    """Refuse what a finished layout exceeds, of a core, a chip, or the cores that a neuron reaches.

    Raises:
        FitError: with both numbers, of the first.
    """
    for text, way_out in excesses(network, layout, target):
        raise FitError(f"{text}. {way_out}")


def excesses(network: Network, layout: Layout, target: Target) -> Iterator[tuple[str, str]]:
    """What a finished layout exceeds, each with both numbers, and what to do."""
    for name, limit in layout.limits.items():
        most = int(layout.use[name].max(initial=0))
        if most > limit:
            yield (
                f"this mapping needs {most:,} {name.replace('_', ' ')} on one {target.name} core;"
                f" a core has {limit:,}",
                "Choose another mapping or another target.",
            )
    if target.destination_cores_max is not None:
        yield from _many_destinations(network, layout, target, target.destination_cores_max)
    if target.synapses_per_chip_max is not None:
        yield from _many_synapses(network, layout, target, target.synapses_per_chip_max)


def _many_destinations(
    network: Network, layout: Layout, target: Target, most: int
) -> Iterator[tuple[str, str]]:
    for population in network.populations:
        if not population.neuron.on_chip:
            continue
        table = population_wiring(network, layout, population).destinations
        reached = int(np.diff(table.indptr).max(initial=0))
        if reached > most:
            yield (
                f"a neuron of {population.origin or population.name} sends to {reached:,} cores; a"
                f" {target.name} neuron reaches {most:,}",
                "Use fewer or smaller layers behind it, or choose another target.",
            )


def _many_synapses(
    network: Network, layout: Layout, target: Target, most: int
) -> Iterator[tuple[str, str]]:
    stored = np.zeros(layout.cores, dtype=np.int64)
    for part in parts_of(layout.tiles):
        stored[part.core] += sum(
            _stored(p.connection, network.by_name[p.source].shape, part, target)
            for p in network.incoming(part.population)
        )
    chips = np.bincount(layout.chip_of_core, weights=stored)
    if chips.max(initial=0) > most:
        yield (
            f"one chip holds {int(chips.max()):,} synapses; a {target.name} chip has {most:,}",
            "Use fewer channels, or choose another target.",
        )


def _stored(connection: Connection, source: Shape, part: Part, target: Target) -> int:
    """Synapses that a part stores of a connection into it, shared ones once."""
    each = source[0] // connection.groups
    if connection.shared_lists is None:
        return each * int(list_lengths(connection, source, part.boxes).sum())
    kernel = each * int(fed_by_group(connection, part).sum()) * prod(connection.shared_lists)
    return kernel if target.shared_convolution else kernel * part.positions
