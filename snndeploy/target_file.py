"""Reading a chip file: every key, its type, unit and limits, and the rules it must obey.

A chip is one TOML file. Each number is a table that says where it comes from:
`neurons_per_core = { value = 1024, unit = "neurons", mark = "published", source = "..." }`.
What is unknown is left out, never written as zero. `targets/README.md` explains every key.
"""

from __future__ import annotations

import math
import tomllib
from dataclasses import dataclass
from typing import Any

from snndeploy.errors import TargetError, near_names

SCHEMA_VERSION = 1

# From the most to the least trustworthy.
MARKS = ("published", "from code", "fitted", "inherited", "assumed")

Value = int | float | bool | str | tuple[float, ...]


@dataclass(frozen=True)
class Quantity:
    """One number of a chip, with the unit it is in and where it comes from."""

    value: Value
    unit: str
    mark: str
    source: str
    note: str = ""


@dataclass(frozen=True)
class Key:
    """What the file may say under one key. `kind` is int, float, bool, str or tuple (a list)."""

    kind: type
    unit: str = ""
    required: bool = True
    lowest: float = 0
    highest: float = 1e15
    choices: tuple[str, ...] = ()


def _count(unit: str, *, required: bool = True, lowest: float = 1, highest: float = 1e9) -> Key:
    return Key(int, unit, required, lowest, highest)


def _bits(*, required: bool = True, lowest: float = 1) -> Key:
    return Key(int, "bits", required, lowest, 64)


FLAG = Key(bool)
PICOJOULE = Key(float, "pJ")
NANOSECOND = Key(float, "ns")
MAYBE_PICOJOULE = Key(float, "pJ", required=False)
MAYBE_NANOSECOND = Key(float, "ns", required=False)

SCHEMA: dict[str, dict[str, Key]] = {
    "board": {
        "max_chips": _count("chips", highest=65536),
        "chip_grid_width": _count("chips", highest=4096),
        "chip_grid_height": _count("chips", highest=4096),
    },
    "cores": {
        "cores_per_chip": _count("cores", highest=65536),
        "cores_per_tile": _count("cores", highest=1024),
        "mesh_width": _count("tiles", highest=1024),
        "mesh_height": _count("tiles", highest=1024),
        "neurons_per_core": _count("neurons"),
        "synapse_memory_bytes": _count("bytes"),
        "input_axons_per_core": _count("axons", required=False),
        "output_axons_per_core": _count("axons", required=False),
    },
    "formats": {
        "weight_bits": _bits(),
        "weight_min": Key(int, "weight units", lowest=-(2**31), highest=0),
        "weight_max": Key(int, "weight units", lowest=1, highest=2**31),
        "weight_step_mixed": Key(int, "weight units", lowest=1, highest=256),
        "weight_exponent_min": Key(int, "powers of two", lowest=-32, highest=0),
        "weight_exponent_max": Key(int, "powers of two", lowest=0, highest=32),
        "bias_mantissa_bits": _bits(),
        "bias_exponent_bits": _bits(lowest=0),
        "decay_bits": _bits(),
        "threshold_bits": _bits(),
        "membrane_bits": _bits(),
        "current_bits": _bits(),
        "accumulator_bits": _bits(),
        "input_shift": Key(int, "bits", highest=32),
        "delay_max": Key(int, "steps", highest=65536),
        "payload_bits": _bits(lowest=0),
        "payload_bits_default": _bits(required=False, lowest=0),
        "graded_spikes": FLAG,
        "soft_reset": FLAG,
        "dynamic_multiply": FLAG,
        "threshold_per": Key(str, choices=("population", "neuron")),
        "decay_per": Key(str, choices=("population", "neuron")),
    },
    "synapses": {
        "bits_per_synapse": _bits(),
        "synapse_index_bits": _bits(lowest=0),
        "synapse_header_bits": Key(int, "bits", highest=4096),
        "synapses_per_block": _count("synapses", highest=65536),
        "synapse_word_bits": _count("bits", highest=4096),
        "shared_convolution": FLAG,
    },
    "energy": {
        "synaptic_operation_pj": PICOJOULE,
        "synaptic_operation_sparse_pj": MAYBE_PICOJOULE,
        "synaptic_operation_conv_pj": MAYBE_PICOJOULE,
        "neuron_access_pj": PICOJOULE,
        "neuron_update_pj": PICOJOULE,
        "spike_generation_pj": PICOJOULE,
        "message_out_pj": PICOJOULE,
        "message_in_pj": PICOJOULE,
        "tile_local_hop_pj": MAYBE_PICOJOULE,
        "hop_east_west_pj": PICOJOULE,
        "hop_north_south_pj": PICOJOULE,
        "inter_chip_hop_pj": MAYBE_PICOJOULE,
        "static_power_per_chip_w": Key(float, "W", required=False),
    },
    "timing": {
        "synaptic_operation_ns": NANOSECOND,
        "synaptic_operation_sparse_ns": MAYBE_NANOSECOND,
        "synaptic_operation_conv_ns": MAYBE_NANOSECOND,
        "neuron_access_ns": NANOSECOND,
        "neuron_update_ns": NANOSECOND,
        "spike_generation_ns": NANOSECOND,
        "message_out_ns": NANOSECOND,
        "message_in_ns": NANOSECOND,
        "tile_local_hop_ns": MAYBE_NANOSECOND,
        "hop_east_west_ns": NANOSECOND,
        "hop_north_south_ns": NANOSECOND,
        "inter_chip_hop_ns": MAYBE_NANOSECOND,
        "link_buffer_messages": _count("messages", required=False, highest=65536),
        "barrier_tiles": Key(tuple, "tiles", lowest=1),
        "barrier_ns": Key(tuple, "ns"),
        "board_barrier_chips": Key(tuple, "chips", required=False, lowest=1),
        "board_barrier_ns": Key(tuple, "ns", required=False),
    },
    "host": {
        "mac_pj": PICOJOULE,
        "ac_pj": PICOJOULE,
        "io_bytes_per_second": Key(float, "bytes/s", required=False, lowest=1),
        "io_pj_per_byte": Key(float, "pJ/byte", required=False),
    },
}

NAMES: dict[str, tuple[str, ...]] = {  # plain strings, which need no mark
    "chip": ("name", "description"),
    "board": ("board_name",),
}
FIELDS = ("value", "unit", "mark", "source", "note")
TABLES = (("barrier_tiles", "barrier_ns"), ("board_barrier_chips", "board_barrier_ns"))


def parse(text: str, origin: str) -> tuple[dict[str, str], dict[str, Quantity]]:
    """The plain names and the quantities ("cores.neurons_per_core" ...) of a chip file."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise TargetError(f"{origin} is not valid TOML: {error}") from None
    _check_sections(data, origin)
    names = {
        key: _name(data, section, key, origin) for section, keys in NAMES.items() for key in keys
    }
    quantities: dict[str, Quantity] = {}
    for section, keys in SCHEMA.items():
        _check_keys(data[section], section, keys, origin)
        for key, rule in keys.items():
            if key in data[section]:
                where = f"{section}.{key}"
                quantities[where] = _quantity(data[section][key], rule, f"{origin}: {where}")
    _check_tables(quantities, origin)
    return names, quantities


def _check_sections(data: dict[str, Any], origin: str) -> None:
    known = ["schema", "chip", *SCHEMA]
    for section in data:
        if section not in known:
            raise TargetError(f"{origin}: unknown section [{section}]{near_names(section, known)}")
    version = data.get("schema")
    if version != SCHEMA_VERSION or isinstance(version, bool):
        said = "has no line 'schema = 1'" if version is None else f"has schema {version!r}"
        raise TargetError(f"{origin} {said}; this release reads schema {SCHEMA_VERSION}")
    for section in known[1:]:
        if not isinstance(data.get(section), dict):
            raise TargetError(f"{origin}: section [{section}] is missing")


def _check_keys(table: dict[str, Any], section: str, keys: dict[str, Key], origin: str) -> None:
    known = [*keys, *NAMES.get(section, ())]
    for key in table:
        if key not in known:
            raise TargetError(f"{origin}: unknown key {section}.{key}{near_names(key, known)}")
    for key, rule in keys.items():
        if rule.required and key not in table:
            raise TargetError(f"{origin}: {section}.{key} is missing")


def _name(data: dict[str, Any], section: str, key: str, origin: str) -> str:
    if section == "chip":
        _check_keys(data["chip"], "chip", {}, origin)
    text = data[section].get(key)
    if text is None:
        raise TargetError(f"{origin}: {section}.{key} is missing")
    if not isinstance(text, str) or not text.strip():
        raise TargetError(f"{origin}: {section}.{key} is {text!r}; it must be a text")
    return text


def _quantity(entry: object, rule: Key, where: str) -> Quantity:
    """One entry, checked: a table of value, unit, mark and source."""
    if not isinstance(entry, dict):
        raise TargetError(
            f"{where} is {entry!r}; write it as "
            '{ value = ..., unit = "...", mark = "...", source = "..." }'
        )
    for field in entry:
        if field not in FIELDS:
            raise TargetError(f"{where} has an unknown field {field!r}{near_names(field, FIELDS)}")
    if "value" not in entry:
        raise TargetError(f"{where} has no value")
    value = _value(entry["value"], rule, where)
    unit = entry.get("unit", "")
    if unit != rule.unit:
        raise TargetError(f"{where} is in unit {unit!r}; it must be {rule.unit!r}")
    mark = _text(entry, "mark", where)
    if mark not in MARKS:
        raise TargetError(f"{where} has mark {mark!r}; use one of: {', '.join(MARKS)}")
    note = entry.get("note", "")
    if not isinstance(note, str):
        raise TargetError(f"{where} has a note that is not text: {note!r}")
    return Quantity(value, unit, mark, _text(entry, "source", where), note)


def _text(entry: dict[str, Any], field: str, where: str) -> str:
    text = entry.get(field)
    if not isinstance(text, str) or not text.strip():
        raise TargetError(f"{where} has no {field}; every number says where it comes from")
    return text


def _value(value: object, rule: Key, where: str) -> Value:
    if rule.kind is bool:
        if not isinstance(value, bool):
            raise TargetError(f"{where} is {value!r}; it must be true or false")
        return value
    if rule.kind is str:
        if not isinstance(value, str) or value not in rule.choices:
            raise TargetError(f"{where} is {value!r}; it must be one of: {', '.join(rule.choices)}")
        return value
    if rule.kind is tuple:
        if not isinstance(value, list) or not value:
            raise TargetError(f"{where} is {value!r}; it must be a list of numbers")
        return tuple(float(_number(item, rule, where)) for item in value)
    number = _number(value, rule, where)
    return float(number) if rule.kind is float else number


def _number(value: object, rule: Key, where: str) -> int | float:
    whole = rule.kind is int
    if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)):
        raise TargetError(f"{where} is {value!r}; it must be a {'whole ' * whole}number")
    if not math.isfinite(value):
        raise TargetError(f"{where} is {value!r}; it must be a finite number")
    if value < rule.lowest:
        raise TargetError(f"{where} is {value!r}; it must be at least {rule.lowest:g}")
    if value > rule.highest:
        raise TargetError(f"{where} is {value!r}; it must be at most {rule.highest:g}")
    return value


def _check_tables(quantities: dict[str, Quantity], origin: str) -> None:
    """Each step table has a column of ascending keys and a column of times, of one length."""
    for keys_name, times_name in TABLES:
        keys = quantities.get(f"timing.{keys_name}")
        times = quantities.get(f"timing.{times_name}")
        if keys is None and times is None:
            continue
        if keys is None or times is None:
            raise TargetError(f"{origin}: timing.{keys_name} and timing.{times_name} go together")
        assert isinstance(keys.value, tuple) and isinstance(times.value, tuple)
        if len(keys.value) != len(times.value):
            raise TargetError(
                f"{origin}: timing.{keys_name} has {len(keys.value)} entries and "
                f"timing.{times_name} has {len(times.value)}; they must be of one length"
            )
        if any(after <= before for before, after in zip(keys.value, keys.value[1:], strict=False)):
            raise TargetError(f"{origin}: timing.{keys_name} must ascend")
