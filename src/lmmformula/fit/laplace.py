"""
Laplace's approximation of the likelihood of a generalised linear mixed model, and its gradient.

With b = Lambda u, eta = X beta + offset + Z b, the mode u of the penalised density, and M = I + Lambda'Z'WZ Lambda,

    d(Sigma, beta, psi) = -2 sum log f(y | eta, psi) + u'u + log|M|

with observed weights W; with expected ones it is what lme4 computes. The gradient includes the movement of the mode.
With s the score, h_i = z_i'V z_i, v = h dW/deta, M_o the same as M with observed weights W_o, c = Z Lambda M_o^-1
Lambda'Z'v and rho = Z'(v - W_o c):

    dd/dbeta = X'(-2s + v - W_o c),    dd/dpsi = sum(-2 dlog f/dpsi + h dW/dpsi + c ds/dpsi),    dd = tr(G dSigma),
    G = sum over levels of K - Z's s'Z + (rho s'Z + Z's rho') / 2,    K = Z'WZ - Z'WZ V Z'WZ

At the mode u = Lambda'Z's, so that only Sigma = Lambda Lambda' is left, and Lambda need not have an inverse.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from lmmformula.arrays import BoolArray, FloatArray
from lmmformula.fit.curvature import Curvature, spread
from lmmformula.fit.kernels import Rows
from lmmformula.fit.modes import Mode, Target, mode_of
from lmmformula.fit.weighted import Effects

DIFFERENCE_STEP = 1e-4
"""Step of the differences of the gradient; all parameters are of the size of the linear predictor."""

NOISY_STEP = 0.25
"""Part of the cube root of the gradient's rounding that the step is at least."""


def laplace(target: Target, x: FloatArray, start: Effects) -> "Laplace":
    """
    Approximate the likelihood; LinAlgError where it can't be.

    x : parameters of the covariances, fixed effects, parameters of the family
    start : random effects from which the mode is sought
    """
    t, beta, psi = target.split(x)
    roots, psi = target.parameters.roots(t), target.limited(psi)
    mode = mode_of(target, roots, beta, psi, start)
    rows = mode.rows if target.counted == "observed" else target.kernel.expected(mode.rows, mode.eta, psi)
    counted = Curvature.of(target.pattern, roots, rows.weight)
    observed = counted if rows is mode.rows else _observed(counted, mode.rows.weight)
    return Laplace(target, x, mode, rows, counted, observed)


@dataclass(frozen=True)
class Laplace:
    """
    The approximation at parameters x.

    mode : of the random effects, its rows with the observed curvature
    rows : those with the curvature that counts
    curvature : M with the weights that count
    observed : M with the observed ones
    """

    target: Target
    x: FloatArray
    mode: Mode
    rows: Rows
    curvature: Curvature
    observed: Curvature

    @cached_property
    def value(self) -> float:
        """-2 log likelihood."""
        return -2 * self.mode.value + self.curvature.log_det

    @cached_property
    def gradient(self) -> FloatArray:
        """Derivatives of the value in x."""
        target, pattern, rows, M = self.target, self.target.pattern, self.rows, self.curvature
        h = M.leverages()
        v = h * rows.slope
        r = self.observed.solve(M.root_transposed(pattern.transposed(v)))
        c = pattern.applied(spread(pattern, M.roots, r))
        moved = v - self.mode.rows.weight * c
        score, rho = (self._by_factor(pattern.transposed(x)) for x in (rows.score, moved))
        G = [K - s @ s.T + (own @ s.T + s @ own.T) / 2 for K, s, own in zip(M.level_sums(), score, rho, strict=True)]
        by_psi = np.array([float(np.sum(-2 * o.loglik + h * o.weight + c * o.score)) for o in rows.own])
        directions = target.parameters.directions(target.split(self.x)[0])
        by_t = target.parameters.gradient(directions, G)
        out = np.concatenate([by_t, target.X.T @ (moved - 2 * rows.score), by_psi])
        out[self._flat] = 0.0
        return out

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

        def row(step: FloatArray) -> FloatArray:
            after = laplace(self.target, self.x + step, self.mode.u)
            before = laplace(self.target, self.x - step, 2.0 * self.mode.u - after.mode.u)  # the mode moves in a line
            return (after.gradient - before.gradient) / (2 * self._step)

        return self._rows(row)

    def rough_hessian(self) -> FloatArray:
        """Return second derivatives in x, forward differences of the gradient: half the work, good enough to begin."""
        return self._rows(
            lambda step: (laplace(self.target, self.x + step, self.mode.u).gradient - self.gradient) / self._step
        )

    def _rows(self, row: Callable[[FloatArray], FloatArray]) -> FloatArray:
        """Make a symmetric matrix of rows for steps; nothing changes with parameters that are as good as infinite."""
        out = np.zeros((len(self.x), len(self.x)))
        for i in np.flatnonzero(~self._flat):
            step = np.zeros(len(self.x))
            step[i] = self._step
            out[i] = row(step)
        out[:, self._flat] = 0.0
        return (out + out.T) / 2

    @property
    def _flat(self) -> BoolArray:
        """(n,) parameters of the family that are as good as infinite."""
        t, beta, psi = self.target.split(self.x)
        return np.concatenate([np.zeros(len(t) + len(beta), dtype=bool), np.abs(psi) > self.target.kernel.farthest])

    @property
    def _step(self) -> float:
        """
        Step of the differences of the gradient, longer where it has fewer digits.

        That of the linear predictor's rounding moves it by the largest element of M.
        """
        largest = float(np.square(self.observed.L).max(initial=1.0))
        rounding = np.finfo(np.float64).eps * float(np.abs(self.mode.eta).max()) * largest
        return max(DIFFERENCE_STEP, NOISY_STEP * float(np.cbrt(rounding)))


def _observed(M: Curvature, w: FloatArray) -> Curvature:
    """Return M with observed weights; M itself where these are not those of a maximum."""
    try:
        return Curvature.of(M.pattern, M.roots, w)
    except np.linalg.LinAlgError:
        return M
