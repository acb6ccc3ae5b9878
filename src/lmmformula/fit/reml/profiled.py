"""
The profiled criterion of a Gaussian model, by whichever elimination its grouping factors allow.

With V = Lambda M^-1 Lambda' and C = Z'Z, everything follows from V B, B = Z'[X y]:

    [X y]'V_y^-1[X y] = A - B'VB,    Z'V_y^-1[X y] = B - C V B,    Z'V_y^-1Z = K = C - C V C

The second derivatives are the average information: exact in the data part, with tr(P V_a P V_b) replaced by what it is
in expectation (Gilmour, Thompson & Cullis 1995, Biometrics 51, 1440-1450); exact altogether where K is a dense matrix.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.design.sums.records import CrossProducts
from lmmformula.fit.algebra import blocks
from lmmformula.fit.algebra.dense import DenseFactorised
from lmmformula.fit.algebra.effects import Effects, Roots
from lmmformula.fit.algebra.factorised import Elimination, Factorised
from lmmformula.fit.algebra.gram import Gram, gram_of
from lmmformula.fit.algebra.plan import Structure, elimination_of
from lmmformula.fit.reml.objective import Directions, Objective, Profile, data_curvature, profile
from lmmformula.fit.reml.single import SingleFactor


@dataclass(frozen=True)
class Profiled:
    """
    The criterion of given cross-products.

    gram : C
    elimination : how M is factorised
    """

    products: CrossProducts
    reml: bool
    gram: Gram
    elimination: Elimination

    def with_response(self, products: CrossProducts) -> "Profiled":
        """Return the objective of products that differ in the response only."""
        return replace(self, products=products)

    def at(self, roots: Roots) -> "ProfiledPoint":
        """Evaluate the criterion."""
        M = self.elimination.factor(self.gram, roots)
        B = Effects(tuple(factor.B for factor in self.products.factors))
        solved = M.apply(B)
        A = self.products.A - B.gram(solved)
        found = profile((A + A.T) / 2, M.log_det, n=self.products.n, reml=self.reml)
        if isinstance(M, DenseFactorised):
            return DensePoint(self, M, found, B, solved)
        return ProfiledPoint(self, M, found, B, solved)


@dataclass(frozen=True)
class ProfiledPoint:
    """
    The criterion at roots T.

    B, solved : Z'[X y] and V Z'[X y]
    """

    objective: Profiled
    M: Factorised
    profile: Profile
    B: Effects
    solved: Effects

    @cached_property
    def projected(self) -> Effects:
        """Z'V^-1[X R^-1, sqrt(m) / r (y - X beta)], p+1 columns."""
        return (self.B - self.M.gram.times(self.solved)).times(self.profile.whitener)

    def gradients(self) -> list[FloatArray]:
        """Return per factor the sum over levels of K - [REML] N - E."""
        keep = slice(None) if self.profile.reml else slice(len(self.profile.beta), None)
        out = []
        for K, Q in zip(self.M.level_sums(), self.projected.parts, strict=True):
            flat = Q[:, keep].reshape(len(Q), -1)
            out.append(K - flat @ flat.T)
        return out

    def curvature(self, directions: Directions) -> FloatArray:
        """Return the average information, (m/r^2) y'P V_a P V_b P y - g_a g_b / m."""
        quadratic, linear = self._data(directions)
        return data_curvature(quadratic, linear, self.profile.degrees) - quadratic

    def _data(self, directions: Directions) -> tuple[FloatArray, FloatArray]:
        """Return (m/r^2) y'P V_a P V_b P y and (m/r^2) y'P V_a P y."""
        p, Q = len(self.profile.beta), self.projected
        d = self._moved(directions)
        t = self.M.gram.times(d)
        side = d.gram(Q)
        quadratic = d.gram(t) - t.gram(self.M.apply(t)) - side[:, :p] @ side[:, :p].T
        return (quadratic + quadratic.T) / 2, side[:, p]

    def _moved(self, directions: Directions) -> Effects:
        """Return (I (x) S_a) e of all directions."""
        ends = np.cumsum([len(S) for S in directions]).tolist()
        parts = []
        for S, end, Q in zip(directions, ends, self.projected.parts, strict=True):
            part = np.zeros((len(Q), ends[-1], Q.shape[2]))
            part[:, end - len(S) : end] = blocks.einsum("aqr,rj->qaj", S, Q[:, -1])
            parts.append(part)
        return Effects(tuple(parts))

    def weighted(self, directions: Directions) -> FloatArray:
        """Return sums over levels of Q'S_aQ."""
        each = zip(directions, self.projected.parts, strict=True)
        return np.concatenate([blocks.contract("qxj,aqr,rzj->axz", Q, S, Q) for S, Q in each])

    def modes(self) -> list[FloatArray]:
        """Return per factor the (k, J) conditional modes."""
        contrast = np.append(-self.profile.beta, 1.0)[:, None]
        return [part[:, 0] for part in self.solved.times(contrast).parts]

    def covariances(self) -> list[FloatArray]:
        """Return per factor the (k, k, J) diagonal blocks of Lambda M^-1 Lambda'."""
        return self.M.diagonal_blocks()


@dataclass(frozen=True)
class DensePoint(ProfiledPoint):
    """The criterion where K is a dense matrix, and the second derivatives are exact."""

    M: DenseFactorised

    @property
    def places(self) -> tuple[slice, ...]:
        """Rows of each factor."""
        return self.M.places

    def curvature(self, directions: Directions) -> FloatArray:
        """Return -tr(P V_a P V_b) + 2 (m/r^2) y'P V_a P V_b P y - g_a g_b / m; for ML the trace has V^-1 for P."""
        quadratic, linear = self._data(directions)
        K = self.M.K
        if self.profile.reml:
            Q = self.M.stacked(self.projected)[:, : len(self.profile.beta)]
            K = K - Q @ Q.T
        traces = [
            [level_traces(K[f, g], S, R) for R, g in zip(directions, self.places, strict=True)]
            for S, f in zip(directions, self.places, strict=True)
        ]
        out: FloatArray = data_curvature(quadratic, linear, self.profile.degrees) - np.block(traces)
        return out


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


def objective_for(products: CrossProducts, structure: Structure, *, reml: bool) -> Objective:
    """Build the objective of a structure."""
    if structure.name == "single":
        return SingleFactor.of(products, reml=reml)
    gram = gram_of(products)
    return Profiled(products, reml, gram, elimination_of(gram, structure, often=True))
