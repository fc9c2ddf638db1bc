"""One step's call as a call on all steps, (time, ...): a rule for each form of operator."""

from __future__ import annotations

from typing import Any

import torch

from snndeploy.errors import UnsupportedError
from snndeploy.frontend.capture.operators import ELEMENTWISE, short
from snndeploy.frontend.capture.values import Call, Constant
from snndeploy.frontend.capture.writer import Writer

aten = torch.ops.aten

FOLDED = {  # they treat the first dimension as the batch
    "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "convolution",
    "batch_norm", "_native_batch_norm_legit_no_training",
    "avg_pool1d", "avg_pool2d", "avg_pool3d", "max_pool1d", "max_pool2d",
    "max_pool2d_with_indices", "adaptive_avg_pool1d", "adaptive_avg_pool2d",
    "_adaptive_avg_pool2d", "adaptive_max_pool2d", "upsample_nearest2d", "group_norm",
    "pixel_shuffle", "pixel_unshuffle", "constant_pad_nd", "pad",
}  # fmt: skip
SIZED = {"view": "size", "reshape": "shape", "_unsafe_view": "size", "expand": "size"}
AXES = {"mean", "sum", "amax", "amin", "squeeze"}


def plain(writer: Writer, call: Call, arguments: dict[str, Any]) -> Any:
    """An ordinary call; a constant of each channel as a scale of the channels."""
    found = _with_constant(writer, call, arguments, timed=False)
    return found if found is not None else _call(writer, call, arguments)


def lifted(writer: Writer, call: Call, arguments: dict[str, Any], timed: set[Any]) -> Any:
    """
    Raises:
        UnsupportedError: an operator that cannot be done for all steps at once.
    """
    name, rank = short(call.name), len(call.shape)
    if call.name in ELEMENTWISE:
        found = _with_constant(writer, call, arguments, timed=True)
        if found is not None:
            return found
        aligned = {k: _aligned(writer, v, timed, rank, call.module) for k, v in arguments.items()}
        return _call(writer, call, aligned)
    if name == "linear":
        return _call(writer, call, arguments)
    if name in FOLDED:
        return _folded(writer, call, arguments)
    if name in SIZED:
        return _sized(writer, call, arguments, SIZED[name])
    moved = _dimensions(writer, call, arguments, timed)
    if moved is None:
        raise UnsupportedError(
            f"operation {name} in module {call.module!r} stands inside a loop over time, where the"
            " compiler does not know it; move it out of the loop",
            node=call.module,
            reason=f"{name} inside a loop over time",
        )
    return _call(writer, call, moved)


def moved(writer: Writer, x: Any, start: int, end: int, module: str) -> Any:
    """One dimension at another place."""
    order = list(range(len(writer.shape(x))))
    order.insert(end, order.pop(start))
    if order == sorted(order):
        return x
    return writer.call(aten.permute.default, x, order, module=module)


def together(writer: Writer, x: Any, along: int, new: bool, module: str) -> Any:
    """(time, ...) with time at its place, or behind each other along a dimension."""
    placed = moved(writer, x, 0, along, module)
    if new:
        return placed
    shape = list(writer.shape(placed))
    joined = [*shape[:along], shape[along] * shape[along + 1], *shape[along + 2 :]]
    return writer.call(aten.view.default, placed, joined, module=module)


def _call(writer: Writer, call: Call, arguments: dict[str, Any]) -> Any:
    if call.name == "snndeploy.neuron.default":
        return writer.call(call.target, *arguments.values(), module=call.module)
    return writer.call(call.target, module=call.module, **arguments)


def _aligned(writer: Writer, value: Any, timed: set[Any], rank: int, module: str) -> Any:
    """Dimensions of one put behind time, so that those of a step meet those of a step."""
    if not isinstance(value, torch.fx.Node) or value not in timed:
        return value
    return widened(writer, value, rank, module)


def widened(writer: Writer, x: Any, rank: int, module: str) -> Any:
    """A sequence whose steps have as many dimensions."""
    shape = writer.shape(x)
    missing = rank - (len(shape) - 1)
    if not missing:
        return x
    wide = [shape[0], *[1] * missing, *shape[1:]]
    return writer.call(aten.view.default, x, wide, module=module)


def _with_constant(
    writer: Writer, call: Call, arguments: dict[str, Any], *, timed: bool
) -> Any | None:
    """x and a stored tensor: a factor or an offset of each channel."""
    name, stored = short(call.name), [k for k, v in arguments.items() if isinstance(v, Constant)]
    if not stored:
        return None
    data = [value for value in arguments.values() if isinstance(value, torch.fx.Node)]
    value = arguments[stored[0]].value
    one, zero = torch.ones(()), torch.zeros(())
    first = stored == ["self"]
    ways = {
        "mul": (value, zero),
        "add": (one, value),
        "sub": (-one if first else one, value if first else -value),
        "div": (None if first else 1 / value, zero),
    }
    factor, offset = ways.get(name, (None, None))
    plain = len(data) == len(stored) == 1 and "alpha" not in arguments
    if plain and factor is not None and value.is_floating_point():
        try:
            return _by_channel(writer, data[0], factor, offset, call.module, timed=timed)
        except ValueError:
            if not timed:  # along the last dimension, say: `ops.arithmetic` knows its axes
                held = writer.constant(value.expand(arguments[stored[0]].shape).contiguous())
                return _call(writer, call, {**arguments, stored[0]: held})
    raise UnsupportedError(
        f"operation {name} in module {call.module!r} takes a stored tensor of shape"
        f" {tuple(arguments[stored[0]].shape)}; one number, or one of each channel, compiles",
        node=call.module,
        reason="arithmetic with a stored tensor",
    )


def _by_channel(
    writer: Writer, x: Any, factor: Any, offset: Any, module: str, *, timed: bool
) -> Any:
    if timed:
        return writer.scaled(x, factor, offset, module)
    first = writer.call(aten.unsqueeze.default, x, 0, module=module)
    found = writer.scaled(first, factor, offset, module)
    return writer.call(aten.squeeze.dim, found, 0, module=module)


def _folded(writer: Writer, call: Call, arguments: dict[str, Any]) -> Any:
    """Time and batch in one dimension."""
    key = next(key for key in ("input", "self") if key in arguments)
    x, module = arguments[key], call.module
    shape = writer.shape(x)
    flat = [shape[0] * shape[1], *shape[2:]]
    x = writer.call(aten.view.default, x, flat, module=module)
    result = _call(writer, call, {**arguments, key: x})
    value = result.meta["val"]
    value = value[0] if isinstance(value, tuple) else value
    result.meta["val"] = value
    sizes = [shape[0], shape[1], *(int(size) for size in value.shape[1:])]
    return writer.call(aten.view.default, result, sizes, module=module)


def _sized(writer: Writer, call: Call, arguments: dict[str, Any], key: str) -> Any:
    x = arguments["self"]
    steps, *own = writer.shape(x)
    if key == "size" and short(call.name) == "expand":
        missing = len(call.shape) - len(own)
        if missing:
            wide = [steps, *[1] * missing, *own]
            x = writer.call(aten.view.default, x, wide, module=call.module)
    return _call(writer, call, {**arguments, "self": x, key: [steps, *call.shape]})


def _dimensions(
    writer: Writer, call: Call, arguments: dict[str, Any], timed: set[Any]
) -> dict[str, Any] | None:
    """Every named dimension one further back; None for an operator that names none."""
    name = short(call.name)
    if name in ("stack", "cat"):
        parts = [
            part if part in timed else writer.repeated(part, call.module)
            for part in arguments["tensors"]
        ]
        along = arguments.get("dim", 0) % len(call.shape) + 1
        return {"tensors": parts, "dim": along}
    if "self" not in arguments:
        return None
    rank = len(writer.shape(arguments["self"])) - 1
    found = dict(arguments)
    if name == "permute":
        found["dims"] = [0, *(dim % rank + 1 for dim in arguments["dims"])]
    elif name == "transpose":
        for key in ("dim0", "dim1"):
            found[key] = arguments[key] % rank + 1
    elif name == "unsqueeze":
        found["dim"] = arguments["dim"] % (rank + 1) + 1
    elif name == "flatten":
        found["start_dim"] = arguments.get("start_dim", 0) % rank + 1
        found["end_dim"] = arguments.get("end_dim", -1) % rank + 1
    elif name in ("select", "slice"):
        found["dim"] = arguments.get("dim", 0) % rank + 1
    elif name in AXES and call.target._overloadname != "default":
        dims = arguments.get("dim") or list(range(rank))
        listed = dims if isinstance(dims, (list, tuple)) else [dims]
        further = [dim % rank + 1 for dim in listed]
        found["dim"] = further if isinstance(dims, (list, tuple)) else further[0]
    else:
        return None
    return found
