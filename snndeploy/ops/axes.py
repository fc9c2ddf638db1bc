"""What the dimensions of views and expansions mean: atoms matched by prefix products."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from snndeploy.graph import Atom, Axes, Dimension

# The batch size used while tracing: a prime that no layer has by chance.
TRACE_BATCH = 61

TIME_ONE: Atom = ("time", 1)
SEQUENCE_RANKS = (3, 5)  # (time, batch, features) and (time, batch, channels, rows, columns)


def concrete(atom: Atom) -> int:
    return TRACE_BATCH if atom[0] == "batch" else atom[1]


def concrete_shape(axes: Axes) -> tuple[int, ...]:
    """Dimension sizes while tracing."""
    return tuple(prod(map(concrete, dimension)) for dimension in axes)


def view_axes(source: Axes, shape: Sequence[int], timesteps: int) -> Axes:
    """Axes of `source` seen as `shape` (concrete sizes, batch = TRACE_BATCH).

    Raises ValueError when a time or batch atom would be torn apart.
    """
    atoms = [a for dimension in source for a in dimension if concrete(a) != 1 or a[0] == "time"]
    result: list[Dimension] = []
    for index, size in enumerate(shape):
        dimension, atoms = _take(atoms, size)
        following = shape[index + 1] if index + 1 < len(shape) else 0
        own = following == 1 and len(shape) in SEQUENCE_RANKS
        if atoms and atoms[0] == TIME_ONE and not own:  # a single step, folded into its neighbour
            dimension, atoms = (*dimension, TIME_ONE), atoms[1:]
        result.append(dimension)
    if any(concrete(atom) != 1 for atom in atoms):
        raise ValueError(f"a view to {tuple(shape)} leaves axes over")
    return _single_step(source, tuple(result), timesteps)


def _single_step(source: Axes, result: Axes, timesteps: int) -> Axes:
    """With one time step, a new leading dimension of size 1 that makes a sequence is time."""
    new = [i for i in (0, 1) if i < len(result) and not result[i]]
    grown = len(result) == len(source) + 1 and len(result) in SEQUENCE_RANKS
    if timesteps != 1 or _is_timed(source) or not grown or not new:
        return result
    return (*result[: new[0]], (TIME_ONE,), *result[new[0] + 1 :])


def _take(atoms: list[Atom], size: int) -> tuple[Dimension, list[Atom]]:
    """Atoms whose product is `size`, and the rest; a feature atom may be split."""
    taken: list[Atom] = []
    rest = list(atoms)
    if rest and rest[0] == TIME_ONE and size == 1:
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
    """Axes after dimensions of size 1 grow to `shape`.

    One of the two leading dimensions that grows to `timesteps` is time, or the last of five,
    unless the source has time.
    """
    last = len(shape) - 1 if len(shape) == max(SEQUENCE_RANKS) else 1
    padded: list[Dimension] = [()] * (len(shape) - len(source)) + [tuple(d) for d in source]
    timed = _is_timed(source)
    result: list[Dimension] = []
    for index, (dimension, size) in enumerate(zip(padded, shape, strict=True)):
        before = prod(map(concrete, dimension))
        if before == size:
            result.append(dimension)
        elif before != 1:
            raise ValueError(f"repeating a dimension of {before} to {size} is not supported")
        elif size == timesteps and not timed and index in (0, 1, last):
            result.append((("time", size),))
            timed = True
        else:
            result.append((("feature", size),))
    return _single_step(source, tuple(result), timesteps)


def _is_timed(axes: Axes) -> bool:
    return any(label == "time" for dimension in axes for label, _ in dimension)


def input_axes(shape: Sequence[int], batch_axis: int, timesteps: int, *, timed: bool) -> Axes:
    """Axes of the model's input: (batch, ...), or (timed) with time before or behind the batch.

    Raises ValueError for a sequence whose length is not `timesteps`.
    """
    names: list[Dimension] = [(("feature", size),) for size in shape]
    names[batch_axis] = (("batch", 1),)
    if timed:
        time_axis = 1 - batch_axis
        if shape[time_axis] != timesteps:
            raise ValueError(
                f"an input sample has {shape[time_axis]} steps, the model {timesteps} time steps"
            )
        names[time_axis] = (("time", timesteps),)
    return tuple(names)
