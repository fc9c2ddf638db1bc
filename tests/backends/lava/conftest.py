"""Lava's environment, and the way from a network to Lava's own answer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from snndeploy.backends.lava.bundle import write_bundle
from snndeploy.backends.lava.environment import setup_environment
from snndeploy.engines.activity import Activity
from snndeploy.engines.reference import run_reference
from snndeploy.network import Network

LAVA_TIMEOUT_S = 180


@pytest.fixture(scope="session")
def lava_python() -> Path:
    """The interpreter of Lava's environment, which is made when it is not there yet."""
    return setup_environment()


@pytest.fixture
def bundled(tmp_path: Path) -> Callable[[Network, dict[int, np.ndarray]], tuple[Path, Activity]]:
    """Write a network's bundle with what the reference computes."""

    def write(network: Network, injected: dict[int, np.ndarray]) -> tuple[Path, Activity]:
        activity = run_reference(network, injected)
        folder = tmp_path / "bundle"
        return write_bundle(network, injected, activity.spikes, activity.outputs, folder), activity

    return write
