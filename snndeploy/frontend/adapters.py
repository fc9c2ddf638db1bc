"""Which modules are neurons, and with what parameters.

An adapter takes a module and returns its parameters, or None when it is not its kind:

    {"threshold", "decay", "v_reset", "fires_at": "ge" | "gt", "reset": "hard" | "soft",
     "time_axis": dimension of its input that is time}

A neuron with attention in its membrane loop adds "attention": the name of its submodule that maps
the membrane of one step, (1, batch, channels, rows, columns), to the refined one.

The first adapter that answers wins.  A user's own come first (`--adapters my_adapters.py`, a file
with a list ADAPTERS).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from math import isfinite
from typing import Any

from snndeploy.errors import ModelError, one_line

Adapter = Callable[[Any], dict[str, Any] | None]
KEYS = ("threshold", "decay", "v_reset", "fires_at", "reset", "time_axis")


def own_description(module: Any) -> dict[str, Any] | None:
    """A module that describes itself with a method `neuron_parameters()`."""
    describe = getattr(module, "neuron_parameters", None)
    return dict(describe()) if callable(describe) else None


def own_step_description(module: Any) -> dict[str, Any] | None:
    """A neuron with attention in its loop, which describes one step by `step_parameters()`."""
    describe = getattr(module, "step_parameters", None)
    return dict(describe()) if callable(describe) else None


ADAPTERS: Sequence[Adapter] = (own_description, own_step_description)


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


def _checked(path: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    missing = [key for key in KEYS if key not in parameters]
    if missing:
        raise ModelError(f"neuron {path} does not say its {', '.join(missing)}")
    checked = {key: parameters[key] for key in KEYS}
    for key in ("threshold", "decay", "v_reset"):
        checked[key] = _finite(path, key, checked[key])
    if not 0 <= checked["decay"] <= 1:
        raise ModelError(f"neuron {path} has decay {checked['decay']:g}; it must lie in 0..1")
    if checked["threshold"] <= 0:
        raise ModelError(
            f"neuron {path} has threshold {checked['threshold']:g}; it must be positive"
        )
    if checked["fires_at"] not in ("ge", "gt") or checked["reset"] not in ("hard", "soft"):
        raise ModelError(
            f"neuron {path} has fires_at {checked['fires_at']!r} and reset {checked['reset']!r};"
            " known: ge or gt, hard or soft"
        )
    if type(checked["time_axis"]) is not int or checked["time_axis"] < 0:
        raise ModelError(
            f"neuron {path} has time_axis {checked['time_axis']!r}; the number of its input's time"
            " dimension is needed, counted from 0"
        )
    return checked


def _finite(path: str, key: str, value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError, RuntimeError):
        raise ModelError(
            f"neuron {path} has a {key} that is not one number; neurons of a layer share one"
        ) from None
    if not isfinite(number):
        raise ModelError(f"neuron {path} has {key} {number}; a finite number is needed")
    return number
