"""Which operators of torch compare, and which work on each value by itself."""

from __future__ import annotations

from typing import Any

import torch

COMPARISONS = {
    f"aten.{name}.{form}" for name in ("gt", "ge", "lt", "le") for form in ("Scalar", "Tensor")
} | {"aten.heaviside.default"}

_EACH = (
    "add.Tensor", "sub.Tensor", "mul.Tensor", "div.Tensor", "neg.default", "abs.default",
    "add.Scalar", "sub.Scalar", "mul.Scalar", "div.Scalar",
    "pow.Tensor_Scalar", "reciprocal.default", "sqrt.default", "exp.default", "log.default",
    "sigmoid.default", "tanh.default", "relu.default", "sign.default",
    "floor.default", "trunc.default", "round.default", "ceil.default",
    "clamp.default", "clamp_min.default", "clamp_max.default", "clamp.Tensor",
    "clamp_min.Tensor", "maximum.default", "minimum.default",
    "where.self", "where.ScalarSelf", "where.ScalarOther", "where.Scalar",
    "masked_fill.Scalar", "masked_fill.Tensor",
    "eq.Scalar", "eq.Tensor", "ne.Scalar", "ne.Tensor",
    "logical_not.default", "logical_and.default", "logical_or.default", "logical_xor.default",
    "bitwise_not.default", "bitwise_and.Tensor", "bitwise_or.Tensor", "bitwise_xor.Tensor",
    "_to_copy.default", "lerp.Scalar", "lerp.Tensor", "addcmul.default", "addcdiv.default",
    "div.Tensor_mode", "remainder.Scalar",
)  # fmt: skip
ROUNDINGS = {
    "aten.floor.default", "aten.trunc.default", "aten.div.Tensor_mode",
    "aten.floor_divide.default",
}  # fmt: skip
ELEMENTWISE = {f"aten.{name}" for name in _EACH} | COMPARISONS | ROUNDINGS

LOWER_BOUNDS = {
    "aten.clamp.default", "aten.clamp_min.default", "aten.clamp.Tensor", "aten.clamp_min.Tensor",
    "aten.maximum.default", "aten.relu.default",
}  # fmt: skip


@torch.library.custom_op("snndeploy::leaky", mutates_args=())
def _leaky(x: torch.Tensor, decay: float) -> torch.Tensor:
    """y[t] = decay y[t-1] + x[t], time first."""
    return torch.zeros_like(x)


@_leaky.register_fake
def _(x: torch.Tensor, decay: float) -> torch.Tensor:
    return torch.empty_like(x)


@torch.library.custom_op("snndeploy::delay", mutates_args=())
def _delay(x: torch.Tensor, steps: int) -> torch.Tensor:
    """y[t] = x[t - steps], 0 before, time first."""
    return torch.zeros_like(x)


@_delay.register_fake
def _(x: torch.Tensor, steps: int) -> torch.Tensor:
    return torch.empty_like(x)


def short(name: Any) -> str:
    """aten.add.Tensor -> add"""
    return str(name).split(".")[1]
