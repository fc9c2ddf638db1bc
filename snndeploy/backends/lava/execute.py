"""Runs a bundle in Lava's environment, in a process of its own that leaves nothing behind."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from snndeploy.backends.lava.environment import environment_python
from snndeploy.errors import DeployError

GRACE_S = 5.0  # between asking Lava's processes to end and ending them
KEPT_LINES = 200
STEP = re.compile(r"step (\d+)/(\d+)$")
NO_HARDWARE = 3

Progress = Callable[[int, int], None]
"""Called with the Lava steps done and their total."""


@dataclass(frozen=True)
class LavaRun:
    """equal: every spike of every population, and the outputs.  report: what run.py printed."""

    equal: bool
    report: str
    seconds: float

    @property
    def first_difference(self) -> str:
        """The line that names the first difference, "" when all is equal."""
        named = ("FIRST DIFFERENCE", "OUTPUT DIFFERS")
        lines = [line for line in self.report.splitlines() if line.startswith(named)]
        return min(lines, default="")


@dataclass
class _Output:
    """Reads both streams of a process while it runs."""

    process: subprocess.Popen[str]
    progress: Progress | None
    last_step: str = "before the first step"
    lines: dict[str, list[str]] = field(default_factory=lambda: {"out": [], "err": []})
    threads: list[threading.Thread] = field(default_factory=list)

    def start(self) -> None:
        for name, stream in (("out", self.process.stdout), ("err", self.process.stderr)):
            thread = threading.Thread(target=self._read, args=(name, stream), daemon=True)
            thread.start()
            self.threads.append(thread)

    def _read(self, name: str, stream: object) -> None:
        for line in stream:  # type: ignore[attr-defined]
            step = STEP.match(line.strip()) if name == "err" else None
            if step is None:
                self.lines[name] = [*self.lines[name], line.rstrip()][-KEPT_LINES:]
                continue
            self.last_step = f"after step {step[1]} of {step[2]}"
            if self.progress is not None:
                self.progress(int(step[1]), int(step[2]))

    def finish(self) -> None:
        for thread in self.threads:
            thread.join(GRACE_S)


def run_bundle(
    folder: str | Path,
    *,
    timeout_s: float,
    samples: int | None = None,
    config: str = "sim",
    results: str | Path | None = None,
    progress: Progress | None = None,
    python: str | Path | None = None,
) -> LavaRun:
    """Run a bundle on Lava and say whether it computed what is expected.

    python: the interpreter, by default that of `setup_environment()`'s environment.
    results: an .npz file that gets the spikes ("spikes/NAME") and "outputs".
    A difference is a result; a DeployError is a Lava that failed, hung or was killed.  Whatever
    happens, an interrupt included, none of Lava's processes is left.
    """
    folder = Path(folder)
    command = _command(folder, samples, config, results, python)
    started = time.monotonic()
    process = subprocess.Popen(
        command,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "LAVA_BUNDLE_CALLER": str(os.getpid()), "PYTHONDONTWRITEBYTECODE": "1"},
    )
    output = _Output(process, progress)
    output.start()
    try:
        code = process.wait(timeout_s)
    except subprocess.TimeoutExpired:
        raise DeployError(
            f"Lava did not finish {folder.name} within {timeout_s:g} s and was ended "
            f"{output.last_step}; give it more time, or fewer samples"
        ) from None
    finally:
        end_group(process)
        output.finish()
    _raise_on_failure(code, output.lines)
    report = "\n".join(output.lines["out"])
    return LavaRun(code == 0, report, time.monotonic() - started)


def _command(
    folder: Path,
    samples: int | None,
    config: str,
    results: str | Path | None,
    python: str | Path | None,
) -> list[str]:
    python = python or environment_python()
    if python is None:
        raise DeployError("Lava's environment is not there: run `snndeploy lava setup` first")
    if not (folder / "run.py").is_file():
        raise DeployError(f"{folder} is not a Lava bundle: it has no run.py")
    command = [str(python), "run.py", "--config", config]
    command += ["--samples", str(samples)] if samples is not None else []
    command += ["--results", str(Path(results).resolve())] if results is not None else []
    return command


def _raise_on_failure(code: int, lines: dict[str, list[str]]) -> None:
    """Ended by a signal, by an exception, or refused: one line."""
    if code == NO_HARDWARE:
        raise DeployError(lines["out"][-1] if lines["out"] else "no Loihi hardware here")
    if code < 0:
        raise DeployError(f"Lava was killed by {signal.Signals(-code).name}")
    compared = any(line.startswith("population") for line in lines["out"])
    if code != 0 and not compared:
        said = [line for line in lines["err"] if line.strip()]
        own = [line for line in said if line.startswith("Lava failed")]
        raise DeployError(own[-1] if own else f"Lava failed: {said[-1] if said else 'no message'}")


def end_group(process: subprocess.Popen[str]) -> None:
    """End the process and all that it started: asked first, so that shared memory is freed."""
    for signal_number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, signal_number)
        except (ProcessLookupError, PermissionError):
            break
        if _group_ended(process):
            break
    process.wait()


def _group_ended(process: subprocess.Popen[str]) -> bool:
    deadline = time.monotonic() + GRACE_S
    while time.monotonic() < deadline:
        process.poll()
        try:
            os.killpg(process.pid, 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            return False
        time.sleep(0.05)
    return False
