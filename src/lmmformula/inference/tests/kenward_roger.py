"""
Kenward and Roger's adjusted covariance and degrees of freedom, for REML fits.

The covariance of beta is enlarged by what the estimation of the variances adds,

    Cov_A = Phi + 2 Phi [sum_ab w_ab (Q_ab - P_a Phi P_b)] Phi,

w the covariance of the variance parameters from the expected information, P_a = X'V^-1 V_a V^-1 X and Q_ab =
X'V^-1 V_a V^-1 V_b V^-1 X; F is scaled, and its denominator chosen, so that two moments match those of an F variable.
Kenward & Roger (1997), Biometrics 53, 983-997; Halekoh & Hojsgaard (2014), J. Stat. Soft. 59(9), section 2.3.
"""

from dataclasses import dataclass, field

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.fit.moments import Moments
from lmmformula.inference.tests.f_statistic import FStatistic, principal_components, wald_squares

UNKNOWN = 1e-10
"""Information about a variance parameter, relative to the largest, that counts as none."""

NEAR_ZERO = 1e-10
"""Values of the moment equations' factors that are nothing but rounding."""


@dataclass(frozen=True, slots=True)
class KenwardRoger:
    """
    Kenward and Roger's method at one fit.

    moments : the sums over rows
    vcov : (p, p) adjusted covariance of the fixed effects
    """

    moments: Moments
    vcov: FloatArray = field(init=False)
    _weights: FloatArray = field(init=False, repr=False)

    def __post_init__(self) -> None:
        m = self.moments
        information = m.traces - 2 * np.einsum("abpp->ab", m.U) + np.einsum("apq,bqp->ab", m.W, m.W)
        weights = 2 * _inverse(information)
        extra = np.einsum("ab,abpq->pq", weights, m.U - np.einsum("apr,brq->abpq", m.W, m.W))
        adjusted = m.half @ (np.eye(len(m.half)) + 2 * extra) @ m.half.T
        object.__setattr__(self, "vcov", (adjusted + adjusted.T) / 2)
        object.__setattr__(self, "_weights", weights)

    def t_df(self, L: FloatArray) -> FloatArray:
        """(r,) degrees of freedom of the t statistics of the rows of L, (r, p)."""
        return np.array([self._matched(row[None])[0] for row in L])

    def f_test(self, L: FloatArray, estimate: FloatArray) -> FStatistic:
        """
        Test that L beta is zero.

        estimate : (r,) L beta
        """
        rows, variances = principal_components(L @ self.vcov @ L.T)
        if not len(rows):
            return FStatistic(np.nan, 0, np.nan)
        df, scaling = self._matched(rows @ L)
        return FStatistic(float(wald_squares(rows, variances, estimate).mean()), len(rows), df, scaling)

    def _matched(self, L: FloatArray) -> tuple[float, float]:
        """Return denominator degrees of freedom and scaling of F for (q, p) L of full rank."""
        q = len(L)
        basis = np.linalg.qr((L @ self.moments.half).T)[0].T  # of L's span, where Phi is the identity
        inner = basis @ self.moments.W @ basis.T
        traces = np.einsum("aqq->a", inner)
        A1 = float(traces @ self._weights @ traces)
        A2 = float(np.einsum("ab,aqr,brq->", self._weights, inner, inner))
        return matched_moments(A1, A2, q)


def matched_moments(A1: float, A2: float, q: int) -> tuple[float, float]:
    """
    Return denominator degrees of freedom and scaling of F from the two sums A1 and A2.

    Kenward & Roger (1997), section 2.3; with A2 = 0 the variances are known. For q = 1 they are 2 / A2 and 1.

    >>> df, scaling = matched_moments(0.5, 0.5, 1)
    >>> round(df, 6), round(scaling, 6)
    (4.0, 1.0)
    """
    if A2 <= NEAR_ZERO**2:
        return np.inf, 1.0
    B = (A1 + 6 * A2) / (2 * q)
    g = ((q + 1) * A1 - (q + 4) * A2) / ((q + 2) * A2)
    divisor = 3 * q + 2 * (1 - g)
    c1, c2, c3 = g / divisor, (q - g) / divisor, (q + 2 - g) / divisor
    v0, v1, v2 = 1 + c1 * B, 1 - c2 * B, 1 - c3 * B
    v0 = 0.0 if abs(v0) < NEAR_ZERO else v0
    excess = _ratio(1 - A2 / q, v1) ** 2 * v0 - v2  # (q rho - 1) v2, the paper's rho times what may be zero
    df = 4 + (q + 2) * v2 / excess if excess else np.inf
    scaling = 1.0 if abs(df - 2) < 1e-2 else df * (1 - A2 / q) / (df - 2)
    return float(df), float(scaling)


def _ratio(above: float, below: float) -> float:
    """Return above / below, and 1 where both are zero."""
    return 1.0 if abs(above) < NEAR_ZERO and abs(below) < NEAR_ZERO else above / below


def _inverse(information: FloatArray) -> FloatArray:
    """Return the inverse, leaving out what the data say nothing about."""
    scale = np.sqrt(np.maximum(np.diag(information), np.finfo(float).tiny))
    values, vectors = np.linalg.eigh(information / np.outer(scale, scale))
    keep = np.abs(values) > UNKNOWN * np.abs(values).max()
    inverse: FloatArray = (vectors[:, keep] / values[keep]) @ vectors[:, keep].T / np.outer(scale, scale)
    return inverse
