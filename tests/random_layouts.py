"""Random irregular layouts: boxes cut anywhere, put on cores and routers at random."""

from __future__ import annotations

import numpy as np

from snndeploy.layout.layout import Layout, Tile


def random_layout(network, random, mesh=(3, 2), board=(2, 2), per_router=2):
    """A legal Layout of the network: every neuron in one tile, every core used.

    random: numpy Generator.  Cores take distinct slots of a board of chips.
    """
    boxes = [
        (population.name, box)
        for population in network.populations
        if population.neuron.name != "input"
        for box in _cut(tuple((0, size) for size in population.shape), random)
    ]
    boxes = [boxes[index] for index in random.permutation(len(boxes))]
    slots = mesh[0] * board[0] * mesh[1] * board[1] * per_router
    wanted = random.integers(1, min(len(boxes), slots) + 1)
    chosen = random.integers(0, wanted, size=len(boxes))
    _, core = np.unique(chosen, return_inverse=True)
    tiles = tuple(
        Tile(name, *box, int(index)) for (name, box), index in zip(boxes, core, strict=True)
    )
    place = random.choice(slots, size=core.max() + 1, replace=False)
    router, slot = place // per_router, place % per_router
    width = mesh[0] * board[0]
    positions = np.stack([router % width, router // width, slot], axis=1).astype(np.int32)
    return Layout(tiles, positions, mesh, board, {}, {}, "")


def _cut(box, random):
    """Split a box at random places along random axes."""
    axes = [axis for axis in range(3) if box[axis][1] - box[axis][0] > 1]
    if not axes or random.random() < 0.4:
        return [box]
    axis = random.choice(axes)
    start, stop = box[axis]
    middle = int(random.integers(start + 1, stop))
    halves = [box[:axis] + (part,) + box[axis + 1 :] for part in ((start, middle), (middle, stop))]
    return [piece for half in halves for piece in _cut(half, random)]
