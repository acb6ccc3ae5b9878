"""
How long the toolbar takes to follow a keystroke, on 100 000 rows; and how long the command line takes to say its help.

Run with `python benchmarks/repl.py`.
"""

import subprocess
import sys
import time

import numpy as np

from lmmformula.repl.state import State, data_of
from lmmformula.repl.terminal import warm_up
from lmmformula.repl.typing.completion import candidates
from lmmformula.repl.typing.live import look

ROWS = 100_000
LINES = (
    "y ~ x + (x | g)",
    "y ~ x*f + z + (x | g) + (1 | h)",
    "y ~ log(w) + poly(x, 2) + f + (x + f || g) + (1 | h:f)",
    ":fit ml y ~ x + z + I(x + z) + (1 | g/h)",
)
GOAL = 0.05


def main() -> None:
    """Type each line, character by character, and print how long each look took."""
    rng = np.random.default_rng(1)
    columns = {name: rng.normal(size=ROWS) for name in ("y", "x", "z")} | {
        "w": rng.exponential(size=ROWS),
        "g": rng.integers(0, 2_000, ROWS).astype(str),
        "h": rng.integers(0, 50, ROWS),
        "f": rng.choice(list("abcd"), ROWS),
    }
    columns["z"][:100] = np.nan
    start = time.perf_counter()
    state = State(data=data_of(columns, "made", "made"))
    warm_up(state)  # as the terminal does, beside the first keystrokes
    look("y ~ x", state)  # builds the parser, once
    print(f"imports, parser and {len(columns)} columns of {ROWS:,} rows, once: {time.perf_counter() - start:.2f} s")
    print(f"milliseconds a keystroke (goal: {GOAL * 1e3:.0f})")
    print(f"{'look: median':>14}{'worst':>9}{'complete: worst':>18}")
    for line in LINES:
        prefixes = [line[:end] for end in range(1, len(line) + 1)]
        looks, completions = ([_seconds(f, p, state) for p in prefixes] for f in (look, candidates))
        print(f"{1e3 * np.median(looks):14.1f}{1e3 * max(looks):9.1f}{1e3 * max(completions):18.1f}   {line}")
    start = time.perf_counter()
    subprocess.run([sys.executable, "-m", "lmmformula", "--help"], capture_output=True, check=True)
    print(f"lmmformula --help: {time.perf_counter() - start:.2f} s")


def _seconds(function: object, line: str, state: State) -> float:
    start = time.perf_counter()
    function(line, state)  # type: ignore[operator]
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
