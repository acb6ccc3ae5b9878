"""How large a design may be: what is refused before memory is spent on it."""

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


def refuse_large(n_rows: int, n_columns: int, what: str) -> None:
    """Refuse a matrix that would not fit into memory."""
    gigabytes = n_rows * n_columns * 8 / 1e9
    if gigabytes > LIMITS.gigabytes:
        raise DataError(
            f"{what} would have {n_rows} rows and {n_columns} columns: {gigabytes:.0f} GB",
            hint="a factor with very many levels belongs on the right of a bar: (1 | f)",
        )
