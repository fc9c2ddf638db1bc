"""The commands as a user meets them: what they print, what they refuse, and what they leave."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tiny_model
import torch
from cli_runner import refused, run
from privileges import without_privileges
from safetensors.torch import save_file
from tampering import edit_json, pack, unpack

pytestmark = pytest.mark.torch
CHIP = (Path(__file__).resolve().parents[1] / "targets" / "loihi2.toml").read_text()


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """A model file, weights, data, and the program that `compile` makes of them."""
    folder = tmp_path_factory.mktemp("made")
    shutil.copy(tiny_model.__file__, folder)
    torch.manual_seed(0)
    save_file(tiny_model.net().state_dict(), folder / "net.safetensors")
    rng = np.random.default_rng(0)
    x = rng.random((6, 1, 8, 8)).astype(np.float32)
    np.savez(folder / "data.npz", x=x, y=rng.integers(0, 3, 6))
    result = run(
        "compile", f"{folder}/tiny_model.py:net()", "--checkpoint", folder / "net.safetensors",
        "--calibration", folder / "data.npz", "-o", folder / "net.snnp",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    return folder


@pytest.fixture
def bench(tmp_path):
    """Model file, weights and data, without a program: nothing to compile first."""
    shutil.copy(tiny_model.__file__, tmp_path)
    save_file(tiny_model.net().state_dict(), tmp_path / "net.safetensors")
    np.savez(tmp_path / "data.npz", x=np.zeros((2, 1, 8, 8), np.float32))
    return tmp_path


@pytest.fixture
def program(made, tmp_path):
    """A copy of the program, to be damaged."""
    return Path(shutil.copy(made / "net.snnp", tmp_path))


def compiling(folder, spec="tiny_model.py:net()", *more, weights="net.safetensors"):
    """A refused `compile`: its line, with the folder's name taken out."""
    given = ("--checkpoint", folder / weights) if weights else ("--random-weights",)
    arguments = ("compile", f"{folder}/{spec}", *given, "-o", folder / "new.snnp", *more)
    return refused(folder, *arguments).replace(f"{folder}/", "")


def simulating(folder, program, data="data.npz", *more):
    """A refused `simulate`: its line, with the folder's name taken out."""
    arguments = ("simulate", program, "--data", data, "-o", folder / "run", *more)
    return refused(folder, *arguments).replace(f"{folder}/", "")


# models


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("gone.py:net()", "model file gone.py does not exist"),
        ("tiny_model.py:nett()", "tiny_model.py has no factory 'nett', did you mean 'Net' or"
         " 'net'?"),
        ("tiny_model.py:net(colour=3)", "tiny_model.py:net raises: TypeError: net() got an"
         " unexpected keyword argument 'colour'"),
        ("tiny_model.py:net(1, 2, 3)", "tiny_model.py:net raises: TypeError: net() takes from 0"
         " to 2 positional arguments but 3 were given"),
        ("tiny_model.py:raises", "tiny_model.py:raises raises: ValueError: the factory says no"),
        ("tiny_model.py:stops", "tiny_model.py:stops raises: SystemExit: 0"),
        ("tiny_model.py:nothing", "tiny_model.py:nothing returns dict, not a torch module"),
        ("tiny_model.py:torch", "tiny_model.py has no factory 'torch'"),
    ],
)  # fmt: skip
def test_specs_that_name_no_model(bench, spec, said):
    assert compiling(bench, spec) == said


@pytest.mark.parametrize(
    "call",
    ["net(open('x'))", "net(", "net().eval()", "net(timesteps=T)", "a b", "net;net", "", "3",
     "(" * 300, "lambda: 0", "net(*[1])", "net(**{'timesteps': 1})", "net(1, timesteps=[2)"],
)  # fmt: skip
def test_arguments_are_literals(bench, call):
    assert compiling(bench, f"tiny_model.py:{call}") == (
        f"{call!r} is not FACTORY(arguments) with literal arguments, for example"
        " gac.py:gac_digits(timesteps=4)"
    )


@pytest.mark.parametrize(
    ("name", "tail"),
    [("gac-digit", ", did you mean 'gac-digits'?"), ("GAC_DIGITS", ", did you mean 'gac-digits'?"),
     ("zzzz", ""), ("a" * 5000, "")],
)  # fmt: skip
def test_an_unknown_model(tmp_path, name, tail):
    said = refused(tmp_path, "compile", name, "-o", tmp_path / "a.snnp")
    assert said.startswith(f"unknown model '{name[:1000]}")
    assert said.endswith(f"gac-ms-resnet34){tail}") or len(name) > 1000


def test_a_model_file_without_a_factory(bench):
    said = refused(bench, "inspect", bench / "tiny_model.py")
    assert said.replace(f"{bench}/", "") == (
        "tiny_model.py names a file but no factory; write tiny_model.py:FACTORY(arguments)"
    )


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("import no_such_package", "ModuleNotFoundError: No module named 'no_such_package'"),
        ("def net(:", "SyntaxError: invalid syntax (bad.py, line 1)"),
        ("raise ValueError('two\\nlines')", "ValueError: two lines"),
        ("raise SystemExit(0)", "SystemExit: 0"),
        ("\0", "SyntaxError: source code string cannot contain null bytes"),
        ("'\udc80'", "SyntaxError: (unicode error) 'utf-8' codec can't decode byte 0x80 in"
         " position 1: invalid start byte (bad.py, line 1)"),
        ("def f(): return f()\nf()", "RecursionError: maximum recursion depth exceeded"),
    ],
)  # fmt: skip
def test_a_model_file_that_raises(bench, source, said):
    (bench / "bad.py").write_bytes(source.encode(errors="surrogateescape"))
    assert compiling(bench, "bad.py:net()").startswith(f"model file bad.py raises: {said[:40]}")


def test_a_forward_that_raises(bench):
    assert compiling(bench, "tiny_model.py:odd('raise')") == (
        "the model cannot be traced: RuntimeError: forward says no; run it on one input of shape"
        " (1, 8, 8) to see where it stops"
    )


def test_an_operation_that_the_compiler_does_not_know(bench):
    assert compiling(bench, "tiny_model.py:odd('erf')") == (
        "operation aten.erf in module 'odd' cannot be compiled: the compiler does not know it;"
        " move it out of the traced model, or express it with conv, linear, norm, pool, add,"
        " multiply, mean or a neuron"
    )


def test_timesteps_are_needed(bench):
    (bench / "flat.py").write_text(
        "import tiny_model\n\ndef net():\n    made = tiny_model.net()\n    made.timesteps = None\n"
        "    return made\n"
    )
    said = compiling(bench, "flat.py:net()")
    assert said.startswith("the model does not say its number of time steps;")


def test_a_model_without_neurons(bench):
    (bench / "plain.py").write_text(
        "import torch\n\ndef net():\n    made = torch.nn.Linear(3, 2)\n    made.timesteps = 1\n"
        "    made.input_shape = (3,)\n    return made\n"
    )
    assert compiling(bench, "plain.py:net()", weights=None) == (
        "no spiking neuron was recognised in the model; give its neurons a method"
        " neuron_parameters(), or an adapter with --adapters"
    )


def test_weights_must_be_given(bench):
    said = refused(bench, "compile", f"{bench}/tiny_model.py:net()", "-o", bench / "a.snnp")
    assert said == (
        f"model {bench}/tiny_model.py:net() has no shipped weights; give --checkpoint FILE, or"
        " --random-weights to look at its structure and costs"
    )


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (None, "adapters file adapters.py does not exist"),
        ("1 / 0", "model file adapters.py raises: ZeroDivisionError: division by zero"),
        ("OTHER = []", "adapters file adapters.py has no list ADAPTERS of functions"),
        ("ADAPTERS = [3]", "adapters file adapters.py has no list ADAPTERS of functions"),
    ],
)
def test_adapters_that_are_none(bench, source, said):
    if source is not None:
        (bench / "adapters.py").write_text(source)
    found = compiling(bench, "tiny_model.py:net()", "--adapters", bench / "adapters.py")
    assert found == said


def test_an_adapter_that_fails(bench):
    (bench / "adapters.py").write_text("ADAPTERS = [lambda module: module.colour]")
    said = compiling(bench, "tiny_model.py:net()", "--adapters", bench / "adapters.py")
    assert "AttributeError" in said


@pytest.mark.parametrize("text", ["", "a", "3,", "0,3", "-1", "3x", "3.5", "99999,99999"])
def test_an_input_shape_that_is_none(bench, text):
    result = run("inspect", f"{bench}/tiny_model.py:net()", "--random-weights", "--input-shape",
                 text)  # fmt: skip
    assert result.exit_code == 2
    assert f"{text!r} is not like 3,32,32" in result.stderr


# checkpoints


def test_another_models_keys(bench):
    torch.save({"stem.weight": torch.zeros(4, 1, 3, 3), "a": torch.zeros(1)}, bench / "w.pt")
    assert compiling(bench, weights="w.pt") == (
        "checkpoint w.pt does not belong to this model: 5 missing (classify.bias,"
        " classify.weight, conv.bias, and 2 more), 1 unknown (a)"
    )


def test_other_shapes(bench):
    save_file(tiny_model.net(width=6).state_dict(), bench / "w.safetensors")
    assert compiling(bench, weights="w.safetensors") == (
        "checkpoint w.safetensors: stem.weight has shape (6, 1, 3, 3), the model needs (4, 1, 3, 3)"
    )


class Evil:
    def __reduce__(self):
        return (os.mkdir, ("evil",))


def test_a_pickled_object_is_not_unpickled(bench, monkeypatch):
    monkeypatch.chdir(bench)
    torch.save({"stem.weight": Evil()}, bench / "w.pt")
    said = compiling(bench, weights="w.pt")
    assert said.startswith(
        "checkpoint w.pt cannot be read as safetensors or as a plain state_dict: UnpicklingError:"
    )
    torch.save(tiny_model.net(), bench / "whole.pt")
    assert compiling(bench, weights="whole.pt").startswith("checkpoint whole.pt cannot be read")
    assert not (bench / "evil").exists()


def test_truncated_weights(bench):
    content = (bench / "net.safetensors").read_bytes()
    for length in (0, 5, 100, len(content) - 1):
        (bench / "w.safetensors").write_bytes(content[:length])
        assert compiling(bench, weights="w.safetensors").startswith(
            "checkpoint w.safetensors cannot be read as safetensors or as a plain state_dict: "
        )
    torch.save(tiny_model.net().state_dict(), bench / "w.pt")
    (bench / "w.pt").write_bytes((bench / "w.pt").read_bytes()[:900])
    assert compiling(bench, weights="w.pt").startswith("checkpoint w.pt cannot be read")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite(bench, value):
    state = tiny_model.net().state_dict()
    state["conv.weight"][0, 0, 1, 1] = value
    save_file(state, bench / "w.safetensors")
    assert compiling(bench, weights="w.safetensors") == (
        "w.safetensors: conv.weight has 1 of 144 values that are NaN or infinite; the training"
        " diverged or the file is damaged"
    )


def test_weights_that_are_missing(bench):
    assert compiling(bench, weights="gone.pt") == "checkpoint gone.pt does not exist"


# targets


def test_an_unknown_target(bench):
    said = compiling(bench, "tiny_model.py:net()", "--target", "loihi3")
    assert said.startswith("unknown target 'loihi3' (shipped: ")
    assert said.endswith(", did you mean 'loihi1' or 'loihi2'?") or "'loihi2'?" in said


def test_a_network_that_is_too_large(bench):
    """A chip of the user's own: one chip of one core with room for 50 neurons."""
    smaller = CHIP
    for key, value in (("max_chips", 1), ("chip_grid_width", 1), ("chip_grid_height", 1),
                       ("cores_per_chip", 1), ("neurons_per_core", 50)):  # fmt: skip
        line = next(line for line in smaller.splitlines() if line.startswith(f"{key} = "))
        smaller = smaller.replace(line, line.replace(line.split("value = ")[1].split(",")[0],
                                                     str(value), 1))  # fmt: skip
    (bench / "small.toml").write_text(smaller)
    said = compiling(bench, "tiny_model.py:net()", "--target", bench / "small.toml", weights=None)
    assert re.fullmatch(
        r"the network needs \d loihi2 cores; 1 chip has 1\. What binds: neurons: .* of 50 on .*"
        r"(It would fit with|Use a smaller network) .*\.",
        said,
    )


# data


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"x": np.zeros((2, 1, 9, 8))}, "bad.npz: samples have shape (1, 9, 8), the model takes"
         " (1, 8, 8); reshape or resize the data"),
        ({"x": np.full((2, 1, 8, 8), np.nan)}, "bad.npz: x has 128 values that are NaN or"
         " infinite"),
        ({"images": np.zeros((2, 1, 8, 8))}, "bad.npz has no array x (it has images)"),
        ({"x": np.array([None])}, "bad.npz: array x cannot be used: it holds Python objects, which"
         " only unpickling could read"),
        ({"x": np.zeros((2, 1, 8, 8)), "y": np.zeros(3, int)}, "bad.npz: y has shape (3,) and type"
         " int64; one integer class for each of the 2 samples is needed"),
        ({"x": np.zeros((2, 1, 8, 8)), "y": np.array([1, 7])}, "bad.npz: y has classes 1..7, the"
         " model answers 3 (0..2)"),
    ],
)  # fmt: skip
def test_data_that_is_not_the_models(made, tmp_path, arrays, said):
    np.savez(tmp_path / "bad.npz", **arrays)
    assert simulating(tmp_path, made / "net.snnp", tmp_path / "bad.npz") == said


def test_truncated_data(made, tmp_path):
    content = (made / "data.npz").read_bytes()
    (tmp_path / "bad.npz").write_bytes(content[: len(content) // 2])
    assert simulating(tmp_path, made / "net.snnp", tmp_path / "bad.npz") == (
        "bad.npz is not a readable .npz file: BadZipFile: File is not a zip file"
    )


def test_calibration_data_of_another_shape(bench):
    np.savez(bench / "bad.npz", x=np.zeros((2, 1, 9, 8)))
    said = compiling(bench, "tiny_model.py:net()", "--calibration", bench / "bad.npz")
    assert said == (
        "bad.npz: samples have shape (1, 9, 8), the model takes (1, 8, 8); reshape or resize the"
        " data"
    )


# program files


def test_a_truncated_program(made, tmp_path, program):
    program.write_bytes(program.read_bytes()[:-30])
    assert simulating(tmp_path, program, made / "data.npz") == (
        "net.snnp is not a whole program file (BadZipFile: File is not a zip file); it may be"
        " truncated: compile it again or copy it once more"
    )


def test_an_edited_program(made, tmp_path, program):
    members = unpack(program)
    members["network.json"] = members["network.json"].replace(b'"hard"', b'"soft"')
    pack(program, members, seal=False)
    assert simulating(tmp_path, program, made / "data.npz") == (
        "net.snnp is damaged or was altered: network.json does not match its seal; compile it again"
    )
    assert refused(tmp_path, "inspect", program).endswith("compile it again")


def test_an_edited_program_under_a_new_seal(made, tmp_path, program):
    edit_json(program, "network.json", lambda network: network.update(timesteps=-3))
    assert simulating(tmp_path, program, made / "data.npz") == (
        "net.snnp is damaged or was altered: network timesteps is -3, not a whole number in"
        " 1..65536; compile it again"
    )


def test_a_newer_program(made, tmp_path, program):
    edit_json(program, "manifest.json", lambda m: m.update(schema="snndeploy.program/9"))
    assert simulating(tmp_path, program, made / "data.npz") == (
        "net.snnp has schema 'snndeploy.program/9'; this release reads snndeploy.program/1:"
        " install the release that wrote it, or compile again"
    )


# where to write


@pytest.mark.parametrize("command", ["compile", "inspect", "simulate"])
def test_outputs_that_cannot_be_written(command, made, tmp_path, closed_folder):
    """Refused before the work: SPEC and DATA do not even exist."""
    (tmp_path / "file").write_text("")
    option = {"compile": "-o", "inspect": "--json", "simulate": "--json"}[command]
    rest = {"compile": ["gone.py:net()"], "inspect": ["gone.py:net()"],
            "simulate": ["gone.snnp", "--data", "gone.npz"]}[command]  # fmt: skip

    def said(path):
        return refused(tmp_path, command, *rest, option, path)

    assert said(tmp_path) == f"cannot write {tmp_path}: it is a folder; name a file"
    assert said(tmp_path / "no" / "a") == (
        f"cannot write {tmp_path}/no/a: folder {tmp_path}/no does not exist; create it first"
    )
    assert said(tmp_path / "file" / "a") == (
        f"cannot write {tmp_path}/file/a: folder {tmp_path}/file is a file"
    )
    with without_privileges():
        found = said(closed_folder / "a")
    assert found == (
        f"cannot write {closed_folder}/a: no permission in folder {closed_folder}; choose another"
    )


def test_verify_deploy_and_export_refuse_like_the_others(made, tmp_path, program):
    (tmp_path / "file").write_text("")
    assert refused(tmp_path, "deploy", program, "-o", tmp_path / "file") == (
        f"cannot write into {tmp_path}/file: it is a file; name a folder"
    )
    assert refused(tmp_path, "export", program, "--format", "netx", "-o", tmp_path) == (
        f"cannot write {tmp_path}: it is a folder; name a file"
    )
    np.savez(tmp_path / "bad.npz", x=np.zeros((2, 3)))
    for command in (("verify", program), ("deploy", program, "-o", tmp_path / "out")):
        assert refused(tmp_path, *command, "--data", tmp_path / "bad.npz") == (
            "bad.npz: samples have shape (3,), the model takes (1, 8, 8); reshape or resize the"
            " data"
        )
    program.write_bytes(program.read_bytes()[:-30])
    for command in (("verify",), ("deploy", "-o", tmp_path / "out"),
                    ("export", "--format", "netx", "-o", tmp_path / "a.net")):  # fmt: skip
        said = refused(tmp_path, command[0], program, *command[1:])
        assert said.startswith(f"{program} is not a whole program file (BadZipFile: ")


def test_a_report_folder_that_cannot_be_made(tmp_path, closed_folder):
    (tmp_path / "file").write_text("")
    rest = ("simulate", "gone.snnp", "--data", "gone.npz", "-o")
    assert refused(tmp_path, *rest, tmp_path / "file") == (
        f"cannot write into {tmp_path}/file: it is a file; name a folder"
    )
    with without_privileges():
        said = refused(tmp_path, *rest, closed_folder / "run")
    assert said == (
        f"cannot write {closed_folder}/run: no permission in folder {closed_folder}; choose another"
    )


# what works


def test_simulate_writes_the_report_and_prints_it(made, tmp_path):
    arguments = ("simulate", made / "net.snnp", "--data", made / "data.npz", "--samples", 4)
    result = run(*arguments, "-o", tmp_path / "a" / "run")
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    assert result.stdout.endswith(
        f"\nwritten: {tmp_path}/a/run/report.json, {tmp_path}/a/run/report.html\n"
    )
    assert max(map(len, result.stdout.splitlines()[:-1])) <= 90
    report = json.loads((tmp_path / "a" / "run" / "report.json").read_text())
    assert (report["schema"], report["samples"]) == ("snndeploy.report/1", 4)
    printed = run(*arguments, "--json", "-")
    assert json.loads(printed.stdout)["accuracy"] == report["accuracy"]
    assert sorted(os.listdir(tmp_path / "a" / "run")) == ["report.html", "report.json"]


def keys_of(value, path=""):
    """The dotted keys of a report; lists are named by their first entry."""
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from keys_of(inner, f"{path}.{key}" if path else key)
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        yield from keys_of(value[0], f"{path}[]")
    else:
        yield path


NAMED_BY_THE_TARGET = ("energy.chip.breakdown.", "energy.chip.provenance.", "mapping.utilisation.",
                       "energy.chip.shares_by_mark.", "made_with.")  # fmt: skip


def test_every_key_of_the_report_is_explained(made, tmp_path):
    run("simulate", made / "net.snnp", "--data", made / "data.npz", "--json", tmp_path / "a.json")
    page = (Path(__file__).resolve().parents[1] / "docs" / "report.md").read_text()
    named = set(re.findall(r"[\w@-]+", page))
    keys = list(keys_of(json.loads((tmp_path / "a.json").read_text())))
    assert len(keys) > 60
    unexplained = [
        key for key in keys
        if not key.startswith(NAMED_BY_THE_TARGET) and not set(re.findall(r"\w+", key)) <= named
    ]  # fmt: skip
    assert unexplained == []


def test_a_program_runs_without_the_models_code(made, tmp_path):
    """Compiled in one process; the model file is gone when another simulates."""
    shutil.copy(tiny_model.__file__, tmp_path / "mine.py")
    code = "import sys\nfrom snndeploy.cli import main\nmain(sys.argv[1:])\n"

    def process(*arguments):
        return subprocess.run(
            [sys.executable, "-c", code, *map(str, arguments)],
            capture_output=True, text=True, cwd=tmp_path, check=False,
        )  # fmt: skip

    weights, data = made / "net.safetensors", made / "data.npz"
    done = process("compile", "mine.py:net()", "--checkpoint", weights, "--calibration", data,
                   "-o", "net.snnp")  # fmt: skip
    assert done.returncode == 0, done.stderr
    (tmp_path / "mine.py").unlink()
    shutil.rmtree(tmp_path / "__pycache__", ignore_errors=True)
    done = process("simulate", "net.snnp", "--data", data, "--json", "-")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["samples"] == 6


def test_the_same_inputs_give_the_same_bytes(made, tmp_path):
    result = run(
        "compile", f"{made}/tiny_model.py:net()", "--checkpoint", made / "net.safetensors",
        "--calibration", made / "data.npz", "-o", tmp_path / "again.snnp",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert (tmp_path / "again.snnp").read_bytes() == (made / "net.snnp").read_bytes()


def test_no_path_of_this_machine_is_in_a_program(made):
    content = (made / "net.snnp").read_bytes()
    for path in (str(made), str(Path(__file__).resolve().parents[1]), str(Path.home())):
        assert path.encode() not in content


def test_inspect_says_the_same_of_a_model_and_its_program(made, tmp_path):
    result = run("inspect", made / "net.snnp", "--json", tmp_path / "a.json")
    assert result.exit_code == 0, result.output
    found = json.loads((tmp_path / "a.json").read_text())
    assert [row["layer"] for row in found["layers"] if row["op"] in ("conv", "linear")] == [
        "stem", "conv", "classify",
    ]  # fmt: skip
    again = run("inspect", f"{made}/tiny_model.py:net()", "--checkpoint", made / "net.safetensors",
                "--json", "-")  # fmt: skip
    assert json.loads(again.stdout)["layers"] == found["layers"]
    assert run("inspect", made / "net.snnp", "--target", "loihi1").exit_code == 2


def test_targets_and_models(tmp_path):
    assert "loihi2 " in run("targets", "list").stdout
    shown = json.loads(run("targets", "show", "loihi2", "--json", "-").stdout)
    assert shown["cores.cores_per_chip"]["mark"] in ("published", "from code", "inherited")
    assert "gac-digits " in run("models", "list").stdout
    assert json.loads(run("models", "list", "--json", "-").stdout)["gac-digits"]["trained"]
    assert run("models", "show", "gac-digits").stdout.startswith("name: gac-digits\nspec: gac.py:")
    (tmp_path / "mine.toml").write_text(CHIP)
    assert " is valid; " in run("targets", "check", tmp_path / "mine.toml").stdout
    (tmp_path / "mine.toml").write_text("schema = 1\n")
    assert refused(tmp_path, "targets", "check", tmp_path / "mine.toml") == (
        f"{tmp_path}/mine.toml: section [chip] is missing"
    )


def test_a_bug_of_ours_is_one_line_too(monkeypatch):
    monkeypatch.setattr("snndeploy.shelf.catalog", lambda: 1 / 0)
    monkeypatch.delenv("SNNDEPLOY_TRACEBACK", raising=False)
    result = run("models", "list")
    assert result.exit_code == 3
    assert result.stderr == (
        "snndeploy: a bug in snndeploy: ZeroDivisionError: division by zero; please report it,"
        " with the output of SNNDEPLOY_TRACEBACK=1 and the same command\n"
    )


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (MemoryError(), 1, "not enough memory; use fewer --samples or a smaller model"),
        (MemoryError("3 GiB"), 1, "not enough memory (3 GiB); use fewer --samples or a smaller"
         " model"),
        (OSError(28, "No space left on device", "a.npz"), 1, "a.npz: No space left on device"),
        (KeyboardInterrupt(), 130, "interrupted; no file was left half written"),
    ],
)  # fmt: skip
def test_what_happens_to_anybody(monkeypatch, error, code, said):
    def fail():
        raise error

    monkeypatch.setattr("signal.signal", lambda *ignored: None)
    monkeypatch.setattr("snndeploy.shelf.catalog", fail)
    result = run("models", "list")
    assert (result.exit_code, result.stderr) == (code, f"snndeploy: {said}\n")
