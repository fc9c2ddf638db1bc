"""lava-dl's SLAYER pools: they put channels below each other as rows of one plane.

While a module is traced its pools are convolutions of each channel, which compute the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch

SYNAPSES = "lava.lib.dl.slayer.synapse.layer"


@contextmanager
def pools_as_convolutions(module: Any) -> Iterator[None]:
    pools = [child for child in module.modules() if _is_pool(child)]
    for pool in pools:
        pool.forward = _convolution(pool, pool.forward)
    try:
        yield
    finally:
        for pool in pools:
            del pool.forward


def _is_pool(module: Any) -> bool:
    return type(module).__module__ == SYNAPSES and type(module).__name__ == "Pool"


def _convolution(pool: Any, usual: Callable[[Any], Any]) -> Callable[[Any], Any]:
    kernel = tuple(pool.kernel_size)
    whole = tuple(pool.stride) == kernel and not any(pool.padding)

    def forward(x: Any) -> Any:
        rows, columns = x.shape[2:4]
        if not whole or rows % kernel[0] or columns % kernel[1]:
            return usual(x)
        weight = pool.weight if pool.pre_hook_fx is None else pool.pre_hook_fx(pool.weight)
        channels = x.shape[1]
        weight = weight.expand(channels, *weight.shape[1:])
        return torch.nn.functional.conv3d(x, weight, stride=pool.stride, groups=channels)

    return forward
