"""
Log densities of counts without cancellation, as distances from the density that fits a row best.

log y! and y log(mean) are of the size y log y, and their difference of that of log y: written out, the densities of
counts of 1e8 would keep eight digits. Loader (2000), Fast and accurate computation of binomial probabilities.
"""

import numpy as np

from lmmformula.arrays import FloatArray

STIRLING = 20.0
"""From which Stirling's series is exact."""

SERIES = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188)
"""Its coefficients, of 1/x, 1/x^3, ..."""

SERIES_OF_SLOPE = (-1 / 12, 1 / 120, -1 / 252, 1 / 240, -1 / 132)
"""That of the derivative, of 1/x^2, 1/x^4, ..."""

LARGE = 1e4
"""Counts below which differences of terms of their size do no harm."""

LOG_2PI = float(np.log(2 * np.pi))


def log_factorial_error(x: FloatArray) -> FloatArray:
    """
    Return log x! less what Stirling's formula gives, x log x - x + log(2 pi x) / 2; x > 0.

    >>> log_factorial_error(np.array([1.0, 1e8])).round(12).tolist()
    [0.081061466795, 8.33e-10]
    """
    from scipy.special import gammaln

    y = 1 / np.square(np.maximum(x, STIRLING))
    out = np.polynomial.polynomial.polyval(y, SERIES) * np.sqrt(y)
    small = x < STIRLING
    few = x[small]
    out[small] = gammaln(few + 1) - (few + 0.5) * np.log(few) + few - LOG_2PI / 2
    return np.asarray(out, dtype=np.float64)


def digamma_error(x: FloatArray) -> FloatArray:
    """
    Return the derivative of log (x - 1)! less log x; x > 0.

    >>> digamma_error(np.array([1.0, 20.0])).round(12).tolist()
    [-0.577215664902, -0.025208281312]
    """
    from scipy.special import digamma

    y = 1 / np.square(np.maximum(x, STIRLING))
    out = y * np.polynomial.polynomial.polyval(y, SERIES_OF_SLOPE) - np.sqrt(y) / 2
    small = x < STIRLING
    out[small] = digamma(x[small]) - np.log(x[small])
    return np.asarray(out, dtype=np.float64)


def best_poisson(y: FloatArray) -> FloatArray:
    """
    Return the log density of counts whose mean is the count.

    >>> best_poisson(np.array([0.0, 1.0, 1e8])).round(6).tolist()
    [0.0, -1.0, -10.129279]
    """
    some = np.where(y > 0, y, 1.0)
    return np.where(y > 0, -log_factorial_error(some) - (LOG_2PI + np.log(some)) / 2, 0.0)


def best_binomial(y: FloatArray, trials: FloatArray | float) -> FloatArray:
    """
    Return the log density of shares of trials whose probability is the share.

    >>> best_binomial(np.array([0.0, 0.5]), 2.0).round(6).tolist()
    [0.0, -0.693147]
    """
    inner = (y > 0) & (y < 1)
    m = np.where(inner, trials, 2.0)
    k = np.where(inner, y * m, 1.0)
    errors = log_factorial_error(m) - log_factorial_error(k) - log_factorial_error(m - k)
    return np.where(inner, errors - (LOG_2PI + np.log(k * (1 - k / m))) / 2, 0.0)


def best_negbinomial(y: FloatArray, r: float) -> tuple[FloatArray, FloatArray]:
    """
    Return the log density of counts of shape r whose mean is the count, and its derivative in r.

    The differences of two log gammas or digammas would lose as many digits as r has.

    >>> best_negbinomial(np.array([0.0, 1.0]), 1e12)[0].round(6).tolist()
    [0.0, -1.0]
    """
    some, shape = np.where(y > 0, y, 1.0), np.array([r])
    end = r + some
    errors = log_factorial_error(end) - log_factorial_error(shape) - log_factorial_error(some)
    value = errors + (np.log(r / end) - LOG_2PI - np.log(some)) / 2
    return np.where(y > 0, value, 0.0), np.where(y > 0, digamma_error(end) - digamma_error(shape), 0.0)


def loss(x: FloatArray) -> FloatArray:
    """
    Return exp(x) - 1 - x: by this times y is the log density of a count y below the best one, at a mean of y exp(x).

    >>> (loss(np.array([0.0, 1e-3, 1.0])) * 1e6).round(4).tolist()
    [0.0, 0.5002, 718281.8285]
    """
    out: FloatArray = np.expm1(x) - x
    return out


def below_best(y: FloatArray, x: FloatArray, mean: FloatArray) -> FloatArray:
    """Return by how much counts' log density at a mean of y exp(x) is below the best one; x of a zero is not read."""
    return np.where(y > 0, y * loss(x), mean)


def is_large(y: FloatArray) -> bool:
    """Tell whether there are counts of which terms of the size y log y must not be formed."""
    return bool(y.max(initial=0.0) >= LARGE)
