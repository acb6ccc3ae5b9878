"""The columns of a design in inner coordinates, for criteria that are sums over the rows."""

from dataclasses import dataclass

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.design.design import Design, RandomTermDesign
from lmmformula.design.sums.coordinates import constant_column, moved, moved_term, orthogonaliser
from lmmformula.design.sums.crossproducts import factors_of, turn
from lmmformula.fit.algebra.rows import Grouping
from lmmformula.fit.likelihood.separation import Flat


@dataclass(frozen=True, slots=True)
class InnerColumns:
    """
    The columns of a design in inner coordinates: X'X = n unit^2 I, random-effects columns of mean square unit^2.

    X : (n, p)
    fixed : (p, p) beta = fixed @ beta_inner
    random : per random term, (k, k) matrix U: b = U b_inner
    factors : the grouping factors, in the order of their first terms
    unit : of the linear predictor
    """

    X: FloatArray
    fixed: FloatArray
    random: tuple[FloatArray, ...]
    factors: tuple[Grouping, ...]
    unit: float

    def flat(self, X: FloatArray, curvature: FloatArray, beta: FloatArray) -> Flat:
        """Find the flat directions of the fixed effects, see `separation`; X in the user's coordinates."""
        return Flat.of(X, self.X / self.unit, self.fixed, curvature * self.unit**2, beta)


def inner_columns(design: Design, unit: float = 1.0) -> InnerColumns:
    """
    Shift, scale and turn the columns of a design.

    unit : of the linear predictor, a power of two, so that inner coefficients are of the size of 1
    """
    fixed = moved(design.X, None, constant_column(design.X))
    X = np.column_stack([*(fixed.column(design.X, j) for j in range(design.n_fixed)), np.empty((design.nobs, 0))])
    basis = (orthogonaliser(X) if design.n_fixed else np.eye(0)) * unit
    terms = [_turned(term, unit) for term in design.random_terms]
    factors = []
    for positions in factors_of(design.random_terms):
        first = design.random_terms[positions[0]]
        columns = np.concatenate([terms[t][0] for t in positions])
        sizes = tuple(len(terms[t][0]) for t in positions)
        factors.append(Grouping(positions, sizes, first.codes, columns, first.n_levels, (0,) * len(columns)))
    if not factors:  # one level of no coefficients keeps all shapes what they are
        factors = [Grouping((), (), np.zeros(design.nobs, dtype=np.intp), np.empty((0, design.nobs)), 1, ())]
    return InnerColumns(X @ basis, fixed.matrix @ basis, tuple(U for _, U in terms), tuple(factors), unit)


def _turned(term: RandomTermDesign, unit: float) -> tuple[FloatArray, FloatArray]:
    """Return (k, n) columns of mean square unit^2, as far as the covariance allows, and the (k, k) way back."""
    own = moved_term(term, None, constant_column(term.covariates))
    columns = np.array([own.column(term.covariates, j) for j in range(term.n_coefficients)])
    U = turn(term, columns @ columns.T / columns.shape[1]) * unit
    return np.ascontiguousarray(U.T @ columns), own.matrix @ U
