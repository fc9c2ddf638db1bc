"""Facts are typed: what is saved is read, and anything else is refused with its place."""

from __future__ import annotations

import copy
import json

import pytest
from program_builder import FACTS

from snndeploy.program.consistency import Mismatch
from snndeploy.program.facts import Facts, read_facts

RECORD = json.loads(json.dumps(FACTS.as_json()))


def places(record, path=()):
    """Every value in a record that is no list and no mapping, by its keys."""
    entries = record.items() if isinstance(record, dict) else enumerate(record)
    for key, value in entries:
        if isinstance(value, (dict, list)):
            yield from places(value, (*path, key))
        else:
            yield (*path, key)


def edited(path, change):
    record = copy.deepcopy(RECORD)
    inner = record
    for key in path[:-1]:
        inner = inner[key]
    change(inner, path[-1])
    return record


def refused(record):
    with pytest.raises(Mismatch) as caught:
        read_facts(record)
    return str(caught.value)


def test_what_is_written_is_read():
    assert read_facts(RECORD) == FACTS
    assert isinstance(read_facts(RECORD), Facts)
    assert "reduction" not in RECORD
    reduced = {**RECORD, "reduction": {"mode": "exact"}}
    assert read_facts(reduced).as_json() == reduced


@pytest.mark.parametrize("path", list(places(RECORD)), ids=lambda path: ".".join(map(str, path)))
def test_a_value_of_another_type_is_refused(path):
    def replaced(inner, key):
        inner[key] = {"no": "such"}

    said = refused(edited(path, replaced))
    named = next(key for key in reversed(path) if isinstance(key, str))
    assert "{'no': 'such'}" in said and (named in said or path[0] in said)


NEEDED = [
    *((name,) for name in RECORD if name != "plan"),  # of programs that were lowered
    ("plan", "host"), ("plan", "layers", 0, "reads"),
    ("model", "spec"), ("flags", "reasons"), ("audit", 0, "work"), ("quantization", 0, "proved"),
]  # fmt: skip


@pytest.mark.parametrize("path", NEEDED, ids=lambda path: ".".join(map(str, path)))
def test_what_is_missing_or_unknown_is_named(path):
    said = refused(edited(path, lambda inner, key: inner.pop(key)))
    assert said.endswith(f"have no {path[-1]!r}")
    said = refused(edited((*path[:-1], "surprise"), lambda inner, key: inner.update({key: 1})))
    assert said.endswith("have an unknown 'surprise'")


def test_files_of_older_releases_lack_what_has_a_default():
    record = edited(("layers", 0, "events"), lambda inner, key: inner.pop(key))
    assert read_facts(record).layers[0].events is None
    assert read_facts(edited(("plan",), lambda inner, key: inner.pop(key))).plan is None


@pytest.mark.parametrize("value", [float("nan"), float("inf"), True, "1.5"])
def test_numbers_are_finite_numbers(value):
    record = edited(("quantization", 0, "unit"), lambda inner, key: inner.update({key: value}))
    assert refused(record) == f"the facts: quantization: unit is {value!r}, not a finite number"


def test_a_population_that_was_not_quantized():
    assert FACTS.quantized("conv") is FACTS.quantization[0]
    assert FACTS.quantized("other") is None
