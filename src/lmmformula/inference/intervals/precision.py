"""How precisely the variance parameters are known: their covariance matrix, from exact second derivatives."""

from typing import TYPE_CHECKING, Literal

from lmmformula.errors import FitError, is_text
from lmmformula.fit.variance import log_deviations
from lmmformula.results.effects import between
from lmmformula.results.lmm import LinearMixedResult

if TYPE_CHECKING:
    import pandas as pd

Scale = Literal["theta", "log_sd"]


def variance_covariance(result: LinearMixedResult, scale: Scale = "theta") -> "pd.DataFrame":
    """
    Return the (v, v) covariance matrix of the variance parameters, twice the inverse Hessian of the criterion.

    scale : "theta" for theta and sigma (for the structures cs and ar1, relative standard deviations and the correlation
        stand in theta's place); "log_sd" for the logarithms of the standard deviations of all coefficients and of sigma
    """
    if result.is_linear_model:
        raise FitError("a linear model has no variance parameters besides sigma")
    found = result.variance_parameters
    terms = result.design.random_terms
    match scale if is_text(scale) else repr(scale):
        case "theta":
            matrix = found.vcov
            names = [
                name for term in terms for name in term.covariance.natural_names(term.group, term.coefficient_names)
            ]
        case "log_sd":
            matrix = log_deviations(result.design, result.fit, found).vcov
            names = [f"log_sd[{term.group}, {name}]" for term in terms for name in term.coefficient_names]
        case _:
            raise FitError(f"there is no scale {scale!r}", hint="choose 'theta' or 'log_sd'")
    last = "sigma" if scale == "theta" else "log_sigma"
    return between(matrix, [*names, last])
