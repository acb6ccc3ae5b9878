"""
How much work a fit may take: counted, not timed, so that it is the same on every machine.

A unit is about what a processor of 2026 does in a nanosecond. What a step costs follows from the numbers of rows,
effects and parameters, by the constants below, which were measured once; they are right to a factor of two or so.
"""

from dataclasses import dataclass
from math import inf

from lmmformula.errors import FitError
from lmmformula.fit.algebra.border import largest
from lmmformula.fit.algebra.complement import DENSE_ABOVE, MAX_PAIRS
from lmmformula.fit.algebra.gram import Gram
from lmmformula.fit.algebra.plan import complement_elements

CALL = 1e5
"""Work of a step with hardly any numbers: calls of functions."""

ROW = 25.0
"""Of a row's log density with its derivatives in one predictor."""

SUM = 4.0
"""Of an element that is added to a sum."""

SMALL = 1e4
"""Of handling an element of small matrices, for all levels together ..."""

LEVEL = 2.0
"""... and of a product of three in each level."""

SPARSE_CALLS = 10
"""Calls that it takes to put a sparse matrix together and to factorise it."""

DENSE = 0.02
"""Of a product of three elements of a large dense matrix, ..."""

ELEMENT = 10.0
"""... of handling one of its elements, or one of a product of sparse matrices, ..."""

HEAVY = 0.05
"""... and of a product of elements of two matrices."""

PREPARED = 75.0
"""Of a pair of effects that is made ready for many factorisations."""

GRADIENT = 2.5
"""Factorisations that all blocks of the inverse cost."""


class OutOfWork(FitError):  # noqa: N818 (it is a limit, and nobody's error)
    """A fit took more work than it was allowed."""


@dataclass(slots=True)
class Budget:
    """
    Work that is left.

    left : no limit by default
    """

    left: float = inf

    def spend(self, work: float) -> None:
        """
        Take work away.

        Raises
        ------
        OutOfWork
            Nothing is left.
        """
        self.left -= work
        if self.left < 0:
            raise OutOfWork("the fit takes more work than it was allowed")


@dataclass(frozen=True, slots=True)
class Costs:
    """
    Work of the steps of a fit.

    first : of what is made ready for all of them
    density : log densities of all rows
    factor : M, factorised
    gradient : the criterion's derivatives
    """

    first: float = 0.0
    density: float = 0.0
    factor: float = 0.0
    gradient: float = 0.0

    @classmethod
    def of_rows(cls, gram: Gram, way: str, *, rows: int, predictors: int, parameters: int) -> "Costs":
        """
        Count it for a fit by Laplace's method.

        way : name of the structure by which M is factorised
        rows, predictors, parameters : how many rows, linear predictors, and covariance parameters there are

        >>> import numpy as np
        >>> gram = Gram((np.ones((2, 2, 500)),), {})
        >>> Costs.of_rows(gram, "single", rows=5000, predictors=1, parameters=3).density
        265000.0
        """
        columns = sum(k for k, _ in gram.shapes)
        sums = SUM * rows * columns * (columns + 1) / 2
        solved = factorisation(gram, way)
        return cls(
            density=(2 * predictors - 1) * (CALL + ROW * rows) + SUM * rows * columns,
            factor=CALL + sums + solved,
            gradient=4 * CALL + 2 * sums + GRADIENT * solved + _moved(gram, parameters),
        )

    @classmethod
    def of_sums(cls, gram: Gram, way: str, *, fixed: int, parameters: int) -> "Costs":
        """
        Count it for a Gaussian fit.

        fixed, parameters : how many fixed effects and covariance parameters there are
        """
        solved, side = factorisation(gram, way, often=True), SUM * sum(k * k * J for k, J in gram.shapes)
        side += SUM * sum(pair.values.size for pair in gram.pairs.values()) + _rest(gram) ** 2
        tables = ELEMENT * sum((k * h) ** 2 * m for k, h, m in (pair.values.shape for pair in gram.pairs.values()))
        return cls(
            first=CALL + tables + (PREPARED * _prepared(gram) if way == "crossed" else 0.0),
            factor=CALL + solved + (fixed + 1) * side,
            gradient=4 * CALL + GRADIENT * solved + 2 * parameters * side + _moved(gram, parameters),
        )


def factorisation(gram: Gram, way: str, *, often: bool = False) -> float:
    """Return the work of factorising M; `often` where products of C were made ready."""
    columns, effects = sum(k for k, _ in gram.shapes), sum(k * J for k, J in gram.shapes)
    levels = SMALL * columns**2 + LEVEL * effects * columns**2
    if way == "dense":
        return CALL + effects**3 / 2
    if way not in {"crossed", "sparse"}:
        return levels
    k, J = gram.shapes[largest(gram)]
    products = ELEMENT * k * complement_elements(gram, largest(gram))
    if way == "sparse":
        return levels + SPARSE_CALLS * CALL + products
    rest, share = _rest(gram), max(0.0, 1 - MAX_PAIRS / _pairs(gram)) if often else 0.0
    dense = HEAVY * k * J * rest**2
    return levels + min(products + share * dense, dense) + DENSE * rest**3 + ELEMENT * rest**2


def _rest(gram: Gram) -> float:
    """Return the number of effects beside the largest factor's."""
    sizes = [k * J for k, J in gram.shapes]
    return float(sum(sizes) - max(sizes))


def _pairs(gram: Gram) -> float:
    """Return the number of pairs of effects that share a level of the largest factor, for all its coefficients."""
    first = largest(gram)
    k = gram.shapes[first][0]
    return complement_elements(gram, first) / 2 * k * (k + 1) / 2


def _prepared(gram: Gram) -> float:
    """Return how many of these pairs are made ready: none where levels of the largest factor meet many effects."""
    first = largest(gram)
    k, J = gram.shapes[first]
    many = (k + 1) * complement_elements(gram, first) > J * (DENSE_ABOVE * _rest(gram)) ** 2
    return 0.0 if many else min(_pairs(gram), MAX_PAIRS)


def _moved(gram: Gram, parameters: int) -> float:
    """Return the work of turning derivatives in the elements of covariances into those in their parameters."""
    return ELEMENT * parameters * max(k for k, _ in gram.shapes) ** 2
