"""Predictions with their uncertainty, and responses drawn from a fitted model."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from lmmformula.arrays import BoolArray, FloatArray
from lmmformula.covariances.matrices import square_root
from lmmformula.design.design import Design
from lmmformula.errors import FitError, warn
from lmmformula.families.table import family as distribution_of
from lmmformula.fit.glmm import GlmmFit
from lmmformula.fit.lmm import Fit
from lmmformula.ir.family import GAUSSIAN, Family
from lmmformula.results.arguments import check_choice, check_flag, check_level
from lmmformula.results.estimates import Fitted
from lmmformula.results.families import Own, draw_from, mean_of, own_of_rows, trials_of
from lmmformula.results.predict.new_responses import response_quantiles
from lmmformula.results.predict.rows import (
    NewLevels,
    NewRows,
    coefficients_used,
    random_covariates,
    random_part,
    rows_of,
    trials_of_rows,
)
from lmmformula.results.predict.uncertainty import quadratic

if TYPE_CHECKING:
    import pandas as pd

Interval = Literal["confidence", "prediction"]
Scale = Literal["response", "link"]

STEP = 1e-5
"""Of the linear predictor, for the slope of the mean: central differences are then exact to ten digits."""


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
    scale : of the mean, "response", or "link" for the linear predictor
    """

    random: str = "conditional"
    new_levels: NewLevels = "error"
    se_fit: bool = False
    interval: Interval | None = None
    level: float = 0.95
    scale: Scale = "response"

    LEVELS: ClassVar[tuple[str, ...]] = ("error", "population")

    def __post_init__(self) -> None:
        check_choice("new_levels", self.new_levels, self.LEVELS)
        check_choice("interval", self.interval, (None, "confidence", "prediction"))
        check_level(self.level)
        check_flag("se_fit", self.se_fit)
        check_choice("scale", self.scale, ("response", "link"))

    @property
    def plain(self) -> bool:
        """Whether nothing but the means is wanted."""
        return not self.se_fit and self.interval is None

    def chosen(self, frame: "pd.DataFrame") -> "pd.Series[float] | pd.DataFrame":
        """Take the means alone, as a series, where nothing else is wanted."""
        return frame["prediction"] if self.plain else frame


def predictions(result: Fitted, newdata: object, request: Request) -> "pd.Series[float] | pd.DataFrame":
    """
    Predict rows: a series of means, or with se_fit or interval a frame of prediction, std_error, conf_low, conf_high.

    The index is the new data's, where they have one. The linear predictor's error has the joint covariance of beta and
    b; bounds of the response are those of the linear predictor, taken through the inverse link, its standard error the
    slope's multiple. Parameters of the variances and of the family count as known.
    """
    refuse_response_on_link(result.ir.family, request)
    rows = rows_of(result, newdata, random=request.random, new_levels=request.new_levels)
    own = result.own_of_rows if newdata is None else result.own
    eta, unknown = rows.linear_predictor(result.fit.beta, result.fit.modes), _flat_rows(result, rows)
    linear = request.scale == "link" or result.ir.family == GAUSSIAN
    if linear:
        eta = np.where(unknown, np.nan, eta)  # it has gone off without end

    def mean(values: FloatArray) -> FloatArray:
        return values if linear else mean_of(result.ir.family, values, own)

    columns = {"prediction": mean(eta)}
    if (linear or not request.plain) and unknown.any():
        message = f"the likelihood is flat (separation) in {int(unknown.sum())} of the {len(unknown)} rows predicted"
        warn(f"{message}: their {'linear predictors' if linear else 'standard errors'} can't be estimated")
    if not request.plain:
        error = np.where(unknown, np.nan, np.sqrt(_predictor_variances(result, rows)))
        slope = 1.0 if linear else np.abs(mean(eta + STEP) - mean(eta - STEP)) / (2 * STEP)
        columns["std_error"] = slope * error
        if request.interval == "confidence":
            half = _quantile(result, request.level) * error
            columns |= {"conf_low": mean(eta - half), "conf_high": mean(eta + half)}
        elif request.interval == "prediction":
            left_out = _left_out(result, newdata, request)
            trials = trials_of_rows(result, newdata)
            columns |= _response_bounds(result, eta, np.sqrt(error**2 + left_out), own, trials, request.level)
    return request.chosen(rows.frame(columns))


def refuse_response_on_link(family: Family, request: Request) -> None:
    """Refuse an interval of a new response on the scale of a link: it is on its own."""
    if request.scale == "link" and request.interval == "prediction" and family != GAUSSIAN:
        raise FitError("a new response is not on the scale of the link", hint='scale="response" predicts it')


def _flat_rows(result: Fitted, rows: NewRows) -> BoolArray:
    """Tell which rows have no finite estimate."""
    if isinstance(result.fit, Fit):
        return np.zeros(len(rows.X), dtype=np.bool_)
    return result.fit.unestimable(rows.X)


def _predictor_variances(result: Fitted, rows: NewRows) -> FloatArray:
    """Return (m,) variances of the linear predictor's errors."""
    if rows.random:
        return result.joint_covariance.variances(rows.X, rows.random)
    return quadratic(rows.X, result.fit.vcov)


def _left_out(result: Fitted, newdata: object, request: Request) -> FloatArray | float:
    """Return the variance of the random effects that a prediction is not conditional on."""
    masks = coefficients_used(result, request.random)
    if all(mask.all() for mask in masks):
        return 0.0
    parts = zip(random_covariates(result, newdata), masks, result.fit.relative_covariance, strict=True)
    return sum((result.fit.sigma**2 * quadratic(z * ~mask, S) for z, mask, S in parts), np.zeros(1))


def _response_bounds(
    result: Fitted, eta: FloatArray, error: FloatArray, own: Own, trials: FloatArray | float, level: float
) -> dict[str, FloatArray]:
    """Return bounds of new responses, of a normal one in closed form."""
    family, tail = result.ir.family, (1 - level) / 2
    if family == GAUSSIAN:
        half = _quantile(result, level) * np.sqrt(error**2 + np.square(own["sigma"]))
        return {"conf_low": eta - half, "conf_high": eta + half}
    distribution = distribution_of(family.name, family.link)
    low, high = (response_quantiles(distribution, eta, error, own, trials, p) for p in (tail, 1 - tail))
    return {"conf_low": low, "conf_high": high}


def _quantile(result: Fitted, level: float) -> float:
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


def simulated(
    design: Design, fit: Fit | GlmmFit, population: FloatArray, n: int, rng: np.random.Generator
) -> FloatArray:
    """
    Draw (nobs, n) responses given population + Z b, with b drawn anew for each column.

    population : (nobs,) X beta + offset
    """
    family, own = (GAUSSIAN, {"sigma": fit.sigma}) if isinstance(fit, Fit) else (fit.family, fit.parameters)
    of_rows, trials = own_of_rows(design, own), trials_of(design, family)
    roots = [square_root(relative) for relative in fit.relative_covariance]
    columns = []
    for _ in range(n):
        modes = [
            fit.sigma * rng.standard_normal((term.n_levels, term.n_coefficients)) @ root
            for term, root in zip(design.random_terms, roots, strict=True)
        ]
        eta = population + random_part(design.random_terms, modes)
        columns.append(draw_from(family, eta, of_rows, rng, trials))
    return np.column_stack(columns)
