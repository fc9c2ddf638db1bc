"""Which modules are neurons, and with what parameters.

An adapter takes a module and returns its parameters, or None when it is not its kind:

    {"threshold", "decay", "v_reset", "fires_at": "ge" | "gt", "reset": "hard" | "soft",
     "time_axis": dimension of its input that is time}

The first adapter that answers wins.  A user's own come first (`--adapters my_adapters.py`, a file
with a list ADAPTERS).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from math import isfinite
from typing import Any

from snndeploy.errors import ModelError

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
        ModelError: a neuron whose description is incomplete or out of range.
    """
    tried = (*adapters, *ADAPTERS)
    found: dict[str, dict[str, Any]] = {}
    for path, child in module.named_modules():
        for adapter in tried:
            parameters = adapter(child)
            if parameters is not None:
                found[path] = _checked(path, parameters)
                break
    return found


def _checked(path: str, parameters: dict[str, Any]) -> dict[str, Any]:
    missing = [key for key in KEYS if key not in parameters]
    if missing:
        raise ModelError(f"neuron {path} does not say its {', '.join(missing)}")
    checked = {key: parameters[key] for key in KEYS}
    for key in ("threshold", "decay", "v_reset"):
        checked[key] = float(checked[key])
        if not isfinite(checked[key]):
            raise ModelError(f"neuron {path} has {key} {checked[key]}; a finite number is needed")
    if not 0 <= checked["decay"] <= 1:
        raise ModelError(f"neuron {path} has decay {checked['decay']:g}; it must lie in 0..1")
    if checked["threshold"] <= 0:
        raise ModelError(f"neuron {path} has threshold {checked['threshold']:g}; it must be positive")
    if checked["fires_at"] not in ("ge", "gt") or checked["reset"] not in ("hard", "soft"):
        raise ModelError(
            f"neuron {path} has fires_at {checked['fires_at']!r} and reset {checked['reset']!r};"
            " known: ge or gt, hard or soft"
        )
    checked["time_axis"] = int(checked["time_axis"])
    return checked
