"""Which modules are neurons, and with what parameters.

An adapter takes a module and returns its parameters, or None when it is not its kind:

    {"threshold", "decay", "v_reset", "fires_at": "ge" | "gt", "reset": "hard" | "soft",
     "time_axis": dimension of its input that is time}

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


ADAPTERS: Sequence[Adapter] = (own_description,)


def find_neurons(module: Any, adapters: Iterable[Adapter] = ()) -> dict[str, dict[str, Any]]:
    """Parameters of every neuron module, by module path.

    Raises:
        ModelError: a neuron whose description is incomplete or out of range, or an adapter that
            raises.
    """
    tried = (*adapters, *ADAPTERS)
    found: dict[str, dict[str, Any]] = {}
    for path, child in module.named_modules():
        for adapter in tried:
            parameters = _ask(adapter, path, child)
            if parameters is not None:
                found[path] = _checked(path, parameters)
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
