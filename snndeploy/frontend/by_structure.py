"""Published weights for a shipped twin: other names, the same tensors in the same order.

A file's tensors stand in blocks, one a part of the published module (`layer1`, `encoding`).  They
belong to the twin's where exactly one order of the blocks has every shape of the twin, one by one.
Shapes count without sizes of one at their end: a 1x1 kernel over an axis is the matrix of a layer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Tensors = dict[str, Any]
Signature = tuple[str, tuple[int, ...]]
MOST_STEPS = 100_000  # of the search


def by_structure(state: Tensors, needed: Tensors) -> tuple[Tensors, str] | None:
    """The state under the module's names and shapes, and what was done; None where it is no proof.

    state: in the order of the file, perhaps with tensors twice, which the module shares.
    """
    state = _once(state)
    wanted = [(name, _signature(name, value)) for name, value in needed.items()]
    if len(state) != len(wanted):
        return None
    orders = _orders(_blocks(state), [signature for _, signature in wanted])
    if len(orders) != 1:
        return None
    [names] = orders
    found = {
        name: state[given].reshape(needed[name].shape)
        for (name, _), given in zip(wanted, names, strict=True)
    }
    return found, (
        f"its names are not the model's; all {len(names)} tensors were matched by shape and order,"
        f" {names[0]} with {wanted[0][0]} to {names[-1]} with {wanted[-1][0]}; thresholds and leaks"
        " are not in it, and stay the model's"
    )


def _once(state: Tensors) -> Tensors:
    """Without what two names share."""
    found: dict[Any, str] = {}
    for name, value in state.items():
        place = (value.data_ptr(), tuple(value.shape), value.stride())
        found.setdefault(place if value.numel() else name, name)
    return {name: state[name] for name in found.values()}


def _signature(name: str, value: Any) -> Signature:
    shape = tuple(value.shape)
    while len(shape) > 1 and shape[-1] == 1:
        shape = shape[:-1]
    return name.rpartition(".")[2], shape


def _blocks(state: Tensors) -> list[tuple[list[str], list[Signature]]]:
    """Names and signatures of each part of the module, in the file's order."""
    parts: dict[str, list[str]] = {}
    for name in state:
        parts.setdefault(name.partition(".")[0], []).append(name)
    return [(names, [_signature(n, state[n]) for n in names]) for names in parts.values()]


def _orders(
    blocks: Sequence[tuple[list[str], list[Signature]]], wanted: Sequence[Signature]
) -> list[list[str]]:
    """The names in each order of the blocks that has these signatures, two at most; equal blocks
    keep the file's order.  None where looking for them takes too long."""
    found: list[list[str]] = []
    stack: list[tuple[int, tuple[int, ...]]] = [(0, ())]
    for _ in range(MOST_STEPS):
        if not stack or len(found) == 2:
            return found
        done, taken = stack.pop()
        if done == len(wanted):
            found.append([name for index in taken for name in blocks[index][0]])
            continue
        tried: list[list[Signature]] = []
        for index, (_, signatures) in enumerate(blocks):
            if index in taken or signatures in tried:
                continue
            tried.append(signatures)
            if list(wanted[done : done + len(signatures)]) == signatures:
                stack.append((done + len(signatures), (*taken, index)))
    return []
