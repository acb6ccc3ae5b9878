"""
How well conditional means are known: the joint covariance of fixed effects and random effects.

With b the random effects and b^ their conditional modes, the error of x'beta^ + z'b^ has the variance

    sigma^2 z'W z + x~'Cov(beta^)x~,    W = Lambda M^-1 Lambda',    x~ = x - X'Z W z,

which is what the inverse of Henderson's mixed model equations holds (Henderson 1975, Biometrics 31, 423-447). The
variance parameters count as known.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from lmmformula.arrays import FloatArray, IntArray
from lmmformula.covariances.matrices import square_root
from lmmformula.design.design import Design, RandomTermDesign
from lmmformula.design.sums.user_coordinates import user_products
from lmmformula.fit.algebra.plan import SPARSE_EFFECTS, SPARSE_PAIRS
from lmmformula.fit.algebra.sparse import factorised, solved
from lmmformula.fit.glmm import GlmmFit
from lmmformula.fit.lmm import Fit
from lmmformula.results.files.kept_numbers import ModeErrors, kept_of
from lmmformula.waiting import waiting

CHUNK = 4_000_000
"""Numbers in a dense piece of right-hand sides."""

MOST_DENSE = 6000
"""Random effects up to which all of W is formed for the sake of many rows."""

MOST_KEPT = 200_000
"""Numbers that a file holds of how well the random effects are known; of larger models it has none."""

Columns = Sequence[tuple[FloatArray, IntArray]]
"""Per random term the columns of some rows, (m, k), and the rows' levels, (m,), -1 for a level that is new."""


@dataclass(frozen=True, eq=False)
class JointCovariance:
    """
    The covariance of beta^ and b^ - b at given variance parameters.

    design, fit : the model on its data, and the estimates
    Lambdat : (q, q) sparse, transposed relative covariance factor; levels one after the other, as in Zt
    factor : sparse factor of M = Lambda'Z'Z Lambda + I, rows and columns in another order
    order : (q,) that order
    pull : (q, p) W Z'X: how the conditional modes follow beta
    """

    design: Design
    fit: Fit | GlmmFit
    Lambdat: Any
    factor: Any
    order: IntArray
    pull: FloatArray

    @classmethod
    def of(cls, design: Design, fit: Fit | GlmmFit) -> "JointCovariance":
        """Factorise M, in whose products the rows count by their weights: by working weights, which may be negative."""
        from scipy.sparse import block_diag, csc_array, eye_array, kron

        nothing = np.empty(0, dtype=np.intp)
        known = kept_of(design).modes
        if known is not None:
            return KeptCovariance(design, fit, None, None, nothing, known.pull, known.W)
        blocks = [
            kron(eye_array(term.n_levels), square_root(S), format="csc")
            for term, S in zip(design.random_terms, fit.relative_covariance, strict=True)
        ]
        if not blocks:
            return cls(design, fit, None, None, nothing, np.zeros((0, design.n_fixed)))
        Lambdat = csc_array(block_diag(blocks, format="csc"))
        with waiting("the joint covariance of fixed and random effects"):
            if design.sums is None:
                half = csc_array(Lambdat @ design.Zt)
                given = fit.weights if isinstance(fit, GlmmFit) else design.weights
                w = np.ones(design.nobs) if given is None else given
                square, X = (half * w) @ half.T, np.asarray(half @ (design.X * w[:, None]))
            else:
                ZtZ, ZtX = user_products(design.sums.products)
                square, X = Lambdat @ ZtZ @ Lambdat.T, np.asarray(Lambdat @ ZtX)
            M = csc_array(square + eye_array(len(X)))
            factor, order = factorised_once(M, design.random_terms)
            return cls(design, fit, Lambdat, factor, order, np.asarray(Lambdat.T @ solved(factor, order, X)))

    def solve(self, right: FloatArray) -> FloatArray:
        """Return M^-1 right."""
        return solved(self.factor, self.order, right)

    def rows(self, columns: Columns) -> Any:  # noqa: ANN401 (scipy.sparse.csr_array)
        """Return the sparse (m, q) rows z' of random-effects columns; nothing for an unseen level."""
        from scipy.sparse import coo_array

        m, start = len(columns[0][1]), 0
        row, column, value = [], [], []
        for (z, codes), modes in zip(columns, self.fit.modes, strict=True):
            J, k = modes.shape
            seen = np.flatnonzero(codes >= 0)
            row.append(np.repeat(seen, k))
            column.append((start + codes[seen][:, None] * k + np.arange(k)).ravel())
            value.append(z[seen].ravel())
            start += J * k
        places = (np.concatenate(row), np.concatenate(column))
        return coo_array((np.concatenate(value), places), shape=(m, start)).tocsr()

    def variances(self, X: FloatArray, columns: Columns) -> FloatArray:
        """
        Return (m,) variances of the errors of x'beta^ + z'b^; a level that the fit has not seen has all of its Cov(b).

        X, columns : (m, p) and the random terms' columns
        """
        if not len(columns):  # a linear model
            return quadratic(X, self.fit.vcov)
        Z = self.rows(columns)
        out = quadratic(X - Z @ self.pull, self.fit.vcov)
        out += self.fit.sigma**2 * self.of_random_part(columns, Z)
        for (z, codes), S in zip(columns, self.fit.relative_covariance, strict=True):
            out += np.where(codes < 0, self.fit.sigma**2 * quadratic(z, S), 0.0)
        return out

    def of_random_part(self, columns: Columns, Z: Any) -> FloatArray:  # noqa: ANN401 (scipy.sparse.csr_array)
        """
        Return (m,) z'W z: from W's own blocks where there is one grouping factor, from all of W, or by solving.

        Z : the sparse rows of the columns
        """
        if self.one_factor:
            codes = columns[0][1]
            z = np.hstack([covariates for covariates, _ in columns])
            W = np.concatenate([self.blocks, np.zeros((1, z.shape[1], z.shape[1]))])  # code -1: nothing
            return np.asarray(np.einsum("ma,mab,mb->m", z, W[codes], z))
        if Z.shape[1] > MOST_DENSE or Z.shape[0] < Z.shape[1] / 4:
            return self.by_solving(Z)
        ends = np.cumsum([0, *(modes.size for modes in self.fit.modes)])
        places = np.hstack(
            [
                start + np.maximum(codes, 0)[:, None] * z.shape[1] + np.arange(z.shape[1])
                for start, (z, codes) in zip(ends, columns, strict=False)
            ]
        )
        values = np.hstack([np.where(codes[:, None] < 0, 0.0, z) for z, codes in columns])
        out = np.zeros(len(values))
        for a in range(values.shape[1]):
            for b in range(values.shape[1]):
                out += values[:, a] * values[:, b] * self.whole[places[:, a], places[:, b]]
        return out

    def by_solving(self, Z: Any) -> FloatArray:  # noqa: ANN401 (scipy.sparse.csr_array)
        """Return (m,) z'W z of sparse rows z' by the factor."""
        out = np.empty(Z.shape[0])
        step = max(1, CHUNK // Z.shape[1])
        for first in range(0, len(out), step):
            half = (self.Lambdat @ Z[first : first + step].T).toarray()
            out[first : first + step] = np.einsum("qm,qm->m", half, self.solve(half))
        return out

    @property
    def one_factor(self) -> bool:
        """Whether all random terms have the same grouping factor, so that W is made of blocks."""
        return has_one_factor(self.design)

    def to_keep(self) -> ModeErrors:
        """Return what a file holds."""
        return ModeErrors(self.pull, self.blocks if self.one_factor else self.whole)

    @cached_property
    def blocks(self) -> FloatArray:
        """(J, k, k) diagonal blocks of W for one grouping factor, its terms side by side."""
        starts = np.cumsum([0, *(modes.size for modes in self.fit.modes)])
        places = np.hstack(
            [start + np.arange(b.size).reshape(b.shape) for start, b in zip(starts, self.fit.modes, strict=False)]
        )
        right = np.zeros((starts[-1], places.shape[1]))
        for a, own in enumerate(places.T):  # levels don't meet, so that one column serves all of them
            right[own, a] = 1.0
        columns = self.Lambdat.T @ self.solve(self.Lambdat @ right)
        return np.ascontiguousarray(columns[places])

    @cached_property
    def whole(self) -> FloatArray:
        """(q, q) W."""
        half = self.Lambdat.toarray()
        return np.asarray(half.T @ self.solve(half))


@dataclass(frozen=True, eq=False)
class KeptCovariance(JointCovariance):
    """
    The same, read from a file.

    W : (J, k, k) its blocks, or (q, q)
    """

    W: FloatArray

    def by_solving(self, Z: Any) -> FloatArray:  # noqa: ANN401 (scipy.sparse.csr_array)
        """Return (m,) z'W z of sparse rows z'."""
        return np.asarray(((Z @ self.W) * Z.toarray()).sum(axis=1))

    @property
    def blocks(self) -> FloatArray:
        """(J, k, k) diagonal blocks of W for one grouping factor, its terms side by side."""
        return self.W

    @property
    def whole(self) -> FloatArray:
        """(q, q) W."""
        return self.W


def has_one_factor(design: Design) -> bool:
    """Tell whether all random terms have the same grouping factor."""
    return len({term.group for term in design.random_terms}) == 1


def is_small(design: Design) -> bool:
    """Tell whether a file holds how well the random effects are known; not of a linear model, nor where it is much."""
    k = sum(term.n_coefficients for term in design.random_terms)
    wide = k if has_one_factor(design) else design.n_random
    return 0 < design.n_random * (design.n_fixed + wide) <= MOST_KEPT


def factorised_once(M: Any, terms: Sequence[RandomTermDesign]) -> tuple[Any, IntArray]:  # noqa: ANN401 (a sparse matrix)
    """
    Factorise M, and return the factor and the order of its rows and columns.

    The levels of the factor with most random effects come first: they never meet, and what they leave is most often
    full, so that to look for a better order takes longer than to factorise. Where little of it is filled, one is looked
    for that keeps it so.
    """
    starts = np.cumsum([0, *(term.n_levels * term.n_coefficients for term in terms)])
    effects: dict[str, list[IntArray]] = {}
    for term, start in zip(terms, starts, strict=False):
        places = start + np.arange(term.n_levels * term.n_coefficients).reshape(term.n_levels, -1)
        effects.setdefault(term.group, []).append(places)
    first, *others = sorted((np.hstack(places).ravel() for places in effects.values()), key=len, reverse=True)
    rest = sum(map(len, others))
    met = np.diff(M[:, first].indptr).astype(np.float64)
    if rest >= SPARSE_EFFECTS and float(met @ met) <= SPARSE_PAIRS * rest**2:
        return factorised(M, "MMD_AT_PLUS_A"), np.arange(len(first) + rest)
    order = np.concatenate([first, *others])
    return factorised(M[order][:, order]), order


def quadratic(X: FloatArray, V: FloatArray) -> FloatArray:
    """
    Return x'V x of each row.

    >>> quadratic(np.array([[1.0, 2.0]]), np.eye(2))
    array([5.])
    """
    out: FloatArray = np.einsum("mp,pq,mq->m", X, V, X)
    return out
