"""An F statistic, and the principal components of a hypothesis."""

from dataclasses import dataclass

import numpy as np

from lmmformula.arrays import FloatArray

RANK = 1.5e-8
"""Variance of a component, relative to the largest, below which it counts as none: root of a double's eps."""


@dataclass(frozen=True, slots=True)
class FStatistic:
    """
    An F statistic.

    wald : mean of the squared components, before any scaling
    num_df, den_df : degrees of freedom; den_df is infinite for a chi-squared test, NaN where there is none
    scaling : Kenward and Roger's factor, F = scaling * wald
    """

    wald: float
    num_df: int
    den_df: float
    scaling: float = 1.0

    @property
    def f(self) -> float:
        """The statistic."""
        return self.scaling * self.wald

    @property
    def p_value(self) -> float:
        """Probability of a larger F; chi-squared with num_df degrees of freedom where den_df is infinite."""
        return f_p_value(self.f, self.num_df, self.den_df)


def f_p_value(f: float, num_df: float, den_df: float) -> float:
    """
    Probability that F exceeds f.

    >>> round(f_p_value(4.0, 2, 10.0), 5), round(f_p_value(4.0, 2, np.inf), 5)
    (0.05292, 0.01832)
    """
    from scipy.special import chdtrc, fdtrc

    if not num_df or np.isnan(f) or np.isnan(den_df):
        return np.nan
    return float(chdtrc(num_df, num_df * f) if np.isinf(den_df) else fdtrc(num_df, den_df, f))


def t_p_values(t: FloatArray, df: FloatArray) -> FloatArray:
    """Two-sided probabilities of larger t; normal where df is infinite, NaN where it is NaN."""
    from scipy.special import ndtr, stdtr

    known = np.where(np.isfinite(df), df, 1.0)
    p: FloatArray = 2 * np.where(np.isinf(df), ndtr(-np.abs(t)), stdtr(known, -np.abs(t)))
    return np.where(np.isnan(df), np.nan, p)


def t_quantiles(level: float, df: FloatArray) -> FloatArray:
    """Half widths, in standard errors, of intervals that cover `level`."""
    from scipy.special import ndtri, stdtrit

    upper = (1 + level) / 2
    known = np.where(np.isfinite(df), df, 1.0)
    quantiles: FloatArray = np.where(np.isinf(df), ndtri(upper), stdtrit(known, upper))
    return np.where(np.isnan(df), np.nan, quantiles)


def principal_components(covariance: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return (q, r) orthonormal rows that turn an estimate into independent components, and their (q,) variances."""
    values, vectors = np.linalg.eigh(covariance)
    keep = values > max(RANK * values.max(initial=0.0), 0.0)
    return vectors[:, keep].T[::-1], values[keep][::-1]


def wald_squares(rows: FloatArray, variances: FloatArray, estimate: FloatArray) -> FloatArray:
    """(q,) squared components divided by their variances."""
    squares: FloatArray = (rows @ estimate) ** 2 / variances
    return squares
