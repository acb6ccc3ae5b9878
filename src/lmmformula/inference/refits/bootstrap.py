"""
Parametric bootstrap: simulate responses from a fit, refit the model to each, look at what comes out.

Random effects are drawn anew each time. Efron & Tibshirani (1993), An Introduction to the Bootstrap, 6.5 and 13.3.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.errors import FitError
from lmmformula.fit.glmm import GlmmFit
from lmmformula.fit.lmm import Fit
from lmmformula.fit.refit import Refits
from lmmformula.fit.search.theta import split_theta
from lmmformula.inference.intervals.interval_table import Intervals
from lmmformula.inference.intervals.parameters import Parameter, chosen, estimates, parameters_of, tail
from lmmformula.inference.refits.jobs import Progress, Running, each, outcomes
from lmmformula.inference.refits.refitter import LaplaceRefitter, Refitter, drawn, refitter_of
from lmmformula.newcomers import answers_newcomers
from lmmformula.results.arguments import check_count
from lmmformula.results.glmm import GeneralizedMixedResult, MixedResult
from lmmformula.results.lmm import LinearMixedResult
from lmmformula.results.predict.prediction import generator
from lmmformula.results.tables.sheets import Framed, Report, frame_text, sheet_of
from lmmformula.screen import rounded

if TYPE_CHECKING:
    import pandas as pd

Statistic = Callable[[Any], "float | Mapping[str, float] | pd.Series[float]"]
"""What is to be bootstrapped: a number, or several with names, of a fit."""

Kind = Literal["percentile", "basic", "normal"]


@answers_newcomers()
@dataclass(frozen=True, eq=False, repr=False)
class Bootstrap(Framed):
    """
    Replicates of parameters or of any statistics of a fit.

    labels : names of the s statistics
    estimate : (s,) their values at the fit
    replicates : (m, s) their values at the refits
    n_boundary, n_failed : how many refits were singular, and how many did not converge (these are kept, too)
    """

    labels: tuple[str, ...]
    estimate: FloatArray
    replicates: FloatArray
    n_boundary: int
    n_failed: int

    @property
    def std_errors(self) -> FloatArray:
        """(s,) standard deviations of the replicates."""
        return self._of_known(lambda values: np.nanstd(values, axis=0, ddof=1))

    @property
    def bias(self) -> FloatArray:
        """(s,) mean of the replicates less the estimate."""
        return self._of_known(lambda values: np.nanmean(values, axis=0)) - self.estimate

    def _of_known(self, function: Callable[[FloatArray], FloatArray]) -> FloatArray:
        """Return (..., s) functions of the columns of the replicates; NaN where no replicate has a value."""
        unknown = np.isnan(self.replicates).all(axis=0)
        found = function(np.where(unknown, 0.0, self.replicates))
        return np.where(unknown, np.nan, found)

    @property
    def frame(self) -> "pd.DataFrame":
        """One row per statistic: estimate, bias, std_error."""
        import pandas as pd

        columns = {"estimate": self.estimate, "bias": self.bias, "std_error": self.std_errors}
        return pd.DataFrame(columns, index=pd.Index(self.labels, name="parameter"))

    def confint(self, level: float = 0.95, *, kind: Kind = "percentile") -> Intervals:
        """
        Return bootstrap intervals.

        kind : "percentile" quantiles of the replicates, "basic" these mirrored at the estimate, "normal" estimate less
            bias, and a normal quantile times the standard error
        """
        from scipy.special import ndtri

        alpha = tail(level)
        low, high = self._of_known(lambda values: np.nanquantile(values, [alpha, 1 - alpha], axis=0))
        match kind:
            case "percentile":
                pass
            case "basic":
                low, high = 2 * self.estimate - high, 2 * self.estimate - low
            case "normal":
                centre, half = self.estimate - self.bias, -ndtri(alpha) * self.std_errors
                low, high = centre - half, centre + half
            case _:
                raise FitError(f"there is no {kind!r} interval", hint="the kinds are: percentile, basic, normal")
        method = f"parametric bootstrap, {kind}, {len(self.replicates)} refits"
        method += "; NaN can't be estimated" if np.isnan(low).any() else ""
        return Intervals(self.labels, self.estimate, low, high, level, method)

    @property
    def _heading(self) -> str:
        notes = [f"{self.n_boundary} singular"] if self.n_boundary else []
        notes += [f"{self.n_failed} not converged"] if self.n_failed else []
        return f"Parametric bootstrap, {len(self.replicates)} refits" + (f" ({', '.join(notes)})" if notes else "")

    def __str__(self) -> str:
        return f"{self._heading}\n{frame_text(self.frame, rounded)}"

    __repr__ = __str__

    def _report(self) -> Report:
        return Report(self._heading, (sheet_of(self.frame, rounded),))


def bootstrap(
    result: MixedResult,
    statistic: Statistic | None = None,
    *,
    n: int = 1000,
    seed: int | None = None,
    parameters: str | Sequence[str] | None = None,
    progress: Progress = True,
    workers: int | None = None,
) -> Bootstrap:
    """
    Bootstrap the parameters of a fit, or any statistic of it.

    statistic : a function of a fit that returns a number, or a mapping of names to numbers; None for the parameters
    n : number of refits
    seed : the same seed gives the same replicates
    parameters : labels of the parameters, where there is no statistic
    progress : whether to draw a bar on a terminal, or a function of the numbers of refits done and of all
    workers : number of processes; None for as many as pay. The replicates are the same for all

    A response to which the model can't be fitted gives NaN, and counts as one that did not converge.

    >>> import lmmformula as lf
    >>> fit = lf.Model("Yield ~ 1 + (1 | Batch)", lf.datasets.load("Dyestuff")).fit()
    >>> bootstrap(fit, lambda f: f.icc(), n=20, seed=1).replicates.shape
    (20, 1)
    """
    check_count("n", n, least=2)
    rng, running = generator(seed), Running(progress, workers)
    if statistic is not None:
        if not callable(statistic):
            raise FitError(f"a statistic is a function of a fit, not {statistic!r:.60}")
        return _of_statistic(result, statistic, n, rng, running)
    wanted = chosen(result, parameters)
    if isinstance(result, GeneralizedMixedResult):
        found = _of_statistic(result, _Values(tuple(p.label for p in wanted)), n, rng, running)
        endless = [p.part == "fixed" and np.isinf(result.std_errors.iloc[p.row]) for p in wanted]
        found.replicates[:, endless] = np.nan  # where an iteration stopped says nothing
        return found
    return _of_parameters(result, wanted, n, rng, running)


@dataclass(frozen=True, slots=True)
class _Values:
    """The statistic that is the values of some parameters."""

    labels: tuple[str, ...]

    def __call__(self, result: MixedResult) -> dict[str, float]:
        values = {p.label: p.of(result) for p in parameters_of(result)}
        return {label: values[label] for label in self.labels}


def _of_parameters(
    result: LinearMixedResult, wanted: Sequence[Parameter], n: int, rng: np.random.Generator, running: Running
) -> Bootstrap:
    """Bootstrap parameters of a Gaussian model, whose refits are made many at a time."""
    refitter = Refitter(result.design, result.fit, result.fit.reml)
    found = each(refitter, _responses(result, refitter.sizes(n), rng), n, running=running, what="refits")
    return Bootstrap(
        tuple(p.label for p in wanted),
        estimates(wanted, result),
        np.concatenate([_values(result, some, wanted) for some in found]),
        sum(int(some.boundary.sum()) for some in found),
        sum(int(some.failed.sum()) for some in found),
    )


def _responses(result: MixedResult, sizes: Sequence[int], rng: np.random.Generator) -> Iterator[tuple[int, FloatArray]]:
    return ((size, drawn(result, size, rng)) for size in sizes)


@dataclass(frozen=True, slots=True)
class _Whole:
    """Fits responses, and returns them beside their fits."""

    refitter: Refitter | LaplaceRefitter

    def __call__(self, Y: FloatArray) -> tuple[FloatArray, Sequence[Fit | GlmmFit | None]]:
        return Y, self.refitter.fits(Y)


def _of_statistic(
    result: MixedResult, statistic: Statistic, n: int, rng: np.random.Generator, running: Running
) -> Bootstrap:
    """Bootstrap a statistic: it is called in this process, whoever makes the refits."""
    estimate = named(statistic(result))
    refitter = refitter_of(result)
    jobs = _responses(result, refitter.sizes(n, whole=True), rng)
    rows: dict[int, list[list[float]]] = {}
    verdicts: list[str] = []
    with closing(outcomes(_Whole(refitter), jobs, n, running=running, what="refits")) as found:
        for number, (Y, fits) in found:
            verdicts += ["failed" if fit is None else fit.verdict for fit in fits]
            rows[number] = [_row(result, statistic, estimate, y, f) for y, f in zip(Y.T, fits, strict=True)]
    replicates = np.array([row for number in sorted(rows) for row in rows[number]])
    labels, known = tuple(estimate), np.array(list(estimate.values()))
    return Bootstrap(labels, known, replicates, verdicts.count("boundary"), verdicts.count("failed"))


def _row(
    result: MixedResult, statistic: Statistic, estimate: Mapping[str, float], y: FloatArray, fit: Fit | GlmmFit | None
) -> list[float]:
    """Return the statistic of a refit, NaN where there is none."""
    if fit is None:
        return [np.nan] * len(estimate)
    again: Any = fit
    values = named(statistic(replace(result, design=result.design.with_rows(y=y), fit=again)))
    if list(values) != list(estimate):
        raise FitError("the statistic gives other names for a refit than for the fit")
    return list(values.values())


def named(values: "float | Mapping[str, float] | pd.Series[float]") -> dict[str, float]:
    """Return a statistic's numbers by name; a single one is called "statistic"."""
    try:
        if isinstance(values, Mapping) or hasattr(values, "items"):
            return {str(name): float(value) for name, value in values.items()}
        return {"statistic": float(values)}
    except (TypeError, ValueError) as error:
        raise FitError(
            f"the statistic must return a number, or a mapping of names to numbers, not {values!r:.60}"
        ) from error


def _values(result: LinearMixedResult, found: Refits, wanted: Sequence[Parameter]) -> FloatArray:
    """Return the (m, s) values of parameters at the refits."""
    out = np.empty((len(found.sigma), len(wanted)))
    needed = sorted({p.term for p in wanted if p.term >= 0})
    covariances = {t: _covariances(result, found.theta, t) for t in needed}
    for column, p in enumerate(wanted):
        match p.part:
            case "fixed":
                out[:, column] = found.beta[:, p.row]
            case "sigma":
                out[:, column] = found.sigma
            case "sd":
                out[:, column] = found.sigma * np.sqrt(covariances[p.term][:, p.row, p.row])
            case "cor":
                S = covariances[p.term]
                with np.errstate(divide="ignore", invalid="ignore"):
                    size = np.sqrt(S[:, p.row, p.row] * S[:, p.column, p.column])
                    out[:, column] = np.clip(S[:, p.row, p.column] / size, -1.0, 1.0)
    return out


def _covariances(result: LinearMixedResult, theta: FloatArray, t: int) -> FloatArray:
    """Return the (m, k, k) relative covariances of one term."""
    shapes = [(term.covariance, term.n_coefficients) for term in result.design.random_terms]
    covariance, k = shapes[t]
    return np.array([covariance.sigma_of(split_theta(shapes, row)[t], k) for row in theta])
