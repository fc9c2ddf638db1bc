"""How a computed number agrees with a printed one."""

from __future__ import annotations

import pytest

from snndeploy.papers.row import Result, Row, agreement, compute
from snndeploy.papers.shown import Wanted, Worked


@pytest.mark.parametrize(
    "printed, value, low, high, said",
    [
        ("11.69 M", 11_693_736, 11_693_736, 11_693_736, "exact"),
        ("12.54 M", 12_548_260, 12_548_260, 12_548_260, "truncated"),
        ("12.55 M", 12_548_260, 12_548_260, 12_548_260, "exact"),
        ("2,323,531", 2_323_531, 2_323_531, 2_323_531, "exact"),
        ("2,323,532", 2_323_531, 2_323_531, 2_323_531, "−0.0 %"),
        ("16.87 mJ", 16.912, 16.912, 16.912, "+0.2 %"),
        ("−59.2 %", -0.59209, -0.59209, -0.59209, "exact"),
        ("84.9 %", 0.84971, 0.84971, 0.84971, "truncated"),
        ("1.5×", 1.4645, 1.4645, 1.4645, "exact"),
        ("1.5×", 1.45, 1.45, 1.45, "exact"),
        ("1.5×", 1.4499, 1.4499, 1.4499, "−3.3 %"),
        ("1.5×", 1.4499, 1.4, 1.46, "within the rounding of the rates"),
        ("1.5×", 1.4499, 1.44, 1.4499, "−3.3 %"),
        ("3.4×", None, 2.3, 3.7, "inside the range"),
        ("1.8×", None, 0.96, 0.99, "outside the range"),
        ("", 5.0, 5.0, 5.0, "not printed"),
        ("1.2×, 1.3×", None, None, None, "not computed"),
    ],
)
def test_agreement(printed, value, low, high, said):
    assert agreement(printed, value, low, high) == said


def test_what_is_no_number_is_an_error_of_ours():
    with pytest.raises(ValueError, match=r"^'1.2×, 1.3×' is no printed number$"):
        agreement("1.2×, 1.3×", 1.2, 1.2, 1.2)


def test_ours_is_as_long_as_the_printed_digits_ask_for():
    def ours(printed, unit, value):
        return Result(Row("X", "", "", printed, unit, Wanted()), value, value, value).ours

    assert ours("11.69 M", "count", 11_693_736) == "11,693,736"
    assert ours("1.0287 %", "percent", 0.010375) == "1.0375 %"
    assert ours("16.87 mJ", "mJ", 16.9123897) == "16.912390 mJ"
    assert ours("", "mJ", -0.634121) == "−0.634121 mJ"
    assert ours("1.5×", "ratio", 1.46449) == "1.4645"


def test_ranges_stand_beside_where_they_matter():
    row = Row("X", "", "", "1.5×", "ratio", Worked("1.44", 1.44, around=(1.40, 1.46)))
    assert compute(row).ours == "1.4400 (1.4000 to 1.4600)"
    row = Row("X", "", "", "1.5×", "ratio", Worked("open", None, around=(1.2, 1.6)))
    assert (compute(row).ours, compute(row).agreement) == ("1.2000 to 1.6000", "inside the range")
    assert compute(Row("X", "", "", "1.5×", "ratio", Wanted())).ours == "–"
