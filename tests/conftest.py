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
