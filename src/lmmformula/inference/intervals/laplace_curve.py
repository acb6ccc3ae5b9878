"""
Profile deviances of models of other families, whose likelihood is approximated by Laplace's method or by quadrature.

One parameter is a coordinate, x = v d + F z, and all others are in z: fixed effects by a basis F of what leaves the
coefficient alone, standard deviations and correlations by the maps that have them as parameters, those of the family on
the scale of their links. The gradient is the likelihood's own; second derivatives begin as differences of it at the
estimate, and follow by updates from there.

Venzon & Moolgavkar (1988), Appl. Statist. 37, 87-94.
"""

import math
from dataclasses import dataclass, replace
from functools import cached_property, partial
from math import inf

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.design.design import Design
from lmmformula.families.calculus.jets import value_of
from lmmformula.families.calculus.links import LINKS, Link
from lmmformula.fit.algebra.effects import Effects
from lmmformula.fit.glmm import LEAST_DEVIATION, GlmmFit, Prepared
from lmmformula.fit.likelihood.laplace import Laplace
from lmmformula.fit.likelihood.quadrature import Approximation, approximation
from lmmformula.fit.likelihood.quasi_newton import LEAST_PIVOT, Memory, noticing
from lmmformula.fit.likelihood.response import scores
from lmmformula.fit.likelihood.sides import on_better_sides
from lmmformula.fit.likelihood.target import Target
from lmmformula.fit.search.newton import minimise
from lmmformula.fit.search.settings import OptimizerSettings
from lmmformula.fit.search.work import Budget
from lmmformula.inference.intervals.curves import SETTINGS, Trail, first_steps, tangent_of
from lmmformula.inference.intervals.parameters import Parameter
from lmmformula.inference.intervals.variance_space import Absolute, Coordinate
from lmmformula.results.predict.prediction import population_means
from lmmformula.results.predict.rows import random_part

FARTHEST = 50.0
"""Standard errors from the estimate, beyond which there is no bound; more, where the estimate itself is."""

MOST_ROUNDS = 4
"""Times that second derivatives are computed anew, where the method did not come to rest."""


@dataclass(frozen=True)
class LaplaceProblem:
    """
    A model made ready to be profiled.

    design, fit : the model on its data, and its estimates
    """

    design: Design
    fit: GlmmFit

    @cached_property
    def prepared(self) -> Prepared:
        """Its columns and its likelihood."""
        return Prepared.of(self.design, self.fit.family, self.fit.curvature, Budget(inf))

    @cached_property
    def approximate(self) -> Approximation:
        """What approximates the likelihood."""
        return approximation(self.prepared.target, self.fit.nagq)

    @cached_property
    def estimated(self) -> tuple[Laplace, FloatArray]:
        """The estimate, and second derivatives there, in the parameters of the fit itself."""
        return self.evaluated(self.prepared)

    def evaluated(self, prepared: Prepared) -> tuple[Laplace, FloatArray]:
        """Evaluate the likelihood at the estimate, with second derivatives; at the modes a is the sum of the scores."""
        design, fit, target = self.design, self.fit, prepared.target
        eta = population_means(design, fit.beta) + random_part(design.random_terms, fit.modes)
        a = target.rows.transposed({0: scores(design, fit.family, eta, fit.parameters)})
        point = self.approximate(target, prepared.located(fit), a)
        return point, point.rough_hessian()

    @cached_property
    def deviations(self) -> "tuple[Absolute, Laplace, FloatArray]":
        """Standard deviations as parameters, and the estimate in them."""
        return self.absolute()

    def absolute(self, first: tuple[int, int, int] | None = None) -> tuple[Absolute, Laplace, FloatArray]:
        """
        Choose standard deviations and correlations as parameters, and evaluate the likelihood at the estimate.

        first : (term, i, j) of the correlation that is to be one itself
        """
        columns, target = self.prepared.columns, self.prepared.target
        found = Absolute.of(self.design, columns.random, [f.terms for f in columns.factors], first)
        moved = replace(self.prepared, target=replace(target, parameters=found.parameters))
        return (found, *self.evaluated(moved))

    def curve(self, parameter: Parameter) -> "LaplaceCurve":
        """Make the curve of a parameter."""
        match parameter.part:
            case "fixed":
                return self._of_fixed(parameter.row)
            case "family":
                return self._of_family(parameter)
            case _:
                return self._of_variance(parameter)

    def _of_fixed(self, j: int) -> "LaplaceCurve":
        point, hessian = self.estimated
        start, p = self.prepared.target.parameters.size, self.design.n_fixed
        weights = np.zeros(len(point.x))
        weights[start : start + p] = self.prepared.columns.fixed[j]
        estimate = float(self.fit.beta[j])
        flat = bool(self.fit.flat[j].any())
        unit = 1 / float(np.abs(self.design.X[:, j]).max()) if flat else math.sqrt(float(self.fit.vcov[j, j]))
        reach = max(FARTHEST * unit, 3 * abs(estimate))
        at = Coordinate(start, lambda v: v, lambda _: 1.0, estimate, (estimate - reach, estimate + reach))
        curve = LaplaceCurve.of(self, at, weights, point, hessian, (-inf, inf))
        return replace(curve, step=unit, trail=Trail([(estimate, point.x)])) if flat else curve

    def _of_family(self, parameter: Parameter) -> "LaplaceCurve":
        point, hessian = self.estimated
        target = self.prepared.target
        link = LINKS[target.family.parameters[parameter.row].link]
        offset = float(np.max(target.predictors[1 + parameter.row].offset))
        limit = target.family.farthest(target.observed)
        place = len(point.x) - len(target.family.parameters) + parameter.row
        at = Coordinate(place, lambda v: v, lambda _: 1.0, float(point.x[place]), (-limit, limit))
        ends = (0.0, 1.0 if link.name == "logit" else inf)
        return LaplaceCurve.of(self, at, np.eye(len(point.x))[place], point, hessian, ends, (link, offset))

    def _of_variance(self, parameter: Parameter) -> "LaplaceCurve":
        t = parameter.term
        if parameter.part == "sd":
            found, point, hessian = self.deviations
        else:
            found, point, hessian = self.absolute((t, parameter.column, parameter.row))
        term, covariance = self.design.random_terms[t], self.fit.relative_covariance[t]
        at = Coordinate.of(parameter, term, covariance, found.starts[t], found.units[t])
        ends = at.limits
        curve = LaplaceCurve.of(self, at, np.eye(len(point.x))[at.place], point, hessian, ends)
        if parameter.part == "cor":
            return curve
        reach = at.estimate + FARTHEST * max(curve.step, at.estimate)
        return replace(curve, at=replace(at, limits=(0.0, reach)))


@dataclass(slots=True)
class LaplaceCurve:
    """
    The deviance with one parameter held.

    at : the parameter as a coordinate; it is sought between its limits
    along : (m,) what the coordinate is of x, a linear function
    free : (m, m - 1) orthonormal directions of all others
    ends : what stands for the limits
    scale : link of a parameter of the family, and what is added to its coordinate
    memory : of the likelihood's gradient, where the last minimisation ended
    modes : of the random effects, by the parameter's value
    """

    approximate: Approximation
    point: Laplace
    at: Coordinate
    along: FloatArray
    free: FloatArray
    step: float
    trail: Trail
    ends: tuple[float, float]
    scale: tuple[Link, float] | None
    memory: Memory
    modes: list[tuple[float, Effects]]
    settings: OptimizerSettings

    @classmethod
    def of(
        cls,
        problem: LaplaceProblem,
        at: Coordinate,
        along: FloatArray,
        point: Laplace,
        hessian: FloatArray,
        ends: tuple[float, float],
        scale: tuple[Link, float] | None = None,
    ) -> "LaplaceCurve":
        """Make it of the estimate, and the second derivatives there."""
        free = np.linalg.qr(along[:, None], mode="complete")[0][:, 1:]
        step, trail = first_steps(at, point.x, *tangent_of(hessian, along))
        memory = Memory(free.T @ point.x, free.T @ point.gradient, free.T @ hessian @ free, point.mode.a)
        modes, settings = [(at.estimate, point.mode.a)], noticing(point, SETTINGS)
        return cls(problem.approximate, point, at, along, free, step, trail, ends, scale, memory, modes, settings)

    @property
    def estimate(self) -> float:
        """Where it is least."""
        return self.at.estimate

    @property
    def limits(self) -> tuple[float, float]:
        """Between which the parameter is sought."""
        return self.at.limits

    def above(self, value: float) -> tuple[float, float]:
        """Return the deviance above the least one, and its slope; LinAlgError where it can't be computed."""
        held = self.along * (self.at.inward(value) / float(self.along @ self.along))
        memory = self.memory

        def evaluate(z: FloatArray) -> _Held:
            there = self.approximate(self.point.target, held + self.free @ z, memory.a)
            if there.M.pivot < LEAST_PIVOT:
                raise np.linalg.LinAlgError("Laplace's approximation breaks down")
            return _Held(there, self.free, memory)

        z = self.free.T @ _lifted(self.point.target, self.trail.ahead(value))
        memory.a = min(self.modes, key=lambda end: abs(end[0] - value))[1]
        with np.errstate(all="ignore"):  # densities that overflow are refused as points, not reported
            for _ in range(MOST_ROUNDS):
                found = minimise(evaluate, z, self.settings)
                there, z = found.point.point, found.parameters
                end = on_better_sides(there, partial(self.approximate, there.target, there.x))
                if end is there and found.log.converged:
                    break
                memory.hessian, memory.a = self.free.T @ end.hessian @ self.free, end.mode.a
                memory.x, memory.gradient = z, self.free.T @ end.gradient
            else:
                raise np.linalg.LinAlgError("the others were not found")
            self.trail.ends.append((value, end.x))
            self.modes.append((value, end.mode.a))
            slope = float(self.along @ end.gradient) / float(self.along @ self.along)
        return end.value - self.point.value, slope * self.at.slope(value)

    def shown(self, value: float) -> float:
        """Return the parameter itself; at a limit, what that stands for."""
        if value in self.limits:
            return self.ends[self.limits.index(value)]
        if self.scale is None:
            return value
        link, offset = self.scale
        return float(value_of(link.inverse(np.array(value + offset))))


def _lifted(target: Target, x: FloatArray) -> FloatArray:
    """Move covariances off zero, where the likelihood is stationary, largest or not."""
    t = target.split(x)[0]
    parts = zip(target.parameters.maps, target.parameters.split(t), strict=True)
    roots = [[m.root(own) for m, own in zip(maps, all_own, strict=True)] for maps, all_own in parts]
    least = LEAST_DEVIATION**2
    if all(np.linalg.eigvalsh(T @ T.T)[0] > least for own in roots for T in own):
        return x
    moved = target.parameters.nearest([[T @ T.T + least * np.eye(len(T)) for T in own] for own in roots])
    return np.concatenate([moved, x[len(t) :]])


@dataclass(slots=True)
class _Held:
    """A point with one parameter held."""

    point: Laplace
    free: FloatArray
    memory: Memory

    @property
    def value(self) -> float:
        return self.point.value

    def derivatives(self) -> tuple[FloatArray, FloatArray]:
        return self.memory.update(self.free.T @ self.point.x, self.free.T @ self.point.gradient, self.point.mode.a)
