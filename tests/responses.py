"""Log densities of a response given its linear predictor, by scipy, for every family that a program can have."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy import stats
from scipy.special import expit, gammaln, log_expit, log_ndtr

from lmmformula.ir.family import Family

Own = Mapping[str, Any]


def log_distribution(link: str, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return log F(x) and log(1 - F(x)) of the distribution function that is a link's inverse, without rounding."""
    match link:
        case "logit":
            return log_expit(x), log_expit(-x)
        case "probit":
            return log_ndtr(x), log_ndtr(-x)
        case _:
            with np.errstate(over="ignore", divide="ignore"):
                return np.log(-np.expm1(-np.exp(x))), -np.exp(x)


def log_between(link: str, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return log(F(b) - F(a)), from the tail in which both are small."""
    (low_a, up_a), (low_b, up_b) = log_distribution(link, a), log_distribution(link, b)
    with np.errstate(divide="ignore", invalid="ignore"):
        lower, upper = low_b + np.log1p(-np.exp(low_a - low_b)), up_a + np.log1p(-np.exp(up_b - up_a))
    return np.where(low_b < up_a, lower, upper)


def _binomial(link: str, y: np.ndarray, eta: np.ndarray, own: Own) -> np.ndarray:
    n = own.get("trials", np.ones(len(y)))
    success, failure = log_distribution(link, eta)
    with np.errstate(invalid="ignore"):  # what happened no times adds nothing, however improbable
        parts = np.where(y > 0, y * success, 0.0) + np.where(y < n, (n - y) * failure, 0.0)
    return gammaln(n + 1) - gammaln(y + 1) - gammaln(n - y + 1) + parts


def _cumulative(link: str, y: np.ndarray, eta: np.ndarray, own: Own) -> np.ndarray:
    ends = np.broadcast_to([np.inf], (*np.shape(own["cutpoint"])[:-1], 1))
    cutpoints = np.concatenate([-ends, own["cutpoint"], ends], axis=-1)
    k = y.astype(int)
    return log_between(link, cutpoints[..., k - 1] - eta, cutpoints[..., k] - eta)


def _counts(y: np.ndarray, eta: np.ndarray, own: Own) -> np.ndarray:
    if "shape" in own:
        shape, odds = own["shape"], np.log(own["shape"]) - eta
        ways = gammaln(y + shape) - gammaln(shape) - gammaln(y + 1)
        density = ways + shape * log_expit(odds) + y * log_expit(-odds)
    else:
        density = stats.poisson.logpmf(y, np.exp(eta))
    if "zi" not in own:
        return density
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.logaddexp(np.log(own["zi"] * (y == 0)), np.log1p(-own["zi"]) + density)


def response_log_density(family: Family, y: np.ndarray, eta: np.ndarray, own: Own) -> np.ndarray:
    """
    Return each row's log density.

    own : parameters of the family, "sigma" that of each row; "trials" of a binomial one; "cutpoint" of an ordinal one
    """
    match family.name:
        case "gaussian":
            density = stats.norm.logpdf(y, eta, own["sigma"])
        case "binomial":
            density = _binomial(family.link, y, eta, own)
        case "cumulative":
            density = _cumulative(family.link, y, eta, own)
        case "student":
            density = stats.t.logpdf(y, own["nu"], eta, own["sigma"])
        case "lognormal":
            density = stats.norm.logpdf(np.log(y), eta, own["sigma"]) - np.log(y)
        case "Gamma":
            density = stats.gamma.logpdf(y, own["shape"], scale=np.exp(eta) / own["shape"])
        case "beta":
            density = stats.beta.logpdf(y, expit(eta) * own["phi"], expit(-eta) * own["phi"])
        case _:
            density = _counts(y, eta, own)
    return np.asarray(density, dtype=float)
