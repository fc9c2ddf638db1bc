"""Every command that takes a SPEC takes the same options of it, and says what it found itself."""

from __future__ import annotations

import click
import numpy as np
import pytest
from cli_runner import refused, run

from snndeploy.cli import main
from snndeploy.commands.model_options import spec_options

pytestmark = pytest.mark.torch

STEPS = "time steps 2: from the argument T of net"
SHAPE = "input shape 1x8x8: from data.npz"
SIGNAL = "input signal real: data.npz has values in 0..0.5"


def options_of(command):
    return {parameter.name for parameter in command.params if isinstance(parameter, click.Option)}


@pytest.mark.parametrize("name", ["compile", "inspect", "fit", "analyze", "compare", "doctor"])
def test_the_same_options_everywhere(name):
    wanted = options_of(click.command()(spec_options(lambda **options: None)))
    assert {"path", "key", "timesteps"} < wanted <= options_of(main.commands[name])


@pytest.fixture
def silent(bench):
    """A model that says nothing of itself, in a folder of its own."""
    folder = bench / "code"
    folder.mkdir()
    source = (bench / "tiny_model.py").read_text()
    source = source.replace('input_shape, input_signal = (1, 8, 8), "real"', "")
    source = source.replace("timesteps", "T").replace("self.T", "self.steps_of_time")
    (folder / "silent.py").write_text(source)
    x = np.zeros((2, 1, 8, 8), np.float32)
    x[0, 0, 0] = 0.5
    np.savez(bench / "data.npz", x=x)
    return folder


@pytest.mark.parametrize(
    ("command", "more"),
    [("inspect", ()), ("fit", ()), ("compile", ("-o", "a.snnp", "--mapping", "naive"))],
)
def test_what_was_found_is_printed(silent, bench, monkeypatch, command, more):
    monkeypatch.chdir(bench)
    given = ("--random-weights", "--path", silent, "--calibration", bench / "data.npz")
    result = run(command, "silent:net()", *given, *more)
    assert result.exit_code == 0, result.output
    for note in (STEPS, SHAPE, SIGNAL):
        assert f"  - {note}\n" in result.stdout


def test_data_of_the_command_say_it_too(silent, bench):
    given = ("--random-weights", "--path", silent, "--data", bench / "data.npz")
    for arguments in (
        ("inspect", "silent:net()", "--energy"), ("analyze", "silent:net()"),
        ("compare", "silent:net()", "silent:net()"),
    ):  # fmt: skip
        result = run(*arguments, *given)
        assert result.exit_code == 0, result.output


def test_options_of_both_networks_that_are_compared(silent, bench):
    given = ("--rate", "0.1", "--path", silent, "--input-shape", "1,8,8")
    assert run("compare", "silent:net()", "silent:net()", *given).exit_code == 0
    assert "no example(module)" in refused(bench, "compare", "silent:net", "silent:net", *given[:4])


def test_a_folder_is_explained(silent, bench):
    said = refused(bench, "inspect", silent)
    assert said.startswith(
        f"{silent} is a folder; give --path {silent} and, of the modules in it,"
        " silent:FACTORY(arguments); a SPEC is one of: "
    )


def test_how_a_checkpoint_is_read(bench):
    import torch
    from safetensors.torch import load_file

    state = load_file(bench / "net.safetensors")
    held = {"a": {f"x.{name}": value for name, value in state.items()}, "b": {"w": torch.ones(1)}}
    held["a"]["loss.weight"] = torch.ones(1)
    torch.save(held, bench / "net.pt")
    given = ("inspect", bench / "tiny_model.py", "--checkpoint", bench / "net.pt")
    assert "--key: a, b" in refused(bench, *given)
    assert "--strip-prefix x." in refused(bench, *given, "--key", "a")
    given = (*given, "--key", "a", "--strip-prefix", "x.", "--allow-unexpected")
    result = run(*given)
    assert result.exit_code == 0, result.output
    assert "  - checkpoint net.pt: unexpected, left out: loss.weight\n" in result.stdout
    result = run("inspect", bench / "tiny_model.py", "--key", "a")
    assert result.exit_code == 2
    assert "--key says how a checkpoint is read: give --checkpoint as well" in result.stderr
