"""A given map: a network on the cores and places that a file names, as a measured run had them.

Nothing is searched for.  A map that does not place every neuron once, or names places that the
board has not, is refused; limits that it exceeds are named among the layout's notes, since a map
that ran on a chip is truer than our account of the chip's memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from snndeploy.errors import MapError, near_names
from snndeploy.layout.layout import Layout, Tile
from snndeploy.mapping.checks import check_neurons, excesses
from snndeploy.mapping.map_file import AXES, CoreMap, read_map
from snndeploy.mapping.memory import NEURONS, core_use, limits_of
from snndeploy.network import Network
from snndeploy.target import Target


def given_layout(path: str | Path, network: Network, target: Target) -> Layout:
    """The layout of a map file, checked against the network and the chip.

    Raises:
        MapError: the file, or what it says, does not place the network on the board.
        FitError: a neuron needs more than any core has.
    """
    check_neurons(network, target)
    found = read_map(path)
    name = str(path)
    _check_boxes(found, network, name)
    board = _board(found, target, name)
    limits = limits_of(target)
    layout = Layout(
        tiles=found.tiles,
        positions=found.positions,
        mesh=(target.mesh_width, target.mesh_height),
        board=board,
        use=_use(found, network, target),
        limits=limits,
        binding=f"nothing: the cores are those of {Path(path).name}",
    )
    exceeded = (text for text, _ in excesses(network, layout, target))
    return replace(layout, notes=tuple(f"the map exceeds a limit: {text}" for text in exceeded))


def _use(found: CoreMap, network: Network, target: Target) -> dict[str, np.ndarray]:
    """What every core holds.  Cores that are cut alike are allocated alike: one that keeps a share
    takes what the fullest of its layer does, as the figure of memory of a measured run shows."""
    use = core_use(network, found.tiles, len(found.positions), target)
    boxes = np.bincount([tile.core for tile in found.tiles])
    alone = [tile for tile in found.tiles if boxes[tile.core] == 1]
    for tile in found.tiles:
        use[NEURONS][tile.core] += tile.beyond
    for tile in alone:
        if tile.share is not None:
            twins = [t.core for t in alone if (t.population, _sizes(t)) ==
                     (tile.population, tile.share)]  # fmt: skip
            for values in use.values():
                values[tile.core] = values[twins].max()
    return use


def _sizes(tile: Tile) -> tuple[int, int, int]:
    """Of the room that a core keeps for the box."""
    channels, rows, columns = (stop - start for start, stop in tile.room)
    return channels, rows, columns


def _check_boxes(found: CoreMap, network: Network, name: str) -> None:
    """Every neuron on exactly one core, and nothing else."""
    shapes = {p.name: p.shape for p in network.populations if p.neuron.on_chip}
    owner = {layer: np.full(shape, -1, dtype=np.int32) for layer, shape in shapes.items()}
    for tile in found.tiles:
        where = f"{name}: core {tile.core}: {tile.population}"
        if tile.population not in shapes:
            known = ", ".join(shapes)
            near = near_names(tile.population, shapes)
            raise MapError(f"{where} is no population on the chip{near or f'; there are {known}'}")
        _check_box(tile, shapes[tile.population], where)
        place = tuple(slice(*getattr(tile, axis)) for axis in AXES)
        there = owner[tile.population][place]
        if (there >= 0).any():
            other = int(there[there >= 0][0])
            shared = int((there >= 0).sum())
            raise MapError(f"{where}: {shared:,} of its neurons are on core {other} already")
        there[...] = tile.core
    for layer, cores in owner.items():
        if missing := int((cores < 0).sum()):
            first = tuple(int(at) for at in np.argwhere(cores < 0)[0])
            raise MapError(
                f"{name}: {missing:,} of {cores.size:,} neurons of {layer} are on no core; the"
                f" first is (channel, row, column) {first}"
            )


def _check_box(tile: Tile, shape: tuple[int, int, int], where: str) -> None:
    for axis, room, edge in zip(AXES, tile.room, shape, strict=True):
        start, stop = getattr(tile, axis)
        if stop > edge:
            raise MapError(f"{where}: {axis} {start} to {stop} of {edge}")
        if room[1] != stop and (room[1] < stop or stop != edge):
            raise MapError(
                f"{where}: a share of {room[1] - start} {axis} for {start} to {stop} of {edge}; a"
                " share goes beyond its box only at the layer's edge"
            )


def _board(found: CoreMap, target: Target, name: str) -> tuple[int, int]:
    """Chips wide and high; the fewest from chip (0, 0) that hold all places where none is said."""
    places, mesh = found.positions, (target.mesh_width, target.mesh_height)
    grid = (target.chip_grid_width, target.chip_grid_height)
    chips = places[:, :2] // mesh
    wide, high = (int(side) + 1 for side in chips.max(axis=0))
    board = found.board or (wide, high)
    if board[0] > grid[0] or board[1] > grid[1]:
        raise MapError(
            f"{name}: a board of {board[0]} x {board[1]} chips; {target.board_name} has"
            f" {grid[0]} x {grid[1]}"
        )
    for fault in _place_faults(places, chips, board, target):
        raise MapError(f"{name}: {fault}")
    return board


def _place_faults(
    places: np.ndarray, chips: np.ndarray, board: tuple[int, int], target: Target
) -> Iterator[str]:
    routers = (board[0] * target.mesh_width, board[1] * target.mesh_height)
    room = (*routers, target.cores_per_tile)
    for core in np.flatnonzero((places >= room).any(axis=1)).tolist():
        yield (
            f"core {core} is at {places[core].tolist()}; a board of {board[0]} x {board[1]} chips"
            f" of {target.name} has {room[0]} x {room[1]} routers of {room[2]} cores"
        )
    _, first, number = np.unique(places, axis=0, return_index=True, return_inverse=True)
    earlier = first[number.ravel()]
    for core in np.flatnonzero(earlier != np.arange(len(places))).tolist():
        yield f"cores {earlier[core]} and {core} are at one place, {places[core].tolist()}"
    used, cores = np.unique(chips, axis=0, return_counts=True)
    if int(cores.max()) > target.cores_per_chip:
        yield (
            f"one chip holds {int(cores.max()):,} cores; a {target.name} chip has"
            f" {target.cores_per_chip:,}"
        )
    if len(used) > target.max_chips:
        yield f"cores on {len(used):,} chips; {target.board_name} has {target.max_chips:,}"
