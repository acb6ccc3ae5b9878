"""What a fit of another family than the Gaussian can't say: each method, why not, and what there is instead."""

from collections.abc import Callable
from typing import Any, NoReturn

from lmmformula.errors import FitError


def refusal(why: str, hint: str) -> Callable[..., NoReturn]:
    """
    Make a method that refuses.

    why : the message; {family} stands for the name of the family
    hint : what there is instead
    """

    def refuse(self: Any, *_: Any, **__: Any) -> NoReturn:  # noqa: ANN401 (a fit; a linear mixed model's arguments)
        weighted = " with loglik_weights" if self.design.has_loglik_weights else ""
        raise FitError(why.format(family=self.family.name + weighted), hint=hint)

    refuse.__doc__ = f"Refuse: {why.format(family='at hand')}; {hint}."
    return refuse


def undefined(what: str) -> Callable[..., NoReturn]:
    """Make a method that refuses what depends on the scale on which a variance is meant."""
    why = f"{what} is not defined here for the family {{family}}"
    return refusal(why, "varcorr has the variances on the scale of the linear predictor")


def gaussian(what: str, hint: str) -> Callable[..., NoReturn]:
    """Make a method that refuses what is worked out for gaussian models."""
    return refusal(f"{what} for gaussian models, not for the family {{family}}", hint)


ERRORS = 'tidy("ran_pars") has standard errors of standard deviations and correlations'


class Refusals:
    """The methods of a linear mixed model that one of another family lacks; of a class that has a family."""

    save = refusal("fits of the family {family} are not saved to files", "keep the formula and the data, and fit again")
    icc = undefined("the intraclass correlation")
    r2 = undefined("R^2")
    r_squared = property(undefined("multiple R^2"))
    explained_variance = undefined("the share of explained variance")
    variance_vcov = gaussian("the covariance of variance parameters is computed", ERRORS)
    variance_parameters = property(gaussian("the covariance of variance parameters is computed", ERRORS))
    knows_variances = False
    residual_quantiles = property(gaussian("quantiles of residuals are kept", 'residuals("pearson") has the residuals'))
