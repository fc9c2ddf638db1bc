"""The loop of annealing, compiled by numba: millions of swaps a second."""

from __future__ import annotations

import numba
import numpy as np


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _random(state: np.ndarray) -> float:
    """The next number in [0, 1) of splitmix64; `state` is uint64 (1,)."""
    state[0] += np.uint64(0x9E3779B97F4A7C15)
    z = state[0]
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z = z ^ (z >> np.uint64(31))
    return float(z >> np.uint64(11)) * 1.1102230246251565e-16


@numba.njit(cache=True, nogil=True, error_model="numpy")
def swap_gain(
    a: int,
    b: int,
    place: np.ndarray,
    x: np.ndarray,
    y: np.ndarray,
    first: np.ndarray,
    neighbour: np.ndarray,
    flow: np.ndarray,
    host: np.ndarray,
) -> float:
    """Change of cost when cores a and b change places.

    place: int64 (cores,), the slot of each core.  x, y: float64 (slots,), coordinates in units of
    cost.  first, neighbour, flow: csr of the symmetric flow between cores.  host: float64 (cores,),
    flow from the host, which sits at the origin.
    """
    change = 0.0
    for core, other in ((a, b), (b, a)):
        old, new = place[core], place[other]
        change += host[core] * (x[new] + y[new] - x[old] - y[old])
        for entry in range(first[core], first[core + 1]):
            if neighbour[entry] != other:
                at = place[neighbour[entry]]
                change += flow[entry] * (
                    abs(x[new] - x[at]) + abs(y[new] - y[at])
                    - abs(x[old] - x[at]) - abs(y[old] - y[at])
                )  # fmt: skip
    return change


@numba.njit(cache=True, nogil=True, error_model="numpy")
def anneal(
    place: np.ndarray,
    occupant: np.ndarray,
    x: np.ndarray,
    y: np.ndarray,
    router: np.ndarray,
    slots: np.ndarray,
    first: np.ndarray,
    neighbour: np.ndarray,
    flow: np.ndarray,
    host: np.ndarray,
    moves: int,
    hot: float,
    cold: float,
    seed: int,
) -> None:
    """Swap cores in place, at a temperature that falls from `hot` to `cold` geometrically.

    occupant: int64 (slots,), the core of each slot.  router: int64 (slots, 2), mesh x and y.
    slots: int64 (mesh width, mesh height, slots a router), -1 where there is none.
    Half of the moves send a core next to one that it talks to, half anywhere.
    """
    state = np.array([seed], dtype=np.uint64)
    cores = len(place)
    cooling = (cold / hot) ** (1.0 / max(moves, 1))
    temperature = hot
    for _ in range(moves):
        temperature *= cooling
        a = int(_random(state) * cores)
        b = int(_random(state) * cores)
        size = first[a + 1] - first[a]
        if size > 0 and _random(state) < 0.5:
            near = place[neighbour[first[a] + int(_random(state) * size)]]
            column = router[near, 0] + int(_random(state) * 3) - 1
            row = router[near, 1] + int(_random(state) * 3) - 1
            if 0 <= column < slots.shape[0] and 0 <= row < slots.shape[1]:
                found = slots[column, row, int(_random(state) * slots.shape[2])]
                if found >= 0:
                    b = occupant[found]
        if a == b:
            continue
        change = swap_gain(a, b, place, x, y, first, neighbour, flow, host)
        if change <= 0.0 or _random(state) < np.exp(-change / temperature):
            place[a], place[b] = place[b], place[a]
            occupant[place[a]], occupant[place[b]] = a, b


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _walk(
    start: int,
    stop: int,
    flow: float,
    router: np.ndarray,
    hop: np.ndarray,
    load: np.ndarray,
    length: float,
) -> float:
    """Add a flow to the links of its XY route; the change of cost.

    The cost is the sum over links of load^4 + length * load.  start, stop: slots.  hop, load:
    float64 (4, mesh width + 1, mesh height + 1), the time of one message on each link, and of all;
    planes: east, west, south (y + 1), north.
    """
    x, y = router[start, 0], router[start, 1]
    change = 0.0
    while x != router[stop, 0] or y != router[stop, 1]:
        if x != router[stop, 0]:
            east = router[stop, 0] > x
            plane, dx, dy = (0, 1, 0) if east else (1, -1, 0)
        else:
            south = router[stop, 1] > y
            plane, dx, dy = (2, 0, 1) if south else (3, 0, -1)
        before = load[plane, x, y]
        after = before + flow * hop[plane, x, y]
        load[plane, x, y] = after
        change += after * after * after * after - before * before * before * before
        change += length * (after - before)
        x += dx
        y += dy
    return change


@numba.njit(cache=True, nogil=True, error_model="numpy")
def walk_all(
    core: int,
    skip: int,
    sign: float,
    place: np.ndarray,
    router: np.ndarray,
    hop: np.ndarray,
    load: np.ndarray,
    first: np.ndarray,
    entry: np.ndarray,
    flow: np.ndarray,
    outgoing: np.ndarray,
    length: float,
) -> float:
    """Add (or with sign -1 take away) all flows of a core, but those with `skip`.

    entry: the other core of each flow, csr by `first`; the host is numbered after the cores, and
    has the last place.  outgoing: bool, whether the flow leaves the core.
    """
    change = 0.0
    for index in range(first[core], first[core + 1]):
        other = entry[index]
        if other != skip:
            start, stop = place[core], place[other]
            if not outgoing[index]:
                start, stop = stop, start
            change += _walk(start, stop, sign * flow[index], router, hop, load, length)
    return change


@numba.njit(cache=True, nogil=True, error_model="numpy")
def relieve(
    place: np.ndarray,
    router: np.ndarray,
    hop: np.ndarray,
    load: np.ndarray,
    first: np.ndarray,
    entry: np.ndarray,
    flow: np.ndarray,
    outgoing: np.ndarray,
    length: float,
    moves: int,
    hot: float,
    cold: float,
    seed: int,
) -> None:
    """Swap cores so that the cost of `_walk` shrinks, whose fourth powers add up to 1 at first."""
    state = np.array([seed], dtype=np.uint64)
    cores = len(place) - 1
    cooling = (cold / hot) ** (1.0 / max(moves, 1))
    temperature = hot
    for _ in range(moves):
        temperature *= cooling
        a, b = int(_random(state) * cores), int(_random(state) * cores)
        if a == b or (router[place[a]] == router[place[b]]).all():
            continue
        change = 0.0
        for sign in (-1.0, 1.0):
            change += walk_all(
                a, -1, sign, place, router, hop, load, first, entry, flow, outgoing, length
            )
            change += walk_all(
                b, a, sign, place, router, hop, load, first, entry, flow, outgoing, length
            )
            if sign < 0.0:
                place[a], place[b] = place[b], place[a]
        if change > 0.0 and _random(state) >= np.exp(-change / temperature):
            for sign in (-1.0, 1.0):
                walk_all(
                    a, -1, sign, place, router, hop, load, first, entry, flow, outgoing, length
                )
                walk_all(b, a, sign, place, router, hop, load, first, entry, flow, outgoing, length)
                if sign < 0.0:
                    place[a], place[b] = place[b], place[a]


@numba.njit(cache=True, nogil=True, error_model="numpy")
def fill(
    place: np.ndarray,
    router: np.ndarray,
    hop: np.ndarray,
    load: np.ndarray,
    first: np.ndarray,
    entry: np.ndarray,
    flow: np.ndarray,
    outgoing: np.ndarray,
) -> float:
    """Add every flow once to `load`; the sum of the fourth powers."""
    total = 0.0
    for core in range(len(place) - 1):
        for index in range(first[core], first[core + 1]):
            other = entry[index]
            if outgoing[index]:
                total += _walk(place[core], place[other], flow[index], router, hop, load, 0.0)
            elif other == len(place) - 1:
                total += _walk(place[other], place[core], flow[index], router, hop, load, 0.0)
    return total
