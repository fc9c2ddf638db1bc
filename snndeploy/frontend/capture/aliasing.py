"""Which calls of torch give views and which write in place, as their schemas say, and what undoes
a view: from a part that was written back to the tensor that it is a part of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from operator import getitem
from typing import Any

import torch

aten = torch.ops.aten
SAME = {aten.detach.default, aten.alias.default, aten.lift_fresh.default}  # the tensor itself
SCATTERS = {
    aten.select.int: aten.select_scatter.default,
    aten.slice.Tensor: aten.slice_scatter.default,
}
OF_SHAPE = {aten.view.default, aten._unsafe_view.default, aten._reshape_alias.default}


class NotRecorded(Exception):
    """Why a module has to be exported."""


@cache
def written_by(func: Any) -> tuple[str, ...]:
    """Names of the arguments that a call changes."""
    given = func._schema.arguments
    return tuple(a.name for a in given if a.alias_info is not None and a.alias_info.is_write)


@cache
def is_view(func: Any) -> bool:
    return any(result.alias_info is not None for result in func._schema.returns)


@cache
def is_composite_view(func: Any) -> bool:
    """It may give its argument, a view of it or a copy: others know which."""
    maybe = is_view(func) or func is aten.dropout.default
    return maybe and not written_by(func) and func._can_decompose()


def functional(func: Any) -> Any:
    """aten.add_.Tensor -> aten.add.Tensor; None where there is none."""
    packet, overload = str(func).removeprefix("aten.").split(".")
    return getattr(getattr(aten, packet.removesuffix("_"), None), overload, None)


def by_name(func: Any, args: Any, kwargs: Any) -> dict[str, Any]:
    names = [argument.name for argument in func._schema.arguments]
    return {**dict(zip(names, args, strict=False)), **kwargs}


def by_place(func: Any, args: Any, kwargs: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Arguments in their places as far as there are all, as an export has them."""
    placed, named = list(args), dict(kwargs)
    for argument in () if func is getitem else func._schema.arguments[len(placed) :]:
        if argument.name not in named or argument.kwarg_only:
            break
        placed.append(named.pop(argument.name))
    return tuple(placed), named


def parts_of(func: Any, given: dict[str, Any], result: Any) -> Iterator[tuple[Any, Any, Any]]:
    """Every view that a call gives: the tensor, and a call that gives it alone."""
    if isinstance(result, torch.Tensor):
        yield result, func, given
        return
    along, start = given.get("dim", 0), 0
    for index, part in enumerate(result):
        if func is aten.unbind.int:
            yield part, aten.select.int, {"dim": along, "index": index}
            continue
        if func not in (aten.split.Tensor, aten.split_with_sizes.default):
            raise NotRecorded(f"{func} gives several views")
        stop = start + part.shape[along]
        yield part, aten.slice.Tensor, {"dim": along, "start": start, "end": stop}
        start = stop


def backward(target: Any, rest: Mapping[str, Any], shape: Sequence[int]) -> tuple[Any, Any]:
    """The call that gives a base, of this shape, of a view that is all of it."""
    if target in OF_SHAPE:
        return aten.view.default, {"size": list(shape)}
    if target is aten.unsqueeze.default:
        return aten.squeeze.dim, dict(rest)
    if target is aten.squeeze.dim and shape[rest["dim"]] == 1:
        return aten.unsqueeze.default, dict(rest)
    if target in (aten.transpose.int, aten.t.default):
        return target, dict(rest)
    if target is aten.permute.default:
        order = [dim % len(rest["dims"]) for dim in rest["dims"]]
        return target, {"dims": [order.index(dim) for dim in range(len(order))]}
    raise NotRecorded(f"it writes to what {target} gives")


def as_meta(tensor: Any) -> Any:
    return torch.empty(tensor.shape, dtype=tensor.dtype, device="meta")
