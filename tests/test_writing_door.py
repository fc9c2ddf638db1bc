"""Commands replace no input and no file that is not ours, hear SIGTERM, and print safely."""

import shutil
import subprocess
import sys
from pathlib import Path

import click
import numpy as np
import pytest
import tiny_model
from cli_runner import refused, run

from snndeploy.cli import COMMANDS
from snndeploy.commands.console import Command, OutputPath

pytestmark = pytest.mark.torch
CODE = "import sys\nfrom snndeploy.cli import main\nmain(sys.argv[1:])\n"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    spec = f"{tiny_model.__file__}:net()"
    assert run("compile", spec, "--random-weights", "-o", folder / "net.snnp").exit_code == 0
    np.savez(folder / "d.npz", x=np.ones((2, 1, 8, 8), np.float32))
    return folder


@pytest.fixture
def folder(made, tmp_path):
    for path in made.iterdir():
        shutil.copy(path, tmp_path)
    shutil.copy(tiny_model.__file__, tmp_path / "nets.py")
    return tmp_path


INPUTS = {
    "the model's source": ("compile {0}/nets.py:net() --random-weights -o {0}/nets.py", "nets.py"),
    "its own program": ("export {0}/net.snnp --format nir -o {0}/net.snnp", "net.snnp"),
    "its data": ("simulate {0}/net.snnp --data {0}/d.npz --json {0}/d.npz", "d.npz"),
    "data by a link": ("simulate {0}/net.snnp --data {0}/d.npz --json {0}/link", "link"),
    "a program analysed": (
        "analyze {0}/net.snnp --data {0}/d.npz --json {0}/net.snnp",
        "net.snnp",
    ),
    "calibration": (
        "compile {0}/nets.py:net() --random-weights --calibration {0}/d.npz -o {0}/d.npz",
        "d.npz",
    ),
}


@pytest.mark.parametrize("case", INPUTS)
def test_an_output_is_no_input(folder, case):
    command, named = INPUTS[case]
    (folder / "link").symlink_to("d.npz")
    said = refused(folder, *command.format(folder).split())
    assert said == f"{folder}/{named} is an input of this command: name another file to write"


def test_force_does_not_let_an_output_be_an_input(folder):
    command = f"compile {folder}/nets.py:net() --random-weights -o {folder}/nets.py --force"
    assert "is an input of this command" in refused(folder, *command.split())


def test_two_outputs_are_two_files(folder):
    command = f"compile {folder}/nets.py:net() --random-weights -o {folder}/a --json {folder}/a"
    assert refused(folder, *command.split()) == (
        f"{folder}/a is named for two outputs: name another for one"
    )


STRANGERS = (
    "compile {0}/nets.py:net() --random-weights -o {0}/thesis.tex",
    "simulate {0}/net.snnp --data {0}/d.npz --json {0}/thesis.tex",
    "export {0}/net.snnp --format nir -o {0}/thesis.tex",
    "inspect {0}/net.snnp --json {0}/thesis.tex",
)


@pytest.mark.parametrize("command", STRANGERS)
def test_a_strangers_file_is_replaced_with_force_alone(folder, command):
    (folder / "thesis.tex").write_text("years of work")
    words = command.format(folder).split()
    assert refused(folder, *words) == (
        f"{folder}/thesis.tex exists, and snndeploy did not write it: name another file, or replace"
        " it with --force"
    )
    result = run(*words, "--force")
    assert result.exit_code == 0, result.output
    again = run(*words)
    assert again.exit_code == 0, "what is ours now is replaced without --force"


FOLDERS = (
    "simulate {0}/net.snnp --data {0}/d.npz -o {0}/out",
    "deploy {0}/net.snnp -o {0}/out",
    "export {0}/net.snnp --format sanafe -o {0}/out",
    "compile {0}/nets.py:net() --random-weights -o {0}/new.snnp --dump {0}/out",
    "analyze {0}/net.snnp --data {0}/d.npz --layer no_pictures -o {0}/out",
)


@pytest.mark.parametrize("command", FOLDERS[:4])
def test_a_folder_written_again_keeps_what_the_user_put_there(folder, command):
    words = command.format(folder).split()
    assert run(*words).exit_code == 0
    (folder / "out" / "results.csv").write_text("measured")
    again = run(*words)
    assert again.exit_code == 0, again.output
    assert (folder / "out" / "results.csv").read_text() == "measured"


@pytest.mark.parametrize("command", FOLDERS)
def test_a_strangers_folder_is_refused(folder, command):
    (folder / "out").mkdir()
    (folder / "out" / "manifest.json").write_text('{"format": "snndeploy lava bundle"}')
    assert refused(folder, *command.format(folder).split()) == (
        f"folder {folder}/out is not empty, and snndeploy did not write it: name a new one, or add"
        " to it with --force"
    )


def every(command):
    if isinstance(command, click.Group):
        for each in command.commands.values():
            yield from every(each)
    else:
        yield command


@pytest.mark.parametrize("command", [c for group in COMMANDS for c in every(group)], ids=str)
def test_every_command_guards_its_outputs(command):
    """What is called an output is declared as one, and whoever has one has --force."""
    assert isinstance(command, Command)
    outputs = [p for p in command.params if p.name in ("output", "json_file", "dump")]
    assert all(isinstance(p.type, OutputPath) for p in outputs)
    assert bool(outputs) == any(p.name == "force" for p in command.params)


def test_terminated_half_way(tmp_path):
    """SIGTERM cleans up as ctrl-C does."""
    shutil.copy(tiny_model.__file__, tmp_path / "mine.py")
    process = subprocess.Popen(
        [sys.executable, "-c", f"import signal, os\n{SLOWLY}{CODE}", "compile",
         "mine.py:net(timesteps=4, width=64)", "--random-weights", "-o", "a.snnp"],
        cwd=tmp_path, stderr=subprocess.PIPE,
    )  # fmt: skip
    said = process.communicate(timeout=120)[1].decode()
    assert (said, process.returncode) == (
        "snndeploy: terminated; no file was left half written\n",
        143,
    )
    assert sorted(p.name for p in tmp_path.iterdir() if p.suffix != ".pyc") in (
        ["mine.py"],
        ["__pycache__", "mine.py"],
    )


SLOWLY = """
import snndeploy.program.program as program
def stopped(*arguments):
    os.kill(os.getpid(), signal.SIGTERM)
program._documents = stopped
"""


def test_names_reach_the_terminal_escaped(folder):
    """A file's names may hold what moves a cursor or turns the reading order round."""
    source = Path(tiny_model.__file__).read_text()
    evil = "\x1b]0;owned\x07\u202e"
    (folder / "evil.py").write_text(
        f"{source}\n\ndef evil():\n    made = net()\n    made.name = {evil!r}\n"
        f"    made._modules[{evil!r}] = made._modules.pop(next(iter(made._modules)))\n"
        "    return made\n"
    )
    for words in (
        ("inspect", f"{folder}/net.snnp"),
        ("compile", f"{folder}/evil.py:evil()", "--random-weights", "-o", folder / "e.snnp"),
    ):
        result = run(*words)
        for stream in (result.stdout, result.stderr):
            assert not set(stream) & {"\x1b", "\x07", "\u202e"}
