"""From torch's own operators to ours: one entry an operator, a list one can read.

Every translator takes a `Call` and returns (op, attributes, parameters); parameters are arrays
found among the arguments.  A call that it cannot express raises ValueError with the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np

Translated = tuple[str, dict[str, Any], dict[str, np.ndarray]]


@dataclass(frozen=True)
class Call:
    """One traced call: positional arguments by schema name, arrays for parameters."""

    target: str
    arguments: dict[str, Any]
    shape: tuple[int, ...]  # of the first data input, concrete

    def get(self, name: str, default: Any = None) -> Any:
        value = self.arguments.get(name, default)
        return default if value is None else value

    def array(self, name: str) -> np.ndarray | None:
        value = self.arguments.get(name)
        return value if isinstance(value, np.ndarray) else None


def pair(value: Any) -> list[int]:
    values = [int(v) for v in value] if isinstance(value, (list, tuple)) else [int(value)]
    return values * 2 if len(values) == 1 else values


def _conv(call: Call) -> Translated:
    weight = call.array("weight")
    if weight is None:
        raise ValueError("its weight is computed at run time")
    dilation = pair(call.get("dilation", [1, 1]))
    attributes = {
        "stride": pair(call.get("stride", [1, 1])),
        "padding": _padding(call.get("padding", [0, 0]), weight.shape[2:], dilation),
        "dilation": dilation,
        "groups": int(call.get("groups", 1)),
    }
    return "conv", attributes, _weights(call, weight)


def _padding(value: Any, kernel: Sequence[int], dilation: Sequence[int]) -> list[int]:
    """(top, bottom, left, right); 'same' puts the odd one after."""
    if value == "same":
        totals = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
        return [part for t in totals for part in (t // 2, t - t // 2)]
    if value == "valid":
        return [0, 0, 0, 0]
    rows, columns = pair(value)
    return [rows, rows, columns, columns]


def _weights(call: Call, weight: np.ndarray) -> dict[str, np.ndarray]:
    bias = call.array("bias")
    return {"weight": weight} if bias is None else {"weight": weight, "bias": bias}


def _linear(call: Call) -> Translated:
    weight = call.array("weight")
    if weight is None:
        raise ValueError("its weight is computed at run time")
    return "linear", {}, _weights(call, weight)


def _norm(call: Call) -> Translated:
    mean, variance = call.array("running_mean"), call.array("running_var")
    if mean is None or variance is None or call.get("training", False):
        raise ValueError("it has no running statistics; only evaluation mode compiles")
    ones = np.ones_like(mean, dtype=np.float64)
    weight, bias = call.array("weight"), call.array("bias")
    deviation = np.sqrt(variance.astype(np.float64) + float(call.get("eps", 1e-5)))
    scale = (ones if weight is None else weight.astype(np.float64)) / deviation
    shift = (0 * ones if bias is None else bias.astype(np.float64)) - mean * scale
    return "norm", {"channel_axis": 1}, {"scale": scale, "shift": shift}


def _avg_pool(call: Call) -> Translated:
    kernel = pair(call.get("kernel_size"))
    if any(pair(call.get("padding", [0, 0]))) or call.get("ceil_mode", False):
        raise ValueError("padded or ceil-mode average pooling is not supported")
    if call.get("divisor_override") is not None:
        raise ValueError("average pooling with a divisor of its own is not supported")
    stride = pair(call.get("stride") or kernel)
    return "avg_pool", {"kernel": kernel, "stride": stride}, {}


def _adaptive_avg_pool(call: Call) -> Translated:
    kernel = _adaptive_kernel(call)
    return "avg_pool", {"kernel": kernel, "stride": kernel}, {}


def _adaptive_kernel(call: Call) -> list[int]:
    output = pair(call.get("output_size"))
    plane = call.shape[-2:]
    if any(size % out for size, out in zip(plane, output, strict=True)):
        raise ValueError(f"adaptive pooling of {tuple(plane)} to {tuple(output)} is not even")
    return [size // out for size, out in zip(plane, output, strict=True)]


def _max_pool(call: Call) -> Translated:
    kernel = pair(call.get("kernel_size"))
    if pair(call.get("dilation", [1, 1])) != [1, 1] or call.get("ceil_mode", False):
        raise ValueError("dilated or ceil-mode max pooling is not supported")
    attributes = {
        "kernel": kernel,
        "stride": pair(call.get("stride") or kernel),
        "padding": pair(call.get("padding", [0, 0])),
    }
    return "max_pool", attributes, {}


def _reduce(op: str) -> Callable[[Call], Translated]:
    def translate(call: Call) -> Translated:
        dimensions = call.get("dim")
        if dimensions is None or dimensions == []:
            dimensions = list(range(len(call.shape)))
        listed = dimensions if isinstance(dimensions, (list, tuple)) else [dimensions]
        positive = sorted(int(d) % len(call.shape) for d in listed)
        return op, {"dimensions": positive, "keep": bool(call.get("keepdim", False))}, {}

    return translate


def _permute(call: Call) -> Translated:
    return "permute", {"order": [int(d) % len(call.shape) for d in call.get("dims")]}, {}


def _transpose(call: Call) -> Translated:
    rank = len(call.shape)
    order = list(range(rank))
    first, second = (call.get("dim0", 0), call.get("dim1", 1))
    if call.target.startswith("aten.t."):
        first, second = 0, rank - 1
    first, second = first % rank, second % rank
    order[first], order[second] = order[second], order[first]
    return "permute", {"order": order}, {}


def _plain(op: str) -> Callable[[Call], Translated]:
    return lambda call: (op, {}, {})


def _arithmetic(op: str) -> Callable[[Call], Translated]:
    """add, sub, mul, div of two tensors, or of a tensor and a number (scale)."""

    def translate(call: Call) -> Translated:
        first, second = _number(call.arguments.get("self")), _number(call.arguments.get("other"))
        alpha = float(call.get("alpha", 1))
        if first is None and second is None:
            if alpha != 1:
                raise ValueError("alpha other than 1 is not supported")
            return op, {}, {}
        if first is None:
            assert second is not None
            return _scale(*_SECOND_IS_NUMBER[op](second * alpha))
        if op == "divide":
            raise ValueError("dividing a number by a value computed at run time is not supported")
        return _scale(*_FIRST_IS_NUMBER[op](first, alpha))

    return translate


# factor and offset of x, when the other operand is a number n
_SECOND_IS_NUMBER: dict[str, Callable[[float], tuple[float, float]]] = {
    "add": lambda n: (1.0, n),
    "subtract": lambda n: (1.0, -n),
    "multiply": lambda n: (n, 0.0),
    "divide": lambda n: (1.0 / n if n else float("inf"), 0.0),
}
_FIRST_IS_NUMBER: dict[str, Callable[[float, float], tuple[float, float]]] = {
    "add": lambda n, alpha: (alpha, n),
    "subtract": lambda n, alpha: (-alpha, n),
    "multiply": lambda n, alpha: (n, 0.0),
}


def _number(value: Any) -> float | None:
    """A number known at compile time, or None for a tensor computed at run time."""
    if isinstance(value, np.ndarray):
        if value.size != 1:
            raise ValueError("adding or multiplying a stored tensor is not supported")
        return float(value.reshape(()))
    return float(value) if isinstance(value, (int, float)) else None


def _scale(factor: float, offset: float) -> Translated:
    if not (isfinite(factor) and isfinite(offset)):
        raise ValueError("it multiplies or adds a number that is not finite")
    return "scale", {"factor": factor, "offset": offset}, {}


def _reversed_subtract(call: Call) -> Translated:
    """other - alpha * self, with a number for other."""
    other = _number(call.arguments.get("other"))
    if other is None:
        raise ValueError("subtracting from a value computed at run time is not supported")
    return _scale(-float(call.get("alpha", 1)), other)


def _negate(call: Call) -> Translated:
    return _scale(-1.0, 0.0)


def _compare(relation: str) -> Callable[[Call], Translated]:
    """A signal with another, with a number, or with a stored array."""

    def translate(call: Call) -> Translated:
        other = call.arguments.get("other")
        if isinstance(call.arguments.get("self"), np.ndarray):
            raise ValueError("its first operand is a stored tensor; write the signal first")
        if isinstance(other, np.ndarray) and other.size > 1:
            return "compare", {"relation": relation}, {"other": other}
        number = _number(other)
        attributes = {"relation": relation} if number is None else {
            "relation": relation, "number": number,
        }  # fmt: skip
        return "compare", attributes, {}

    return translate


def _clamp(call: Call) -> Translated:
    limits = [call.get("min"), call.get("max")]
    numbers = [None if limit is None else float(limit) for limit in limits]
    return "clamp", {"minimum": numbers[0], "maximum": numbers[1]}, {}


def _top_k(call: Call) -> Translated:
    if not call.get("largest", True):
        raise ValueError("the smallest values are not supported; negate the input")
    dimension = int(call.get("dim", -1)) % len(call.shape)
    return "top_k", {"count": int(call.get("k")), "dimension": dimension}, {}


def _select(call: Call) -> Translated:
    dimension = int(call.get("dim", 0)) % len(call.shape)
    index = int(call.get("index")) % call.shape[dimension]
    return "take", _taken(dimension, index, index + 1, 1, drop=True), {}


def _slice(call: Call) -> Translated:
    dimension = int(call.get("dim", 0)) % len(call.shape)
    every = range(call.shape[dimension])[
        slice(call.arguments.get("start"), call.arguments.get("end"), int(call.get("step", 1)))
    ]
    if len(every) == call.shape[dimension]:
        return "identity", {}, {}
    if not every:
        raise ValueError("it takes nothing")
    return "take", _taken(dimension, every.start, every.stop, every.step, drop=False), {}


def _taken(dimension: int, start: int, stop: int, step: int, *, drop: bool) -> dict[str, Any]:
    return {"dimension": dimension, "start": start, "stop": stop, "step": step, "drop": drop}


def _concatenate(*, new: bool) -> Callable[[Call], Translated]:
    def translate(call: Call) -> Translated:
        if any(isinstance(part, np.ndarray) for part in call.get("tensors")):
            raise ValueError("one of its parts is a stored tensor")
        dimension = int(call.get("dim", 0)) % (len(call.shape) + new)
        return "concatenate", {"dimension": dimension, "new": new}, {}

    return translate


def _identity(call: Call) -> Translated:
    dtype = str(call.get("dtype", "torch.float32"))
    if not dtype.startswith(("torch.float", "torch.bfloat", "torch.double", "torch.half")):
        raise ValueError(f"it converts values to {dtype.removeprefix('torch.')}")
    return "identity", {}, {}


def _adaptive_max_pool(call: Call) -> Translated:
    kernel = _adaptive_kernel(call)
    return "max_pool", {"kernel": kernel, "stride": kernel, "padding": [0, 0]}, {}


TRANSLATORS: dict[str, Callable[[Call], Translated]] = {
    "aten.conv2d.default": _conv,
    "aten.conv2d.padding": _conv,
    "aten.linear.default": _linear,
    "aten._native_batch_norm_legit_no_training.default": _norm,
    "aten.batch_norm.default": _norm,
    "aten.avg_pool2d.default": _avg_pool,
    "aten.adaptive_avg_pool2d.default": _adaptive_avg_pool,
    "aten.max_pool2d.default": _max_pool,
    "aten.adaptive_max_pool2d.default": _adaptive_max_pool,
    "aten.mean.dim": _reduce("mean"),
    "aten.mean.default": _reduce("mean"),
    "aten.sum.dim_IntList": _reduce("sum"),
    "aten.sum.default": _reduce("sum"),
    "aten.amax.default": _reduce("max"),
    "aten.amin.default": _reduce("min"),
    "aten.min.default": _reduce("min"),
    "aten.min.dim": _reduce("min"),
    "aten.max.default": _reduce("max"),
    "aten.max.dim": _reduce("max"),
    "aten.add.Tensor": _arithmetic("add"),
    "aten.sub.Tensor": _arithmetic("subtract"),
    "aten.mul.Tensor": _arithmetic("multiply"),
    "aten.div.Tensor": _arithmetic("divide"),
    "aten.rsub.Scalar": _reversed_subtract,
    "aten.rsub.Tensor": _reversed_subtract,
    "aten.neg.default": _negate,
    "aten.floor.default": _plain("floor"),
    "aten.round.default": _plain("round"),
    "aten.clamp.default": _clamp,
    "aten.ge.Tensor": _compare("ge"),
    "aten.ge.Scalar": _compare("ge"),
    "aten.gt.Tensor": _compare("gt"),
    "aten.gt.Scalar": _compare("gt"),
    "aten.le.Tensor": _compare("le"),
    "aten.le.Scalar": _compare("le"),
    "aten.lt.Tensor": _compare("lt"),
    "aten.lt.Scalar": _compare("lt"),
    "aten.eq.Tensor": _compare("eq"),
    "aten.eq.Scalar": _compare("eq"),
    "aten.topk.default": _top_k,
    "aten.select.int": _select,
    "aten.slice.Tensor": _slice,
    "aten.cat.default": _concatenate(new=False),
    "aten.stack.default": _concatenate(new=True),
    "aten.relu.default": _plain("relu"),
    "aten.sigmoid.default": _plain("sigmoid"),
    "aten.tanh.default": _plain("tanh"),
    "aten.view.default": _plain("view"),
    "aten.reshape.default": _plain("view"),
    "aten._unsafe_view.default": _plain("view"),
    "aten.flatten.using_ints": _plain("view"),
    "aten.unsqueeze.default": _plain("view"),
    "aten.squeeze.dim": _plain("view"),
    "aten.squeeze.dims": _plain("view"),
    "aten.squeeze.default": _plain("view"),
    "aten.expand.default": _plain("expand"),
    "aten.repeat.default": _plain("expand"),
    "aten.permute.default": _permute,
    "aten.transpose.int": _transpose,
    "aten.t.default": _transpose,
    "aten.clone.default": _identity,
    "aten.dropout.default": _identity,
    "aten.alias.default": _identity,
    "aten.contiguous.default": _identity,
    "aten.detach.default": _identity,
    "aten.detach_.default": _identity,
    "aten.lift_fresh_copy.default": _identity,
    "aten._to_copy.default": _identity,
    "aten.to.dtype": _identity,
}
