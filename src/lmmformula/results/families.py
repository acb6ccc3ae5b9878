"""What results ask of the family of a response: means, draws, densities, variances and deviances, by its name."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.design.design import Design
from lmmformula.errors import FitError
from lmmformula.families.calculus.jets import up_to, variable
from lmmformula.families.calculus.links import LINKS
from lmmformula.families.cumulative import Cumulative
from lmmformula.families.family import Family as Distribution
from lmmformula.families.family import Observed
from lmmformula.families.table import family as distribution_of
from lmmformula.ir.family import Family

Own = Mapping[str, Any]
"""
Parameter of a family -> its value, or its draws in a shape that broadcasts with that of the linear predictor.

Cutpoints have one axis more, the last.
"""


def _distribution(family: Family) -> Distribution:
    try:
        return distribution_of(family.name, family.link)
    except KeyError:
        raise FitError(
            f"log densities are not worked out for the family {family.name} with link {family.link}",
            hint="use sample(log_lik=True)",
        ) from None


def trials_of(design: Design, family: Family) -> FloatArray | float:
    """Return the (n,) trials of the rows of a binomial family, 1 in others."""
    return design.weights if family.name == "binomial" and design.weights is not None else 1.0


def own_of_rows(design: Design, own: Mapping[str, Any], part: slice = slice(None)) -> dict[str, Any]:
    """Divide the residual standard deviation by the roots of the weights of some rows of the data."""
    if design.weights is None or "sigma" not in own:
        return dict(own)
    return dict(own) | {"sigma": own["sigma"] / np.sqrt(design.weights[part])}


def log_density(
    family: Family, y: FloatArray, eta: FloatArray, own: Own, trials: FloatArray | float = 1.0
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
    observed = Observed(y / trials, trials) if family.name == "binomial" else Observed(y)
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):  # a mean beyond the largest float: density zero
        return np.asarray(_distribution(family).log_density(observed, eta, own), dtype=np.float64)


def mean_of(family: Family, eta: FloatArray, own: Own) -> FloatArray:
    """
    Return the response's mean: of a binomial family the probability of success, of an ordinal one that of its numbers.

    >>> mean_of(Family("poisson", "log"), np.array([0.0]), {})
    array([1.])
    """
    return _distribution(family).mean(eta, own)


def category_probability(family: Family, eta: FloatArray, own: Own, category: int) -> FloatArray:
    """
    Return the probability of one category of an ordinal response, P(y > category - 1) - P(y > category).

    category : from 1

    >>> category_probability(Family("cumulative", "logit"), np.array([0.0]), {"cutpoint": np.array([0.0, 1e3])}, 1)
    array([0.5])
    """
    return Cumulative(family.link).probability(eta, own, category)


def draw_from(
    family: Family, eta: FloatArray, own: Own, rng: np.random.Generator, trials: FloatArray | float = 1.0
) -> FloatArray:
    """
    Draw a response for each element of a linear predictor.

    Of a binomial family that is the share of its trials, of an ordinal one the number of the category.

    own : parameters of the family; "sigma" is that of each row
    """
    with np.errstate(over="ignore"):  # what is beyond the largest float is infinite, or bounded
        return _distribution(family).draw(eta, own, rng, trials)


def variance_of(family: Family, mean: FloatArray, own: Own) -> FloatArray:
    """
    Return the variance of a response of one trial, given its mean; of Gamma in units of 1 / shape, as R's.

    mean : of a zero-inflated family that of the whole mixture

    >>> variance_of(Family("binomial", "logit"), np.array([0.5]), {})
    array([0.25])
    """
    return _distribution(family).variance(mean, own)


def slope_of(link: str, eta: FloatArray) -> FloatArray:
    """
    Return the derivative of the inverse link.

    >>> slope_of("logit", np.array([0.0]))
    array([0.25])
    """
    return np.asarray(LINKS[link].inverse(variable(0, eta, up_to(1, 1))).at(0), dtype=np.float64)


def unit_deviance(family: Family, y: FloatArray, mean: FloatArray, own: Own) -> FloatArray:
    """
    Return twice the log likelihood that a row of one trial loses by its mean.

    Raises
    ------
    FitError
        The family has none: it is no exponential family.
    """
    found = _distribution(family).deviance(y, mean, own)
    if found is None:
        raise FitError(
            f"deviance residuals are not defined for the family {family.name}",
            hint='the kinds are: response, pearson, working; for some families also "deviance"',
        )
    return np.maximum(found, 0.0)
