"""Options of the test suite."""

import os
from collections.abc import Iterator

import pytest

from lmmformula.ir.functions import REGISTERED
from lmmformula.stan.engines.stanli_sampling import loaded

loaded()  # before a test module imports stanli: single chains then need no process of their own
os.environ.pop("COLUMNS", None)  # set for test processes by some runners; tables are as wide as they like here


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--promote`, which accepts changed golden texts: read the diff before committing it."""
    parser.addoption("--promote", action="store_true", help="rewrite golden files with what the code gives now")


@pytest.fixture(autouse=True)
def _registry() -> Iterator[None]:
    """Forget functions that a test or a page has registered."""
    before = dict(REGISTERED)
    yield
    REGISTERED.clear()
    REGISTERED.update(before)
