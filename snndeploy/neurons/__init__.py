"""The neurons that the compiler knows, one file each: a list one can read.

`NEURONS` is the list; `equations()` are those that a model can be trained with, by the `kind` that
its modules state.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from enum import Enum, StrEnum
from typing import Any, get_type_hints

from snndeploy.neurons.contract import (
    DECAY_ONE,
    MEMBRANE_MAXIMUM,
    MEMBRANE_SHIFT,
    NO_CURRENT_MEMORY,
    OVERFLOW_KINDS,
    UNBOUNDED,
    WIDEST_PAYLOAD,
    no_overflows,
    shift,
)
from snndeploy.neurons.equation import (
    Equation,
    FiresAt,
    Refusal,
    Reset,
    Suited,
    WhileRefractory,
)
from snndeploy.neurons.input import Input
from snndeploy.neurons.integrator import Integrator, listener
from snndeploy.neurons.leaky import Leaky
from snndeploy.neurons.leaky_fire import LeakyFire
from snndeploy.neurons.lif import Lif
from snndeploy.neurons.neuron import Drive, Neuron, Place, Stepped, words_of
from snndeploy.neurons.programmed import Programmed
from snndeploy.neurons.registers import decay_register
from snndeploy.neurons.relay import Relay


def listed(*kinds: type[Neuron]) -> dict[str, type[Neuron]]:
    """The kinds by name, each checked to say everything.

    Raises:
        TypeError: what a kind, or the equation that it is trained with, does not say.
    """
    for kind in kinds:
        if faults := declaration_faults(kind):
            raise TypeError(f"neuron {kind.__name__}: {'; '.join(faults)}")
    return {kind.name: kind for kind in kinds}


def declaration_faults(kind: type[Neuron]) -> list[str]:
    """What a kind leaves unsaid, and what it inherits from another kind without saying it."""
    faults = [
        f"no {part}" for part in ("name", "state", "attention", "fires") if not hasattr(kind, part)
    ]
    faults += [f"no {part}" for part in sorted(kind.__abstractmethods__)]
    faults += [f"it is a {base.__name__}" for base in kind.__mro__[1:] if "name" in vars(base)]
    types = get_type_hints(kind)
    for field in dataclasses.fields(kind):
        whole = types[field.name] is int and "bounds" in field.metadata
        if not whole and not issubclass(types[field.name], Enum):
            faults.append(f"{field.name} is no register within bounds, and no choice")
    if getattr(kind, "fires", False) and kind.fires_above is Neuron.fires_above:
        faults.append("no fires_above")
    return faults if kind.trained is None else faults + _equation_faults(kind, kind.trained)


def _equation_faults(kind: type[Neuron], equation: type[Equation]) -> list[str]:
    faults = [f"its equation says no {part}" for part in sorted(equation.__abstractmethods__)]
    if "kind" not in vars(equation):
        faults.append("its equation says no kind")
    if kind.real is Neuron.real:
        faults.append("no real")
    if not dataclasses.is_dataclass(equation) or "__dataclass_fields__" not in vars(equation):
        return [*faults, "its equation is no dataclass"]
    types = get_type_hints(equation)
    for key in parameters(equation):
        if types[key] not in NUMBERS and not issubclass(types[key], StrEnum):
            faults.append(f"its equation's {key} is no number and no word")
    return faults


def equations() -> dict[str, type[Equation]]:
    """The equations that a model can be trained with, by kind."""
    trained = [neuron.trained for neuron in NEURONS.values()]
    return {equation.kind: equation for equation in trained if equation is not None}


def kind_trained(equation: Equation) -> type[Neuron]:
    """The kind that computes a trained neuron in integers."""
    return next(kind for kind in NEURONS.values() if kind.trained is type(equation))


def unsaid(neuron: Neuron, known: Collection[str]) -> str:
    """The registers of a neuron that somebody does not know, in words; '' when all are known."""
    more = [field.name for field in dataclasses.fields(neuron) if field.name not in known]
    return " and ".join(f"a {words_of(type(neuron), key)}" for key in more)


def parameters(equation: type[Equation]) -> tuple[str, ...]:
    """What a module may state of a neuron."""
    return tuple(field.name for field in dataclasses.fields(equation))


def optional(equation: type[Equation]) -> tuple[str, ...]:
    """What a module may leave out of it."""
    fields = dataclasses.fields(equation)
    return tuple(f.name for f in fields if f.default is not dataclasses.MISSING)


def equation_of(attributes: Mapping[str, Any]) -> Equation:
    """The neuron that a graph's node describes.

    Raises:
        KeyError, ValueError: it describes none.
    """
    kind = equations()[attributes["kind"]]
    types = get_type_hints(kind)
    left_out = optional(kind)
    given = {k: attributes[k] for k in parameters(kind) if k in attributes or k not in left_out}
    return kind(**{key: _typed(types[key], value) for key, value in given.items()})


def _typed(wanted: Any, value: Any) -> Any:
    if value is None and wanted == float | None:
        return None
    if type(value) not in (int, float, str):
        raise ValueError("the neuron's parameters are no numbers")
    whole = wanted is int and type(value) is float and value.is_integer()
    if wanted is int and type(value) is not int and not whole:
        raise ValueError(f"{value!r} is no whole number")
    return float(value) if wanted == float | None else wanted(value)


NUMBERS = (float, int, float | None)
NEURONS = listed(Lif, Programmed, Integrator, Relay, Input)

__all__ = [
    "DECAY_ONE",
    "MEMBRANE_MAXIMUM",
    "MEMBRANE_SHIFT",
    "NEURONS",
    "NO_CURRENT_MEMORY",
    "OVERFLOW_KINDS",
    "UNBOUNDED",
    "WIDEST_PAYLOAD",
    "Drive",
    "Equation",
    "FiresAt",
    "Input",
    "Integrator",
    "Leaky",
    "LeakyFire",
    "Lif",
    "Neuron",
    "Place",
    "Programmed",
    "Refusal",
    "Relay",
    "Reset",
    "Stepped",
    "Suited",
    "WhileRefractory",
    "decay_register",
    "equation_of",
    "equations",
    "kind_trained",
    "listed",
    "listener",
    "no_overflows",
    "optional",
    "parameters",
    "shift",
    "unsaid",
    "words_of",
]  # fmt: skip
