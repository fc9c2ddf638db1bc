"""The commands as a user meets them: what they print, and what they leave."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import tiny_model
from cli_runner import refused, run

pytestmark = pytest.mark.torch
CHIP = (Path(__file__).resolve().parents[1] / "targets" / "loihi2.toml").read_text()


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
    assert sorted(os.listdir(tmp_path / "a" / "run")) == [
        "report.html",
        "report.json",
        "written.json",
    ]


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
