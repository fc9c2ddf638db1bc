"""Facts: what reports repeat of a program, typed, and checked when they are read."""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from snndeploy.conversion.facts import Conversion
from snndeploy.costs.layers import LayerCost
from snndeploy.data import Binning
from snndeploy.frontend.door import ModelFacts
from snndeploy.lower.real_network import LoweringCost
from snndeploy.passes.audit import AuditRow, Flags
from snndeploy.program.consistency import finite, require
from snndeploy.program.input_range import InputRange
from snndeploy.quantize.quantize import LayerQuantization
from snndeploy.verdict.plan import Plan

Made = TypeVar("Made")


@dataclass(frozen=True)
class Facts:
    """What is known of a program besides its network.

    audit, flags, layers: of the model (`passes.audit`, `costs.layers`).  quantization: a line a
    population; shortcuts: what each way to lower them costs; both are empty where integers were
    imported.  made_with: versions, by package.  reduction: what `--reduce` did (`verify.reduced`).
    plan: how the network was lowered and what the host does (`verdict`); flags are its answer.
    input_range: of what calibration saw.  conversion: how an ANN became this network.
    binning: how events become its input.
    """

    model: ModelFacts
    audit: tuple[AuditRow, ...]
    flags: Flags
    layers: tuple[LayerCost, ...]
    calibration_samples: int
    quantization: tuple[LayerQuantization, ...]
    shortcuts: tuple[LoweringCost, ...]
    notes: tuple[str, ...]
    made_with: Mapping[str, str]
    reduction: Mapping[str, Any] | None = None
    plan: Plan | None = None
    input_range: InputRange | None = None
    conversion: Conversion | None = None
    binning: Binning | None = None

    def as_json(self) -> dict[str, Any]:
        """JSON values; "reduction" is absent where nothing was asked to be reduced, "plan" and
        "input_range" where integers were imported, "conversion" where nothing was converted,
        "binning" where no events were given."""
        found: dict[str, Any] = plain(self)
        for key in ("reduction", "plan", "input_range", "conversion", "binning"):
            if getattr(self, key) is None:
                del found[key]
        return found

    def quantized(self, population: str) -> LayerQuantization | None:
        """The line of a population; None: it was not quantized."""
        return next((line for line in self.quantization if line.population == population), None)


def plain(value: Any) -> Any:
    """Dataclasses, tuples and mappings as JSON values."""
    if is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {key: plain(entry) for key, entry in value.items()}
    return [plain(entry) for entry in value] if isinstance(value, (tuple, list)) else value


def read_facts(record: Any) -> Facts:
    """The facts of a program file.

    Raises:
        Mismatch: something is missing, of another type, or unknown.
    """
    return read_record(Facts, record, "the facts")


def read_record(kind: type[Made], record: Any, where: str) -> Made:
    """A dataclass from JSON, its types checked; fields with a default may be absent."""
    require(isinstance(record, dict), f"{where} have another form")
    hints, known = get_type_hints(kind), {f.name: f for f in fields(kind)}  # type: ignore[arg-type]
    for key in record:
        require(key in known, f"{where} have an unknown {key!r}")
    values = {}
    for name, known_field in known.items():
        if name in record:
            values[name] = _value(hints[name], record[name], f"{where}: {name}")
        else:
            optional = known_field.default is not MISSING
            require(optional, f"{where} have no {name!r}")
    return kind(**values)


def _value(hint: Any, value: Any, where: str) -> Any:
    """A value of an annotated type, from its JSON form."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        (inner,) = (argument for argument in arguments if argument is not type(None))
        return None if value is None else _value(inner, value, where)
    if origin is Literal:
        require(value in arguments, f"{where} is {value!r}, none of {', '.join(arguments)}")
        return value
    if origin is tuple:
        require(isinstance(value, list), f"{where} is {value!r}, not a list")
        return tuple(_value(arguments[0], entry, where) for entry in value)
    if is_dataclass(hint):
        return read_record(hint, value, where)  # type: ignore[arg-type]
    if hint is float:
        finite(value, where)
        return value
    kind = dict if origin is not None else hint
    require(type(value) is kind, f"{where} is {value!r}, not of type {kind.__name__}")
    if origin is not None and arguments[1] is not Any:
        return {key: _value(arguments[1], entry, where) for key, entry in value.items()}
    return value
