"""
Profile deviances: the least deviance that is left when one parameter is held at a value, and its slope there.

The slope costs nothing (what the other parameters contribute to it is zero at their optimum), so that bounds are found
by Newton's method on zeta; every minimisation starts where the nearest one before it ended.
"""

import math
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.design.design import Design
from lmmformula.fit.algebra import blocks
from lmmformula.fit.lmm import Fit
from lmmformula.fit.reml.problem import Problem
from lmmformula.fit.reml.profiled import objective_for
from lmmformula.fit.search.newton import minimise
from lmmformula.fit.search.settings import OptimizerSettings
from lmmformula.inference.intervals.parameters import Parameter
from lmmformula.inference.intervals.variance_space import Coordinate, JointPoint, VarianceSpace

SETTINGS = OptimizerSettings(stop_decrease=1e-6)
"""The last step that is taken beyond this leaves the deviance right to 1e-10; 1e-6 moves a bound by 1e-6 errors."""


class Curve(Protocol):
    """
    A profile deviance.

    estimate : where it is least
    limits : between which the parameter lies
    step : a guess at one standard error
    """

    @property
    def estimate(self) -> float: ...  # noqa: D102
    @property
    def limits(self) -> tuple[float, float]: ...  # noqa: D102
    @property
    def step(self) -> float: ...  # noqa: D102

    def above(self, value: float) -> tuple[float, float]:
        """Return by how much the deviance exceeds the least one, and its slope (NaN where it has none)."""

    def shown(self, value: float) -> float:
        """Return the parameter itself, which may be profiled on another scale."""


@dataclass(slots=True)
class Trail:
    """Where minimisations ended: the line through the two nearest of them starts the next."""

    ends: list[tuple[float, FloatArray]]

    def ahead(self, value: float) -> FloatArray:
        """Return where the others may be when the held parameter has a value."""
        nearest = sorted(self.ends, key=lambda end: abs(end[0] - value))[:2]
        (a, x), (b, y) = nearest[0], nearest[-1]
        if not (a != b and abs(value - a) <= abs(a - b)):  # too far out to trust the line
            return x
        return x + (y - x) * ((value - a) / (b - a))


@dataclass(slots=True)
class FixedCurve:
    """
    The deviance with one fixed effect held at b: that of y - b x_j on the other columns.

    In inner coordinates b fixes a'beta; the rest is beta_0 + N gamma with N a basis of the null space of a.
    """

    problem: Problem
    position: int
    estimate: float
    step: float
    least: float
    trail: Trail
    limits: tuple[float, float] = (-math.inf, math.inf)

    @classmethod
    def of(cls, problem: Problem, fit: Fit, position: int) -> "FixedCurve":
        """Make the curve of the fixed effect in a column of X, from the fit by maximum likelihood."""
        start = problem.nearest(problem.inner(fit.relative_covariance))
        least = problem.evaluate(start).value
        estimate, step = float(fit.beta[position]), math.sqrt(float(fit.vcov[position, position]))
        return cls(problem, position, estimate, step, least, Trail([(estimate, start)]))

    def above(self, value: float) -> tuple[float, float]:
        """Return the deviance above the least one, and its slope."""
        held = held_at(self.problem, self.position, value)
        found = minimise(held.evaluate, self.trail.ahead(value), SETTINGS)
        self.trail.ends.append((value, found.parameters))
        profile = self.problem.evaluate(found.parameters).point.profile
        coordinates = self.problem.products.coordinates
        half = coordinates.fixed[self.position] @ profile.inverse_R
        distance = value - float(coordinates.beta(profile.beta)[self.position])
        left = coordinates.y_scale**2 * found.point.point.profile.pwrss
        slope = 2 * profile.degrees * distance / (float(half @ half) * left)
        return found.point.value - self.least, slope

    def shown(self, value: float) -> float:
        """Return the coefficient."""
        return value


def held_at(problem: Problem, position: int, value: float) -> Problem:
    """Return the problem with the fixed effect of one column of X held at a value."""
    products = problem.products
    coordinates, p = products.coordinates, products.p
    a = coordinates.fixed[position]
    held = (value - coordinates.pilot[position]) / coordinates.y_scale
    T = np.zeros((p + 1, p))
    T[:p, : p - 1] = np.linalg.qr(a[:, None], mode="complete")[0][:, 1:]
    T[:p, p - 1] = -a * held / float(a @ a)
    T[p, p - 1] = 1.0
    factors = tuple(replace(f, B=np.tensordot(T, f.B, axes=(0, 1)).transpose(1, 0, 2).copy()) for f in products.factors)
    fewer = replace(products, p=p - 1, A=T.T @ products.A @ T, factors=factors)
    return replace(problem, products=fewer, objective=objective_for(fewer, problem.structure, reml=False))


@dataclass(slots=True)
class _Held:
    """A point whose coordinate number `held` is not free."""

    point: JointPoint
    held: int

    @property
    def value(self) -> float:
        return self.point.value

    @property
    def exact(self) -> bool:
        return self.point.space.problem.structure.exact

    def derivatives(self) -> tuple[FloatArray, FloatArray]:
        gradient, hessian = self.point.derivatives()
        return np.delete(gradient, self.held), np.delete(np.delete(hessian, self.held, 0), self.held, 1)


@dataclass(slots=True)
class VarianceCurve:
    """The deviance with a standard deviation, a correlation or log sigma held."""

    space: VarianceSpace
    coordinate: Coordinate
    step: float
    least: float
    trail: Trail

    @property
    def estimate(self) -> float:
        """Where it is least."""
        return self.coordinate.estimate

    @property
    def limits(self) -> tuple[float, float]:
        """Between which the parameter lies."""
        return self.coordinate.limits

    def above(self, value: float) -> tuple[float, float]:
        """Return the deviance above the least one, and its slope."""
        place, held = self.coordinate.place, self.coordinate.inward(value)

        def evaluate(free: FloatArray) -> _Held:
            return _Held(self.space.at(np.insert(free, place, held)), place)

        found = minimise(evaluate, np.delete(self.trail.ahead(value), place), SETTINGS)
        end = found.point.point
        self.trail.ends.append((value, end.x))
        return end.value - self.least, float(end.gradient()[place]) * self.coordinate.slope(value)

    def shown(self, value: float) -> float:
        """Return the parameter itself: sigma is profiled by its logarithm."""
        return value if self.coordinate.place else math.exp(value)


def variance_curve(problem: Problem, design: Design, fit: Fit, parameter: Parameter) -> VarianceCurve:
    """Make the curve of a standard deviation, a correlation, or of the logarithm of sigma."""
    t = parameter.term
    space = VarianceSpace.of(problem, design, (t, parameter.column, parameter.row) if parameter.part == "cor" else None)
    x = space.start(fit.relative_covariance, fit.sigma)
    point = space.at(x)
    if parameter.part == "sigma":
        unit, ends = math.log(space.y_scale), (-math.inf, math.inf)
        at = Coordinate(0, lambda v: v - unit, lambda _: 1.0, math.log(fit.sigma), ends)
    else:
        covariance = fit.sigma**2 * fit.relative_covariance[t]
        at = Coordinate.of(parameter, design.random_terms[t], covariance, space.starts[t], space.units[t])
    error, tangent = tangent_of(point.derivatives()[1], np.eye(len(x))[at.place])
    step, trail = first_steps(at, x, error, tangent)
    return VarianceCurve(space, at, step, point.value, trail)


def first_steps(at: Coordinate, x: FloatArray, error: float, tangent: FloatArray) -> tuple[float, Trail]:
    """Return about one standard error of a parameter, and where the others may be some of them away."""
    step = error / abs(at.slope(at.estimate))
    if not math.isfinite(step):  # a correlation at a limit, where the angle says nothing
        return (at.limits[1] - at.limits[0]) / 8, Trail([(at.estimate, x)])
    ends = [(at.estimate + side * 3 * step, x + side * 3 * tangent) for side in (-1, 1)]
    return step, Trail([(at.estimate, x), *ends])


def tangent_of(hessian: FloatArray, along: FloatArray) -> tuple[float, FloatArray]:
    """
    Return the standard error of a linear function by the curvature, and how all coordinates move with it by one error.

    along : (n,) the function's weights
    """
    try:
        column = 2 * blocks.solve(hessian, along)
    except np.linalg.LinAlgError:
        column = np.zeros(len(hessian))
    variance = float(along @ column)
    if not 0.0 < variance < 1e6:
        return 0.5, 0.5 * along / float(along @ along)
    error = math.sqrt(variance)
    return error, column / error


@dataclass(frozen=True, slots=True)
class LinearCurve:
    """
    A model without random terms: n log(1 + d^2 / (v r^2)) for a fixed effect, n log s + r^2 / s for log sigma.

    v : (X'X)^-1 of the fixed effect; 0 for log sigma
    """

    n: int
    rss: float
    estimate: float
    step: float
    v: float = 0.0
    limits: tuple[float, float] = field(default=(-math.inf, math.inf))

    def above(self, value: float) -> tuple[float, float]:
        """Return the deviance above the least one, and its slope."""
        d = value - self.estimate
        if self.v:
            ratio = d * d / (self.v * self.rss)
            return self.n * math.log1p(ratio), 2 * self.n * d / (self.v * self.rss * (1 + ratio))
        return self.n * (2 * d + math.expm1(-2 * d)), 2 * self.n * -math.expm1(-2 * d)

    def shown(self, value: float) -> float:
        """Return the coefficient, or sigma."""
        return value if self.v else math.exp(value)


def linear_curve(fit: Fit, n: int, parameter: Parameter) -> LinearCurve:
    """Make the curve of a model without random terms, from its fit by maximum likelihood."""
    if parameter.part == "sigma":
        return LinearCurve(n, fit.pwrss, math.log(fit.sigma), 1 / math.sqrt(2 * n))
    variance = float(fit.vcov[parameter.row, parameter.row])
    estimate = float(fit.beta[parameter.row])
    return LinearCurve(n, fit.pwrss, estimate, math.sqrt(variance), variance / fit.sigma**2)


def curve_of(problem: Problem | None, design: Design, fit: Fit, parameter: Parameter) -> Curve:
    """
    Make the profile deviance of a parameter.

    problem : the model's, by maximum likelihood; None where there is no random term
    fit : its fit by maximum likelihood
    """
    if problem is None:
        return linear_curve(fit, design.nobs, parameter)
    if parameter.part == "fixed":
        return FixedCurve.of(problem, fit, parameter.row)
    return variance_curve(problem, design, fit, parameter)
