"""
What reading a formula costs: the first one, which builds the parser; any other; and sums of growing length.

Run with `python benchmarks/formula.py`.
"""

import time
from collections.abc import Callable

from lmmformula.formula.parse import parse_text
from lmmformula.ir.lower.model import lower
from lmmformula.ir.model import ModelIR

FORMULAS = (
    "y ~ x + (x | g)",
    "y ~ a*b*c + poly(x, 2) + (x || g/h) + (1 | k)",
    "y ~ x + (x | g)\nb ~ normal(0, 5)\nsd ~ exponential(1)\ncor ~ lkj(2)\nsigma ~ exponential(1)",
)
LENGTHS = (100, 1_000, 10_000)


def read(text: str) -> ModelIR:
    """Parse and lower."""
    return lower(parse_text(text))


def seconds(call: Callable[[], object], repeats: int) -> float:
    """Return the least CPU time of a call."""
    times = []
    for _ in range(repeats):
        start = time.process_time()
        call()
        times.append(time.process_time() - start)
    return min(times)


def main() -> None:
    """Print a line for each case."""
    print(f"first formula, parser built     {seconds(lambda: read('y ~ x'), 1) * 1e3:8.1f} ms")
    for text in FORMULAS:
        shown = text.split("\n")[0] + (" and four priors" if "\n" in text else "")
        print(f"{shown:<31.31} {seconds(lambda text=text: [read(text) for _ in range(100)], 5) * 10:8.3f} ms")
    for length in LENGTHS:
        text = "y ~ " + " + ".join(f"x{i}" for i in range(length))
        cost = seconds(lambda text=text: read(text), 3)
        print(f"a sum of {length:<6} terms          {cost * 1e3:8.1f} ms, {cost / length * 1e6:.1f} µs a term")


if __name__ == "__main__":
    main()
