"""What a bundle holds, and what Lava cannot say."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from lava_networks import CASES, INPUT, fed, lif, link, weights
from populations import altered, make_population
from program_builder import program_of

from snndeploy.backends.lava import backend as lava
from snndeploy.backends.lava import express
from snndeploy.backends.lava.bundle import check_network, write_bundle
from snndeploy.connections import Conv, Dense
from snndeploy.engines.reference import run_reference
from snndeploy.errors import DeployError, UnsupportedError
from snndeploy.network import Injection
from snndeploy.quantize.quantize import LayerQuantization


def write(network, injected, folder):
    activity = run_reference(network, injected)
    return write_bundle(network, injected, activity.spikes, activity.outputs, folder)


# --- the folder ---------------------------------------------------------------------------------


def test_a_bundle_is_whole_and_needs_nothing_of_ours(tmp_path):
    folder = write(*CASES["pooled_integrator"](), tmp_path / "bundle")
    assert sorted(path.name for path in folder.iterdir()) == [
        "README.md",
        "arrays",
        "manifest.json",
        "neuron_program.py",
        "processes.py",
        "requirements.txt",
        "run.py",
        "support.py",
        "written.json",
    ]
    for path in folder.glob("*.py"):
        assert "snndeploy" not in path.read_text(), path.name
    for path in (folder / "arrays").iterdir():
        assert np.load(path, allow_pickle=False).dtype.kind == "i", path.name
    assert "lava-nc==0.10.0\n" in (folder / "requirements.txt").read_text()
    for path in (folder / "README.md", folder / "manifest.json"):
        assert str(tmp_path) not in path.read_text(), path.name


def test_the_same_network_gives_the_same_bytes(tmp_path):
    folders = [write(*CASES["relays"](), tmp_path / name) for name in "ab"]
    files = [sorted(p.relative_to(f) for p in f.rglob("*") if p.is_file()) for f in folders]
    assert files[0] == files[1]
    for name in files[0]:
        assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes(), name


def test_only_what_is_ours_is_overwritten(tmp_path):
    network, injected = CASES["or_pool"]()
    target = tmp_path / "bundle"
    write(network, injected, target)
    (target / "results.npz").write_text("measured")
    write(network, injected, target)
    assert (target / "results.npz").read_text() == "measured"
    (target / "manifest.json").write_text('{"format": "something else"}')
    with pytest.raises(DeployError) as caught:
        write(network, injected, target)
    assert str(caught.value) == (
        f"{target}/manifest.json was changed since snndeploy wrote it: name another folder, or"
        " replace it with --force"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


def test_a_failure_leaves_nothing(tmp_path):
    network, injected = CASES["or_pool"]()
    with pytest.raises(KeyError):
        write_bundle(network, injected, {}, None, tmp_path / "bundle")
    assert list(tmp_path.iterdir()) == []


def test_the_chips_narrow_registers_are_named(tmp_path):
    folder = write(*CASES["currents_with_memory"](), tmp_path / "bundle")
    notes = json.loads((folder / "manifest.json").read_text())["hardware_notes"]
    assert notes == [
        "kept: membrane decay 4096 needs 13 bits; the register has 12",
        "kept: a current without decay: the register decays by at least 1/4096",
    ]
    assert all(f"* {note}" in (folder / "README.md").read_text() for note in notes)


# --- processes of ours --------------------------------------------------------------------------


def test_a_neuron_program_is_written_with_all_its_registers(tmp_path):
    folder = write(*CASES["neuron_programs"](), tmp_path / "bundle")
    manifest = json.loads((folder / "manifest.json").read_text())
    entries = {entry["name"]: entry for entry in manifest["populations"]}
    assert entries["charged"]["kind"] == "programmed"
    assert entries["charged"]["registers"] == {
        "membrane_decay": 1024, "current_decay": 4096, "threshold": 3839, "reset": "hard",
        "reset_value": -640, "amount": 1, "lower_bound": -1920, "initial": 2560, "refractory": 0,
        "refractory_input": "integrated", "most_spikes": 1,
    }  # fmt: skip
    assert manifest["simulation_only"] == ["charged", "after", "several", "waits", "drops"]
    assert {name: manifest["message_bits"][name] for name in ("charged", "several")} == {
        "charged": 0,  # spikes
        "several": 4,  # up to 5, and a sign
    }
    assert manifest["hardware_notes"] == []


def test_a_soft_reset_is_written_as_a_neuron_program(tmp_path):
    soft = altered(TARGET, reset="soft", reset_amount=70, current_decay=1024)
    network = fed([INPUT, soft], [link(INPUT, soft, KERNEL)])
    folder = write(network, {0: np.ones((1, 6, 2, 6, 5), np.int32)}, tmp_path / "bundle")
    manifest = json.loads((folder / "manifest.json").read_text())
    (entry,) = (entry for entry in manifest["populations"] if entry["name"] == "target")
    assert (entry["kind"], manifest["simulation_only"]) == ("programmed", ["target"])
    said = {"threshold": 60 << 6, "amount": 70 << 6, "membrane_decay": 1024, "current_decay": 1024}
    assert entry["registers"] | said | {"reset": "soft"} == entry["registers"]


def test_what_lava_does_not_ship_is_said_in_the_readme(tmp_path):
    folder = write(*CASES["neuron_programs"](), tmp_path / "bundle")
    text = (folder / "README.md").read_text()
    assert "| waits | programmed | 3 x 6 x 5 | 3 |" in text
    said = text[text.index("## In simulation only") :]
    assert (
        said
        == """## In simulation only

* charged
* after
* several
* waits
* drops

Lava ships no process for these populations. A population of kind `programmed` runs a neuron
program, whose arithmetic `neuron_program.py` says; `NeuronProgram` is a fixed-point model of it for
Lava's simulation of Loihi 2 (`Loihi2SimCfg`), and `ShiftedRelay` one of a relay that shifts. On
silicon they need a microcode program that does not ship: `--config hardware` is refused.
"""
    )
    plain = write(*CASES["or_pool"](), tmp_path / "plain")
    assert json.loads((plain / "manifest.json").read_text())["simulation_only"] == []
    assert "In simulation only" not in (plain / "README.md").read_text()
    relays = write(*CASES["relays"](), tmp_path / "relays")
    assert json.loads((relays / "manifest.json").read_text())["simulation_only"] == ["shifted"]


def test_deploying_says_what_only_the_simulation_does(tmp_path, monkeypatch):
    monkeypatch.setattr(lava, "write_answered", lambda *_: None)
    for case, names in (
        ("neuron_programs", "charged, after, several, waits, drops"),
        ("or_pool", ""),
    ):
        made = program_of(CASES[case]()[0], {})
        written = lava.BACKEND.emit(made, np.zeros((2, 3)), tmp_path / "bundle", {})
        said = f"{names}: in simulation only, since Lava ships no such process, nor its microcode"
        assert written.notes == ((said,) if names else ())
        mode = "sim" if names else "{mode}"
        assert written.go_on == (
            f"run it with: cd {tmp_path}/bundle && python3.10 run.py --config {mode}"
        )


def hardware_notes(network, folder, layers=()):
    injected = {0: np.zeros((1, 6, 2, 6, 5), dtype=np.int32), 1: np.ones((1, 4, 6, 5), np.int32)}
    spikes = {"target": np.zeros((1, 6, 4, 6, 5))}
    sums = express.sums_of(network, layers)
    folder = write_bundle(network, injected, spikes, None, folder, sums=sums)
    return json.loads((folder / "manifest.json").read_text())["hardware_notes"]


def biased(mantissa=4095, exponent=7, **injected):
    """Its bias, and one from the host in another exponent: 16 bits in Lava, 13 in the program."""
    target = replace(TARGET, bias=np.full(4, mantissa, np.int32), bias_exponent=exponent)
    value = {"exponent": 5, "minimum": -4095, "maximum": 4095, **injected}
    extra = (Injection("target", "image", "bias", **value),)
    return fed([INPUT, target], [link(INPUT, target, KERNEL)], extra=extra)


@pytest.mark.parametrize(
    ("changes", "notes"),
    [
        ({}, []),
        ({"mantissa": 4096}, ["bias mantissas are beyond the register's 13 bits"]),
        ({"exponent": 8}, ["bias exponent 8 is beyond the register's 3 bits"]),
        ({"minimum": -4097}, ["bias mantissas are beyond the register's 13 bits"]),
    ],
)
def test_bias_notes_are_about_the_programs_registers(tmp_path, changes, notes):
    """Not about Lava's expansion, which holds 4095 << 7 plus 1 << 5 as 16381 << 5."""
    found = hardware_notes(biased(**changes), tmp_path / "bundle")
    assert found == [f"target: {note}" for note in notes]


@pytest.mark.parametrize(("worst", "noted"), [(32767, False), (60704, True)])
def test_sums_are_those_of_the_programs_facts(tmp_path, worst, noted):
    line = LayerQuantization(
        "target", 1.0, 60, 0, 0.0, 8, (0,), 1.0, 0, 0.0, worst, 32767, worst <= 32767
    )
    found = hardware_notes(biased(), tmp_path / "bundle", [line])
    said = f"target: its worst-case input sum {worst:,} exceeds the declared 32,767"
    assert found == [said] * noted
    assert (said in (tmp_path / "bundle" / "README.md").read_text()) == noted


def test_sums_of_a_network_that_was_not_quantized_here():
    """Spikes only add: the larger of what all positive, or all negative weights give."""
    network = biased()
    kernel = KERNEL.weight.astype(int).reshape(len(KERNEL.weight), -1)
    plus, minus = np.maximum(kernel, 0).sum(1).max(), np.maximum(-kernel, 0).sum(1).max()
    assert express.sums_of(network, ()) == {"target": (max(plus, minus), 32767)}


# --- weights ------------------------------------------------------------------------------------


def kept_by_dense(weight):
    """clip_weights and truncate_weights of lava-nc 0.10.0, for 8 bits."""
    if weight.min() >= 0:
        return np.clip(weight, 0, 255)
    if weight.max() <= 0:
        return -np.clip(-weight, 0, 255)
    return (np.clip(weight, -256, 255) >> 1) << 1


@pytest.mark.parametrize("limits", [(0, 255), (-255, 0), (-128, 127), (-1, 1), (-7, 3), (0, 0)])
@pytest.mark.parametrize("factor", [1, 2, 4, 16])
@pytest.mark.parametrize("exponent", [-3, 0, 5])
def test_dense_weights_survive_lava(limits, factor, exponent):
    mantissa = weights(1, 20, 3, 2, 2, low=limits[0], high=limits[1]) * factor
    projection = link(INPUT, lif("target", (20, 1, 1), 1), Dense(mantissa), exponent)
    weight, new_exponent = express.dense_weights(projection)
    np.testing.assert_array_equal(kept_by_dense(weight), weight)
    np.testing.assert_array_equal(weight * 2.0**new_exponent, mantissa * 2.0**exponent)


# --- refusals -----------------------------------------------------------------------------------


TARGET = lif("target", (4, 6, 5), 1)
KERNEL = Conv(weights(1, 4, 2, 3, 3), padding=(1, 1))


def refused(projection=None, target=TARGET, injections=(), host=None):
    """The message, and whether the node is named, of a network that Lava cannot follow."""
    projection = projection or link(INPUT, target, KERNEL)
    network = fed([INPUT, target], [projection], extra=injections)
    with pytest.raises(UnsupportedError) as caught:
        check_network(network)
        injected = {0: np.zeros((1, 6, 2, 6, 5), dtype=np.int32)} | (host or {})
        spikes = {"target": np.zeros((1, 6, *target.shape))}
        write_bundle(network, injected, spikes, None, "never-written")
    assert caught.value.node in (target.name, projection.name)
    return str(caught.value)


def test_a_convolution_with_a_negative_exponent():
    assert refused(link(INPUT, TARGET, KERNEL, -2)) == (
        "input.target cannot be deployed to Lava: its exponent is -2, and Lava's Conv has none; "
        "compile it with an exponent of at least 0"
    )


def test_a_convolution_with_axonal_delays():
    assert refused(link(INPUT, TARGET, KERNEL, axonal_delay=np.arange(60) % 3)) == (
        "input.target cannot be deployed to Lava: a convolution with axonal delays has no Lava "
        "process; use one delay for the whole projection"
    )


def test_spikes_that_arrive_too_early():
    late = lif("target", (4, 6, 5), 4)
    assert refused(link(INPUT, late, KERNEL, delay=1), target=late) == (
        "input.target cannot be deployed to Lava: its spikes arrive 2 steps too early; give it a "
        "delay of 3"
    )


def test_weights_beyond_8_bits():
    wide = lif("target", (4, 1, 1), 1)
    weight = weights(1, 4, 2, 6, 5, low=-300, high=301)
    assert refused(link(INPUT, wide, Dense(weight)), target=wide) == (
        f"input.target cannot be deployed to Lava: its weights [{weight.min()}, {weight.max()}] "
        "do not fit 8 bits; compile it with 8-bit weights"
    )


def test_a_kernel_beyond_int8():
    source = make_population("input", (1, 200, 1), "input")
    projection = link(source, TARGET, Conv(weights(1, 4, 1, 200, 1)))
    with pytest.raises(UnsupportedError) as caught:
        express.weights(projection)
    assert str(caught.value) == (
        "input.target cannot be deployed to Lava: its kernel, stride, padding or dilation of 200 "
        "is beyond Lava's 127; split the layer"
    )


def test_a_bias_that_16_bits_cannot_hold(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    host = {1: np.full((1, 4, 6, 5), 32767)}
    injections = (Injection("target", "image", "bias", exponent=2),)
    biased = replace(TARGET, bias=np.ones(4, dtype=np.int32))
    assert refused(target=biased, injections=injections, host=host) == (
        "target cannot be deployed to Lava: its bias of up to 131069 needs more than 16 "
        "significant bits; compile it with a larger bias exponent"
    )
    assert list(tmp_path.iterdir()) == []


def test_wide_biases_become_mantissa_and_exponent():
    values = np.array([-(32767 << 5), 96, 1 << 19])
    mantissa, exponent = express.factored(values, express.BIAS_BITS, "here")
    assert mantissa.dtype == np.int16 and exponent == 5
    np.testing.assert_array_equal(mantissa.astype(int) << exponent, values)
