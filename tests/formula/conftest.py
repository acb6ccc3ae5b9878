"""The tables bad.txt and doubtful.txt rewrite themselves under `--promote`."""

import pytest


def pytest_configure(config: pytest.Config) -> None:
    """Rewrite the tables before they are read."""
    if config.getoption("--promote"):
        from promote import promote

        promote()
