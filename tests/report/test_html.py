"""The HTML page: well formed, escaped, self-contained, and silent about what is absent."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

import pytest
from test_report import small_report

from snndeploy.report.html import SECTIONS, css, page
from snndeploy.report.svg import Markup, bar, element, find, join, shorten, stack
from snndeploy.target import MARKS

VOID = {"meta", "br", "link", "img"}
HOSTILE = "<script>alert('1')</script>\"&\x00\ud800"


class Page(HTMLParser):
    """Tags, attributes and text; fails where tags do not balance."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open.pop() == tag, tag

    def handle_data(self, data: str) -> None:
        self.text += data if "style" not in self.open else ""


@pytest.fixture(scope="module")
def report() -> dict[str, Any]:
    return {**small_report(), "warnings": ["far from what was seen"]}


def test_whole_page(report):
    found = Page(page(report))
    assert found.tags.count("h1") == 1
    assert found.tags.count("h2") == len(SECTIONS)
    assert "small on loihi1" in found.text
    assert "4 samples of digits.npz" in found.text
    for text in (
        "50.00 %", "float model 75.00 %", "GAC Eq. 11", "not proved", "neurons: 10 of 20",
        "stem: multiplies real values", "a note", "Yes, as it runs on the chip",
        "far from what was seen",
    ):  # fmt: skip
        assert text in found.text, text


def test_every_mark_has_a_colour(report):
    text = page(report)
    for mark in (*(css(mark) for mark in MARKS), "unknown", "rate", "agreement", "use"):
        assert f".fill-{mark}" in text


def test_nothing_is_loaded_from_elsewhere(report):
    text = page(report)
    found = Page(text)
    assert not {"script", "link", "img", "iframe", "a", "object"} & set(found.tags)
    assert not {"src", "href", "xlink:href", "srcset"} & {name for name, _ in found.attributes}
    assert not [name for name, _ in found.attributes if name.startswith("on")]
    assert not re.search(r"//|url\(|@import", text)


def test_light_dark_and_print(report):
    text = page(report)
    assert "(prefers-color-scheme: dark)" in text and "@media print" in text
    used = set(re.findall(r"var\((--[a-z]+)\)", text))
    light, dark = (
        set(re.findall(r"(--[a-z]+):", part)) for part in re.findall(r":root {(.*?)}", text, re.S)
    )
    assert used <= light == dark


def hostile(value: Any) -> Any:
    """The same report with every text and every free name replaced."""
    if isinstance(value, dict):
        return {key: hostile(part) for key, part in value.items()}
    if isinstance(value, list):
        return [hostile(part) for part in value]
    return HOSTILE if isinstance(value, str) else value


def test_hostile_texts_are_escaped(report, tmp_path):
    bad = hostile(report)
    chip = bad["energy"]["chip"]
    chip["breakdown"] = {HOSTILE: 1e-6, "other": 2e-6}
    chip["provenance"] = {HOSTILE: {"mark": HOSTILE, "source": HOSTILE}}
    chip["shares_by_mark"] = {HOSTILE: 1.0}
    bad["mapping"]["utilisation"] = {HOSTILE: 0.5}
    bad["made_with"] = {HOSTILE: HOSTILE}
    text = page(bad)
    found = Page(text)
    assert "script" not in found.tags and "<script" not in text
    assert "alert('1')" in found.text and "\x00" not in text
    assert found.tags == Page(page(bad)).tags


def paths(value: Any, before: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value[:2])
    for key, part in items:
        yield (*before, key)
        if isinstance(part, (dict, list)):
            yield from paths(part, (*before, key))


def changed(report: Any, path: tuple[Any, ...], value: Any) -> Any:
    """A copy with one value replaced, or with its key removed where `value` is KeyError."""
    result = copy.deepcopy(report)
    inner = result
    for key in path[:-1]:
        inner = inner[key]
    if value is KeyError and isinstance(inner, dict):
        del inner[path[-1]]
    else:
        inner[path[-1]] = None if value is KeyError else value
    return result


REQUIRED_OF_ROWS = {"name", "population"}


def test_any_absent_value_is_left_out(report):
    for path in paths(report):
        if path[-1] in REQUIRED_OF_ROWS or isinstance(path[-1], int):
            continue
        for value in (KeyError, None):
            text = Page(page(changed(report, path, value))).text
            assert "None" not in text and "nan" not in text.lower(), path


def test_not_finite_is_absent(report):
    for path in (("latency", "seconds_per_sample"), ("accuracy", "chip"), ("spikes", "rate"),
                 ("energy", "chip", "total_j"), ("spikes", "layers", 0, "rate"),
                 ("quantization", "layers", 0, "relative_weight_error"),
                 ("energy", "paper", "total_mj")):  # fmt: skip
        for value in (float("nan"), float("inf")):
            text = Page(page(changed(report, path, value))).text
            assert not re.search(r"\b(nan|inf)\b", text), path


def test_an_empty_report_is_a_page_without_sections():
    found = Page(page({}))
    assert "h2" not in found.tags and "table" not in found.tags
    assert "0" not in found.text


def test_without_labels_there_is_no_accuracy():
    text = Page(page(small_report(labels=False))).text
    assert "accuracy" not in text and "75.00 %" in text


def test_not_spike_driven(report):
    text = Page(page(changed(report, ("partition", "needs_full_window"), True))).text
    assert "Not entirely." in text


def test_a_missing_answer_is_no_verdict_of_yes(report):
    text = Page(page(changed(report, ("partition", "needs_full_window"), KeyError))).text
    assert "Yes, as it runs" not in text


def test_bars_stay_inside():
    for fraction in (-1.0, 0.0, 0.5, 1.0, 7.0):
        width = float(re.findall(r'width="([\d.]+)"', bar(fraction))[1])
        assert width == 100 * min(max(fraction, 0), 1)
    assert re.findall(r'x="([\d.]+)"', stack([("a", 0.25), ("b", 0.75)])) == ["0.00", "25.00"]


def test_elements_escape_what_is_not_markup():
    assert element("p", "<b>", Markup("<b>"), class_='"', aria_label=None) == (
        '<p class="&quot;">&lt;b&gt;<b></p>'
    )
    assert join("a<", None, Markup("<i>"), between=" ") == "a&lt; <i>"
    assert shorten("a long name of a layer", 9) == "a lo…ayer"
    assert find({"a": {"b": []}}, "a.b") is None and find({"a": 0}, "a") == 0
