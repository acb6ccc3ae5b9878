"""
Many responses at once: Newton's method on all of them in step, for models with one grouping factor.

The formulas are those of `fit.single`, with an axis for the responses: every array operation works on all levels of all
responses, so that a thousand refits cost some tens of array operations, not thousands. A response on which the method
does not come to rest is left to the ordinary optimiser.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from lmmformula.arrays import BoolArray, FloatArray
from lmmformula.covariances.maps import LinearRoot
from lmmformula.design.sums.records import CrossProducts
from lmmformula.fit.algebra import blocks
from lmmformula.fit.refit import Refits
from lmmformula.fit.reml.problem import Problem
from lmmformula.fit.search.covariances import stacked
from lmmformula.fit.search.settings import OptimizerSettings

MOST_STEPS = 40
"""Newton steps after which a response is left to the ordinary optimiser; five are usual."""

SIZE = 2_000_000
"""Numbers in the largest array."""


@dataclass(frozen=True, slots=True)
class Batch:
    """
    The cross-products of m responses on one design, in inner coordinates.

    problem : the model's; its own response does not matter
    basis : (n, k, k) the root of the relative covariance is T = sum of t_i D_i
    Xy, yy : (m, p) and (m,)
    Zy : (k, m, J)
    """

    problem: Problem
    basis: FloatArray
    Xy: FloatArray
    yy: FloatArray
    Zy: FloatArray

    @classmethod
    def of(cls, problem: Problem, basis: FloatArray, responses: Sequence[CrossProducts]) -> "Batch":
        """Gather the products of the responses."""
        p = problem.products.p
        return cls(
            problem,
            basis,
            Xy=np.array([r.A[:p, p] for r in responses]),
            yy=np.array([r.A[p, p] for r in responses]),
            Zy=np.stack([r.factors[0].B[:, p] for r in responses], axis=1),
        )

    def some(self, rows: BoolArray) -> "Batch":
        """Return some of the responses."""
        return replace(self, Xy=self.Xy[rows], yy=self.yy[rows], Zy=self.Zy[:, rows])

    def at(self, x: FloatArray) -> "BatchPoint":
        """Evaluate all criteria at (m, n) parameters; NaN where one can't be."""
        products, p = self.problem.products, self.problem.products.p
        C, B = products.factors[0].C, products.factors[0].B[:, :p]
        (k, _, J), m = C.shape, len(x)
        T = np.tensordot(x, self.basis, axes=1)
        TC = blocks.contract("mab,bcj->acmj", T, C)
        M = blocks.contract("acmj,mcd->admj", TC, T)
        M[np.arange(k), np.arange(k)] += 1.0
        L = blocks.cholesky(blocks.pack(M.reshape(k, k, m * J)))
        right = np.empty((k, p + 1, m, J))
        right[:, :p] = blocks.contract("mab,bwj->awmj", T, B)
        right[:, p] = blocks.contract("mab,bmj->amj", T, self.Zy)
        Y = blocks.solve_lower(L, right.reshape(k, p + 1, m * J)).reshape(k, p + 1, m, J)
        diagonal = np.diag(blocks.packed_index(k))
        log_det = 2 * np.log(L[diagonal]).reshape(k, m, J).sum(axis=(0, 2))
        A = np.empty((m, p + 1, p + 1))
        A[:, :p, :p] = products.A[:p, :p]
        A[:, :p, p] = A[:, p, :p] = self.Xy
        A[:, p, p] = self.yy
        flat = Y.transpose(2, 1, 0, 3).reshape(m, p + 1, k * J)
        A -= flat @ flat.transpose(0, 2, 1)
        return BatchPoint(self, x, T, TC, L, Y, log_det, np.linalg.cholesky(A).astype(np.float64, copy=False))


@dataclass(slots=True)
class BatchPoint:
    """
    The criteria of m responses.

    T : (m, k, k);  TC, Y : (k, .., m, J);  L : packed Cholesky factors of T'CT + I;  R : (m, p+1, p+1) that of
    [X y]'V^-1[X y], lower triangular
    """

    batch: Batch
    x: FloatArray
    T: FloatArray
    TC: FloatArray
    L: FloatArray
    Y: FloatArray
    log_det: FloatArray
    R: FloatArray

    @property
    def degrees(self) -> int:
        """Degrees of freedom of the residual variance: n - p for REML, n for ML."""
        problem = self.batch.problem
        return problem.products.n - (problem.products.p if problem.reml else 0)

    @property
    def pwrss(self) -> FloatArray:
        """(m,) penalized residual sums of squares."""
        found: FloatArray = self.R[:, -1, -1] ** 2
        return found

    @property
    def value(self) -> FloatArray:
        """(m,) criteria, in inner coordinates."""
        value = self.log_det + self.degrees * (1 + np.log(2 * math.pi * self.pwrss / self.degrees))
        if self.batch.problem.reml:
            value = value + 2 * np.log(np.diagonal(self.R, axis1=1, axis2=2)[:, :-1]).sum(axis=1)
        return np.asarray(value)

    @property
    def inverse_R(self) -> FloatArray:
        """(m, p, p) R_X^-1, upper triangular."""
        p = self.R.shape[1] - 1
        return np.asarray(np.linalg.inv(self.R[:, :p, :p]).transpose(0, 2, 1))

    @property
    def beta(self) -> FloatArray:
        """(m, p) fixed effects."""
        return np.asarray((self.inverse_R @ self.R[:, -1, :-1, None])[:, :, 0])

    def derivatives(self) -> tuple[FloatArray, FloatArray]:
        """Return (m, n) gradients and (m, n, n) Hessians with respect to x."""
        reml, basis = self.batch.problem.reml, self.batch.basis
        K, Q = self._projected()
        k, p = len(K), Q.shape[1] - 1
        m = len(self.x)
        Kf = K.transpose(2, 0, 1, 3).reshape(m, k * k, -1)
        Qf = Q.transpose(2, 0, 1, 3).reshape(m, k * (p + 1), -1)
        QQ = (Qf @ Qf.transpose(0, 2, 1)).reshape(m, k, p + 1, k, p + 1)
        N = blocks.contract("axmj,bxmj->mabj", Q[:, :p], Q[:, :p]).reshape(m, k * k, -1)
        E = blocks.contract("amj,bmj->mabj", Q[:, p], Q[:, p]).reshape(m, k * k, -1)
        G = (Kf - E - (N if reml else 0.0)).sum(axis=2).reshape(m, k, k)
        half = blocks.contract("aij,mjl->mail", basis, self.T)
        D = half + half.transpose(0, 1, 3, 2)
        moments = Kf @ Kf.transpose(0, 2, 1)
        if reml:
            KN = Kf @ N.transpose(0, 2, 1)
            moments = moments - KN - KN.transpose(0, 2, 1)
        weighted = blocks.contract("mqxrz,maqr->maxz", QQ, D)
        traces = _pairs(moments.reshape(m, k, k, k, k), D)
        if reml:
            inner = weighted[:, :, :p, :p].reshape(m, len(basis), -1)
            traces = traces + inner @ inner.transpose(0, 2, 1)
        KE = (Kf @ E.transpose(0, 2, 1)).reshape(m, k, k, k, k)
        side = weighted[:, :, :p, p]
        quadratic = _pairs(KE, D) - side @ side.transpose(0, 2, 1)
        linear = weighted[:, :, p, p]
        hessian = 2 * quadratic - linear[:, :, None] * linear[:, None, :] / self.degrees - traces
        flat = basis.reshape(len(basis), -1)
        hessian += 2 * np.einsum("ax,mbx->mab", flat, (G[:, None] @ basis).reshape(m, len(basis), -1))
        gradient = np.einsum("maij,mij->ma", D, G)
        return gradient, (hessian + hessian.transpose(0, 2, 1)) / 2

    def _projected(self) -> tuple[FloatArray, FloatArray]:
        """Return (k, k, m, J) Z'V^-1Z and (k, p+1, m, J) Z'V^-1[X R^-1, e], e scaled by sqrt(degrees) / r."""
        batch, products = self.batch, self.batch.problem.products
        C = products.factors[0].C
        (k, _, J), m, p = C.shape, len(self.x), products.p
        H = blocks.solve_lower(self.L, self.TC.reshape(k, k, m * J).copy()).reshape(k, k, m, J)
        K = C[:, :, None] - blocks.einsum("camj,cbmj->abmj", H, H)
        F = np.zeros((m, p + 1, p + 1))
        scale = np.sqrt(self.degrees / self.pwrss)
        F[:, :p, :p] = self.inverse_R
        F[:, :p, p] = -self.beta * scale[:, None]
        F[:, p, p] = scale
        B = np.empty((k, p + 1, m, J))
        B[:, :p] = products.factors[0].B[:, :p, None]
        B[:, p] = batch.Zy
        right = B - blocks.einsum("camj,cwmj->awmj", H, self.Y)
        return K, blocks.contract("awmj,mwv->avmj", right, F)


def _pairs(table: FloatArray, D: FloatArray) -> FloatArray:
    """Return sums over p, q, r, s of table[pq, rs] D_a,qr D_b,sp for each response."""
    return blocks.contract("mpqrs,maqr,mbsp->mab", table, D, D)


def basis_of(problem: Problem) -> FloatArray | None:
    """Return the basis of the one factor's root; None where the model is of another kind."""
    if problem.structure.name != "single":
        return None
    (maps,) = problem.parameters.maps
    if not all(isinstance(m, LinearRoot) for m in maps):
        return None
    return stacked([m.basis for m in maps if isinstance(m, LinearRoot)])


def refit_batch(
    problem: Problem,
    basis: FloatArray,
    responses: Sequence[CrossProducts],
    start: FloatArray,
    settings: OptimizerSettings,
) -> tuple[Refits, BoolArray]:
    """
    Fit all responses.

    start : (n,) parameters to start at, the same for all

    Returns
    -------
    refits, found
        The estimates, and for which of the responses they are any: the others have to be fitted by themselves.
    """
    k, J = problem.products.factors[0].k, problem.products.factors[0].n_levels
    step = max(1, SIZE // (k * max(k, problem.products.p + 1) * J))
    parts = []
    for first in range(0, len(responses), step):
        some = responses[first : first + step]
        batch = Batch.of(problem, basis, some)
        x, found = _minimise(batch, np.tile(start, (len(some), 1)), settings)
        parts.append((_report(batch, some, _snapped(batch, x, settings), settings), found))
    fields = ("theta", "beta", "sigma", "criterion", "std_errors", "boundary", "failed")
    joined = {name: np.concatenate([getattr(refits, name) for refits, _ in parts]) for name in fields}
    return Refits(**joined), np.concatenate([found for _, found in parts])


def _minimise(batch: Batch, x: FloatArray, settings: OptimizerSettings) -> tuple[FloatArray, BoolArray]:
    """
    Return where each criterion is least, and which of the responses came to rest.

    Steps are Newton's with the absolute values of the curvatures, so that each goes downhill, at most `radius` long.
    """
    point = batch.at(x)
    x, value = x.copy(), point.value
    gradient, hessian = point.derivatives()
    radius = np.full(len(x), 1.0) * np.maximum(1.0, np.linalg.norm(x, axis=1))
    active = np.ones(len(x), dtype=bool)
    found = np.zeros(len(x), dtype=bool)
    for _ in range(MOST_STEPS):
        step, predicted, convex = _steps(gradient[active], hessian[active], radius[active])
        enough = np.maximum(settings.stop_decrease, settings.stop_decrease_relative * np.abs(value[active]))
        rests = (predicted <= enough) & convex
        rows = np.flatnonzero(active)
        x[rows[rests]] += step[rests]  # the last step doubles the correct digits
        found[rows[rests]] = True
        active[rows[rests | (predicted <= 0.0)]] = False
        rows, step, predicted = rows[active[rows]], step[active[rows]], predicted[active[rows]]
        if not len(rows):
            break
        there = batch.some(active).at(x[rows] + step)
        decrease = value[rows] - there.value
        better = decrease > 0.0
        length = np.linalg.norm(step, axis=1)
        poor, good = decrease < settings.shrink_below * predicted, decrease > settings.expand_above * predicted
        longer = np.where(good, settings.expand_factor * length, radius[rows])
        radius[rows] = np.where(poor, settings.shrink_factor * length, longer)
        x[rows[better]] += step[better]
        value[rows[better]] = there.value[better]
        slopes, bends = there.derivatives()
        gradient[rows[better]], hessian[rows[better]] = slopes[better], bends[better]
    return x, found


def _steps(gradient: FloatArray, hessian: FloatArray, radius: FloatArray) -> tuple[FloatArray, FloatArray, BoolArray]:
    """Return steps, the decreases that they promise, and where the Hessian has no negative curvature."""
    values, vectors = np.linalg.eigh(hessian)
    size = np.abs(values).max(axis=1, keepdims=True)
    g = np.einsum("mij,mi->mj", vectors, gradient)
    s = -g / np.maximum(np.abs(values), 1e-10 * size)
    length = np.linalg.norm(s, axis=1)
    s *= np.minimum(1.0, radius / np.maximum(length, 1e-300))[:, None]
    predicted = -(g * s).sum(axis=1) - 0.5 * (np.maximum(values, 0.0) * s**2).sum(axis=1)
    return np.einsum("mij,mj->mi", vectors, s), predicted, values[:, 0] > -1e-6 * size[:, 0]


def _snapped(batch: Batch, x: FloatArray, settings: OptimizerSettings) -> FloatArray:
    """Put standard deviations that are zero but for rounding to zero, where the criterion agrees."""
    parameters = batch.problem.parameters
    zeros = np.array([parameters.snapped(row, settings.zero_deviation) for row in x])
    changed = (zeros != x).any(axis=1)
    if changed.any():
        some = batch.some(changed)
        here, there = some.at(x[changed]).value, some.at(zeros[changed]).value
        agreed = there <= here + settings.stop_decrease + settings.rounding * np.abs(here)
        x[np.flatnonzero(changed)[agreed]] = zeros[changed][agreed]
    return x


def _report(batch: Batch, responses: Sequence[CrossProducts], x: FloatArray, settings: OptimizerSettings) -> Refits:
    """Translate the estimates back to the user's coordinates."""
    problem, point = batch.problem, batch.at(x)
    scale = np.array([r.coordinates.y_scale for r in responses])
    pilots = np.array([r.coordinates.pilot for r in responses])
    fixed = problem.products.coordinates.fixed
    sigma = scale * np.sqrt(point.pwrss / point.degrees)
    half = fixed @ point.inverse_R
    criterion = [
        r.coordinates.criterion(
            float(v), degrees=point.degrees, reml=problem.reml, sum_log_weights=problem.products.sum_log_weights
        )
        for r, v in zip(responses, point.value, strict=True)
    ]
    inner = point.T @ point.T
    smallest = np.abs(np.linalg.eigvalsh(point.T)).min(axis=1)
    return Refits(
        theta=np.array([_theta(problem, S) for S in inner]),
        beta=pilots + scale[:, None] * (point.beta @ fixed.T),
        sigma=sigma,
        criterion=np.array(criterion),
        std_errors=sigma[:, None] * np.linalg.norm(half, axis=2),
        boundary=smallest < settings.singular_deviation,
        failed=np.zeros(len(x), dtype=bool),
    )


def _theta(problem: Problem, inner: FloatArray) -> FloatArray:
    """Return theta of the factor's inner relative covariance."""
    parts = []
    for t, S in enumerate(problem.own_blocks([inner])):
        parts.append(problem.terms[t].covariance.theta_of(problem.products.coordinates.sigma_user(t, S)))
    return np.concatenate(parts)
