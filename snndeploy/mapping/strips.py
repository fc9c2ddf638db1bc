"""Strips: the simplest mapping, flat runs of neurons in (channel, row, column) order.

Each population is chopped into runs of equal length, as long as they fit a core.  A run is at most
five boxes: the rest of a row, whole rows, whole channels, whole rows, and the start of a row.
"""

from __future__ import annotations

from collections.abc import Iterator

from snndeploy.connections import Shape
from snndeploy.errors import FitError
from snndeploy.layout.layout import Tile
from snndeploy.mapping.memory import NEURONS, limits_of, part_use
from snndeploy.mapping.parts import Box, parts_of
from snndeploy.mapping.tile import WAYS_OUT, WORDS
from snndeploy.network import Network, Population
from snndeploy.target import Target


def strips(network: Network, target: Target) -> tuple[Tile, ...]:
    """Every population in flat strips, cores in network order, none shared.

    Raises:
        FitError: a single neuron needs more than a core has.
    """
    chosen: dict[str, tuple[Tile, ...]] = {}
    for population in reversed(network.populations):  # output axons depend on what is behind
        if population.neuron.on_chip:
            chosen[population.name] = _longest(network, target, population, chosen)
    tiles: list[Tile] = []
    cores = 0
    for population in network.populations:
        own = chosen.get(population.name, ())
        tiles += [Tile(t.population, t.channels, t.rows, t.columns, cores + t.core) for t in own]
        cores += 1 + max((tile.core for tile in own), default=-1)
    return tuple(tiles)


def _longest(
    network: Network, target: Target, population: Population, behind: dict[str, tuple[Tile, ...]]
) -> tuple[Tile, ...]:
    """The longest strips that fit, by bisection."""
    longest = min(population.neurons, limits_of(target)[NEURONS])
    lengths = range(longest, 0, -1)  # the first that fits
    excess = _excess(network, target, strips_of(population, longest), behind)
    if excess is None:
        return strips_of(population, longest)
    low, high = 1, len(lengths)
    while low < high:
        middle = (low + high) // 2
        excess = _excess(network, target, strips_of(population, lengths[middle]), behind)
        low, high = (low, middle) if excess is None else (middle + 1, high)
    if low == len(lengths):
        excess = _excess(network, target, strips_of(population, 1), behind)
        assert excess is not None
        name, most, limit = excess
        raise FitError(
            f"{population.origin or population.name} needs {most:,} {WORDS[name]} on one"
            f" {target.name} core; a core has {limit:,}. {WAYS_OUT[name]}"
        )
    return strips_of(population, lengths[low])


def _excess(
    network: Network,
    target: Target,
    tiles: tuple[Tile, ...],
    behind: dict[str, tuple[Tile, ...]],
) -> tuple[str, int, int] | None:
    """The resource that some strip has too little of, what it needs, and the limit."""
    parts = parts_of(tiles)
    names = {p.target for p in network.outgoing(tiles[0].population)}
    sinks = parts_of([tile for name in names for tile in behind.get(name, ())])
    limits = limits_of(target)
    for name, values in part_use(network, parts, target, sinks).items():
        most = int(values.max())
        if most > limits[name]:
            return name, most, limits[name]
    return None


def strips_of(population: Population, length: int) -> tuple[Tile, ...]:
    """The population in runs of so many neurons, one core each."""
    return tuple(
        Tile(population.name, *box, core)
        for core, start in enumerate(range(0, population.neurons, length))
        for box in boxes_of(population.shape, start, min(start + length, population.neurons))
    )


def boxes_of(shape: Shape, start: int, stop: int) -> Iterator[Box]:
    """The boxes of neurons start..stop-1 in flat (channel, row, column) order."""
    _, height, width = shape
    while start < stop:
        channel, place = divmod(start, height * width)
        row, column = divmod(place, width)
        if column or stop - start < width:
            end = min(width, column + stop - start)
            yield (channel, channel + 1), (row, row + 1), (column, end)
            start += end - column
        elif row or stop - start < height * width:
            rows = min(height - row, (stop - start) // width)
            yield (channel, channel + 1), (row, row + rows), (0, width)
            start += rows * width
        else:
            channels = (stop - start) // (height * width)
            yield (channel, channel + channels), (0, height), (0, width)
            start += channels * height * width
