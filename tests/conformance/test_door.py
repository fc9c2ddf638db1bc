"""A door that only this test adds goes through every command; each part of it is needed."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
import toy_door
from cli_runner import refused, run

from snndeploy import pipeline
from snndeploy.engines.engine import run_network
from snndeploy.errors import ModelError, OptionError
from snndeploy.frontend import doors
from snndeploy.frontend.door import TO_COMPILE, Door, ModelFacts, OpenedModel, SpecOptions
from snndeploy.program import load
from snndeploy.simulator.run import simulate

pytestmark = pytest.mark.torch


@pytest.fixture
def toys(tmp_path, monkeypatch):
    monkeypatch.setattr(doors, "DOORS", (*doors.DOORS, toy_door.DOOR))
    monkeypatch.chdir(tmp_path)
    toy_door.write_toys(tmp_path)
    return tmp_path


def passed(*arguments):
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.mark.parametrize("name", ["chain", "plane"])
def test_a_toy_takes_every_road(toys, name):
    parameters = {"chain": 5 * 3 + 2 * 5, "plane": 2 * 9 + 4 * 9 + 3 * 32}[name]
    spec, data = f"{name}.toy", f"{name}.npz"
    for arguments in ((), ("--target", "loihi2")):
        assert f"{name}: {parameters:,} parameters" in passed("inspect", spec, *arguments)
    assert "loihi1: fits on 1 core" in passed("fit", spec, "--target", "loihi1")
    assert f"weights {spec}" in passed("compile", spec, "--calibration", data, "-o", "net.snnp")
    run_text = passed("simulate", "net.snnp", "--data", data)
    assert run_text.startswith(f"{name} on loihi2: 6 samples of {data}, T=")
    assert " NO" not in passed("verify", "net.snnp", "--data", data)
    passed("compare", spec, spec)
    passed("analyze", spec, "--data", data)
    made = load("net.snnp")
    assert made.facts.model == doors.open_spec(spec).facts
    again = run_network(made.network, made.golden.injected, samples=len(made.golden.x))
    assert (again.outputs == made.golden.outputs).all()


def test_the_float_model_is_the_file(toys):
    """U = H + W x, S = U >= 1/2, H = U / 2 where no spike; the answer is the mean of V s."""
    made = pipeline.compile("chain.toy", calibration="chain.npz", mapping="naive")
    first, fires, last = toy_door.CHAIN["layers"]
    x = np.load("chain.npz")["x"]
    carried, total = np.zeros((len(x), 5)), np.zeros((len(x), 2))
    for step in range(4):
        membrane = carried + x[:, step] @ np.array(first["weight"]).T
        spikes = membrane >= fires["threshold"]
        carried = np.where(spikes, 0.0, fires["decay"] * membrane)
        total += spikes @ np.array(last["weight"]).T
    np.testing.assert_array_equal(simulate(made, x).reference_logits, (total / 4).astype("f4"))


@pytest.mark.parametrize("command", ["inspect", "compile", "analyze"])
def test_options_that_a_door_does_not_use_are_refused(toys, command):
    more = {"compile": ("-o", "net.snnp"), "analyze": ("--data", "chain.npz")}.get(command, ())
    result = run(command, "chain.toy", "--random-weights", "--input-shape", "3", *more)
    assert result.exit_code == 2
    assert result.stderr.splitlines()[-1] == (
        "Error: chain.toy is a toy: --input-shape and --random-weights cannot be used with it"
    )
    assert not (toys / "net.snnp").exists()


def test_an_option_that_it_uses_arrives(toys):
    made = pipeline.compile("chain.toy", timesteps=2, mapping="naive")
    assert made.facts.model.timesteps == made.network.timesteps == 2


# parts of the declaration


@pytest.mark.parametrize("kind", [Door, ModelFacts], ids=lambda kind: kind.__name__)
def test_every_part_must_be_said(kind):
    for dropped in fields(kind):
        with pytest.raises(TypeError, match=f"'{dropped.name}'"):
            kind(**{field.name: None for field in fields(kind) if field is not dropped})


@pytest.mark.parametrize(
    ("part", "value", "error", "said"),
    [
        ("takes", lambda spec: False, ModelError, "chain.toy is no network that is known"),
        ("options", frozenset(), OptionError, "--timesteps cannot be used with it"),
        ("gives", "network", AssertionError, "a toy: network"),
        ("kind", "a plaything", OptionError, "chain.toy is a plaything: --checkpoint"),
        ("form", "X.other", ModelError, "gone/net does not exist; a SPEC is one of: X.other"),
    ],
)
def test_what_a_part_decides(toys, monkeypatch, part, value, error, said):
    monkeypatch.setattr(doors, "DOORS", (replace(toy_door.DOOR, **{part: value}),))
    options = {"kind": {"checkpoint": "a.pt"}, "gives": {}}.get(part, {"timesteps": 2})
    with pytest.raises(error) as caught:
        doors.open_spec("gone/net" if part == "form" else "chain.toy", SpecOptions(**options))
    assert said in str(caught.value)


@pytest.mark.parametrize("fact", [field.name for field in fields(ModelFacts)])
def test_a_fact_of_another_type_is_our_fault_and_writes_nothing(toys, monkeypatch, fact):
    def opened(*arguments):
        given = toy_door.opened(*arguments)
        return OpenedModel(replace(given.facts, **{fact: None}), given.graph)

    monkeypatch.setattr(doors, "DOORS", (replace(toy_door.DOOR, open=opened),))
    result = run("compile", "chain.toy", "--mapping", "naive", "-o", "net.snnp")
    assert result.exit_code == 3
    assert "manifest.json of the new program cannot be read back: the facts: model: " in (
        result.stderr
    )
    assert fact in result.stderr and not (toys / "net.snnp").exists()


# what is no SPEC


@pytest.mark.parametrize("command", ["inspect", "fit", "compile"])
@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("net.pt", "net.pt is a checkpoint: give the model, then --checkpoint net.pt"),
        ("chain.npz", "chain.npz holds data, not a network; give the model, then --data or"
                      " --calibration"),
        ("my.toml", "my.toml is a chip file; give the model, then --target my.toml"),
        ("net.pt2", "net.pt2 is an exported program, which torch reads by unpickling and"
                    " evaluating what is in it, so it is not read; give the model, or export it to"
                    " ONNX; where you trust it, one line keeps its weights:"
                    " torch.save(torch.export.load('net.pt2').state_dict, 'weights.pt')"),
        (".", ". is a folder; a SPEC is one of: "),
        ("gone/net.tflite", "gone/net.tflite does not exist; a SPEC is one of: "),
    ],
)  # fmt: skip
def test_other_kinds_are_named_as_what_they_are(toys, command, spec, said):
    more = ("-o", toys / "net.snnp") if command == "compile" else ()
    found = refused(toys, command, spec, *more)
    assert found == said or (said.endswith(": ") and found.startswith(said))


@pytest.mark.parametrize("command", ["fit", "compile"])
def test_a_program_is_no_spec_of_what_makes_one(toys, command):
    more = ("-o", toys / "net.snnp") if command == "compile" else ()
    assert refused(toys, command, "old.snnp", *more).startswith(
        "old.snnp is a compiled program, and a model is needed; "
    )


@pytest.mark.parametrize("command", ["simulate", "verify", "deploy", "export"])
@pytest.mark.parametrize(
    ("spec", "kind"),
    [("gac-digits", "a torch model"), ("a.net", "a lava-dl .net file, in integers already")],
)
def test_a_spec_is_no_program(toys, command, spec, kind):
    more = {
        "simulate": ("--data", "chain.npz"), "deploy": ("-o", toys / "out"),
        "export": ("--format", "sanafe", "-o", toys / "out"),
    }.get(command, ())  # fmt: skip
    said = f"{spec} is {kind}, and a program is needed: compile it first"
    assert refused(toys, command, spec, *more) == said


def test_the_door_of_integers_says_what_it_lacks(toys):
    for arguments, said in (
        (("compare", "a.net", "a.net"), "it names no layers that the papers' formula counts"),
        (("inspect", "a.net", "--energy"), "it names no layers that the papers' formula counts"),
        (("analyze", "a.net", "--data", "chain.npz"),
         "it is analysed as a program: compile it first"),
    ):  # fmt: skip
        result = run(*arguments)
        assert result.exit_code == 2
        assert result.stderr.splitlines()[-1].endswith(said)


def test_options_of_real_numbers_say_nothing_about_integers(toys):
    arguments = ("--shortcuts", "relay", "--calibration", "chain.npz", "-o", "net.snnp")
    result = run("compile", "a.net", *arguments)
    assert result.exit_code == 2
    assert result.stderr.splitlines()[-1] == (
        "Error: a.net is a lava-dl .net file, in integers already: --calibration and --shortcuts"
        " cannot be used with it"
    )


def test_needs_are_those_of_the_command(toys, monkeypatch):
    seen = []

    def opened(spec, options, need, step):
        seen.append(need)
        return toy_door.opened(spec, options, need, step)

    monkeypatch.setattr(doors, "DOORS", (replace(toy_door.DOOR, open=opened),))
    passed("fit", "chain.toy")
    passed("inspect", "chain.toy")
    passed("compile", "chain.toy", "--mapping", "naive", "-o", "net.snnp")
    assert [(n.weights, n.spikes, n.proof) for n in seen] == [
        (False, True, False), (True, False, True), (True, True, True),
    ]  # fmt: skip
    assert seen[-1] == TO_COMPILE
