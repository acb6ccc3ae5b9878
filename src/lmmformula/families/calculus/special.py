"""
Functions of log densities, each with the derivatives that a `Jet` asks for, in forms that lose no digits.

log y! and y log(mean) are of the size y log y, and their difference of that of log y: written out, the densities of
counts of 1e8 would keep eight digits. They are written as distances from the density that fits a row best.
Loader (2000), Fast and accurate computation of binomial probabilities.
"""

from math import log as _log_of
from math import pi

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.families.calculus.jets import Jet, Real, applied, log, value_of

LOG_2PI = _log_of(2 * pi)

STIRLING = 20.0
"""From which Stirling's series is exact."""

FAR = 50.0
"""Standard deviations below the mean from which the asymptotic series of the normal tail is exact."""

SMALL_RATE = 0.02
"""Rate below which four terms of the series in it are exact."""

MANY = 500.0
"""Degrees of freedom from which a series of three terms is exact."""


def log_gamma(x: Real) -> Real:
    """Return log Gamma(x)."""
    return applied(_log_gamma, x)


def _log_gamma(x: FloatArray, order: int) -> list[FloatArray]:
    from scipy.special import digamma, gammaln, polygamma

    return [gammaln(x), *([digamma(x)] if order else []), *(polygamma(n - 1, x) for n in range(2, order + 1))]


def log_factorial_error(x: Real) -> Real:
    """
    Return log x! less what Stirling's formula gives, x log x - x + log(2 pi x) / 2; x > 0 (DLMF 5.11.1).

    >>> log_factorial_error(np.array([1.0, 1e8])).round(12).tolist()
    [0.081061466795, 8.33e-10]
    """
    return applied(_log_factorial_error, x)


SERIES = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188)
"""Of 1/x, 1/x^3, ..."""


def _log_factorial_error(x: FloatArray, order: int) -> list[FloatArray]:
    from scipy.special import digamma, gammaln, polygamma

    small, far = x < STIRLING, np.maximum(x, STIRLING)
    few = np.minimum(x, STIRLING)
    powers, out = np.array(SERIES), []
    for n in range(order + 1):
        out.append(np.polynomial.polynomial.polyval(far**-2.0, powers) * far ** -(1.0 + n))
        powers = powers * -(2.0 * np.arange(len(powers)) + 1 + n)
    if small.any():
        exact = [gammaln(few + 1) - (few + 0.5) * np.log(few) + few - LOG_2PI / 2]
        exact += [digamma(few) - np.log(few) + 0.5 / few] if order else []
        exact += [polygamma(1, few) - 1 / few - 0.5 / few**2] if order > 1 else []
        exact += [polygamma(2, few) + 1 / few**2 + 1 / few**3] if order > 2 else []
        out = [np.where(small, e, series) for e, series in zip(exact, out, strict=True)]
    return out


def loss(x: Real) -> Real:
    """
    Return exp(x) - 1 - x: by this times y is the log density of a count y below the best one, at a mean of y exp(x).

    >>> (loss(np.array([0.0, 1e-3, 1.0])) * 1e6).round(4).tolist()
    [0.0, 0.5002, 718281.8285]
    """
    return applied(_loss, x)


def _loss(x: FloatArray, order: int) -> list[FloatArray]:
    first = np.expm1(x)
    return [first - x, first, first + 1, first + 1][: order + 1]


def best_poisson(y: FloatArray) -> FloatArray:
    """
    Return the log density of counts whose mean is the count (Loader 2000).

    >>> best_poisson(np.array([0.0, 1.0, 1e8])).round(6).tolist()
    [0.0, -1.0, -10.129279]
    """
    some = np.where(y > 0, y, 1.0)
    out: FloatArray = np.where(y > 0, -log_factorial_error(some) - (LOG_2PI + np.log(some)) / 2, 0.0)
    return out


def best_binomial(y: FloatArray, trials: FloatArray | float) -> FloatArray:
    """
    Return the log density of shares of trials whose probability is the share (Loader 2000).

    >>> best_binomial(np.array([0.0, 0.5]), 2.0).round(6).tolist()
    [0.0, -0.693147]
    """
    inner = (y > 0) & (y < 1)
    m = np.where(inner, trials, 2.0)
    k = np.where(inner, y * m, 1.0)
    errors = log_factorial_error(m) - log_factorial_error(k) - log_factorial_error(m - k)
    out: FloatArray = np.where(inner, errors - (LOG_2PI + np.log(k * (1 - k / m))) / 2, 0.0)
    return out


def trigamma(x: Real) -> Real:
    """Return the second derivative of log Gamma(x)."""

    def each(values: FloatArray, order: int) -> list[FloatArray]:
        from scipy.special import polygamma

        return [polygamma(1 + n, values) for n in range(order + 1)]

    return applied(each, x)


def gamma_constant(shape: Real) -> Real:
    """
    Return shape log(shape) - shape - log Gamma(shape), which for a large shape is a difference of large numbers.

    >>> float(gamma_constant(np.array([1.0]))[0])
    -1.0
    """
    return 0.5 * (log(shape) - LOG_2PI) - log_factorial_error(shape)


def inv_logit(x: FloatArray) -> FloatArray:
    """Return 1 / (1 + exp(-x))."""
    return np.asarray(0.5 * (1 + np.tanh(0.5 * x)), dtype=np.float64)


def log_inv_logit(x: Real) -> Real:
    """Return -log(1 + exp(-x))."""
    return applied(_log_inv_logit, x)


def _log_inv_logit(x: FloatArray, order: int) -> list[FloatArray]:
    p = inv_logit(x)
    spread = p * (1 - p)
    return [-np.logaddexp(0.0, -x), 1 - p, -spread, spread * (2 * p - 1)][: order + 1]


def log_ndtr(x: Real) -> Real:
    """Return the logarithm of the normal distribution function."""
    return applied(_log_ndtr, x)


def _log_ndtr(x: FloatArray, order: int) -> list[FloatArray]:
    """With a = phi / Phi: f' = a, f'' = -a (x + a), f''' = a [(x + a)(x + 2a) - 1], in the far tail by series."""
    from scipy.special import erfcx, log_ndtr

    value = log_ndtr(x)
    if not order:
        return [value]
    far, t2 = x < -FAR, 1 / np.square(np.minimum(x, -FAR))
    a = np.sqrt(2 / pi) / erfcx(-x / np.sqrt(2.0))
    above = np.where(far, -np.minimum(x, -FAR) * t2 * (1 - t2 * (2 - t2 * (10 - 74 * t2))), x + a)
    a = np.where(far, above - x, a)
    second = np.where(far, -1 + t2 * (1 - t2 * (6 - 50 * t2)), -a * above)
    third = np.where(far, -np.minimum(x, -FAR) * t2 * t2 * (2 - t2 * (24 - 300 * t2)), a * (above * (above + a) - 1))
    return [value, a, second, third][: order + 1]


def log1m_exp(x: Real) -> Real:
    """Return log(1 - exp(-x)) of x > 0, by whichever form loses no digits (Maechler 2012, equation 7)."""
    return applied(_log1m_exp, x)


def _log1m_exp(x: FloatArray, order: int) -> list[FloatArray]:
    with np.errstate(divide="ignore", over="ignore"):
        value = np.where(x < np.log(2), np.log(-np.expm1(-x)), np.log1p(-np.exp(-x)))
        a = 1 / np.expm1(x) if order else value
    return [value, a, -a * (1 + a), a * (1 + a) * (1 + 2 * a)][: order + 1]


def log_inv_cloglog(x: Real) -> Real:
    """
    Return log(1 - exp(-exp(x))).

    >>> float(log_inv_cloglog(np.array([-800.0]))[0])
    -800.0
    """
    return applied(_log_inv_cloglog, x)


def _log_inv_cloglog(x: FloatArray, order: int) -> list[FloatArray]:
    """With r = exp(x), a = r / (exp(r) - 1): f' = a, f'' = a (1 - r - a), by their series where r is small."""
    r = np.exp(np.minimum(x, 6.5))
    small, s = r < SMALL_RATE, np.minimum(r, SMALL_RATE)
    value = np.where(small, x - s / 2 + s * s / 24 - s**4 / 2880, _log1m_exp(np.maximum(r, SMALL_RATE), 0)[0])
    if not order:
        return [value]
    a = np.where(small, 1 - s / 2 + s * s / 12 - s**4 / 720, r / np.expm1(np.maximum(r, SMALL_RATE)))
    second = np.where(small, -s / 2 + s * s / 6 - s**4 / 180, a * (1 - r - a))
    third = np.where(small, -s / 2 + s * s / 3 - s**4 / 45, second * (1 - r - 2 * a) - a * r)
    return [value, a, second, third][: order + 1]


def minus_exp(x: Real) -> Real:
    """
    Return -exp(x), finite.

    >>> float(minus_exp(np.array([800.0]))[0]) < -1e300
    True
    """
    return applied(lambda x, order: [-np.exp(np.minimum(x, 700.0))] * (order + 1), x)


def log_add_exp(a: Real, b: Real) -> Real:
    """Return log(exp(a) + exp(b))."""
    if not isinstance(a, Jet) and not isinstance(b, Jet):
        return np.logaddexp(a, b)
    return b - log_inv_logit(b - a)


def student_constant(nu: Real) -> Real:
    """
    Return log[Gamma((nu + 1) / 2) / (Gamma(nu / 2) sqrt(nu pi))], by a series where nu is large.

    >>> float(student_constant(np.array([1e8]))[0].round(6))
    -0.918939
    """
    if np.all(value_of(nu) < MANY):
        return log_gamma((nu + 1) * 0.5) - log_gamma(nu * 0.5) - 0.5 * log(nu * pi)
    inverse = 1 / nu
    return -0.5 * LOG_2PI - inverse * (0.25 - inverse * inverse * (1 / 24))
