"""
One grouping factor: V is block diagonal, so everything is a sum over levels of k x k algebra.

Value, gradient and exact second derivatives cost O(J k^2 (k + p)); the second derivatives need only five matrix
products of length J (tr(P V_a P V_b) is bilinear in the directions, and its coefficients are sums over levels).
"""

from dataclasses import dataclass, replace

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.design.sums.records import CrossProducts
from lmmformula.fit.algebra import blocks
from lmmformula.fit.algebra.effects import Roots
from lmmformula.fit.algebra.factorised import block_factors
from lmmformula.fit.reml.objective import Directions, Profile, data_curvature, profile

CHUNK = 4096
"""Levels treated together: their arrays stay in the processor's cache."""


@dataclass(frozen=True, slots=True)
class SingleFactor:
    """
    Objective for one grouping factor.

    C : (k (k+1) / 2, J) Z'Z of each level, packed
    """

    products: CrossProducts
    reml: bool
    C: FloatArray

    @classmethod
    def of(cls, products: CrossProducts, *, reml: bool) -> "SingleFactor":
        """Pack the products."""
        return cls(products, reml, blocks.pack(products.factors[0].C))

    def with_response(self, products: CrossProducts) -> "SingleFactor":
        """Return the objective of products that differ in the response only."""
        return replace(self, products=products)

    def at(self, roots: Roots) -> "SinglePoint":
        """Evaluate the criterion."""
        (T,) = roots
        A, log_det = self.products.A.copy(), 0.0
        chunks = self.chunks()
        for part in chunks:
            L, Y = self.eliminate(T, part)
            flat = Y.transpose(1, 0, 2).reshape(Y.shape[1], -1)
            A -= flat @ flat.T
            log_det += blocks.log_det_factor(L)
        found = profile(A, 2 * log_det, n=self.products.n, reml=self.reml)
        return SinglePoint(self, T, found, (L, Y) if len(chunks) == 1 else None)

    def chunks(self) -> list[slice]:
        """Return the levels in pieces."""
        return [slice(start, start + CHUNK) for start in range(0, self.C.shape[1], CHUNK)]

    def eliminate(self, T: FloatArray, part: slice) -> tuple[FloatArray, FloatArray]:
        """Return packed L with LL' = T'CT + I, and Y = L^-1 T'B, (k, p+1, J)."""
        L = block_factors(self.C[:, part], T)
        return L, blocks.solve_lower(L, blocks.multiply(T.T, self.products.factors[0].B[:, :, part]))


@dataclass(slots=True)
class _Moments:
    """
    Sums over levels of products of K = Z'V^-1Z, N = Z'V^-1X F X'V^-1Z, E = ee', and of Q = Z'V^-1[X R^-1, e].

    Rows and columns of the (d, d) moments are packed k x k matrices.
    """

    K: FloatArray
    N: FloatArray
    E: FloatArray
    KK: FloatArray
    KN: FloatArray
    KE: FloatArray
    QQ: FloatArray


@dataclass(slots=True)
class SinglePoint:
    """
    The criterion of one grouping factor at a root T.

    kept : L and Y of `SingleFactor.eliminate`, if there is only one chunk of levels
    """

    objective: SingleFactor
    T: FloatArray
    profile: Profile
    kept: tuple[FloatArray, FloatArray] | None
    moments_: _Moments | None = None

    def gradients(self) -> list[FloatArray]:
        """Return [G]: sum over levels of K - [REML] N - E."""
        sums = self.moments()
        G = sums.K - sums.E - (sums.N if self.profile.reml else 0.0)
        return [blocks.unpack(G)]

    def curvature(self, directions: Directions) -> FloatArray:
        """Return -tr(P V_a P V_b) + 2 (m/r^2) y'P V_a P V_b P y - g_a g_b / m; for ML the trace has V^-1 for P."""
        (S,) = directions
        sums, k, p = self.moments(), len(self.T), len(self.profile.beta)
        flat = S.reshape(len(S), k * k)
        weighted = self.weighted(directions)
        coefficients = sums.KK - (sums.KN + sums.KN.T if self.profile.reml else 0.0)
        index = blocks.packed_index(k)
        # tr(K S_a N S_b) = sum K_pq S_a,qr N_rs S_b,sp
        table = coefficients[index[:, :, None, None], index[None, None]]  # [p, q, r, s]
        table = table.transpose(1, 2, 3, 0).reshape(k * k, k * k)
        traces = flat @ table @ flat.T
        if self.profile.reml:
            inner = weighted[:, :p, :p].reshape(len(S), -1)
            traces = traces + inner @ inner.transpose()
        table = sums.KE[index[:, :, None, None], index[None, None]]  # [q, r, p, s]
        table = table.transpose(2, 0, 1, 3).reshape(k * k, k * k)  # e_p S_a,pq K_qr S_b,rs e_s
        side = weighted[:, :p, p]
        quadratic = flat @ table @ flat.T - side @ side.T
        return data_curvature(quadratic, weighted[:, p, p], self.profile.degrees) - (traces + traces.T) / 2

    def weighted(self, directions: Directions) -> FloatArray:
        """Return sums over levels of Q'S_aQ."""
        return blocks.contract("qxrz,aqr->axz", self.moments().QQ, directions[0])

    def modes(self) -> list[FloatArray]:
        """Return [T M^-1 T' (Z'y - Z'X beta)]."""
        contrast = np.append(-self.profile.beta, 1.0)
        parts = []
        for part in self.objective.chunks():
            L, Y = self.eliminated(part)
            u = blocks.solve_upper(L, blocks.times(Y, contrast[:, None]))
            parts.append(blocks.multiply(self.T, u)[:, 0])
        return [np.concatenate(parts, axis=1)]

    def covariances(self) -> list[FloatArray]:
        """Return [T M^-1 T'] of each level."""
        parts = []
        for part in self.objective.chunks():
            L, _ = self.eliminated(part)
            half = np.repeat(self.T.T[:, :, None], L.shape[1], axis=2)
            parts.append(blocks.unpack(blocks.gram(blocks.solve_lower(L, half))))
        return [np.concatenate(parts, axis=2)]

    def eliminated(self, part: slice) -> tuple[FloatArray, FloatArray]:
        """Return L and Y of some levels, computed again where keeping them would fill the memory."""
        return self.kept or self.objective.eliminate(self.T, part)

    def moments(self) -> _Moments:
        """Return the sums over levels, formed once."""
        if self.moments_ is None:
            total: list[FloatArray] | None = None
            for part in self.objective.chunks():
                piece = self._moments(part)
                total = piece if total is None else [a + b for a, b in zip(total, piece, strict=True)]
            assert total is not None
            k, w = len(self.T), len(self.profile.beta) + 1
            K, N, E, KK, KN, KE, QQ = total
            self.moments_ = _Moments(K, N, E, KK, KN, KE, QQ.reshape(k, w, k, w))
        return self.moments_

    def _moments(self, part: slice) -> list[FloatArray]:
        k, p = len(self.T), len(self.profile.beta)
        K, Q = self._projected(part)
        N, E = blocks.gram(Q[:, :p].transpose(1, 0, 2)), blocks.gram(Q[:, p:].transpose(1, 0, 2))
        flat = Q.reshape(k * (p + 1), -1)
        return [K.sum(axis=1), N.sum(axis=1), E.sum(axis=1), K @ K.T, K @ N.T, K @ E.T, flat @ flat.T]

    def _projected(self, part: slice) -> tuple[FloatArray, FloatArray]:
        """Return packed K, and (k, p+1, J) Q, of some levels."""
        C, B, whitener = (
            self.objective.C[:, part],
            self.objective.products.factors[0].B[:, :, part],
            self.profile.whitener,
        )
        L, Y = self.eliminated(part)
        H = blocks.solve_lower(L, blocks.multiply(self.T.T, blocks.unpack(C)))  # L^-1 T'C
        Q, Yw = blocks.times(B, whitener), blocks.times(Y, whitener)
        for i in range(len(Q)):
            for c in range(len(Q)):
                Q[i] -= H[c, i] * Yw[c]
        return C - blocks.gram(H), Q
