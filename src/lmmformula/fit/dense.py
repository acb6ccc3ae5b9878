"""
A few hundred random effects in all: every matrix of the method is formed as a whole, and all derivatives are exact.

K = Z'V^-1Z = C - C W C with W = Lambda M^-1 Lambda', q x q, whatever the factors' structure. This is also the
second opinion that the other strategies are tested against.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.design.products import CrossProducts
from lmmformula.fit import blocks
from lmmformula.fit.objective import Directions, Profile, Roots, data_curvature, profile


@dataclass(frozen=True, slots=True)
class Dense:
    """
    Objective for any factors, Z'Z as one matrix; coefficient a of level j of a factor is row start + a J + j.

    C : (q, q) Z'Z
    B : (q, p+1) Z'[X y]
    places : rows of each factor
    """

    products: CrossProducts
    reml: bool
    C: FloatArray
    B: FloatArray
    places: tuple[slice, ...]

    @classmethod
    def of(cls, products: CrossProducts, *, reml: bool) -> "Dense":
        """Write the products into matrices."""
        factors = products.factors
        ends = np.cumsum([f.k * f.n_levels for f in factors]).tolist()
        places = tuple(slice(end - f.k * f.n_levels, end) for f, end in zip(factors, ends, strict=True))
        C = np.zeros((ends[-1], ends[-1]))
        for factor, here in zip(factors, places, strict=True):
            levels = np.arange(factor.n_levels)
            blocks.spread(C[here, here], levels, levels, factor.C)
        for (f, g), pair in products.pairs.items():
            blocks.spread(C[places[f], places[g]], pair.rows, pair.columns, pair.values)
            C[places[g], places[f]] = C[places[f], places[g]].T
        return cls(products, reml, C, stacked_rows(products, range(len(factors))), places)

    def with_response(self, products: CrossProducts) -> "Dense":
        """Return the objective of products that differ in the response only."""
        return replace(self, products=products, B=stacked_rows(products, range(len(products.factors))))

    def at(self, roots: Roots) -> "DensePoint":
        """Evaluate the criterion."""
        stacked = np.concatenate([self.C, self.B], axis=1)
        for here, T in zip(self.places, roots, strict=True):
            stacked[here] = blocks.kron_rows(T.T, stacked[here])
        M = np.eye(len(self.C))
        for here, T in zip(self.places, roots, strict=True):
            M[here] += blocks.kron_rows(T.T, stacked[:, here].T)  # Lambda' (Lambda'C)' = Lambda'C Lambda
        L: FloatArray = np.linalg.cholesky(M).astype(np.float64, copy=False)
        solved = blocks.solve(L, stacked)
        H, Y = solved[:, : len(L)], solved[:, len(L) :]
        log_det = 2 * float(np.log(np.diag(L)).sum())
        found = profile(self.products.A - Y.T @ Y, log_det, n=self.products.n, reml=self.reml)
        return DensePoint(self, tuple(roots), found, L, H, Y)


@dataclass(slots=True)
class DensePoint:
    """
    The criterion at roots T.

    H, Y : (q, q) L^-1 Lambda'C and (q, p+1) L^-1 Lambda'B
    """

    objective: Dense
    roots: tuple[FloatArray, ...]
    profile: Profile
    L: FloatArray
    H: FloatArray
    Y: FloatArray

    def whitened(self) -> FloatArray:
        """Return (q, p+1) Z'V^-1[X R^-1, sqrt(m) / r (y - X beta)]."""
        out: FloatArray = (self.objective.B - self.H.T @ self.Y) @ self.profile.whitener
        return out

    def projected(self) -> tuple[FloatArray, FloatArray]:
        """Return (q, q) Z'PZ (for ML Z'V^-1Z), and (q,) e = sqrt(m / r^2) Z'Py."""
        p, Q = len(self.profile.beta), self.whitened()
        K = self.objective.C - self.H.T @ self.H
        return (K - Q[:, :p] @ Q[:, :p].T if self.profile.reml else K), Q[:, p]

    def gradients(self) -> list[FloatArray]:
        """Return per factor the sum over levels of the diagonal blocks of Z'PZ - ee'."""
        K, e = self.projected()
        out = []
        for here, factor in zip(self.objective.places, self.objective.products.factors, strict=True):
            k, J = factor.k, factor.n_levels
            E = e[here].reshape(k, J)
            out.append(blocks.einsum("ajbj->ab", K[here, here].reshape(k, J, k, J)) - E @ E.T)
        return out

    def curvature(self, directions: Directions) -> FloatArray:
        """Return -tr(P V_a P V_b) + 2 (m/r^2) y'P V_a P V_b P y - g_a g_b / m."""
        K, e = self.projected()
        places = self.objective.places
        # with ML, K has V^-1 where the quadratic form has P; the difference is a product of Q'd
        d = [
            np.stack([blocks.kron_rows(s, e[h, None])[:, 0] for s in S])
            for S, h in zip(directions, places, strict=True)
        ]
        linear = np.concatenate([x @ e[h] for x, h in zip(d, places, strict=True)])
        traces = [
            [level_traces(K[f, g], S, R) for R, g in zip(directions, places, strict=True)]
            for S, f in zip(directions, places, strict=True)
        ]
        quadratic = np.block(
            [[x @ K[f, g] @ z.T for z, g in zip(d, places, strict=True)] for x, f in zip(d, places, strict=True)]
        )
        if not self.profile.reml:
            Q = self.whitened()[:, : len(self.profile.beta)]
            side = np.concatenate([x @ Q[h] for x, h in zip(d, places, strict=True)])
            quadratic -= side @ side.T
        out: FloatArray = data_curvature(quadratic, linear, self.profile.degrees) - np.block(traces)
        return out

    def weighted(self, directions: Directions) -> FloatArray:
        """Return sums over levels of Q'S_aQ."""
        Q = self.whitened()
        return np.concatenate([weighted_rows(Q[h], S) for S, h in zip(directions, self.objective.places, strict=True)])

    def modes(self) -> list[FloatArray]:
        """Return per factor Lambda M^-1 Lambda' (Z'y - Z'X beta) as (k, J)."""
        u = blocks.solve(self.L.T, self.Y @ np.append(-self.profile.beta, 1.0))
        factors = self.objective.products.factors
        return [
            T @ u[here].reshape(f.k, f.n_levels)
            for T, here, f in zip(self.roots, self.objective.places, factors, strict=True)
        ]

    def covariances(self) -> list[FloatArray]:
        """Return per factor the diagonal blocks of Lambda M^-1 Lambda'."""
        half = blocks.solve(self.L, np.eye(len(self.L)))
        out = []
        for T, here, factor in zip(self.roots, self.objective.places, self.objective.products.factors, strict=True):
            rows = blocks.kron_rows(T, half[:, here].T).reshape(factor.k, factor.n_levels, -1)
            out.append(blocks.einsum("ajm,bjm->abj", rows, rows))
        return out


def stacked_rows(products: CrossProducts, which: Sequence[int]) -> FloatArray:
    """Return (q, p+1) Z'[X y] of some factors, coefficient a of level j in row start + a J + j."""
    parts = [products.factors[f].B.transpose(0, 2, 1).reshape(-1, products.p + 1) for f in which]
    return np.concatenate(parts)


def weighted_rows(Q: FloatArray, S: FloatArray) -> FloatArray:
    """Return (n, w, w) Q'(S_a (x) I)Q for (k J, w) Q, coefficient by coefficient."""
    k, w = S.shape[1], Q.shape[1]
    flat = Q.reshape(k, -1, w)
    return blocks.contract("qjx,aqr,rjz->axz", flat, S, flat)


def level_traces(K: FloatArray, S: FloatArray, R: FloatArray) -> FloatArray:
    """Return (n, m) tr((S_a (x) I) K (R_b (x) I) K') for a block K between two factors."""
    k, h = S.shape[1], R.shape[1]
    if max(k, h) > blocks.LARGE:
        left = np.stack([blocks.kron_rows(s, K) for s in S]).reshape(len(S), -1)
        right = [blocks.kron_rows(r, K.T).T.ravel() for r in R]
        return np.stack([left @ r for r in right], axis=1)
    flat = K.reshape(k, len(K) // k, h, K.shape[1] // h).transpose(0, 2, 1, 3).reshape(k * h, -1)
    table = (flat @ flat.T).reshape(k, h, k, h)  # [q, r, p, s] = sum K_qr K_ps
    return blocks.contract("apq,brs,qrps->ab", S, R, table)
