"""What is said on a terminal while something takes long."""

import sys
import time
from io import StringIO

import pytest

from lmmformula import waiting


class Terminal(StringIO):
    """A terminal that remembers."""

    def isatty(self) -> bool:
        """Say that it is one."""
        return True


@pytest.mark.parametrize("screen", [Terminal(), StringIO(), None])
def test_a_line_comes_and_goes(screen: StringIO | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal, with what is done so far; elsewhere nothing is written."""
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setattr(waiting, "PATIENCE", 0.0)
    monkeypatch.setattr(waiting, "BEAT", 0.001)
    with waiting.waiting("second derivatives", 24) as count:
        count(7)
        time.sleep(0.05)
    if screen is not None:
        lines = screen.getvalue().split("\r\x1b[2K")
        assert ("second derivatives: 7 of 24 (0 s)" in lines) == screen.isatty()
        assert lines[-1] == ""


def test_nothing_is_said_of_what_is_short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even an empty line; nor is an error held back."""
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    with pytest.raises(KeyError), waiting.waiting("a sum"):
        raise KeyError
    assert screen.getvalue() == ""
