"""XY routes on the global mesh: which links a message takes, as sparse differences.

A message goes along x to the column of its destination and then along y.  On each line of the
mesh its links are an interval, so a route is written as +1 where an interval begins and -1 where
it ends, four numbers however long the way, and a running sum along the line gives the loads.

A link is named by its source router and direction, (x, y, dx, dy).  Differences live in four
planes (east, west, south, north; south is y + 1) of (mesh height + 1) x (mesh width + 1).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

DIRECTIONS = np.array([(1, 0), (-1, 0), (0, 1), (0, -1)], dtype=np.int32)


@dataclass(frozen=True)
class Mesh:
    """The routers of the whole board."""

    width: int
    height: int

    @property
    def plane(self) -> int:
        return (self.width + 1) * (self.height + 1)

    def differences(self, start: np.ndarray, stop: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Cells and signs of the routes between routers, both (routes, 4).

        start, stop: (routes, 2), x and y.  A cell of -1 stands for no hop on that axis.
        """
        (x0, y0), (x1, y1) = start.T.astype(np.int64), stop.T.astype(np.int64)
        across = self._interval(0, x0, x1, y0, along_x=True)
        down = self._interval(2, y0, y1, x1, along_x=False)
        cells = np.stack([*across, *down], axis=1)
        return cells, np.broadcast_to(np.array([1, -1, 1, -1]), cells.shape)

    def _interval(
        self, plane: int, begin: np.ndarray, end: np.ndarray, line: np.ndarray, *, along_x: bool
    ) -> tuple[np.ndarray, np.ndarray]:
        """Cells where an interval of links begins and ends: begin..end-1, or end+1..begin back."""
        back = end < begin
        first = np.where(back, end + 1, begin)
        last = np.where(back, begin + 1, end)
        base = (plane + back) * self.plane
        step, across = (1, self.width + 1) if along_x else (self.width + 1, 1)
        cells = [
            np.where(begin == end, -1, base + step * at + across * line) for at in (first, last)
        ]
        return cells[0], cells[1]

    def loads(self, differences: np.ndarray) -> np.ndarray:
        """Load of every link, (4, height, width, ...), from differences (4 * plane, ...)."""
        tail = differences.shape[1:]
        planes = differences.reshape(4, self.height + 1, self.width + 1, *tail)
        east_west = np.cumsum(planes[:2, :-1], axis=2)[:, :, :-1]
        south_north = np.cumsum(planes[2:, :, :-1], axis=1)[:, :-1]
        return np.concatenate([east_west, south_north])

    def links(self, used: np.ndarray) -> np.ndarray:
        """Names of links, int32 (links, 4), from a mask (4, height, width)."""
        direction, y, x = np.nonzero(used)
        names = np.concatenate([np.stack([x, y], axis=1), DIRECTIONS[direction]], axis=1)
        return names.astype(np.int32)


def crosses_chips(links: np.ndarray, chip: tuple[int, int]) -> np.ndarray:
    """Which links (links, 4) lead to another chip of that mesh (width, height), bool (links,)."""
    start, stop = links[:, :2], links[:, :2] + links[:, 2:]
    crosses: np.ndarray = (start // chip != stop // chip).any(axis=1)
    return crosses
