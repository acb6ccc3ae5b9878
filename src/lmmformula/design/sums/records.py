"""
The records of cross-products: X'X, Z'X, Z'Z, X'y, Z'y, y'y, and the coordinates that they are in.

They are all that the Gaussian likelihood knows of the data. Random terms with the same grouping factor are one *factor*
here, with their columns side by side.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from lmmformula.arrays import FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class Coordinates:
    """
    The way back from inner to the user's coordinates (user = inner for a design that needs no help).

    fixed : (p, p) matrix, beta = pilot + y_scale * fixed @ beta_inner
    pilot : (p,) least squares coefficients subtracted from the response
    log_det_fixed : log |det fixed|
    y_scale : factor of the inner response; sigma = y_scale * sigma_inner
    random : per random term, (k, k) matrix U: b = y_scale * U b_inner, Sigma = U Sigma_inner U'
    turns : per random term, (k, k) last factor of U, which was applied to sums rather than to columns
    """

    fixed: FloatArray
    pilot: FloatArray
    log_det_fixed: float
    y_scale: float
    random: tuple[FloatArray, ...]
    turns: tuple[FloatArray, ...]

    @classmethod
    def of(cls, fixed: FloatArray, pilot: FloatArray, y_scale: float, random: Sequence[FloatArray]) -> "Coordinates":
        """Make coordinates before any turn of sums; the pilot in inner columns."""
        turns = tuple(np.eye(len(U)) for U in random)
        return cls(fixed, fixed @ pilot, float(np.linalg.slogdet(fixed)[1]), y_scale, tuple(random), turns)

    def beta(self, inner: FloatArray) -> FloatArray:
        """Return the fixed effects that belong to inner ones."""
        return self.pilot + self.y_scale * (self.fixed @ inner)

    def sigma_inner(self, term: int, covariance: FloatArray) -> FloatArray:
        """Return the (k, k) inner relative covariance of a random term that belongs to the user's."""
        half = np.linalg.solve(self.random[term], covariance)
        return symmetric(np.linalg.solve(self.random[term], half.T))

    def sigma_user(self, term: int, inner: FloatArray) -> FloatArray:
        """Return the (k, k) relative covariance of a random term that belongs to the inner one."""
        return symmetric(self.random[term] @ inner @ self.random[term].T)

    def criterion(self, inner: float, *, degrees: int, reml: bool, sum_log_weights: float) -> float:
        """Return -2 log (restricted) likelihood on the user's scale; `degrees` is n - p for REML, n for ML."""
        value = inner + 2 * degrees * math.log(self.y_scale) - sum_log_weights
        return value - 2 * self.log_det_fixed if reml else value


def symmetric(matrix: FloatArray) -> FloatArray:
    """Return the symmetric part of a matrix."""
    return (matrix + matrix.T) / 2


def slices_of(sizes: Sequence[int]) -> list[slice]:
    """Return where parts of some sizes stand, one behind the other."""
    ends = np.cumsum(sizes).tolist()
    return [slice(end - size, end) for end, size in zip(ends, sizes, strict=True)]


@dataclass(frozen=True, slots=True)
class FactorProducts:
    """
    What the rows say about one grouping factor, level by level; levels are the last axis.

    group : its name
    terms : positions of its random terms in the design, in whose order its k columns stand
    sizes : number of columns of each of these terms
    C : (k, k, J) Z'Z of each level
    B : (k, p+1, J) Z'[X y] of each level
    """

    group: str
    terms: tuple[int, ...]
    sizes: tuple[int, ...]
    C: FloatArray
    B: FloatArray

    @property
    def k(self) -> int:
        """Number of random coefficients per level."""
        return len(self.C)

    @property
    def n_levels(self) -> int:
        """Number J of levels."""
        return int(self.C.shape[2])

    def slices(self) -> list[slice]:
        """Return where the columns of each of its terms stand."""
        return slices_of(self.sizes)


@dataclass(frozen=True, slots=True)
class PairProducts:
    """
    Z_f'Z_g of two factors f < g: a sparse matrix of small blocks, one for each pair of levels that share a row.

    rows, columns : (m,) levels of f and of g, sorted by row and within it by column
    values : (k_f, k_g, m)
    nested : each level of f lies within one level of g, so that m = J_f and rows = 0 .. J_f - 1
    contains : the same the other way round: each level of g lies within one of f
    """

    rows: IntArray
    columns: IntArray
    values: FloatArray
    nested: bool
    contains: bool

    def transposed(self) -> "PairProducts":
        """Return the products Z_g'Z_f, sorted by levels of g."""
        order = np.lexsort((self.rows, self.columns))
        values = np.ascontiguousarray(self.values.transpose(1, 0, 2)[:, :, order])
        return PairProducts(self.columns[order], self.rows[order], values, self.contains, self.nested)


@dataclass(frozen=True, slots=True)
class CrossProducts:
    """
    The sufficient statistics of a Gaussian mixed model, in inner coordinates.

    n, p : rows and fixed effects
    A : (p+1, p+1) [X y]'[X y]
    factors : grouping factors, in order of their first term
    pairs : (f, g), f < g -> products between two factors
    sum_log_weights : sum of the logarithms of the weights, 0 without weights
    coordinates : the way back to the user's columns
    """

    n: int
    p: int
    A: FloatArray
    factors: tuple[FactorProducts, ...]
    pairs: dict[tuple[int, int], PairProducts]
    sum_log_weights: float
    coordinates: Coordinates

    def triangle(self) -> FloatArray:
        """Return the upper triangular R, (p, p), with R'R = X'X, or X'WX with weights W, in the user's columns."""
        inner = np.linalg.cholesky(self.A[: self.p, : self.p]).T
        R: FloatArray = np.linalg.solve(self.coordinates.fixed.T, inner.T).T
        return R

    def less(self, beta: FloatArray) -> "CrossProducts":
        """Subtract X beta from the response; beta (p,) in inner coordinates."""
        R, old = np.eye(self.p + 1), self.coordinates
        R[:-1, -1] = -beta
        factors = tuple(replace(f, B=np.matmul(R.T, f.B)) for f in self.factors)
        pilot = old.pilot + old.y_scale * (old.fixed @ beta)
        return replace(self, A=R.T @ self.A @ R, factors=factors, coordinates=replace(old, pilot=pilot))

    def pair(self, f: int, g: int) -> PairProducts:
        """Return the products of factors f and g, in that order; a factor with itself is nested in itself."""
        if f == g:
            levels = np.arange(self.factors[f].n_levels)
            return PairProducts(levels, levels, self.factors[f].C, nested=True, contains=True)
        return self.pairs[f, g] if f < g else self.pairs[g, f].transposed()
