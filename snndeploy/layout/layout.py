"""Mapping: which core computes which neurons, and where every core lies on the mesh."""

from __future__ import annotations

from collections.abc import Mapping as MappingType
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from snndeploy.connections.encoding import Encoding


@dataclass(frozen=True)
class Tile:
    """A box of one population on one core; every range is half open.

    A core may hold several boxes of one population, as flat strips of neurons do.

    share: (channels, rows, columns) of the room that the core keeps for the box, where that is
        larger: a compiler that cuts all cores of a layer alike lets the last ones reach beyond the
        edge.  The neurons there send nothing, but are updated and take synaptic operations.
    encoding: how the core stores the weights that lead into the box, where a given map says so;
        None: as the target stores such connections.
    """

    population: str
    channels: tuple[int, int]
    rows: tuple[int, int]
    columns: tuple[int, int]
    core: int
    share: tuple[int, int, int] | None = None
    encoding: Encoding | None = None

    @property
    def beyond(self) -> int:
        """Neurons of the share that lie beyond the population's edge."""
        return 0 if self.share is None else int(np.prod(self.share)) - self.neurons

    @property
    def room(self) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int]]:
        """Channels, rows and columns of the share: the box itself where none is stated."""
        box = (self.channels, self.rows, self.columns)
        if self.share is None:
            return box
        begins = [start for start, _ in box]
        channels, rows, columns = (
            (begin, begin + size) for begin, size in zip(begins, self.share, strict=True)
        )
        return channels, rows, columns

    @property
    def neurons(self) -> int:
        sizes = (stop - start for start, stop in (self.channels, self.rows, self.columns))
        channels, rows, columns = sizes
        return channels * rows * columns


@dataclass(frozen=True, eq=False)
class Layout:
    """The mapped network.

    positions: int32 (cores, 3): x and y of the core's router on the global mesh (chips of the
        board side by side: chip (i, j) covers columns i * mesh_width ... and rows
        j * mesh_height ...), and the core's slot at that router.
    mesh: routers of one chip, (width, height).  board: chips, (width, height).
    use: per core, one int64 array (cores,) for each limited resource: 'neurons',
        'synapse_memory_bytes', 'input_axons', 'output_axons', 'core_memory_bytes' (those that the
        target limits, and always 'neurons' and 'synapse_memory_bytes').
    limits: the target's limit for each resource in `use` that has one.
    binding: the resource that forced the number of cores, in words, with both numbers.
    """

    tiles: tuple[Tile, ...]
    positions: np.ndarray
    mesh: tuple[int, int]
    board: tuple[int, int]
    use: MappingType[str, np.ndarray]
    limits: MappingType[str, int]
    binding: str
    notes: tuple[str, ...] = field(default=())

    @property
    def cores(self) -> int:
        return len(self.positions)

    @property
    def chip_of_core(self) -> np.ndarray:
        """Chip number of every core, int64 (cores,)."""
        column = self.positions[:, 0] // self.mesh[0]
        row = self.positions[:, 1] // self.mesh[1]
        return row.astype(np.int64) * self.board[0] + column

    @property
    def chips(self) -> int:
        return len(np.unique(self.chip_of_core)) if self.cores else 0

    @property
    def mapped_routers(self) -> int:
        """Routers with at least one core in use, which the barrier waits for."""
        return len(np.unique(self.positions[:, :2], axis=0)) if self.cores else 0

    def tiles_of(self, population: str) -> tuple[Tile, ...]:
        return self._tiles_of.get(population, ())

    @cached_property
    def _tiles_of(self) -> dict[str, tuple[Tile, ...]]:
        found: dict[str, list[Tile]] = {}
        for tile in self.tiles:
            found.setdefault(tile.population, []).append(tile)
        return {name: tuple(tiles) for name, tiles in found.items()}
