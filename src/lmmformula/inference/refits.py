"""Refit a model to many responses, all at once where its structure allows."""

from dataclasses import fields
from typing import TYPE_CHECKING, Any

import numpy as np

from lmmformula.arrays import BoolArray, FloatArray
from lmmformula.design.matrices import DesignMatrices
from lmmformula.design.responses import each_response
from lmmformula.errors import FitError
from lmmformula.fit.lmm import Fit, explained
from lmmformula.fit.problem import prepare
from lmmformula.fit.refit import Refits, refit
from lmmformula.inference.batch import basis_of, refit_batch
from lmmformula.results.lmm import LinearMixedResult

if TYPE_CHECKING:
    import pandas as pd


def estimates_of_each(result: LinearMixedResult, responses: Any) -> "pd.DataFrame":  # noqa: ANN401 (a matrix, a frame)
    """
    Fit a model to each of m responses: a row of estimates for each.

    responses : (n, m) matrix or data frame, with a row for each row used, or for each row of the data that were given
    """
    import pandas as pd

    try:
        Y = np.asarray(responses, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        raise FitError("the new responses must be numbers, a column for each fit") from None
    design = result.design
    if len(Y) == design.n_given != design.nobs:
        Y = Y[design.kept_rows]
    if len(Y) != design.nobs or not bool(np.isfinite(Y).all()):
        raise FitError(f"the responses must be finite numbers, {design.nobs} rows and a column for each fit")
    found = refits(design, Y, result.fit)
    names = [*design.fixed_names, *design.theta_names]
    frame = pd.DataFrame(np.hstack([found.beta, found.theta]), columns=names)
    frame["sigma"], frame["criterion"] = found.sigma, found.criterion
    frame["is_singular"], frame["converged"] = found.boundary, ~found.failed
    return frame.set_axis(list(getattr(responses, "columns", range(Y.shape[1]))))


def refits(design: DesignMatrices, Y: FloatArray, fit: Fit, *, reml: bool | None = None) -> Refits:
    """
    Fit the model of a design to each column of Y, (n, m).

    fit : a fit of the model, or its assumed parameters: near it the estimates are sought
    reml : REML or ML; None for that of `fit`
    """
    criterion = fit.reml if reml is None else reml
    responses = np.ascontiguousarray(Y)
    if not design.random_terms:
        return refit(design, responses, reml=criterion)
    with explained():
        problem = prepare(design, reml=criterion)
        basis = basis_of(problem)
        if basis is None:
            return refit(design, responses, reml=criterion)
        lifted = [S + LIFT * np.eye(len(S)) for S in problem.inner(fit.relative_covariance)]
        products = list(each_response(design, problem.products, responses))
    try:
        some, found = refit_batch(problem, basis, products, problem.nearest(lifted), fit.settings)
    except np.linalg.LinAlgError:  # one of the responses is beyond what can be factorised: they go one by one
        return refit(design, responses, reml=criterion)
    return some if found.all() else _completed(some, refit(design, responses[:, ~found], reml=criterion), found)


LIFT = 0.01
"""Added to the inner covariances to start at: at zero the criterion is stationary, least or not."""


def _completed(some: Refits, others: Refits, found: BoolArray) -> Refits:
    """Fill in the responses that had to be fitted by themselves."""
    columns = {}
    for field in fields(Refits):
        column = getattr(some, field.name).copy()
        column[~found] = getattr(others, field.name)
        columns[field.name] = column
    return Refits(**columns)
