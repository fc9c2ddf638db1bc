"""Reduced programs: what compile says of them, that verify still proves them, and on real nets."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import redundant_model
import tiny_model
import torch
from cli_runner import refused, run

from snndeploy import program as program_file
from snndeploy.data import load_data
from snndeploy.errors import DataError
from snndeploy.lower.pipeline_delay import assign_depths
from snndeploy.network import SILENT, STEADY, UNREAD, Network
from snndeploy.pipeline import compile
from snndeploy.program import Program
from snndeploy.program.consistency import Mismatch
from snndeploy.program.consistency_network import check_network
from snndeploy.reduce.copies import bypassed
from snndeploy.report.reduced import reduction_text
from snndeploy.report.report import chip_rates
from snndeploy.shelf import model_entry
from snndeploy.simulator.run import simulate
from snndeploy.verify import verify
from snndeploy.verify.integers import check_integers

pytestmark = pytest.mark.torch
SPEC = f"{redundant_model.__file__}:net(timesteps=3)"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights; images of two kinds: dark ones, and then bright ones."""
    folder = tmp_path_factory.mktemp("redundant")
    torch.save(redundant_model.net().state_dict(), folder / "weights.pt")
    x = np.random.default_rng(0).random((80, 1, 8, 8)).astype(np.float32)
    y = np.arange(80) % 3
    np.savez(folder / "images.npz", x=x, y=y)
    x[:64] *= 0.1
    np.savez(folder / "dark_first.npz", x=x, y=y)
    np.savez(folder / "few.npz", x=x[:20])
    return folder


def compiled(folder: Path, **options: Any) -> Program:
    options = {"calibration": folder / "images.npz", "mapping": "tiles", **options}
    return compile(SPEC, folder / "weights.pt", **options)


@pytest.fixture(scope="module")
def plain(folder: Path) -> Program:
    return compiled(folder)


@pytest.fixture(scope="module")
def reduced(folder: Path) -> Program:
    return compiled(folder, reduce="exact")


@pytest.fixture(scope="module")
def images(folder: Path) -> np.ndarray:
    with np.load(folder / "images.npz") as data:
        return np.asarray(data["x"][:6])


def test_every_planted_channel_is_found_in_a_traced_model(reduced: Program) -> None:
    places = {entry.population: entry.place.tolist() for entry in reduced.network.reduced}
    assert places["spike2"] == [0, 0, SILENT, STEADY, UNREAD, 1]
    facts = reduced.facts.reduction
    assert facts["proved"] and facts["held_back"] == {"data": "images.npz", "samples": 16}
    assert facts["predictions_unchanged"] == 16
    assert facts["accuracy"]["before"] == facts["accuracy"]["after"]


def test_answers_are_those_of_the_program_that_was_not_reduced(
    plain: Program, reduced: Program, images: np.ndarray
) -> None:
    runs = [simulate(program, images) for program in (plain, reduced)]
    np.testing.assert_array_equal(runs[0].logits, runs[1].logits)
    assert runs[1].totals["synaptic_operations"] < runs[0].totals["synaptic_operations"]
    for key in ("neurons", "synapses", "synapse_memory_bytes", "synaptic_operations"):
        facts = reduced.facts.reduction
        assert facts["after"][key] < facts["before"][key]


def test_rates_are_over_the_neurons_of_the_model(
    plain: Program, reduced: Program, images: np.ndarray
) -> None:
    before, after = (chip_rates(p, simulate(p, images)) for p in (plain, reduced))
    unknown = plain.network.by_name["spike2"].origin  # nobody read one of its channels
    assert {key: rate for key, rate in before.items() if key != unknown} == after


def test_verify_passes_and_the_file_keeps_the_record(
    reduced: Program, images: np.ndarray, tmp_path: Path
) -> None:
    program_file.save(reduced, tmp_path / "net.snnp")
    loaded = program_file.load(tmp_path / "net.snnp")
    kept = [
        (e.population, e.origin, e.shape, e.carrier, e.place.tolist())
        for e in loaded.network.reduced
    ]
    assert kept == [
        (e.population, e.origin, e.shape, e.carrier, e.place.tolist())
        for e in reduced.network.reduced
    ]
    found = verify(loaded, images)[0]
    assert found.passed
    assert [link.name.split(" ->")[0] for link in found.links] == [
        "float model", "recorded answer", "reference step", "float model",
    ]  # fmt: skip
    gone = sum(int(np.prod(e.shape)) for e in loaded.network.reduced) - sum(
        loaded.network.by_name[e.carrier].neurons for e in loaded.network.reduced
    )
    assert found.links[-1].note == f"{gone} neurons are not compared: --reduce removed them"


def with_network(program: Program, **changes: Any) -> Program:
    return replace(program, network=replace(program.network, **changes))


def test_verify_finds_a_wrong_sum_of_twins(reduced: Program) -> None:
    projections = list(reduced.network.projections)
    index = [p.name for p in projections].index("spike2->spike3")
    connection = projections[index].connection
    weight = connection.weight.copy()
    weight[1, 0, 1, 1] += 2
    projections[index] = replace(projections[index], connection=replace(connection, weight=weight))
    (finding,) = check_integers(with_network(reduced, projections=tuple(projections)))
    assert str(finding).startswith("spike3: weight")
    assert "weight [1, 0, 1, 1]" in str(finding)


def test_verify_finds_a_wrong_bias_of_a_steady_channel(reduced: Program) -> None:
    population = reduced.network.by_name["spike3"]
    assert population.bias is not None
    assert population.bias.ndim == 3, "fewer taps at the border"
    bias = population.bias.copy()
    bias[0, 2, 2] *= 3
    populations = tuple(
        replace(p, bias=bias) if p.name == "spike3" else p for p in reduced.network.populations
    )
    (finding,) = check_integers(with_network(reduced, populations=populations))
    assert str(finding).startswith("spike3: bias: channel 0, y 2, x 2: mantissa off by ")


def test_what_went_on_calibration_data_is_checked_and_its_change_told(folder: Path) -> None:
    """Neurons that are silent on dark images fire on the bright ones that are held back."""
    made = compiled(folder, calibration=folder / "dark_first.npz", reduce="calibrated")
    facts = made.facts.reduction
    assert not facts["proved"]
    assert any(entry["changed"] for entry in facts["removed_spikes"])
    text = reduction_text(facts)
    assert " on the calibration data\n" in text
    assert "of what went are not as on the calibration data" in " ".join(text.split())
    assert "by proof" not in text
    missed = sum(entry["changed"] for entry in facts["removed_spikes"])
    (note,) = (note for note in made.facts.notes if note.startswith("--reduce"))
    assert f"without proof; on 16 samples of dark_first.npz {missed:,} of their spikes" in note
    assert f"{facts['predictions_unchanged']} of 16 predictions are unchanged" in note


def test_calibrated_needs_data_that_calibration_did_not_use(folder: Path) -> None:
    with pytest.raises(DataError) as caught:
        compiled(folder, calibration=folder / "few.npz", reduce="calibrated")
    assert str(caught.value) == (
        "--reduce calibrated is checked on samples behind the first 64, which calibration uses,"
        " but few.npz has 20 samples; give --held-back DATA.npz"
    )
    with pytest.raises(DataError) as caught:
        compiled(folder, calibration=None, reduce="calibrated")
    assert "but there is no calibration data; give --held-back DATA.npz" in str(caught.value)
    made = compiled(
        folder, calibration=folder / "few.npz", reduce="calibrated",
        held_back=folder / "images.npz",
    )  # fmt: skip
    assert made.facts.reduction["held_back"] == {"data": "images.npz", "samples": 80}


@pytest.fixture(scope="module")
def direct(tmp_path_factory: pytest.TempPathFactory) -> Program:
    digits = model_entry("direct-digits").test_data
    assert digits is not None
    data, few = load_data(digits).take(8), tmp_path_factory.mktemp("digits") / "few.npz"
    np.savez(few, x=data.x, y=data.y, scale=np.float32(data.scale))
    return compile("direct-digits", reduce="exact", mapping="tiles", held_back=few)


def test_the_first_neuron_behind_direct_coding_is_a_copy(direct: Program) -> None:
    facts = direct.facts.reduction
    assert [(r["population"], r["reason"], r["neurons"]) for r in facts["removed"]] == [
        ("body.stage1.0.spike1", "copies its source", 3136)
    ]
    assert facts["predictions_unchanged"] == facts["held_back"]["samples"] == 8
    assert facts["after"]["chip_steps"] == facts["before"]["chip_steps"] - 1
    assert check_integers(direct) == []


def test_verify_finds_a_copy_that_is_none(direct: Program) -> None:
    network = direct.network
    wrong = bypassed(network, network.by_name["body.stage1.0.spike2"])
    wrong = assign_depths(wrong, direct.target)
    faults = [str(fault) for fault in check_integers(replace(direct, network=wrong))]
    assert faults[0] == (
        "body.stage1.0.spike2: missing: it is no copy of encoder.spike: it has a bias"
    )


def test_the_shipped_event_network_loses_silent_neurons_and_no_answer() -> None:
    made = compile("lif-snn-3-small", reduce="calibrated", mapping="tiles")
    facts = made.facts.reduction
    assert [(r["population"], r["channels"], r["proved"]) for r in facts["removed"]] == [
        ("spike4", 13, False)
    ]
    assert facts["predictions_unchanged"] == facts["held_back"]["samples"] == 36
    assert made.network.by_name["spike4"].shape == (51, 1, 1)
    assert check_integers(made) == []


def broken(network: Network, **changes: Any) -> str:
    first, *rest = network.reduced
    with pytest.raises(Mismatch) as caught:
        check_network(replace(network, reduced=(replace(first, **changes), *rest)))
    return str(caught.value)


def test_records_that_do_not_fit_are_refused(reduced: Program) -> None:
    network, (entry, *_) = reduced.network, reduced.network.reduced
    where = "reduced population 'spike2'"
    place = entry.place
    assert broken(network, carrier="x") == f"{where}: no carrier 'x'"
    assert broken(network, carrier="") == f"{where} has places outside ''"
    assert broken(network, place=place[1:]) == f"{where}: other places than channels"
    assert broken(network, place=place + 1) == f"{where} has places outside 'spike2'"
    assert broken(network, place=place.astype(float)) == f"{where}: places: no integers"
    assert broken(network, place=np.minimum(place, 0)) == f"{where}: channels of it stand for none"
    assert broken(network, shape=(6, 4, 5)) == f"{where}: its carrier has another plane"
    assert broken(network, carrier="spike1", place=np.minimum(place, 3)) == (
        f"{where} is here, with another carrier"
    )
    twice = replace(network, reduced=(entry, entry))
    with pytest.raises(Mismatch) as caught:
        check_network(twice)
    assert str(caught.value) == "a population was reduced twice"


def test_the_command_prints_the_table_of_before_and_after(folder: Path, tmp_path: Path) -> None:
    result = run(
        "compile", SPEC, "--checkpoint", folder / "weights.pt", "--calibration",
        folder / "images.npz", "--reduce", "exact", "-o", tmp_path / "net.snnp",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    start = lines.index("Reduction (--reduce exact); means over 16 samples of images.npz")
    assert lines[start + 1] == "  - spike2: 1 channel (16 neurons) never fires"
    table = [line.split("  ") for line in lines[start:] if line.startswith("  neurons ")]
    assert [cell.strip() for cell in table[0] if cell] == ["neurons", "243", "147", "39.5 %"]
    assert max(map(len, lines[start:])) <= 90


def test_options_that_do_not_go_together_are_refused(tmp_path: Path) -> None:
    spec = f"{tiny_model.__file__}:net()"
    out = tmp_path / "net.snnp"
    result = run("compile", spec, "--held-back", tmp_path / "x.npz", "-o", out)
    assert result.exit_code == 2
    assert "--held-back is what --reduce is checked on: give --reduce as well" in result.stderr
    result = run("compile", tmp_path / "a.net", "--reduce", "exact", "-o", out)
    assert result.exit_code == 2
    assert (
        "a lava-dl .net file, in integers already: --reduce cannot be used with it" in result.stderr
    )
    assert refused(
        tmp_path, "compile", spec, "--random-weights", "--reduce", "exact", "--held-back",
        tmp_path / "x.npz", "-o", out,
    ) == f"data file {tmp_path / 'x.npz'} does not exist"  # fmt: skip
