"""What the dimensions of views and expansions mean: atoms matched by prefix products."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from snndeploy.graph import Atom, Axes

# The batch size used while tracing: a prime that no layer has by chance.
TRACE_BATCH = 61


def concrete(atom: Atom) -> int:
    return TRACE_BATCH if atom[0] == "batch" else atom[1]


def view_axes(source: Axes, shape: Sequence[int]) -> Axes:
    """Axes of `source` seen as `shape` (concrete sizes, batch = TRACE_BATCH).

    Raises ValueError when a time or batch atom would be torn apart.
    """
    atoms = [a for dimension in source for a in dimension if concrete(a) != 1 or a[0] == "time"]
    result: list[tuple[Atom, ...]] = []
    for size in shape:
        dimension, atoms = _take(atoms, size)
        result.append(dimension)
    if any(concrete(atom) != 1 for atom in atoms):
        raise ValueError(f"a view to {tuple(shape)} leaves axes over")
    return tuple(result)


def _take(atoms: list[Atom], size: int) -> tuple[tuple[Atom, ...], list[Atom]]:
    """Atoms whose product is `size`, and the rest; a feature atom may be split."""
    taken: list[Atom] = []
    rest = list(atoms)
    if rest and rest[0] == ("time", 1) and size == 1:
        return (rest[0],), rest[1:]
    while prod(map(concrete, taken)) < size:
        if not rest:
            raise ValueError(f"a view dimension of {size} is not made of whole axes")
        atom = rest.pop(0)
        need, leftover = divmod(size, prod(map(concrete, taken)))
        if leftover == 0 and concrete(atom) > need:
            if atom[0] != "feature" or atom[1] % need:
                raise ValueError(f"a view tears the {atom[0]} axis apart")
            rest.insert(0, ("feature", atom[1] // need))
            atom = ("feature", need)
        taken.append(atom)
    if prod(map(concrete, taken)) != size:
        raise ValueError(f"a view dimension of {size} is not made of whole axes")
    return tuple(taken), rest


def expand_axes(source: Axes, shape: Sequence[int], timesteps: int) -> Axes:
    """Axes after dimensions of size 1 grow to `shape`; the first growth by `timesteps` is time."""
    padded: list[tuple[Atom, ...]] = [()] * (len(shape) - len(source)) + [tuple(d) for d in source]
    timed = any(label == "time" for dimension in source for label, _ in dimension)
    result: list[tuple[Atom, ...]] = []
    for dimension, size in zip(padded, shape, strict=True):
        before = prod(map(concrete, dimension))
        if before == size:
            result.append(dimension)
        elif before != 1:
            raise ValueError(f"repeating a dimension of {before} to {size} is not supported")
        elif size == timesteps and not timed:
            result.append((("time", size),))
            timed = True
        else:
            result.append((("feature", size),))
    return tuple(result)


def input_axes(shape: Sequence[int], timesteps: int) -> Axes:
    """Axes of the model's input, batch first or (time, batch, ...) first; `shape` is concrete."""
    names: list[tuple[Atom, ...]] = []
    image = len(shape) in (2, 4)
    for index, size in enumerate(shape):
        if size == TRACE_BATCH and not any(d == (("batch", 1),) for d in names):
            names.append((("batch", 1),))
        elif not image and index <= 1 and size == timesteps and (("time", size),) not in names:
            names.append((("time", size),))
        else:
            names.append((("feature", size),))
    if (("batch", 1),) not in names:
        raise ValueError("the input has no batch dimension")
    return tuple(names)
