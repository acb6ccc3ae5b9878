"""
What a design costs: a million rows, five columns, against formulaic's own time for the fixed part.

Run with `python benchmarks/design.py`.
"""

import time
from collections.abc import Callable

import formulaic
import numpy as np
import pandas as pd

from lmmformula.api.input.parsing import parse
from lmmformula.data.table import read_table
from lmmformula.design.build import build_design

ROWS = 1_000_000
REPEATS = 5
CASES = (
    ("numbers", "a + b + c", "a + b + c"),
    ("a factor", "a + b + f", "a + b + f"),
    ("an interaction", "a * f + b", "a * f + b"),
    ("poly(), scale()", "poly(a, 2) + scale(b) + f", "poly(a, 2) + scale(b) + f"),
)
RANDOM = " + (a | g)"


def data() -> pd.DataFrame:
    """Five columns beside the response: three of numbers, a factor of 5 levels and one of 1000."""
    rng = np.random.default_rng(1)
    columns: dict[str, object] = {name: rng.normal(size=ROWS) for name in "yabc"}
    columns["f"] = pd.Categorical.from_codes(rng.integers(0, 5, ROWS), categories=list("pqrst"))
    columns["g"] = pd.Categorical.from_codes(rng.integers(0, 1000, ROWS), categories=[f"g{i}" for i in range(1000)])
    return pd.DataFrame(columns)


def seconds(calls: list[Callable[[], object]]) -> list[float]:
    """Return the least CPU time of each call; they take turns, so that noise meets all alike."""
    least = [float("inf")] * len(calls)
    for _ in range(REPEATS):
        for i, call in enumerate(calls):
            start = time.process_time()
            call()
            least[i] = min(least[i], time.process_time() - start)
    return least


def design(formula: str, frame: pd.DataFrame) -> object:
    """Read the data, and make the whole design."""
    table = read_table(frame)
    return build_design(parse(formula).bind(table.names), table)


def main() -> None:
    """Print a line for each case."""
    frame = data()
    print(f"{ROWS:,} rows; CPU seconds, best of {REPEATS}")
    print(f"{'':<18}{'formulaic, X':>14}{'ours, y and X':>15}{'ratio':>8}{'ours, with (a | g)':>20}{'ratio':>8}")
    for name, ours, theirs in CASES:
        reference, fixed, mixed = seconds(
            [
                lambda theirs=theirs: formulaic.model_matrix(theirs, frame, output="numpy"),
                lambda ours=ours: design(f"y ~ {ours}", frame),
                lambda ours=ours: design(f"y ~ {ours}{RANDOM}", frame),
            ]
        )
        ratios = (fixed / reference, mixed / reference)
        print(f"{name:<18}{reference:>14.3f}{fixed:>15.3f}{ratios[0]:>8.2f}{mixed:>20.3f}{ratios[1]:>8.2f}")


if __name__ == "__main__":
    main()
