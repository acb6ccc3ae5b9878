"""Where chains start, and on what scale: from estimates of the model's parameters to values for its program."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import prod

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.design.sums.coordinates import block_diagonal
from lmmformula.stan.generate import StanProgram
from lmmformula.stan.metric import dense_metric, shares
from lmmformula.stan.program.record import Block, Covariate, Factor
from lmmformula.stan.program.words import Declaration

SHRINK = 0.95
"""Correlations start at this fraction of their estimates, so that none starts at 1 or -1."""
LEAST_SD = 0.05
"""Standard deviations start at no less than this, in units of sigma over the spread of what they multiply."""


UNKNOWN = 10.0
"""Where a positive parameter starts at most that the data hardly determine, a shape that may as well be infinite."""
TINY = 1e-6
"""Least variance of a parameter of the family."""
LEAST_INFORMATION = 1e-3
"""That counts as any."""


@dataclass(frozen=True)
class StartingPoint:
    """
    A start for chains.

    values : value of every parameter of the program, on its own (constrained) scale
    inverse_metric : rough posterior variances on the sampler's (unconstrained) scale, in the order of the program's
        parameters; None to leave it to the warm-up
    dense : inverse metric with covariances, where these are worth it
    shared : whether they are because columns of X share so much that a diagonal one gets nowhere
    """

    values: dict[str, FloatArray]
    inverse_metric: FloatArray | None = None
    dense: FloatArray | None = None
    shared: bool = False

    @property
    def matrix(self) -> FloatArray:
        """The inverse metric as a matrix."""
        if self.dense is not None:
            return self.dense
        assert self.inverse_metric is not None
        return np.diag(self.inverse_metric)

    def steps(self, noise: FloatArray) -> FloatArray:
        """Turn standard normal numbers, (chains, m), into steps with the spread that the inverse metric expects."""
        assert self.inverse_metric is not None
        if self.dense is not None:
            return noise @ np.linalg.cholesky(self.dense).T
        return np.sqrt(self.inverse_metric) * noise


@dataclass(frozen=True)
class Estimates:
    """
    Estimates to start from, in the design's order and on the user's scale.

    beta, vcov : (p,) fixed effects and (p, p) their covariance matrix
    sigma : residual standard deviation; in other families that of a row with the mean working weight
    covariances : per random term the (k, k) covariance matrix of its coefficients
    modes : per random term the (J, k) random effects
    own : parameters of the family, by name: estimate and standard error
    information : per random term, (J, k) what is known of each level's effects beyond their distribution, tau^2 / v - 1
        of prior and conditional variances; empty where it follows from the number of rows and sigma
    """

    beta: FloatArray
    vcov: FloatArray
    sigma: float
    covariances: Sequence[FloatArray]
    modes: Sequence[FloatArray]
    own: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    information: Sequence[FloatArray] = ()


@dataclass(frozen=True, slots=True)
class Guess:
    """
    A parameter's value, and its rough posterior variance on the unconstrained scale.

    variance : one number for all its elements, or one for each
    """

    value: FloatArray
    variance: FloatArray


def starting_point(program: StanProgram, estimates: Estimates) -> StartingPoint:
    """
    Start where a fit of the same model says that the posterior is.

    The posterior does not depend on it, only the length of the warm-up does.
    """
    guesses = population(program, estimates)
    for factor in program.program.factors:
        guesses |= _factor(program, factor, estimates)
    freedom = max(program.program.n_rows - len(estimates.beta), 1)
    guesses["sigma"] = Guess(np.asarray(estimates.sigma), np.asarray(0.5 / freedom))
    declared = program.program.parameters
    guesses |= {d.name: _own(d, *estimates.own[d.name]) for d in declared if d.name in estimates.own}
    values = {d.name: _within(d, guesses[d.name].value) for d in declared}
    variances = [np.broadcast_to(guesses[d.name].variance, _free_size(d, values[d.name])) for d in declared]
    if not variances:
        return StartingPoint(values)
    metric = np.concatenate(variances)
    means = _means_of_X(program) if program.program.fixed.K else None
    dense = dense_metric(program.program, metric, estimates.vcov, means)
    return StartingPoint(values, metric, dense, shares(program.program.fixed))


def scattered(program: StanProgram, start: StartingPoint, chains: int, seed: int) -> list[dict[str, FloatArray]]:
    """
    Give each chain a start of its own, one posterior standard deviation around `start`, so that R-hat can tell.

    The spread is that of the inverse metric, on the unconstrained scale; correlations stay where they are.
    """
    assert start.inverse_metric is not None
    steps = start.steps(np.random.default_rng(seed).standard_normal((chains, len(start.inverse_metric))))
    declared = program.program.parameters
    ends = np.cumsum([_free_size(d, start.values[d.name]) for d in declared])
    return [
        {
            d.name: _moved(d, start.values[d.name], step)
            for d, step in zip(declared, np.split(own, ends[:-1]), strict=True)
        }
        for own in steps
    ]


def _moved(declaration: Declaration, value: FloatArray, step: FloatArray) -> FloatArray:
    """Take a step on the unconstrained scale: of x, log(x - lower), log(upper - x) or logit of the range."""
    if declaration.base == "cholesky_factor_corr":
        return value
    if declaration.base == "sum_to_zero_vector":
        free = step.reshape(*np.shape(value)[:-1], -1)
        padded = np.concatenate([free, np.zeros((*free.shape[:-1], 1))], axis=-1)
        return np.asarray(value + padded - padded.mean(axis=-1, keepdims=True), dtype=np.float64)
    step = step.reshape(np.shape(value), order="F" if declaration.base == "matrix" else "C")
    lower, upper = _limits(declaration)
    with np.errstate(invalid="ignore"):  # every form is worked out; the one for the bounds there are is taken
        odds = (value - lower) / (upper - value) * np.exp(step)
        forms = {
            (False, False): value + step,
            (True, False): lower + (value - lower) * np.exp(step),
            (False, True): upper - (upper - value) * np.exp(step),
            (True, True): lower + (upper - lower) * odds / (1 + odds),
        }
    chosen = [(np.isfinite(lower) == below) & (np.isfinite(upper) == above) for below, above in forms]
    moved: FloatArray = np.select(chosen, list(forms.values())).reshape(np.shape(value))
    return moved


def _own(declaration: Declaration, value: float, error: float) -> Guess:
    """Guess a parameter of the family; one of which the data say next to nothing starts near its lower bound."""
    lower, upper = (float(bound[0]) for bound in _limits(declaration))
    slope = (value - lower) if not np.isfinite(upper) else (value - lower) * (upper - value) / (upper - lower)
    variance = min(np.square(error / max(slope, TINY)), 1.0) if np.isfinite(error) else 1.0
    if variance == 1.0 and not np.isfinite(upper):
        value = min(value, lower + UNKNOWN)
    return Guess(np.asarray(value), np.asarray(max(variance, TINY)))


def population(program: StanProgram, estimates: Estimates) -> dict[str, Guess]:
    """Guess the intercept at the predictors' means, and the other coefficients."""
    fixed = program.program.fixed
    guesses = {}
    slopes = list(fixed.columns)
    if fixed.K:
        guesses["b"] = Guess(estimates.beta[slopes], np.diag(estimates.vcov)[slopes])
    if fixed.intercept:
        at = np.zeros(len(estimates.beta))
        at[fixed.intercept_column] = 1.0
        if fixed.K:
            at[slopes] = _means_of_X(program)
        guesses[fixed.intercept_name] = Guess(np.asarray(at @ estimates.beta), np.asarray(at @ estimates.vcov @ at))
    return guesses


def _factor(program: StanProgram, factor: Factor, estimates: Estimates) -> dict[str, Guess]:
    """Guess standard deviations, correlations and, where they are sampled, the effects of one grouping factor."""
    sds: list[FloatArray] = []
    roots: list[FloatArray] = []
    information: list[FloatArray] = []
    guesses: dict[str, Guess] = {}
    for block in factor.blocks:
        covariance = np.asarray(estimates.covariances[block.term])
        spreads = _sizes(program, factor)[block.start - 1 : block.stop]
        least = LEAST_SD * estimates.sigma / spreads
        sd = np.maximum(np.sqrt(np.diag(covariance)), least)
        correlation: FloatArray = SHRINK * covariance / np.outer(sd, sd)
        np.fill_diagonal(correlation, 1.0)
        sds.append(sd)
        roots.append(np.asarray(np.linalg.cholesky(_nearest(correlation)), dtype=np.float64))
        information.append(_information(program, factor, block, estimates, sd * spreads / estimates.sigma))
        looseness = np.square(1 + 1 / information[-1].mean(axis=1))
        if factor.sd_from_blocks:
            value = np.asarray(sd.mean()) if block.covariance.homogeneous or len(sd) == 1 else sd
            guesses[block.sd] = Guess(value, np.minimum(looseness.mean() / (2 * factor.n_levels), 1.0))
        if block.correlation:
            value, count = block.covariance.stan_start(correlation, roots[-1], SHRINK)
            variance = np.minimum(looseness.max() * count / factor.n_levels, 1.0)
            guesses[block.correlation] = Guess(value, variance)
    sd = np.concatenate(sds)
    info = np.concatenate(information)
    if not factor.sd_from_blocks:
        variance = np.minimum(np.square(1 + 1 / info.mean(axis=1)) / (2 * factor.n_levels), 1.0)
        guesses[factor.name("sd")] = Guess(sd[0] if factor.k == 1 else sd, variance)
    return guesses | _effects(program, factor, estimates, sd=sd, roots=roots, info=info)


def _information(
    program: StanProgram, factor: Factor, block: Block, estimates: Estimates, relative: FloatArray
) -> FloatArray:
    """Return (k, J) what is known of each level's effects: as estimated, else rows of a mean level times relative^2."""
    if estimates.information:
        return np.maximum(np.asarray(estimates.information[block.term]).T, LEAST_INFORMATION)
    told = program.program.n_rows / factor.n_levels * np.square(relative)
    return np.repeat(told[:, np.newaxis], factor.n_levels, axis=1)


def _effects(
    program: StanProgram,
    factor: Factor,
    estimates: Estimates,
    *,
    sd: FloatArray,
    roots: Sequence[FloatArray],
    info: FloatArray,
) -> dict[str, Guess]:
    """Guess what the effects of a sampled factor are made of."""
    if factor.integrated:
        return {}
    u = np.concatenate([estimates.modes[block.term] for block in factor.blocks], axis=1)
    if factor.treatment == "noncentered":
        L = block_diagonal(roots)
        z = np.linalg.solve(sd[:, np.newaxis] * L, u.T).T
        variance = (1 / (1 + info)).ravel()  # columns of a matrix one behind the other
        return {factor.name("z"): Guess(z[:, 0] if factor.k == 1 else z, variance)}
    means = np.array([_mean(program, factor, i, estimates) for i in factor.carried])
    coefficients = u + means
    variance = np.square(sd)[:, np.newaxis] / (1 + info)
    if factor.treatment == "sum_to_zero":
        return _deviations(program, factor, estimates, coefficients=coefficients, sd=sd, variance=variance.mean(axis=1))
    name = factor.name("u" if factor.simple else "coef")
    by_level = variance.T.ravel()  # an array of vectors, one behind the other
    return {name: Guess(coefficients[:, 0] if factor.k == 1 else coefficients, by_level)}


def _deviations(
    program: StanProgram,
    factor: Factor,
    estimates: Estimates,
    *,
    coefficients: FloatArray,
    sd: FloatArray,
    variance: FloatArray,
) -> dict[str, Guess]:
    """Guess the means of centred coefficients over their levels, and the deviations from them, which sum to zero."""
    means = coefficients.mean(axis=0)
    deviations = coefficients - means
    deviations -= deviations.mean(axis=0)
    fixed = program.program.fixed
    own = np.square(sd) / factor.n_levels
    spread = own.copy()
    for i, carried in enumerate(factor.carried):
        if carried >= 0:
            column = fixed.columns[carried - 1] if carried else fixed.intercept_column
            spread[i] = max(estimates.vcov[column, column] - own[i], 0.1 * estimates.vcov[column, column])
    by_column = np.repeat(variance, factor.n_levels - 1)
    mean, deviation = (means[0], deviations[:, 0]) if factor.k == 1 else (means, deviations.T)
    return {factor.name("mean"): Guess(mean, spread), factor.name("dev"): Guess(deviation, by_column)}


def _mean(program: StanProgram, factor: Factor, carried: int, estimates: Estimates) -> float:
    """Work out what a centred coefficient varies around, as `Program.means` writes it."""
    fixed, beta = program.program.fixed, estimates.beta
    if carried < 0:
        return 0.0
    if carried > 0:
        return float(beta[fixed.columns[carried - 1]])
    rest = [i for i in range(1, fixed.K + 1) if i not in factor.carried]
    at = _means_of_X(program) if rest else ()
    value = float(beta[fixed.intercept_column]) + sum(float(at[i - 1] * beta[fixed.columns[i - 1]]) for i in rest)
    others = (other for other in program.program.sampled if other is not factor)
    return value + sum(_mean_of_intercepts(other, estimates) for other in others)


def _mean_of_intercepts(factor: Factor, estimates: Estimates) -> float:
    """Average the first random intercepts of a factor over its levels."""
    u = np.concatenate([estimates.modes[block.term] for block in factor.blocks], axis=1)
    return next((float(u[:, i].mean()) for i, c in enumerate(factor.covariates) if not c.text), 0.0)


def _means_of_X(program: StanProgram) -> FloatArray:
    """Average the columns of X over rows."""
    means: FloatArray = program.data["X"].mean(axis=0) if "X" in program.data else program.data["X_means"]
    return means


def _sizes(program: StanProgram, factor: Factor) -> FloatArray:
    """Root mean square of what each coefficient of a factor multiplies, 1 where that is 0."""
    products = program.data.get(factor.name("ZZ"))
    if products is not None:
        diagonal = np.diagonal(products, axis1=1, axis2=2) if factor.k > 1 else products[:, np.newaxis]
        columns = np.sqrt(diagonal.sum(axis=0) / program.program.n_rows)
    else:
        columns = np.array([_size(program, covariate) for covariate in factor.covariates])
    return np.where(columns > 0, columns, 1.0)


def _size(program: StanProgram, covariate: Covariate) -> float:
    if not covariate.text:
        return 1.0
    values = program.data["X"][:, covariate.fixed - 1] if covariate.fixed > 0 else program.data[covariate.text]
    return float(np.sqrt(np.mean(np.square(values))))


def _nearest(correlation: FloatArray) -> FloatArray:
    """Lift the eigenvalues of a matrix that is only just not positive definite."""
    lowest = float(np.linalg.eigvalsh(correlation)[0])
    lift = max(1e-3 - lowest, 0.0)
    return (correlation + lift * np.eye(len(correlation))) / (1 + lift)


def _within(declaration: Declaration, value: FloatArray) -> FloatArray:
    """Move a value inside the bounds of its parameter."""
    lower, upper = _limits(declaration)
    margin = np.where(np.isfinite(upper - lower), 0.01 * (upper - lower), 0.0)
    inside = np.clip(value, lower + margin, upper - margin)
    return inside.reshape(np.shape(value))


def _limits(declaration: Declaration) -> tuple[FloatArray, FloatArray]:
    """Return the bounds of a parameter, one for all elements or one for each; infinite where there is none."""
    lower = np.array([-np.inf if bound is None else bound.values[0] for bound in declaration.lower] or [-np.inf])
    upper = np.array([np.inf if bound is None else bound.values[0] for bound in declaration.upper] or [np.inf])
    return lower, upper


def _free_size(declaration: Declaration, value: FloatArray) -> int:
    """Count the numbers of a parameter on the unconstrained scale."""
    if declaration.base == "cholesky_factor_corr":
        return len(value) * (len(value) - 1) // 2
    if declaration.base == "sum_to_zero_vector":
        return int(prod(np.shape(value)[:-1]) * (np.shape(value)[-1] - 1))
    return prod(np.shape(value))
