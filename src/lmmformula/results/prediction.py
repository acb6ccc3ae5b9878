"""Predictions with their uncertainty, and responses drawn from a fitted model."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.design.matrices import DesignMatrices
from lmmformula.errors import FitError
from lmmformula.fit.lmm import Fit
from lmmformula.results.arguments import check_choice, check_flag, check_level
from lmmformula.results.effects import by_row
from lmmformula.results.rows import NewLevels, NewRows, OldRows, coefficients_used, random_covariates, random_part
from lmmformula.results.uncertainty import quadratic

if TYPE_CHECKING:
    import pandas as pd

    from lmmformula.results.lmm import LinearMixedResult

Interval = Literal["confidence", "prediction"]


@dataclass(frozen=True, slots=True)
class Request:
    """
    What is to be predicted.

    random : "conditional" on the random effects of each row's levels, "population" with all of them at zero, or a
        formula of random terms, `~ (1 | Subject)`, to condition on these alone
    new_levels : what to do with a level that the fit has not seen: "error", or "population" (no effect)
    se_fit : whether the means' standard errors are wanted
    interval : of the mean ("confidence") or of a new response ("prediction")
    level : probability that an interval covers
    """

    random: str = "conditional"
    new_levels: NewLevels = "error"
    se_fit: bool = False
    interval: Interval | None = None
    level: float = 0.95

    LEVELS: ClassVar[tuple[str, ...]] = ("error", "population")

    def __post_init__(self) -> None:
        check_choice("new_levels", self.new_levels, self.LEVELS)
        check_choice("interval", self.interval, (None, "confidence", "prediction"))
        check_level(self.level)
        check_flag("se_fit", self.se_fit)

    @property
    def plain(self) -> bool:
        """Whether nothing but the means is wanted."""
        return not self.se_fit and self.interval is None


def predictions(result: "LinearMixedResult", newdata: object, request: Request) -> "pd.Series[float] | pd.DataFrame":
    """
    Predict rows from a `LinearMixedResult`; the index is the new data's, where they have one.

    Returns a series of means, or a data frame of prediction, std_error, conf_low, conf_high where these are wanted.
    """
    import pandas as pd

    rows: NewRows
    if newdata is None:
        rows = OldRows(result, random=request.random)
        index = result.fitted.index
    else:
        rows = NewRows(result, newdata, random=request.random, new_levels=request.new_levels)
        index = rows.index
    means = rows.linear_predictor(result.fit.beta, result.fit.modes)
    place = (lambda v: by_row(result.design, v, "", padded=len(index) > result.nobs)) if newdata is None else np.asarray
    if request.plain:
        return pd.Series(np.asarray(place(means)), index=index, name="prediction")
    if rows.random:
        variances = result.joint_covariance.variances(rows.X, rows.random)
    else:
        variances = quadratic(rows.X, result.fit.vcov)
    columns = {"prediction": means, "std_error": np.sqrt(variances)}
    if request.interval is not None:
        spread = variances if request.interval == "confidence" else variances + _new_variance(result, newdata, request)
        half = _quantile(result, request.level) * np.sqrt(spread)
        columns |= {"conf_low": means - half, "conf_high": means + half}
    return pd.DataFrame({name: np.asarray(place(values)) for name, values in columns.items()}, index=index)


def _new_variance(result: "LinearMixedResult", newdata: object, request: Request) -> FloatArray | float:
    """Return the variance of a response around its mean: the residual's, and what is left of the random effects."""
    weights = result.design.weights if newdata is None else None
    variance: FloatArray | float = result.sigma**2 / (1.0 if weights is None else weights)
    masks = coefficients_used(result, request.random)
    if all(mask.all() for mask in masks):
        return variance
    if newdata is None:
        columns = [term.covariates for term in result.design.random_terms]
    else:
        columns = random_covariates(result, newdata)
    for z, mask, S in zip(columns, masks, result.fit.relative_covariance, strict=True):
        variance = variance + result.sigma**2 * quadratic(z * ~mask, S)
    return variance


def _quantile(result: "LinearMixedResult", level: float) -> float:
    """Return Student's t for a linear model, else the normal quantile."""
    from scipy.special import ndtri, stdtrit

    tail = (1 - level) / 2
    return float(-stdtrit(result.df_residual, tail) if result.is_linear_model else -ndtri(tail))


def population_means(design: DesignMatrices, beta: FloatArray) -> FloatArray:
    """Return (n,) X beta + offset."""
    fixed: FloatArray = design.X @ beta
    return fixed if design.offset is None else fixed + design.offset


def generator(seed: int | None) -> np.random.Generator:
    """Make the random numbers of a seed."""
    try:
        return np.random.default_rng(seed)
    except (TypeError, ValueError):
        raise FitError(f"the seed is a whole number of at least 0, not {seed!r:.60}") from None


def simulated(design: DesignMatrices, fit: Fit, population: FloatArray, n: int, rng: np.random.Generator) -> FloatArray:
    """
    Draw (nobs, n) responses: y = population + Z b + e, with b and e drawn anew for each column.

    population : (nobs,) X beta + offset
    """
    scale = fit.sigma if design.weights is None else fit.sigma / np.sqrt(design.weights)
    roots = [_root(relative) for relative in fit.relative_covariance]
    columns = []
    for _ in range(n):
        modes = [
            fit.sigma * rng.standard_normal((term.n_levels, term.n_coefficients)) @ root
            for term, root in zip(design.random_terms, roots, strict=True)
        ]
        noise = scale * rng.standard_normal(design.nobs)
        columns.append(population + random_part(design.random_terms, modes) + noise)
    return np.column_stack(columns)


def _root(covariance: FloatArray) -> FloatArray:
    """Symmetric square root, also of a singular covariance matrix."""
    values, vectors = np.linalg.eigh(covariance)
    root: FloatArray = (vectors * np.sqrt(np.clip(values, 0.0, None))) @ vectors.T
    return root
