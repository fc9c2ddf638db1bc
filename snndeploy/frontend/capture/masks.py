"""Masks that are written at the places of the largest values: one operator, of every sample.

    places = topk(x, k, dim).indices            m = zeros;  m.scatter_(dim, places, 1)
    for i: m[:, i, places[:, i]] = 1            top_k_mask(x, k, dim)

The second form writes, for every sample of a batch, the places of all samples: the union.  A chip
has one sample at a time, so it is read as the mask of each sample, the reader remembers which
modules do so (`together`), and the proof gives all samples of a batch the same values.
"""

from __future__ import annotations

from typing import Any

import torch

from snndeploy.frontend.capture.values import Call, Constant
from snndeploy.ops.axes import TRACE_BATCH

aten = torch.ops.aten
PLACES, MASK = "snndeploy.topk_indices.default", "snndeploy.top_k_mask.default"


@torch.library.custom_op("snndeploy::topk_indices", mutates_args=())
def _topk_indices(x: torch.Tensor, count: int, dim: int) -> torch.Tensor:
    """Where the `count` largest values along a dimension are, the largest first."""
    return x.topk(count, dim).indices.clone()


@_topk_indices.register_fake
def _(x: torch.Tensor, count: int, dim: int) -> torch.Tensor:
    return x.topk(count, dim).indices.clone()


@torch.library.custom_op("snndeploy::top_k_mask", mutates_args=())
def _top_k_mask(x: torch.Tensor, count: int, dim: int) -> torch.Tensor:
    """1 there, else 0."""
    return torch.zeros_like(x).scatter(dim, x.topk(count, dim).indices, 1.0)


@_top_k_mask.register_fake
def _(x: torch.Tensor, count: int, dim: int) -> torch.Tensor:
    return torch.empty_like(x)


def ranked(reader: Any, a: dict[str, Any], module: str) -> list[Any]:
    """Both results of topk."""
    along = a.get("dim", -1) % len(a["self"].shape)
    values = reader.call(aten.topk.default, a, module)
    if not a.get("largest", True):
        return [values]
    places = {"x": a["self"], "count": a["k"], "dim": along}
    return [values, reader.call(torch.ops.snndeploy.topk_indices.default, places, module)]


def of_places(reader: Any, a: dict[str, Any], module: str, call: Any, kept: int) -> Any:
    """A select (kept 0) or squeeze (of size 1) of places is of the values that were ranked."""
    places = a["self"]
    if not isinstance(places, Call) or places.name != PLACES:
        return None
    along, ranks = a["dim"] % len(places.shape), places.arguments["dim"]
    if along == ranks or (kept and places.shape[along] != 1):
        return None
    part = reader.call(call, {**a, "self": places.arguments["x"], "dim": along}, module)
    given = {"x": part, "count": places.arguments["count"], "dim": ranks - (along < ranks)}
    return reader.call(torch.ops.snndeploy.topk_indices.default, given, module)


def squeezed(reader: Any, a: dict[str, Any], module: str) -> Any:
    """A dimension that holds more than one value stays."""
    if a["self"].shape[a["dim"]] != 1:
        return a["self"]
    return of_places(reader, a, module, aten.squeeze.dim, 1)


def scattered(reader: Any, a: dict[str, Any], module: str) -> Any:
    """zeros.scatter(dim, places, 1)"""
    places = a["index"]
    if not isinstance(places, Call) or places.name != PLACES or not _of_zeros(a["self"], places):
        return None
    along = a["dim"] % len(places.shape)
    alike = along == places.arguments["dim"] and a.get("value") == 1
    return _mask(reader, places, module) if alike else None


def written(reader: Any, a: dict[str, Any], module: str) -> Any:
    """zeros[:, places] = 1, places (samples, k)"""
    before, *places = a["indices"] if len(a["indices"]) == 2 else (0,)
    if before is not None or not isinstance(places[0], Call) or places[0].name != PLACES:
        return None
    (found,) = places
    samples = len(found.shape) == 2 and found.shape[0] == TRACE_BATCH
    one = isinstance(a["values"], Constant) and a["values"].uniform == 1
    if not samples or not one or a.get("accumulate") or not _of_zeros(a["self"], found):
        return None
    if found.arguments["dim"] != 1:
        return None
    reader.together.setdefault(module)
    return _mask(reader, found, module)


def stacked(reader: Any, members: list[Any], along: int, module: str) -> Any:
    """Masks of all parts of a value, in their order, are the mask of that value."""
    first = members[0]
    if not isinstance(first, Call) or first.name != MASK:
        return None
    for index, member in enumerate(members):
        if not isinstance(member, Call) or member.name != MASK:
            return None
        if any(member.arguments[key] != first.arguments[key] for key in ("count", "dim")):
            return None
        part, own = member.arguments["x"], first.arguments["x"]
        if not isinstance(part, Call) or part.name != "aten.select.int" or part.name != own.name:
            return None
        place = part.arguments["dim"], part.arguments["index"]
        if part.arguments["self"] is not own.arguments["self"] or place != (along, index):
            return None
    base, ranks = first.arguments["x"].arguments["self"], first.arguments["dim"]
    if base.shape[along] != len(members):
        return None
    given = {"x": base, "count": first.arguments["count"], "dim": ranks + (along <= ranks)}
    return reader.call(torch.ops.snndeploy.top_k_mask.default, given, module)


def _mask(reader: Any, places: Call, module: str) -> Any:
    return reader.call(torch.ops.snndeploy.top_k_mask.default, dict(places.arguments), module)


def _of_zeros(place: Any, places: Call) -> bool:
    """It held nothing, and has the shape of what was ranked."""
    nothing = isinstance(place, Constant) and place.uniform == 0
    return nothing and place.shape == places.arguments["x"].shape
