"""
The deviance as a function of standard deviations, correlations and sigma themselves, with exact derivatives.

The fit's own parameters are relative to sigma and have no sigma among them. Here x = (log sigma, per term: standard
deviations and what makes up the correlations), so that each quantity with an interval is one coordinate:

    D(x) = log|M(R)| + m log(2 pi s) + r^2(R) / s + [REML] 2 log|R_X(R)|,    s = sigma^2,  R = Sigma / s

Nothing is bounded: a standard deviation may change its sign and an angle may pass pi, which leaves Sigma what it was.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.covariances.maps import CovarianceMap
from lmmformula.design.design import Design, RandomTermDesign
from lmmformula.fit.algebra import blocks
from lmmformula.fit.reml.objective import Point
from lmmformula.fit.reml.problem import Problem
from lmmformula.fit.search.covariances import Parameters
from lmmformula.inference.intervals.parameters import Parameter

KNOWN = 2**60
"""Degrees of freedom of a residual variance that is given: the limit in which a profiled one becomes a known one."""


@dataclass(frozen=True, slots=True)
class Turned:
    """
    A map seen from other coordinates: Sigma there is W Sigma W'.

    W : (k, k)
    """

    map: CovarianceMap
    W: FloatArray

    @property
    def size(self) -> int:
        """Number of parameters."""
        return self.map.size

    @property
    def spanning(self) -> FloatArray:
        """Not used: nothing starts here."""
        return self.map.spanning

    def root(self, parameters: FloatArray) -> FloatArray:
        """Return W F."""
        return self.W @ self.map.root(parameters)

    def directions(self, parameters: FloatArray) -> FloatArray:
        """Return W dSigma W'."""
        out: FloatArray = self.W @ self.map.directions(parameters) @ self.W.T
        return out

    def curvature(self, parameters: FloatArray, G: FloatArray) -> FloatArray:
        """Return tr(G W d2Sigma W')."""
        return self.map.curvature(parameters, self.W.T @ G @ self.W)

    def nearest(self, covariance: FloatArray) -> FloatArray:
        """Return the parameters of a covariance in the other coordinates."""
        half = np.linalg.solve(self.W, covariance)
        return self.map.nearest(np.linalg.solve(self.W, half.T))

    def rescaled(self, parameters: FloatArray, factor: float) -> FloatArray:
        """Return what the map does."""
        return self.map.rescaled(parameters, factor)

    def snapped(self, parameters: FloatArray, zero: float) -> FloatArray:
        """Return what the map does."""
        return self.map.snapped(parameters, zero)


@dataclass(frozen=True, slots=True)
class Absolute:
    """
    Standard deviations and what makes up the correlations, as the parameters of all terms, in inner coordinates.

    parameters : the maps of the terms
    units : per term, (k,) the user's standard deviation that belongs to a coordinate of 1
    starts : per term, the place of its first parameter
    """

    parameters: Parameters
    units: tuple[FloatArray, ...]
    starts: tuple[int, ...]

    @classmethod
    def of(
        cls,
        design: Design,
        turns: Sequence[FloatArray],
        factors: Sequence[Sequence[int]],
        first: tuple[int, int, int] | None = None,
    ) -> "Absolute":
        """
        Choose coordinates.

        turns : per term, (k, k) from inner coordinates to the user's
        factors : per grouping factor, the positions of its terms
        first : (term, i, j) of the correlation that is to be a coordinate itself; by default the first two of a term
        """
        units, maps = [], []
        for t, (term, U) in enumerate(zip(design.random_terms, turns, strict=True)):
            size = term.covariance.scales(np.linalg.norm(U, axis=1))
            front = first[1:] if first is not None and first[0] == t else ()
            order = (*front, *(i for i in range(len(size)) if i not in front))
            maps.append(Turned(term.covariance.absolute_map(order, held=bool(front)), blocks.solve(U, np.diag(size))))
            units.append(size)
        starts, at = [0] * len(maps), 0
        for t in [t for terms in factors for t in terms]:
            starts[t] = at
            at += maps[t].size
        parameters = Parameters(tuple(tuple(maps[t] for t in terms) for terms in factors))
        return cls(parameters, tuple(units), tuple(starts))


@dataclass(frozen=True, slots=True)
class Coordinate:
    """
    A standard deviation, a correlation or another parameter as one coordinate.

    place : which one
    inward, slope : parameter -> coordinate, and the derivative of that
    estimate, limits : of the parameter
    """

    place: int
    inward: Callable[[float], float]
    slope: Callable[[float], float]
    estimate: float
    limits: tuple[float, float]

    @classmethod
    def of(
        cls, parameter: Parameter, term: RandomTermDesign, covariance: FloatArray, start: int, units: FloatArray
    ) -> "Coordinate":
        """
        Return that of a standard deviation or a correlation.

        covariance : (k, k) estimate
        start, units : see `Absolute`
        """
        i, j = parameter.row, parameter.column
        if parameter.part == "sd":
            unit = float(units[i])
            estimate = math.sqrt(max(float(covariance[i, i]), 0.0))
            return cls(start + i, lambda v: v / unit, lambda _: 1.0 / unit, estimate, (0.0, math.inf))
        angle = term.covariance.angle(term.n_coefficients, i, j)
        limits = (angle.low, angle.high)
        size = math.sqrt(float(covariance[i, i] * covariance[j, j]))
        estimate = float(np.clip(covariance[i, j] / size, *limits)) if size > 0 else math.nan
        return cls(start + angle.place, angle.of, angle.slope, estimate, limits)


@dataclass(frozen=True, slots=True)
class VarianceSpace:
    """
    The criterion of a problem in coordinates x = (log sigma, standard deviations, correlations), inner units.

    problem : the model's cross-products and strategy, REML or ML
    parameters : the maps of its terms, in inner coordinates
    units : per term, (k,) the user's standard deviation that belongs to a coordinate of 1
    starts : per term, the place of its first parameter in x
    """

    problem: Problem
    parameters: Parameters
    units: tuple[FloatArray, ...]
    starts: tuple[int, ...]

    @classmethod
    def of(cls, problem: Problem, design: Design, first: tuple[int, int, int] | None = None) -> "VarianceSpace":
        """
        Choose coordinates.

        first : (term, i, j) of the correlation that is to be a coordinate itself; by default the first two of a term
        """
        coordinates = problem.products.coordinates
        factors = [factor.terms for factor in problem.products.factors]
        found = Absolute.of(design, coordinates.random, factors, first)
        units = tuple(coordinates.y_scale * unit for unit in found.units)
        return cls(problem, found.parameters, units, tuple(1 + start for start in found.starts))

    def start(self, relative: Sequence[FloatArray], sigma: float) -> FloatArray:
        """Return x of relative covariances (user's coordinates, per term) and sigma."""
        s = (sigma / self.y_scale) ** 2
        inner = [s * S for S in self.problem.inner(relative)]
        parameters = self.parameters.nearest([[inner[t] for t in f.terms] for f in self.problem.products.factors])
        return np.concatenate([[math.log(s) / 2], parameters])

    @property
    def y_scale(self) -> float:
        """Unit of sigma."""
        return self.problem.products.coordinates.y_scale

    def at(self, x: FloatArray) -> "JointPoint":
        """Evaluate the criterion; LinAlgError where it can't be."""
        roots = [T / math.exp(x[0]) for T in self.parameters.roots(x[1:])]
        return JointPoint(self, x, roots, self.problem.objective.at(roots))


@dataclass(slots=True)
class JointPoint:
    """The criterion at x; roots T of the relative covariances per factor."""

    space: VarianceSpace
    x: FloatArray
    roots: list[FloatArray]
    point: Point

    @property
    def s(self) -> float:
        """sigma^2 in inner units."""
        return math.exp(2 * self.x[0])

    @property
    def value(self) -> float:
        """The criterion, in inner coordinates."""
        p = self.point.profile
        value = p.log_det_M + p.degrees * math.log(2 * math.pi * self.s) + p.pwrss / self.s
        return value + (2 * float(np.log(np.diag(p.R)).sum()) if p.reml else 0.0)

    def gradient(self) -> FloatArray:
        """Return the gradient alone."""
        s, profile, parameters = self.s, self.point.profile, self.space.parameters
        G = self._with_variance().gradients()
        slopes = [np.tensordot(D, g / s, axes=2) for D, g in zip(parameters.directions(self.x[1:]), G, strict=True)]
        traces = sum(float(np.sum(g * (T @ T.T))) for g, T in zip(G, self.roots, strict=True))
        return np.concatenate([[2 * profile.degrees - 2 * profile.pwrss / s - 2 * traces], *slopes])

    def derivatives(self) -> tuple[FloatArray, FloatArray]:
        """Return gradient and Hessian (average information where the strategy has no other)."""
        s, parameters = self.s, self.space.parameters
        p, profile, point = len(self.point.profile.beta), self.point.profile, self._with_variance()
        G, directions = point.gradients(), [D / s for D in parameters.directions(self.x[1:])]
        R = [T @ T.T for T in self.roots]
        all_directions = [np.concatenate([D, -2 * r[None]]) for D, r in zip(directions, R, strict=True)]
        J = self._collector([len(D) for D in directions])
        data = J @ point.weighted(all_directions)[:, p, p]
        hessian = J @ point.curvature(all_directions) @ J.T
        gradient = np.empty(len(self.x))
        gradient[1:], hessian[1:, 1:] = parameters.derivatives(
            self.x[1:], [s * D for D in directions], [g / s for g in G], hessian[1:, 1:]
        )
        traces = sum(float(np.sum(g * r)) for g, r in zip(G, R, strict=True))
        gradient[0] = 2 * profile.degrees - 2 * profile.pwrss / s - 2 * traces
        hessian[0, 0] += 4 * traces + 4 * float(data[0]) + 4 * profile.pwrss / s
        hessian[0, 1:] += 2 * (data[1:] - gradient[1:])
        hessian[1:, 0] = hessian[0, 1:]
        return gradient, hessian

    def _with_variance(self) -> Any:  # noqa: ANN401 (a Point of the strategy's own type)
        """Return the point with the residual variance of x in place of the profiled one."""
        point: Any = self.point
        return replace(point, profile=replace(point.profile, pwrss=KNOWN * self.s, degrees=KNOWN))

    @staticmethod
    def _collector(sizes: list[int]) -> FloatArray:
        """Return the matrix that adds the factors' changes with log sigma up, and leaves the other directions."""
        J = np.zeros((1 + sum(sizes), sum(sizes) + len(sizes)))
        row = column = 0
        for size in sizes:
            J[1 + row : 1 + row + size, column : column + size] = np.eye(size)
            J[0, column + size] = 1.0
            row, column = row + size, column + size + 1
        return J
