"""Options of the test suite."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--promote`, which accepts changed golden texts: read the diff before committing it."""
    parser.addoption("--promote", action="store_true", help="rewrite golden files with what the code gives now")
