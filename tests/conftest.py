"""Fixtures and settings that every test shares."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

CHECKOUT = Path(__file__).resolve().parents[1]
ON_CI = os.environ.get("CI", "").lower() in ("1", "true")

# One thread a worker: two workers with a thread pool each would fight over the cores.
# Set before torch and numba are imported, so that a test without them does not pay for them.
if "PYTEST_XDIST_WORKER" in os.environ:
    for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
        os.environ[variable] = "1"
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)

settings.register_profile("here", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("ci" if ON_CI else "here")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "shared_data" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.shared)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of third-party data and models, which the repository does not hold."""
    named = os.environ.get("SNNDEPLOY_SHARED_DATA")
    folder = Path(named) if named else CHECKOUT.parent / "shared" / "data"
    if folder.is_dir():
        return folder
    message = f"NOT TESTED: no shared data at {folder}; set SNNDEPLOY_SHARED_DATA to its folder"
    warnings.warn(message, stacklevel=1)
    pytest.skip(message)


@pytest.fixture
def closed_folder() -> Iterator[Path]:
    """A folder that everybody may look into and nobody may write to."""
    folder = Path(tempfile.mkdtemp(prefix="snndeploy-test-"))
    folder.chmod(0o555)
    yield folder
    folder.chmod(0o755)
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model file, weights, data, and the program that `compile` makes of them."""
    import numpy as np
    import tiny_model
    import torch
    from cli_runner import run
    from safetensors.torch import save_file

    folder = tmp_path_factory.mktemp("made")
    shutil.copy(tiny_model.__file__, folder)
    torch.manual_seed(0)
    save_file(tiny_model.net().state_dict(), folder / "net.safetensors")
    rng = np.random.default_rng(0)
    x = rng.random((6, 1, 8, 8)).astype(np.float32)
    np.savez(folder / "data.npz", x=x, y=rng.integers(0, 3, 6))
    result = run(
        "compile", f"{folder}/tiny_model.py:net()", "--checkpoint", folder / "net.safetensors",
        "--calibration", folder / "data.npz", "-o", folder / "net.snnp",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    return folder


@pytest.fixture
def bench(tmp_path: Path) -> Path:
    """Model file, weights and data, without a program: nothing to compile first."""
    import numpy as np
    import tiny_model
    import torch
    from safetensors.torch import save_file

    shutil.copy(tiny_model.__file__, tmp_path)
    torch.manual_seed(0)
    save_file(tiny_model.net().state_dict(), tmp_path / "net.safetensors")
    np.savez(tmp_path / "data.npz", x=np.zeros((2, 1, 8, 8), np.float32))
    return tmp_path


@pytest.fixture
def program_copy(made: Path, tmp_path: Path) -> Path:
    """A copy of the program, to be damaged."""
    return Path(shutil.copy(made / "net.snnp", tmp_path))
