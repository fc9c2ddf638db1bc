"""Reading a chip file: every key, its type, unit and limits, and the rules it must obey.

A chip is one TOML file. Each number is a table that says where it comes from:
`neurons_per_core = { value = 1024, unit = "neurons", mark = "published", source = "..." }`.
What is unknown is left out, never written as zero. A file may start from another one
(`based_on = "loihi2"`) and say only what differs; `resolve` writes such a chip out in full.
`targets/README.md` explains every key.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from snndeploy.errors import TargetError, near_names
from snndeploy.files.tables import toml

SCHEMA_VERSION = 1

# From the most to the least trustworthy.
MARKS = ("published", "from code", "measured", "fitted", "inherited", "assumed")

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
    """What the file may say under one key. `kind` is int, float, bool, str or tuple (a list).

    required: a chip that programs are compiled for must say it.
    default: what a chip that does not say it is taken to have; None where it is unknown.
    where: another key of the section and its value, with which alone this one has a meaning.
    """

    kind: type
    unit: str = ""
    required: bool = True
    lowest: float = 0
    highest: float = 1e15
    choices: tuple[str, ...] = ()
    default: bool | str | None = None
    where: tuple[str, str] | None = None


def _count(unit: str, *, required: bool = True, lowest: float = 1, highest: float = 1e9) -> Key:
    return Key(int, unit, required, lowest, highest)


def _bits(*, required: bool = True, lowest: float = 1) -> Key:
    return Key(int, "bits", required, lowest, 64)


def _list(unit: str) -> Key:
    return Key(tuple, unit, required=False, lowest=1)


def _flag_or(default: bool) -> Key:
    return Key(bool, required=False, default=default)


FLAG = Key(bool)
PICOJOULE = Key(float, "pJ", required=False)
NANOSECOND = Key(float, "ns", required=False)

TOPOLOGIES = ("mesh", "quadtree", "star")
IDLE = ("accessed", "updated")
ENCODINGS = ("blocks", "words")
SCOPES = ("incremental", "all-in")

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
        "neuron_groups_per_core": _count("groups", required=False),
        "neuron_entry_bytes": _count("bytes", required=False),
        "axon_entry_bytes": _count("bytes", required=False),
        "core_memory_bytes": _count("bytes", required=False),
        "neuron_state_bytes_max": _count("bytes", required=False),
        "synapses_per_chip_max": _count("synapses", required=False, highest=1e12),
        "fan_in_max": _count("axons", required=False),
        "destination_cores_max": _count("cores", required=False),
        "topology": Key(str, required=False, choices=TOPOLOGIES, default="mesh"),
        "idle_neurons": Key(str, required=False, choices=IDLE, default=IDLE[0]),
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
        "message_bits": _bits(required=False),
        "graded_spikes": FLAG,
        "soft_reset": FLAG,
        "neuron_program": _flag_or(False),
        "dynamic_multiply": FLAG,
        "threshold_per": Key(str, choices=("population", "neuron")),
        "decay_per": Key(str, choices=("population", "neuron")),
        "mac_unit": _flag_or(False),
        "full_window": _flag_or(False),
        "time_stepped": _flag_or(True),
    },
    "synapses": {
        "encoding": Key(str, required=False, choices=ENCODINGS, default=ENCODINGS[0]),
        "bits_per_synapse": _bits(),
        "weight_widths": Key(
            tuple, "bits", required=False, highest=64, where=("encoding", "words")
        ),
        "synapse_index_bits": _bits(lowest=0),
        "synapse_header_bits": Key(int, "bits", highest=4096),
        "synapses_per_block": Key(
            int, "synapses", lowest=1, highest=65536, where=("encoding", "blocks")
        ),
        "synapse_word_bits": _count("bits", highest=4096),
        "shared_convolution": FLAG,
        "zero_weights": Key(str, required=False, choices=("counted", "skipped"), default="counted"),
    },
    "layers": {
        "kernel_words_by_core": _list("weights"),
        "neuron_words_by_core": _list("neurons"),
        "kernel_size_max": _count("pixels", required=False),
        "strides": _list("pixels"),
        "channels_max": _count("channels", required=False),
        "input_size_max": _count("pixels", required=False),
        "output_size_max": _count("pixels", required=False),
        "destination_layers_max": _count("layers", required=False),
    },
    "energy": {
        "synaptic_operation_pj": PICOJOULE,
        "synaptic_operation_sparse_pj": PICOJOULE,
        "synaptic_operation_conv_pj": PICOJOULE,
        "synaptic_operation_scope": Key(str, required=False, choices=SCOPES, default=SCOPES[0]),
        "mac_pj": PICOJOULE,
        "neuron_access_pj": PICOJOULE,
        "neuron_update_pj": PICOJOULE,
        "spike_generation_pj": PICOJOULE,
        "message_out_pj": PICOJOULE,
        "message_in_pj": PICOJOULE,
        "tile_local_hop_pj": PICOJOULE,
        "hop_east_west_pj": PICOJOULE,
        "hop_north_south_pj": PICOJOULE,
        "inter_chip_hop_pj": PICOJOULE,
        "static_power_per_chip_w": Key(float, "W", required=False),
    },
    "timing": {
        "synaptic_operation_ns": NANOSECOND,
        "synaptic_operation_sparse_ns": NANOSECOND,
        "synaptic_operation_conv_ns": NANOSECOND,
        "mac_ns": NANOSECOND,
        "neuron_access_ns": NANOSECOND,
        "neuron_update_ns": NANOSECOND,
        "spike_generation_ns": NANOSECOND,
        "message_out_ns": NANOSECOND,
        "message_in_ns": NANOSECOND,
        "tile_local_hop_ns": NANOSECOND,
        "hop_east_west_ns": NANOSECOND,
        "hop_north_south_ns": NANOSECOND,
        "inter_chip_hop_ns": NANOSECOND,
        "link_message_ns": NANOSECOND,
        "link_buffer_messages": _count("messages", required=False, highest=65536),
        "core_queue_messages": _count("messages", required=False, highest=65536),
        "backlog_messages": _count("messages", required=False, highest=65536),
        "barrier_tiles": _list("tiles"),
        "barrier_ns": Key(tuple, "ns", required=False),
        "board_barrier_chips": _list("chips"),
        "board_barrier_ns": Key(tuple, "ns", required=False),
        "fixed_step_ns": Key(float, "ns", required=False, lowest=1),
        "clock_hz": Key(float, "Hz", required=False, lowest=1),
    },
    "host": {
        "mac_pj": Key(float, "pJ"),
        "ac_pj": Key(float, "pJ"),
        "io_bytes_per_second": Key(float, "bytes/s", required=False, lowest=1),
        "io_pj_per_byte": Key(float, "pJ/byte", required=False),
    },
}

NAMES: dict[str, tuple[str, ...]] = {  # plain strings, which need no mark
    "chip": ("name", "description", "not_compiled"),
    "board": ("board_name",),
}
MAYBE_NAMES = ("not_compiled",)
FIELDS = ("value", "unit", "mark", "source", "note")
TABLES = (
    ("timing.barrier_tiles", "timing.barrier_ns"),
    ("timing.board_barrier_chips", "timing.board_barrier_ns"),
)
DEEPEST_BASE = 8

Lookup = Callable[[str, Path | None], tuple[str, str, Path]]
"""From what `based_on` says, and the folder of the file that says it (None for a mere text), to
the text, origin and folder of the chip meant."""


def parse(text: str, origin: str) -> tuple[dict[str, str], dict[str, Quantity]]:
    """The plain names and the quantities ("cores.neurons_per_core" ...) of a full chip file."""
    return _parse(toml(text, origin, TargetError), origin)


def resolve(text: str, origin: str, folder: Path | None, lookup: Lookup) -> str:
    """The text of a chip file with everything it inherits; itself when it inherits nothing.

    Raises:
        TargetError: the base does not exist, is not valid, or is based on this file.
    """
    return _resolve(text, origin, folder, lookup, ())


def _resolve(
    text: str, origin: str, folder: Path | None, lookup: Lookup, above: tuple[str, ...]
) -> str:
    data = toml(text, origin, TargetError)
    base_name = data.get("based_on")
    if base_name is None:
        if "without" in data:
            raise TargetError(f"{origin}: 'without' needs a line 'based_on = ...'")
        return text
    if not isinstance(base_name, str) or not base_name.strip():
        raise TargetError(f"{origin}: based_on is {base_name!r}; name a chip or a TOML file")
    chain = (*above, origin)
    try:
        base_text, base_origin, base_folder = lookup(base_name, folder)
    except TargetError as error:
        raise TargetError(f"{origin}: based_on: {error}") from None
    if base_origin in chain or len(chain) > DEEPEST_BASE:
        circle = ", ".join((*chain, base_origin))
        raise TargetError(f"{origin}: chips are based on one another without end: {circle}")
    base_text = _resolve(base_text, base_origin, base_folder, lookup, chain)
    base = toml(base_text, base_origin, TargetError)
    _parse(base, base_origin)  # what is wrong with the base is said of the base
    merged = _merge(base, data, origin)
    _parse(merged, origin)
    return (
        f"# Based on {json.dumps(base['chip']['name'])}; written out in full.\n{_to_toml(merged)}"
    )


def _merge(base: dict[str, Any], changes: dict[str, Any], origin: str) -> dict[str, Any]:
    """The base's sections with the keys of `without` taken out and the changes put in."""
    merged = {key: dict(item) if isinstance(item, dict) else item for key, item in base.items()}
    for where in _without(base, changes, origin):
        section, key = where.split(".")
        table = changes.get(section)
        if isinstance(table, dict) and key in table:
            raise TargetError(f"{origin}: {where} is stated, and left out by 'without'")
        del merged[section][key]
    chip = changes.get("chip")
    if not isinstance(chip, dict) or "name" not in chip:
        raise TargetError(f"{origin}: chip.name is missing; a chip has a name of its own")
    merged["schema"] = changes.get("schema")
    for section, keys in changes.items():
        if section in ("schema", "based_on", "without"):
            continue
        both = isinstance(keys, dict) and isinstance(merged.get(section), dict)
        merged[section] = {**merged[section], **keys} if both else keys
    return merged


def _without(base: dict[str, Any], changes: dict[str, Any], origin: str) -> list[str]:
    names = changes.get("without", [])
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise TargetError(f'{origin}: without is {names!r}; write a list of "section.key"')
    stated = [f"{section}.{key}" for section in SCHEMA for key in base.get(section, {})]
    for name in names:
        if name not in stated:
            near = near_names(name, stated)
            said = f"{base['chip']['name']} does not state {name!r}{near}"
            raise TargetError(f"{origin}: without: {said}")
    return list(dict.fromkeys(names))


def _to_toml(data: dict[str, Any]) -> str:
    """A checked chip as TOML, in the order of the schema."""
    lines = [f"schema = {data['schema']}"]
    for section in ("chip", *SCHEMA):
        table = data.get(section)
        if table:
            lines += ["", f"[{section}]"]
            known = (*NAMES.get(section, ()), *SCHEMA.get(section, ()))
            lines += [f"{key} = {_to_value(table[key])}" for key in known if key in table]
    return "\n".join(lines) + "\n"


def _to_value(value: Any) -> str:
    if isinstance(value, dict):
        fields = (f"{field} = {_to_value(value[field])}" for field in FIELDS if field in value)
        return f"{{ {', '.join(fields)} }}"
    if isinstance(value, list):
        return f"[{', '.join(map(_to_value, value))}]"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F")
    return str(value).lower() if isinstance(value, bool) else repr(value)


def _parse(data: dict[str, Any], origin: str) -> tuple[dict[str, str], dict[str, Quantity]]:
    chip = data.get("chip")
    complete = not (isinstance(chip, dict) and "not_compiled" in chip)
    _check_sections(data, origin, complete)
    names = {
        key: _name(data, section, key, origin) for section, keys in NAMES.items() for key in keys
    }
    quantities: dict[str, Quantity] = {}
    for section, keys in SCHEMA.items():
        table = data.get(section, {})
        _check_keys(table, section, keys, origin, complete)
        for key, rule in keys.items():
            if key in table:
                where = f"{section}.{key}"
                quantities[where] = _quantity(table[key], rule, f"{origin}: {where}")
    _check_tables(quantities, origin)
    return names, quantities


def _check_sections(data: dict[str, Any], origin: str, complete: bool) -> None:
    known = ["schema", "chip", *SCHEMA]
    for section in data:
        if section not in known:
            near = near_names(section, [*known, "based_on", "without"])
            raise TargetError(f"{origin}: unknown section [{section}]{near}")
    version = data.get("schema")
    if version != SCHEMA_VERSION or isinstance(version, bool):
        said = "has no line 'schema = 1'" if version is None else f"has schema {version!r}"
        raise TargetError(f"{origin} {said}; this release reads schema {SCHEMA_VERSION}")
    for section in known[1:]:
        needed = section in NAMES or (
            complete and any(rule.required for rule in SCHEMA[section].values())
        )
        if not isinstance(data.get(section, None if needed else {}), dict):
            raise TargetError(f"{origin}: section [{section}] is missing")


def _check_keys(
    table: dict[str, Any], section: str, keys: dict[str, Key], origin: str, complete: bool = True
) -> None:
    known = [*keys, *NAMES.get(section, ())]
    for key in table:
        if key not in known:
            raise TargetError(f"{origin}: unknown key {section}.{key}{near_names(key, known)}")
    for key, rule in keys.items():
        if not _applies(rule, table, keys):
            if key in table:
                other, value = rule.where or ("", "")
                said = f"{section}.{key} has a meaning only with {section}.{other} = {value!r}"
                raise TargetError(f"{origin}: {said}")
        elif complete and rule.required and key not in table:
            raise TargetError(f"{origin}: {section}.{key} is missing")


def _applies(rule: Key, table: dict[str, Any], keys: dict[str, Key]) -> bool:
    """Whether the key has a meaning beside what its section says."""
    if rule.where is None:
        return True
    key, wanted = rule.where
    entry = table.get(key)
    value = entry.get("value") if isinstance(entry, dict) else keys[key].default
    return value == wanted


def _name(data: dict[str, Any], section: str, key: str, origin: str) -> str:
    if section == "chip":
        _check_keys(data["chip"], "chip", {}, origin)
    text = data[section].get(key)
    if text is None:
        if key in MAYBE_NAMES:
            return ""
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
    return Quantity(value, unit, mark, _source(entry, mark, where), note)


def _source(entry: dict[str, Any], mark: str, where: str) -> str:
    """Where a number comes from; a measured one names the network that ran."""
    source = _text(entry, "source", where)
    network, _, origin = source.partition(": ")
    if mark == "measured" and not (network.strip() and origin.strip()):
        raise TargetError(
            f"{where} is measured, and its source {source!r} does not say on what; write"
            ' "NETWORK: where it is printed"'
        )
    return source


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
    if isinstance(value, float) and not math.isfinite(value):
        raise TargetError(f"{where} is {value!r}; it must be a finite number")
    if value < rule.lowest:
        raise TargetError(f"{where} is {value!r}; it must be at least {rule.lowest:g}")
    if value > rule.highest:
        raise TargetError(f"{where} is {value!r}; it must be at most {rule.highest:g}")
    return value


def _check_tables(quantities: dict[str, Quantity], origin: str) -> None:
    """Each step table has a column of ascending keys and a column of times, of one length."""
    for keys_name, times_name in TABLES:
        keys, times = quantities.get(keys_name), quantities.get(times_name)
        if keys is None and times is None:
            continue
        if keys is None or times is None:
            raise TargetError(f"{origin}: {keys_name} and {times_name} go together")
        assert isinstance(keys.value, tuple) and isinstance(times.value, tuple)
        if len(keys.value) != len(times.value):
            raise TargetError(
                f"{origin}: {keys_name} has {len(keys.value)} entries and "
                f"{times_name} has {len(times.value)}; they must be of one length"
            )
        if any(after <= before for before, after in zip(keys.value, keys.value[1:], strict=False)):
            raise TargetError(f"{origin}: {keys_name} must ascend")
