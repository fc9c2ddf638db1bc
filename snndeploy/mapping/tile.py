"""Tiling: a population cut into a grid of boxes, each small enough for one core.

Channels stay together where they fit, since every core that holds some of a position's channels
receives a message of its own for each spike; space is cut into near-square tiles.  The search
takes the grid with the fewest cores, then with the fewest messages, then the squarest.
"""

from __future__ import annotations

from collections.abc import Iterator

from snndeploy.errors import FitError
from snndeploy.mapping.demand import Demand
from snndeploy.mapping.grid import Grid, largest, split
from snndeploy.mapping.memory import INPUT_AXONS, NEURONS, OUTPUT_AXONS, SYNAPSE_MEMORY
from snndeploy.mapping.reach import Range

WORDS = {
    NEURONS: "neurons",
    SYNAPSE_MEMORY: "bytes of synapse memory",
    INPUT_AXONS: "input axons",
    OUTPUT_AXONS: "output axons",
}
WAYS_OUT = {
    NEURONS: "Choose another target.",
    SYNAPSE_MEMORY: "Use fewer input channels or a smaller kernel, or choose another target.",
    INPUT_AXONS: "Pool its input, split the layer before it, or choose another target.",
    OUTPUT_AXONS: "Use fewer or smaller layers behind it, or choose another target.",
}


def best_grid(demand: Demand) -> Grid:
    """The grid with the fewest cores, then messages; FitError where one neuron is too much."""
    shape = demand.population.shape
    best: Grid | None = None
    best_cost: tuple[float, ...] = ()
    fewest = -(-demand.population.neurons // demand.limits[NEURONS])
    for blocks in _block_counts(shape[0]):
        channels = split(shape[0], blocks)
        room = demand.limits[NEURONS] // largest(channels)  # positions a core
        if room == 0 or (best and blocks * -(-shape[1] * shape[2] // room) >= best.cores):
            continue
        if not _memory_can_fit(demand, channels):
            continue
        for parts in range(1, shape[1] + 1):
            if best and blocks * parts > best.cores:
                break
            grid = _with_fewest_columns(demand, channels, split(shape[1], parts), room, best)
            if grid is None:
                continue
            elongation = abs(largest(grid.rows) - largest(grid.columns))
            cost = (grid.cores, demand.messages(grid), elongation)
            if best is None or cost < best_cost:
                best, best_cost = grid, cost
        if best and best.cores <= fewest:
            break
    if best is None:
        raise FitError(_refusal(demand))
    return best


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
    best: Grid | None,
) -> Grid | None:
    """The grid with the fewest column ranges that fits, by bisection; None if none can be best."""
    width = demand.population.shape[2]
    widest = room // largest(rows)
    if widest == 0:
        return None
    low, high = -(-width // widest), width
    if best:
        high = min(high, best.cores // (len(channels) * len(rows)))
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
    if demand.target.shared_convolution:  # the memory was checked with the channel blocks
        use = {NEURONS: largest(grid.channels) * largest(grid.rows) * largest(grid.columns)}
        if INPUT_AXONS in demand.limits:
            use[INPUT_AXONS] = demand.input_axons(grid)
        if OUTPUT_AXONS in demand.limits:
            use[OUTPUT_AXONS] = demand.output_axons(grid)
    else:
        use = demand.use(grid)
    return all(value <= demand.limits[name] for name, value in use.items())


def _refusal(demand: Demand) -> str:
    """Why not even the finest grid fits: the resource that is exceeded most."""
    population, target = demand.population, demand.target
    channels, height, width = population.shape
    finest = Grid(split(channels, channels), split(height, height), split(width, width))
    use = demand.use(finest)
    worst = max(use, key=lambda name: use[name] / demand.limits[name])
    return (
        f"{population.origin or population.name} needs {use[worst]:,} {WORDS[worst]} on one "
        f"{target.name} core; a core has {demand.limits[worst]:,}. {WAYS_OUT[worst]}"
    )
