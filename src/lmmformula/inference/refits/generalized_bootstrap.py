"""Parametric bootstrap of a generalised linear mixed model: responses are drawn, and the model fitted to each."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.design.design import Design
from lmmformula.errors import FitError
from lmmformula.fit.glmm import GlmmFit
from lmmformula.inference.generalized import chosen, estimated
from lmmformula.inference.refits.bootstrap import Bootstrap, named
from lmmformula.inference.refits.jobs import Progress, Running, outcomes
from lmmformula.results.arguments import check_count
from lmmformula.results.glmm import GeneralizedMixedResult
from lmmformula.results.predict.prediction import generator

if TYPE_CHECKING:
    import pandas as pd

Statistic = Callable[[GeneralizedMixedResult], "float | Mapping[str, float] | pd.Series[float]"]
"""What is to be bootstrapped: a number, or several with names, of a fit."""


@dataclass(frozen=True, slots=True)
class Refitter:
    """Fits the model of a design to other responses, starting where a fit ended."""

    design: Design
    fit: GlmmFit

    def __call__(self, y: FloatArray) -> tuple[FloatArray, GlmmFit | None]:
        """Return a response and its fit, None where it can't be computed."""
        try:
            again = self.fit.again(self.design.with_rows(y=y), start=self.fit.theta)
        except FitError:
            return y, None
        return y, again


def bootstrap(
    result: GeneralizedMixedResult,
    statistic: Statistic | None = None,
    *,
    n: int = 1000,
    seed: int | None = None,
    parameters: str | Sequence[str] | None = None,
    progress: Progress = True,
    workers: int | None = None,
) -> Bootstrap:
    """
    Bootstrap the parameters of a fit, or any statistic of it; the arguments are those of a linear mixed model's.

    A response to which the model can't be fitted gives NaN, and counts as one that did not converge.

    >>> import lmmformula as lf
    >>> fit = lf.glmer("TICKS ~ YEAR + (1 | BROOD)", lf.datasets.load("grouseticks"), family="poisson")
    >>> bootstrap(fit, n=4, seed=1, parameters=["YEAR96", "sd[BROOD, (Intercept)]"]).replicates.shape
    (4, 2)
    """
    check_count("n", n, least=2)
    if statistic is None:
        wanted = [p.label for p in chosen(estimated(result), parameters)]
        statistic = _Parameters(tuple(wanted))
    elif not callable(statistic):
        raise FitError(f"a statistic is a function of a fit, not {statistic!r:.60}")
    estimate, rng = named(statistic(result)), generator(seed)
    rows: dict[int, list[float]] = {}
    verdicts: list[str] = []
    jobs, work = ((1, result.draw(rng)) for _ in range(n)), Refitter(result.design, result.fit)
    with closing(outcomes(work, jobs, n, running=Running(progress, workers), what="refits")) as found:
        for number, (y, fit) in found:
            verdicts.append("failed" if fit is None else fit.verdict)
            rows[number] = [np.nan] * len(estimate)
            if fit is not None:
                values = named(statistic(replace(result, design=result.design.with_rows(y=y), fit=fit)))
                if list(values) != list(estimate):
                    raise FitError("the statistic gives other names for a refit than for the fit")
                rows[number] = list(values.values())
    replicates = np.array([rows[number] for number in sorted(rows)])
    if isinstance(statistic, _Parameters):
        replicates[:, statistic.without_estimate(result)] = np.nan  # where an iteration stopped says nothing
    return Bootstrap(
        tuple(estimate),
        np.array(list(estimate.values())),
        replicates,
        verdicts.count("boundary"),
        verdicts.count("failed"),
    )


@dataclass(frozen=True, slots=True)
class _Parameters:
    """The statistic that is the values of some parameters."""

    labels: tuple[str, ...]

    def __call__(self, result: GeneralizedMixedResult) -> dict[str, float]:
        values = {p.label: p.value for p in estimated(result)}
        return {label: values[label] for label in self.labels}

    def without_estimate(self, result: GeneralizedMixedResult) -> list[bool]:
        """Tell which of them have no finite estimate: the likelihood is flat (separation)."""
        errors = {p.label: p.error for p in estimated(result)}
        return [bool(np.isinf(errors[label])) for label in self.labels]
