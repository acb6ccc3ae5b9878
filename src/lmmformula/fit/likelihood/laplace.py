"""
Laplace's approximation of the likelihood of a model with any number of linear predictors, and its gradient.

Row i has predictors eta_ij = x_ij'beta_j + offset + z_ij'b, b = Lambda u, and log density l_i, with score s_ij and
observed curvature W_i,jk. At the mode u of the penalised density, M = I + Lambda'C Lambda and C = sum_jk Z_j'W_jk Z_k,

    d(Sigma, beta) = -2 sum l + u'u + log|M|

With expected weights in place of W in log|M| it is what lme4 computes. The gradient includes the movement of the mode.
With V = Lambda M^-1 Lambda', h_jk = z_j'V z_k, v_l = sum_jk h_jk dW_jk/deta_l, c_j = Z_j V sum_k Z_k'v_k (at observed
weights), and r_l = v_l - sum_j W_lj c_j:

    dd/dbeta_l = X_l'(r_l - 2 s_l),    dd = sum_f tr(G_f dSigma_f),
    G = sum over levels of K - e e' + (f e' + e f') / 2,    K = C - C V C,  e = sum_j Z_j's_j,  f = sum_j Z_j'r_j

At the mode u = Lambda'e, so that only Sigma = Lambda Lambda' is left, and Lambda need not have an inverse.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from lmmformula.arrays import BoolArray, FloatArray
from lmmformula.families.calculus.jets import Jet
from lmmformula.fit.algebra.effects import Effects
from lmmformula.fit.algebra.factorised import Factorised
from lmmformula.fit.likelihood.modes import Mode, mode_of
from lmmformula.fit.likelihood.target import Target

DIFFERENCE_STEP = 1e-4
"""Step of the differences of the gradient; all parameters are of the size of the linear predictor."""

NOISY_STEP = 0.25
"""Part of the cube root of the gradient's rounding that the step is at least."""


def laplace(target: Target, x: FloatArray, start: Effects) -> "Laplace":
    """
    Approximate the likelihood; LinAlgError where it can't be.

    x : parameters of the covariances, fixed effects of all predictors
    start : a, of random effects b = Sigma a, from which the mode is sought
    """
    t, betas = target.split(x)
    roots = target.parameters.roots(t)
    mode = mode_of(target, roots, target.fixed(betas), start)
    density, expected = target.density(mode.eta, slopes=True), None
    if target.counted == "expected":
        expected = target.family.expected_rows(target.observed, mode.eta, target.keys(slopes=True))
    weights = target.weights(density)
    if expected is None:
        observed = target.factorised(weights, roots)
        return Laplace(target, x, mode, density, None, observed, observed)
    counted = target.factorised({(0, 0): np.broadcast_to(expected.value, target.n)}, roots)
    try:
        observed = target.factorised(weights, roots)
    except np.linalg.LinAlgError:  # the observed weights are not those of a maximum
        observed = counted
    return Laplace(target, x, mode, density, expected, counted, observed)


@dataclass(frozen=True)
class Laplace:
    """
    The approximation at parameters x.

    mode : of the random effects
    density : of the rows there, with the slopes of their curvature
    expected : expected weights with their slopes, where they count
    M : factorised with the weights that count
    observed : with the observed ones
    """

    target: Target
    x: FloatArray
    mode: Mode
    density: Jet
    expected: Jet | None
    M: Factorised
    observed: Factorised

    @cached_property
    def value(self) -> float:
        """-2 log likelihood."""
        return -2 * self.mode.value + self.M.log_det

    @property
    def weights(self) -> FloatArray:
        """(n,) weights of the mean's predictor that count."""
        found = -np.asarray(self.density.at(0, 0)) if self.expected is None else self.expected.value
        return np.broadcast_to(found, self.target.n)

    def _slopes(self) -> list[FloatArray]:
        """Return v_l for all predictors."""
        h, out = self.target.rows.leverages(self.M), []
        for number in range(len(self.target.predictors)):
            if self.expected is not None:
                v = h.get((0, 0), 0.0) * np.asarray(self.expected.at(number))
            else:
                v = np.zeros(1)
                for (j, k), value in h.items():
                    v = v - (1.0 if j == k else 2.0) * value * self.density.at(j, k, number)
            out.append(np.asarray(v, dtype=np.float64).reshape(-1))
        return out

    @cached_property
    def gradient(self) -> FloatArray:
        """Derivatives of the value in x."""
        target, rows, density = self.target, self.target.rows, self.density
        target.budget.spend(target.costs.gradient)
        v = self._slopes()
        back = self.observed.apply(rows.transposed({j: np.broadcast_to(v[j], target.n) for j in target.blocked}))
        c = {j: rows.applied(back, j) for j in target.blocked}
        r = [v_l + sum(density.at(number, j) * c[j] for j in target.blocked) for number, v_l in enumerate(v)]
        e = rows.transposed(target.scores(density)).parts
        f = rows.transposed({j: np.broadcast_to(r[j], target.n) for j in target.blocked}).parts
        G = []
        for K, (score, turned) in zip(self.M.level_sums(), zip(e, f, strict=True), strict=True):
            s, w = score[:, 0], turned[:, 0]
            G.append(K - s @ s.T + (w @ s.T + s @ w.T) / 2)
        t, _ = target.split(self.x)
        by_t = target.parameters.gradient(target.parameters.directions(t), G)
        by_beta = [
            p.transposed(np.atleast_1d(r_l - 2 * np.asarray(density.at(number))), target.n)
            for number, (p, r_l) in enumerate(zip(target.predictors, r, strict=True))
        ]
        out = np.concatenate([by_t, *by_beta])
        out[self._flat] = 0.0
        return out

    @property
    def modes(self) -> list[FloatArray]:
        """Per factor, (k, J) random effects b."""
        return [part[:, 0] for part in self.mode.b.parts]

    @cached_property
    def hessian(self) -> FloatArray:
        """Second derivatives in x, central differences of the gradient."""

        def row(step: FloatArray) -> FloatArray:
            after = laplace(self.target, self.x + step, self.mode.a)
            before = laplace(self.target, self.x - step, 2.0 * self.mode.a - after.mode.a)  # the mode moves in a line
            return (after.gradient - before.gradient) / (2 * self._step)

        return self._rows(row)

    def rough_hessian(self) -> FloatArray:
        """Return second derivatives in x, forward differences of the gradient: half the work, good enough to begin."""
        return self._rows(
            lambda step: (laplace(self.target, self.x + step, self.mode.a).gradient - self.gradient) / self._step
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
        t, betas = self.target.split(self.x)
        parts = [np.full(len(b), far) for b, far in zip(betas, self.target.flat(betas), strict=True)]
        return np.concatenate([np.zeros(len(t), dtype=bool), *parts])

    @property
    def _step(self) -> float:
        """
        Step of the differences of the gradient, longer where it has fewer digits.

        That of the linear predictor's rounding moves it by the largest element of M.
        """
        each = zip(self.observed.gram.own, self.observed.roots, strict=True)
        largest = max(1.0, *(float(np.abs(C).max(initial=0.0)) * float(np.square(T).sum()) for C, T in each))
        rounding = np.finfo(np.float64).eps * float(np.abs(self.mode.eta[0]).max()) * largest
        return max(DIFFERENCE_STEP, NOISY_STEP * float(np.cbrt(rounding)))
