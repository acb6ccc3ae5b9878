"""
The variance of a response in parts, on the scale of the linear predictor: of the fixed part, between levels, and left.

What is left, of families that have it not on that scale, is the observation-level variance of Nakagawa, Johnson &
Schielzeth (2017, J. R. Soc. Interface 14, 20170213), at the mean response m of the model without fixed effects: with
the variance V that the family has there, and v = V / m^2,

    "theoretical"  of the latent variable: pi^2 / 3 for the logit, 1 for the probit, pi^2 / 6 for the cloglog
    "delta"        V times the squared slope of the link; v for a log link
    "lognormal"    log(1 + v), for a log link
    "trigamma"     trigamma(1 / v), for a log link
"""

from dataclasses import replace
from typing import Literal

import numpy as np

from lmmformula.design.design import Design
from lmmformula.families.calculus.links import LINKS
from lmmformula.families.calculus.special import inv_logit, trigamma
from lmmformula.families.table import family as distribution_of
from lmmformula.fit.glmm import GlmmFit
from lmmformula.fit.lmm import Fit
from lmmformula.ir.family import Family
from lmmformula.results.arguments import check_choice
from lmmformula.results.estimates import Fitted
from lmmformula.results.families import mean_of, slope_of, variance_of

Approximation = Literal["theoretical", "delta", "lognormal", "trigamma"]

LATENT = {"logit": np.pi**2 / 3, "probit": 1.0, "cloglog": np.pi**2 / 6}
"""Link of a binomial family -> variance of the latent variable that a success is a threshold of."""

NODES = 40
"""Of Gauss-Hermite quadrature over the random effects."""


def methods_of(family: Family) -> tuple[Approximation, ...]:
    """List what the variance around the linear predictor can be taken from, the default first."""
    if family.name == "binomial":
        return ("theoretical", "delta")
    if _on_logarithms(family):
        return ("lognormal", "delta", "trigamma")
    return ("delta",)


def left_variance(result: Fitted, method: Approximation | None = None) -> float:
    """
    Return the variance of a response around its linear predictor, on that one's scale; sigma^2 of a gaussian model.

    Raises
    ------
    FitError
        The method is not one of the family's, or the rows are needed and not here.
    """
    family = result.ir.family
    methods = methods_of(family)
    if method is not None:
        check_choice("method", method, methods)
    chosen = method or methods[0]
    if chosen == "theoretical":
        return float(LATENT[family.link])
    mean = np.array([_mean_response(result)])
    own = result.own
    variance = float(variance_of(family, mean, own)[0])
    if family.name == "Gamma":
        variance /= own["shape"]  # the family's is in units of it
    if not _on_logarithms(family):
        return variance / float(slope_of(family.link, LINKS[family.link].of(mean))[0]) ** 2
    v = variance / float(mean[0]) ** 2
    match chosen:
        case "lognormal":
            return float(np.log1p(v))
        case "trigamma":
            return float(np.asarray(trigamma(np.array([1 / v])))[0])
        case _:
            return v


def between_levels(design: Design, fit: Fit | GlmmFit) -> dict[str, float]:
    """Return per grouping factor the variance of its random effects: the mean of z'Cov(b)z over the rows."""
    found = {term.group: 0.0 for term in design.random_terms}
    for t, (term, S) in enumerate(zip(design.random_terms, fit.relative_covariance, strict=True)):
        found[term.group] += float(np.sum(design.mean_square(t) * fit.sigma**2 * S))
    return found


def _on_logarithms(family: Family) -> bool:
    return family.link == "log" or family.name == "lognormal"


def _mean_response(result: Fitted) -> float:
    """
    Return the mean response of the model without fixed effects, over its random effects.

    Where the response has a scale of its own the variance in question is the same at any mean: 1 stands for all.
    """
    family, design, fit = result.ir.family, result.design, result.fit
    if distribution_of(family.name, family.link).units or family.name == "Gamma":
        return 1.0
    assert isinstance(fit, GlmmFit)
    null = _without_fixed_effects(design)
    if design.fixed_names != null.fixed_names:
        fit = fit.again(null)
    offset = 0.0 if design.offset is None else float(design.offset.mean())
    middle, variance = float(fit.beta[0]) + offset, sum(between_levels(null, fit).values())
    if family.link == "logit":  # the paper's equation (6.8)
        return float(inv_logit(middle - 0.5 * variance * np.tanh(middle * (1 + 2 * np.exp(-0.5 * variance)) / 6)))
    nodes, weights = np.polynomial.hermite_e.hermegauss(NODES)
    means = mean_of(family, middle + np.sqrt(variance) * nodes, result.own)
    return float(weights @ means / weights.sum())


def _without_fixed_effects(design: Design) -> Design:
    """Return the design with an intercept in the place of all fixed effects."""
    return replace(
        design.with_rows(X=np.ones((design.nobs, 1), order="F")),
        fixed_names=("(Intercept)",),
        fixed_assign=(0,),
        fixed_terms=(),
        dropped_names=(),
    )
