"""How large a design may be: what is refused before memory is spent on it."""

import os
from dataclasses import dataclass

from lmmformula.errors import DataError


@dataclass(frozen=True, slots=True)
class DesignLimits:
    """
    The sizes beyond which a design is refused.

    columns : columns of X
    coefficients : random coefficients per level of a grouping factor
    gigabytes : memory of X, or of the random-effects columns of one term
    """

    columns: int = 10_000
    coefficients: int = 500
    gigabytes: float = 32.0


LIMITS = DesignLimits()

ASSUMED = 8e9
"""Bytes of memory where the system does not tell."""


def memory_share() -> float:
    """Return the bytes of memory that one matrix, or all sums, may take: half of the machine's."""
    try:
        return 0.5 * os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):  # not every system tells
        return 0.5 * ASSUMED


def refuse_large(n_rows: int, n_columns: int, what: str) -> None:
    """Refuse a matrix that would not fit into memory."""
    gigabytes = n_rows * n_columns * 8 / 1e9
    if gigabytes > LIMITS.gigabytes:
        raise DataError(
            f"{what} would have {n_rows} rows and {n_columns} columns: {gigabytes:.0f} GB",
            hint="a factor with very many levels belongs on the right of a bar: (1 | f)",
        )
