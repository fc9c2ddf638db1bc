"""What rounding, clipping and firing are backward.

spike(v, above, width)   S = [v > above];   dS/dv = 1 / (width (1 + (pi (v - above) / width)^2))
straight(smooth, exact)  exact;             the derivative of smooth
"""

from __future__ import annotations

from typing import Any

import torch


class _Spike(torch.autograd.Function):
    """The derivative is that of arctan(pi x) / pi + 1/2, x = (v - above) / width: its area is 1."""

    @staticmethod
    def forward(ctx: Any, membrane: Any, above: float, width: float) -> Any:
        ctx.save_for_backward(membrane)
        ctx.above, ctx.width = above, width
        return (membrane > above).to(membrane.dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        (membrane,) = ctx.saved_tensors
        distance = (membrane - ctx.above) * (torch.pi / ctx.width)
        return gradients[0] / (ctx.width * (1.0 + distance * distance)), None, None


class _Straight(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, smooth: Any, exact: Any) -> Any:
        return exact.clone()

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        return gradients[0], None


def spike(membrane: Any, above: float, width: float) -> Any:
    return _Spike.apply(membrane, above, width)


def straight(smooth: Any, exact: Any) -> Any:
    return _Straight.apply(smooth, exact)
