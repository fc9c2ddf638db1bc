"""Which modules are neurons, and with what parameters.

An adapter takes a module and returns its parameters, or None when it is not its kind:

    {"kind": which of `snndeploy.neurons` ("lif" where it is not said),
     what that kind states; of a lif "threshold", "decay", "v_reset", "fires_at": "ge" | "gt",
         "reset": "hard" | "soft" | ..., and what else it has (`snndeploy.neurons`),
     "time_axis": dimension of its input that is time; -1: the last}

What has a default may be left out.  The threshold may be a tensor, one value a channel: currents
are scaled to the first channel's.  Any other number must be one for all channels.

A neuron with attention in its membrane loop adds "attention": the name of its submodule that maps
the membrane of one step, (1, batch, channels, rows, columns), to the refined one.

The first adapter that answers wins.  A user's own come first (`--adapters my_adapters.py`, a file
with a list ADAPTERS).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import numpy as np

from snndeploy.errors import ModelError, one_line
from snndeploy.frontend.slayer import slayer_neuron
from snndeploy.neurons import Equation, equation_of, equations, parameters

Adapter = Callable[[Any], dict[str, Any] | None]
LAST = -1  # of the dimensions
USUAL_KIND = "lif"  # of a module that does not say its kind
MEMBRANES = ("threshold", "v_reset", "initial", "lower_bound")  # in the unit of the currents
SAME = 1e-6  # how close values of channels lie that are one: they are float32 in a module


def own_description(module: Any) -> dict[str, Any] | None:
    """A module that describes itself with a method `neuron_parameters()`."""
    describe = getattr(module, "neuron_parameters", None)
    return dict(describe()) if callable(describe) else None


def own_step_description(module: Any) -> dict[str, Any] | None:
    """A neuron with attention in its loop, which describes one step by `step_parameters()`."""
    describe = getattr(module, "step_parameters", None)
    return dict(describe()) if callable(describe) else None


ADAPTERS: Sequence[Adapter] = (own_description, own_step_description, slayer_neuron)


def find_neurons(module: Any, adapters: Iterable[Adapter] = ()) -> dict[str, dict[str, Any]]:
    """Parameters of every neuron module, by module path.

    Raises:
        ModelError: a neuron whose description is incomplete or out of range, or an adapter that
            raises.
    """
    tried = (*adapters, *ADAPTERS)
    found: dict[str, dict[str, Any]] = {}
    attended: list[str] = []
    for path, child in module.named_modules():
        if any(path.startswith(f"{outer}.") for outer in attended):
            continue  # the neuron inside one with attention is never called by itself
        for adapter in tried:
            parameters = _ask(adapter, path, child)
            if parameters is not None:
                found[path] = _checked(path, parameters)
                if "attention" in parameters:
                    found[path]["attention"] = _submodule(path, child, parameters["attention"])
                    attended.append(path)
                break
    return found


def _ask(adapter: Adapter, path: str, module: Any) -> dict[str, Any] | None:
    try:
        return adapter(module)
    except Exception as error:
        name = getattr(adapter, "__name__", type(adapter).__name__)
        raise ModelError(
            f"module {path!r} cannot describe its neuron ({name}): {one_line(error)}"
        ) from None


def _submodule(path: str, module: Any, name: Any) -> str:
    names = {child for child, _ in module.named_modules() if child}
    if name not in names:
        raise ModelError(
            f"neuron {path} has attention {name!r}, which is none of its submodules"
            f" ({', '.join(sorted(names)) or 'it has none'})"
        )
    return str(name)


def _checked(path: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The description in plain JSON; fields that are as their default says are left out.

    A threshold a channel becomes the first channel's, with "channel_scale": what the currents of
    each channel are multiplied by so that one threshold serves all.
    """
    stated = {"kind": USUAL_KIND, **given}
    known = equations()
    if stated["kind"] not in known:
        raise ModelError(
            f"neuron {path} is of kind {stated['kind']!r}; known: {', '.join(sorted(known))}"
        )
    kind = known[stated["kind"]]
    defaults = _defaults(kind)
    stated = {key: stated[key] for key in stated if stated[key] is not None or key not in defaults}
    keys = (*parameters(kind), "time_axis")
    needed = [key for key in keys if key not in defaults]
    if missing := [key for key in needed if stated.get(key) is None]:
        raise ModelError(f"neuron {path} does not say its {', '.join(missing)}")
    if unknown := [key for key in stated if key not in (*keys, "kind", "attention")]:
        raise ModelError(
            f"neuron {path} states {', '.join(unknown)}, which a {kind.kind} does not have"
        )
    scales = _channel_scales(path, stated["threshold"])
    typed = {
        key: _typed(path, kind, key, stated[key], scales) for key in keys[:-1] if key in stated
    }
    plain = {key: value for key, value in typed.items() if defaults.get(key, _NOTHING) != value}
    checked = {"kind": kind.kind, **plain}
    if faults := equation_of(checked).faults():
        raise ModelError(f"neuron {path} has {faults[0]}")
    axis = stated["time_axis"]
    if type(axis) is not int or axis < LAST:
        raise ModelError(
            f"neuron {path} has time_axis {axis!r}; the number of its input's time"
            " dimension is needed, counted from 0, or -1 for the last"
        )
    folded = {"channel_scale": scales.tolist()} if len(scales) > 1 else {}
    return {**checked, **folded, "time_axis": axis}


_NOTHING = object()


def _defaults(kind: type[Equation]) -> dict[str, Any]:
    """The parameters that a description may leave out, with what they then are."""
    return {
        field.name: field.default
        for field in dataclasses.fields(kind)
        if field.default is not dataclasses.MISSING
    }


def _channel_scales(path: str, threshold: Any) -> np.ndarray:
    """threshold[0] / threshold[c] a channel; a single 1 where all are equal."""
    values = _numbers(path, "threshold", threshold)
    if (values <= 0).any():
        worst = values[values <= 0][0]
        raise ModelError(f"neuron {path} has threshold {worst:g}; it must be positive")
    return np.ones(1) if (values == values[0]).all() else values[0] / values


def _typed(path: str, kind: type[Equation], key: str, value: Any, scales: np.ndarray) -> Any:
    """A parameter as plain JSON: a number, a whole number, or one of the words that it knows."""
    wanted = get_type_hints(kind)[key]
    if get_origin(wanted) in (Union, UnionType):
        wanted = next(hint for hint in get_args(wanted) if hint is not type(None))
    if issubclass(wanted, StrEnum):
        words = [str(member) for member in wanted]
        if not isinstance(value, str) or value not in words:
            raise ModelError(f"neuron {path} has {key} {value!r}; known: {' or '.join(words)}")
        return str(value)
    number = _shared(path, key, _numbers(path, key, value), scales)
    if wanted is not int:
        return number
    if number != int(number) or isinstance(value, bool):
        raise ModelError(f"neuron {path} has {key} {value}; a whole number is needed")
    return int(number)


def _shared(path: str, key: str, values: np.ndarray, scales: np.ndarray) -> float:
    """The one value that all channels have, once their currents are scaled to one threshold."""
    if key in MEMBRANES and len(scales) > 1:
        if len(values) not in (1, len(scales)):
            raise ModelError(
                f"neuron {path} has {len(values)} values of {key} and {len(scales)} thresholds;"
                " one a channel is needed"
            )
        values = values * scales
    different = len(np.unique(values))
    if different == 1 or np.allclose(values, values[0], rtol=SAME, atol=0.0):
        return float(values[0])
    if key in MEMBRANES and len(scales) > 1:
        raise ModelError(
            f"neuron {path}: {key} differs over channels ({different} values once every channel is"
            " scaled to one threshold); split the layer by value, or let it be the same part of"
            " each threshold"
        )
    raise ModelError(
        f"neuron {path}: {key} differs over channels ({different} values); split the layer by"
        " value, or train one"
    )


def _numbers(path: str, key: str, value: Any) -> np.ndarray:
    """A number, or one a channel, float64 (1,) or (channels,).

    Raises:
        ModelError: no numbers, several dimensions, NaN or infinite.
    """
    plain = value.detach().cpu() if hasattr(value, "detach") else value
    try:
        found = np.asarray(plain, dtype=np.float64)
    except (TypeError, ValueError, RuntimeError):
        raise ModelError(
            f"neuron {path} has {key} {value!r}; a number, or one a channel, is needed"
        ) from None
    if found.size == 0 or found.size != max(found.shape, default=1):
        raise ModelError(
            f"neuron {path} has a {key} of shape {found.shape}; one number, or one a channel, is"
            " needed"
        )
    flat = found.reshape(-1)
    if not np.isfinite(flat).all():
        worst = flat[~np.isfinite(flat)][0]
        raise ModelError(f"neuron {path} has {key} {worst}; a finite number is needed")
    return flat
