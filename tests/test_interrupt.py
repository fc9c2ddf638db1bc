"""Ctrl-C half way: one line, exit code 130, no file."""

import os
import pty
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import tiny_model
from cli_runner import listing, run

pytestmark = pytest.mark.torch
CODE = "import sys\nfrom snndeploy.cli import main\nmain(sys.argv[1:])\n"
PATIENCE_S = 120


def _hear_interrupts():
    """A background job ignores SIGINT and hands that on; a person's terminal does not."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def interrupted_at(word, folder, *arguments):
    """Start a command on a terminal, send SIGINT when it says `word`; its last line and code."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", CODE, *map(str, arguments)],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=theirs, cwd=folder,
        preexec_fn=_hear_interrupts,
    )  # fmt: skip
    os.close(theirs)
    said, sent, end = b"", False, time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        if select.select([ours], [], [], 0.05)[0]:
            try:
                said += os.read(ours, 4096)
            except OSError:  # the terminal's other end is closed
                break
        if not sent and word.encode() in said:
            process.send_signal(signal.SIGINT)
            sent = True
    os.close(ours)
    out, _ = process.communicate(timeout=PATIENCE_S)
    assert sent, said
    return out, said.decode().replace("\r\x1b[K", "\n").strip().splitlines()[-1], process.returncode


EXPECTED = (b"", "snndeploy: interrupted; no file was left half written", 130)


@pytest.mark.parametrize("step", ["trace", pytest.param("calibrate", marks=pytest.mark.slow)])
def test_compile(tmp_path, step):
    (tmp_path / "mine.py").write_text(Path(tiny_model.__file__).read_text())
    before = listing(tmp_path)
    arguments = (
        "compile",
        "mine.py:net(timesteps=4, width=64)",
        "--random-weights",
        "-o",
        "a.snnp",
    )
    assert interrupted_at(step, tmp_path, *arguments) == EXPECTED
    assert listing(tmp_path) == before


def test_simulate(tmp_path):
    spec = f"{tiny_model.__file__}:net()"
    result = run("compile", spec, "--random-weights", "-o", tmp_path / "net.snnp")
    assert result.exit_code == 0, result.output
    np.savez(tmp_path / "data.npz", x=np.ones((60_000, 1, 8, 8), np.float32))
    before = listing(tmp_path)
    arguments = ("simulate", "net.snnp", "--data", "data.npz", "-o", "run", "--json", "a.json")
    assert interrupted_at("simulate", tmp_path, *arguments) == EXPECTED
    assert listing(tmp_path) == before
    assert sorted(os.listdir(tmp_path)) == ["data.npz", "net.snnp"]
