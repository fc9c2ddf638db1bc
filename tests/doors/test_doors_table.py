"""The table of docs/doors.md: what a row says, and that the page must say what was found."""

from __future__ import annotations

from journey import Row
from table import BEGIN, END, HEAD, KEY, cells, differing, standing, written

CAME_FAR = Row("a", "1.0", "net", "torch", "loihi2", 0, "simulated")
REFUSED = Row("b", "2.0", "net", "onnx", "loihi1", 3, "audited", "layer x needs | 5, a core has 4")
IN_PART = Row("b", "2.0", "deep", "nir", "loihi1", 0, "compiled", "neuron y: not verified there")
EMPTY = f"before\n\n{BEGIN}\n\n| {' | '.join(HEAD)} |\n|{' --- |' * len(HEAD)}\n\n{END}\n\nbehind\n"


def found(*rows: Row) -> dict[tuple[str, ...], tuple[str, ...]]:
    return {row[:KEY]: row for row in map(cells, rows)}


def test_a_row_says_how_far_it_came_and_what_stopped_it():
    assert cells(CAME_FAR)[KEY:] == ("yes", "yes", "yes", "yes", "yes", "0", "")
    assert cells(REFUSED)[KEY:-1] == ("yes", "yes", "yes", "no", "no", "3")
    assert cells(REFUSED)[-1] == "layer x needs / 5, a core has 4"
    assert cells(IN_PART)[KEY:-1] == ("yes", "in part", "yes", "yes", "no", "0")


def test_rows_are_written_in_order_and_others_are_kept():
    page = written(written(EMPTY, found(REFUSED, CAME_FAR)), found(IN_PART))
    assert list(standing(page)) == sorted(found(CAME_FAR, REFUSED, IN_PART))
    assert page.startswith("before\n") and page.endswith("\n\nbehind\n")


def test_the_page_is_compared_by_what_was_reached_not_by_the_words():
    page = written(EMPTY, found(REFUSED, CAME_FAR))
    other_words = Row(*list(vars(REFUSED).values())[:-1], "layer x needs 5; a core has 4")
    assert differing(page, found(CAME_FAR, other_words)) == []
    worse = Row("a", "1.0", "net", "torch", "loihi2", 0, "compiled", "no")
    assert len(differing(page, found(worse))) == 1
    assert len(differing(page, found(IN_PART))) == 1
