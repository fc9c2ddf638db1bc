"""Chip files that nobody vouches for: one line each, whatever they hold."""

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snndeploy.errors import TargetError
from snndeploy.target import Target

CHIP = (Path(__file__).resolve().parents[2] / "targets" / "loihi2.toml").read_text()


def with_chips(value):
    return re.sub(r"max_chips = \{ value = [^,]*,", f"max_chips = {{ value = {value},", CHIP)


@pytest.mark.parametrize(
    "text",
    [with_chips("1" + "0" * 400), with_chips("1" + "0" * 5000), with_chips("1e999"),
     with_chips("nan"), with_chips("-1"), "a = " + "[" * 50_000, "\0", "a = 1\na = 2"],
    ids=["huge", "endless", "infinite", "nan", "negative", "deep", "null", "twice"],
)  # fmt: skip
def test_numbers_and_nesting_out_of_all_proportion(text):
    with pytest.raises(TargetError) as caught:
        Target.from_text(text, origin="chip.toml")
    assert str(caught.value).startswith("chip.toml")
    assert "\n" not in str(caught.value)


@settings(max_examples=100)
@given(place=st.integers(0, len(CHIP) - 1), text=st.text(max_size=4), length=st.integers(0, 9))
def test_random_edits(place, text, length):
    try:
        Target.from_text(CHIP[:place] + text + CHIP[place + length :], origin="chip.toml")
    except TargetError as error:
        assert "\n" not in str(error)
