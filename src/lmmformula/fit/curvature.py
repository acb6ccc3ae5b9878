"""
M = Lambda'Z'WZ Lambda + I factorised, with Lambda from roots T that may be singular.

With the first factor eliminated, W_j = T_1 (I + T_1'C_jT_1)^-1 T_1' and

    H = C_22 - sum_j C_2j W_j C_j2,    S = I + Lambda_2'H Lambda_2,    V_22 = Lambda_2 S^-1 Lambda_2'

and V = Lambda M^-1 Lambda' has the other blocks V_12 = -W C_12 V_22 and V_11 = W + W C_12 V_22 C_21 W, of which only
those are formed where two effects share a row of the data.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.fit import blocks
from lmmformula.fit.objective import Roots
from lmmformula.fit.weighted import Effects, Pattern, Products

DENSE_LINKS = 0.1
"""Share of the links' elements that are not zero from which their products are faster as dense matrices."""

CHUNK_ELEMENTS = 4_000_000
"""Elements of C_12 V_22 that are formed together."""


@dataclass(frozen=True)
class Curvature:
    """
    M at weights W and roots T, factorised.

    L : (d, J) packed Cholesky factors of I + T_1'C_jT_1
    half : (k, k, J) half'half = W_j
    H, S : (q2, q2) H, and the lower Cholesky factor of S
    """

    pattern: Pattern
    roots: tuple[FloatArray, ...]
    products: Products
    L: FloatArray
    half: FloatArray
    H: FloatArray
    S: FloatArray

    @classmethod
    def of(cls, pattern: Pattern, roots: Roots, w: FloatArray) -> "Curvature":
        """Factorise M; LinAlgError where it is not positive definite."""
        products, T = pattern.products(w), roots[0]
        L = blocks.cholesky(blocks.penalized(T, products.first))
        half = blocks.solve_lower(L, np.repeat(T.T[:, :, None], L.shape[1], axis=2))
        H = S = products.rest
        if pattern.q2:
            thick = blocks.einsum("abm,bm->am", half[:, :, pattern.rows], products.links)
            H = products.rest - _squared(pattern, thick)
            S = np.linalg.cholesky(np.eye(pattern.q2) + _congruent(pattern, roots, H)).astype(np.float64, copy=False)
        return cls(pattern, tuple(roots), products, L, half, H, S)

    @cached_property
    def log_det(self) -> float:
        """log|M|."""
        own = 2 * blocks.log_det_factor(self.L)
        return own + 2 * float(np.log(np.diag(self.S)).sum()) if self.pattern.q2 else own

    @property
    def least_pivot(self) -> float:
        """Smallest pivot of M, which is no less than 1 where no weight is negative."""
        own = self.L[np.diag(blocks.packed_index(len(self.roots[0])))]
        return float(min(np.square(own).min(initial=np.inf), np.square(np.diag(self.S)).min(initial=np.inf)))

    def solve(self, right: Effects) -> Effects:
        """Return M^-1 right, for one column or many."""
        if right.first.ndim == 2:
            found = self.solve(Effects(right.first[:, None], right.rest[:, None]))
            return Effects(found.first[:, 0], found.rest[:, 0])
        y = blocks.solve_lower(self.L, right.first.copy())
        if not self.pattern.q2:
            return Effects(blocks.solve_upper(self.L, y), right.rest)
        from scipy.linalg import solve_triangular

        below = right.rest - self._scaled_back(self._spread(blocks.cross(self.half, y)))
        half = solve_triangular(self.S, below, lower=True, check_finite=False)
        rest = np.asarray(solve_triangular(self.S, half, lower=True, trans="T", check_finite=False), dtype=np.float64)
        y -= blocks.products(self.half, self._gather(_scaled(self.pattern, self.roots, rest)))
        return Effects(blocks.solve_upper(self.L, y), rest)

    def root_transposed(self, z: Effects) -> Effects:
        """Return Lambda'z, for z with or without an axis of columns."""
        first = np.tensordot(self.roots[0].T, z.first, axes=1)
        if not self.pattern.q2:
            return Effects(first, z.rest)
        rest = self._scaled_back(z.rest if z.rest.ndim == 2 else z.rest[:, None])
        return Effects(first, rest.reshape(z.rest.shape))

    def _scaled_back(self, rows: FloatArray) -> FloatArray:
        return _scaled(self.pattern, [T.T for T in self.roots], rows)

    def _spread(self, right: FloatArray) -> FloatArray:
        """Return C_21 right, (q2, w), for (k, w, J) right."""
        return sum(
            (m.T @ part.T for m, part in zip(_matrices(self.pattern, self.products.links), right, strict=True)),
            np.zeros((self.pattern.q2, right.shape[1])),
        )

    def _gather(self, right: FloatArray) -> FloatArray:
        """Return C_12 right, (k, w, J), for (q2, w) right."""
        return np.stack([(m @ right).T for m in _matrices(self.pattern, self.products.links)])

    @cached_property
    def W(self) -> FloatArray:
        """(k, k, J) W_j."""
        return blocks.cross(self.half, self.half)

    @cached_property
    def V22(self) -> FloatArray:
        """(q2, q2) Lambda_2 S^-1 Lambda_2'."""
        from scipy.linalg import solve_triangular

        half = solve_triangular(self.S, self._scaled_back(np.eye(self.pattern.q2)), lower=True, check_finite=False)
        out: FloatArray = half.T @ half
        return out

    @cached_property
    def _met(self) -> FloatArray:
        """(k, m) C_12 V_22 in the cells of C_12."""
        pattern = self.pattern
        out = np.empty(self.products.links.shape)
        matrices = _matrices(pattern, self.products.links)
        step = max(1, CHUNK_ELEMENTS // max(pattern.q2, 1))
        for start in range(0, pattern.first.n_levels, step):
            end = min(start + step, pattern.first.n_levels)
            here = slice(pattern.pointer[start], pattern.pointer[end])
            for a, m in enumerate(matrices):
                out[a, here] = (m[start:end] @ self.V22)[pattern.rows[here] - start, pattern.indices[here]]
        return out

    @cached_property
    def _Y(self) -> FloatArray:
        """(k, k, J) C_j2 V_22 C_2j."""
        rows, J = self.pattern.rows, self.pattern.first.n_levels
        return np.array([[np.bincount(rows, left * right, J) for right in self.products.links] for left in self._met])

    @cached_property
    def V11(self) -> FloatArray:
        """(k, k, J) diagonal blocks of V for the first factor."""
        if not self.pattern.q2:
            return self.W
        return self.W + blocks.products(blocks.products(self.W, self._Y), self.W)

    def covariances(self) -> list[FloatArray]:
        """Return per factor the (k, k, J) diagonal blocks of V."""
        out = [self.V11]
        for _, factor, here in self.pattern.rest:
            k, J = factor.k, factor.n_levels
            out.append(blocks.einsum("ajbj->abj", self.V22[here, here].reshape(k, J, k, J)))
        return out

    def leverages(self) -> FloatArray:
        """Return (n,) z_i'V z_i."""
        pattern, first = self.pattern, self.pattern.first
        rows, columns = blocks.lower(first.k)
        twice = np.where(rows == columns, 1.0, 2.0)
        h: FloatArray = blocks.einsum("d,dn,dn->n", twice, pattern.squares, blocks.pack(self.V11)[:, first.codes])
        if not pattern.q2:
            return h
        V12 = -blocks.einsum("abm,bm->am", self.W[:, :, pattern.rows], self._met)
        for i, (column, values, cells) in enumerate(zip(pattern.columns, pattern.values, pattern.cells, strict=True)):
            h += 2 * values * blocks.einsum("an,an->n", first.columns, V12[:, cells])
            h += values * values * self.V22[column, column]
            for other, factor in zip(pattern.columns[i + 1 :], pattern.values[i + 1 :], strict=True):
                h += 2 * values * factor * self.V22[column, other]
        return h

    def level_sums(self) -> list[FloatArray]:
        """Return per factor the sum over levels of K = Z'WZ - Z'WZ V Z'WZ: log|M| changes by tr(K dSigma)."""
        C = blocks.unpack(self.products.first)
        CW = blocks.products(C, self.W)
        out = [(C - blocks.products(CW, C)).sum(axis=2)]
        if self.pattern.q2:
            P = np.eye(len(C))[:, :, None] - CW
            out[0] -= blocks.einsum("abj,bcj,dcj->ad", P, self._Y, P)
            K = self.H - self.H @ self.V22 @ self.H
            for _, factor, here in self.pattern.rest:
                k, J = factor.k, factor.n_levels
                out.append(blocks.einsum("ajbj->ab", K[here, here].reshape(k, J, k, J)))
        return out


def spread(pattern: Pattern, roots: Roots, u: Effects) -> Effects:
    """Return Lambda u."""
    first = roots[0] @ u.first
    return Effects(first, _scaled(pattern, roots, u.rest[:, None])[:, 0] if pattern.q2 else u.rest)


def _matrices(pattern: Pattern, links: FloatArray) -> list[Any]:
    """Return C_12 per coefficient of the first factor, (J, q2) CSR."""
    from scipy.sparse import csr_array

    shape = (pattern.first.n_levels, pattern.q2)
    return [csr_array((values, pattern.indices, pattern.pointer), shape=shape) for values in links]


def _squared(pattern: Pattern, thick: FloatArray) -> FloatArray:
    """Return the (q2, q2) sum over levels of G_j'G_j, G with values `thick` in the pattern's cells."""
    J, q2, (k, m) = pattern.first.n_levels, pattern.q2, thick.shape
    if m > DENSE_LINKS * J * q2 and k * J * q2 <= 10 * CHUNK_ELEMENTS:
        dense = np.zeros((k, J, q2))
        dense[:, pattern.rows, pattern.indices] = thick
        flat = dense.reshape(k * J, q2)
        return flat.T @ flat
    out: FloatArray = sum(((m.T @ m).toarray() for m in _matrices(pattern, thick)), np.zeros((q2, q2)))
    return out


def _scaled(pattern: Pattern, roots: Sequence[FloatArray], rows: FloatArray) -> FloatArray:
    """Return Lambda_2 rows; with transposed roots, Lambda_2' rows."""
    out = np.empty(rows.shape)
    for f, _, here in pattern.rest:
        out[here] = blocks.kron_rows(roots[f], rows[here])
    return out


def _congruent(pattern: Pattern, roots: Roots, H: FloatArray) -> FloatArray:
    """Return Lambda_2'H Lambda_2."""
    back = [T.T for T in roots]
    return _scaled(pattern, back, _scaled(pattern, back, H).T)
