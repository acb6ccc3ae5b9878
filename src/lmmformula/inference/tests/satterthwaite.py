"""
Satterthwaite's degrees of freedom.

An estimated variance f = l'Cov(beta)l that depends on variance parameters v has about the distribution of a scaled
chi-squared variable with

    df = 2 f^2 / (g' A g),        g = df/dv,        A = Cov(v) = 2 H^-1

degrees of freedom, H the second derivatives of -2 log likelihood. Kuznetsova, Brockhoff & Christensen (2017),
J. Stat. Soft. 82(13), equations 8 to 12.

At the boundary (a variance estimated as zero) the parameters are such that both sides of it are alike: such a
direction has slope zero and leaves the others alone, so it drops out by itself.
"""

from dataclasses import dataclass

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.fit.variance import VarianceParameters
from lmmformula.inference.tests.f_statistic import FStatistic, principal_components, wald_squares

EQUAL = 1e-8
"""Difference of degrees of freedom that counts as none."""


@dataclass(frozen=True, slots=True)
class Satterthwaite:
    """
    Degrees of freedom from how well the variance parameters are known.

    vcov : (p, p) covariance of the fixed effects
    parameters : the variance parameters and their covariance
    """

    vcov: FloatArray
    parameters: VarianceParameters

    def t_df(self, L: FloatArray) -> FloatArray:
        """(r,) degrees of freedom of the t statistics of the rows of L, (r, p)."""
        variance = np.einsum("rp,pq,rq->r", L, self.vcov, L)
        slopes = np.einsum("rp,vpq,rq->rv", L, self.parameters.vcov_beta_slopes, L)
        spread = np.einsum("rv,vw,rw->r", slopes, self.parameters.vcov, slopes)
        with np.errstate(divide="ignore", invalid="ignore"):
            df: FloatArray = 2 * variance**2 / spread
        return df

    def f_test(self, L: FloatArray, estimate: FloatArray) -> FStatistic:
        """
        Test that L beta is zero: F is the mean of the squared t statistics of L's principal components.

        estimate : (r,) L beta
        """
        rows, weights = principal_components(L @ self.vcov @ L.T)
        squares = wald_squares(rows, weights, estimate)
        q = len(squares)
        df = joint_df(self.t_df(rows @ L)) if q else np.nan
        return FStatistic(float(squares.mean()) if q else np.nan, q, df)


def joint_df(df: FloatArray) -> float:
    """
    Combine the degrees of freedom of q independent t statistics to those of F: 2E / (E - q), E = sum df / (df - 2).

    So that F's expectation is that of the mean of the squared t's; 2 where one of them has none.

    >>> round(joint_df(np.array([10.0, 20.0])), 4)
    13.0769
    """
    if df.max() <= df.min() + EQUAL:
        return float(df.mean())
    if df.min() <= 2:
        return 2.0
    excess = float(np.sum(2 / (df - 2)))  # E - q
    return 2 * (len(df) + excess) / excess
