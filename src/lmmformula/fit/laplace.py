"""
Laplace's approximation of the likelihood of a generalised linear mixed model, and its gradient.

With b = Lambda u, eta = X beta + offset + Z b, the mode u of the penalised density, and M = I + Lambda'Z'WZ Lambda,

    d(Sigma, beta, psi) = -2 sum log f(y | eta, psi) + u'u + log|M|

as lme4 computes it. The gradient includes the movement of the mode. With s the score, h_i = z_i'V z_i, v = h dW/deta,
M_o the same as M with observed weights W_o, c = Z Lambda M_o^-1 Lambda'Z'v and rho = Z'(v - W_o c):

    dd/dbeta = X'(-2s + v - W_o c),    dd/dpsi = sum(-2 dlog f/dpsi + h dW/dpsi + c ds/dpsi),    dd = tr(G dSigma),
    G = sum over levels of K - Z's s'Z + (rho s'Z + Z's rho') / 2,    K = Z'WZ - Z'WZ V Z'WZ

At the mode u = Lambda'Z's, so that only Sigma = Lambda Lambda' is left, and Lambda need not have an inverse.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.fit.curvature import Curvature, spread
from lmmformula.fit.modes import Mode, Target, mode_of
from lmmformula.fit.weighted import Effects

DIFFERENCE_STEP = 1e-4
"""Step of the differences of the gradient; all parameters are of the size of the linear predictor."""


FARTHEST = 14.0
"""Logarithm or logit of a family's parameter beyond which it is as good as infinite, or zero: the criterion is flat."""


def laplace(target: Target, x: FloatArray, start: Effects) -> "Laplace":
    """
    Approximate the likelihood; LinAlgError where it can't be.

    x : parameters of the covariances, fixed effects, parameters of the family
    start : random effects from which the mode is sought
    """
    t, beta, psi = target.split(x)
    roots = target.parameters.roots(t)
    mode = mode_of(target, roots, beta, np.clip(psi, -FARTHEST, FARTHEST), start)
    return Laplace(target, x, mode, Curvature.of(target.pattern, roots, mode.rows.weight))


@dataclass(frozen=True)
class Laplace:
    """
    The approximation at parameters x.

    curvature : M with the weights that count
    """

    target: Target
    x: FloatArray
    mode: Mode
    curvature: Curvature

    @cached_property
    def value(self) -> float:
        """-2 log likelihood."""
        return -2 * self.mode.value + self.curvature.log_det

    @cached_property
    def gradient(self) -> FloatArray:
        """Derivatives of the value in x."""
        target, pattern, rows, M = self.target, self.target.pattern, self.mode.rows, self.curvature
        h = M.leverages()
        v = h * rows.slope
        observed = M if rows.observed is rows.weight else _observed(M, rows.observed)
        r = observed.solve(M.root_transposed(pattern.transposed(v)))
        c = pattern.applied(spread(pattern, M.roots, r))
        moved = v - rows.observed * c
        score, rho = (self._by_factor(pattern.transposed(x)) for x in (rows.score, moved))
        G = [K - s @ s.T + (own @ s.T + s @ own.T) / 2 for K, s, own in zip(M.level_sums(), score, rho, strict=True)]
        by_psi = np.array([float(np.sum(-2 * o.loglik + h * o.weight + c * o.score)) for o in rows.own])
        by_psi[np.abs(target.split(self.x)[2]) > FARTHEST] = 0.0
        directions = target.parameters.directions(target.split(self.x)[0])
        by_t = target.parameters.gradient(directions, G)
        return np.concatenate([by_t, target.X.T @ (moved - 2 * rows.score), by_psi])

    def _by_factor(self, effects: Effects) -> list[FloatArray]:
        """Cut effects into (k, J) arrays."""
        rest = [effects.rest[here].reshape(f.k, f.n_levels) for _, f, here in self.target.pattern.rest]
        return [effects.first, *rest]

    @property
    def modes(self) -> list[FloatArray]:
        """Per factor, (k, J) random effects b."""
        return self._by_factor(spread(self.target.pattern, self.curvature.roots, self.mode.u))

    @cached_property
    def hessian(self) -> FloatArray:
        """Second derivatives in x, central differences of the gradient."""
        h, rows = DIFFERENCE_STEP, []
        for step in h * np.eye(len(self.x)):
            after = laplace(self.target, self.x + step, self.mode.u)
            before = laplace(self.target, self.x - step, 2.0 * self.mode.u - after.mode.u)  # the mode moves in a line
            rows.append((after.gradient - before.gradient) / (2 * h))
        return _symmetric(rows)

    def rough_hessian(self) -> FloatArray:
        """Return second derivatives in x, forward differences of the gradient: half the work, good enough to begin."""
        h = DIFFERENCE_STEP
        points = (laplace(self.target, self.x + step, self.mode.u) for step in h * np.eye(len(self.x)))
        return _symmetric([(there.gradient - self.gradient) / h for there in points])


def _observed(M: Curvature, w: FloatArray) -> Curvature:
    """Return M with observed weights; M itself where rounding makes them no maximum's."""
    try:
        return Curvature.of(M.pattern, M.roots, w)
    except np.linalg.LinAlgError:
        return M


def _symmetric(rows: list[FloatArray]) -> FloatArray:
    square = np.array(rows).reshape(len(rows), len(rows))
    return (square + square.T) / 2
