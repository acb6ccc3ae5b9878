"""The rows of a design: arrays, or what is known of rows that are gone, and the one refusal of what needs them."""

from dataclasses import dataclass, fields, replace
from functools import partial
from typing import NoReturn, Self, TypeVar

import numpy as np

from lmmformula.arrays import AnyArray, FloatArray, IntArray
from lmmformula.errors import FitError


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """
    The rows used, in which nothing is missing.

    y : (n,) response, as given (offset not subtracted)
    X : (n, p) fixed effects, aliased columns dropped; Fortran order
    kept_rows : (n,) their positions in the data that were given, None where all are used
    weights : (n,) precision weights, None for all ones: the residual variance of row i is sigma^2 / weights[i]; of a
        binomial family trials
    offset : (n,) known part of the linear predictor, None for zero
    loglik_weights : (n,) factors of the log density of each row, None for all ones
    """

    y: FloatArray
    X: FloatArray
    kept_rows: IntArray | None = None
    weights: FloatArray | None = None
    offset: FloatArray | None = None
    loglik_weights: FloatArray | None = None

    @property
    def nobs(self) -> int:
        """Number n of rows used."""
        return len(self.y)

    @property
    def places(self) -> IntArray:
        """(n,) positions of the rows in the data that were given."""
        return np.arange(self.nobs) if self.kept_rows is None else self.kept_rows

    @property
    def sum_log_weights(self) -> float:
        """Sum of the logarithms of the weights, 0 without weights."""
        return 0.0 if self.weights is None else float(np.sum(np.log(self.weights)))

    @property
    def has_weights(self) -> bool:
        """Whether there are precision weights, or trials."""
        return self.weights is not None

    @property
    def has_offset(self) -> bool:
        """Whether a known part of the linear predictor was given."""
        return self.offset is not None

    @property
    def has_loglik_weights(self) -> bool:
        """Whether the log densities of the rows have factors."""
        return self.loglik_weights is not None

    def take(self, places: AnyArray) -> Self:
        """Return some of the rows: by their places, or by a mask."""
        arrays = {own.name: getattr(self, own.name) for own in fields(self)}
        some = {name: array[places] for name, array in arrays.items() if array is not None}
        return replace(self, **some | {"X": np.asfortranarray(some["X"]), "kept_rows": self.places[places]})


@dataclass(frozen=True, slots=True, eq=False)
class TermRows:
    """
    A random term in the rows used.

    codes : (n,) level of each row
    covariates : (n, k) values of its columns, C-contiguous along rows within a column (Fortran order)
    """

    codes: IntArray
    covariates: FloatArray

    def take(self, places: AnyArray) -> "TermRows":
        """Return some of the rows: by their places, or by a mask."""
        return TermRows(self.codes[places], np.asfortranarray(self.covariates[places]))


@dataclass(frozen=True, slots=True)
class AbsentRows:
    """
    What is known of rows that are not here; the other fields are as in `Rows`.

    reason : why they are not, as it follows "needs the rows of the data,"
    instead : what to do
    """

    reason: str
    instead: str
    nobs: int
    sum_log_weights: float = 0.0
    has_weights: bool = False
    has_offset: bool = False
    has_loglik_weights: bool = False

    def refuse(self, what: str = "this", instead: str = "") -> NoReturn:
        """Say what needs the rows, why they are not here, and what to do instead."""
        raise FitError(f"{what} needs the rows of the data, {self.reason}", hint=instead or self.instead)


R = TypeVar("R", Rows, TermRows)


def need_rows(rows: R | AbsentRows, what: str = "this", instead: str = "") -> R:
    """
    Return rows; FitError where they are not here.

    what, instead : what needs them, and what does not, where more can be said than that

    >>> need_rows(NOT_KEPT(10), "influence")
    Traceback (most recent call last):
    lmmformula.errors.FitError: influence needs the rows of the data, which were read in parts and not kept
    predict(newdata) works; for the rest, keep_rows=True reads the data into memory
    """
    if isinstance(rows, AbsentRows):
        rows.refuse(what, instead)
    return rows


NOT_KEPT = partial(
    AbsentRows,
    "which were read in parts and not kept",
    "predict(newdata) works; for the rest, keep_rows=True reads the data into memory",
)
"""Makes rows that have passed by: their number, ... -> `AbsentRows`."""

NOT_SAVED = partial(
    AbsentRows,
    "and what is loaded from a file has none",
    "build the model on the data again and fit it with start=fit.theta: that takes one step; "
    "a posterior can be saved with data=True",
)
"""Makes rows that no file holds: their number, ... -> `AbsentRows`."""
