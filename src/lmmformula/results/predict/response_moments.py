"""Variances and deviances of responses by family, and slopes of means: what residuals are made of."""

from collections.abc import Callable, Mapping

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.errors import FitError
from lmmformula.ir.family import Family

Own = Mapping[str, float | FloatArray]
"""Parameter of a family -> its value, or that of each row."""


def variance_of(family: Family, mean: FloatArray, own: Own) -> FloatArray:  # noqa: PLR0911 (one for each family)
    """
    Return the variance of a response of one trial, given its mean; of Gamma in units of 1 / shape, as R's.

    mean : of a zero-inflated family that of the whole mixture

    >>> variance_of(Family("binomial", "logit"), np.array([0.5]), {})
    array([0.25])
    """
    match family.name:
        case "binomial":
            return mean * (1 - mean)
        case "gaussian":
            return np.full_like(mean, np.square(own["sigma"]))
        case "beta":
            return mean * (1 - mean) / (1 + own["phi"])
        case "Gamma":
            return mean**2
        case "lognormal":
            return np.asarray(mean**2 * np.expm1(own["sigma"] ** 2), dtype=np.float64)
        case "student":
            nu = float(own["nu"])
            return np.full_like(mean, nu / (nu - 2) if nu > 2 else np.inf) * np.square(own["sigma"])
        case _:
            zi = own.get("zi", 0.0)
            excess = 1 / own["shape"] if "shape" in own else 0.0
            return mean * (1 + mean / (1 - zi) * (zi + excess))


def slope_of(link: str, eta: FloatArray) -> FloatArray:
    """
    Return the derivative of the inverse link.

    >>> slope_of("logit", np.array([0.0]))
    array([0.25])
    """
    match link:
        case "log":
            return np.exp(eta)
        case "logit":
            return 0.25 / np.cosh(eta / 2) ** 2
        case "probit":
            return np.asarray(np.exp(-(eta**2) / 2) / np.sqrt(2 * np.pi), dtype=np.float64)
        case "cloglog":
            return np.exp(eta - np.exp(eta))
        case "sqrt":
            return 2 * eta
        case _:
            return np.ones_like(eta)


def unit_deviance(family: Family, y: FloatArray, mean: FloatArray, own: Own) -> FloatArray:
    """
    Return twice the log likelihood that a row of one trial loses by its mean.

    Raises
    ------
    FitError
        The family has none: it is no exponential family.
    """
    if family.name not in DEVIANCES:
        raise FitError(
            f"deviance residuals are not defined for the family {family.name}",
            hint='the kinds are: response, pearson, working; for some families also "deviance"',
        )
    return np.maximum(DEVIANCES[family.name](y, mean, own), 0.0)


def _log_ratio(y: FloatArray, mean: FloatArray) -> FloatArray:
    """Return y log(y / mean), 0 where y is."""
    from scipy.special import rel_entr

    return np.asarray(rel_entr(y, mean), dtype=np.float64)


def _negbinomial(y: FloatArray, mean: FloatArray, own: Own) -> FloatArray:
    shape = own["shape"]
    return 2 * (_log_ratio(y, mean) - (y + shape) * np.log((y + shape) / (mean + shape)))


DEVIANCES: dict[str, Callable[[FloatArray, FloatArray, Own], FloatArray]] = {
    "gaussian": lambda y, mean, _: (y - mean) ** 2,
    "binomial": lambda y, mean, _: 2 * (_log_ratio(y, mean) + _log_ratio(1 - y, 1 - mean)),
    "poisson": lambda y, mean, _: 2 * (_log_ratio(y, mean) - (y - mean)),
    "negbinomial": _negbinomial,
    "Gamma": lambda y, mean, _: 2 * ((y - mean) / mean - np.log(y / mean)),
}
"""Family -> unit deviance."""
