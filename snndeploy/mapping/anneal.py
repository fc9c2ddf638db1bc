"""Annealed placement: cores that talk much to each other come to lie close.

The cost is the energy of the hops of a step: messages between two cores times the cost of the XY
route, hops between chips included.  Such a route costs the distance along x plus that along y on
axes stretched at the borders of chips, so the change of cost of a swap is a sum over the
neighbours of two cores.  Only cores in use change places, so the routers and chips in use, and
with them the barrier, stay the same.

The number of swaps is fixed by the size of the network: the same seed gives the same layout on
every machine, in bounded time.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import scipy.sparse as sparse

from snndeploy.layout.layout import Layout
from snndeploy.mapping.cost import Costs
from snndeploy.target import Target

MOVES_A_CORE = 10_000
NEIGHBOURS_VISITED = 2e8  # at most, by all moves together: some seconds
PROBES = 2000  # random swaps whose mean change is the scale of the temperature
HOT, COLD = 0.3, 3e-4  # first and last temperature on that scale


def annealed(layout: Layout, flow: sparse.csr_array, target: Target, seed: int = 0) -> Layout:
    """The layout with its cores moved; the same one where nothing better is found.

    flow: csr (cores + 1, cores), messages between cores; the last row is the host at router (0, 0).
    """
    cores = layout.cores
    if cores < 2:
        return layout
    problem = _Problem(layout, flow, target)
    moves = int(min(MOVES_A_CORE * cores, NEIGHBOURS_VISITED / (2 * problem.degree + 10)))
    place = problem.solve(moves, seed)
    if problem.cost(place) >= problem.cost(np.arange(cores)):
        return layout
    return replace(layout, positions=layout.positions[place])


class _Problem:
    """Arrays of the annealing; slot i is where core i lies at the beginning."""

    def __init__(self, layout: Layout, flow: sparse.csr_array, target: Target) -> None:
        self.router = layout.positions[:, :2].astype(np.int64)
        self.x, self.y = stretched(layout, Costs.of(target).distance)
        between = flow[: layout.cores]
        both = (between + between.T).tocsr()
        both.setdiag(0)
        both.eliminate_zeros()
        both.sort_indices()
        self.flow = both
        self.host = np.asarray(flow[[layout.cores]].todense(), dtype=np.float64).ravel()
        self.degree = both.nnz / layout.cores

    def cost(self, place: np.ndarray) -> float:
        """Energy of the hops of a step, on the scale of the target's hop costs."""
        entries = self.flow.tocoo()
        a, b = place[entries.row], place[entries.col]
        apart = np.abs(self.x[a] - self.x[b]) + np.abs(self.y[a] - self.y[b])
        host = self.host @ (self.x[place] + self.y[place])
        return float(entries.data @ apart) / 2 + float(host)

    def solve(self, moves: int, seed: int) -> np.ndarray:
        """Slot of every core after annealing, int64 (cores,)."""
        from snndeploy.mapping.anneal_kernels import anneal, swap_gain

        cores = len(self.x)
        place, occupant = np.arange(cores), np.arange(cores)
        table = (
            self.flow.indptr.astype(np.int64), self.flow.indices.astype(np.int64),
            self.flow.data.astype(np.float64), self.host,
        )  # fmt: skip
        pairs = np.random.default_rng(seed).integers(0, cores, (PROBES, 2))
        gains = [swap_gain(a, b, place, self.x, self.y, *table) for a, b in pairs if a != b]
        scale = float(np.abs(gains).mean()) if gains else 0.0
        if scale > 0:
            anneal(
                place, occupant, self.x, self.y, self.router, self._slots(), *table, moves,
                HOT * scale, COLD * scale, seed,
            )  # fmt: skip
        return place

    def _slots(self) -> np.ndarray:
        """Slot by mesh column, row and number at its router; -1 where there is none."""
        width, height = self.router.max(axis=0) + 1
        cell = self.router[:, 0] * height + self.router[:, 1]
        order = np.argsort(cell, kind="stable")
        counts = np.bincount(cell, minlength=width * height)
        rank = np.arange(len(cell)) - np.repeat(np.cumsum(counts) - counts, counts)
        slots = np.full((width * height, counts.max()), -1, dtype=np.int64)
        slots[cell[order], rank] = order
        return slots.reshape(width, height, -1)


def stretched(layout: Layout, hop: tuple[float, float, float]) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates of every core in units of cost: the route's cost is their distance.

    hop: cost along x, along y, and between chips.
    """
    router = layout.positions[:, :2].astype(np.float64)
    chip = np.floor(router / layout.mesh)
    axes = [
        hop[axis] * (router[:, axis] - chip[:, axis]) + hop[2] * chip[:, axis] for axis in (0, 1)
    ]
    return axes[0], axes[1]
