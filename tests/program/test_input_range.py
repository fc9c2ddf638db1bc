"""Data far outside what calibration saw: when that is said, and that it is kept in the program."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from program_builder import FACTS

from snndeploy.program.consistency import Mismatch
from snndeploy.program.facts import read_facts
from snndeploy.program.input_range import InputRange, range_warning

SEEN = InputRange(0.0, 1.0)


def test_bytes_where_fractions_were_seen():
    assert range_warning(SEEN, np.array([[0.0, 255.0], [3.0, 7.0]])) == (
        "the data lies in 0..255, calibration saw 0..1: the integers' scales rest on that; scale"
        " the data as the model was trained, or compile with --calibration on such data"
    )


@pytest.mark.parametrize(
    "seen, values, told",
    [
        ((0, 1), (0, 1), False),
        ((0, 1), (-1, 2), False),
        ((0, 1), (0, 2.01), True),
        ((0, 1), (-1.01, 1), True),
        ((0, 255), (0, 1), False),
        ((-2, 2), (-6, 6), False),
        ((-2, 2), (-6.1, 0), True),
        ((10, 11), (11.9, 12), False),
        ((10, 11), (0, 1), True),
        ((3, 3), (3, 3), False),
        ((3, 3), (3, 4), True),
    ],
)
def test_far_is_more_than_two_spans_from_the_other_end(seen, values, told):
    assert bool(range_warning(InputRange(*map(float, seen)), np.array(values))) is told


def test_nothing_is_said_where_nothing_was_seen_or_given():
    assert range_warning(None, np.array([1e9])) == ""
    assert range_warning(SEEN, np.zeros((0, 3))) == ""


def test_it_is_a_fact_of_the_program():
    assert InputRange.of(np.array([[1, -2], [3, 0]])) == InputRange(-2.0, 3.0)
    known = replace(FACTS, input_range=SEEN)
    record = json.loads(json.dumps(known.as_json()))
    assert record["input_range"] == {"least": 0.0, "most": 1.0}
    assert read_facts(record) == known
    assert "input_range" not in FACTS.as_json()
    with pytest.raises(Mismatch, match="input_range"):
        read_facts({**record, "input_range": {"least": 0.0, "most": "1"}})
