"""Means and draws of a response, given its linear predictor and the parameters of its family."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.design.matrices import DesignMatrices
from lmmformula.ir.family import Family

Own = Mapping[str, FloatArray]
"""
Parameter of a family -> its draws, in a shape that broadcasts with that of the linear predictor.

Cutpoints have one axis more, the last.
"""


def _inv_logit(eta: FloatArray) -> FloatArray:
    return np.asarray(0.5 * (1 + np.tanh(eta / 2)), dtype=np.float64)


def _probability(eta: FloatArray) -> FloatArray:
    from scipy.special import ndtr

    return np.asarray(ndtr(eta), dtype=np.float64)


def _inv_cloglog(eta: FloatArray) -> FloatArray:
    return np.asarray(-np.expm1(-np.exp(eta)), dtype=np.float64)


INVERSE_LINKS: dict[str, Callable[[FloatArray], FloatArray]] = {
    "identity": np.asarray,
    "log": np.exp,
    "sqrt": np.square,
    "logit": _inv_logit,
    "probit": _probability,
    "cloglog": _inv_cloglog,
}


def trials_of(design: DesignMatrices, family: Family) -> FloatArray | float:
    """Return the (n,) trials of the rows of a binomial family, 1 in others."""
    return design.weights if family.name == "binomial" and design.weights is not None else 1.0


def own_of_rows(design: DesignMatrices, own: Mapping[str, Any], part: slice = slice(None)) -> dict[str, Any]:
    """Divide the residual standard deviation by the roots of the weights of some rows of the data."""
    if design.weights is None or "sigma" not in own:
        return dict(own)
    return dict(own) | {"sigma": own["sigma"] / np.sqrt(design.weights[part])}


def mean_of(family: Family, eta: FloatArray, own: Own) -> FloatArray:
    """
    Return the response's mean: of a binomial family the probability of success, of an ordinal one that of its numbers.

    >>> mean_of(Family("poisson", "log"), np.array([0.0]), {})
    array([1.])
    """
    if family.ordinal:
        return np.asarray(1 + _exceeded(family, eta, own["cutpoint"]).sum(axis=-1), dtype=np.float64)
    with np.errstate(over="ignore"):  # a mean beyond the largest float, which a prior may ask for, is infinite
        mean = INVERSE_LINKS[family.link](eta)
        if family.name == "lognormal":
            return np.asarray(np.exp(eta + own["sigma"] ** 2 / 2), dtype=np.float64)
    return np.asarray(mean * (1 - own["zi"]) if "zi" in own else mean, dtype=np.float64)


def category_probability(family: Family, eta: FloatArray, own: Own, category: int) -> FloatArray:
    """
    Return the probability of one category of an ordinal response, P(y > category - 1) - P(y > category).

    category : from 1

    >>> category_probability(Family("cumulative", "logit"), np.array([0.0]), {"cutpoint": np.array([0.0, 1e3])}, 1)
    array([0.5])
    """
    ends = np.full((*own["cutpoint"].shape[:-1], 1), np.inf)
    bounds = np.concatenate([-ends, own["cutpoint"], ends], axis=-1)
    above = _exceeded(family, eta, bounds[..., category - 1 : category + 1])
    return above[..., 0] - above[..., 1]


def _exceeded(family: Family, eta: FloatArray, cutpoints: FloatArray) -> FloatArray:
    """Return the probabilities that the category is above each of some cutpoints, which are on the last axis."""
    beyond = cutpoints - np.asarray(eta)[..., np.newaxis]
    if family.link == "cloglog":
        with np.errstate(over="ignore"):
            return np.asarray(np.exp(-np.exp(beyond)), dtype=np.float64)
    return INVERSE_LINKS[family.link](-beyond)


def _categories(family: Family, eta: FloatArray, cutpoints: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Draw categories: the number of cutpoints below a latent variable around eta, and 1."""
    match family.link:
        case "logit":
            latent = eta + rng.logistic(size=eta.shape)
        case "probit":
            latent = eta + rng.standard_normal(eta.shape)
        case _:
            latent = eta - rng.gumbel(size=eta.shape)
    return np.asarray(1 + (latent[..., np.newaxis] > cutpoints).sum(axis=-1), dtype=np.float64)


def draw_from(
    family: Family, eta: FloatArray, own: Own, rng: np.random.Generator, trials: FloatArray | float = 1.0
) -> FloatArray:
    """
    Draw a response for each element of a linear predictor.

    Of a binomial family that is the share of its trials, of an ordinal one the number of the category.

    own : parameters of the family; "sigma" is that of each row
    """
    if family.ordinal:
        return _categories(family, eta, own["cutpoint"], rng)
    with np.errstate(over="ignore"):  # what is beyond the largest float is infinite, or bounded
        return np.asarray(_drawn(family, eta, own, rng, trials), dtype=np.float64)


def _drawn(  # noqa: PLR0911 (one for each family)
    family: Family, eta: FloatArray, own: Own, rng: np.random.Generator, trials: FloatArray | float
) -> object:
    """Draw a response that is no category."""
    mean = INVERSE_LINKS[family.link](eta)
    size = mean.shape
    match family.name:
        case "gaussian":
            return eta + own["sigma"] * rng.standard_normal(size)
        case "student":
            return eta + own["sigma"] * rng.standard_t(np.broadcast_to(own["nu"], size))
        case "lognormal":
            return np.exp(eta + own["sigma"] * rng.standard_normal(size))
        case "binomial":
            return rng.binomial(np.broadcast_to(np.rint(trials).astype(np.int64), size), mean) / trials
        case "Gamma":
            return _gamma(mean, own["shape"], rng)
        case "beta":
            shares = mean, _inv_logit(-eta)  # 1 - mean would be 0 far from zero
            return rng.beta(*(np.maximum(share * own["phi"], SMALLEST) for share in shares))
        case _:
            if "shape" in own:
                mean = _gamma(mean, own["shape"], rng)
            counts = rng.poisson(np.minimum(mean, LARGEST_MEAN)).astype(np.float64)
            return counts * (rng.random(size) >= own["zi"]) if "zi" in own else counts


def _gamma(mean: FloatArray, shape: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Draw from Gamma distributions; a scale beyond the largest float is that float."""
    scale = np.minimum(mean / shape, np.finfo(np.float64).max)
    return rng.gamma(np.broadcast_to(shape, mean.shape), scale)


LARGEST_MEAN = 1e18
"""Of a count that numpy can draw; a prior may ask for more."""
SMALLEST = 1e-300
"""Parameter of a beta distribution from which numpy can draw."""
