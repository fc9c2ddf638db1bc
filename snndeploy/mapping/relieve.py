"""Relief: where the busiest link sets the time of a step, cores are swapped to spread its load.

Annealing (`anneal.py`) makes the way of all messages short, and leaves some links crowded: those
between chips, and those at the host's router.  Here the sum of the fourth powers of the links'
busy times is lowered, which the busiest links dominate, and beside it their sum, so that the ways
stay short.  Routes go along x, then along y.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import scipy.sparse as sparse

from snndeploy.layout.layout import Layout
from snndeploy.target import Target
from snndeploy.target.events import hop_nanoseconds

LINKS_VISITED = 1.5e8  # at most, by all moves together: some seconds
MOVES_A_CORE = 10_000
LENGTH = 0.3  # weight of the sum of all loads, beside 1 for their fourth powers
HOT, COLD = 1e-3, 1e-6  # temperatures, where the sum is 1 at first


def relieved(layout: Layout, flow: sparse.csr_array, target: Target, seed: int = 0) -> Layout:
    """The layout with cores swapped to relieve the busiest links.

    flow: csr (cores + 1, cores), messages between cores; the last row is the host at router (0, 0).
    """
    from snndeploy.mapping.anneal_kernels import fill, relieve

    cores = layout.cores
    host = np.zeros((1, 2), dtype=np.int64)
    router = np.concatenate([layout.positions[:, :2].astype(np.int64), host])
    place = np.arange(cores + 1)  # the host's place is the last
    table = _both_ways(flow)
    hop = _hop_ns(layout, target)
    total = fill(place, router, hop, np.zeros_like(hop), *table)
    if cores < 2 or total <= 0:
        return layout
    hop = hop * total**-0.25
    load = np.zeros_like(hop)
    fill(place, router, hop, load, *table)
    apart = np.abs(router[:cores].mean(axis=0) - router[:cores]).sum(axis=1).mean()
    visits = 8 * (1 + apart) * len(table[1]) / cores
    moves = int(min(MOVES_A_CORE * cores, LINKS_VISITED / visits))
    length = LENGTH / load.sum()
    relieve(place, router, hop, load, *table, length, moves, HOT, COLD, seed)
    return replace(layout, positions=layout.positions[place[:cores]])


def _both_ways(
    flow: sparse.csr_array,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Flows from and to each core, csr: first, the other core, messages, whether it leaves."""
    entries = flow.tocoo()
    real = (entries.row != entries.col) & (entries.data > 0)
    source, target, data = entries.row[real], entries.col[real], entries.data[real]
    leaves = source < flow.shape[1]
    core = np.concatenate([source[leaves], target])
    other = np.concatenate([target[leaves], source])
    value = np.concatenate([data[leaves], data])
    outgoing = np.arange(len(core)) < leaves.sum()
    order = np.argsort(core, kind="stable")
    first = np.searchsorted(core[order], np.arange(flow.shape[1] + 1))
    return (
        first.astype(np.int64),
        other[order].astype(np.int64),
        value[order].astype(np.float64),
        outgoing[order],
    )


def _hop_ns(layout: Layout, target: Target) -> np.ndarray:
    """Time of a message on each link, float64 (4, width + 1, height + 1): east, west, south, north.

    A link is named by the router that it leaves.
    """
    x, y = np.meshgrid(
        np.arange(layout.mesh[0] * layout.board[0] + 1),
        np.arange(layout.mesh[1] * layout.board[1] + 1),
        indexing="ij",
    )
    planes = []
    for at, axis, ahead in ((x, 0, 1), (x, 0, -1), (y, 1, 1), (y, 1, -1)):
        crosses = at // layout.mesh[axis] != (at + ahead) // layout.mesh[axis]
        planes.append(hop_nanoseconds(target, np.full(at.shape, axis == 0), crosses))
    return np.stack(planes)
