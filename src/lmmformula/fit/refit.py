"""Refit a model to many responses: bootstrap, power, permutation."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from lmmformula.arrays import BoolArray, FloatArray
from lmmformula.design.design import Design
from lmmformula.design.sums.many_responses import each_response
from lmmformula.errors import FitError
from lmmformula.fit.glmm import GlmmFit
from lmmformula.fit.lmm import Fit, explained, fit_lmm, fit_problem
from lmmformula.fit.reml.problem import prepare
from lmmformula.fit.search.settings import OptimizerSettings

BATCH = 256
"""Responses whose cross-products are formed together."""


@dataclass(frozen=True, slots=True)
class Refits:
    """
    The estimates of m responses; the fields mean what they mean in `Fit`.

    theta, beta : (m, n_theta) and (m, p)
    sigma, criterion : (m,)
    std_errors : (m, p) of beta
    boundary, failed : (m,) which fits are singular, and which did not converge
    """

    theta: FloatArray
    beta: FloatArray
    sigma: FloatArray
    criterion: FloatArray
    std_errors: FloatArray
    boundary: BoolArray
    failed: BoolArray


def refit(
    design: Design,
    Y: FloatArray,
    *,
    reml: bool = True,
    start: Fit | None = None,
    settings: OptimizerSettings | None = None,
) -> Refits:
    """
    Fit the model of a design to each column of Y, (n, m), in the place of its own response.

    start : a fit of the same model, near whose estimates the optimiser starts; None for MINQUE estimates
    """
    responses = np.asarray(Y, dtype=np.float64)
    if responses.ndim != 2 or len(responses) != design.nobs or not bool(np.isfinite(responses).all()):
        raise FitError(f"the responses must be finite numbers, {design.nobs} rows and a column for each fit")
    settings = settings or OptimizerSettings()
    fits: list[Fit] = []
    for first in range(0, responses.shape[1], BATCH):
        fits += _batch(design, responses[:, first : first + BATCH], reml=reml, start=start, settings=settings)
    return collected(fits)


def collected(fits: Sequence[Fit | GlmmFit]) -> Refits:
    """Put the estimates of several fits of one model together."""
    return Refits(
        theta=np.array([f.theta for f in fits]),
        beta=np.array([f.beta for f in fits]),
        sigma=np.array([f.sigma for f in fits]),
        criterion=np.array([f.criterion for f in fits]),
        std_errors=np.array([np.sqrt(np.diag(f.vcov)) for f in fits]),
        boundary=np.array([f.verdict == "boundary" for f in fits]),
        failed=np.array([f.verdict == "failed" for f in fits]),
    )


def _batch(design: Design, Y: FloatArray, *, reml: bool, start: Fit | None, settings: OptimizerSettings) -> list[Fit]:
    if not design.random_terms:
        return [fit_lmm(design.with_rows(y=y), reml=reml, settings=settings) for y in Y.T]
    theta = None if start is None else start.theta
    with explained():
        problem = prepare(design, reml=reml)
        return [
            fit_problem(replace(problem, products=new, objective=problem.objective.with_response(new)), theta, settings)
            for new in each_response(design, problem.products, Y)
        ]
