"""What the genuine stanc 2.37 says of the golden programs: nothing in pedantic mode, nothing to format."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from lmmformula.stan.render import render
from programs import EVERY, program_of
from standin import genuine_tool

GOLDENS = sorted((Path(__file__).parent / "golden").glob("*.stan"))

ACCEPTED = {
    r"The parameter (?P<given>\w+) has no priors.*": "false: stanc overlooks priors whose numbers are data",
    r"The parameter \w+ has 2 priors\.": "meant: its elements have priors of their own",
    r"Your Stan program has a parameter rho\w* with a lower and upper bound.*": "meant: a correlation has two bounds",
    r"Your Stan program has a parameter \w+ with a lower and upper bound.*": "meant: the user gave a uniform prior",
    r"Argument [\d.]+ suggests there may be parameters that are not unit scale.*": "true: so are the data",
}
"""Patterns of pedantic warnings that are no fault of a program, with the reason."""


@pytest.fixture(scope="module")
def stanc() -> Path:
    """Find the genuine stanc."""
    tool = genuine_tool("stanc")
    if tool is None:
        pytest.skip("the genuine stanc comes with the package prophet, which is not installed")
    return tool


@pytest.fixture(params=GOLDENS, ids=lambda path: path.stem)
def golden(request: pytest.FixtureRequest) -> Path:
    """Return a golden program."""
    return request.param


def warnings_of(stanc: Path, program: Path, folder: Path) -> list[str]:
    """Compile a program in pedantic mode (with --auto-format stanc warns of nothing) and return its warnings."""
    words = [stanc, "--warn-pedantic", f"--o={folder / 'model.hpp'}", program]
    run = subprocess.run(words, check=True, capture_output=True, text=True)
    text = re.sub(r"\s+", " ", run.stdout + run.stderr)
    return [part.strip() for part in re.split(r"Warning(?: in '[^']*', line \d+, column \d+)?: ", text) if part.strip()]


def unexplained(warnings: list[str], code: str) -> list[str]:
    """Keep the warnings that are accepted for no reason; a prior said to be missing must be there."""
    left = []
    for warning in warnings:
        found = next((match for pattern in ACCEPTED if (match := re.fullmatch(pattern, warning))), None)
        name = found.groupdict().get("given") if found else None
        if found is None or (
            name and not re.search(rf"(?m)^ *(?:to_vector\()?{name}\b[^;]*~|// multi_normal for {name} ", code)
        ):
            left.append(warning)
    return left


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


def formatted(stanc: Path, program: Path) -> str:
    """Let stanc print a program; it adds one empty line."""
    run = subprocess.run([stanc, "--auto-format", program], check=True, capture_output=True, text=True)
    return run.stdout.removesuffix("\n")


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
