"""What the three kinds of weights are: precision, trials of a binomial family, and factors of the log density."""

import warnings

import numpy as np

from lmmformula.arrays import BoolArray, FloatArray, IntArray
from lmmformula.data.table import Table
from lmmformula.design.fixed import named_numbers
from lmmformula.errors import DataError, FitError, FitWarning, printable
from lmmformula.families.table import FAMILIES
from lmmformula.ir.family import Family
from lmmformula.ir.records import Response

WITH_SIGMA = frozenset(name for name, kind in FAMILIES.items() if "sigma" in (p.name for p in kind.parameters))
"""Families with a residual standard deviation, that of row i being sigma / sqrt(weights[i])."""

WHOLE = 1e-3
"""Distance from a whole number that a count may have, as in R: shares are often rounded."""

INSTEAD = "factors of the log density, glmer's and glmmTMB's weights, are loglik_weights="


def prior_weights(
    table: Table, given: object, trials: FloatArray | None, response: Response, family: Family
) -> FloatArray | None:
    """
    Return the weights of a design, (n,): the argument `weights`, or the trials that the response counts.

    Raises
    ------
    FitError
        The family has neither a sigma nor trials, or the response has its own trials already.
    """
    if given is None:
        return trials
    if family.name not in WITH_SIGMA | {"binomial"}:
        raise FitError(
            f"weights have no meaning in the family {family.name}",
            hint=f"{INSTEAD}; known differences of size are an offset",
        )
    weights = named_numbers(table, given, "weights")
    if trials is None:
        return weights
    if response.kind == "counts" or not np.array_equal(weights, trials, equal_nan=True):
        raise FitError(
            f"weights are the trials of a binomial share, and `{printable(response.label)}` has its own", hint=INSTEAD
        )
    return weights


def check_weights(weights: FloatArray, rows: IntArray | None, what: str = "weights") -> None:
    """Refuse weights that are not positive and finite in the rows used."""
    used = in_rows(weights, rows)
    bad = ~(used > 0) | np.isinf(used)
    _refuse(bad, used, rows, f"{what} must be positive and finite", "leave out the rows whose weight is zero")


def check_trials(y: FloatArray, trials: FloatArray | None, rows: IntArray | None, response: Response) -> None:
    """
    Refuse trials that are no whole numbers, and warn of shares that are not successes among trials, as R does.

    y : (n,) shares of the rows used
    """
    name = printable(response.label)
    if trials is None:
        if np.any((y != 0) & (y != 1)):
            _warn(f"the response `{name}` has shares without trials: each row counts as one trial")
        return
    used = in_rows(trials, rows)
    _refuse(are_broken(used), used, rows, f"the trials of `{name}` must be whole numbers", INSTEAD)
    broken = np.flatnonzero(are_broken(y * used))
    if len(broken):
        first = broken[0]
        _warn(
            f"`{name}` times its trials is no whole number in {len(broken)} row{'s' if len(broken) > 1 else ''}, "
            f"the first {y[first] * used[first]:.6g} of {used[first]:g}"
        )


def _refuse(bad: BoolArray, used: FloatArray, rows: IntArray | None, message: str, hint: str) -> None:
    """Refuse numbers of the rows used, some of which are bad."""
    if bad.any():
        first = int(np.flatnonzero(bad)[0])
        row = first if rows is None else int(rows[first])
        raise DataError(f"{message}: {int(bad.sum())} are not, the first {used[first]:g} in row {row}", hint=hint)


def are_broken(counts: FloatArray) -> BoolArray:
    """Tell which numbers are no whole ones."""
    out: BoolArray = np.abs(counts - np.rint(counts)) > WHOLE
    return out


def in_rows(column: FloatArray, rows: IntArray | None) -> FloatArray:
    """Return a column in the rows used; None are all."""
    return column if rows is None else column[rows]


def _warn(message: str) -> None:
    hint = "give the trials as weights=, or write cbind(successes, failures)"
    warnings.warn(f"{message}\n{hint}", FitWarning, stacklevel=5)
