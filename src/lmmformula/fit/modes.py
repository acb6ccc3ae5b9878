"""
Where the penalised density of a generalised linear mixed model is largest.

Penalised iteratively reweighted least squares (PIRLS), with observed weights, which make it Newton's method, wherever
they are those of a maximum, and with positive ones elsewhere, so that every step leads uphill. Bates et al. (2015), J.
Stat. Soft. 67(1).
"""

import math
from dataclasses import dataclass
from typing import Literal

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

ROUNDING = 1e-14
"""Part of the sizes of all terms of the penalised density by which rounding may change it."""

LEAST_CURVATURE = 0.1
"""Smallest eigenvalue of a level's block of M with which a step is made from where there is no maximum."""

NUDGE = 0.1
"""Spherical random effects are moved so far from a point that is stationary and no maximum."""

MOST_NUDGES = 3
"""Times that is tried."""

CurvatureKind = Literal["observed", "expected"]
"""Of which the criterion's log|M| is made: Laplace's approximation itself, or lme4's."""


@dataclass(frozen=True, slots=True)
class Target:
    """
    What is maximised.

    kernel : log density of the response
    X : (n, p) fixed effects in inner coordinates
    offset : (n,) known part of the linear predictor, or 0
    pattern : the random effects
    parameters : of their covariances, factor by factor
    counted : which curvature the criterion counts
    """

    kernel: Kernel
    X: FloatArray
    offset: FloatArray | float
    pattern: Pattern
    parameters: Parameters
    counted: CurvatureKind = "observed"

    def split(self, x: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Cut all parameters into those of the covariances, fixed effects, and the family's."""
        first = self.parameters.size
        second = first + self.X.shape[1]
        return x[:first], x[first:second], x[second:]

    def limited(self, psi: FloatArray) -> FloatArray:
        """Return parameters of the family, those that are as good as infinite moved to where the density is flat."""
        return np.clip(psi, -self.kernel.farthest, self.kernel.farthest)

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
    noise : what rounding may change in the value: by the size of its terms, which cancel in it
    """

    beta: FloatArray
    u: Effects
    eta: FloatArray
    rows: Rows
    value: float
    noise: float


def mode_of(target: Target, roots: Roots, beta: FloatArray, psi: FloatArray, start: Effects) -> Mode:
    """Find the mode of the random effects, all else given; LinAlgError where it isn't found."""
    path, nudges = Path(target, roots, psi), 0
    found = path.at(beta, start)
    if not math.isfinite(found.value):
        found = path.at(beta, target.nothing())
    for _ in range(MOST_STEPS):
        M, observed = path.newton(found)
        gradient = M.root_transposed(target.pattern.transposed(found.rows.score)) - found.u
        step = M.solve(gradient)
        found, last = path.climbed(found, np.zeros(len(beta)), step, gradient.dot(step))
        if last and not observed and not path.is_maximum(found):
            nudges += 1
            if nudges > MOST_NUDGES:
                raise np.linalg.LinAlgError("at the mode of the random effects, M is not positive definite")
            found = path.nudged(found, nudges)
        elif last:
            return found
    raise np.linalg.LinAlgError("the mode of the random effects was not found")


def joint_mode(target: Target, roots: Roots, beta: FloatArray, psi: FloatArray, start: Effects) -> Mode:
    """
    Find the mode of fixed and random effects together; LinAlgError where it isn't found.

    beta, start : where to begin
    """
    path = Path(target, roots, psi)
    found = path.at(beta, start)
    for _ in range(MOST_STEPS):
        try:
            change, step, gain = path.joint_step(found, found.rows.weight)
        except np.linalg.LinAlgError:
            change, step, gain = path.joint_step(found, path.positive(found))
        found, last = path.climbed(found, change, step, gain)
        if last:
            return found
    raise np.linalg.LinAlgError("the mode of fixed and random effects was not found")


@dataclass(frozen=True, slots=True)
class Path:
    """The penalised density at given covariances and parameters of the family."""

    target: Target
    roots: Roots
    psi: FloatArray

    def at(self, beta: FloatArray, u: Effects) -> Mode:
        """Evaluate it."""
        target = self.target
        eta = target.X @ beta + target.offset + target.pattern.applied(spread(target.pattern, self.roots, u))
        rows = target.kernel.at(eta, self.psi)
        penalty = u.dot(u) / 2
        left = math.sqrt(len(eta) * float(rows.loglik @ rows.loglik))
        moved = math.sqrt(float(rows.score @ rows.score) * float(eta @ eta))  # by the rounding of eta
        size = left + moved + penalty + target.kernel.terms
        return Mode(beta, u, eta, rows, float(rows.loglik.sum()) - penalty, ROUNDING * size)

    def positive(self, found: Mode) -> FloatArray:
        """Return positive weights."""
        return self.target.kernel.positive(found.rows, found.eta, self.psi)

    def newton(self, found: Mode) -> tuple[Curvature, bool]:
        """
        Factorise M with observed weights, or else with positive ones for levels where it is not positive definite.

        Tell which.
        """
        pattern, roots = self.target.pattern, self.roots
        try:
            return Curvature.of(pattern, roots, found.rows.weight), True
        except np.linalg.LinAlgError:
            positive = self.positive(found)
        try:
            return Curvature.of(pattern, roots, self._raised(found.rows.weight, positive)), False
        except np.linalg.LinAlgError:
            return Curvature.of(pattern, roots, positive), False

    def _raised(self, observed: FloatArray, positive: FloatArray) -> FloatArray:
        """Return observed weights, moved towards positive ones until each level of the first factor has a maximum's."""
        low, high = (np.linalg.eigvalsh(self._blocks(w))[:, 0] for w in (observed, positive))
        share = np.where(low < LEAST_CURVATURE, (LEAST_CURVATURE - low) / (high - low), 0.0)
        out: FloatArray = observed + share[self.target.pattern.first.codes] * (positive - observed)
        return out

    def joint_step(self, found: Mode, w: FloatArray) -> tuple[FloatArray, Effects, float]:
        """
        Return Newton's step of beta and u, and the gain that it promises.

        LinAlgError where the weights are not those of a maximum.
        """
        pattern, X = self.target.pattern, self.target.X
        M, weighted = Curvature.of(pattern, self.roots, w), w[:, None] * X
        B = M.root_transposed(pattern.table(weighted))
        solved = M.solve(B)
        A = X.T @ weighted - B.gram(solved)
        slope = M.root_transposed(pattern.transposed(found.rows.score)) - found.u
        direct, fixed_slope = M.solve(slope), X.T @ found.rows.score
        change = blocks.solve(A, fixed_slope - B.gram(direct)) if len(A) else fixed_slope
        step = direct - solved.combined(change)
        gain = float(fixed_slope @ change) + slope.dot(step)
        if gain < -found.noise:
            raise np.linalg.LinAlgError("a step leads downhill")
        return change, step, gain

    def climbed(self, found: Mode, change: FloatArray, step: Effects, gain: float) -> tuple[Mode, bool]:
        """
        Take a step, halved until it does not lower the density; tell whether it was the last one needed.

        gain : what it promises
        """
        if not math.isfinite(gain):
            raise np.linalg.LinAlgError("the density of the response overflows")
        size = 1.0
        for _ in range(HALVINGS):
            there = self.at(found.beta + size * change, found.u + size * step)
            if there.value >= found.value - found.noise:
                return there, gain < ENOUGH
            size /= 2
        if gain > max(ENOUGH, found.noise):
            raise np.linalg.LinAlgError("no step raises the density of the response any more")
        return found, True

    def _blocks(self, w: FloatArray) -> FloatArray:
        """(J, k, k) the first factor's diagonal blocks of M."""
        T = self.roots[0]
        C = np.moveaxis(blocks.unpack(self.target.pattern.products(w).first), 2, 0)
        out: FloatArray = np.eye(len(T)) + T.T @ C @ T
        return out

    def is_maximum(self, found: Mode) -> bool:
        """Tell whether M is positive definite with the observed weights."""
        try:
            Curvature.of(self.target.pattern, self.roots, found.rows.weight)
        except np.linalg.LinAlgError:
            return False
        return True

    def nudged(self, found: Mode, times: int) -> Mode:
        """Move the random effects in no particular direction, farther each time."""
        u = found.u
        first, rest = (times * NUDGE * np.cos(np.arange(x.size)).reshape(x.shape) for x in (u.first, u.rest))
        return self.at(found.beta, u + Effects(first, rest))
