"""
Where the penalised density of a generalised linear mixed model is largest.

Penalised iteratively reweighted least squares (PIRLS), with observed weights, which make it Newton's method, wherever
they are those of a maximum. Bates et al. (2015), J. Stat. Soft. 67(1).
"""

import math
from dataclasses import dataclass

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.fit import blocks
from lmmformula.fit.covariances import Parameters
from lmmformula.fit.curvature import Curvature, spread
from lmmformula.fit.kernels import Kernel, Rows
from lmmformula.fit.objective import Roots
from lmmformula.fit.weighted import Effects, Pattern

ENOUGH = 1e-9
"""Gain of the penalised log density at which a Newton step is the last: convergence is quadratic."""

MOST_STEPS = 100
"""Newton steps towards a mode."""

HALVINGS = 30
"""Times a step is halved that does not raise the penalised density."""

ROUNDING = 1e-12
"""Part of the penalised density that a step may lower it by: rounding."""


LEAST_WEIGHT = 1e-8
"""Of a row whose density has no curvature, where the observed weights are not those of a maximum."""


@dataclass(frozen=True, slots=True)
class Target:
    """
    What is maximised.

    kernel : log density of the response
    X : (n, p) fixed effects in inner coordinates
    offset : (n,) known part of the linear predictor, or 0
    pattern : the random effects
    parameters : of their covariances, factor by factor
    """

    kernel: Kernel
    X: FloatArray
    offset: FloatArray | float
    pattern: Pattern
    parameters: Parameters

    def split(self, x: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Cut all parameters into those of the covariances, fixed effects, and the family's."""
        first = self.parameters.size
        second = first + self.X.shape[1]
        return x[:first], x[first:second], x[second:]

    def nothing(self) -> Effects:
        """Return random effects of zero."""
        first = self.pattern.first
        return Effects(np.zeros((first.k, first.n_levels)), np.zeros(self.pattern.q2))


@dataclass(frozen=True, slots=True)
class Mode:
    """
    A maximum of the penalised density.

    beta, u : fixed effects, and spherical random effects
    eta : (n,) linear predictor
    rows : the density there
    value : penalised log density, sum log f - u'u / 2
    """

    beta: FloatArray
    u: Effects
    eta: FloatArray
    rows: Rows
    value: float


def mode_of(target: Target, roots: Roots, beta: FloatArray, psi: FloatArray, start: Effects) -> Mode:
    """Find the mode of the random effects, all else given; LinAlgError where it isn't found."""
    path = _Path(target, roots, psi)
    found = path.at(beta, start)
    if not math.isfinite(found.value):
        found = path.at(beta, target.nothing())
    for _ in range(MOST_STEPS):
        M, _ = path.newton(found.rows)
        gradient = M.root_transposed(target.pattern.transposed(found.rows.score)) - found.u
        step = M.solve(gradient)
        found = path.climbed(found, np.zeros(len(beta)), step)
        if _last(gradient.dot(step)):
            return found
    raise np.linalg.LinAlgError("the mode of the random effects was not found")


def joint_mode(target: Target, roots: Roots, beta: FloatArray, psi: FloatArray, start: Effects) -> Mode:
    """
    Find the mode of fixed and random effects together; LinAlgError where it isn't found.

    beta, start : where to begin
    """
    pattern, X, path = target.pattern, target.X, _Path(target, roots, psi)
    found = path.at(beta, start)
    for _ in range(MOST_STEPS):
        M, w = path.newton(found.rows)
        weighted = w[:, None] * X
        B = M.root_transposed(pattern.table(weighted))
        solved = M.solve(B)
        A = X.T @ weighted - B.gram(solved)
        slope = M.root_transposed(pattern.transposed(found.rows.score)) - found.u
        direct, fixed_slope = M.solve(slope), X.T @ found.rows.score
        change = blocks.solve(A, fixed_slope - B.gram(direct)) if len(A) else fixed_slope
        step = direct - solved.combined(change)
        found = path.climbed(found, change, step)
        if _last(float(fixed_slope @ change) + slope.dot(step)):
            return found
    raise np.linalg.LinAlgError("the mode of fixed and random effects was not found")


def _last(gain: float) -> bool:
    """Tell whether a step of that gain was the last one needed."""
    if not math.isfinite(gain):
        raise np.linalg.LinAlgError("the density of the response overflows")
    return gain < ENOUGH


@dataclass(frozen=True, slots=True)
class _Path:
    """The penalised density at given covariances and parameters of the family."""

    target: Target
    roots: Roots
    psi: FloatArray

    def at(self, beta: FloatArray, u: Effects) -> Mode:
        """Evaluate it."""
        target = self.target
        eta = target.X @ beta + target.offset + target.pattern.applied(spread(target.pattern, self.roots, u))
        rows = target.kernel.at(eta, self.psi)
        return Mode(beta, u, eta, rows, float(rows.loglik.sum()) - u.dot(u) / 2)

    def newton(self, rows: Rows) -> tuple[Curvature, FloatArray]:
        """Factorise M with observed weights, or with positive ones where that is not positive definite."""
        try:
            return Curvature.of(self.target.pattern, self.roots, rows.observed), rows.observed
        except np.linalg.LinAlgError:
            w = np.maximum(np.abs(rows.weight), LEAST_WEIGHT)
            return Curvature.of(self.target.pattern, self.roots, w), w

    def climbed(self, found: Mode, change: FloatArray, step: Effects) -> Mode:
        """Take a step, halved until it does not lower the density."""
        size = 1.0
        for _ in range(HALVINGS):
            there = self.at(found.beta + size * change, found.u + size * step)
            if there.value >= found.value - ROUNDING * abs(found.value):
                return there
            size /= 2
        return found
