"""
docs/repl.md shows a session: its blocks, from the first to the last, are typed again and must print the same.

`pytest tests/repl/test_recorded.py --promote` writes what is printed now into the page: read the diff.
"""

import io
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from lmmformula.repl.plain import MORE, PROMPT, run_lines
from lmmformula.repl.session import Session
from test_documents import CLOCK, NUMBER

PAGE = Path(__file__).parents[2] / "docs" / "repl.md"
BLOCK = re.compile(r"^```text( sampled)?\n(lmm> .*?)^```$", re.MULTILINE | re.DOTALL)


def typed(block: str) -> Iterator[str]:
    """What was typed in a block."""
    for line in block.split("\n"):
        for prompt in (PROMPT, MORE):
            if line.startswith(prompt):
                yield line.removeprefix(prompt)


def played(session: Session, block: str) -> str:
    """The block as the session prints it now."""
    out = io.StringIO()
    run_lines(session, typed(block), out, out, echo=True)
    return "".join(f"{line.rstrip()}\n" for line in out.getvalue().splitlines())


def alike(shown: str, now: str) -> bool:
    """Whether the words are the same, and the figures within a factor of two: those of a sampler vary."""
    shown, now = (CLOCK.sub("a while", text) for text in (shown, now))
    figures = [[float(number) for number in NUMBER.findall(text)] for text in (shown, now)]
    words = [NUMBER.sub("#", text).split() for text in (shown, now)]
    return words[0] == words[1] and figures[0] == pytest.approx(figures[1], rel=0.5, abs=0.3)


def test_figures_are_compared() -> None:
    """Loosely, but not so that nothing fails."""
    assert alike("mean 9.2, 1.3 s", "mean  9.0, 0.9 s")
    assert not alike("mean 9.2", "mean 3.2")
    assert not alike("mean 9.2", "median 9.2")


def test_the_recorded_session_is_true(pytestconfig: pytest.Config) -> None:
    """Word for word; figures of the sampler roughly."""
    text, session = PAGE.read_text(encoding="utf-8"), Session()
    blocks = [(match, played(session, match[2])) for match in BLOCK.finditer(text)]
    assert len(blocks) > 4
    if pytestconfig.getoption("--promote"):
        for match, now in reversed(blocks):
            text = text[: match.start(2)] + now + text[match.end(2) :]
        PAGE.write_text(text, encoding="utf-8")
        return
    for match, now in blocks:
        assert alike(match[2], now) if match[1] else match[2] == now, f"expected:\n{match[2]}\nprinted:\n{now}"
