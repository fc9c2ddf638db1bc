import pytest


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "recordings: replays traces of the lava-dl wheel, downloaded once (68 MB)"
    )
