"""Models, checkpoints and targets that cannot be used: one line each, and nothing written."""

import os
import re
from pathlib import Path

import pytest
import tiny_model
import torch
from cli_runner import compiling, refused, run
from safetensors.torch import save_file

from snndeploy.shelf import catalog

pytestmark = pytest.mark.torch
CHIP = (Path(__file__).resolve().parents[1] / "targets" / "loihi2.toml").read_text()


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
        ("tiny_model.py:torch", "tiny_model.py has no factory 'torch'; there is tiny_model.py:net"),
        ("tiny_model.py:net(open('x'))", "'open' is neither a name of tiny_model.py nor a module"
         " under --path"),
        ("tiny_model.py:net(torch.no_such)", "'torch.no_such' does not exist, in the arguments of"
         " the SPEC"),
    ],
)  # fmt: skip
def test_specs_that_name_no_model(bench, spec, said):
    assert compiling(bench, spec) == said


@pytest.mark.parametrize(
    "call",
    ["net(", "net().eval()", "net(timesteps=[T])", "net(open('x').read())", "a b", "net;net", "",
     "3", "(" * 300, "lambda: 0", "net(*[1])", "net(**{'timesteps': 1})", "net(1, timesteps=[2)"],
)  # fmt: skip
def test_arguments_are_literals(bench, call):
    assert compiling(bench, f"tiny_model.py:{call}") == (
        f"{call!r} is not FACTORY(arguments) with arguments that are literals or names, for example"
        " gac.py:gac_digits(timesteps=4)"
    )


@pytest.mark.parametrize(
    ("name", "tail"),
    [("gac-digit", ", did you mean 'gac-digits'?"), ("GAC_DIGITS", ", did you mean 'gac-digits'?"),
     ("zzzz", ""), ("a" * 5000, "")],
)  # fmt: skip
def test_an_unknown_model(tmp_path, name, tail):
    said = refused(tmp_path, "compile", name, "-o", tmp_path / "a.snnp")
    shipped = f" ({len(catalog())} are shipped: snndeploy models list)"
    assert said == (f"unknown model '{name}'{shipped}{tail}" if len(name) < 99 else said)
    assert len(said) <= 2000


def test_a_model_file_without_a_factory_means_its_only_one(bench):
    said = refused(bench, "inspect", bench / "tiny_model.py")
    assert said.replace(f"{bench}/", "") == (
        "model tiny_model.py has no shipped weights; give --checkpoint FILE, or --random-weights to"
        " look at its structure and costs"
    )


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("import no_such_package", "ModuleNotFoundError: No module named 'no_such_package';"
         " install it, or give --path FOLDER, the folder that holds it"),
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
        "the model cannot be traced: tiny_model.py:58: RuntimeError: forward says no; run it on one"
        " input of shape (1, 8, 8) to see where it stops"
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
        " neuron_parameters(), or an adapter with --adapters; an ANN (ReLU) becomes a spiking"
        " network with snndeploy compile --convert --timesteps 32 --calibration DATA.npz; a network"
        " without spikes can only be costed (snndeploy inspect --energy)"
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
        "checkpoint w.pt needs unpickling of posix.mkdir, which may run any code: it is not read;"
        " where you trust the file, two lines of Python convert it: held = torch.load('w.pt', "
    )
    torch.save(tiny_model.net(), bench / "whole.pt")
    said = compiling(bench, weights="whole.pt")
    assert said.startswith("checkpoint whole.pt needs unpickling of tiny_model.Net, ")
    assert not (bench / "evil").exists()


def test_truncated_weights(bench):
    content = (bench / "net.safetensors").read_bytes()
    for length in (0, 5, 100, len(content) - 1):
        (bench / "w.safetensors").write_bytes(content[:length])
        assert compiling(bench, weights="w.safetensors").startswith(
            "checkpoint w.safetensors cannot be read as safetensors: SafetensorError: "
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
