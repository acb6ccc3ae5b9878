"""Functions of log densities, each with the derivatives that a `Jet` asks for, in forms that lose no digits."""

from math import log as _log_of
from math import pi

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.families.jets import Jet, Real, applied, log, log1p, value_of

LOG_2PI = _log_of(2 * pi)

STIRLING = 100.0
"""Argument from which Stirling's series with three terms is exact."""

FAR = 50.0
"""Standard deviations below the mean from which the asymptotic series of the normal tail is exact."""

SMALL_RATE = 0.02
"""Rate below which four terms of the series in it are exact."""

MANY = 500.0
"""Degrees of freedom from which a series of three terms is exact."""


def log_factorial(y: FloatArray | float) -> FloatArray:
    """Return log y!, of numbers that need not be whole."""
    from scipy.special import gammaln

    return np.asarray(gammaln(np.asarray(y) + 1.0), dtype=np.float64)


def log_gamma(x: Real) -> Real:
    """Return log Gamma(x)."""
    return applied(_log_gamma, x)


def _log_gamma(x: FloatArray, order: int) -> list[FloatArray]:
    from scipy.special import digamma, gammaln, polygamma

    return [gammaln(x), *([digamma(x)] if order else []), *(polygamma(n - 1, x) for n in range(2, order + 1))]


def log_rising(x: Real, y: FloatArray) -> Real:
    """
    Return log[Gamma(x + y) / (Gamma(x) x^y)], by Stirling's series where x is large (DLMF 5.11.1).

    The difference of two logarithms of gamma functions would lose as many digits as x has.

    >>> bool(abs(log_rising(np.array([1e9]), np.array([2.0]))[0] - 1e-9) < 1e-17)
    True
    """
    if np.all(value_of(x) < STIRLING):
        return log_gamma(x + y) - log_gamma(x) - y * log(x)
    end, inverse = 1 / (x + y), 1 / x
    large = (x + y - 0.5) * log1p(y * inverse) - y + _stirling_rest(end) - _stirling_rest(inverse)
    if np.all(value_of(x) >= STIRLING):
        return large
    from lmmformula.families.jets import chosen

    small = log_gamma(x + y) - log_gamma(x) - y * log(x)
    return chosen(value_of(x) >= STIRLING, large, small)


def gamma_constant(shape: Real) -> Real:
    """
    Return shape log(shape) - shape - log Gamma(shape), by Stirling's series where the shape is large.

    >>> float(gamma_constant(np.array([1.0]))[0])
    -1.0
    """
    if np.all(value_of(shape) < STIRLING):
        return shape * log(shape) - shape - log_gamma(shape)
    return 0.5 * (log(shape) - LOG_2PI) - _stirling_rest(1 / shape)


def _stirling_rest(inverse: Real) -> Real:
    square = inverse * inverse
    return inverse * (1 / 12 - square * (1 / 360 - square * (1 / 1260)))


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
    r = np.exp(np.minimum(x, 700.0))
    small, s = r < SMALL_RATE, np.minimum(r, SMALL_RATE)
    value = np.where(small, x - s / 2 + s * s / 24 - s**4 / 2880, _log1m_exp(np.maximum(r, SMALL_RATE), 0)[0])
    if not order:
        return [value]
    a = np.where(small, 1 - s / 2 + s * s / 12 - s**4 / 720, r / np.expm1(np.maximum(r, SMALL_RATE)))
    second = np.where(small, -s / 2 + s * s / 6 - s**4 / 180, a * (1 - r - a))
    third = np.where(small, -s / 2 + s * s / 3 - s**4 / 45, second * (1 - r - 2 * a) - a * r)
    return [value, a, second, third][: order + 1]


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
