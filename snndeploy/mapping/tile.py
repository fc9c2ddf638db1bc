"""Tiling: a population cut into a grid of boxes, each small enough for one core.

Channels stay together where they fit, since every core that holds some of a position's channels
receives a message of its own for each spike; space is cut into near-square tiles.  The search
takes the grid with the fewest cores, then with the fewest messages, then the squarest; given some
slack in cores, the one with the fewest messages.

`channel_grid` cuts the other way, by channels first, to compare with.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from snndeploy.connections import Range
from snndeploy.errors import FitError
from snndeploy.mapping.demand import RECEIVE_NS, SEND_NS, Demand
from snndeploy.mapping.grid import Grid, largest, split
from snndeploy.mapping.memory import (
    CORE_MEMORY,
    INPUT_AXONS,
    NEURON_GROUPS,
    NEURONS,
    OUTPUT_AXONS,
    SYNAPSE_MEMORY,
)

WORDS = {
    NEURONS: "neurons",
    NEURON_GROUPS: "neuron groups",
    SYNAPSE_MEMORY: "bytes of synapse memory",
    INPUT_AXONS: "input axons",
    OUTPUT_AXONS: "output axons",
    CORE_MEMORY: "bytes of core memory",
    SEND_NS: "ns to send",
    RECEIVE_NS: "ns to receive",
}
WAYS_OUT = {
    NEURONS: "Choose another target.",
    NEURON_GROUPS: "Choose another target.",
    SYNAPSE_MEMORY: "Use fewer input channels or a smaller kernel, or choose another target.",
    INPUT_AXONS: "Pool its input, split the layer before it, or choose another target.",
    OUTPUT_AXONS: "Use fewer or smaller layers behind it, or choose another target.",
    CORE_MEMORY: "Use fewer input channels or shorter delays, or choose another target.",
}
TIMES = (SEND_NS, RECEIVE_NS)


class TooSlow(Exception):
    """No grid keeps within the time that a core was given."""


def best_grid(demand: Demand, slack: float = 1.0) -> Grid:
    """The grid with the fewest messages, of those with at most `slack` times the fewest cores.

    Raises:
        FitError: one neuron needs more than a core has.
        TooSlow: grids fit, but none within the limits of time.
    """
    shape = demand.population.shape
    found: list[tuple[float, float, Grid]] = []  # messages, elongation
    most = math.inf  # cores worth looking at
    fewest = math.ceil(demand.population.neurons / demand.limits[NEURONS])
    for blocks in _block_counts(shape[0]):
        channels = split(shape[0], blocks)
        room = int(demand.limits[NEURONS]) // largest(channels)  # positions a core
        if room == 0 or blocks * -(-shape[1] * shape[2] // room) > most:
            continue
        if not _memory_can_fit(demand, channels):
            continue
        for parts in range(1, shape[1] + 1):
            if blocks * parts > most:
                break
            grid = _with_fewest_columns(demand, channels, split(shape[1], parts), room, most)
            if grid is not None:
                elongation = abs(largest(grid.rows) - largest(grid.columns))
                found.append((demand.messages(grid), elongation, grid))
                most = min(most, int(slack * grid.cores))
        if found and most <= int(slack * slack * fewest):
            break  # more blocks of channels mean more messages
    if not found:
        _refuse(demand)
    return min(
        (entry for entry in found if entry[2].cores <= most),
        key=lambda entry: (entry[0], entry[2].cores, entry[1]) if slack > 1 else
        (entry[2].cores, *entry[:2]),
    )[2]  # fmt: skip


def channel_grid(demand: Demand) -> Grid:
    """Whole channels a core where they fit, else the fewest rows, else columns, of one channel."""
    channels, height, width = demand.population.shape
    planes = [(blocks, 1, 1) for blocks in _block_counts(channels)]
    strips = [(channels, rows, 1) for rows in _block_counts(height)]
    pieces = [(channels, height, columns) for columns in _block_counts(width)]
    for blocks, rows, columns in (*planes, *strips, *pieces):
        grid = Grid(split(channels, blocks), split(height, rows), split(width, columns))
        if all(value <= demand.limits[name] for name, value in demand.use(grid).items()):
            return grid
    _refuse(demand)
    raise AssertionError("the finest grid fits no limit and exceeds none")


def _block_counts(channels: int) -> Iterator[int]:
    """Numbers of channel blocks worth trying: those that make the largest block smaller."""
    size = channels + 1
    for count in range(1, channels + 1):
        if -(-channels // count) < size:
            size = -(-channels // count)
            yield count


def _memory_can_fit(demand: Demand, channels: tuple[Range, ...]) -> bool:
    """Shared weights need the same memory on any tile; others may still shrink with the tile."""
    if not demand.target.shared_convolution:
        return True
    whole = Grid(channels, ((0, demand.population.shape[1]),), ((0, demand.population.shape[2]),))
    return demand.memory(whole) <= demand.limits[SYNAPSE_MEMORY]


def _with_fewest_columns(
    demand: Demand,
    channels: tuple[Range, ...],
    rows: tuple[Range, ...],
    room: int,
    most: float,
) -> Grid | None:
    """The grid with the fewest column ranges that fits, by bisection; None above `most` cores."""
    width = demand.population.shape[2]
    widest = room // largest(rows)
    if widest == 0:
        return None
    low, high = -(-width // widest), width
    if most < math.inf:
        high = min(high, int(most) // (len(channels) * len(rows)))
    if low > high or not _fits(demand, Grid(channels, rows, split(width, high))):
        return None
    while low < high:
        middle = (low + high) // 2
        if _fits(demand, Grid(channels, rows, split(width, middle))):
            high = middle
        else:
            low = middle + 1
    return Grid(channels, rows, split(width, high))


def _fits(demand: Demand, grid: Grid) -> bool:
    checked: tuple[str, ...] = (
        SEND_NS,
        RECEIVE_NS,
        INPUT_AXONS,
        OUTPUT_AXONS,
        CORE_MEMORY,
        NEURONS,
    )
    if not demand.target.shared_convolution:  # else it was checked with the channel blocks
        checked = (*checked, SYNAPSE_MEMORY)
    return all(
        demand.need(name, grid) <= demand.limits[name] for name in checked if name in demand.limits
    )


def _refuse(demand: Demand) -> None:
    """Say why not even the finest grid fits: the resource that is exceeded most."""
    population, target = demand.population, demand.target
    channels, height, width = population.shape
    finest = Grid(split(channels, channels), split(height, height), split(width, width))
    use = {name: value for name, value in demand.use(finest).items() if name not in TIMES}
    worst = max(use, key=lambda name: use[name] / demand.limits[name])
    if use[worst] <= demand.limits[worst] and any(name in demand.limits for name in TIMES):
        raise TooSlow
    raise FitError(
        f"{population.origin or population.name} needs {use[worst]:,.0f} {WORDS[worst]} on one"
        f" {target.name} core; a core has {demand.limits[worst]:,.0f}. {WAYS_OUT[worst]}"
    )
