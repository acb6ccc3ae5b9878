"""
README.md and docs/ say what the package does: each is one session, run from top to bottom in an empty folder.

`pytest tests/test_documents.py --promote` writes what the code prints now into them: read the diff.
"""

import doctest
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md"))]
NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
CLOCK = re.compile(r"\d+(?:\.\d+)? s\b")
SAMPLED = doctest.register_optionflag("SAMPLED")
"""The output holds figures of a sampler, whose digits differ between machines but whose sizes don't, or a clock's."""
OPTIONS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS


class Checker(doctest.OutputChecker):
    """Compare exactly; under SAMPLED, the text exactly and the numbers loosely."""

    def check_output(self, want: str, got: str, optionflags: int) -> bool:
        """Whether the output is the one that stands in the document."""
        if not optionflags & SAMPLED:
            return super().check_output(want, got, optionflags)
        want, got = CLOCK.sub("a while", want), CLOCK.sub("a while", got)
        shown, found = ([float(n) for n in NUMBER.findall(text)] for text in (want, got))
        words = super().check_output(NUMBER.sub("#", want), NUMBER.sub("#", got), optionflags)
        return words and shown == pytest.approx(found, rel=0.3, abs=0.3)


class Runner(doctest.DocTestRunner):
    """Keeps the output of examples that print something else than the document says."""

    def report_failure(self, out: object, test: doctest.DocTest, example: doctest.Example, got: str) -> None:
        """Keep it, and report it."""
        self.changed.append((example, got))
        super().report_failure(out, test, example, got)  # type: ignore[arg-type]

    def __init__(self) -> None:
        super().__init__(Checker(), optionflags=OPTIONS)
        self.changed: list[tuple[doctest.Example, str]] = []


def session(text: str) -> str:
    r"""
    Return the text as doctest reads it, line for line: without fences, and with blank lines of an output marked.

    >>> session("```python\n>>> f()\na\n\nb\n\n>>> g()\n```").split("\n")
    ['', '>>> f()', 'a', '<BLANKLINE>', 'b', '', '>>> g()', '']
    """
    lines, code, blank = text.split("\n"), False, False
    for i in reversed(range(len(lines))):
        fence = lines[i].startswith("```")
        code ^= fence
        if code and not lines[i].strip():
            lines[i] = "<BLANKLINE>" if blank else ""
        blank = code and not fence and (blank if not lines[i] else not lines[i].startswith(">>>"))
        lines[i] = "" if fence else lines[i]
    return "\n".join(lines)


def promoted(text: str, changed: list[tuple[doctest.Example, str]]) -> str:
    """Return the document with the outputs of now."""
    lines = text.split("\n")
    for example, got in reversed(changed):
        start = example.lineno + example.source.count("\n")
        shown = got.rstrip().split("\n") if got else []
        lines[start : start + example.want.count("\n")] = [" " * example.indent + line.rstrip() for line in shown]
    return "\n".join(lines)


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    """Close the pictures of a page: matplotlib warns where many are open."""
    yield
    if (pyplot := sys.modules.get("matplotlib.pyplot")) is not None:
        pyplot.close("all")


@pytest.mark.parametrize("document", DOCUMENTS, ids=[d.name for d in DOCUMENTS])
def test_document_is_true(
    document: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pytestconfig: pytest.Config
) -> None:
    """Every `>>>` example prints what stands below it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "Agg")
    text = document.read_text(encoding="utf-8")
    parser = doctest.DocTestParser()
    examples = parser.get_doctest(session(text), {"__name__": "__main__"}, document.name, str(document), 0)
    report: list[str] = []
    runner = Runner()
    failed = runner.run(examples, out=report.append).failed
    if pytestconfig.getoption("--promote"):
        document.write_text(promoted(text, runner.changed), encoding="utf-8")
        failed -= len(runner.changed)
    assert failed == 0, "".join(report)


def test_a_wrong_figure_fails() -> None:
    """The loose comparison is not so loose that nothing fails."""
    checker = Checker()
    assert checker.check_output("sd 9.17 of x\n", "sd  9.02 of x\n", SAMPLED | OPTIONS)
    assert not checker.check_output("sd 9.17 of x\n", "sd 4.02 of x\n", SAMPLED | OPTIONS)
    assert not checker.check_output("sd 9.17 of x\n", "sd 9.17 of z\n", SAMPLED | OPTIONS)
