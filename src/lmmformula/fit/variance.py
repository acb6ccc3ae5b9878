"""
How well the variance parameters are known: second derivatives of the likelihood at the estimates.

The parameters are lme4's theta for unstructured and diagonal terms, standard deviations (relative to sigma) and a
correlation for the others, and sigma last. With sigma no longer profiled out,

    d2/da db = profiled + g_a g_b / m,    d2/da dsigma = 2 g_a / sigma,    d2/dsigma2 = 4 m / sigma^2,

g_a = (m/r^2) y'P V_a P y. Their covariance is twice the inverse; the covariance of beta moves with them by
sigma^2 F X'V^-1 V_a V^-1X F, F = (X'V^-1X)^-1. That is all that Satterthwaite's degrees of freedom need.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lmmformula.arrays import FloatArray, IntArray
from lmmformula.design.design import Design
from lmmformula.fit.lmm import Fit
from lmmformula.fit.reml.objective import Point
from lmmformula.fit.reml.problem import Problem, prepare
from lmmformula.fit.search.covariances import Parameters
from lmmformula.fit.search.theta import split_theta
from lmmformula.waiting import waiting

DIFFERENCE_STEP = 3e-5
"""Step of the central difference of the gradient, in standard deviations relative to sigma: exact to eight digits."""

SMALLEST_CURVATURE = 1e-8
"""Curvatures below this part of the largest count as none: the parameter is not determined in that direction."""


@dataclass(frozen=True, slots=True)
class VarianceParameters:
    """
    The variance parameters of a fit, term by term, sigma last.

    values : (v,) estimates
    gradient : (v,) first derivatives of -2 log (restricted) likelihood; zero at an optimum inside the boundaries
    hessian : (v, v) its second derivatives
    vcov : (v, v) covariance of the estimates, 2 hessian^-1 where the hessian is positive
    vcov_beta_slopes : (v, p, p) derivatives of the covariance matrix of beta
    """

    values: FloatArray
    gradient: FloatArray
    hessian: FloatArray
    vcov: FloatArray
    vcov_beta_slopes: FloatArray

    @property
    def std_errors(self) -> FloatArray:
        """(v,) standard errors."""
        return np.sqrt(np.maximum(np.diag(self.vcov), 0.0))


def variance_parameters(design: Design, fit: Fit) -> VarianceParameters:
    """Differentiate the likelihood of a fit twice."""
    problem = prepare(design, reml=fit.reml)
    parameters, values, order = _natural(problem, fit)
    point = problem.objective.at(parameters.roots(values))
    directions = parameters.directions(values)
    profile = point.profile
    gradient, hessian = _derivatives(problem, parameters, values, point, directions)
    weighted = point.weighted(directions)
    p, m, sigma = len(profile.beta), profile.degrees, fit.sigma
    g = weighted[:, p, p]
    hessian = hessian + np.outer(g, g) / m
    whole = np.block([[hessian, 2 * g[:, None] / sigma], [2 * g[None] / sigma, np.array([[4 * m / sigma**2]])]])
    half = sigma * (problem.products.coordinates.fixed @ profile.inverse_R)
    slopes = np.concatenate([half @ weighted[:, :p, :p] @ half.T, 2 * fit.vcov[None] / sigma])
    places = np.append(order, len(order))
    whole = whole[np.ix_(places, places)]
    return VarianceParameters(
        values=np.append(values, sigma)[places],
        gradient=np.append(gradient, 0.0)[places],
        hessian=whole,
        vcov=_twice_inverse(whole),
        vcov_beta_slopes=slopes[places],
    )


def _natural(problem: Problem, fit: Fit) -> tuple[Parameters, FloatArray, IntArray]:
    """Return the parameters that people read, their values, and the order that sorts them by terms."""
    turns = problem.products.coordinates.random
    shapes = [(term.covariance, term.n_coefficients) for term in problem.terms]
    thetas = split_theta(shapes, fit.theta)
    maps = [covariance.natural_map(k, turns[t]) for t, (covariance, k) in enumerate(shapes)]
    values = [
        covariance.natural_values(theta, S)
        for (covariance, _), theta, S in zip(shapes, thetas, fit.relative_covariance, strict=True)
    ]
    by_factor = [t for factor in problem.products.factors for t in factor.terms]
    term_of = np.concatenate([np.full(maps[t].size, t) for t in by_factor])
    parameters = Parameters(tuple(tuple(maps[t] for t in factor.terms) for factor in problem.products.factors))
    return parameters, np.concatenate([values[t] for t in by_factor]), np.argsort(term_of, kind="stable")


def _derivatives(
    problem: Problem, parameters: Parameters, values: FloatArray, point: Point, directions: Sequence[FloatArray]
) -> tuple[FloatArray, FloatArray]:
    """Return gradient and exact Hessian of the profiled criterion, by differences of the gradient if need be."""
    if problem.structure.exact:
        return parameters.derivatives(values, directions, point.gradients(), point.curvature(directions))

    def slope(at: FloatArray) -> FloatArray:
        return parameters.gradient(parameters.directions(at), problem.objective.at(parameters.roots(at)).gradients())

    rows: list[FloatArray] = []
    with waiting("second derivatives of the likelihood", len(values)) as count:
        for step in DIFFERENCE_STEP * np.eye(len(values)):
            rows.append((slope(values + step) - slope(values - step)) / (2 * DIFFERENCE_STEP))
            count(len(rows))
    hessian = np.array(rows)
    return parameters.gradient(directions, point.gradients()), (hessian + hessian.T) / 2


def _twice_inverse(hessian: FloatArray) -> FloatArray:
    """Return 2 H^-1, leaving out directions without positive curvature."""
    scale = np.sqrt(np.maximum(np.abs(np.diag(hessian)), 1e-300))
    values, vectors = np.linalg.eigh(hessian / np.outer(scale, scale))
    keep = values > SMALLEST_CURVATURE * values[-1]
    out: FloatArray = 2 * (vectors[:, keep] / values[keep]) @ vectors[:, keep].T / np.outer(scale, scale)
    return out


@dataclass(frozen=True, slots=True)
class LogDeviations:
    """
    Logarithms of the standard deviations of all random coefficients, term by term, and of sigma.

    values : (d,) -inf for a standard deviation of zero
    vcov : (d, d) their covariance, NaN beside one of zero
    """

    values: FloatArray
    vcov: FloatArray


def log_deviations(design: Design, fit: Fit, found: VarianceParameters) -> LogDeviations:
    """Carry the covariance of the variance parameters over to log standard deviations, where it is nearly constant."""
    rows, variances, at = [], [], 0
    for term, S in zip(design.random_terms, fit.relative_covariance, strict=True):
        k = term.n_coefficients
        own = term.covariance.natural_map(k, np.eye(k))
        slopes = own.directions(found.values[at : at + own.size])
        block = np.zeros((k, len(found.values)))
        block[:, at : at + own.size] = np.einsum("aii->ia", slopes)
        rows.append(block)
        variances.append(np.diag(S))
        at += own.size
    variance = np.concatenate([*variances, [1.0]])
    J = np.concatenate([*rows, np.zeros((1, len(found.values)))])
    with np.errstate(divide="ignore", invalid="ignore"):
        J = J / (2 * variance[:, None])
        J[:, -1] = np.where(variance > 0, 1 / fit.sigma, np.nan)
        values = np.log(variance) / 2 + np.log(fit.sigma)
    return LogDeviations(values, J @ found.vcov @ J.T)
