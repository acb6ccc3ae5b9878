"""
Several factors, the largest eliminated level by level: what is common to a dense and a sparse Schur complement.

With factor 1 eliminated, W_j = T_1 (I + T_1'C_jT_1)^-1 T_1' and

    H = C_22 - sum_j C_2j W_j C_j2,    S = I + Lambda_2'H Lambda_2,    W_2 = Lambda_2 S^-1 Lambda_2'

The second derivatives are the average information: exact in the data part, with tr(P V_a P V_b) replaced by what it is
in expectation (Gilmour, Thompson & Cullis 1995, Biometrics 51, 1440-1450).
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.design.products import CrossProducts, FactorProducts
from lmmformula.fit import blocks
from lmmformula.fit.dense import stacked_rows, weighted_rows
from lmmformula.fit.links import Links, Rest
from lmmformula.fit.objective import Directions, Profile, Roots, data_curvature


@dataclass(frozen=True, slots=True)
class First:
    """
    The first factor eliminated, at its root T.

    half : (k, k, J) half'half = W
    log_det : log|I + T'CT| over all levels
    A, U : (p+1, p+1) and (q2, p+1) [X y]'V_1^-1[X y] and Z_2'V_1^-1[X y]
    """

    half: FloatArray
    log_det: float
    A: FloatArray
    U: FloatArray


@dataclass(frozen=True, slots=True)
class Eliminated(ABC):
    """
    Objective for several factors.

    first : position of the factor that is eliminated first
    rest : the others
    C1 : (k (k+1) / 2, J) Z'Z of the first factor, packed
    links : products of the first factor with the others
    B2 : (q2, p+1) Z'[X y] of the others
    C22 : (q2, q2) Z'Z of the others
    """

    products: CrossProducts
    reml: bool
    first: int
    rest: Rest
    C1: FloatArray
    links: Links
    B2: FloatArray
    C22: Any

    @property
    def factor(self) -> FactorProducts:
        """Products of the factor eliminated first."""
        return self.products.factors[self.first]

    def with_response(self, products: CrossProducts) -> Self:
        """Return the objective of products that differ in the response only."""
        return replace(self, products=products, B2=stacked_rows(products, self.rest.which))

    def eliminate(self, T: FloatArray) -> First:
        """Eliminate the first factor."""
        L = blocks.cholesky(blocks.penalized(T, self.C1))
        half = blocks.solve_lower(L, np.repeat(T.T[:, :, None], L.shape[1], axis=2))
        Y = blocks.products(half, self.factor.B)
        A = self.products.A - blocks.contract("axj,ayj->xy", Y, Y)
        U = self.B2 - self.links.spread(blocks.products(half.transpose(1, 0, 2), Y))
        return First(half, 2 * blocks.log_det_factor(L), A, U)

    @abstractmethod
    def at(self, roots: Roots) -> "EliminatedPoint":
        """Evaluate the criterion."""


@dataclass(slots=True)
class EliminatedPoint(ABC):
    """
    The criterion at roots T.

    eliminated : the first factor, eliminated
    H : (q2, q2) Z_2'V_1^-1Z_2 of the others
    """

    objective: Eliminated
    roots: tuple[FloatArray, ...]
    profile: Profile
    eliminated: First
    H: Any

    @abstractmethod
    def solve(self, right: FloatArray) -> FloatArray:
        """Return S^-1 right for (q2, w) right."""

    @abstractmethod
    def level_sums(self) -> list[FloatArray]:
        """Return per factor the sum over levels of K = Z'V^-1Z, (k, k)."""

    @abstractmethod
    def covariances(self) -> list[FloatArray]:
        """Return per factor the (k, k, J) diagonal blocks of Lambda M^-1 Lambda'."""

    def w2_times(self, right: FloatArray) -> FloatArray:
        """Return W_2 right for (q2, w) right."""
        rest = self.objective.rest
        return rest.scaled([T.T for T in self.roots], self.solve(rest.scaled(self.roots, right)))

    def w_times(self, right: FloatArray) -> FloatArray:
        """Return W_j right for (k, w, J) right."""
        half = self.eliminated.half
        return blocks.products(half.transpose(1, 0, 2), blocks.products(half, right))

    def reduced(self, right: FloatArray) -> FloatArray:
        """Return (I - C_jW_j) right."""
        return right - blocks.products(self.objective.factor.C, self.w_times(right))

    def projected(self) -> tuple[FloatArray, FloatArray]:
        """Return Z_1'V^-1[X R^-1, e] as (k, p+1, J) and Z_2'V^-1[X R^-1, e] as (q2, p+1), e scaled by sqrt(m) / r."""
        right = self.profile.whitener
        U = self.eliminated.U @ right
        x2 = self.w2_times(U)
        inner = blocks.times(self.objective.factor.B, right) - self.objective.links.gather(x2)
        Q2: FloatArray = U - self.H @ x2
        return self.reduced(inner), Q2

    def gradients(self) -> list[FloatArray]:
        """Return per factor the sum over levels of K - [REML] N - E."""
        Q1, Q2 = self.projected()
        keep = slice(None) if self.profile.reml else slice(len(self.profile.beta), None)
        out = self.level_sums()
        for f, here in self.objective.rest:
            Q = Q2[here][:, keep].reshape(len(self.roots[f]), -1)
            out[f] = out[f] - Q @ Q.T
        Q = Q1[:, keep].reshape(len(Q1), -1)
        out[self.objective.first] = out[self.objective.first] - Q @ Q.T
        return out

    def curvature(self, directions: Directions) -> FloatArray:
        """Return the average information, (m/r^2) y'P V_a P V_b P y - g_a g_b / m."""
        p, links, C = len(self.profile.beta), self.objective.links, self.objective.factor.C
        Q1, Q2 = self.projected()
        d1, d2 = self._moves(directions, Q1[:, p], Q2[:, p])
        # Z'V_1^-1 Z d, and from it Z'V^-1 Z d
        v1 = self.reduced(blocks.products(C, d1) + links.gather(d2))
        v2: FloatArray = links.spread(d1 - self.w_times(blocks.products(C, d1))) + self.H @ d2
        quadratic: FloatArray = blocks.contract("kaj,kbj->ab", d1, v1) + d2.T @ v2 - v2.T @ self.w2_times(v2)
        side: FloatArray = blocks.contract("kaj,kxj->ax", d1, Q1) + d2.T @ Q2
        quadratic -= side[:, :p] @ side[:, :p].T
        quadratic = (quadratic + quadratic.T) / 2
        return data_curvature(quadratic, side[:, p], self.profile.degrees) - quadratic

    def _moves(self, directions: Directions, e1: FloatArray, e2: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return d_a = (I (x) S_a) e of all directions, (k, n, J) for the first factor and (q2, n) for the others."""
        first = self.objective.first
        ends = np.cumsum([len(S) for S in directions]).tolist()
        mine = [slice(end - len(S), end) for S, end in zip(directions, ends, strict=True)]
        d1, d2 = np.zeros((len(e1), ends[-1], e1.shape[1])), np.zeros((len(e2), ends[-1]))
        d1[:, mine[first]] = blocks.einsum("aqr,rj->qaj", directions[first], e1)
        for f, here in self.objective.rest:
            moved = blocks.einsum("aqr,rj->qja", directions[f], e2[here].reshape(len(self.roots[f]), -1))
            d2[here, mine[f]] = moved.reshape(-1, len(directions[f]))
        return d1, d2

    def weighted(self, directions: Directions) -> FloatArray:
        """Return sums over levels of Q'S_aQ."""
        Q1, Q2 = self.projected()
        out = {self.objective.first: blocks.contract("qxj,aqr,rzj->axz", Q1, directions[self.objective.first], Q1)}
        for f, here in self.objective.rest:
            out[f] = weighted_rows(Q2[here], directions[f])
        return np.concatenate([out[f] for f in range(len(self.roots))])

    def modes(self) -> list[FloatArray]:
        """Return per factor the (k, J) conditional modes."""
        contrast = np.append(-self.profile.beta, 1.0)[:, None]
        x2 = self.w2_times(self.eliminated.U @ contrast)
        inner = blocks.times(self.objective.factor.B, contrast) - self.objective.links.gather(x2)
        modes = {self.objective.first: self.w_times(inner)[:, 0]}
        for f, here in self.objective.rest:
            modes[f] = x2[here, 0].reshape(len(self.roots[f]), -1)
        return [modes[f] for f in range(len(self.roots))]
