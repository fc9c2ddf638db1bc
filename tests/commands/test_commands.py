"""The small commands: whole texts of what is shipped."""

from __future__ import annotations

import json

from cli_runner import run

from snndeploy.shelf import target_names
from snndeploy.target import Target


def test_list_has_one_column_of_names_and_says_what_is_not_compiled():
    chips = {name: Target.load(name) for name in target_names()}
    width = len("loihi1-davies2018")
    assert max(map(len, chips)) == width
    expected = []
    for name, chip in chips.items():
        expected.append(name.ljust(width) + "  " + chip.description)
        if chip.not_compiled:
            expected.append(" " * width + "  not compiled: " + chip.not_compiled)
    assert run("targets", "list").stdout.splitlines() == expected
    assert sum("not compiled: " in line for line in expected) == 5


def test_list_as_json():
    found = json.loads(run("targets", "list", "--json", "-").stdout)
    assert found["loihi1"] == {"description": Target.load("loihi1").description}
    assert found["speck"]["not_compiled"] == (
        "it has no time step: each event acts at once, in the order of arrival, and a core holds"
        " one whole convolution layer"
    )


def test_show_says_first_that_a_chip_is_not_compiled():
    lines = run("targets", "show", "tianjic").stdout.splitlines()
    assert lines[:2] == [
        "tianjic: Tianjic, 28 nm, 156 cores for spiking and other networks; energy all-in",
        "  not compiled: its neuron's integer arithmetic is not public; snndeploy computes Loihi's"
        " neuron only",
    ]
    found = json.loads(run("targets", "show", "tianjic", "--json", "-").stdout)
    assert found["not_compiled"] == Target.load("tianjic").not_compiled
    assert "not compiled" not in run("targets", "show", "loihi2").stdout
    assert "not_compiled" not in json.loads(run("targets", "show", "loihi2", "--json", "-").stdout)
