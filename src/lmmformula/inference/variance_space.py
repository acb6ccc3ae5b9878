"""
The deviance as a function of standard deviations, correlations and sigma themselves, with exact derivatives.

The fit's own parameters are relative to sigma and have no sigma among them. Here x = (log sigma, per term: standard
deviations and what makes up the correlations), so that each quantity with an interval is one coordinate:

    D(x) = log|M(R)| + m log(2 pi s) + r^2(R) / s + [REML] 2 log|R_X(R)|,    s = sigma^2,  R = Sigma / s

Nothing is bounded: a standard deviation may change its sign and an angle may pass pi, which leaves Sigma what it was.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.design.matrices import DesignMatrices, RandomTermDesign
from lmmformula.fit.algebra import blocks
from lmmformula.fit.correlated import Correlated, diagonal_basis
from lmmformula.fit.covariances import CovarianceMap, LinearRoot, Parameters
from lmmformula.fit.objective import Point
from lmmformula.fit.problem import Problem

KNOWN = 2**60
"""Degrees of freedom of a residual variance that is given: the limit in which a profiled one becomes a known one."""


@lru_cache(maxsize=1024)
def hyperspherical(angles: tuple[float, ...], k: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """
    Return the unit vector (cos a, sin a cos b, .., sin a sin b .., 0, ..) of k numbers, and its derivatives.

    Returns
    -------
    value, first, second
        (k,), (i, k) and (i, i, k) for i angles; shared between calls, so not to be written to.
    """
    i = len(angles)
    cosine, sine = np.cos([angles]).T, np.sin([angles]).T
    place, own = np.arange(k)[None, :], np.arange(i)[:, None]
    before, here, inside = place < own, place == own, place <= i
    tables = [
        np.where(before, constant, np.where(here, at, after)) * inside
        for constant, at, after in ((1.0, cosine, sine), (0.0, -sine, cosine), (0.0, -cosine, -sine))
    ]
    first = np.empty((i, k))
    second = np.empty((i, i, k))
    start = (np.arange(k) == 0).astype(float) if i == 0 else np.ones(k)
    for l in range(i):
        once = tables[0].copy()
        once[l] = tables[1][l]
        first[l] = once.prod(axis=0)
        for m in range(i):
            twice = once.copy()
            twice[m] = tables[2][l] if l == m else tables[1][m]
            second[l, m] = twice.prod(axis=0)
    return start * tables[0].prod(axis=0), first, second


@dataclass(frozen=True, slots=True)
class Spherical:
    """
    Unstructured: Sigma = F F', row i of F a standard deviation times a unit vector of the earlier rows' dimension.

    order : the coefficients in the order of the rows; the correlation of the first two is the cosine of one angle
    squares : whether the deviations are the parameters' squares: with a sign, they would turn a held correlation round
    Parameters are k standard deviations (or roots of them) in the coefficients' order, then the angles row by row.
    """

    order: tuple[int, ...]
    squares: bool = False

    @property
    def size(self) -> int:
        """Number of parameters."""
        return len(self.order) * (len(self.order) + 1) // 2

    @property
    def spanning(self) -> FloatArray:
        """Not used: nothing starts here."""
        return diagonal_basis(len(self.order))

    def places(self, row: int) -> slice:
        """Return where the angles of a row stand among the parameters."""
        start = len(self.order) + row * (row - 1) // 2
        return slice(start, start + row)

    def deviations(self, parameters: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return (k,) standard deviations and their derivatives."""
        x = parameters[: len(self.order)]
        return (x * x, 2 * x) if self.squares else (x, np.ones_like(x))

    def row(self, parameters: FloatArray, row: int) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return the unit vector of a row and its derivatives with respect to its angles."""
        return hyperspherical(tuple(parameters[self.places(row)].tolist()), len(self.order))

    def root(self, parameters: FloatArray) -> FloatArray:
        """Return F, its rows in the coefficients' order."""
        k = len(self.order)
        F = np.empty((k, k))
        s, _ = self.deviations(parameters)
        for row, i in enumerate(self.order):
            F[i] = s[i] * self.row(parameters, row)[0]
        return F

    def directions(self, parameters: FloatArray) -> FloatArray:
        """Return dF F' + F dF'."""
        half = self._first(parameters) @ self.root(parameters).T
        return half + half.transpose(0, 2, 1)

    def curvature(self, parameters: FloatArray, G: FloatArray) -> FloatArray:
        """Return tr(G d2Sigma) = 2 tr(G dF_a dF_b') + 2 tr(G d2F_ab F')."""
        first, n = self._first(parameters), self.size
        out: FloatArray = 2 * first.reshape(n, -1) @ (G @ first).reshape(n, -1).T
        W = 2 * G @ self.root(parameters)
        s, slope = self.deviations(parameters)
        for row, i in enumerate(self.order):
            here = self.places(row)
            value, once, twice = self.row(parameters, row)
            out[here, here] += s[i] * twice @ W[i]
            out[i, here] += slope[i] * (once @ W[i])
            out[here, i] += slope[i] * (once @ W[i])
            out[i, i] += 2 * (value @ W[i]) if self.squares else 0.0
        return out

    def nearest(self, covariance: FloatArray) -> FloatArray:
        """Return the parameters of a covariance matrix."""
        sds = np.sqrt(np.maximum(np.diag(covariance), 0.0))
        scale = np.where(sds > 0, sds, 1.0)
        correlation = covariance / np.outer(scale, scale)
        np.fill_diagonal(correlation, 1.0)
        L = blocks.root(correlation[np.ix_(self.order, self.order)])
        out = np.empty(self.size)
        out[: len(sds)] = np.sqrt(sds) if self.squares else sds
        for row in range(len(sds)):
            left, angles = 1.0, []
            for value in L[row, :row]:
                angle = math.acos(min(max(value / left, -1.0), 1.0)) if left > 1e-8 else math.pi / 2
                angles.append(angle)
                left *= math.sin(angle)
            out[self.places(row)] = angles
        return out

    def rescaled(self, parameters: FloatArray, factor: float) -> FloatArray:
        """Return parameters of all standard deviations times a factor."""
        k = len(self.order)
        return np.append((math.sqrt(factor) if self.squares else factor) * parameters[:k], parameters[k:])

    def snapped(self, parameters: FloatArray, zero: float) -> FloatArray:  # noqa: ARG002
        """Return the parameters: nothing is put to zero here."""
        return parameters

    def _first(self, parameters: FloatArray) -> FloatArray:
        k = len(self.order)
        out = np.zeros((self.size, k, k))
        s, slope = self.deviations(parameters)
        for row, i in enumerate(self.order):
            here = self.places(row)
            value, once, _ = self.row(parameters, row)
            out[i, i] = slope[i] * value
            out[here, i] = s[i] * once
        return out


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

    @property
    def root_size(self) -> int:
        """Number k of coefficients."""
        return len(self.W)

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


def absolute_map(term: RandomTermDesign, order: tuple[int, ...], *, held: bool) -> CovarianceMap:
    """
    Return the map whose parameters are standard deviations and what makes up the correlations.

    held : whether one of the correlations is to be held
    """
    k = term.n_coefficients
    match term.covariance.structure:
        case "us":
            return Spherical(order, squares=held)
        case "cs" | "ar1" if k > 1:
            return Correlated(term.covariance.structure, term.covariance.homogeneous, k, squares=held)
        case _ if term.covariance.homogeneous:
            return _SharedDeviation(np.eye(k)[None])
        case _:
            return LinearRoot(diagonal_basis(k))


class _SharedDeviation(LinearRoot):
    """One standard deviation for all coefficients: the basis is I itself, so its coordinate is the deviation."""

    def nearest(self, covariance: FloatArray) -> FloatArray:
        """Return the root of the mean variance."""
        return np.array([math.sqrt(max(float(np.mean(np.diag(covariance))), 0.0))])


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
    def of(cls, problem: Problem, design: DesignMatrices, first: tuple[int, int, int] | None = None) -> "VarianceSpace":
        """
        Choose coordinates.

        first : (term, i, j) of the correlation that is to be a coordinate itself; by default the first two of a term
        """
        coordinates = problem.products.coordinates
        units, maps = [], []
        for t, (term, U) in enumerate(zip(design.random_terms, coordinates.random, strict=True)):
            size = np.linalg.norm(U, axis=1)
            size = np.full(len(size), size.max()) if term.covariance.homogeneous else size
            front = first[1:] if first is not None and first[0] == t else ()
            order = (*front, *(i for i in range(len(size)) if i not in front))
            maps.append(Turned(absolute_map(term, order, held=bool(front)), blocks.solve(U, np.diag(size))))
            units.append(coordinates.y_scale * size)
        per_factor = tuple(tuple(maps[t] for t in factor.terms) for factor in problem.products.factors)
        starts, at = [0] * len(maps), 1
        for factor in problem.products.factors:
            for t in factor.terms:
                starts[t] = at
                at += maps[t].size
        return cls(problem, Parameters(per_factor), tuple(units), tuple(starts))

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

    def map_of(self, term: int) -> Turned:
        """Return the map of a term."""
        for maps, factor in zip(self.parameters.maps, self.problem.products.factors, strict=True):
            if term in factor.terms:
                found = maps[factor.terms.index(term)]
                assert isinstance(found, Turned)
                return found
        raise AssertionError(term)


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
