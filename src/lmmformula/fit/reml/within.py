"""
One grouping factor whose levels tell the response but for very little: what they leave is summed by itself.

[X y]'V^-1[X y] = A - B'VB loses what is left where the random effects are millions of times the residual. With
Z_j'Z_j = F F', G = F^+ Z_j'[X y] and E what least squares on Z_j leaves of [X y], row by row,

    [X y]'V^-1[X y] = E'E + sum G' (I + F' Sigma F)^-1 G,    Z_j'V^-1[X y] = F (I + F' Sigma F)^-1 G

has no difference in it, and is exact to the rounding of the response itself.
"""

from dataclasses import dataclass

import numpy as np

from lmmformula.arrays import FloatArray, IntArray
from lmmformula.design.design import Design
from lmmformula.design.sums.coordinates import block_diagonal, columns_of, whitener
from lmmformula.design.sums.records import CrossProducts
from lmmformula.fit.algebra import blocks
from lmmformula.fit.algebra.effects import Roots
from lmmformula.fit.reml.objective import profile
from lmmformula.fit.reml.single import SingleFactor, SinglePoint

LITTLE = 1e-7
"""Part of the response's sum of squares within levels, below which differences are not exact enough."""

WIDE = 1e4
"""Relative standard deviation of random effects that follow the levels."""

DEPENDENT = 1e-13
"""Part of the largest eigenvalue of Z_j'Z_j that is rounding."""

RIDGE = 1e-10
"""Mean square of columns of X within levels that stands for all below: nothing is left of them but rounding."""

ROUNDS = 3
"""Times that least squares take out of the rows what Z_j and X tell: after the first what rounding and ridge left."""


@dataclass(frozen=True, slots=True)
class WithinFactor(SingleFactor):
    """
    Objective for one grouping factor, without differences.

    half : (k, k, J) F of each level
    between : (k, p+1, J) G of each level
    within : (p+1, p+1) E'E
    """

    half: FloatArray
    between: FloatArray
    within: FloatArray

    @classmethod
    def from_rows(cls, objective: SingleFactor, design: Design) -> "WithinFactor":
        """Sum what levels tell, and what they leave of the rows of a design."""
        products = objective.products
        (factor,), coordinates, columns = products.factors, products.coordinates, columns_of(design)
        rows = np.column_stack(columns.fixed)
        rows[:, : products.p] = rows[:, : products.p] @ whitener(columns.gram[: products.p, : products.p] / products.n)
        turn = block_diagonal([coordinates.turns[t] for t in factor.terms])
        Z = turn.T @ np.array([column for t in factor.terms for column in columns.random[t]])
        codes = design.random_terms[factor.terms[0]].codes
        values, vectors = np.linalg.eigh(factor.C.transpose(2, 0, 1))
        sizes = np.sqrt(np.where(values > DEPENDENT * values[:, -1:], values, 0.0))
        inverse = np.divide(1.0, sizes, where=sizes > 0.0, out=np.zeros_like(sizes))
        beta = np.zeros(products.p)
        for _ in range(ROUNDS):
            slopes = (
                (vectors * inverse[:, None] ** 2) @ vectors.transpose(0, 2, 1) @ _by_level(Z, rows, codes, len(sizes))
            )
            for q, z in enumerate(Z):
                rows -= z[:, None] * slopes[codes, q]
            step = _regression(rows.T @ rows, len(rows))
            rows[:, -1] -= rows[:, :-1] @ step
            beta += step
        products = products.less(beta)
        G = (vectors * inverse[:, None]).transpose(0, 2, 1) @ products.factors[0].B.transpose(2, 0, 1)
        return cls(products, objective.reml, objective.C, _last(vectors * sizes[:, None]), _last(G), rows.T @ rows)

    def with_response(self, products: CrossProducts) -> SingleFactor:
        """Return the objective of products that differ in the response only, whose rows are not here."""
        return SingleFactor(products, self.reml, self.C)

    def at(self, roots: Roots) -> "WithinPoint":
        """Evaluate the criterion."""
        (T,) = roots
        L, Y = self.reduced(T, slice(None))
        flat = Y.transpose(1, 0, 2).reshape(Y.shape[1], -1)
        found = profile(self.within + flat @ flat.T, 2 * blocks.log_det_factor(L), n=self.products.n, reml=self.reml)
        return WithinPoint(self, T, found, None)

    def reduced(self, T: FloatArray, part: slice) -> tuple[FloatArray, FloatArray]:
        """Return packed L with LL' = I + F' Sigma F of some levels, and L^-1 G."""
        M = blocks.gram(blocks.multiply(T.T, self.half[:, :, part]))
        M[np.diag(blocks.packed_index(len(T)))] += 1.0
        L = blocks.cholesky(M)
        return L, blocks.solve_lower(L, self.between[:, :, part].copy())


@dataclass(slots=True)
class WithinPoint(SinglePoint):
    """The criterion of one grouping factor at a root T, without differences."""

    objective: WithinFactor

    def _projected(self, part: slice) -> tuple[FloatArray, FloatArray]:
        L, Y = self.objective.reduced(self.T, part)
        H = blocks.solve_lower(L, self.objective.half[:, :, part].transpose(1, 0, 2).copy())
        return blocks.gram(H), blocks.cross(H, blocks.times(Y, self.profile.whitener))


def exact_enough(objective: SingleFactor, design: Design) -> SingleFactor:
    """Return an objective that is exact for the response; the given one, where its levels leave enough of it."""
    products = objective.products
    if not design.has_rows or design.sums is not None or design.n_random >= design.nobs:
        return objective
    (factor,) = products.factors
    T = WIDE * np.eye(factor.k)
    left = products.A.copy()
    for part in objective.chunks():
        flat = objective.eliminate(T, part)[1].transpose(1, 0, 2).reshape(len(left), -1)
        left -= flat @ flat.T
    if left[-1, -1] - left[-1, :-1] @ _regression(left, design.nobs) > LITTLE * products.A[-1, -1]:
        return objective
    return WithinFactor.from_rows(objective, design)


def _regression(gram: FloatArray, n: int) -> FloatArray:
    """Return slopes of the last of some columns on all others, from their products."""
    ridge = RIDGE * n * np.eye(len(gram) - 1)
    return blocks.solve(gram[:-1, :-1] + ridge, gram[:-1, -1])


def _by_level(Z: FloatArray, rows: FloatArray, codes: IntArray, n_levels: int) -> FloatArray:
    """Return (J, k, p+1) sums over the rows of each level of z x'."""
    out = np.empty((n_levels, len(Z), rows.shape[1]))
    for q, z in enumerate(Z):
        for j in range(rows.shape[1]):
            out[:, q, j] = np.bincount(codes, z * rows[:, j], n_levels)
    return out


def _last(stacked: FloatArray) -> FloatArray:
    """Put the levels of (J, k, w) blocks last."""
    return np.ascontiguousarray(stacked.transpose(1, 2, 0))
