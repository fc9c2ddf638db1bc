"""Grids: a population's axes cut into ranges, every combination of which is a tile."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from snndeploy.connections import Range
from snndeploy.layout.layout import Tile


def split(size: int, parts: int) -> tuple[Range, ...]:
    """Ranges that cover 0..size, their sizes differing by one at most."""
    return tuple((i * size // parts, (i + 1) * size // parts) for i in range(parts))


@dataclass(frozen=True)
class Grid:
    """The ranges along each axis; every combination is one tile."""

    channels: tuple[Range, ...]
    rows: tuple[Range, ...]
    columns: tuple[Range, ...]

    @property
    def cores(self) -> int:
        return len(self.channels) * len(self.rows) * len(self.columns)

    def tiles(self, population: str, first_core: int = 0) -> Iterator[Tile]:
        """One tile a core: rows back and forth, the channel blocks of a place side by side."""
        core = first_core
        for index, rows in enumerate(self.rows):
            for columns in self.columns[:: -1 if index % 2 else 1]:
                for channels in self.channels:
                    yield Tile(population, channels, rows, columns, core)
                    core += 1


def largest(ranges: Sequence[Range]) -> int:
    """Size of the largest range."""
    return max(stop - start for start, stop in ranges)
