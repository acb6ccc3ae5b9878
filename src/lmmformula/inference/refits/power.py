"""
Power by simulation: how often a test finds an effect of a given size, for designs of several sizes.

Responses are simulated from the assumed parameters, the model is refitted to each, and the effect is tested. Green &
MacLeod (2016), Methods Ecol. Evol. 7, 493-498.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.covariances.structure import ALL
from lmmformula.design.design import Design
from lmmformula.errors import FitError, printable
from lmmformula.fit.lmm import evaluate_at
from lmmformula.fit.variance import variance_parameters
from lmmformula.inference.intervals.parameters import own_link, parameters_of, tail
from lmmformula.inference.refits.jobs import Progress, Running, each
from lmmformula.inference.refits.refitter import LaplaceRefitter, Refitter, drawn, refitter_of
from lmmformula.inference.refits.replicated import replicated
from lmmformula.inference.tests.satterthwaite import Satterthwaite
from lmmformula.newcomers import answers_newcomers
from lmmformula.results.arguments import check_choice, check_count, check_level, check_mapping
from lmmformula.results.glmm import GeneralizedMixedResult, MixedResult
from lmmformula.results.lmm import LinearMixedResult
from lmmformula.results.predict.prediction import generator
from lmmformula.results.tables.sheets import Framed, Report, frame_text, sheet_of
from lmmformula.screen import rounded

if TYPE_CHECKING:
    import pandas as pd

Sizes = int | Sequence[int] | Mapping[str, int | Sequence[int]] | None
Test = Literal["t", "z", "lrt"]

RESPONSES = 25
"""Most responses over which the information about the variance parameters is averaged ..."""

ROWS = 20_000
"""... and rows of them all together: the information of long responses hardly differs."""


@answers_newcomers()
@dataclass(frozen=True, eq=False, repr=False)
class PowerCurve(Framed):
    """
    Power for designs of several sizes.

    effect, value : the fixed effect that is tested, and its assumed size
    along : grouping factor whose number of levels varies, empty where there is one design
    sizes : (d,) its numbers of levels
    rows : (d,) numbers of rows
    found : (d,) how many of the tests were significant
    n, alpha, test : number of simulations per design, level and kind of the test
    n_failed : (d,) refits that did not converge; they count as not significant
    """

    effect: str
    value: float
    along: str
    sizes: tuple[int, ...]
    rows: tuple[int, ...]
    found: tuple[int, ...]
    n: int
    alpha: float
    test: Test
    n_failed: tuple[int, ...]

    @property
    def frame(self) -> "pd.DataFrame":
        """One row per design: n_groups, n_rows, power and its 95 % interval (Clopper & Pearson)."""
        import pandas as pd

        low, high = np.array([exact_interval(k, self.n, 0.95) for k in self.found]).T
        power = np.array(self.found) / self.n
        columns = {"n_groups": self.sizes, "n_rows": self.rows, "power": power, "conf_low": low, "conf_high": high}
        return pd.DataFrame(columns)

    @property
    def power(self) -> FloatArray:
        """(d,) share of the tests that were significant."""
        return np.array(self.found) / self.n

    @property
    def _heading(self) -> str:
        tests = {"t": "t test with Satterthwaite's degrees of freedom", "z": "z test", "lrt": "likelihood ratio test"}
        what = f"Power to find {self.effect} = {rounded(self.value)} by a {tests[self.test]}"
        return f"{what} at {self.alpha:g}, {self.n} simulations"

    @property
    def _shown(self) -> "pd.DataFrame":
        return self.frame.rename(columns={"n_groups": self.along or "n_groups"})

    @property
    def _failed(self) -> tuple[str, ...]:
        return (f"{sum(self.n_failed)} refits did not converge",) if any(self.n_failed) else ()

    def __str__(self) -> str:
        table = frame_text(self._shown, "{:.3f}".format)
        return "\n".join([self._heading, table, *self._failed])

    __repr__ = __str__

    def _report(self) -> Report:
        return Report(self._heading, (sheet_of(self._shown, "{:.3f}".format),), self._failed)


def power(  # noqa: PLR0913 (each is a question that a plan must answer)
    result: MixedResult,
    effect: str | Mapping[str, float],
    *,
    n_groups: Sizes = None,
    assume: Mapping[str, float] | None = None,
    n: int = 500,
    alpha: float = 0.05,
    test: Test | None = None,
    seed: int | None = None,
    progress: Progress = True,
    workers: int | None = None,
) -> PowerCurve:
    """
    Simulate the power to find a fixed effect.

    effect : name of the fixed effect, or {name: assumed size}; without a size the estimate is assumed
    n_groups : numbers of levels to try, {grouping factor: numbers} where there are several; by default of the one
        with most levels. Whole levels of the data are repeated, in their order. None for the design as it is
    assume : other assumed parameters, by label: {"sigma": 20, "sd[Subject, Days]": 5}; the estimates for the rest
    n : simulations per size
    alpha : level of the test
    test : "t" with Satterthwaite's degrees of freedom at the assumed parameters, "z", or "lrt" (two fits by ML); None
        for "t", of other families than the Gaussian for "z"
    seed : the same seed gives the same answer
    progress : whether to draw a bar on a terminal, or a function of the numbers of refits done and of all
    workers : number of processes; None for as many as pay. The answer is the same for all

    >>> import lmmformula as lf
    >>> fit = lf.Model("Reaction ~ Days + (Days | Subject)", lf.datasets.load("sleepstudy")).fit()
    >>> print(power(fit, {"Days": 4}, n_groups=[9, 18], n=50, seed=1))
    Power to find Days = 4 by a t test with Satterthwaite's degrees of freedom at 0.05, 50 simulations
     Subject  n_rows  power  conf_low  conf_high
    ...
    """
    name, value = _effect(result, effect)
    chosen = _checked(result, n, alpha, test)
    assume = {} if assume is None else assume
    check_mapping("assume", assume, '{"sigma": 20}')
    truth = _assumed(result, {**assume, name: value})
    group, designs = _designs(result, n_groups)
    truths = [replace(truth, design=design) for design in designs]
    trials = tuple(_Trial.of(one, name, alpha, chosen) for one in truths)
    jobs = _jobs(trials, truths, n, generator(seed))
    told = each(_Trials(trials), jobs, n * len(trials), running=Running(progress, workers), what="refits")
    counts = np.zeros((len(trials), 2), dtype=int)
    for number, *count in told:
        counts[number] += count
    sizes = tuple(_levels(design, group) for design in designs)
    found, failed = (tuple(column) for column in counts.T.tolist())
    rows = tuple(design.nobs for design in designs)
    return PowerCurve(name, value, group, sizes, rows, found, n, alpha, chosen, failed)


def exact_interval(k: int, n: int, level: float) -> tuple[float, float]:
    """
    Return Clopper and Pearson's interval for a probability of which k of n trials told.

    >>> low, high = exact_interval(8, 10, 0.95)
    >>> round(low, 4), round(high, 4)
    (0.4439, 0.9748)
    """
    from scipy.special import betaincinv

    alpha = tail(level)
    low = float(betaincinv(k, n - k + 1, alpha)) if k > 0 else 0.0
    high = float(betaincinv(k + 1, n - k, 1 - alpha)) if k < n else 1.0
    return low, high


def _effect(result: MixedResult, effect: str | Mapping[str, float]) -> tuple[str, float]:
    """Return the fixed effect that is meant, and its assumed size."""
    given: object = effect
    sizes = dict(given) if isinstance(given, Mapping) else {given: None} if isinstance(given, str) else {}
    names = result.design.fixed_names
    if len(sizes) != 1 or not set(sizes) <= set(names):
        known = ", ".join(map(printable, names))
        raise FitError(f"{effect!r:.60} is not one fixed effect of the model", hint=f"they are: {known}")
    ((name, value),) = sizes.items()
    return name, float(result.fixef[name]) if value is None else _number(value, name)


def _number(value: object, name: str) -> float:
    """Return an assumed size; FitError for what is no finite number."""
    known = isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
    if not known or not np.isfinite(float(value)):  # type: ignore[arg-type]  # a number
        raise FitError(f"the assumed size of {printable(name)} must be a number, and {value!r:.60} was given")
    return float(value)  # type: ignore[arg-type]


def _checked(result: MixedResult, n: object, alpha: object, test: Test | None) -> Test:
    """Return the test that is meant."""
    check_count("n", n)
    check_level(alpha, "alpha", 0.05)
    check_choice("test", test, (None, "t", "z", "lrt"))
    is_other = isinstance(result, GeneralizedMixedResult)
    if test == "t" and is_other:
        raise FitError(
            f"t tests are of gaussian models, not of the family {result.ir.family.name}",
            hint='leave `test` out for z tests, or say test="lrt"',
        )
    return test or ("z" if is_other else "t")


def _assumed(result: MixedResult, assume: Mapping[str, float]) -> MixedResult:
    """Return the fit with some of its estimates replaced."""
    known = {p.label: p for p in parameters_of(result)}
    for label in assume:
        if label not in known:
            raise FitError(f"the model has no parameter {label!r:.60}", hint=f"they are: {', '.join(known)}")
    value = {label: _number(assume[label], label) if label in assume else p.of(result) for label, p in known.items()}
    beta = result.fit.beta.copy()
    sds = [np.sqrt(np.diag(S)) * result.fit.sigma for S in result.fit.relative_covariance]
    correlations = [np.nan_to_num(term.correlation) for term in result.varcorr]
    for label, p in known.items():
        if p.part == "fixed":
            beta[p.row] = value[label]
        elif p.part == "sd":
            sds[p.term][slice(None) if p.name == ALL else p.row] = value[label]
        elif p.part == "cor" and label in assume:
            _set_correlation(correlations[p.term], p.row, p.column, value[label], shared=p.name == ALL, label=label)
    scale = 1.0 if isinstance(result, GeneralizedMixedResult) else value["sigma"]
    if not scale > 0 or any(
        s.min() < 0 or np.linalg.eigvalsh(R)[0] < -1e-10 for s, R in zip(sds, correlations, strict=True)
    ):
        raise FitError("the assumed standard deviations and correlations belong to no covariance matrix")
    relative = [R * np.outer(s, s) / scale**2 for R, s in zip(correlations, sds, strict=True)]
    theta = [term.covariance.theta_of(S) for term, S in zip(result.design.random_terms, relative, strict=True)]
    same: dict[str, Any] = {
        "beta": beta,
        "relative_covariance": tuple(relative),
        "theta": np.concatenate(theta) if theta else np.zeros(0),
    }
    if not isinstance(result, GeneralizedMixedResult):
        return replace(result, fit=replace(result.fit, sigma=scale, **same))
    return replace(result, fit=replace(result.fit, parameters=_assumed_own(result, value), **same))


def _assumed_own(result: GeneralizedMixedResult, value: Mapping[str, float]) -> dict[str, float]:
    """Return the parameters of the family; FitError for what they can't be."""
    own = {name: value[name] for name in result.fit.parameters}
    for name, number in own.items():
        with np.errstate(all="ignore"):
            possible = np.isfinite(own_link(result, name).of(np.array(number)))
        if not possible:
            raise FitError(f"the assumed {name} can't be {number:g}", hint="it is positive, a probability below 1")
    return own


def _set_correlation(R: FloatArray, i: int, j: int, value: float, *, shared: bool, label: str) -> None:
    if shared and len(R) > 2:
        raise FitError(f"{label} can't be assumed for power: it fills a matrix of {len(R)} coefficients")
    R[i, j] = R[j, i] = value


def _designs(result: MixedResult, n_groups: Sizes) -> tuple[str, list[Design]]:
    """Return the grouping factor whose size varies, and the designs."""
    design = result.design
    if not design.random_terms:
        if n_groups is not None:
            raise FitError("n_groups needs a grouping factor, and the model has none")
        return "", [design]
    group, sizes = design.random_terms[0].group, n_groups
    if isinstance(sizes, Mapping):
        if len(sizes) != 1 or not set(sizes) <= set(result.ngroups):
            known = ", ".join(result.ngroups)
            raise FitError(f"n_groups={sizes!r:.60} is not about one grouping factor", hint=f"they are: {known}")
        ((group, sizes),) = sizes.items()
    if sizes is None:
        return group, [design]
    listed: list[Any] = [sizes] if np.ndim(sizes) == 0 else list(sizes)  # type: ignore[arg-type]  # checked below
    if not listed:
        raise FitError("n_groups names no number of levels")
    for size in listed:
        check_count("n_groups", size, least=2)
    return group, [replicated(design, group, int(size)) for size in listed]


def _levels(design: Design, group: str) -> int:
    return next((term.n_levels for term in design.random_terms if term.group == group), 0)


@dataclass(frozen=True, slots=True)
class _Trial:
    """
    The test of an effect in responses of one design.

    large, small : refit the model, and for likelihood ratios that without the effect
    position : of the effect among the fixed ones
    critical : what the statistic must exceed
    """

    large: Refitter | LaplaceRefitter
    small: Refitter | LaplaceRefitter | None
    position: int
    critical: float

    @classmethod
    def of(cls, truth: MixedResult, name: str, alpha: float, test: Test) -> "_Trial":
        """Make the test of an effect."""
        design = truth.design
        position = design.fixed_names.index(name)
        critical = _critical(truth, position, alpha, test)
        if test != "lrt":
            return cls(refitter_of(truth), None, position, critical)
        keep = [j for j in range(design.n_fixed) if j != position]
        smaller = design.with_columns(keep)
        large, small = (refitter_of(replace(truth, design=one), reml=False) for one in (design, smaller))
        return cls(large, small, position, critical)

    def __call__(self, Y: FloatArray) -> tuple[int, int]:
        """Return how many responses show the effect, and how many could not be fitted."""
        large = self.large(Y)
        if self.small is not None:
            small = self.small(Y)
            failed, shown = large.failed | small.failed, small.criterion - large.criterion > self.critical**2
        else:
            t = np.abs(large.beta[:, self.position]) / large.std_errors[:, self.position]
            failed, shown = large.failed, t > self.critical
        return int((shown & ~failed).sum()), int(failed.sum())


@dataclass(frozen=True, slots=True)
class _Trials:
    """The tests of all designs: a job is the number of the design, and responses."""

    trials: tuple[_Trial, ...]

    def __call__(self, job: tuple[int, FloatArray]) -> tuple[int, int, int]:
        number, Y = job
        return number, *self.trials[number](Y)


def _jobs(
    trials: Sequence[_Trial], truths: Sequence[MixedResult], n: int, rng: np.random.Generator
) -> Iterator[tuple[int, tuple[int, FloatArray]]]:
    """Draw n responses of each design, some at a time."""
    for number, (trial, truth) in enumerate(zip(trials, truths, strict=True)):
        for size in trial.large.sizes(n):
            yield size, (number, drawn(truth, size, rng))


def _critical(truth: MixedResult, position: int, alpha: float, test: Test) -> float:
    """Return what the statistic must exceed."""
    from scipy.special import ndtri, stdtrit

    if test != "t" or isinstance(truth, GeneralizedMixedResult):
        return float(-ndtri(alpha / 2))
    df = _expected_df(truth, position) if truth.design.random_terms else truth.nobs - truth.design.n_fixed
    return float(-stdtrit(df, alpha / 2))


def _expected_df(truth: LinearMixedResult, position: int) -> float:
    """
    Return Satterthwaite's degrees of freedom of a fixed effect at the assumed parameters.

    The second derivatives depend on the response, so they are averaged over a few simulated ones.
    """
    design = truth.design
    Y = drawn(truth, max(1, min(RESPONSES, ROWS // design.nobs)), np.random.default_rng(0))
    known = []
    for y in Y.T:
        there = design.with_rows(y=y)
        at = evaluate_at(there, truth.fit.theta, reml=truth.fit.reml)
        known.append((at.vcov, variance_parameters(there, at)))
    hessian = np.mean([parameters.hessian for _, parameters in known], axis=0)
    slopes = np.mean([parameters.vcov_beta_slopes for _, parameters in known], axis=0)
    vcov = np.mean([v for v, _ in known], axis=0)
    average = replace(known[0][1], vcov=2 * np.linalg.pinv(hessian), vcov_beta_slopes=slopes)
    contrast = np.eye(design.n_fixed)[position : position + 1]
    return max(float(Satterthwaite(vcov, average).t_df(contrast)[0]), 1.0)
