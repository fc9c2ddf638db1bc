"""A bundle away from home, with a fault in it, and with a Lava that dies."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from lava_networks import CASES
from test_lava_execute import processes_in

from snndeploy.backends.lava.execute import run_bundle
from snndeploy.errors import DeployError
from snndeploy.network import Network

pytestmark = pytest.mark.lava


def test_a_moved_bundle_runs_with_its_own_readme(bundled, lava_python, tmp_path):
    folder, _ = bundled(*CASES["residual_block"]())
    moved = tmp_path / "elsewhere" / "bundle"
    moved.parent.mkdir()
    shutil.move(folder, moved)
    commands = re.findall(r"^    python3\.10 (.*)$", (moved / "README.md").read_text(), re.M)
    assert commands == ["-m pip install -r requirements.txt", "run.py --config sim"]
    installed = commands[0].split() + ["--no-index"]  # nothing is missing in Lava's environment
    for words in (installed, commands[1].split()):
        command = (
            [str(lava_python), "-I", *words] if words[0] == "-m" else [str(lava_python), *words]
        )
        done = subprocess.run(
            command, cwd=moved, capture_output=True, text=True, timeout=180, env={"PATH": ""},
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "population      depth     spikes   expected  differing",
        *[line for line in done.stdout.splitlines() if line.startswith("body")],
        "EQUAL: every spike of every population at every step",
    ]


def test_hardware_that_is_not_there(bundled, lava_python):
    folder, _ = bundled(*CASES["or_pool"]())
    done = subprocess.run(
        [lava_python, folder / "run.py", "--config", "hardware"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 3
    line = "Intel's Lava extension for Loihi is not installed here: use --config sim"
    assert done.stdout == line + "\n"
    with pytest.raises(DeployError) as caught:
        run_bundle(folder, timeout_s=60, config="hardware", python=lava_python)
    assert str(caught.value) == line


def test_a_process_that_lava_does_not_ship_is_refused_on_hardware(bundled, lava_python):
    """Whether or not there is a board: the reason is the bundle's own."""
    for case, named in (
        ("neuron_programs", "charged, after, several ..."), ("soft_resets", "plain, kept, free"),
    ):  # fmt: skip
        folder, _ = bundled(*CASES[case]())
        with pytest.raises(DeployError) as caught:
            run_bundle(folder, timeout_s=60, config="hardware", python=lava_python)
        assert str(caught.value) == (
            f"{named}: a process for simulation alone, for which Lava ships no microcode: use"
            " --config sim"
        )


def change(folder: Path, name: str, *places: tuple[int, ...]) -> None:
    """Add one to what a bundle expects."""
    path = next((folder / "arrays").glob(f"*{name}.expected.npy"))
    expected = np.load(path)
    for place in places:
        expected[place] += 1
    np.save(path, expected)


def test_differences_are_named(bundled, lava_python):
    folder, activity = bundled(*CASES["pooled_integrator"]())
    change(folder, "second", (2, 0, 0, 0, 0), (1, 4, 2, 0, 1))
    change(folder, "first", (1, 5, 0, 0, 0))
    change(folder, "outputs", (0, 2))
    run = run_bundle(folder, timeout_s=180, python=lava_python)
    lava = activity.spikes["second"][1, 4, 2, 0, 1]
    output = activity.outputs[0, 2]
    assert not run.equal
    assert run.first_difference == run.report.splitlines()[-1]
    assert run.report.splitlines()[-3:] == [
        "outputs of readout: 9 values, 1 differing",
        f"OUTPUT DIFFERS: sample 0, output 2: Lava {output}, expected {output + 1}",
        "FIRST DIFFERENCE: population second, neuron (c, y, x) = (2, 0, 1), step 4, sample 1: "
        f"Lava {lava}, expected {lava + 1}",
    ]


# --- a Lava that dies ---------------------------------------------------------------------------


@pytest.fixture
def endless(bundled):
    """A bundle that Lava needs minutes for."""
    network, injected = CASES["two_convolutions"]()
    steps = 200_000
    long = Network(steps, network.populations, network.projections, network.injections)
    folder, _ = bundled(network, injected)
    for path in (folder / "arrays").iterdir():
        if "weight" not in path.name:
            few = np.load(path)
            np.save(path, few[:1])
    manifest = folder / "manifest.json"
    text = manifest.read_text().replace('"samples": 3', '"samples": 1')
    manifest.write_text(text.replace('"period": 8', f'"period": {long.chip_steps}'))
    return folder


def shared_memory(pids: list[int]) -> set[Path]:
    """The memory segments that processes share; what is there afterwards was left behind."""
    maps = "".join(Path(f"/proc/{pid}/maps").read_text() for pid in pids)
    return {Path(path) for path in re.findall(r"/dev/shm/psm_\w+", maps)}


def when_running(folder: Path, action) -> threading.Thread:
    """Do something to the processes of a run once Lava has started its own."""

    def wait_and_act():
        while len(processes_in(folder)) < 8:
            time.sleep(0.1)
        time.sleep(1)
        action(sorted(processes_in(folder)))

    thread = threading.Thread(target=wait_and_act, daemon=True)
    thread.start()
    return thread


def end_badly(folder: Path, lava_python: Path, signal_number: int, timeout_s: float) -> str:
    """Send a signal to one of Lava's processes; the error, once nothing is left."""
    shared: set[Path] = set()

    def act(pids):
        shared.update(shared_memory(pids))
        os.kill(pids[-2], signal_number)

    when_running(folder, act)
    with pytest.raises(DeployError) as caught:
        run_bundle(folder, timeout_s=timeout_s, python=lava_python)
    assert processes_in(folder) == []
    assert shared and not any(path.exists() for path in shared)
    return str(caught.value)


def test_a_process_of_lava_that_is_killed(endless, lava_python):
    message = end_badly(endless, lava_python, signal.SIGKILL, timeout_s=90)
    assert message == "Lava failed: one of its processes died: -9"


def test_a_lava_that_hangs(endless, lava_python):
    message = end_badly(endless, lava_python, signal.SIGSTOP, timeout_s=20)
    assert message.startswith("Lava did not finish bundle within 20 s and was ended ")


def test_a_caller_that_is_killed_takes_lava_along(endless, lava_python):
    code = (
        "from snndeploy.backends.lava.execute import run_bundle\n"
        f"run_bundle({str(endless)!r}, timeout_s=600, python={str(lava_python)!r})"
    )
    caller = subprocess.Popen([sys.executable, "-c", code])
    when_running(endless, lambda _: caller.kill()).join(60)
    caller.wait()
    deadline = time.monotonic() + 20
    while processes_in(endless) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert processes_in(endless) == []
