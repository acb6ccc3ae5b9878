"""
Inner coordinates: shifted, scaled and whitened columns, in which cross-products lose no digits.

A model does not change when x becomes a x + b, as long as its own terms can take that up. So cross-products are formed
of columns that were centred (where there is an intercept to absorb the mean), of a response from which a pilot least
squares fit was subtracted, and of random-effects columns of unit root mean square. `Coordinates` undo all of it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from lmmformula.arrays import BoolArray, FloatArray
from lmmformula.design.design import Design, RandomTermDesign
from lmmformula.design.sums.records import Coordinates
from lmmformula.errors import FitError

ILL_CONDITIONED = 1e3
"""Condition number of the scaled columns of X above which they are orthogonalised before any sum is formed."""

SHIFT_ABOVE = 1.0
"""A column is centred if its mean exceeds this many standard deviations; below that, centring gains no digit."""

DEPENDENT = 1e-13
"""Part of a column, of its size, that is nothing but rounding once the columns before it are taken out."""

EXACT_RESPONSE = 1e-14
"""Ratio of residual to response, both root mean squares, that is nothing but rounding."""


def shift_of(column: FloatArray, weights: FloatArray | None) -> float:
    """Return the (weighted) mean of a column, or 0 where it is small beside the spread."""
    mean = float(np.average(column, weights=weights)) if weights is not None else float(column.mean())
    spread = math.sqrt(float(np.dot(column, column)) / len(column))
    # the mean square holds mean^2 + variance, so no second pass is needed to compare mean and deviation
    deviation = math.sqrt(max(spread * spread - mean * mean, 0.0))
    return mean if abs(mean) > SHIFT_ABOVE * deviation else 0.0


def constant_column(columns: FloatArray) -> int | None:
    """Return the position of the first column of ones, if there is one."""
    ones = (j for j in range(columns.shape[1]) if columns[0, j] == 1.0 and bool((columns[:, j] == 1.0).all()))
    return next(ones, None) if len(columns) else None


@dataclass(frozen=True, slots=True)
class Moved:
    """
    New columns of old ones, (x - shift) / scale.

    shift : (k,), zero unless a column of ones takes the shifts up
    scale : (k,), powers of two
    ones : position of that column
    """

    shift: FloatArray
    scale: FloatArray
    ones: int = 0

    @property
    def matrix(self) -> FloatArray:
        """(k, k) N with new = old N."""
        N = np.eye(len(self.scale))
        if len(N):
            N[self.ones] -= self.shift
        return N / self.scale

    def column(self, columns: FloatArray, j: int) -> FloatArray:
        """Return new column j of (n, k) old ones; the old one itself where nothing changes."""
        column: FloatArray = columns[:, j]
        if self.shift[j]:
            column = column - self.shift[j]
        return column if self.scale[j] == 1.0 else column / self.scale[j]


def moved(columns: FloatArray, weights: FloatArray | None, ones: int | None, which: BoolArray | None = None) -> Moved:
    """
    Choose shifts and scales of (n, k) columns.

    ones : position of a column of ones, beside which all others may be shifted, or those of `which`
    """
    k = columns.shape[1]
    shift, scale = np.zeros(k), np.ones(k)
    for j in range(k):
        column = columns[:, j]
        if ones is not None and j != ones and (which is None or which[j]):
            shift[j] = shift_of(column, weights)
        scale[j] = scale_of(column - shift[j] if shift[j] else column)
    return Moved(shift, scale, ones or 0)


def moved_term(term: RandomTermDesign, weights: FloatArray | None, ones: int | None) -> Moved:
    """Only an unstructured covariance can take up a shift; any structure can take up one scale for all columns."""
    found = moved(term.covariates, weights, ones if term.covariance.any_matrix else None)
    return replace(found, scale=term.covariance.scales(found.scale))


@dataclass(frozen=True, slots=True)
class Columns:
    """
    The columns of which cross-products are formed, each (n,), already multiplied by sqrt(weights).

    fixed : p columns of X, then the response
    random : per random term, its k columns
    gram : (p+1, p+1) products of the columns `fixed`
    coordinates : the way back
    """

    fixed: list[FloatArray]
    random: list[list[FloatArray]]
    gram: FloatArray
    coordinates: Coordinates


def columns_of(design: Design) -> Columns:
    """Shift and scale a design's columns so that their cross-products keep all digits."""
    X, weights, p = design.X, design.weights, design.n_fixed
    fixed = moved(X, weights, constant_column(X))
    table = fixed_table(design, fixed)
    basis = fixed.matrix
    gram = table.T @ table
    if condition(gram[:p, :p]) > ILL_CONDITIONED:
        turn = orthogonaliser(table[:, :p])
        table[:, :p] = table[:, :p] @ turn
        basis = basis @ turn
        gram = table.T @ table
    inverse = whitener(gram[:p, :p])
    pilot = inverse @ (inverse.T @ gram[:p, p])
    table[:, p] -= table[:, :p] @ pilot
    refuse_exact_response(float(table[:, p] @ table[:, p]), gram[p, p])
    y_scale = scale_of(table[:, p])
    table[:, p] /= y_scale
    gram[:, p] = gram[p, :] = table.T @ table[:, p]
    random = [moved_term(term, weights, constant_column(term.covariates)) for term in design.random_terms]
    coordinates = Coordinates.of(basis, pilot, y_scale, [own.matrix for own in random])
    return Columns([table[:, j] for j in range(p + 1)], random_columns(design, random), gram, coordinates)


def condition(gram: FloatArray) -> float:
    """Return the condition number of columns scaled to equal size, from their Gram matrix."""
    sizes = np.sqrt(np.diag(gram))
    if not len(gram):
        return 1.0
    if sizes.min() == 0.0:
        return math.inf
    values = np.linalg.eigvalsh(gram / np.outer(sizes, sizes))
    return math.sqrt(float(values[-1] / values[0])) if values[0] > 0.0 else math.inf


def whitener(gram: FloatArray) -> FloatArray:
    """Return the inverse of the upper Cholesky factor R of a Gram matrix R'R."""
    return np.linalg.inv(np.linalg.cholesky(gram).T)


def orthogonaliser(columns: FloatArray) -> FloatArray:
    """Return the inverse of the upper factor R of (n, p) columns = Q R, by Householder's method."""
    R: FloatArray = np.asarray(np.linalg.qr(columns, mode="r")) / math.sqrt(len(columns))
    sizes = np.abs(np.diag(R))
    if sizes.min() <= DEPENDENT * sizes.max():
        message = "the columns of the fixed effects are linearly dependent to working precision"
        raise FitError(message, hint="remove or rescale columns of X that repeat one another")
    out: FloatArray = np.linalg.inv(R).astype(np.float64, copy=False)
    return out


def fixed_table(design: Design, fixed: Moved) -> FloatArray:
    """Return (n, p+1) [X y], X moved and the offset subtracted, times the roots of the weights."""
    n, p = design.X.shape
    table = np.empty((n, p + 1), order="F")
    for j in range(p):
        column = design.X[:, j]
        np.divide(column - fixed.shift[j] if fixed.shift[j] else column, fixed.scale[j], out=table[:, j])
    table[:, p] = design.y if design.offset is None else design.y - design.offset
    if design.weights is not None:
        table *= np.sqrt(design.weights)[:, None]
    return table


def random_columns(design: Design, random: Sequence[Moved]) -> list[list[FloatArray]]:
    """Return per random term its columns, moved, times the roots of the weights."""
    root = None if design.weights is None else np.sqrt(design.weights)
    found = [
        [own.column(term.covariates, j) for j in range(term.n_coefficients)]
        for term, own in zip(design.random_terms, random, strict=True)
    ]
    return found if root is None else [[column * root for column in columns] for columns in found]


def scale_of(column: FloatArray) -> float:
    """Return the power of two next to a column's root mean square (so scaling rounds nothing); 1 for zeros."""
    size = math.sqrt(float(column @ column) / max(len(column), 1))
    if size == 0.0 or not math.isfinite(size):  # the squares under- or overflow, or there is nothing to scale
        size = float(np.abs(column).max(initial=0.0))
    return 2.0 ** round(math.log2(size)) if size > 0.0 else 1.0


def refuse_exact_response(residual: float, total: float) -> None:
    """Refuse a response whose residual sum of squares is nothing but rounding of its total."""
    if residual <= EXACT_RESPONSE**2 * total:
        raise FitError(
            "the fixed effects fit the response exactly, so no variance is left to estimate",
            hint="is the response constant, or computed from the columns on the right-hand side?",
        )


def block_diagonal(blocks: Sequence[FloatArray]) -> FloatArray:
    """Stack matrices along the diagonal."""
    out = np.zeros((sum(len(b) for b in blocks), sum(b.shape[1] for b in blocks)))
    row = column = 0
    for b in blocks:
        out[row : row + len(b), column : column + b.shape[1]] = b
        row, column = row + len(b), column + b.shape[1]
    return out
