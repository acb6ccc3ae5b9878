"""Fit a generalised linear mixed model by Laplace's method: `DesignMatrices` and family -> frozen `GlmmFit`."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import inf
from typing import Literal

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.design.coordinates import symmetric
from lmmformula.design.matrices import DesignMatrices, RandomTermDesign
from lmmformula.errors import FitError
from lmmformula.fit import blocks
from lmmformula.fit.convergence import Judgement, judge
from lmmformula.fit.covariances import Parameters, covariance_map
from lmmformula.fit.families import kernel_of
from lmmformula.fit.laplace import Laplace, laplace
from lmmformula.fit.modes import Target, joint_mode
from lmmformula.fit.quadrature import Approximation, approximation
from lmmformula.fit.quasi_newton import descend
from lmmformula.fit.settings import OptimizerLog, OptimizerSettings
from lmmformula.fit.structure import DENSE_COPIES, memory
from lmmformula.fit.theta import sigma_of, split_theta, theta_of
from lmmformula.fit.weighted import Effects, InnerColumns, Pattern, inner_columns
from lmmformula.fit.work import Budget
from lmmformula.ir.family import Family

FIRST_DEVIATION = 0.7
"""Standard deviation of random effects to begin at, on the linear predictor's scale."""

EM_STEPS = 4
"""Steps of the EM algorithm (fixed effects with the modes) before the optimiser starts."""

LEAST_DEVIATION = 0.05
"""Standard deviation below which the optimiser does not start: at zero the criterion is stationary, least or not."""

SMALLEST_CURVATURE = 1e-8
"""Curvatures below this part of the largest count as none: nothing is known in that direction."""

SEPARATED = 50.0
"""Standard error of a fixed effect, of columns of unit mean square, that shows that there is no finite estimate."""


@dataclass(frozen=True)
class GlmmFit:
    """
    The fitted numbers of a generalised linear mixed model; names and shapes are those of `Fit`.

    family : distribution and link
    theta : (n_theta,) covariance parameters, lme4's order and signs, on the scale of the linear predictor
    beta : (p,) fixed effects
    parameters : of the family, by name: shape, phi, sigma, nu, zi
    parameter_errors : their standard errors
    criterion : -2 log likelihood
    relative_covariance : per random term, (k, k) covariance of its coefficients; relative to 1
    modes : per random term, (J, k) conditional modes b
    mode_covariances : per random term, (J, k, k) covariances of b given y and all parameters
    covariance_errors : per random term, (k, k) standard errors: of standard deviations on the diagonal, of correlations
        off it; NaN on a boundary
    vcov : (p, p) covariance of beta, from the second derivatives of the criterion in all parameters
    vcov_conditional : (p, p) the same for known theta and working weights, (X' V^-1 X)^-1
    weights : (n,) working weights at the modes
    log_det_L, penalty : log|L| and u'u
    verdict : "ok", "boundary" (singular, and rightly so) or "failed"
    message : what the verdict is about, and what to try; empty for "ok"
    nagq : nodes of the quadrature, 1 for Laplace's approximation
    log : what the optimiser did
    settings : its tolerances
    """

    family: Family
    theta: FloatArray
    beta: FloatArray
    parameters: dict[str, float]
    parameter_errors: dict[str, float]
    criterion: float
    relative_covariance: tuple[FloatArray, ...]
    modes: tuple[FloatArray, ...]
    mode_covariances: tuple[FloatArray, ...]
    covariance_errors: tuple[FloatArray, ...]
    vcov: FloatArray
    vcov_conditional: FloatArray
    weights: FloatArray
    log_det_L: float
    penalty: float
    verdict: Literal["ok", "boundary", "failed"]
    message: str
    nagq: int = 1
    log: OptimizerLog = field(default=OptimizerLog(), repr=False)
    settings: OptimizerSettings = field(default=OptimizerSettings(), repr=False)

    @property
    def sigma(self) -> float:
        """1, by which covariances are relative."""
        return 1.0


def fit_glmm(
    design: DesignMatrices,
    family: Family,
    *,
    start: FloatArray | None = None,
    nagq: int = 1,
    settings: OptimizerSettings | None = None,
    most_work: float = inf,
) -> GlmmFit:
    """
    Fit by maximum likelihood, Laplace's approximation.

    start : theta to start from, lme4's order
    nagq : nodes of adaptive Gauss-Hermite quadrature; 1 is Laplace's approximation
    most_work : rows times columns times evaluations, see `lmmformula.fit.work`, after which it gives up

    Raises
    ------
    FitError
        There is no such fit: of this family, of data whose rows were not kept, or because it can't be computed.
    OutOfWork
        It takes more work than that.
    """
    settings = settings or OptimizerSettings()
    problem = _Problem.of(design, family, Budget(most_work))
    approximate = approximation(problem.target, nagq)
    try:
        with np.errstate(all="ignore"):  # densities that overflow are refused as points, not reported
            first = problem.start() if start is None else problem.started(start)
            found, log = descend(problem.target, *first, approximate, settings)
            fit = _report(problem, _snapped(problem, found, approximate, settings), log, settings)
            return replace(fit, nagq=nagq)
    except np.linalg.LinAlgError as error:
        raise FitError(
            f"the likelihood can't be computed for these data ({error})",
            hint="try a simpler model, or priors: .sample() needs no fit",
        ) from error


@dataclass(frozen=True, slots=True)
class _Problem:
    """A design made ready: its columns in inner coordinates, and what is maximised."""

    design: DesignMatrices
    family: Family
    columns: InnerColumns
    target: Target

    @classmethod
    def of(cls, design: DesignMatrices, family: Family, budget: Budget) -> "_Problem":
        """Refuse what can't be fitted, and prepare the rest."""
        if not design.has_rows:
            raise FitError(
                f"the fit of the family {family.name} reads the rows of the data, which were not kept",
                hint="read the data into memory; only gaussian models are fitted from sums",
            )
        kernel, columns, terms = kernel_of(design, family), inner_columns(design), design.random_terms
        pattern = Pattern.of(columns.factors, budget)
        needed = DENSE_COPIES * 8.0 * pattern.q2**2
        if needed > memory():
            raise FitError(
                f"the model needs {needed / 1e9:.0f} GB: {pattern.q2} random effects besides the largest factor's",
                hint="leave out a grouping factor, or merge its rare levels",
            )
        maps = tuple(
            tuple(covariance_map(terms[t].covariance, terms[t].n_coefficients) for t in f.terms)
            for f in columns.factors
        )
        offset = 0.0 if design.offset is None else design.offset / kernel.scale
        return cls(design, family, columns, Target(kernel, columns.X, offset, pattern, Parameters(maps)))

    @property
    def terms(self) -> tuple[RandomTermDesign, ...]:
        """The random terms."""
        return self.design.random_terms

    def start(self) -> tuple[FloatArray, Effects]:
        """Alternate modes of fixed and random effects with EM steps for the covariances."""
        target = self.target
        t = target.parameters.nearest(
            [[FIRST_DEVIATION**2 * np.eye(size) for size in f.sizes] for f in self.columns.factors]
        )
        return self._alternated(t, EM_STEPS)

    def started(self, theta: FloatArray) -> tuple[FloatArray, Effects]:
        """Begin at a given theta."""
        shapes = [(term.covariance, term.n_coefficients) for term in self.terms]
        parts = split_theta(shapes, theta)
        scale = self.target.kernel.scale
        users = [sigma_of(c, own, k) / scale**2 for (c, k), own in zip(shapes, parts, strict=True)]
        inner = [self._inner(t, S) + LEAST_DEVIATION**2 * np.eye(len(S)) for t, S in enumerate(users)]
        t = self.target.parameters.nearest([[inner[t] for t in f.terms] for f in self.columns.factors])
        return self._alternated(t, 0)

    def _inner(self, term: int, covariance: FloatArray) -> FloatArray:
        half = np.linalg.solve(self.columns.random[term], covariance)
        return symmetric(np.linalg.solve(self.columns.random[term], half.T))

    def _alternated(self, t: FloatArray, steps: int) -> tuple[FloatArray, Effects]:
        target, kernel = self.target, self.target.kernel
        psi, u = kernel.start(), self.target.nothing()
        beta = target.X.T @ (kernel.predictor() - target.offset) / self.design.nobs
        for step in range(steps + 1):
            mode = joint_mode(target, target.parameters.roots(t), beta, psi, u)
            beta, u = mode.beta, mode.u
            if step < steps:
                t = self._expected(laplace(target, np.concatenate([t, beta, psi]), u))
        return np.concatenate([t, beta, psi]), u

    def _expected(self, point: Laplace) -> FloatArray:
        """Return the covariances that are expected of the random effects, given the response."""
        covariances = []
        for factor, b, V in zip(self.columns.factors, point.modes, point.curvature.covariances(), strict=True):
            S = (b @ b.T + V.sum(axis=2)) / factor.n_levels + LEAST_DEVIATION**2 * np.eye(factor.k)
            covariances.append([S[place, place] for place in factor.slices()])
        return self.target.parameters.nearest(covariances)

    def by_term(self, per_factor: Sequence[FloatArray], *, square: bool) -> list[FloatArray]:
        """Cut (k, ..) or (k, k, ..) arrays of the factors into those of the terms, in the order of the terms."""
        out: dict[int, FloatArray] = {}
        for factor, array in zip(self.columns.factors, per_factor, strict=True):
            for term, place in zip(factor.terms, factor.slices(), strict=True):
                out[term] = array[place, place] if square else array[place]
        return [out[t] for t in range(len(self.terms))]


def _snapped(problem: _Problem, found: Laplace, approximate: Approximation, settings: OptimizerSettings) -> Laplace:
    """Put standard deviations that are zero but for rounding to zero exactly, if the criterion agrees."""
    t, beta, psi = problem.target.split(found.x)
    moved = problem.target.parameters.snapped(t, settings.zero_deviation)
    if np.array_equal(moved, t):
        return found
    there = approximate(problem.target, np.concatenate([moved, beta, psi]), found.mode.u)
    enough = settings.stop_decrease + settings.rounding * abs(found.value)
    return there if there.value <= found.value + enough else found


def _report(problem: _Problem, point: Laplace, log: OptimizerLog, settings: OptimizerSettings) -> GlmmFit:
    """Translate a point back to the user's coordinates."""
    target, columns, terms = problem.target, problem.columns, problem.terms
    t, beta, psi = target.split(point.x)
    scale, p = target.kernel.scale, len(beta)
    inner = problem.by_term([T @ T.T for T in point.curvature.roots], square=True)
    covariances = [scale**2 * symmetric(U @ S @ U.T) for U, S in zip(columns.random, inner, strict=True)]
    V = problem.by_term(point.curvature.covariances(), square=True)
    whole = covariance_from(point.hessian)
    joint = whole[len(t) :, len(t) :]
    conditional = _conditional(point)
    judgement = _judged(problem, inner, joint[:p, :p], log, settings)
    basis = scale * columns.fixed
    names, units = target.kernel.names, np.array([scale if n == "sigma" else 1.0 for n in target.kernel.names])
    errors = units * np.abs(target.kernel.slopes(psi)) * np.sqrt(np.diag(joint[p:, p:]))
    return GlmmFit(
        family=problem.family,
        theta=np.concatenate(
            [np.zeros(0), *(theta_of(a.covariance, S) for a, S in zip(terms, covariances, strict=True))]
        ),
        beta=basis @ beta,
        parameters=dict(zip(names, (units * target.kernel.values(psi)).tolist(), strict=True)),
        parameter_errors=dict(zip(names, errors.tolist(), strict=True)),
        criterion=point.value,
        relative_covariance=tuple(covariances),
        modes=tuple(
            np.ascontiguousarray(scale * (U @ b).T)
            for U, b in zip(columns.random, problem.by_term(point.modes, square=False), strict=True)
        ),
        mode_covariances=tuple(
            scale**2 * blocks.contract("ab,bcj,dc->jad", U, v, U) for U, v in zip(columns.random, V, strict=True)
        ),
        covariance_errors=tuple(_covariance_errors(problem, t, whole[: len(t), : len(t)], covariances)),
        vcov=basis @ joint[:p, :p] @ basis.T,
        vcov_conditional=basis @ conditional @ basis.T,
        weights=point.mode.rows.weight / scale**2,
        log_det_L=point.curvature.log_det / 2,
        penalty=point.mode.u.dot(point.mode.u),
        verdict=judgement.verdict,
        message=judgement.message,
        log=log,
        settings=settings,
    )


def covariance_from(hessian: FloatArray) -> FloatArray:
    """
    Return twice the inverse of the criterion's second derivatives, leaving out directions without curvature.

    A parameter in which the criterion is flat, such as a shape that is as good as infinite, has rounding errors beside
    a diagonal of zero: its curvature counts as what rounding leaves of the largest one.
    """
    diagonal = np.abs(np.diag(hessian))
    least = np.finfo(np.float64).eps * diagonal.max(initial=0.0)
    scale = np.sqrt(np.maximum(diagonal, max(least, 1e-300)))
    raised = hessian + np.diag(np.maximum(least - diagonal, 0.0))
    values, vectors = np.linalg.eigh(raised / np.outer(scale, scale))
    keep = values > SMALLEST_CURVATURE * values[-1:].max(initial=0.0)
    out: FloatArray = 2 * (vectors[:, keep] / values[keep]) @ vectors[:, keep].T / np.outer(scale, scale)
    return out


def _covariance_errors(
    problem: _Problem, t: FloatArray, vcov: FloatArray, covariances: Sequence[FloatArray]
) -> list[FloatArray]:
    """Carry the covariance of the parameters t over to standard deviations and correlations, term by term."""
    parameters, out, at = problem.target.parameters, {}, 0
    for factor, maps, parts in zip(problem.columns.factors, parameters.maps, parameters.split(t), strict=True):
        for term, m, own in zip(factor.terms, maps, parts, strict=True):
            U = problem.target.kernel.scale * problem.columns.random[term]
            slopes = _slopes(covariances[term], U @ m.directions(own) @ U.T)
            here = slice(at, at + m.size)
            variances = np.einsum("iab,ij,jab->ab", slopes, vcov[here, here], slopes)
            out[term] = np.sqrt(np.where(variances > 0.0, variances, np.nan))
            at += m.size
    return [out[term] for term in range(len(out))]


def _slopes(S: FloatArray, directions: FloatArray) -> FloatArray:
    """Return (n, k, k) changes of standard deviations (diagonal) and correlations along directions of a covariance."""
    sds = np.sqrt(np.diag(S))
    relative = np.einsum("iaa->ia", directions) / (2 * sds**2)  # of the logarithms of the standard deviations
    r = S / np.outer(sds, sds)
    out: FloatArray = directions / np.outer(sds, sds) - r * (relative[:, :, None] + relative[:, None, :])
    k = np.arange(len(S))
    out[:, k, k] = relative * sds
    return out


def _conditional(point: Laplace) -> FloatArray:
    """Return (X'V^-1X)^-1 at the working weights."""
    M, X, w = point.curvature, point.target.X, point.mode.rows.weight
    weighted = w[:, None] * X
    B = M.root_transposed(point.target.pattern.table(weighted))
    A = X.T @ weighted - B.gram(M.solve(B))
    return blocks.solve(A, np.eye(len(A))) if len(A) else A


def _judged(
    problem: _Problem, inner: Sequence[FloatArray], vcov: FloatArray, log: OptimizerLog, settings: OptimizerSettings
) -> Judgement:
    """Add to the verdict on covariances that on fixed effects without a finite estimate."""
    largest = float(np.sqrt(np.diag(vcov).max(initial=0.0)))
    if problem.target.kernel.scale == 1.0 and largest > SEPARATED:
        worst = int(np.argmax(np.diag(problem.columns.fixed @ vcov @ problem.columns.fixed.T)))
        message = f"the likelihood is flat in '{problem.design.fixed_names[worst]}': do some columns"
        return Judgement("failed", f"{message} tell the response exactly (separation)? Leave them out, or use priors.")
    return judge(problem.terms, inner, problem.columns.random, problem.design.nobs, log, settings)
