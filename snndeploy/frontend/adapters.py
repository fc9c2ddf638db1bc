"""Which modules are neurons, and with what parameters.

An adapter takes a module and returns its parameters, or None when it is not its kind:

    {"kind": which of `snndeploy.neurons` ("lif" where it is not said),
     what that kind states; of a lif "threshold", "decay", "v_reset", "fires_at": "ge" | "gt",
         "reset": "hard" | "soft",
     "time_axis": dimension of its input that is time}

A neuron with attention in its membrane loop adds "attention": the name of its submodule that maps
the membrane of one step, (1, batch, channels, rows, columns), to the refined one.

The first adapter that answers wins.  A user's own come first (`--adapters my_adapters.py`, a file
with a list ADAPTERS).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from math import isfinite
from typing import Any, get_type_hints

from snndeploy.errors import ModelError, one_line
from snndeploy.neurons import Equation, equation_of, equations, optional, parameters

Adapter = Callable[[Any], dict[str, Any] | None]
USUAL_KIND = "lif"  # of a module that does not say its kind


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


def _checked(path: str, given: Mapping[str, Any]) -> dict[str, Any]:
    stated = {"kind": USUAL_KIND, **given}
    known = equations()
    if stated["kind"] not in known:
        raise ModelError(
            f"neuron {path} is of kind {stated['kind']!r}; known: {', '.join(sorted(known))}"
        )
    kind = known[stated["kind"]]
    keys = (*parameters(kind), "time_axis")
    needed = [key for key in keys if key not in optional(kind)]
    if missing := [key for key in needed if key not in stated]:
        raise ModelError(f"neuron {path} does not say its {', '.join(missing)}")
    if unknown := [key for key in stated if key not in (*keys, "kind", "attention")]:
        raise ModelError(
            f"neuron {path} states {', '.join(unknown)}, which a {kind.kind} does not have"
        )
    checked = {"kind": kind.kind} | {
        key: _typed(path, kind, key, stated[key]) for key in keys[:-1] if key in stated
    }
    if faults := equation_of(checked).faults():
        raise ModelError(f"neuron {path} has {faults[0]}")
    axis = stated["time_axis"]
    if type(axis) is not int or axis < 0:
        raise ModelError(
            f"neuron {path} has time_axis {axis!r}; the number of its input's time"
            " dimension is needed, counted from 0"
        )
    return {**checked, "time_axis": axis}


def _typed(path: str, kind: type[Equation], key: str, value: Any) -> Any:
    """A parameter as plain JSON: a number, or one of the words that the field knows."""
    wanted = get_type_hints(kind)[key]
    if value is None and wanted == float | None:
        return None
    if not isinstance(wanted, type) or not issubclass(wanted, StrEnum):
        number = _finite(path, key, value)
        return int(number) if wanted is int and number.is_integer() else number
    words = [str(member) for member in wanted]
    if value not in words:
        raise ModelError(f"neuron {path} has {key} {value!r}; known: {' or '.join(words)}")
    return str(value)


def _finite(path: str, key: str, value: Any) -> float:
    try:
        number = float(value.detach() if hasattr(value, "detach") else value)
    except (TypeError, ValueError, RuntimeError):
        raise ModelError(
            f"neuron {path} has a {key} that is not one number; neurons of a layer share one"
        ) from None
    if not isfinite(number):
        raise ModelError(f"neuron {path} has {key} {number}; a finite number is needed")
    return number
