"""Predictions with their uncertainty, and responses drawn from a fitted model."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.covariances.matrices import square_root
from lmmformula.design.design import Design
from lmmformula.errors import FitError
from lmmformula.fit.lmm import Fit
from lmmformula.results.arguments import check_choice, check_flag, check_level
from lmmformula.results.estimates import Fitted
from lmmformula.results.predict.rows import (
    NewLevels,
    NewRows,
    coefficients_used,
    random_covariates,
    random_part,
    rows_of,
)
from lmmformula.results.predict.uncertainty import quadratic

if TYPE_CHECKING:
    import pandas as pd

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

    def chosen(self, frame: "pd.DataFrame") -> "pd.Series[float] | pd.DataFrame":
        """Take the means alone, as a series, where nothing else is wanted."""
        return frame["prediction"] if self.plain else frame


def predictions(result: Fitted, newdata: object, request: Request) -> "pd.Series[float] | pd.DataFrame":
    """
    Predict rows from a linear mixed model; the index is the new data's, where they have one.

    Returns a series of means, or a data frame of prediction, std_error, conf_low, conf_high where these are wanted.
    """
    rows = rows_of(result, newdata, random=request.random, new_levels=request.new_levels)
    means = rows.linear_predictor(result.fit.beta, result.fit.modes)
    columns = {"prediction": means}
    if not request.plain:
        variances = predictor_variances(result, rows)
        columns["std_error"] = np.sqrt(variances)
        if request.interval is not None:
            new = 0.0 if request.interval == "confidence" else _new_variance(result, newdata, request)
            half = quantile(result, request.level) * np.sqrt(variances + new)
            columns |= {"conf_low": means - half, "conf_high": means + half}
    return request.chosen(rows.frame(columns))


def predictor_variances(result: Fitted, rows: NewRows) -> FloatArray:
    """Return (m,) variances of the linear predictor's errors."""
    if rows.random:
        return result.joint_covariance.variances(rows.X, rows.random)
    return quadratic(rows.X, result.fit.vcov)


def _new_variance(result: Fitted, newdata: object, request: Request) -> FloatArray | float:
    """Return the variance of a response around its mean: the residual's, and what is left of the random effects."""
    weights = result.design.weights if newdata is None else None
    variance: FloatArray | float = result.sigma**2 / (1.0 if weights is None else weights)
    masks = coefficients_used(result, request.random)
    if all(mask.all() for mask in masks):
        return variance
    for z, mask, S in zip(random_covariates(result, newdata), masks, result.fit.relative_covariance, strict=True):
        variance = variance + result.sigma**2 * quadratic(z * ~mask, S)
    return variance


def quantile(result: Fitted, level: float) -> float:
    """Return Student's t for a linear model, else the normal quantile."""
    from scipy.special import ndtri, stdtrit

    tail = (1 - level) / 2
    return float(-stdtrit(result.df_residual, tail) if result.is_linear_model else -ndtri(tail))


def population_means(design: Design, beta: FloatArray) -> FloatArray:
    """Return (n,) X beta + offset."""
    fixed: FloatArray = design.X @ beta
    return fixed if design.offset is None else fixed + design.offset


def generator(seed: int | None) -> np.random.Generator:
    """Make the random numbers of a seed."""
    try:
        return np.random.default_rng(seed)
    except (TypeError, ValueError):
        raise FitError(f"the seed is a whole number of at least 0, not {seed!r:.60}") from None


def simulated(design: Design, fit: Fit, population: FloatArray, n: int, rng: np.random.Generator) -> FloatArray:
    """
    Draw (nobs, n) responses: y = population + Z b + e, with b and e drawn anew for each column.

    population : (nobs,) X beta + offset
    """
    scale = fit.sigma if design.weights is None else fit.sigma / np.sqrt(design.weights)
    roots = [square_root(relative) for relative in fit.relative_covariance]
    columns = []
    for _ in range(n):
        modes = [
            fit.sigma * rng.standard_normal((term.n_levels, term.n_coefficients)) @ root
            for term, root in zip(design.random_terms, roots, strict=True)
        ]
        noise = scale * rng.standard_normal(design.nobs)
        columns.append(population + random_part(design.random_terms, modes) + noise)
    return np.column_stack(columns)
