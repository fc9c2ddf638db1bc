"""Lava's own Python 3.10 environment: find an interpreter, make the environment."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from snndeploy.errors import DeployError

LOCK = Path(__file__).with_name("requirements.lock")
MARKER = "snndeploy-lava.txt"  # says that the environment is ours; the lock's hash: it is finished
INSTALL_TIMEOUT_S = 1800
PROBE_TIMEOUT_S = 20
LONGEST_REASON = 300  # characters of pip's own words
PROBE = "import sys, venv, ensurepip; print('%d.%d' % sys.version_info[:2])"


def default_folder() -> Path:
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "snndeploy" / "lava-0.10.0"


def environment_python(folder: str | Path | None = None) -> Path | None:
    """The environment's interpreter, or None while `setup_environment` has not finished it."""
    folder = Path(folder) if folder else default_folder()
    python = folder / "bin" / "python"
    try:
        finished = (folder / MARKER).read_text() == _lock_hash()
    except OSError:
        return None
    return python if finished and python.exists() else None


def setup_environment(folder: str | Path | None = None) -> Path:
    """Create Lava's environment, unless it is there already; the path of its interpreter.

    Every package is installed from a wheel whose hash `requirements.lock` names.
    """
    folder = Path(folder) if folder else default_folder()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _only_one(folder):
        python = environment_python(folder)
        if python is not None:
            return python
        interpreter = find_python310()
        _make_empty(folder)
        (folder / MARKER).write_text("unfinished")
        _step([str(interpreter), "-m", "venv", str(folder)], "could not be created")
        python = folder / "bin" / "python"
        install = [str(python), "-m", "pip", "install", "--disable-pip-version-check", "--quiet"]
        locked = ["--require-hashes", "--only-binary", ":all:", "-r", str(LOCK)]
        _step(install + locked, "could not be filled")
        (folder / MARKER).write_text(_lock_hash())
    return python


def find_python310() -> Path:
    """A Python 3.10: the user's choice, the PATH, pyenv, uv; else an error that says what to do."""
    chosen = os.environ.get("SNNDEPLOY_PYTHON310")
    if chosen:
        if _is_python310(Path(chosen)):
            return Path(chosen)
        raise DeployError(f"SNNDEPLOY_PYTHON310 is {chosen}, which is not a working Python 3.10")
    for candidate in _candidates():
        if _is_python310(candidate):
            return candidate
    raise DeployError(
        "Lava needs Python 3.10 and none was found: install it (`uv python install 3.10` or "
        "`pyenv install 3.10`), or set SNNDEPLOY_PYTHON310 to its path"
    )


def _candidates() -> Iterator[Path]:
    on_path = shutil.which("python3.10")
    if on_path:
        yield Path(on_path)
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    yield from sorted(pyenv.glob("versions/3.10*/bin/python"), reverse=True)
    uv = shutil.which("uv")
    if uv:
        yield from map(
            Path, _output([uv, "python", "find", "--no-project", "3.10"]).split("\n")[:1]
        )


def _is_python310(python: Path) -> bool:
    return _output([str(python), "-c", PROBE]).strip() == "3.10"


def _output(command: list[str]) -> str:
    """Standard output, or "" when the command fails in any way."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=PROBE_TIMEOUT_S, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout


def _step(command: list[str], failure: str) -> None:
    try:
        subprocess.run(
            command, capture_output=True, text=True, timeout=INSTALL_TIMEOUT_S, check=True
        )
    except subprocess.CalledProcessError as error:
        said = (error.stderr or error.stdout or "no message").strip()
        reason = said[max(said.find("ERROR"), 0) :][:LONGEST_REASON]
        raise DeployError(f"Lava's environment {failure}: {reason}") from error
    except subprocess.TimeoutExpired as error:
        raise DeployError(
            f"Lava's environment {failure} within {INSTALL_TIMEOUT_S} s: check the network"
        ) from error


def _lock_hash() -> str:
    return hashlib.sha256(LOCK.read_bytes()).hexdigest()


def _make_empty(folder: Path) -> None:
    """Only an environment that this module made may be replaced."""
    if (folder / MARKER).is_file():
        shutil.rmtree(folder)
    elif folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise DeployError(
            f"{folder} exists and is not Lava's environment; name another folder, or remove it"
        )
    folder.mkdir(exist_ok=True)


@contextmanager
def _only_one(folder: Path) -> Iterator[None]:
    """Keep two programs from making the same environment at the same time."""
    try:
        import fcntl
    except ImportError:  # Windows, where Lava runs but environments have another layout
        raise DeployError("Lava's environment is made on Linux and macOS only") from None
    with open(folder.parent / f".{folder.name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
