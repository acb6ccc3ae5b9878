"""Fit a generalised linear mixed model by Laplace's method: `Design` and family -> frozen `GlmmFit`."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import inf, log
from typing import Literal

import numpy as np

from lmmformula.arrays import BoolArray, FloatArray
from lmmformula.design.design import Design, RandomTermDesign
from lmmformula.design.sums.records import symmetric
from lmmformula.errors import FitError
from lmmformula.families.calculus.links import LINKS
from lmmformula.fit.algebra import blocks
from lmmformula.fit.algebra.effects import Effects
from lmmformula.fit.algebra.plan import elimination_of, refuse_wide, structure_of
from lmmformula.fit.algebra.rows import RowSums
from lmmformula.fit.likelihood.columns import InnerColumns, inner_columns
from lmmformula.fit.likelihood.information import Information
from lmmformula.fit.likelihood.laplace import Laplace, laplace
from lmmformula.fit.likelihood.modes import joint_mode
from lmmformula.fit.likelihood.quadrature import Approximation, approximation
from lmmformula.fit.likelihood.quasi_newton import descend
from lmmformula.fit.likelihood.response import check_curvature, observed_of, start_of, unit_of
from lmmformula.fit.likelihood.separation import touched
from lmmformula.fit.likelihood.target import CurvatureKind, Predictor, Target
from lmmformula.fit.search.convergence import Judgement, judge, undetermined
from lmmformula.fit.search.covariances import Parameters
from lmmformula.fit.search.more_starts import lowest, more_starts
from lmmformula.fit.search.settings import OptimizerLog, OptimizerSettings
from lmmformula.fit.search.theta import split_theta
from lmmformula.fit.search.work import Budget, Costs
from lmmformula.ir.family import Family

FIRST_DEVIATION = 0.7
"""Standard deviation of random effects to begin at, on the linear predictor's scale."""

EM_STEPS = 4
"""Steps of the EM algorithm (fixed effects with the modes) before the optimiser starts."""

LEAST_DEVIATION = 0.05
"""Standard deviation below which the optimiser does not start: at zero the criterion is stationary, least or not."""

HALVINGS = 60
"""Times that an estimate without end is halved."""

ENDLESS = 10.0
"""Standard deviation between levels, on the predictor's scale, that is no estimate where ..."""

UNTOLD = 0.1
"""... the curvatures of all rows sum up to less than this for each level."""


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
    flat : (p, m) directions of beta in which the likelihood is flat (separation); none, (p, 0), in most fits, and all
        beside a variance without end. Functions of beta with a part in one have no finite estimate, see `unestimable`
    vcov : (p, p) covariance of beta, from the second derivatives of the criterion in all parameters; along a flat
        direction a very large variance stands for an infinite one, so that functions without a part in it keep theirs
    vcov_conditional : (p, p) the same for known theta and working weights, (X' V^-1 X)^-1
    weights : (n,) working weights at the modes: the curvature of the rows' log densities that the criterion counts
    log_det_L, penalty : log|L| and u'u
    verdict : "ok", "boundary" (singular, and rightly so) or "failed"
    message : what the verdict is about, and what to try; mostly empty for "ok"
    nagq : nodes of the quadrature, 1 for Laplace's approximation
    curvature : "observed", or "expected" as in lme4
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
    flat: FloatArray
    vcov: FloatArray
    vcov_conditional: FloatArray
    weights: FloatArray
    log_det_L: float
    penalty: float
    verdict: Literal["ok", "boundary", "failed"]
    message: str
    nagq: int = 1
    curvature: CurvatureKind = "observed"
    log: OptimizerLog = field(default=OptimizerLog(), repr=False)
    settings: OptimizerSettings = field(default=OptimizerSettings(), repr=False)

    @property
    def sigma(self) -> float:
        """1, by which covariances are relative."""
        return 1.0

    def unestimable(self, L: FloatArray) -> BoolArray:
        """Tell which of (r, p) functions of beta have no finite estimate, (r,)."""
        return touched(L, self.flat)

    def again(self, design: Design, *, start: FloatArray | None = None) -> "GlmmFit":
        """Fit another design by the same approximation and tolerances; without random terms there is no quadrature."""
        nagq = self.nagq if design.random_terms else 1
        return fit_glmm(design, self.family, start=start, nagq=nagq, curvature=self.curvature, settings=self.settings)


def fit_glmm(
    design: Design,
    family: Family,
    *,
    start: FloatArray | None = None,
    nagq: int = 1,
    curvature: CurvatureKind = "observed",
    settings: OptimizerSettings | None = None,
    most_work: float = inf,
) -> GlmmFit:
    """
    Fit by maximum likelihood, Laplace's approximation.

    start : theta to start from, lme4's order
    nagq : nodes of adaptive Gauss-Hermite quadrature; 1 is Laplace's approximation
    curvature : of the log density, which the approximation takes: "observed", or "expected" as in lme4
    most_work : counted as in `lmmformula.fit.search.work`, after which it gives up

    Raises
    ------
    FitError
        There is no such fit: of this family, of data whose rows were not kept, or because it can't be computed.
    OutOfWork
        It takes more work than that.
    """
    settings = settings or OptimizerSettings()
    problem = Prepared.of(design, family, curvature, Budget(most_work))
    approximate = approximation(problem.target, nagq)
    try:
        with np.errstate(all="ignore"):  # densities that overflow are refused as points, not reported
            first = problem.start() if start is None else problem.started(start)
            found, log = descend(problem.target, *first, approximate, settings)
            if start is None and most_work == inf:
                found, log = _lowest(problem, found, log, approximate, settings)
            kept = _held(problem, _snapped(problem, found, approximate, settings), approximate, settings)
            fit = _report(problem, kept, log, settings)
            return replace(fit, nagq=nagq, curvature=curvature)
    except np.linalg.LinAlgError as error:
        raise FitError(
            f"the likelihood can't be computed for these data ({error})",
            hint="try a simpler model, or priors: .sample() needs no fit",
        ) from error


@dataclass(frozen=True, slots=True)
class Prepared:
    """A design made ready: its columns in inner coordinates, and what is maximised."""

    design: Design
    named: Family
    columns: InnerColumns
    target: Target

    @classmethod
    def of(cls, design: Design, family: Family, curvature: CurvatureKind, budget: Budget) -> "Prepared":
        """Refuse what can't be fitted, and prepare the rest."""
        design.need_rows(f"the fit of the family {family.name}")
        refuse_wide(design.random_terms)
        check_curvature(family, curvature)
        (distribution, observed), terms = observed_of(design, family), design.random_terms
        columns = inner_columns(design, unit := unit_of(distribution, observed))
        rows = RowSums.of(columns.factors)
        gram = rows.gram({(0, 0): np.ones(design.nobs)})
        structure = structure_of(gram, [terms[f.terms[0]].group if f.terms else "" for f in columns.factors])
        maps = tuple(
            tuple(terms[t].covariance.free_map(terms[t].n_coefficients) for t in f.terms) for f in columns.factors
        )
        own = [Predictor(np.ones((1, 1)), log(unit) if p.name == "sigma" else 0.0) for p in distribution.parameters]
        predictors = (Predictor(columns.X, 0.0 if design.offset is None else design.offset), *own)
        way, parameters = elimination_of(gram, structure, often=False), Parameters(maps)
        costs = Costs.of_rows(
            gram, structure.name, rows=design.nobs, predictors=len(predictors), parameters=parameters.size
        )
        parts = (distribution, observed, predictors, rows, way, structure.reason, parameters)
        target = Target(*parts, curvature, budget, costs)
        return cls(design, family, columns, target)

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
        users = [c.sigma_of(own, k) for (c, k), own in zip(shapes, parts, strict=True)]
        inner = [self._inner(t, S) + LEAST_DEVIATION**2 * np.eye(len(S)) for t, S in enumerate(users)]
        t = self.target.parameters.nearest([[inner[t] for t in f.terms] for f in self.columns.factors])
        return self._alternated(t, 0)

    def located(self, fit: GlmmFit) -> FloatArray:
        """Return the parameters of a fit, in inner coordinates; those of the family no farther than tells."""
        target = self.target
        inner = [self._inner(t, S) for t, S in enumerate(fit.relative_covariance)]
        t = target.parameters.nearest([[inner[t] for t in f.terms] for f in self.columns.factors])
        beta, limit = blocks.solve(self.columns.fixed, fit.beta), target.family.farthest(target.observed)
        own = [
            np.clip(LINKS[p.link].of(np.array(fit.parameters[p.name])) - at.offset, -limit, limit)
            for p, at in zip(target.family.parameters, target.predictors[1:], strict=True)
        ]
        return np.concatenate([t, beta, np.array(own)])

    def _inner(self, term: int, covariance: FloatArray) -> FloatArray:
        half = np.linalg.solve(self.columns.random[term], covariance)
        return symmetric(np.linalg.solve(self.columns.random[term], half.T))

    def _alternated(self, t: FloatArray, steps: int) -> tuple[FloatArray, Effects]:
        target, columns, a = self.target, self.columns, self.target.nothing()
        family, observed, middles = target.family, target.observed, [p.offset for p in target.predictors[1:]]
        own = start_of(family, observed)
        left = family.predictor(observed) - target.predictors[0].offset
        beta = columns.X.T @ left / (self.design.nobs * columns.unit**2)

        def betas() -> list[FloatArray]:
            return [beta, *(np.array([x - middle]) for x, middle in zip(own, middles, strict=True))]

        for step in range(steps + 1):
            try:
                mode = joint_mode(target, target.parameters.roots(t), betas(), a)
            except np.linalg.LinAlgError:  # there may be none: the optimiser begins here
                break
            beta, a, own = mode.beta, mode.a, family.again(observed, mode.eta[0], own)
            if step < steps:
                t = self._expected(laplace(target, np.concatenate([t, *betas()]), a))
        return np.concatenate([t, *betas()]), a

    def _expected(self, point: Laplace) -> FloatArray:
        """Return the covariances that are expected of the random effects, given the response."""
        covariances = []
        for factor, b, V in zip(self.columns.factors, point.modes, point.M.diagonal_blocks(), strict=True):
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


def _lowest(
    problem: Prepared, found: Laplace, log: OptimizerLog, approximate: Approximation, settings: OptimizerSettings
) -> tuple[Laplace, OptimizerLog]:
    """Start a structured model also elsewhere, with what else was found, and take what is lowest."""
    target, a, rest = problem.target, found.mode.a, found.x[problem.target.parameters.size :]

    def descent(t: FloatArray) -> tuple[float, tuple[Laplace, OptimizerLog]]:
        there = descend(target, np.concatenate([t, rest]), a, approximate, settings)
        return there[0].value, there

    def value(t: FloatArray) -> float:
        return approximate(target, np.concatenate([t, rest]), a).value

    others = more_starts(problem.terms, [f.terms for f in problem.columns.factors], target.parameters, value)
    return lowest((found, log), others, descent, found.value)


def _snapped(problem: Prepared, found: Laplace, approximate: Approximation, settings: OptimizerSettings) -> Laplace:
    """Put standard deviations that are zero but for rounding to zero exactly, if the criterion agrees."""
    t, betas = problem.target.split(found.x)
    moved = problem.target.parameters.snapped(t, settings.zero_deviation)
    if np.array_equal(moved, t):
        return found
    there = approximate(problem.target, np.concatenate([moved, *betas]), found.mode.a)
    enough = settings.stop_decrease + settings.rounding * abs(found.value)
    return there if there.value <= found.value + enough else found


def _held(problem: Prepared, point: Laplace, approximate: Approximation, settings: OptimizerSettings) -> Laplace:
    """Bring estimates that ran far along a flat direction back to where the criterion begins to be flat."""
    target, columns = problem.target, problem.columns
    t, (beta, *own) = target.split(point.x)
    flat = columns.flat(problem.design.X, point.weights, beta).directions
    highest = point.value + settings.stop_decrease + settings.rounding * abs(point.value)
    for _ in range(HALVINGS if flat.size else 0):
        beta = beta - flat @ (flat.T @ beta) / 2
        there = approximate(target, np.concatenate([t, beta, *own]), point.mode.a)
        if not there.value <= highest:
            break
        point = there
    return point


def _report(problem: Prepared, point: Laplace, log: OptimizerLog, settings: OptimizerSettings) -> GlmmFit:
    """Translate a point back to the user's coordinates."""
    target, columns, terms = problem.target, problem.columns, problem.terms
    _, (beta, *own) = target.split(point.x)
    inner = problem.by_term([T @ T.T for T in point.M.roots], square=True)
    covariances = [symmetric(U @ S @ U.T) for U, S in zip(columns.random, inner, strict=True)]
    V = problem.by_term(point.M.diagonal_blocks(), square=True)
    known = Information.of(point, problem.design.X, columns)
    endless = _endless(problem, inner, known)
    judgement = _judged(problem, point, inner, known, log, settings) if endless is None else endless
    known = known if endless is None else known.nothing()
    values, slopes = target.own_values(own)
    errors = np.abs(slopes) * np.sqrt(np.diag(known.whole)[len(point.x) - len(own) :])
    errors[known.limits] = np.nan
    names = [parameter.name for parameter in target.family.parameters]
    return GlmmFit(
        family=problem.named,
        theta=np.concatenate(
            [np.zeros(0), *(a.covariance.theta_of(S) for a, S in zip(terms, covariances, strict=True))]
        ),
        beta=columns.fixed @ beta,
        parameters=dict(zip(names, values.tolist(), strict=True)),
        parameter_errors=dict(zip(names, errors.tolist(), strict=True)),
        criterion=point.value,
        relative_covariance=tuple(covariances),
        modes=tuple(
            np.ascontiguousarray((U @ b).T)
            for U, b in zip(columns.random, problem.by_term(point.modes, square=False), strict=True)
        ),
        mode_covariances=tuple(
            blocks.contract("ab,bcj,dc->jad", U, v, U) for U, v in zip(columns.random, V, strict=True)
        ),
        covariance_errors=tuple(known.covariance_errors(point, columns, covariances)),
        flat=known.flat.user,
        vcov=known.vcov,
        vcov_conditional=known.conditional,
        weights=np.array(point.weights),
        log_det_L=point.M.log_det / 2,
        penalty=point.mode.a.dot(point.mode.b),
        verdict=judgement.verdict,
        message=judgement.message,
        log=log,
        settings=settings,
    )


def _judged(
    problem: Prepared,
    point: Laplace,
    inner: Sequence[FloatArray],
    known: Information,
    log: OptimizerLog,
    settings: OptimizerSettings,
) -> Judgement:
    """Add to the verdict on covariances that on fixed effects without a finite estimate, and on the family's limits."""
    t, (_, *own) = problem.target.split(point.x)
    separated = known.flat.named(problem.design.fixed_names)
    if separated:
        message = f"the likelihood is flat in {separated}: do some columns tell the response exactly (separation)?"
        return Judgement("failed", f"{message} Leave them out, or use priors.")
    ends = np.array([f"'{name}' is estimated as {limit}" for name, limit in problem.target.limits(own)], dtype=object)
    if known.steep.any():
        message = f"the likelihood grows without end: {ends[known.steep][0]}, for the model tells the response exactly"
        return Judgement("failed", f"{message}. Make it simpler.")
    factors, parts = [f.terms for f in problem.columns.factors], problem.target.parameters.split(t)
    bends = point.hessian[: len(t), : len(t)]
    ridge = undetermined(problem.terms, inner, factors, parts, bends, lambda _: inf)
    flat = None if ridge is None else ridge.judged(matters=False)  # by ML only random terms take a variance's place
    notes = list(ends[known.limits])
    return judge(problem.terms, inner, problem.columns.random, problem.design.nobs, log, settings, notes, flat)


def _endless(problem: Prepared, inner: Sequence[FloatArray], known: Information) -> Judgement | None:
    """Judge effects that vary without end between levels, if any do: a row's response is then its level's."""
    for term, S in zip(problem.terms, inner, strict=True):
        if np.sqrt(S.max()) > ENDLESS and known.curvature < UNTOLD * term.n_levels:
            message = f"the variance between the levels of '{term.group}' grows without end: "
            message += "the levels tell the response exactly (separation). Leave the term out, or use priors."
            return Judgement("failed", message)
    return None
