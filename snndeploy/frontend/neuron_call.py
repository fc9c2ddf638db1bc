"""A neuron module called by itself, on currents that nobody else gives it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

import torch

from snndeploy.errors import ModelError, one_line
from snndeploy.frontend.copying import copied
from snndeploy.graph import Node

DIMENSIONS = (3, 5, 4, 2)  # time, batch and features, the usual ones first
SIZES = (2, 3, 4, 5, 6)  # all different, so that the time axis shows


def call_alone(node: Node, module: Any, x: Any, time_axis: int) -> Any:
    """What a fresh copy of a neuron module returns for currents, of their type and shape.

    Arguments that it needs besides are given as nothing, else as zeros: they may only be a start.

    Raises:
        ModelError: it raises, needs more, returns something else, or changes its input.
    """
    refused: Exception | None = None
    needed = _needed(module)
    for more in _more(needed, x, time_axis):
        given = x.clone()
        try:
            with torch.no_grad():
                returned = copied(module).to(x.dtype).eval()(given, **more)
        except ModelError:
            raise
        except Exception as error:
            refused = refused or error
            continue
        if not torch.equal(given, x):
            raise ModelError(
                f"neuron {node.module!r} changes its input in place, which the trace cannot see;"
                " let it work on a copy"
            )
        if spikes_of(returned) is not returned and not other_results(module):
            raise ModelError(
                f"neuron {node.module!r} returns {len(returned)} results; let it return its spikes"
                " alone"
            )
        return checked_spikes(node.module, spikes_of(returned), x)
    if needed:
        raise undescribed(node.module, needed)
    assert refused is not None, "nothing was tried"
    raise ModelError(
        f"neuron {node.module!r} cannot be tried alone on currents of shape {tuple(x.shape)}:"
        f" {one_line(refused)}; if it keeps state from an earlier run, reset it"
    )


def spikes_of(returned: Any) -> Any:
    """The spikes of what a neuron returns: itself, or the first of several results."""
    several = isinstance(returned, (tuple, list)) and len(returned) > 0
    return returned[0] if several else returned


def other_results(module: Any) -> tuple[int | None, ...]:
    """What a neuron module returns besides its spikes: a value of the currents' shape (None), or of
    theirs without a dimension (its number); () where it is nothing, or is not found out.

    Its form is what counts, so it is tried on few zeros, with as many dimensions as it takes.
    """
    for dimensions in DIMENSIONS:
        x = torch.zeros(SIZES[:dimensions])
        for more in _more(_needed(module), x, 0):
            with torch.no_grad(), suppress(Exception):
                returned = copied(module).float().eval()(x, **more)
                several = spikes_of(returned) is not returned
                return tuple(_dropped(other) for other in returned[1:]) if several else ()
    return ()


def _dropped(other: Any) -> int | None:
    shape = tuple(getattr(other, "shape", ()))
    without = [SIZES[:i] + SIZES[i + 1 : len(shape) + 1] for i in range(len(shape) + 1)]
    return without.index(shape) if shape in without else None


def checked_spikes(path: str, spikes: Any, current: Any) -> Any:
    """The spikes, one for each input value.

    Raises:
        ModelError: they are not.
    """
    if isinstance(spikes, torch.Tensor) and spikes.shape == current.shape:
        return spikes
    shape = f"shape {tuple(spikes.shape)}" if isinstance(spikes, torch.Tensor) else "no tensor"
    raise ModelError(
        f"neuron {path!r} returns {shape} for an input of shape {tuple(current.shape)}; one spike"
        " for each input value is needed"
    )


def undescribed(path: str, names: Sequence[str]) -> ModelError:
    """The refusal of a neuron with more arguments than the currents."""
    word = "an argument" if len(names) == 1 else "arguments"
    return ModelError(
        f"neuron {path!r} takes {word} {', '.join(f'`{name}`' for name in names)} that its"
        " description does not state; let it start its own state, and add currents in front of it"
    )


def bound_arguments(
    module: Any, inputs: Sequence[Any], named: Mapping[str, Any]
) -> tuple[Any, dict[str, Any]]:
    """The currents of a call of a module's forward, and by name what it was given besides."""
    try:
        bound = inspect.signature(module.forward).bind(*inputs, **named)
    except (TypeError, ValueError):  # the call itself raises, or the signature is hidden
        return (inputs[0] if inputs else None), dict(named)
    flat: list[tuple[str, Any]] = []
    for name, value in bound.arguments.items():
        kind = bound.signature.parameters[name].kind
        if kind is inspect.Parameter.VAR_POSITIONAL:
            flat += [(f"{name}[{index}]", part) for index, part in enumerate(value)]
        elif kind is inspect.Parameter.VAR_KEYWORD:
            flat += list(value.items())
        else:
            flat.append((name, value))
    return (flat[0][1], dict(flat[1:])) if flat else (None, {})


def says_something(value: Any) -> bool:
    """Is an argument besides the currents more than a start from nothing?"""
    if isinstance(value, torch.Tensor):
        return bool(value.count_nonzero())
    if isinstance(value, (tuple, list)):
        return any(says_something(part) for part in value)
    return False  # None, flags and numbers are the module's own, and alike in every call


def _needed(module: Any) -> list[str]:
    """The arguments of a module's forward behind the first that have no default."""
    try:
        parameters = list(inspect.signature(module.forward).parameters.values())
    except (TypeError, ValueError):
        return []
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return [p.name for p in parameters[1:] if p.kind in named and p.default is p.empty]


def _more(needed: Sequence[str], x: Any, time_axis: int) -> Iterator[dict[str, Any]]:
    if not needed:
        yield {}
        return
    one_step = x.select(time_axis, 0)
    starts: tuple[Callable[[], Any], ...] = (
        lambda: None, lambda: torch.zeros_like(one_step), lambda: torch.zeros_like(x),
    )  # fmt: skip
    for start in starts:
        yield {name: start() for name in needed}
