"""
Crossed factors: the largest is eliminated level by level, the others meet in a dense Schur complement.

With factor 1 eliminated, W_j = T_1 (I + T_1'C_jT_1)^-1 T_1' and

    H = C_22 - sum_j C_2j W_j C_j2,    S = I + Lambda_2'H Lambda_2,    W_2 = Lambda_2 S^-1 Lambda_2'

The second derivatives are the average information: the expectation of the exact ones given the data part.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.design.crossproducts import CrossProducts
from lmmformula.fit import blocks
from lmmformula.fit.dense import stacked_rows, weighted_rows
from lmmformula.fit.objective import Directions, Profile, Roots, data_curvature, profile
from lmmformula.fit.schur import Schur

SINGLE_PRECISION = 2000
"""Size of the Schur complement from which its inverse, needed for traces only, is taken in single precision.

The criterion keeps all its digits; the gradient's error of 1e-7 of its terms moves the optimum by less than that."""

SMALL_ROOT = 1e-3
"""Smallest singular value of T below which K is computed without dividing by T."""


@dataclass(frozen=True, slots=True)
class Crossed:
    """
    Objective for several factors.

    first : position of the factor that is eliminated first
    rest : positions of the others
    C1 : (k (k+1) / 2, J) Z'Z of the first factor, packed
    schur : products of the first factor with the others
    B2 : (q2, p+1) Z'[X y] of the others, coefficient a of level j in row start + a J + j
    C22 : (q2, q2) Z'Z of the others
    places : rows of each of the others
    """

    products: CrossProducts
    reml: bool
    first: int
    rest: tuple[int, ...]
    C1: FloatArray
    schur: Schur
    B2: FloatArray
    C22: FloatArray
    places: tuple[slice, ...]

    @classmethod
    def of(cls, products: CrossProducts, first: int, *, reml: bool) -> "Crossed":
        """Write the products of all factors but the first into matrices."""
        rest = tuple(f for f in range(len(products.factors)) if f != first)
        factors = [products.factors[f] for f in rest]
        ends = np.cumsum([f.k * f.n_levels for f in factors]).tolist()
        places = tuple(slice(end - f.k * f.n_levels, end) for f, end in zip(factors, ends, strict=True))
        C22 = np.zeros((ends[-1], ends[-1]))
        for i, f in enumerate(rest):
            levels = np.arange(factors[i].n_levels)
            blocks.spread(C22[places[i], places[i]], levels, levels, factors[i].C)
            for j, g in enumerate(rest[:i]):
                pair = products.pair(f, g)
                blocks.spread(C22[places[i], places[j]], pair.rows, pair.columns, pair.values)
                C22[places[j], places[i]] = C22[places[i], places[j]].T
        schur = Schur.of(products, first, rest, [p.start for p in places], ends[-1])
        C1 = blocks.pack(products.factors[first].C)
        return cls(products, reml, first, rest, C1, schur, stacked_rows(products, rest), C22, places)

    def with_response(self, products: CrossProducts) -> "Crossed":
        """Return the objective of products that differ in the response only."""
        return replace(self, products=products, B2=stacked_rows(products, self.rest))

    def at(self, roots: Roots) -> "CrossedPoint":
        """Evaluate the criterion."""
        from scipy.linalg import lapack

        T = roots[self.first]
        k = len(T)
        B1 = self.products.factors[self.first].B
        M = blocks.congruence_matrix(T) @ self.C1
        M[np.diag(blocks.packed_index(k))] += 1.0
        L = blocks.cholesky(M)
        half = blocks.solve_lower(L, np.repeat(T.T[:, :, None], L.shape[1], axis=2))  # half'half = W
        Y1 = blocks.products(half, B1)
        WB = blocks.products(half.transpose(1, 0, 2), Y1)
        H = self.C22 - self.schur.downdate(half)
        U = self.B2 - self.schur.spread(WB)
        A = self.products.A - blocks.contract("axj,ayj->xy", Y1, Y1)
        S = self.congruence(roots, H)
        S[np.diag_indices(len(S))] += 1.0
        R, info = lapack.dpotrf(S.T, lower=0, clean=0, overwrite_a=1)  # S = R'R
        if info:
            raise np.linalg.LinAlgError("the Schur complement is not positive definite")
        Y2, _ = lapack.dtrtrs(R, np.asfortranarray(self.scaled(roots, U)), trans=1)
        log_det = 2 * blocks.log_det_factor(L) + 2 * float(np.log(np.diag(R)).sum())
        found = profile(A - Y2.T @ Y2, log_det, n=self.products.n, reml=self.reml)
        return CrossedPoint(self, tuple(roots), found, half, H, U, R)

    def scaled(self, roots: Roots, rows: FloatArray) -> FloatArray:
        """Return Lambda_2' rows; with transposed roots, Lambda_2 rows."""
        out = np.empty(rows.shape)
        for f, here in zip(self.rest, self.places, strict=True):
            if len(roots[f]) == 1:
                np.multiply(rows[here], float(roots[f][0, 0]), out=out[here])
            else:
                out[here] = blocks.kron_rows(roots[f].T, rows[here])
        return out

    def congruence(self, roots: Roots, matrix: FloatArray) -> FloatArray:
        """Return Lambda_2' matrix Lambda_2 for a symmetric (q2, q2) matrix."""
        out = self.scaled(roots, matrix)
        for f, here in zip(self.rest, self.places, strict=True):
            if len(roots[f]) == 1:
                out[:, here] *= float(roots[f][0, 0])
            else:
                out[:, here] = blocks.kron_columns(out[:, here], roots[f])
        return out


@dataclass(slots=True)
class CrossedPoint:
    """
    The criterion at roots T.

    half : (k, k, J) of the first factor, half'half = W
    H, U : (q2, q2) and (q2, p+1) products of the other factors after elimination of the first
    R : upper Cholesky factor of the Schur complement
    """

    objective: Crossed
    roots: tuple[FloatArray, ...]
    profile: Profile
    half: FloatArray
    H: FloatArray
    U: FloatArray
    R: FloatArray
    inverses_: tuple[FloatArray, FloatArray] | None = None
    projected_: tuple[FloatArray, FloatArray] | None = None

    def inverses(self) -> tuple[FloatArray, FloatArray]:
        """Return S^-1 and W_2 = Lambda_2 S^-1 Lambda_2', (q2, q2), for traces: in single precision where it pays."""
        from scipy.linalg import lapack

        if self.inverses_ is None:
            if len(self.R) < SINGLE_PRECISION:
                inverse, _ = lapack.dpotri(self.R, lower=0)
            else:
                inverse, _ = lapack.spotri(self.R.astype(np.float32), lower=0, overwrite_c=1)
            S = blocks.mirror(inverse.T.astype(np.float64))
            self.inverses_ = S, self.objective.congruence([T.T for T in self.roots], S)
        return self.inverses_

    def w2_times(self, right: FloatArray) -> FloatArray:
        """Return W_2 right for (q2, w) right, by the Cholesky factor."""
        from scipy.linalg import lapack

        half = np.asfortranarray(self.objective.scaled(self.roots, right))
        solution, _ = lapack.dpotrs(self.R, half, lower=0, overwrite_b=1)
        return self.objective.scaled([T.T for T in self.roots], solution)

    def projected(self) -> tuple[FloatArray, FloatArray]:
        """Return Z_1'V^-1[X R^-1, e] as (k, p+1, J) and Z_2'V^-1[X R^-1, e] as (q2, p+1), e scaled by sqrt(m) / r."""
        if self.projected_ is None:
            right = self.profile.whitener
            U = self.U @ right
            x2 = self.w2_times(U)
            inner = blocks.times(self.factor.B, right) - self.objective.schur.gather(x2)
            self.projected_ = self.reduced(inner), U - self.H @ x2
        return self.projected_

    @property
    def factor(self) -> Any:  # noqa: ANN401
        """Products of the factor eliminated first."""
        return self.objective.products.factors[self.objective.first]

    def reduced(self, right: FloatArray) -> FloatArray:
        """Return (I - C_jW_j) right for (k, w, J) right-hand sides."""
        return right - blocks.products(self.factor.C, self.w_times(right))

    def w_times(self, right: FloatArray) -> FloatArray:
        """Return W_j right."""
        return blocks.products(self.half.transpose(1, 0, 2), blocks.products(self.half, right))

    def gradients(self) -> list[FloatArray]:
        """Return per factor the sum over levels of K - [REML] N - E."""
        inverse, W2 = self.inverses()
        p = len(self.profile.beta)
        Q1, Q2 = self.projected()
        keep = slice(None) if self.profile.reml else slice(p, None)
        out: list[FloatArray] = [np.empty(0)] * len(self.roots)
        for f, here in zip(self.objective.rest, self.objective.places, strict=True):
            T, k = self.roots[f], len(self.roots[f])
            sums = self._sum_K(T, here, inverse, W2)
            Q = Q2[here][:, keep].reshape(k, -1)
            out[f] = sums - Q @ Q.T
        C = self.factor.C
        CWC = blocks.products(C, self.w_times(C))
        Y = self.objective.schur.adjoint(W2)
        outer = self.reduced(self.reduced(Y).transpose(1, 0, 2))
        Q = Q1[:, keep].reshape(len(C), -1)
        out[self.objective.first] = (C - CWC - outer).sum(axis=2) - Q @ Q.T
        return out

    def _sum_K(self, T: FloatArray, here: slice, inverse: FloatArray, W2: FloatArray) -> FloatArray:
        """Return the sum over the levels of one factor of the blocks of K = Z'V^-1Z."""
        k, J = len(T), (here.stop - here.start) // len(T)
        if np.linalg.svd(T, compute_uv=False)[-1] > SMALL_ROOT:
            middle = J * np.eye(k) - blocks.einsum("ajbj->ab", inverse[here, here].reshape(k, J, k, J))
            half = blocks.solve(T.T, middle)
            return blocks.solve(T.T, half.T)
        HWH = self.H[here] @ W2
        H = self.H[here].reshape(k, J, -1)
        diagonal = blocks.einsum("ajbj->ab", self.H[here, here].reshape(k, J, k, J))
        out: FloatArray = diagonal - blocks.contract("ajm,bjm->ab", HWH.reshape(k, J, -1), H)
        return out

    def curvature(self, directions: Directions) -> FloatArray:
        """Return the average information, (m/r^2) y'P V_a P V_b P y - g_a g_b / m."""
        p = len(self.profile.beta)
        Q1, Q2 = self.projected()
        objective, first = self.objective, self.objective.first
        sizes = [len(S) for S in directions]
        ends = np.cumsum(sizes).tolist()
        total = ends[-1]
        # d_a = (I (x) S_a) e, and what is left of Z'V_1^-1 Z d_a when the first factor is eliminated
        d1 = np.zeros((len(self.roots[first]), total, Q1.shape[2]))
        d2 = np.zeros((len(Q2), total))
        mine = slice(ends[first] - sizes[first], ends[first])
        d1[:, mine] = blocks.einsum("aqr,rj->qaj", directions[first], Q1[:, p])
        for f, here in zip(objective.rest, objective.places, strict=True):
            e = Q2[here, p].reshape(len(self.roots[f]), -1)
            block = blocks.einsum("aqr,rj->qja", directions[f], e)
            d2[here, ends[f] - sizes[f] : ends[f]] = block.reshape(-1, sizes[f])
        C = self.factor.C
        reduced = self.reduced_transposed(d1)
        v1 = self.reduced(blocks.products(C, d1) + objective.schur.gather(d2))
        v2 = objective.schur.spread(reduced) + self.H @ d2
        quadratic = blocks.contract("kaj,kbj->ab", d1, v1) + d2.T @ v2
        quadratic -= v2.T @ self.w2_times(v2)
        side = blocks.contract("kaj,kxj->ax", d1, Q1) + d2.T @ Q2
        quadratic -= side[:, :p] @ side[:, :p].T
        quadratic = (quadratic + quadratic.T) / 2
        return data_curvature(quadratic, side[:, p], self.profile.degrees) - quadratic

    def reduced_transposed(self, right: FloatArray) -> FloatArray:
        """Return (I - W_jC_j) right."""
        return right - self.w_times(blocks.products(self.factor.C, right))

    def weighted(self, directions: Directions) -> FloatArray:
        """Return sums over levels of Q'S_aQ."""
        Q1, Q2 = self.projected()
        out = {self.objective.first: blocks.contract("qxj,aqr,rzj->axz", Q1, directions[self.objective.first], Q1)}
        for f, here in zip(self.objective.rest, self.objective.places, strict=True):
            out[f] = weighted_rows(Q2[here], directions[f])
        return np.concatenate([out[f] for f in range(len(self.roots))])

    def modes(self) -> list[FloatArray]:
        """Return per factor the (k, J) conditional modes."""
        contrast = np.append(-self.profile.beta, 1.0)[:, None]
        x2 = self.w2_times(self.U @ contrast)
        inner = blocks.times(self.factor.B, contrast) - self.objective.schur.gather(x2)
        out: list[FloatArray] = [np.empty(0)] * len(self.roots)
        out[self.objective.first] = self.w_times(inner)[:, 0]
        for f, here in zip(self.objective.rest, self.objective.places, strict=True):
            out[f] = x2[here, 0].reshape(len(self.roots[f]), -1)
        return out

    def covariances(self) -> list[FloatArray]:
        """Return per factor the diagonal blocks of Lambda M^-1 Lambda'."""
        _, W2 = self.inverses()
        out: list[FloatArray] = [np.empty(0)] * len(self.roots)
        Y = self.objective.schur.adjoint(W2)
        W = blocks.products(self.half.transpose(1, 0, 2), self.half)
        out[self.objective.first] = W + self.w_times(self.w_times(Y).transpose(1, 0, 2))
        for f, here in zip(self.objective.rest, self.objective.places, strict=True):
            k = len(self.roots[f])
            J = (here.stop - here.start) // k
            own = W2[here, here].reshape(k, J, k, J)
            out[f] = blocks.einsum("ajbj->abj", own).copy()
        return out
