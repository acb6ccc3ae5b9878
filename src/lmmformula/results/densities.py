"""Log densities of a response given its linear predictor, for each family; what a program calls `log_lik`."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.errors import FitError
from lmmformula.ir.family import Family

HALF_LOG_2PI = 0.5 * float(np.log(2 * np.pi))
STIRLING = 10.0
"""From here on Stirling's series is exact to rounding."""


def log_density(
    family: Family, y: FloatArray, eta: FloatArray, own: Mapping[str, Any], trials: FloatArray | float = 1.0
) -> FloatArray:
    """
    Return log p(y | eta, own), all constants kept, in the shape that `eta` and the parameters broadcast to.

    y : (n,) response; of a binomial family the successes
    eta : (..., n) linear predictor
    own : parameters of the family, in shapes that broadcast; "sigma" is that of each row
    trials : (n,) of a binomial family

    >>> log_density(Family("poisson", "log"), np.array([0.0]), np.array([0.0]), {})
    array([-1.])
    """
    with np.errstate(over="ignore"):  # where a mean is beyond the largest float, the density is zero
        return _of_family(family, y, eta, own, trials)


def _of_family(
    family: Family, y: FloatArray, eta: FloatArray, own: Mapping[str, Any], trials: FloatArray | float
) -> FloatArray:
    """Find the log density by the name of the family."""
    match family.name:
        case "gaussian":
            density = _normal(y, eta, own["sigma"])
        case "lognormal":
            density = _normal(np.log(y), eta, own["sigma"]) - np.log(y)
        case "student":
            density = _student(y, eta, own["sigma"], own["nu"])
        case "binomial":
            density = _binomial(family.link, y, eta, trials)
        case "Gamma":
            density = _gamma(y, eta, own["shape"])
        case "cumulative":
            density = _cumulative(family.link, y, eta, own["cutpoint"])
        case "beta":
            density = _beta(y, eta, own["phi"])
        case "poisson" | "zero_inflated_poisson":
            density = _inflated(_poisson, y, eta, own)
        case "negbinomial" | "zero_inflated_negbinomial":
            density = _inflated(_negbinomial, y, eta, own)
        case other:
            raise FitError(f"log densities are not worked out for the family {other}", hint="use sample(log_lik=True)")
    return density


def _normal(y: FloatArray, eta: FloatArray, sigma: Any) -> FloatArray:  # noqa: ANN401 (an array or a number)
    density: FloatArray = -0.5 * ((y - eta) / sigma) ** 2 - np.log(sigma) - HALF_LOG_2PI
    return density


def _student(y: FloatArray, eta: FloatArray, sigma: Any, nu: Any) -> FloatArray:  # noqa: ANN401
    from scipy.special import gammaln

    kernel = -0.5 * (nu + 1) * np.log1p(((y - eta) / sigma) ** 2 / nu)
    density: FloatArray = (
        kernel + gammaln(0.5 * (nu + 1)) - gammaln(0.5 * nu) - 0.5 * np.log(np.pi * nu) - np.log(sigma)
    )
    return density


def _binomial(link: str, y: FloatArray, eta: FloatArray, trials: FloatArray | float) -> FloatArray:
    """Log C(trials, y) + y log p + (trials - y) log(1 - p); a term whose count is 0 is 0, however small its p."""
    from scipy.special import gammaln, log_ndtr

    match link:
        case "logit":
            success, failure = -np.logaddexp(0, -eta), -np.logaddexp(0, eta)
        case "probit":
            success, failure = log_ndtr(eta), log_ndtr(-eta)
        case _:  # cloglog: 1 - p = exp(-exp(eta))
            success, failure = _log1m_exp(np.exp(eta)), -np.exp(eta)
    ways = gammaln(trials + 1.0) - gammaln(y + 1.0) - gammaln(trials - y + 1.0)
    with np.errstate(invalid="ignore"):
        return ways + np.where(y > 0, y * success, 0.0) + np.where(y < trials, (trials - y) * failure, 0.0)


def _log1m_exp(x: FloatArray) -> FloatArray:
    """log(1 - exp(-x)) for x > 0, by whichever form loses no digits (Maechler 2012, equation 7)."""
    with np.errstate(divide="ignore", over="ignore"):
        return np.where(x < np.log(2), np.log(-np.expm1(-x)), np.log1p(-np.exp(-x)))


def _gamma(y: FloatArray, eta: FloatArray, shape: Any) -> FloatArray:  # noqa: ANN401
    """Gamma of mean exp(eta): its rate is shape / mean."""
    from scipy.special import gammaln

    density: FloatArray = (
        shape * (np.log(shape) - eta) + (shape - 1) * np.log(y) - shape * y * np.exp(-eta) - gammaln(shape)
    )
    return density


def _beta(y: FloatArray, eta: FloatArray, phi: Any) -> FloatArray:  # noqa: ANN401
    from scipy.special import betaln, expit

    a, b = phi * expit(eta), phi * expit(-eta)
    density: FloatArray = (a - 1) * np.log(y) + (b - 1) * np.log1p(-y) - betaln(a, b)
    return density


def _cumulative(link: str, y: FloatArray, eta: FloatArray, cutpoints: FloatArray) -> FloatArray:
    """
    Log of F(upper - eta) - F(lower - eta) for the cutpoints around each category, without a difference of tails.

    y : (n,) categories from 1
    cutpoints : (..., 1, K - 1)
    """
    from scipy.special import log_expit, log_ndtr

    ends = np.full((*cutpoints.shape[:-2], 1), np.inf)
    bounds = np.concatenate([-ends, cutpoints[..., 0, :], ends], axis=-1)
    category = y.astype(np.intp)
    below, above = bounds[..., category - 1] - eta, bounds[..., category] - eta
    match link:
        case "logit":  # F(a) - F(b) = F(a) F(-b) (1 - exp(b - a))
            return np.asarray(log_expit(above) + log_expit(-below) + _log1m_exp(above - below))
        case "probit":  # in the lower tail, where no digits are lost
            upper = below > 0
            below, above = np.where(upper, -above, below), np.where(upper, -below, above)
            return np.asarray(log_ndtr(above) + _log1m_exp(log_ndtr(above) - log_ndtr(below)))
        case _:  # 1 - F(x) = exp(-exp(x))
            return np.asarray(-np.exp(below) + _log1m_exp(np.exp(above) - np.exp(below)))


def _poisson(y: FloatArray, eta: FloatArray, own: Mapping[str, Any]) -> FloatArray:  # noqa: ARG001 (one signature)
    from scipy.special import gammaln

    density: FloatArray = y * eta - np.exp(eta) - gammaln(y + 1)
    return density


def _negbinomial(y: FloatArray, eta: FloatArray, own: Mapping[str, Any]) -> FloatArray:
    """Negative binomial of mean exp(eta) and variance mean + mean^2 / shape."""
    from scipy.special import gammaln

    shape = own["shape"]
    odds = eta - np.log(shape)  # log(mean / shape)
    density: FloatArray = _log_rising(shape, y) - gammaln(y + 1) + y * odds - (y + shape) * np.logaddexp(0, odds)
    return density


def _log_rising(x: FloatArray, y: FloatArray) -> FloatArray:
    """
    Return log Gamma(x + y) - log Gamma(x), for a large x by Stirling's series, whose large parts cancel on paper.

    DLMF 5.11.1, with the terms up to x^-9.

    >>> x, y = np.array([3.0, 1e9]), np.array([2.0, 2.0])
    >>> bool(np.allclose(_log_rising(x, y), np.log(x) + np.log(x + 1), rtol=1e-15))
    True
    """
    from scipy.special import gammaln

    large = np.maximum(x, STIRLING)
    stirling = (large + y - 0.5) * np.log1p(y / large) + y * np.log(large) - y
    stirling = stirling + _stirling_rest(large + y) - _stirling_rest(large)
    return np.where(x > STIRLING, stirling, gammaln(x + y) - gammaln(x))


def _stirling_rest(x: FloatArray) -> FloatArray:
    inverse = 1 / x
    square = inverse * inverse
    terms = 1 / 12 - square * (1 / 360 - square * (1 / 1260 - square * (1 / 1680 - square / 1188)))
    rest: FloatArray = inverse * terms
    return rest


def _inflated(density: Any, y: FloatArray, eta: FloatArray, own: Mapping[str, Any]) -> FloatArray:  # noqa: ANN401
    """Mix a source of zeros, of probability zi, with a distribution of counts, where the family has one."""
    counted: FloatArray = density(y, eta, own)
    if "zi" not in own:
        return counted
    zi = own["zi"]
    with np.errstate(divide="ignore"):
        others = np.log1p(-zi) + counted
        mixed: FloatArray = np.where(y == 0, np.logaddexp(np.log(zi), others), others)
    return mixed
