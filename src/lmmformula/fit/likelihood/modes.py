"""
Where the penalised density of a generalised linear mixed model is largest.

Penalised iteratively reweighted least squares (PIRLS), with observed weights, which make it Newton's method, wherever
they are those of a maximum, and with positive ones elsewhere, so that every step leads uphill. Bates et al. (2015), J.
Stat. Soft. 67(1).

The random effects b = Sigma a are carried by a, so that the roots of Sigma are not needed: u = Lambda'a, u'u = a'b, and
with g = Z's - a a step is V g in b and g - C V g in a. At the mode a is Z's, the sum of the scores.
"""

import math
from dataclasses import dataclass

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.families.calculus.jets import Jet
from lmmformula.fit.algebra import blocks
from lmmformula.fit.algebra.effects import Effects, Roots
from lmmformula.fit.algebra.factorised import Factorised
from lmmformula.fit.algebra.rows import Curvatures
from lmmformula.fit.likelihood.target import Target

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


@dataclass(frozen=True, slots=True)
class Mode:
    """
    A maximum of the penalised density.

    beta : fixed effects of the mean's predictor
    a, b : random effects b = Sigma a
    eta : the linear predictors
    density : of the rows, with its derivatives
    value : penalised log density, sum log f - a'b / 2
    noise : what rounding may change in the value: by the size of its terms, which cancel in it
    """

    beta: FloatArray
    a: Effects
    b: Effects
    eta: list[FloatArray]
    density: Jet
    value: float
    noise: float


def mode_of(target: Target, roots: Roots, fixed: list[FloatArray], start: Effects) -> Mode:
    """
    Find the mode of the random effects, all else given; LinAlgError where it isn't found.

    fixed : fixed parts of the predictors
    start : a to start from
    """
    path, nudges = Path(target, roots, fixed), 0
    nothing = np.zeros(0)
    found = path.at(nothing, start)
    if not math.isfinite(found.value):
        found = path.at(nothing, target.nothing())
    for _ in range(MOST_STEPS):
        M, observed = path.newton(found)
        gradient = path.slope(found)
        step = M.halved(gradient)
        found, last = path.climbed(found, nothing, step, gradient.dot(step[1]))
        if last and not observed and not path.is_maximum(found):
            nudges += 1
            if nudges > MOST_NUDGES:
                raise np.linalg.LinAlgError("at the mode of the random effects, M is not positive definite")
            found = path.nudged(found, nudges)
        elif last:
            return found
    raise np.linalg.LinAlgError("the mode of the random effects was not found")


def joint_mode(target: Target, roots: Roots, betas: list[FloatArray], start: Effects) -> Mode:
    """
    Find the mode of the mean's fixed effects and of all random effects together; LinAlgError where it isn't found.

    betas, start : where to begin
    """
    fixed = target.fixed(betas)
    fixed[0] = np.broadcast_to(np.asarray(target.predictors[0].offset, dtype=np.float64), target.n)
    path = Path(target, roots, fixed, with_mean=True)
    found = path.at(betas[0], start)
    for _ in range(MOST_STEPS):
        try:
            change, step, gain = path.joint_step(found, target.weights(found.density))
        except np.linalg.LinAlgError:
            change, step, gain = path.joint_step(found, path.positive(found))
        found, last = path.climbed(found, change, step, gain)
        if last:
            return found
    raise np.linalg.LinAlgError("the mode of fixed and random effects was not found")


Step = tuple[Effects, Effects]
"""A change of a, and of b."""


@dataclass(frozen=True)
class Path:
    """
    The penalised density at given covariances.

    fixed : fixed parts of the predictors
    with_mean : whether the mean's fixed effects are sought too; its fixed part is then its offset
    """

    target: Target
    roots: Roots
    fixed: list[FloatArray]
    with_mean: bool = False

    def at(self, beta: FloatArray, a: Effects, b: Effects | None = None) -> Mode:
        """Evaluate it."""
        target = self.target
        if b is None:
            b = a.by([T @ T.T for T in self.roots])
        eta = list(self.fixed)
        for j in target.blocked:
            eta[j] = eta[j] + target.rows.applied(b, j)
        if self.with_mean:
            eta[0] = eta[0] + target.predictors[0].X @ beta
        density = target.density(eta, slopes=False)
        penalty = a.dot(b) / 2
        score, first = density.at(0), eta[0]  # the rounding of eta moves the density
        moved = math.sqrt(float(np.vdot(score, score)) * float(first @ first))
        value = np.broadcast_to(density.value, target.n)
        left = math.sqrt(target.n * float(value @ value))
        size = left + moved + penalty + target.family.cancelled(target.observed)
        return Mode(beta, a, b, eta, density, float(value.sum()) - penalty, ROUNDING * size)

    def slope(self, found: Mode) -> Effects:
        """Return the gradient g = Z's - a."""
        return self.target.rows.transposed(self.target.scores(found.density)) - found.a

    def positive(self, found: Mode) -> Curvatures:
        """Return positive weights."""
        return self.target.family.positive_weights(self.target.observed, found.eta, found.density, self.target.blocked)

    def newton(self, found: Mode) -> tuple[Factorised, bool]:
        """
        Factorise M with observed weights, or else with positive ones for levels where it is not positive definite.

        Tell which.
        """
        observed = self.target.weights(found.density)
        try:
            return self.target.factorised(observed, self.roots), True
        except np.linalg.LinAlgError:
            positive = self.positive(found)
        try:
            return self.target.factorised(self._raised(observed, positive), self.roots), False
        except np.linalg.LinAlgError:
            return self.target.factorised(positive, self.roots), False

    def _raised(self, observed: Curvatures, positive: Curvatures) -> Curvatures:
        """Return observed weights, moved to positive ones until each level of the largest factor has a maximum's."""
        sizes = [k * J for k, J in self.target.rows.shapes]
        largest = sizes.index(max(sizes))
        low, high = (np.linalg.eigvalsh(self._blocks(w, largest))[:, 0] for w in (observed, positive))
        share = np.where(low < LEAST_CURVATURE, (LEAST_CURVATURE - low) / (high - low), 0.0)
        moved = share[self.target.rows.factors[largest].codes]
        keys = observed.keys() | positive.keys()
        return {key: (1 - moved) * observed.get(key, 0.0) + moved * positive.get(key, 0.0) for key in keys}

    def _blocks(self, weights: Curvatures, factor: int) -> FloatArray:
        """(J, k, k) a factor's diagonal blocks of M."""
        T, C = self.roots[factor], self.target.rows.gram(weights).own[factor]
        out: FloatArray = np.eye(len(T)) + T.T @ np.moveaxis(C, 2, 0) @ T
        return out

    def joint_step(self, found: Mode, weights: Curvatures) -> tuple[FloatArray, Step, float]:
        """
        Return Newton's step of beta and b, and the gain that it promises.

        LinAlgError where the weights are not those of a maximum.
        """
        target, M = self.target, self.target.factorised(weights, self.roots)
        X, w, nothing = target.predictors[0].X, weights[0, 0], np.zeros(target.n)
        sides = {j: weights.get((0, j), nothing) for j in target.blocked}
        B = target.rows.table(X, sides)
        A = X.T @ (w[:, None] * X) - B.gram(M.apply(B))
        slope = self.slope(found)
        fixed_slope = target.predictors[0].transposed(target.scores(found.density)[0], target.n)
        change = blocks.solve(A, fixed_slope - B.gram(M.apply(slope))[:, 0]) if len(A) else fixed_slope
        step = M.halved(slope - B.times(change[:, None]) if len(A) else slope)
        gain = float(fixed_slope @ change) + slope.dot(step[1])
        if gain < -found.noise:
            raise np.linalg.LinAlgError("a step leads downhill")
        return change, step, gain

    def climbed(self, found: Mode, change: FloatArray, step: Step, gain: float) -> tuple[Mode, bool]:
        """
        Take a step, halved until it does not lower the density; tell whether it was the last one needed.

        gain : what it promises
        """
        if not math.isfinite(gain):
            raise np.linalg.LinAlgError("the density of the response overflows")
        size = 1.0
        for _ in range(HALVINGS):
            there = self.at(found.beta + size * change, found.a + size * step[0], found.b + size * step[1])
            if there.value >= found.value - found.noise:
                return there, gain < ENOUGH
            size /= 2
        if gain > max(ENOUGH, found.noise):
            raise np.linalg.LinAlgError("no step raises the density of the response any more")
        return found, True

    def is_maximum(self, found: Mode) -> bool:
        """Tell whether M is positive definite with the observed weights."""
        try:
            self.target.factorised(self.target.weights(found.density), self.roots)
        except np.linalg.LinAlgError:
            return False
        return True

    def nudged(self, found: Mode, times: int) -> Mode:
        """Move the random effects in no particular direction, farther each time."""
        moved = Effects(tuple(times * NUDGE * np.cos(np.arange(x.size)).reshape(x.shape) for x in found.a.parts))
        a = moved.by([np.asarray(np.linalg.pinv(T).T, dtype=np.float64) for T in self.roots])
        return self.at(found.beta, found.a + a)
