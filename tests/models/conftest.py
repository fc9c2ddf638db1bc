"""Puts models/ on the import path, as the compiler's loader does for a network file's folder."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

MODELS = Path(__file__).resolve().parents[2] / "models"
sys.path.insert(0, str(MODELS))


@pytest.fixture(scope="session")
def models_folder() -> Path:
    """The folder of the shipped networks."""
    return MODELS
