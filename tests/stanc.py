"""The genuine stanc 2.37: what it says of a program, and how it prints one."""

import re
import subprocess
from pathlib import Path

import pytest

from standin import genuine_tool

ACCEPTED = {
    r"The parameter (?P<given>\w+) has no priors.*": "false: stanc overlooks priors whose numbers are data",
    r"The parameter \w+ has 2 priors\.": "meant: its elements have priors of their own",
    r"Your Stan program has a parameter rho\w* with a lower and upper bound.*": "meant: a correlation has two bounds",
    r"Your Stan program has a parameter \w+ with a lower and upper bound.*": "meant: the user gave a uniform prior",
    r"Argument -?[\d.]+(?:e-?\d+)? suggests there may be parameters that are not unit scale.*": "true: so are the data",
}
"""Patterns of pedantic warnings that are no fault of a program, with the reason."""


def stanc_or_skip() -> Path:
    """Find the genuine stanc."""
    tool = genuine_tool("stanc")
    if tool is None:
        pytest.skip("the genuine stanc comes with the package prophet, which is not installed")
    return tool


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


def formatted(stanc: Path, program: Path) -> str:
    """Let stanc print a program; it adds one empty line."""
    run = subprocess.run([stanc, "--auto-format", program], check=True, capture_output=True, text=True)
    return run.stdout.removesuffix("\n")
