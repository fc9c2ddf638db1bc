"""Rules that undo how a sequence of steps was stored, one an operator.

A rule gives the simpler value, or None where the call stays as it is.  They are exact: no rule
drops an addition of zero, because the first step would then lose what the others keep.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from snndeploy.frontend.capture import masks
from snndeploy.frontend.capture.values import Call, Constant

aten = torch.ops.aten
MOST_MEMBERS = 1024  # of a buffer that is written index by index

IDENTITY = (
    "aten.clone.default", "aten.detach.default", "aten.detach_.default", "aten.alias.default",
    "aten.contiguous.default", "aten.lift_fresh_copy.default",
)  # fmt: skip
Rule = Callable[[Any, dict[str, Any], str], Any]


def _same(reader: Any, a: dict[str, Any], module: str) -> Any:
    return a["self"] if "self" in a else a["input"]


def _dropout(reader: Any, a: dict[str, Any], module: str) -> Any:
    return None if a.get("train") else a["input"]


def _to_copy(reader: Any, a: dict[str, Any], module: str) -> Any:
    return a["self"] if a.get("dtype", a["self"].dtype) == a["self"].dtype else None


def _expand(reader: Any, a: dict[str, Any], module: str) -> Any:
    wanted = a["size"]
    own = a["self"].shape
    same = len(wanted) == len(own) and all(w in (-1, o) for w, o in zip(wanted, own, strict=True))
    return a["self"] if same else None


def _copy(reader: Any, a: dict[str, Any], module: str) -> Any:
    """dst[...] = src"""
    place, source = a["self"], a["src"]
    if source.dtype != place.dtype:
        source = reader.call(aten._to_copy.default, {"self": source, "dtype": place.dtype}, module)
    if source.shape != place.shape:
        source = reader.call(
            aten.expand.default, {"self": source, "size": list(place.shape)}, module
        )
    return source


def _slice(reader: Any, a: dict[str, Any], module: str) -> Any:
    value, along = a["self"], a.get("dim", 0) % len(a["self"].shape)
    every = range(value.shape[along])[slice(a.get("start"), a.get("end"), a.get("step", 1))]
    if len(every) == value.shape[along]:
        return value
    if len(every) == 1:
        one = reader.select(value, along, every[0], module)
        return reader.call(aten.unsqueeze.default, {"self": one, "dim": along}, module)
    if _is(value, "aten.stack.default") and _along(value) == along:
        return reader.stack([value.arguments["tensors"][i] for i in every], along, module)
    return None


def _slice_scatter(reader: Any, a: dict[str, Any], module: str) -> Any:
    value, along = a["self"], a.get("dim", 0) % len(a["self"].shape)
    every = range(value.shape[along])[slice(a.get("start"), a.get("end"), a.get("step", 1))]
    if len(every) == value.shape[along]:
        return a["src"]
    if value.shape[along] > MOST_MEMBERS:
        return None
    written = {i: reader.select(a["src"], along, n, module) for n, i in enumerate(every)}
    return _rewritten(reader, value, along, written, module)


def _select_scatter(reader: Any, a: dict[str, Any], module: str) -> Any:
    value, along = a["self"], a["dim"] % len(a["self"].shape)
    if value.shape[along] > MOST_MEMBERS:
        return None
    written = {a["index"] % value.shape[along]: a["src"]}
    return _rewritten(reader, value, along, written, module)


def _rewritten(reader: Any, value: Any, along: int, written: dict[int, Any], module: str) -> Any:
    """The buffer as a stack of what was written and what it held before."""
    members = [
        written[i] if i in written else reader.select(value, along, i, module)
        for i in range(value.shape[along])
    ]
    return reader.stack(members, along, module)


def _select(reader: Any, a: dict[str, Any], module: str) -> Any:
    value = a["self"]
    along, index = a["dim"] % len(value.shape), a["index"] % value.shape[a["dim"]]
    if _is(value, "aten.stack.default") and _along(value) == along:
        return value.arguments["tensors"][index]
    if _is(value, "aten.unsqueeze.default") and _along(value) == along:
        return value.arguments["self"]
    if _is(value, "aten.slice.Tensor") and _along(value) == along:
        base, part = value.arguments["self"], value.arguments
        taken = slice(part.get("start"), part.get("end"), part.get("step"))
        every = range(base.shape[along])[taken]
        return reader.select(base, along, every[index], module)
    if (a["dim"], a["index"]) != (along, index):
        return reader.select(value, along, index, module)
    return masks.of_places(reader, a, module, aten.select.int, 0)


def _cat(reader: Any, a: dict[str, Any], module: str) -> Any:
    """cat([cat([a, b]), c]) is cat([a, b, c]); of parts of size one it is a stack."""
    rank = max(len(part.shape) for part in a["tensors"])
    along = a.get("dim", 0) % rank
    parts: list[Any] = []
    for part in a["tensors"]:
        if 0 in part.shape:
            continue
        nested = _is(part, "aten.cat.default") and part.arguments.get("dim", 0) % rank == along
        stacked = _is(part, "aten.stack.default") and _along(part) == along
        if nested:
            parts += part.arguments["tensors"]
        elif stacked:
            parts += [
                reader.call(aten.unsqueeze.default, {"self": one, "dim": along}, module)
                for one in part.arguments["tensors"]
            ]
        else:
            parts.append(part)
    if len(parts) > 1 and all(part.shape[along] == 1 for part in parts):
        members = [reader.select(part, along, 0, module) for part in parts]
        return reader.stack(members, along, module)
    if len(parts) == 1:
        return parts[0]
    if parts != a["tensors"]:
        return reader.made_call(aten.cat.default, {"tensors": parts, "dim": along}, module)
    return None


def _stack(reader: Any, a: dict[str, Any], module: str) -> Any:
    """A stack of all parts of a value, in their order, is that value."""
    members, along = a["tensors"], a.get("dim", 0) % (len(a["tensors"][0].shape) + 1)
    first = members[0]
    if _is(first, "aten.select.int") and first.arguments["dim"] == along:
        base = first.arguments["self"]
        every = [
            _is(m, "aten.select.int")
            and m.arguments["self"] is base
            and (m.arguments["dim"], m.arguments["index"]) == (along, i)
            for i, m in enumerate(members)
        ]
        if all(every) and base.shape[along] == len(members):
            return base
    if a.get("dim", 0) != along:
        return reader.stack(members, along, module)
    return masks.stacked(reader, members, along, module)


def _squeeze(reader: Any, a: dict[str, Any], module: str) -> Any:
    """Without the dimensions of size one."""
    shape = a["self"].shape
    kept = [size for size in shape if size != 1]
    if len(kept) == len(shape):
        return a["self"]
    return reader.call(aten.view.default, {"self": a["self"], "size": kept}, module)


def _rsub(reader: Any, a: dict[str, Any], module: str) -> Any:
    """rsub(x, n) is n - x."""
    if a.get("alpha", 1) != 1:
        return None
    number = a["other"] if not isinstance(a["other"], (int, float)) else None
    first = number if number is not None else reader.constant(a["other"])
    return reader.call(aten.sub.Tensor, {"self": first, "other": a["self"]}, module)


def _mul(reader: Any, a: dict[str, Any], module: str) -> Any:
    """Nothing times anything is nothing."""
    for factor in (a["self"], a["other"]):
        if isinstance(factor, Constant) and factor.uniform == 0:
            like = reader.made_call(aten.mul.Tensor, a, module)
            zero = torch.float64 if like.dtype.is_floating_point else like.dtype
            return reader.constant(torch.zeros((), dtype=zero).expand(like.shape), like.dtype)
    return None


def _matmul(reader: Any, a: dict[str, Any], module: str) -> Any:
    """x W is a linear layer with the weight transposed."""
    x, weight = a["self"], a.get("other", a.get("mat2"))
    if isinstance(x, Constant) or not isinstance(weight, Constant):
        return None
    if len(weight.shape) != 2:
        return None
    turned = reader.call(aten.t.default, {"self": weight}, module)
    return reader.call(aten.linear.default, {"input": x, "weight": turned}, module)


def _addmm(reader: Any, a: dict[str, Any], module: str) -> Any:
    """b + x W."""
    plain = a.get("alpha", 1) == 1 and a.get("beta", 1) == 1
    constant = all(isinstance(a[key], Constant) for key in ("self", "mat2"))
    if not plain or not constant or len(a["self"].shape) != 1:
        return None
    turned = reader.call(aten.t.default, {"self": a["mat2"]}, module)
    layer = {"input": a["mat1"], "weight": turned, "bias": a["self"]}
    return reader.call(aten.linear.default, layer, module)


def _einsum(reader: Any, a: dict[str, Any], module: str) -> Any:
    """...k, kd -> ...d with a constant is a linear layer (SpyTorch's way to write one)."""
    if "..." in a["equation"] or len(a["tensors"]) != 2:
        return None
    given, _, result = a["equation"].replace(" ", "").partition("->")
    one, _, two = given.partition(",")
    x, weight = a["tensors"]
    distinct = len(two) == 2 == len(set(two)) and len(set(one)) == len(one)
    if not distinct or not isinstance(weight, Constant) or isinstance(x, Constant):
        return None
    if one[-1] != two[0] or two[1] in one or result != one[:-1] + two[1]:
        return None
    turned = reader.call(aten.t.default, {"self": weight}, module)
    return reader.call(aten.linear.default, {"input": x, "weight": turned}, module)


def _index_put(reader: Any, a: dict[str, Any], module: str) -> Any:
    """x[mask] = number is where(mask, number, x); else it may write the places of the largest."""
    mask, *more = a["indices"]
    value = a["values"]
    number = value.uniform if isinstance(value, Constant) else None
    if more or mask is None or mask.dtype is not torch.bool or mask.shape != a["self"].shape:
        return masks.written(reader, a, module)
    if number is None or a.get("accumulate"):
        return None
    written = reader.constant(torch.tensor(number, dtype=torch.float64), a["self"].dtype)
    chosen = {"condition": mask, "self": written, "other": a["self"]}
    return reader.call(aten.where.self, chosen, module)


def _is(value: Any, name: str) -> bool:
    return isinstance(value, Call) and value.name == name


def _along(call: Any) -> int:
    """The dimension that a stack or an unsqueeze makes, counted from the front."""
    return int(call.arguments.get("dim", 0)) % len(call.shape)


SIMPLER: dict[str, Rule] = {
    **dict.fromkeys(IDENTITY, _same),
    "aten.dropout.default": _dropout,
    "aten._to_copy.default": _to_copy,
    "aten.expand.default": _expand,
    "aten.copy.default": _copy,
    "aten.slice.Tensor": _slice,
    "aten.slice_scatter.default": _slice_scatter,
    "aten.select_scatter.default": _select_scatter,
    "aten.select.int": _select,
    "aten.cat.default": _cat,
    "aten.stack.default": _stack,
    "aten.squeeze.default": _squeeze,
    "aten.rsub.Scalar": _rsub,
    "aten.rsub.Tensor": _rsub,
    "aten.mul.Tensor": _mul,
    "aten.mm.default": _matmul,
    "aten.matmul.default": _matmul,
    "aten.addmm.default": _addmm,
    "aten.squeeze.dim": masks.squeezed,
    "aten.scatter.value": masks.scattered,
    "aten.einsum.default": _einsum,
    "aten.index_put.default": _index_put,
}
