"""run_bundle leaves nothing behind; with a stand-in for Lava, so that these tests run anywhere."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from snndeploy.backends.lava import execute
from snndeploy.backends.lava.execute import run_bundle
from snndeploy.errors import DeployError

START_CHILDREN = """
import os, subprocess, sys, time
stubborn = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
for code in ("import time; time.sleep(600)", stubborn):
    subprocess.Popen([sys.executable, "-c", code])
print("step 1/9", file=sys.stderr, flush=True)
"""


@pytest.fixture(autouse=True)
def short_grace(monkeypatch):
    monkeypatch.setattr(execute, "GRACE_S", 1.0)


def write(folder: Path, code: str) -> Path:
    (folder / "run.py").write_text(code)
    return folder


def run(folder: Path, **options):
    return run_bundle(folder, **{"timeout_s": 30, "python": sys.executable, **options})


def processes_in(folder: Path) -> list[int]:
    """Living processes that work in a folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if os.readlink(entry / "cwd") == str(folder):
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def error_of(folder: Path, **options) -> str:
    with pytest.raises(DeployError) as caught:
        run(folder, **options)
    assert processes_in(folder) == []
    return str(caught.value)


def test_a_hung_run_is_ended_with_all_its_processes(tmp_path):
    write(tmp_path, START_CHILDREN + "time.sleep(600)")
    assert error_of(tmp_path, timeout_s=2) == (
        f"Lava did not finish {tmp_path.name} within 2 s and was ended after step 1 of 9; give "
        "it more time, or fewer samples"
    )


def test_a_killed_run_takes_its_children_along(tmp_path):
    write(tmp_path, START_CHILDREN + "time.sleep(0.5); os.kill(os.getpid(), 9)")
    assert error_of(tmp_path) == "Lava was killed by SIGKILL"


def test_an_interrupt_ends_the_run(tmp_path):
    def interrupt(*_):
        raise KeyboardInterrupt

    write(tmp_path, START_CHILDREN + "time.sleep(600)")
    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 1.5)
    try:
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert processes_in(tmp_path) == []


def test_children_that_outlive_a_finished_run_are_ended(tmp_path):
    write(tmp_path, START_CHILDREN + "print('population'); print('EQUAL')")
    started = time.monotonic()
    assert run(tmp_path).equal
    assert processes_in(tmp_path) == []
    assert time.monotonic() - started < 20


def test_the_failure_is_one_line(tmp_path):
    write(
        tmp_path, "import sys; print('warning', file=sys.stderr); raise ValueError('bad weights')"
    )
    assert error_of(tmp_path) == "Lava failed: ValueError: bad weights"
    write(tmp_path, "import sys; print('Lava failed: it died', file=sys.stderr); sys.exit(1)")
    assert error_of(tmp_path) == "Lava failed: it died"
    write(tmp_path, "import sys; print('no extension here'); sys.exit(3)")
    assert error_of(tmp_path) == "no extension here"


def test_a_difference_is_a_result(tmp_path):
    line = "FIRST DIFFERENCE: population p, neuron (c, y, x) = (0, 1, 2), step 3, sample 0"
    write(tmp_path, f"import sys; print('population  depth'); print({line!r}); sys.exit(1)")
    result = run(tmp_path)
    assert not result.equal
    assert result.first_difference == line


def test_progress_and_options_arrive(tmp_path):
    write(
        tmp_path,
        "import sys\nprint('population', sys.argv[1:])\n"
        "for i in (1, 2): print(f'step {i}/2', file=sys.stderr)",
    )
    seen = []
    result = run(tmp_path, samples=2, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 2), (2, 2)]
    assert result.report == "population ['--config', 'sim', '--samples', '2']"


def test_what_is_missing_is_named(tmp_path, monkeypatch):
    assert error_of(tmp_path) == f"{tmp_path} is not a Lava bundle: it has no run.py"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    write(tmp_path, "")
    assert error_of(tmp_path, python=None) == (
        "Lava's environment is not there: run `snndeploy lava setup` first"
    )
