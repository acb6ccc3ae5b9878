"""Fit a linear mixed model: `Design` -> frozen `Fit`."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import count
from typing import Literal

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.design.design import Design
from lmmformula.errors import FitError
from lmmformula.fit.algebra import blocks
from lmmformula.fit.reml.linear import least_squares
from lmmformula.fit.reml.objective import Point
from lmmformula.fit.reml.problem import Evaluation, Problem, prepare
from lmmformula.fit.search.convergence import Judgement, judge, undetermined
from lmmformula.fit.search.more_starts import lowest, more_starts
from lmmformula.fit.search.newton import Minimum, minimise
from lmmformula.fit.search.settings import OptimizerLog, OptimizerSettings
from lmmformula.fit.search.theta import split_theta


@dataclass(frozen=True)
class Fit:
    """
    The fitted numbers of a linear mixed model (or of a linear model, where there is no random term).

    reml : whether the criterion is REML's
    theta : (n_theta,) relative covariance parameters, lme4's order and signs
    beta : (p,) fixed effects
    sigma : residual standard deviation
    criterion : REML criterion, or deviance (-2 log likelihood) for ML, at theta
    relative_covariance : per random term, (k, k) covariance of its coefficients divided by sigma^2
    modes : per random term, (J, k) conditional modes b
    vcov : (p, p) covariance of beta, sigma^2 (X' V^-1 X)^-1
    log_det_RX, log_det_L : log|R_X| and log|L|, as lme4's ldRX2 / 2 and ldL2 / 2
    pwrss : penalized weighted residual sum of squares r^2(theta)
    verdict : "ok", "boundary" (singular, and rightly so) or "failed"
    message : what the verdict is about, and what to try; mostly empty for "ok"
    log : what the optimiser did
    settings : its tolerances
    """

    reml: bool
    theta: FloatArray
    beta: FloatArray
    sigma: float
    criterion: float
    relative_covariance: tuple[FloatArray, ...]
    modes: tuple[FloatArray, ...]
    vcov: FloatArray
    log_det_RX: float
    log_det_L: float
    pwrss: float
    verdict: Literal["ok", "boundary", "failed"]
    message: str
    log: OptimizerLog = field(default=OptimizerLog(), repr=False)
    settings: OptimizerSettings = field(default=OptimizerSettings(), repr=False)


ALONG = 1e-3
"""Step along a flat direction, and part of the standard errors that changes with a step of one if any does."""

PRECISION = 2 * float(np.finfo(np.float64).eps)
"""Distance of neighbouring floats around a number, as a part of it, at most."""

START_LIFT = 1e-4
"""Added to the inner covariances of a given start, since at zero the criterion is stationary, least or not."""


def fit_lmm(
    design: Design,
    *,
    reml: bool = True,
    start: FloatArray | None = None,
    settings: OptimizerSettings | None = None,
    most_work: float = math.inf,
) -> Fit:
    """
    Fit by REML or ML.

    start : theta to start from, lme4's order; None for MINQUE estimates
    most_work : counted as in `lmmformula.fit.search.work`, after which it gives up

    Raises
    ------
    FitError
        There are too few rows, or nothing is left to estimate.
    OutOfWork
        It takes more work than that.
    """
    settings = settings or OptimizerSettings()
    _refuse_small(design)
    if not design.random_terms:
        return _linear(design, reml=reml)
    with explained():
        return _precise(design, fit_problem(prepare(design, reml=reml, most_work=most_work), start, settings))


def _precise(design: Design, fit: Fit) -> Fit:
    """Change the verdict on a residual that is nothing but the rounding of the response, as far as rows tell it."""
    precision = PRECISION * float(np.abs(design.y).max()) if design.has_rows else 0.0
    if fit.sigma >= precision or (fit.verdict == "failed" and fit.log.converged):
        return fit
    message = f"the residual standard deviation, {fit.sigma:.2g}, is below the precision of the response, "
    message += f"{precision:.2g}: what is left is rounding. Subtract a constant from it, or make the model simpler."
    return replace(fit, verdict="failed", message=message)


def fit_problem(problem: Problem, start: FloatArray | None, settings: OptimizerSettings) -> Fit:
    """Minimise the criterion of a prepared design; LinAlgError where it can't be computed."""
    found = _descent(problem, problem.start() if start is None else _given(problem, start), settings)
    if start is None and math.isinf(problem.budget.left):
        others = more_starts(problem.terms, problem.by_factor, problem.parameters, lambda x: problem.evaluate(x).value)
        found = lowest(found, others, lambda x: _valued(_descent(problem, x, settings)), found.point.value)
    _refuse_exact_fit(problem, found.point.point)
    log = replace(found.log, strategy=str(problem.structure))
    inner = problem.covariances(found.parameters)
    parts = problem.parameters.split(found.parameters)
    straight = partial(_straight, problem, found)
    ridge = undetermined(problem.terms, inner, problem.by_factor, parts, found.hessian, straight)
    flat = None if ridge is None else ridge.judged(matters=_matters(problem, found.parameters, ridge.direction))
    turns, n = problem.products.coordinates.random, problem.products.n
    fit = _report(problem, found.point.point, inner, judge(problem.terms, inner, turns, n, log, settings, flat=flat))
    return replace(fit, log=log, settings=settings)


def _descent(problem: Problem, first: FloatArray, settings: OptimizerSettings) -> Minimum[Evaluation]:
    """Minimise the criterion from a start."""
    points = count()

    def evaluate(parameters: FloatArray) -> Evaluation:
        return problem.evaluate(parameters, exact=next(points) >= settings.exact_after)

    return _snapped(problem, minimise(evaluate, first, settings), settings)


def _valued(found: Minimum[Evaluation]) -> tuple[float, Minimum[Evaluation]]:
    return found.point.value, found


def _straight(problem: Problem, found: Minimum[Evaluation], direction: FloatArray) -> float:
    """Return the second derivative along the straight line of the covariances that starts in a direction."""
    directions = problem.parameters.directions(found.parameters)
    ends = np.cumsum([len(S) for S in directions])[:-1]
    moved = [np.tensordot(d, S, axes=1) for d, S in zip(np.split(direction, ends), directions, strict=True)]
    length = sum(float(np.square(S).sum()) for S in moved)
    bend = float(direction @ found.point.point.curvature(directions) @ direction)
    return bend / length if length > ALONG**2 else math.inf


def _matters(problem: Problem, x: FloatArray, direction: FloatArray) -> bool:
    """Tell whether the fixed effects' standard errors change along a direction of the covariance parameters."""
    # from zero they change with the square, elsewhere their slope tells them from what changes with the square alone
    at_zero = float(np.linalg.norm(x[np.abs(direction) > ALONG * np.abs(direction).max()])) < ALONG**2
    steps = (1.0 / ALONG**0.5, 0.0) if at_zero else (ALONG, -ALONG)
    ahead, behind = (
        np.linalg.norm(problem.evaluate(x + step * direction).point.profile.inverse_R, axis=1) for step in steps
    )
    return bool((np.abs(ahead - behind) > ALONG * (steps[0] - steps[1]) * behind).any())


def evaluate_at(design: Design, theta: FloatArray, *, reml: bool = True) -> Fit:
    """Return what a fit would report if the optimiser had come to rest at theta."""
    _refuse_small(design)
    if not design.random_terms:
        split_theta([], theta)
        return _linear(design, reml=reml)
    with explained():
        problem = prepare(design, reml=reml)
        inner = problem.from_theta(theta)
        turns = problem.products.coordinates.random
        judgement = judge(problem.terms, inner, turns, problem.products.n, OptimizerLog(), OptimizerSettings())
        return _report(problem, problem.at(inner), inner, judgement)


def conditional_covariances(design: Design, fit: Fit) -> tuple[FloatArray, ...]:
    """Return per random term the (J, k, k) covariances of b given y, theta and beta: sigma^2 Lambda M^-1 Lambda'."""
    if not design.random_terms:
        return ()
    with explained():
        problem = prepare(design, reml=fit.reml)
        point = problem.at(problem.inner(fit.relative_covariance))
        inner = problem.own_blocks(point.covariances())
    turns = problem.products.coordinates.random
    return tuple(
        fit.sigma**2 * blocks.contract("ab,bcj,dc->jad", U, block, U) for U, block in zip(turns, inner, strict=True)
    )


@contextmanager
def explained() -> Iterator[None]:
    """Turn a failed factorisation into an error that a user can act on."""
    try:
        yield
    except np.linalg.LinAlgError as error:
        raise FitError(
            f"the criterion can't be computed for these data ({error})",
            hint="does the model fit the response exactly, or are columns nearly dependent?",
        ) from error


def _refuse_small(design: Design) -> None:
    """Refuse a design with no degree of freedom left for the residual variance."""
    if design.nobs <= design.n_fixed:
        raise FitError(
            f"{design.nobs} rows can't estimate {design.n_fixed} fixed effects and a residual variance",
            hint="give more rows than columns of fixed effects",
        )


def _refuse_exact_fit(problem: Problem, point: Point) -> None:
    """Refuse a fit whose residuals are nothing but rounding: its likelihood has no maximum, or can't be computed."""
    if problem.fits_exactly(point.profile.pwrss):
        nearly = (
            "" if problem.exact else " (or all but a ten-millionth, which several grouping factors leave to rounding)"
        )
        raise FitError(
            f"the random effects fit the response exactly{nearly}, so no residual variance is left to estimate",
            hint="does the response vary within the levels of the grouping factors?",
        )


def _given(problem: Problem, theta: FloatArray) -> FloatArray:
    """Return parameters at a given theta."""
    return problem.nearest([S + START_LIFT * np.eye(len(S)) for S in problem.from_theta(theta)])


def _snapped(problem: Problem, found: Minimum[Evaluation], settings: OptimizerSettings) -> Minimum[Evaluation]:
    """Put standard deviations that are zero but for rounding to zero exactly, if the criterion agrees."""
    parameters = problem.parameters.snapped(found.parameters, settings.zero_deviation)
    if np.array_equal(parameters, found.parameters):
        return found
    there = problem.evaluate(parameters)
    if there.value > found.point.value + settings.stop_decrease + settings.rounding * abs(found.point.value):
        return found
    return replace(found, parameters=parameters, point=there)


def _report(problem: Problem, point: Point, inner: Sequence[FloatArray], judgement: Judgement) -> Fit:
    """Translate a point back to the user's coordinates."""
    coordinates, profile = problem.products.coordinates, point.profile
    scale = coordinates.y_scale
    sigma = scale * math.sqrt(profile.pwrss / profile.degrees)
    half = sigma * (coordinates.fixed @ profile.inverse_R)
    covariances = tuple(coordinates.sigma_user(t, S) for t, S in enumerate(inner))
    modes = zip(coordinates.random, problem.own_rows(point.modes()), strict=True)
    thetas = [term.covariance.theta_of(S) for term, S in zip(problem.terms, covariances, strict=True)]
    return Fit(
        reml=problem.reml,
        theta=np.concatenate(thetas),
        beta=coordinates.beta(profile.beta),
        sigma=sigma,
        criterion=coordinates.criterion(
            profile.value, degrees=profile.degrees, reml=problem.reml, sum_log_weights=problem.products.sum_log_weights
        ),
        relative_covariance=covariances,
        modes=tuple(np.ascontiguousarray(scale * (U @ b).T) for U, b in modes),
        vcov=half @ half.T,
        log_det_RX=float(np.log(np.abs(np.diag(profile.R))).sum()) - coordinates.log_det_fixed,
        log_det_L=profile.log_det_M / 2,
        pwrss=scale**2 * profile.pwrss,
        verdict=judgement.verdict,
        message=judgement.message,
    )


def _linear(design: Design, *, reml: bool) -> Fit:
    """Least squares as a `Fit`: no theta, no modes, log|L| = 0."""
    found = least_squares(design, reml=reml)
    return Fit(
        reml=reml,
        theta=np.zeros(0),
        beta=found.beta,
        sigma=found.sigma,
        criterion=found.criterion,
        relative_covariance=(),
        modes=(),
        vcov=found.vcov,
        log_det_RX=found.log_det_RX,
        log_det_L=0.0,
        pwrss=found.pwrss,
        verdict="ok",
        message="",
    )
