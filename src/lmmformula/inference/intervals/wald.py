"""
Wald intervals: estimate and standard error, a normal distribution on a scale where it fits.

Fixed effects are taken as they are, standard deviations and a family's positive parameters by their logarithm,
probabilities by their logit, correlations by Fisher's z = atanh(r). Standard errors come from the second derivatives of
the criterion by the delta method.
"""

from collections.abc import Sequence

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.families.calculus.jets import value_of
from lmmformula.families.calculus.links import LINKS, Link
from lmmformula.inference.intervals.interval_table import Intervals
from lmmformula.inference.intervals.parameters import (
    Parameter,
    chosen,
    estimates,
    is_flat,
    normal_quantile,
    own_link,
    tail,
)
from lmmformula.results.glmm import GeneralizedMixedResult, MixedResult
from lmmformula.results.lmm import LinearMixedResult

NEARLY_ONE = 1 - 1e-8
"""A correlation beyond this is on its boundary."""


def wald_intervals(
    result: MixedResult, parameters: str | Sequence[str] | None = None, *, level: float = 0.95
) -> Intervals:
    """
    Return Wald intervals; NaN where a variance parameter is on its boundary, or near it, or the likelihood is flat.

    >>> import lmmformula as lf
    >>> fit = lf.Model("Yield ~ 1 + (1 | Batch)", lf.datasets.load("Dyestuff")).fit()
    >>> wald_intervals(fit, "fixed").frame.round(2).to_dict("index")
    {'(Intercept)': {'estimate': 1527.5, 'conf_low': 1489.51, 'conf_high': 1565.49}}
    """
    from scipy.special import stdtrit

    wanted = chosen(result, parameters)
    errors = standard_errors(result, wanted)
    z = normal_quantile(level)
    fixed = -float(stdtrit(result.df_residual, tail(level))) if result.is_linear_model else z
    values = estimates(wanted, result)
    bounds = [
        _bounds(result, p, value, error, fixed if p.part == "fixed" else z)
        for p, value, error in zip(wanted, values, errors, strict=True)
    ]
    low, high = np.array(bounds).reshape(-1, 2).T
    method = "Wald; NaN can't be estimated, the likelihood is flat" if np.isinf(errors).any() else "Wald"
    return Intervals(tuple(p.label for p in wanted), values, low, high, level, method)


def _bounds(result: MixedResult, parameter: Parameter, value: float, error: float, z: float) -> tuple[float, float]:
    """Return the bounds on the parameter's own scale."""
    if parameter.part == "fixed":
        half = z * error if np.isfinite(error) else np.nan
        return value - half, value + half
    if not (np.isfinite(error) and error > 0.0) or (parameter.part == "cor" and abs(value) > NEARLY_ONE):
        return np.nan, np.nan
    if parameter.part == "cor":
        centre, half = np.arctanh(value), z * error / (1 - value**2)
        return float(np.tanh(centre - half)), float(np.tanh(centre + half))
    if parameter.part == "family":
        assert isinstance(result, GeneralizedMixedResult)
        return own_bounds(own_link(result, parameter.name), value, error, z)
    return (np.nan, np.nan) if is_flat(value, error) else own_bounds(LINKS["log"], value, error, z)


def own_bounds(link: Link, value: float, error: float, z: float) -> tuple[float, float]:
    """Return the bounds of a positive parameter by its logarithm, those of a probability by its logit."""
    with np.errstate(over="ignore"):  # a shape that may be anything has bounds of zero and infinity
        if link.name != "logit":
            factor = float(np.exp(z * error / value))
            return value / factor, value * factor
        half = z * error / (value * (1 - value))
        low, high = value_of(link.inverse(link.of(np.array(value)) + np.array([-half, half])))
        return float(low), float(high)


def standard_errors(result: MixedResult, parameters: Sequence[Parameter]) -> FloatArray:
    """Return standard errors of parameters; NaN on a boundary, infinite where the likelihood is flat."""
    if isinstance(result, GeneralizedMixedResult):
        return np.array([_kept_error(result, p) for p in parameters])
    out = np.full(len(parameters), np.nan)
    random = [(i, p) for i, p in enumerate(parameters) if p.part != "fixed"]
    for i, p in enumerate(parameters):
        if p.part == "fixed":
            out[i] = np.sqrt(result.fit.vcov[p.row, p.row])
    if result.is_linear_model:
        degrees = result.df_residual if result.fit.reml else result.nobs
        for i, _ in random:
            out[i] = result.sigma / np.sqrt(2 * degrees)
    elif random:
        found = result.variance_parameters
        slopes = np.array([_slope(result, p, found.values) for _, p in random])
        variances = np.einsum("ia,ab,ib->i", slopes, found.vcov, slopes)
        out[[i for i, _ in random]] = np.sqrt(np.where(variances > 0.0, variances, np.nan))
    return out


def _kept_error(result: GeneralizedMixedResult, parameter: Parameter) -> float:
    match parameter.part:
        case "fixed":
            return float(result.std_errors.iloc[parameter.row])
        case "family":
            return result.fit.parameter_errors[parameter.name]
        case _:
            return float(result.fit.covariance_errors[parameter.term][parameter.row, parameter.column])


def _slope(result: LinearMixedResult, parameter: Parameter, values: FloatArray) -> FloatArray:
    """Return the derivative of a parameter with respect to the variance parameters of the fit, sigma last."""
    out = np.zeros(len(values))
    if parameter.part == "sigma":
        out[-1] = 1.0
        return out
    at = 0
    for t, term in enumerate(result.design.random_terms):
        own = term.covariance.natural_map(term.n_coefficients, np.eye(term.n_coefficients))
        here = slice(at, at + own.size)
        at += own.size
        if t == parameter.term:
            relative, directions = result.fit.relative_covariance[t], own.directions(values[here])
            with np.errstate(divide="ignore", invalid="ignore"):
                out[here], out[-1] = _of_covariance(parameter, relative, directions, result.sigma)
    return out


def _of_covariance(
    parameter: Parameter, relative: FloatArray, directions: FloatArray, sigma: float
) -> tuple[FloatArray, float]:
    """Return the derivatives of a standard deviation or correlation along directions, and with respect to sigma."""
    i, j = parameter.row, parameter.column
    sds = np.sqrt(np.diag(relative))
    if parameter.part == "sd":
        return sigma * directions[:, i, i] / (2 * sds[i]), float(sds[i])
    r = relative[i, j] / (sds[i] * sds[j])
    change = directions[:, i, j] / (sds[i] * sds[j])
    return change - r / 2 * (directions[:, i, i] / sds[i] ** 2 + directions[:, j, j] / sds[j] ** 2), 0.0
