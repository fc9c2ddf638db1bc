"""Spikes of single samples, and maps at chosen steps."""

import numpy as np
import pytest

import snndeploy.analysis.sums as sums
from snndeploy.analysis import Settings, analyze_chip, as_json, maps
from snndeploy.analysis.pictures import pictures
from snndeploy.analysis.pictures_of_samples import shown_steps
from snndeploy.errors import DataError
from snndeploy.program import load

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def program(made):
    return load(made / "net.snnp")


@pytest.fixture(scope="module")
def x():
    return np.random.default_rng(6).random((9, 1, 8, 8)).astype(np.float32) * 4


@pytest.mark.parametrize("batch", [2, 9])
def test_they_are_the_samples_own(program, x, batch):
    """In the order in which they were named, whatever the batches."""
    found = analyze_chip(program, x, Settings(samples=(7, 0), batch=batch))
    arrays, document = maps(found), as_json(found)
    assert document["single_samples"] == [7, 0]
    for layer in document["layers"]:
        kept = arrays[layer["arrays"]["sample_spikes"]]
        for row, sample in enumerate((7, 0)):
            alone = analyze_chip(program, x[sample : sample + 1])
            np.testing.assert_array_equal(kept[row], alone.rates[layer["name"]].counts)


def test_pictures_of_samples_and_steps(program, x):
    plain = set(pictures(analyze_chip(program, x)))
    found = pictures(analyze_chip(program, x, Settings(samples=(3,), steps=(2,))))
    assert sorted(set(found) - plain) == [
        "asrv_000_spike1_step_002.png", "asrv_001_spike2_step_002.png",
        "sample_00003_000_spike1.png", "sample_00003_001_spike2.png",
    ]  # fmt: skip


def test_the_map_of_a_step_is_that_steps(program, x):
    """Step 1 and step 2 differ, so do their pictures; a step's is the same beside another."""
    both = pictures(analyze_chip(program, x, Settings(steps=(1, 2))))
    second = pictures(analyze_chip(program, x, Settings(steps=(2,))))
    name = "asrv_001_spike2_step_00{}.png"
    assert both[name.format(1)] != both[name.format(2)] == second[name.format(2)]


def test_which_steps_a_sample_shows(program, x):
    found = analyze_chip(program, x[:1])
    assert shown_steps(found) == [1, 2]
    object.__setattr__(found, "timesteps", 60)
    steps = shown_steps(found)
    assert (steps[0], steps[-1], len(steps)) == (1, 60, 16)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"steps": (3,)}, "there is no step 3: the network has 2, from 1"),
        ({"samples": (9,)}, "there is no sample 9: the data has 9, from 0"),
        ({"steps": (0,)}, "there is no step 0; steps count from 1"),
        ({"samples": (-1,)}, "there is no sample -1; samples count from 0"),
    ],
)
def test_what_there_is_not(program, x, settings, said):
    with pytest.raises(DataError) as error:
        analyze_chip(program, x, Settings(**settings))
    assert str(error.value) == said


def test_samples_that_do_not_fit(program, x, monkeypatch):
    monkeypatch.setattr(sums, "LARGEST_KEPT", 500)
    with pytest.raises(DataError) as error:
        analyze_chip(program, x, Settings(samples=(0, 1)))
    assert str(error.value) == (
        "spikes of 2 single samples are 512 values; at most 500 are kept: choose fewer --sample,"
        " or layers with --layer"
    )
