"""Every writing command, stopped at each of its file operations by each signal: the old outputs or
the new ones are there, never a mixture, and the next run leaves nothing behind."""

import hashlib
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tiny_model
from cli_runner import run

pytestmark = [pytest.mark.torch, pytest.mark.slow]
SERVER = Path(__file__).with_name("crash_points.py")
SIGNALS = (signal.SIGKILL, signal.SIGINT, signal.SIGTERM)
# the second form of a command makes other contents than the first
COMMANDS = {
    "compile": ("compile nets.py:net() --random-weights --timesteps {0} -o out", "4", "5"),
    "simulate": ("simulate net.snnp --data d.npz --samples {0} -o out", "1", "2"),
    "json": ("simulate net.snnp --data d.npz --samples {0} --json out", "1", "2"),
    "deploy": ("deploy net.snnp --data d.npz --samples {0} -o out", "1", "2"),
    "sanafe": ("export {0}.snnp --format sanafe -o out", "net", "other"),
    "nir": ("export {0}.snnp --format nir -o out", "net", "other"),
    "map": ("export {0}.snnp --format map -o out", "net", "other"),
}
MOST = 8
INPUTS = ("nets.py", "net.snnp", "other.snnp", "d.npz")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    shutil.copy(tiny_model.__file__, folder / "nets.py")
    for name, width in (("net", 4), ("other", 6)):
        spec = f"{tiny_model.__file__}:net(width={width})"
        result = run("compile", spec, "--random-weights", "-o", folder / f"{name}.snnp")
        assert result.exit_code == 0, result.output
    np.savez(folder / "d.npz", x=np.ones((2, 1, 8, 8), np.float32))
    return folder


@pytest.fixture
def bench(made, tmp_path):
    for name in INPUTS:
        shutil.copy(made / name, tmp_path)
    process = subprocess.Popen(
        [sys.executable, str(SERVER), str(tmp_path)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=tmp_path,
    )  # fmt: skip

    def job(command, stop_at=None, number=0):
        asked = {"command": command.split(), "stop_at": stop_at, "signal": int(number)}
        process.stdin.write(json.dumps(asked) + "\n")
        process.stdin.flush()
        return json.loads(process.stdout.readline())

    yield tmp_path, job
    process.stdin.close()
    process.wait()


def contents(path):
    """Every file of an output and its hash; None where there is none."""
    if path.is_file():
        return hashlib.sha256(path.read_bytes()).hexdigest()
    if not path.is_dir():
        return None
    files = sorted(p for p in path.rglob("*") if p.is_file() and "__pycache__" not in p.parts)
    return {str(p.relative_to(path)): contents(p) for p in files}


def entries(folder):
    return {name for name in os.listdir(folder) if name != "__pycache__"}


@pytest.mark.parametrize("name", COMMANDS)
def test_old_or_new_and_nothing_else(bench, name):
    folder, job = bench
    text, first, second = COMMANDS[name]
    out = folder / "out"
    assert job(text.format(second))["code"] == 0
    new = contents(out)
    shutil.rmtree(out) if out.is_dir() else out.unlink()
    done = job(text.format(first))
    assert done["code"] == 0
    old = contents(out)
    assert old != new and done["operations"] > 2
    inputs = {each: contents(folder / each) for each in INPUTS}
    last = job(text.format(second))["operations"]
    assert job(text.format(first))["code"] == 0
    for number, stop_at in itertools.product(SIGNALS, points(last)):
        where = f"{name}, {number.name} at operation {stop_at}"
        if out.is_dir():
            (out / "notes.txt").write_text("mine")
        answer = job(text.format(second), stop_at, number)
        found = contents(out)
        mine = found.pop("notes.txt", None) if out.is_dir() else None
        assert found in (old, new), where
        assert out.is_file() or mine is not None, f"{where}: the user's file is gone"
        assert answer["code"] in (0, -int(number), 130, 143), where
        assert {each: contents(folder / each) for each in INPUTS} == inputs, where
        if number is not signal.SIGKILL:
            assert entries(folder) == {*INPUTS, "out"}, where
        assert job(text.format(first))["code"] == 0
        assert entries(folder) == {*INPUTS, "out"}, f"{where}: litter after the next run"
        if out.is_dir():
            (out / "notes.txt").unlink()
        assert contents(out) == old, where


def points(last):
    """All operations where SNNDEPLOY_ALL_CRASH_POINTS is set (half an hour), else up to MOST."""
    if os.environ.get("SNNDEPLOY_ALL_CRASH_POINTS"):
        return range(1, last + 1)
    return sorted({round(place) for place in np.linspace(1, last, min(last, MOST))})
