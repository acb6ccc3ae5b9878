"""
What can be asked of which result: `ABILITIES` says of all that one of them lacks why, and what there is instead.

What stands nowhere in the table all results can do.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import update_wrapper
from typing import Any, NoReturn, TypeVar

from lmmformula.errors import FitError
from lmmformula.newcomers import UnknownNameError

Made = TypeVar("Made", bound=type)

LINEAR, GENERALIZED, POSTERIOR = "LinearMixedFit", "GeneralizedMixedFit", "Posterior"
RESULTS = (LINEAR, GENERALIZED, POSTERIOR)


@dataclass(frozen=True, slots=True)
class Ability:
    """
    Something that not every result can do.

    results : that can
    why : the others can't, a sentence; {kind} stands for the result's family
    instead : what there is for them
    """

    results: tuple[str, ...]
    why: str
    instead: str

    def said(self, result: Any) -> str:  # noqa: ANN401 (one of the results)
        """Say why not."""
        weighted = " with loglik_weights" if result.design.has_loglik_weights else ""
        kind = "a posterior" if type(result).__name__ == POSTERIOR else f"the family {result.family.name}{weighted}"
        return self.why.format(kind=kind)

    def refuse(self, result: object) -> NoReturn:
        """Refuse what a result is asked."""
        raise FitError(self.said(result), hint=self.instead)

    def refuse_name(self, result: object) -> NoReturn:
        """Refuse an attribute, which there is not."""
        raise UnknownNameError(self.said(result), hint=self.instead)

    def refusing(self, method: Callable[..., Any]) -> Callable[..., NoReturn]:
        """Make a method that refuses in the place of another."""

        def refuse(result: object, *_: Any, **__: Any) -> NoReturn:  # noqa: ANN401 (arguments of the others' method)
            self.refuse(result)

        update_wrapper(refuse, method)
        refuse.__doc__ = f"Refuse: {self.why.format(kind='other families')}; {self.instead}."
        return refuse


def _of_gaussian(what: str, instead: str) -> Ability:
    return Ability((LINEAR,), f"{what} for gaussian models, not for {{kind}}", instead)


def _of_fits(what: str, instead: str) -> Ability:
    return Ability((LINEAR, GENERALIZED), f"a posterior has no {what}", instead)


def _of_draws(what: str, instead: str) -> Ability:
    return Ability((POSTERIOR,), f"a fit has no draws, and so no {what}", instead)


ERRORS = 'tidy("ran_pars") has standard errors of standard deviations and correlations'
CRITERIA = "loo() estimates how well new rows are predicted"
DISTRIBUTION = "the draws are the distribution: confint() has quantiles"
TESTS = "contrast() has the share of draws above a value"

ABILITIES: dict[str, Ability] = {
    # of gaussian models alone
    "variance_vcov": _of_gaussian("the covariance of variance parameters is computed", ERRORS),
    "variance_parameters": _of_gaussian("the covariance of variance parameters is computed", ERRORS),
    "r_squared": _of_gaussian("multiple R^2 is defined", "r2() has shares of variance"),
    "reml_criterion": Ability((LINEAR,), "there is no REML criterion: the likelihood is not restricted", "deviance"),
    # of fits
    **dict.fromkeys(("aic", "bic", "loglik", "deviance"), _of_fits("maximum of its likelihood", CRITERIA)),
    "conditional_deviance": _of_fits("maximum of its likelihood", "log_likelihood() has the rows' log densities"),
    **dict.fromkeys(("anova", "drop1", "ranova", "linear_hypothesis"), _of_fits("such tests", TESTS)),
    "bootstrap": _of_fits("bootstrap", DISTRIBUTION),
    "profile": _of_fits("profile of a likelihood", DISTRIBUTION),
    "power": _of_fits("power()", "fit() and power() of the same model count how often a test finds an effect"),
    **dict.fromkeys(
        ("influence", "cooks_distance", "leverage"), _of_fits("influence()", "loo().pareto_k tells rows that matter")
    ),
    "augment(influence)": _of_fits("influence()", "loo().pareto_k tells rows that matter"),
    "r2": _of_fits("R^2 here", "icc() and explained_variance() are means over draws"),
    "refit": _of_fits("refit", "build a model on the other response and sample it"),
    "residuals": _of_fits("residuals of a kind", "augment() has the response less its mean"),
    "simulate": _of_fits("simulate()", "posterior_predictive() draws responses"),
    "draw": _of_fits("draw()", "posterior_predictive() draws responses"),
    "trace": _of_fits("log of an optimiser", 'diagnostics() says how the sampler did; plot("traces") shows it'),
    "converged": _of_fits("optimum", "diagnostics().ok says whether the chains agree"),
    "family_parameters": Ability(
        (GENERALIZED,), "there is no table of the family's own parameters here", 'sigma, or tidy("ran_pars")'
    ),
    # of posteriors
    "diagnostics": _of_draws("diagnostics", "trace says what the optimiser did, converged whether it is there"),
    "draws": _of_draws("draws", "model.sample() has; bootstrap() has refits"),
    "draws_frame": _of_draws("frame of them", "model.sample() has; bootstrap().replicates are refits"),
    "log_likelihood": _of_draws("log densities of rows", "loglik is that of all of them"),
    "loo": _of_draws("cross-validation", "aic compares fits, and so does lf.criteria()"),
    "posterior_predictive": _of_draws("posterior predictive", 'simulate(), and predict(interval="prediction")'),
    **dict.fromkeys(("to_arviz", "to_xarray"), _of_draws("such layout", "tidy() and augment() are data frames")),
    # arguments
    **dict.fromkeys(
        ("confint(n)", "confint(seed)", "confint(progress)", "confint(workers)"),
        _of_fits("refits to draw intervals from", 'method="quantile" or "hdi" takes them from the draws'),
    ),
    **dict.fromkeys(("summary(ddf)", "tidy(ddf)", "contrast(ddf)"), _of_fits("degrees of freedom", DISTRIBUTION)),
    "contrast(adjust)": _of_fits("tests to adjust", TESTS),
    "tidy(method)": _of_fits("bounds of several kinds here", 'confint(method="hdi") has the shortest intervals'),
    "icc(method)": _of_fits("icc() of other families than the gaussian", "varcorr has the variances"),
    "save(data)": Ability((POSTERIOR,), "the file of a fit holds no rows of the data", "keep the data beside it"),
    "summary(random)": Ability((POSTERIOR,), "the summary of a fit has no random effects", "ranef() has them"),
}
"""Method, attribute, or method(argument) -> which results have it, and what the others say."""


def lacking(result: str, what: str) -> Ability | None:
    """
    Return why a result, named by its class, lacks something; None where it doesn't, or nobody knows of it.

    >>> lacking("Posterior", "anova").why
    'a posterior has no such tests'
    """
    found = ABILITIES.get(what)
    return found if found is not None and result in RESULTS and result not in found.results else None


def named(cls: Made) -> Made:
    """Give a class names for what it lacks beside a gaussian model's fit, which refuse."""
    for what, ability in ABILITIES.items():
        if LINEAR in ability.results and what.isidentifier() and not hasattr(cls, what):
            setattr(cls, what, property(ability.refuse_name, doc=f"Refuse: {ability.instead}."))
    return cls
