"""Placement: every tile gets a core, every core a place on the mesh.

Three steps, each a function below:

    cut      each population into a grid of tiles (`tile.py`), last population first, because the
             output axons of a tile depend on the tiles behind it;
    assign   cores in network order; populations of a single tile share cores (`merging`);
    arrange  the cores in snake order: column by column through a chip's routers, then on to the
             next chip, so that cores that follow each other are neighbours.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import numpy as np

from snndeploy.errors import FitError
from snndeploy.mapping.demand import Demand
from snndeploy.mapping.grid import Grid
from snndeploy.mapping.layout import Layout, Tile
from snndeploy.mapping.memory import core_use, limits_of, tile_use
from snndeploy.mapping.tile import WORDS, best_grid
from snndeploy.network import Network
from snndeploy.target import Target

REPAIRS = 16  # rounds in which a population that came out too large is cut finer ...
TIGHTENING = 0.95  # ... its budget lowered to this share at least

KERNELS_STORED_ONCE = (
    "a convolution's kernel is stored once a core; weight lists that a tile's border cuts short "
    "are taken to be part of the full lists"
)


def place(
    network: Network,
    target: Target,
    activity: Mapping[str, float] | None = None,
    *,
    merging: bool = True,
) -> Layout:
    """Map a network onto the cores of a target.

    activity: spikes a neuron and step of each population (default: alike), as calibration gives
    them; it weighs the choice between tilings of the same number of cores.
    Raises FitError when a neuron needs more than a core has, or the network more than the chips.
    """
    grids = cut(network, target, activity or {})
    tiles = assign(network, target, grids, merging=merging)
    cores = 1 + max((tile.core for tile in tiles), default=-1)
    limits = limits_of(target)
    use = core_use(network, tiles, cores, target)
    binding = _binding(tiles, use, limits)
    available = target.max_chips * target.cores_per_chip
    if cores > available:
        chips = "1 chip has" if target.max_chips == 1 else f"{target.max_chips:,} chips have"
        raise FitError(
            f"the network needs {cores:,} {target.name} cores; {chips} {available:,}. "
            f"What binds: {binding}. Use a smaller network or another target."
        )
    board, positions = arrange(cores, target)
    notes = (KERNELS_STORED_ONCE,) if target.shared_convolution else ()
    mesh = (target.mesh_width, target.mesh_height)
    return Layout(tiles, positions, mesh, board, use, limits, binding, notes)


def cut(network: Network, target: Target, rates: Mapping[str, float]) -> dict[str, Grid]:
    """The grid of every population on the chip."""
    limits = limits_of(target)
    budgets = {p.name: dict(limits) for p in network.populations if p.kind != "input"}
    grids: dict[str, Grid] = {}
    pending = set(budgets)
    for _ in range(REPAIRS):
        for population in reversed(network.populations):
            name = population.name
            if name in pending:
                sinks = [
                    (p, tuple(grids[p.target].tiles(p.target)))
                    for p in network.outgoing(name)
                    if p.target in grids
                ]
                demand = Demand(network, population, target, budgets[name], rates, sinks)
                grids[name] = best_grid(demand)
        pending = _tighten(network, target, grids, budgets)
        if not pending:
            return grids
    names = ", ".join(sorted(pending))
    raise FitError(
        f"no tiling of {names} fits {target.name} after {REPAIRS} rounds of cutting it finer. "
        "Use a smaller network or another target."
    )


def _tighten(
    network: Network,
    target: Target,
    grids: Mapping[str, Grid],
    budgets: Mapping[str, dict[str, int]],
) -> set[str]:
    """Populations with a tile over a limit, their budgets lowered by as much.

    Needed where the search could not see everything: recurrent projections, whose targets were
    cut later, and weights that are not shared.
    """
    limits = limits_of(target)
    tiles = [tile for name, grid in grids.items() for tile in grid.tiles(name)]
    use = tile_use(network, tiles, target)
    over: set[str] = set()
    most: dict[tuple[str, str], int] = {}
    for resource, values in use.items():
        for index in np.flatnonzero(values > limits[resource]):
            key = (tiles[index].population, resource)
            most[key] = max(most.get(key, 0), int(values[index]))
    for (name, resource), value in most.items():
        share = min(limits[resource] / value, TIGHTENING)
        budgets[name][resource] = max(1, int(budgets[name][resource] * share))
        over.add(name)
    return over


def assign(
    network: Network, target: Target, grids: Mapping[str, Grid], *, merging: bool
) -> tuple[Tile, ...]:
    """Cores in network order; a population of one tile joins the first shared core with room."""
    limits = limits_of(target)
    tiles: list[Tile] = []
    shared: dict[int, dict[str, int]] = {}  # core: what is used there
    need = _single_tile_use(network, target, grids)
    cores = 0
    for name in (p.name for p in network.populations if p.kind != "input"):
        core = cores
        if merging and name in need:
            core = next(
                (c for c, used in shared.items() if _joins(used, need[name], limits)), cores
            )
            used = shared.setdefault(core, dict.fromkeys(limits, 0))
            for resource, value in need[name].items():
                used[resource] += value
        tiles += grids[name].tiles(name, core)
        cores = max(cores, core + grids[name].cores)
    return tuple(tiles)


def _single_tile_use(
    network: Network, target: Target, grids: Mapping[str, Grid]
) -> dict[str, dict[str, int]]:
    """What each population of a single tile needs."""
    tiles = [tile for name, grid in grids.items() for tile in grid.tiles(name)]
    use = tile_use(network, tiles, target)
    return {
        tile.population: {resource: int(values[index]) for resource, values in use.items()}
        for index, tile in enumerate(tiles)
        if grids[tile.population].cores == 1
    }


def _joins(used: Mapping[str, int], need: Mapping[str, int], limits: Mapping[str, int]) -> bool:
    return all(used[resource] + need[resource] <= limit for resource, limit in limits.items())


def arrange(cores: int, target: Target) -> tuple[tuple[int, int], np.ndarray]:
    """The board (chips wide, chips high) and every core's position, int32 (cores, 3).

    The board is about as wide as high in routers, inside the target's grid of chips.  Rows of
    chips are walked back and forth, and so are the columns of routers in a row of chips.
    """
    chips = max(1, -(-cores // target.cores_per_chip))
    square = math.sqrt(chips * target.mesh_height / target.mesh_width)
    width = min(max(1, round(square)), target.chip_grid_width, chips)
    while -(-chips // width) > target.chip_grid_height:
        width += 1
    height = -(-chips // width)
    core = np.arange(cores)
    chip, within = core // target.cores_per_chip, core % target.cores_per_chip
    router, slot = within // target.cores_per_tile, within % target.cores_per_tile
    chip_row, step = chip // width, chip % width
    along = step * target.mesh_width + router // target.mesh_height  # columns walked in this row
    down = router % target.mesh_height
    y = np.where(along % 2 == 1, target.mesh_height - 1 - down, down)
    x = np.where(chip_row % 2 == 1, width * target.mesh_width - 1 - along, along)
    positions = np.stack([x, chip_row * target.mesh_height + y, slot], axis=1).astype(np.int32)
    return (width, height), positions


def _binding(
    tiles: Iterable[Tile], use: Mapping[str, np.ndarray], limits: Mapping[str, int]
) -> str:
    """The resource that forced the number of cores: the fullest one, weighed by cores."""
    cores_of: dict[str, list[int]] = {}
    for tile in tiles:
        cores_of.setdefault(tile.population, []).append(tile.core)
    bound: dict[str, int] = {}  # resource: cores of the populations that it cut
    fullest: dict[str, tuple[int, str]] = {}
    for name, cores in cores_of.items():
        most = {resource: int(values[cores].max()) for resource, values in use.items()}
        worst = max(most, key=lambda resource: most[resource] / limits[resource])
        bound[worst] = bound.get(worst, 0) + (len(cores) if len(cores) > 1 else 0)
        fullest[worst] = max(fullest.get(worst, (-1, "")), (most[worst], name))
    if not bound:
        return "nothing is mapped"
    worst = max(
        bound, key=lambda resource: (bound[resource], fullest[resource][0] / limits[resource])
    )
    value, name = fullest[worst]
    text = f"{WORDS[worst]}: {value:,} of {limits[worst]:,} on the fullest core ({name})"
    if bound[worst]:
        text += f"; binds {bound[worst]:,} of {1 + max(max(c) for c in cores_of.values()):,} cores"
    else:
        text += "; every population fits one core"
    return text
