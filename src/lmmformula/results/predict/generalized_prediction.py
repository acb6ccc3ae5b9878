"""Predictions of a generalised linear mixed model, with standard errors and bounds of the mean."""

from typing import TYPE_CHECKING, Any

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.errors import FitError, warn
from lmmformula.results.estimates import Generalized
from lmmformula.results.families import mean_of
from lmmformula.results.predict.prediction import Request, predictor_variances, quantile
from lmmformula.results.predict.rows import NewRows, rows_of

if TYPE_CHECKING:
    import pandas as pd

STEP = 1e-5
"""Of the linear predictor, for the slope of the mean: central differences are then exact to ten digits."""


def generalized_predictions(
    result: Generalized, newdata: object, request: Request, scale: str
) -> "pd.Series[float] | pd.DataFrame":
    """
    Predict rows: a series of means, or with se_fit or interval a frame of prediction, std_error, conf_low, conf_high.

    The linear predictor's error has the joint covariance of beta and b (of b given beta at the working weights); bounds
    of the response are those of the linear predictor, taken through the inverse link, its standard error the slope's
    multiple. Parameters of the variances and of the family count as known.
    """
    if request.interval == "prediction":
        raise FitError(
            f"new responses of the family {result.family.name} have no normal errors",
            hint='interval="confidence" is of their mean; simulate(), or a posterior, draws responses',
        )
    rows = rows_of(result, newdata, random=request.random, new_levels=request.new_levels)
    own: dict[str, Any] = result.own_of_rows if newdata is None else result.fit.parameters
    eta = rows.linear_predictor(result.fit.beta, result.fit.modes)
    if scale == "link":
        eta = np.where(result.fit.unestimable(rows.X), np.nan, eta)  # it has gone off without end

    def mean(values: FloatArray) -> FloatArray:
        return values if scale == "link" else mean_of(result.family, values, own)

    columns = {"prediction": mean(eta)}
    if scale == "link" or not request.plain:
        _warn_of_flat(result, rows, scale)
    if not request.plain:
        error = _errors(result, rows)
        columns["std_error"] = np.abs(mean(eta + STEP) - mean(eta - STEP)) / (2 * STEP) * error
        if request.interval is not None:
            half = quantile(result, request.level) * error
            columns |= {"conf_low": mean(eta - half), "conf_high": mean(eta + half)}
    return request.chosen(rows.frame(columns))


def _warn_of_flat(result: Generalized, rows: NewRows, scale: str) -> None:
    """Warn of rows whose linear predictor has no finite estimate."""
    unknown = result.fit.unestimable(rows.X)
    if unknown.any():
        message = f"the likelihood is flat (separation) in {int(unknown.sum())} of the {len(unknown)} rows predicted"
        what = "linear predictors" if scale == "link" else "standard errors"
        warn(f"{message}: their {what} can't be estimated")


def _errors(result: Generalized, rows: NewRows) -> FloatArray:
    """Return (m,) standard errors of the linear predictor, NaN where the likelihood is flat."""
    unknown = result.fit.unestimable(rows.X)
    return np.where(unknown, np.nan, np.sqrt(predictor_variances(result, rows)))
