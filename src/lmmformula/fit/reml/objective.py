"""
The criterion that is minimised, and what an elimination strategy must be able to say about it.

With T_f a square root of the relative covariance Sigma_f of factor f, M = Lambda'Z'Z Lambda + I and
A = [X y]'V^-1[X y] = R'R,

    d = log|M| + m (1 + log(2 pi r^2 / m)) + [REML] 2 sum log diag R_X,    r = R[p, p],   m = n - p (REML) or n (ML)

Bates, Maechler, Bolker & Walker (2015), J. Stat. Soft. 67(1), equations 34 and 41.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.design.sums.records import CrossProducts
from lmmformula.fit.algebra.blocks import solve
from lmmformula.fit.algebra.effects import Roots

Directions = Sequence[FloatArray]
"""Per factor, (n_f, k, k) symmetric directions in which its Sigma changes."""


@dataclass(frozen=True, slots=True)
class Profile:
    """
    The criterion at one value of the covariance parameters, fixed effects and sigma profiled out.

    value : the criterion d
    beta : (p,) fixed effects
    R : (p, p) upper triangular, R'R = X'V^-1X
    pwrss : penalized weighted residual sum of squares r^2
    log_det_M : log|M|
    degrees : m
    reml : whether the criterion is REML's
    """

    value: float
    beta: FloatArray
    R: FloatArray
    pwrss: float
    log_det_M: float
    degrees: int
    reml: bool

    @property
    def inverse_R(self) -> FloatArray:
        """R^-1."""
        return solve(self.R, np.eye(len(self.R)))

    @property
    def whitener(self) -> FloatArray:
        """(p+1, p+1) matrix that turns columns V^-1[X y] into V^-1 X R^-1 and sqrt(m / r^2) P y."""
        p = len(self.beta)
        scale = math.sqrt(self.degrees / self.pwrss)
        out = np.zeros((p + 1, p + 1))
        out[:p, :p] = self.inverse_R
        out[:p, p] = -self.beta * scale
        out[p, p] = scale
        return out


def profile(A: FloatArray, log_det_M: float, *, n: int, reml: bool) -> Profile:
    """Return the criterion from A = [X y]'V^-1[X y], (p+1, p+1), and log|M|; LinAlgError where A is not definite."""
    p = len(A) - 1
    L: FloatArray = np.linalg.cholesky(A).astype(np.float64, copy=False)
    degrees = n - p if reml else n
    pwrss = float(L[p, p] ** 2)
    R = L[:p, :p].T
    value = log_det_M + degrees * (1 + math.log(2 * math.pi * pwrss / degrees))
    if reml:
        value += 2 * float(np.log(np.diag(R)).sum())
    return Profile(value, solve(R, L[p, :p]), R, pwrss, log_det_M, degrees, reml)


class Point(Protocol):
    """The criterion at one value of the roots T, with what was computed on the way; per factor in their order."""

    @property
    def profile(self) -> Profile:
        """The criterion's value, and fixed effects."""

    def gradients(self) -> list[FloatArray]:
        """Return per factor the (k, k) symmetric G with change of d = tr(G dSigma)."""

    def curvature(self, directions: Directions) -> FloatArray:
        """Return the second derivatives of d along directions of Sigma, those of all factors one after the other."""

    def weighted(self, directions: Directions) -> FloatArray:
        """
        Return sums over levels of Q'S_aQ, (n, p+1, p+1), with Q = Z'V^-1[X R^-1, sqrt(m) / r (y - X beta)].

        Its blocks are R^-T X'V^-1 V_a V^-1X R^-1 and, last, (m/r^2) y'P V_a P y.
        """

    def modes(self) -> list[FloatArray]:
        """Return per factor the (k, J) conditional modes."""

    def covariances(self) -> list[FloatArray]:
        """Return per factor the (k, k, J) diagonal blocks of Lambda M^-1 Lambda'."""


class Objective(Protocol):
    """A strategy of elimination on given cross-products."""

    def at(self, roots: Roots) -> Point:
        """Evaluate the criterion; LinAlgError where it can't be."""

    def with_response(self, products: CrossProducts) -> "Objective":
        """Return the objective of products that differ in the response only."""


def data_curvature(quadratic: FloatArray, linear: FloatArray, degrees: int) -> FloatArray:
    """
    Return the part of the second derivatives that comes from m log r^2: 2 (m/r^2) q_ab - g_a g_b / m.

    quadratic : (n, n) (m/r^2) y'P V_a P V_b P y
    linear : (n,) (m/r^2) y'P V_a P y
    """
    return 2 * quadratic - np.outer(linear, linear) / degrees
