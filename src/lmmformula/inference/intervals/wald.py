"""
Wald intervals: estimate and standard error, a normal distribution on a scale where it fits.

Fixed effects are taken as they are, standard deviations by their logarithm, correlations by Fisher's z = atanh(r). The
standard errors of the latter two come from the second derivatives of the criterion by the delta method.
"""

from collections.abc import Sequence

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.inference.intervals.interval_table import Intervals
from lmmformula.inference.intervals.parameters import Parameter, chosen, estimates, is_flat, normal_quantile, tail
from lmmformula.results.lmm import LinearMixedResult

NEARLY_ONE = 1 - 1e-8
"""A correlation beyond this is on its boundary."""


def wald_intervals(
    result: LinearMixedResult, parameters: str | Sequence[str] | None = None, *, level: float = 0.95
) -> Intervals:
    """
    Return Wald intervals; NaN where a variance parameter is estimated on its boundary, or too near to it.

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
        _bounds(p, value, error, fixed if p.part == "fixed" else z)
        for p, value, error in zip(wanted, values, errors, strict=True)
    ]
    low, high = np.array(bounds).reshape(-1, 2).T
    return Intervals(tuple(p.label for p in wanted), values, low, high, level, "Wald")


def _bounds(parameter: Parameter, value: float, error: float, z: float) -> tuple[float, float]:
    """Return the bounds on the parameter's own scale."""
    if parameter.part == "fixed":
        return value - z * error, value + z * error
    if not (np.isfinite(error) and error > 0.0) or (parameter.part == "cor" and abs(value) > NEARLY_ONE):
        return np.nan, np.nan
    if parameter.part == "cor":
        centre, half = np.arctanh(value), z * error / (1 - value**2)
        return float(np.tanh(centre - half)), float(np.tanh(centre + half))
    if is_flat(value, error):
        return np.nan, np.nan
    factor = float(np.exp(z * error / value))
    return value / factor, value * factor


def standard_errors(result: LinearMixedResult, parameters: Sequence[Parameter]) -> FloatArray:
    """Return standard errors of parameters; NaN on a boundary."""
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
