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
from lmmformula.families.calculus.jets import VALUE
from lmmformula.families.calculus.special import LOG_2PI
from lmmformula.fit.algebra.effects import Effects
from lmmformula.fit.likelihood.laplace import Laplace, laplace
from lmmformula.fit.likelihood.target import Target

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
    if len(target.rows.factors) != 1 or target.rows.factors[0].k != 1:
        raise FitError(
            "quadrature with more than one node is there for a single random coefficient of one grouping factor",
            hint="nagq=1 is Laplace's approximation; .sample() integrates over any number",
        )
    return partial(quadrature, nagq=nagq)


def quadrature(target: Target, x: FloatArray, start: Effects, nagq: int) -> "Quadrature":
    """Approximate the likelihood with `nagq` nodes for each level."""
    point = laplace(target, x, start)
    return Quadrature(target, x, point.mode, point.density, point.expected, point.M, point.observed, nagq)


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
        target, (factor,) = self.target, self.target.rows.factors
        (predictor,) = factor.predictors
        root = float(self.M.roots[0][0, 0])
        u = root * self.mode.a.parts[0][0, 0]
        s = 1 / np.sqrt(1 + root**2 * self.M.gram.own[0][0, 0])
        fixed = list(target.fixed(target.split(self.x)[1]))
        nodes, weights = np.polynomial.hermite_e.hermegauss(self.nagq)
        logs = np.empty((self.nagq, len(u)))
        for k, (z, w) in enumerate(zip(nodes, weights, strict=True)):
            there = u + s * z
            eta = list(fixed)
            eta[predictor] = eta[predictor] + root * factor.columns[0] * there[factor.codes]
            rows = np.broadcast_to(target.family.at(target.observed, eta, VALUE).value, target.n)
            logs[k] = np.log(w) + (z * z - there * there) / 2 + np.bincount(factor.codes, rows, len(u))
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
        return quadrature(self.target, x, self.mode.a, self.nagq)

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
        return laplace(self.target, self.x, self.mode.a).rough_hessian()
