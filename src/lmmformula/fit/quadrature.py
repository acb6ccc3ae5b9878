"""
Adaptive Gauss-Hermite quadrature for one random coefficient: the likelihood that Laplace's method approximates.

Each level's integral over its spherical effect is a sum over K nodes z_k, placed around the mode u and scaled by the
curvature M = 1 / s^2 there,

    int f(y | u) phi(u) du  =  s sum_k w_k exp(z_k^2 / 2) f(y | u + s z_k) phi(u + s z_k)

Pinheiro & Bates (1995), J. Comput. Graph. Stat. 4, 12-35. With one node it is Laplace's approximation. Its derivatives
are differences: nodes move with the parameters.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.errors import FitError
from lmmformula.fit.curvature import spread
from lmmformula.fit.densities import LOG_2PI
from lmmformula.fit.laplace import Laplace, laplace
from lmmformula.fit.modes import Target
from lmmformula.fit.weighted import Effects

MOST_NODES = 100
"""Beyond which weights underflow."""

STEP = 2e-3
"""Of differences of the criterion, of fourth order."""

HESSIAN_STEP = 1e-3
"""Of differences of the gradient."""

Approximation = Callable[[Target, FloatArray, Effects], Laplace]


def approximation(target: Target, nagq: int) -> Approximation:
    """
    Return what approximates the likelihood: Laplace's method for one node, else quadrature.

    Raises
    ------
    FitError
        The number of nodes is none, or there are integrals of more than one dimension.
    """
    whole: object = nagq
    if not isinstance(whole, int | np.integer) or isinstance(whole, bool) or not 1 <= nagq <= MOST_NODES:
        raise FitError(f"nagq is a whole number from 1 to {MOST_NODES}, not {nagq!r:.60}")
    if nagq == 1:
        return laplace
    if target.pattern.q2 or target.pattern.first.k != 1:
        raise FitError(
            "quadrature with more than one node is there for a single random coefficient of one grouping factor",
            hint="nagq=1 is Laplace's approximation; .sample() integrates over any number",
        )
    return partial(quadrature, nagq=nagq)


def quadrature(target: Target, x: FloatArray, start: Effects, nagq: int) -> "Quadrature":
    """Approximate the likelihood with `nagq` nodes for each level."""
    point = laplace(target, x, start)
    return Quadrature(target, x, point.mode, point.rows, point.curvature, point.observed, nagq)


@dataclass(frozen=True)
class Quadrature(Laplace):
    """
    The approximation at parameters x.

    nagq : number of nodes
    """

    nagq: int = 1

    @cached_property
    def value(self) -> float:
        """-2 log likelihood."""
        pattern, u = self.target.pattern, self.mode.u.first[0]
        _, beta, psi = self.target.split(self.x)
        fixed = self.target.X @ beta + self.target.offset
        nodes, weights = np.polynomial.hermite_e.hermegauss(self.nagq)
        s = 1 / self.curvature.L[0]
        logs = np.empty((self.nagq, len(u)))
        for k, (z, w) in enumerate(zip(nodes, weights, strict=True)):
            there = u + s * z
            effects = Effects(there[None], self.mode.u.rest)
            eta = fixed + pattern.applied(spread(pattern, self.curvature.roots, effects))
            rows = self.target.kernel.at(eta, self.target.limited(psi)).loglik
            logs[k] = np.log(w) + (z * z - there * there) / 2 + np.bincount(pattern.first.codes, rows, len(u))
        top = logs.max(axis=0)
        whole = np.log(s) + top + np.log(np.exp(logs - top).sum(axis=0)) - LOG_2PI / 2
        return -2 * float(whole.sum())

    @cached_property
    def gradient(self) -> FloatArray:
        """Derivatives of the value in x, by differences of fourth order."""
        return np.array([self._slope(step) for step in STEP * np.eye(len(self.x))])

    def _slope(self, step: FloatArray) -> float:
        far, near, back, behind = (self._at(self.x + m * step).value for m in (2, 1, -1, -2))
        return (8 * (near - back) - (far - behind)) / (12 * STEP)

    def _at(self, x: FloatArray) -> "Quadrature":
        return quadrature(self.target, x, self.mode.u, self.nagq)

    @cached_property
    def hessian(self) -> FloatArray:
        """Second derivatives in x, central differences of the gradient."""
        h = HESSIAN_STEP
        steps = h * np.eye(len(self.x))
        rows = np.array([(self._at(self.x + e).gradient - self._at(self.x - e).gradient) / (2 * h) for e in steps])
        out: FloatArray = (rows.reshape(len(steps), len(steps)) + rows.reshape(len(steps), len(steps)).T) / 2
        return out

    def rough_hessian(self) -> FloatArray:
        """Return Laplace's second derivatives in x, which are near."""
        return laplace(self.target, self.x, self.mode.u).rough_hessian()
