"""What the genuine stanc 2.37 says of the golden programs: nothing in pedantic mode, nothing to format."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lmmformula.stan.program.render import render
from programs import EVERY, program_of
from stanc import formatted, stanc_or_skip, unexplained, warnings_of

GOLDENS = sorted((Path(__file__).parent / "golden").glob("*.stan"))


@pytest.fixture(scope="module")
def stanc() -> Path:
    """Find the genuine stanc."""
    return stanc_or_skip()


@pytest.fixture(params=GOLDENS, ids=lambda path: path.stem)
def golden(request: pytest.FixtureRequest) -> Path:
    """Return a golden program."""
    return request.param


def test_pedantic_mode_finds_no_fault(stanc: Path, golden: Path, tmp_path: Path) -> None:
    """Every golden program compiles without a warning, but for those accepted above."""
    assert unexplained(warnings_of(stanc, golden, tmp_path), golden.read_text(encoding="utf-8")) == []


def test_a_missing_prior_is_found(stanc: Path, tmp_path: Path) -> None:
    """The check can fail: without its line for sigma a program is reported."""
    code = re.sub(r"\n *sigma ~.*", "", (GOLDENS[0].parent / "slope.stan").read_text(encoding="utf-8"))
    program = tmp_path / "model.stan"
    program.write_text(code, encoding="utf-8")
    (warning,) = unexplained(warnings_of(stanc, program, tmp_path), code)
    assert warning.startswith("The parameter sigma has no priors")


def test_formatting_changes_nothing(stanc: Path, golden: Path) -> None:
    """Every golden program is printed back as it is."""
    assert formatted(stanc, golden) == golden.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", EVERY)
def test_literal_numbers_leave_programs_clean(stanc: Path, name: str, tmp_path: Path) -> None:
    """The same holds of every program with the numbers of its priors written in their place."""
    code = render(program_of(name).program, literals=True, version="1")
    program = tmp_path / "model.stan"
    program.write_text(code, encoding="utf-8")
    assert unexplained(warnings_of(stanc, program, tmp_path), code) == []
    assert formatted(stanc, program) == code
