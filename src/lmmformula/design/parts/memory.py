"""What the sums over data in parts will need, foretold from the levels and a sample of the rows."""

import math
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from lmmformula.arrays import IntArray
from lmmformula.design.design import Design
from lmmformula.design.schema import Schema
from lmmformula.errors import DataError

COPIES = 3
"""Of the sums: those so far, those of a part, and what they add up to."""


@dataclass(frozen=True, slots=True)
class Needs:
    """
    What the sums need.

    levels : grouping factor -> number of its levels
    cells : pair of grouping factors -> about how many pairs of their levels occur
    n_bytes : memory of all sums, working copies included
    """

    levels: dict[str, int]
    cells: dict[tuple[str, str], int]
    n_bytes: float

    def __str__(self) -> str:
        parts = [f"{count:,} levels of '{group}'" for group, count in self.levels.items()]
        parts += [f"about {count:,} pairs of '{a}' and '{b}'" for (a, b), count in self.cells.items()]
        return f"sums for {', '.join(parts) or 'the fixed effects'}: about {gigabytes(self.n_bytes)}"

    def refuse_above(self, limit: float) -> None:
        """Refuse to begin what would not end."""
        if self.n_bytes <= limit:
            return
        hint = "leave out a crossed grouping factor, merge its rare levels, or raise memory_limit"
        raise DataError(f"{self}, and the limit is {gigabytes(limit)}", hint=hint)


def needs_of(schema: Schema, sample: Design, n_rows: int) -> Needs:
    """
    Foretell the size of the sums.

    sample : the design of some rows
    n_rows : number of rows in all
    """
    width: dict[str, int] = {}
    codes: dict[str, IntArray] = {}
    for random, term in zip(schema.random, sample.random_terms, strict=True):
        width[random.group] = width.get(random.group, 0) + len(random.columns)
        codes[random.group] = term.codes
    levels = {random.group: len(random.levels) for random in schema.random}
    cells = {(a, b): _cells(codes[a], codes[b], levels[a], levels[b], n_rows) for a, b in combinations(levels, 2)}
    p = len(schema.fixed_columns)
    numbers = sum(levels[g] * (width[g] * (width[g] + p + 1) + 1) for g in levels)
    numbers += sum(count * (width[a] * width[b] + 1) for (a, b), count in cells.items())
    return Needs(levels, cells, 8.0 * COPIES * numbers)


def _cells(a: IntArray, b: IntArray, n_a: int, n_b: int, n_rows: int) -> int:
    """Estimate how many pairs of levels occur in all rows, from those in a sample."""
    m = len(a)
    found = len(np.unique(a * n_b + b)) if m else 0
    most = min(n_rows, n_a * n_b)
    if m >= n_rows or found == 0:
        return min(found, most)
    if found == len(np.unique(a)) and found < m:  # nested, as far as one can see
        return max(found, min(n_a, most))
    return min(most, _extrapolated(found, m, n_rows))


def _extrapolated(found: int, m: int, n: int) -> int:
    """
    Solve found = M (1 - exp(-m / M)) for the number M of equally likely pairs, and see how many of them n rows meet.

    >>> _extrapolated(1000, 100_000, 10_000_000), _extrapolated(1000, 1000, 5000)
    (1000, 5000)
    """
    if found >= m:
        return n
    low, high = float(found), float(found) * m
    for _ in range(200):
        middle = math.sqrt(low * high)
        low, high = (middle, high) if -middle * math.expm1(-m / middle) < found else (low, middle)
    return round(-high * math.expm1(-n / high))


def gigabytes(n_bytes: float) -> str:
    """
    Write a number of bytes.

    >>> gigabytes(2.5e9), gigabytes(3e6)
    ('2.5 GB', '3.0 MB')
    """
    return f"{n_bytes / 1e9:.1f} GB" if n_bytes >= 1e9 else f"{n_bytes / 1e6:.1f} MB"
