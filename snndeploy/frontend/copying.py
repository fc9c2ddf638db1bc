"""Copies of a user's module."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any

from snndeploy.errors import ModelError, one_line

STORED_AS = ("_orig", "_g")  # what torch's pruning, weight and spectral norm append to a parameter


def copied(module: Any, shared: Mapping[int, Any] | None = None) -> Any:
    """shared: tensors that the copy has in common with the module, by their id.

    Raises:
        ModelError: it keeps something that cannot be copied, as what a run left behind.
    """
    memo = {**(shared or {}), **{id(value): value.detach().clone() for value in _made(module)}}
    try:
        return copy.deepcopy(module, memo)
    except Exception as error:
        raise ModelError(
            f"the model cannot be copied: {one_line(error)}; reset the state that it keeps between"
            " calls before compiling it"
        ) from None


def of_other_precision(module: Any) -> bool:
    """It has floating-point numbers that are not float32, in which models are traced."""
    held = (*module.parameters(), *module.buffers())
    return any(str(t.dtype) != "torch.float32" and t.is_floating_point() for t in held)


def _made(module: Any) -> Iterator[Any]:
    """Weights that a module makes of its parameters at each call, and torch does not copy."""
    for child in module.modules():
        held = dict(child.named_parameters(recurse=False))
        for name in {
            key.removesuffix(end) for key in held for end in STORED_AS if key.endswith(end)
        }:
            if name in vars(child):
                yield vars(child)[name]
