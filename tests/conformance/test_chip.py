"""A chip is one file: whatever it states is followed everywhere, or refused by name."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace

import numpy as np
import pytest
import redundant_model
import torch
from cli_runner import refused, run

from snndeploy.errors import TargetError
from snndeploy.network import MEMBRANE_MAXIMUM, MEMBRANE_SHIFT, NO_CURRENT_MEMORY
from snndeploy.pipeline import compile
from snndeploy.program import load, save
from snndeploy.target import Target
from snndeploy.target.chip import NEURON_WIDTHS
from snndeploy.target.file import NAMES, SCHEMA
from snndeploy.verify.integers import check_integers

LOIHI2, BRIEF = Target.load("loihi2"), Target.load("loihi2-brief")
COMMANDS = (
    ("inspect", "{model}", "--target", "{chip}", "--checkpoint", "{weights}"),
    ("fit", "{model}", "--target", "{chip}"),
    (
        "compile",
        "{model}",
        "--target",
        "{chip}",
        "--checkpoint",
        "{weights}",
        "--calibration",
        "{data}",
        "-o",
        "{program}",
    ),
    ("verify", "{program}", "--data", "{data}", "--samples", "2"),
    ("simulate", "{program}", "--data", "{data}", "--samples", "2", "-o", "{run}"),
    ("export", "{program}", "--format", "sanafe", "-o", "{sanafe}"),
    ("deploy", "{program}", "--data", "{data}", "-o", "{lava}"),
)


@pytest.fixture
def tiny_folder(made, tmp_path):
    """The tiny model, its weights and data."""
    return shutil.copytree(made, tmp_path / "toy")


def toy(without: str = "", **formats: int) -> str:
    """A chip file: Loihi 2 with other number formats, and without the keys that match a pattern."""
    base, left_out = LOIHI2, []
    for chip in (BRIEF, LOIHI2) if without else ():  # some keys are only the brief's
        found = [key for key in chip.quantities if re.fullmatch(without, key)]
        base, left_out = (chip, found) if found else (base, left_out)
    stated = [
        f'{key} = {{ value = {value}, unit = "{SCHEMA["formats"][key].unit}", mark = "assumed",'
        ' source = "a toy" }'
        for key, value in formats.items()
    ]
    lines = ["schema = 1", f'based_on = "{base.name}"', f"without = {left_out}", "[chip]",
             'name = "toy"', 'description = "a toy"', "[formats]", *stated]  # fmt: skip
    return "\n".join(lines).replace("'", '"') + "\n"


def weights(bits: int) -> str:
    """A chip with weights of another width, sign included."""
    limit = 1 << (bits - 1)
    return toy(weight_bits=bits, weight_min=-limit, weight_max=limit - 1, weight_step_mixed=1)


def used(folder, text):
    """Every command on the tiny network and this chip, until one refuses: {command: its result}."""
    chip = folder / "toy.toml"
    chip.write_text(text)
    names = {
        "chip": chip, "model": f"{folder}/tiny_model.py:net()", "data": folder / "data.npz",
        "program": folder / "toy.snnp", "run": folder / "run", "sanafe": folder / "sanafe",
        "lava": folder / "bundle", "weights": folder / "net.safetensors",
    }  # fmt: skip
    found = {"targets": run("targets", "check", chip)}
    for command, *arguments in COMMANDS:
        found[command] = run(command, *(text.format(**names) for text in arguments))
    return found


@pytest.mark.torch
@pytest.mark.parametrize("bits", [2, 4, 16])
def test_weights_of_other_widths(tiny_folder, bits):
    """Right everywhere; Lava's 8 bits are refused by name where the weights need more."""
    found = used(tiny_folder, weights(bits))
    codes = {command: result.exit_code for command, result in found.items()}
    lava = found.pop("deploy")
    assert [c for c, result in found.items() if result.exit_code] == [], codes
    program = load(tiny_folder / "toy.snnp")
    largest = max(int(np.abs(p.connection.weight).max()) for p in program.network.projections)
    assert 1 << (bits - 2) <= largest <= 1 << (bits - 1), "the width is used"
    if bits > 8:
        assert lava.exit_code == 1
        assert re.search(r"cannot be deployed to Lava: its weights \[.*\] do not fit 8 bits;",
                         lava.stderr)  # fmt: skip
    else:
        assert lava.exit_code == 0, lava.output


@pytest.mark.torch
@pytest.mark.parametrize("bits", [2, 4, 8, 16])
def test_seeded_weight_faults_are_named_on_every_width(tiny_folder, bits):
    program = compile(f"{tiny_folder}/tiny_model.py:net()", tiny_folder / "net.safetensors",
                      target=Target.from_text(weights(bits)))  # fmt: skip
    assert check_integers(program) == []
    random = np.random.default_rng(bits)
    projection = program.network.projections[0]
    for bit in range(bits - 1):
        weight = projection.connection.weight.copy()
        place = tuple(int(random.integers(size)) for size in weight.shape)
        weight[place] ^= 1 << bit
        (finding,) = check_integers(faulty(program, weight))
        assert finding.cause == "weight bit flipped"
        assert f"weight {list(place)} is {weight[place]}," in finding.detail
    if bits > 2:
        weight = projection.connection.weight.copy()
        place = tuple(np.argwhere(weight == weight.max())[0])
        weight[place] = -weight[place]
        (finding,) = check_integers(faulty(program, weight))
        assert finding.population == projection.target and "weight" in finding.cause


def faulty(program, weight):
    """The program with other weights in its first projection."""
    first, *others = program.network.projections
    first = replace(first, connection=replace(first.connection, weight=weight))
    return replace(program, network=replace(program.network, projections=(first, *others)))


@pytest.mark.torch
@pytest.mark.parametrize("bits", [4, 16])
def test_channels_merge_within_the_width(tmp_path, bits):
    """Weights of twins add up only as far as the chip's weights reach."""
    torch.save(redundant_model.net().state_dict(), tmp_path / "weights.pt")
    program = compile(
        f"{redundant_model.__file__}:net(timesteps=3)", tmp_path / "weights.pt",
        target=Target.from_text(weights(bits)), reduce="exact", mapping="tiles",
    )  # fmt: skip
    assert program.network.reduced
    low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    for projection in program.network.projections:
        assert low <= projection.connection.weight.min()
        assert projection.connection.weight.max() <= high
    assert check_integers(program) == []


@pytest.mark.torch
def test_a_fault_beyond_a_narrow_width_fails_verify(tiny_folder):
    """A wrong program file is refused with exit code 1, by the name of what is wrong."""
    used(tiny_folder, weights(4))
    program = load(tiny_folder / "toy.snnp")
    weight = program.network.projections[0].connection.weight.copy()
    weight[0, 0, 0, 0] ^= 4
    save(faulty(program, weight), tiny_folder / "wrong.snnp")
    data = ("--data", tiny_folder / "data.npz", "--samples", "2")
    found = run("verify", tiny_folder / "wrong.snnp", *data)
    assert found.exit_code == 1 and "weight bit flipped" in found.output


def test_contradicting_widths_are_refused():
    said = (r"weight_bits is 16, sign included, which reaches from -32768 to 32767,"
            r" but weight_min and weight_max are -256 and 255")  # fmt: skip
    with pytest.raises(TargetError, match=said):
        Target.from_text(toy(weight_bits=16))
    with pytest.raises(TargetError, match=r"weight_bits is 1; a sign needs 2 bits"):
        Target.from_text(toy(weight_bits=1))
    with pytest.raises(TargetError, match=r"weight_bits is 19, but .* at most 18; say why"):
        Target.from_text(weights(19))


@pytest.mark.parametrize(("key", "value"), [(k, v + d) for k, v in NEURON_WIDTHS.items()
                                            for d in (-4, 4)])  # fmt: skip
def test_another_neuron_is_refused_by_name(tiny_folder, key, value):
    (tiny_folder / "toy.toml").write_text(toy(**{key: value}))
    said = f"formats.{key} is {value}, but snndeploy's neuron has"
    for command in (
        ("targets", "check", tiny_folder / "toy.toml"),
        ("fit", f"{tiny_folder}/tiny_model.py:net()", "--target", tiny_folder / "toy.toml"),
        ("compile", f"{tiny_folder}/tiny_model.py:net()", "--target", tiny_folder / "toy.toml",
         "--random-weights", "-o", tiny_folder / "toy.snnp"),
    ):  # fmt: skip
        assert said in refused(tiny_folder, *command)


def test_the_neuron_of_the_engines_is_the_one_that_chips_are_checked_for():
    assert {
        "input_shift": MEMBRANE_SHIFT,
        "decay_bits": NO_CURRENT_MEMORY.bit_length() - 1,
        "membrane_bits": MEMBRANE_MAXIMUM.bit_length() + 1,
        "current_bits": MEMBRANE_MAXIMUM.bit_length() + 1,
    } == NEURON_WIDTHS


@pytest.mark.torch
def test_a_chip_without_energy_figures_says_what_is_not_counted(tiny_folder):
    found = used(tiny_folder, toy(without=r"energy\..*|host\.io_pj_per_byte"))
    assert {c: r.exit_code for c, r in found.items() if r.exit_code} == {}
    for name in ("neuron access", "synaptic operation", "host bytes in", "static power"):
        assert f"{name}," in found["simulate"].output


@pytest.mark.torch
def test_a_chip_without_times_is_refused_where_a_time_is_asked_for(tiny_folder):
    found = used(tiny_folder, toy(without=r"timing\..*"))
    assert [c for c, r in found.items() if r.exit_code] == ["simulate"]
    assert "target toy states no time of any event, so a run has no latency" in (
        found["simulate"].stderr
    )


@pytest.mark.torch
def test_one_missing_time_is_said(tiny_folder):
    found = used(tiny_folder, toy(without=r"timing\.(message_in_ns|barrier.*|inter_chip_hop_ns)"))
    assert {c: r.exit_code for c, r in found.items() if r.exit_code} == {}
    for said in ("timing.message_in_ns: message in takes no time here",
                 "timing.barrier_ns: cores synchronise in no time"):  # fmt: skip
        assert f"toy does not state {said}" in found["simulate"].output


REQUIRED = [f"{section}.{key}" for section, keys in SCHEMA.items()
            for key, rule in keys.items() if rule.required]  # fmt: skip


@pytest.mark.parametrize("key", REQUIRED)
def test_each_required_key_is_missed_by_name(key):
    with pytest.raises(TargetError, match=rf"{re.escape(key)} is missing"):
        Target.from_text(toy(without=re.escape(key)))


def test_keys_of_the_other_encoding_are_refused():
    blocks = '[synapses]\nsynapses_per_block = { value = 64, unit = "synapses", mark = "assumed", '
    with pytest.raises(TargetError) as refusal:
        Target.from_text(toy() + blocks + 'source = "a toy" }\n', origin="toy.toml")
    assert str(refusal.value) == (
        "toy.toml: synapses.synapses_per_block has a meaning only with synapses.encoding = 'blocks'"
    )
    with pytest.raises(TargetError, match=r"weight_widths has a meaning only with .* = 'words'"):
        Target.from_text(toy(without=r"synapses\.encoding"))


@pytest.mark.parametrize(("section", "key"), [(s, k) for s, keys in NAMES.items() for k in keys
                                              if k != "not_compiled"])  # fmt: skip
def test_each_name_is_missed_by_name(section, key):
    text = "\n".join(line for line in LOIHI2.text.splitlines() if not line.startswith(f"{key} ="))
    with pytest.raises(TargetError, match=f"{section}.{key} is missing"):
        Target.from_text(text)
