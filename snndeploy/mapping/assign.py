"""Assignment: a core for every tile, cores numbered in network order."""

from __future__ import annotations

import math
from collections.abc import Mapping

from snndeploy.layout.layout import Tile
from snndeploy.mapping.demand import RECEIVE_NS, SEND_NS
from snndeploy.mapping.grid import Grid
from snndeploy.mapping.memory import limits_of, tile_use
from snndeploy.network import Network
from snndeploy.target import Target


def assign(
    network: Network,
    target: Target,
    grids: Mapping[str, Grid],
    *,
    merging: bool = True,
    times: Mapping[str, Mapping[str, float]] | None = None,
    budget_ns: float = math.inf,
) -> tuple[Tile, ...]:
    """Cores in network order; a population of one tile joins the first shared core with room.

    times: what each population's tile needs of `budget_ns`, by name.
    """
    limits: dict[str, float] = dict(limits_of(target))
    need = _single_tile_use(network, target, grids) if merging else {}
    if times is not None:
        limits |= {SEND_NS: budget_ns, RECEIVE_NS: budget_ns}
        for name, use in need.items():
            use |= {key: times[name][key] for key in (SEND_NS, RECEIVE_NS)}
    tiles: list[Tile] = []
    shared: dict[int, dict[str, float]] = {}  # core: what is used there
    cores = 0
    for name in (p.name for p in network.populations if p.neuron.on_chip):
        core = cores
        if name in need:
            core = next(
                (c for c, used in shared.items() if _joins(used, need[name], limits)), cores
            )
            used = shared.setdefault(core, dict.fromkeys(limits, 0.0))
            for resource, value in need[name].items():
                used[resource] += value
        tiles += grids[name].tiles(name, core)
        cores = max(cores, core + grids[name].cores)
    return tuple(tiles)


def _single_tile_use(
    network: Network, target: Target, grids: Mapping[str, Grid]
) -> dict[str, dict[str, float]]:
    """What each population of a single tile needs."""
    tiles = [tile for name, grid in grids.items() for tile in grid.tiles(name)]
    single = [index for index, tile in enumerate(tiles) if grids[tile.population].cores == 1]
    if not single:
        return {}
    use = tile_use(network, tiles, target)
    return {
        tiles[index].population: {resource: float(v[index]) for resource, v in use.items()}
        for index in single
    }


def _joins(
    used: Mapping[str, float], need: Mapping[str, float], limits: Mapping[str, float]
) -> bool:
    return all(used[resource] + need[resource] <= limit for resource, limit in limits.items())
