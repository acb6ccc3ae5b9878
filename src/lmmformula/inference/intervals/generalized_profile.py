"""
Profile likelihood intervals of the fixed effects of a generalised linear mixed model.

With one coefficient held at b, its column times b is an offset and all else is estimated again: D(b) = -2 log L. The
bounds are where D(b) - D(estimate) is the squared normal quantile.
Venzon & Moolgavkar (1988), Appl. Statist. 37, 87-94.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from lmmformula.design.matrices import DesignMatrices
from lmmformula.errors import FitError
from lmmformula.fit.glmm import GlmmFit
from lmmformula.inference.intervals.interval_table import Intervals
from lmmformula.inference.intervals.parameters import chosen, normal_quantile
from lmmformula.inference.refits.jobs import Progress, Running, each
from lmmformula.results.glmm import GeneralizedMixedResult

PRECISION = 1e-4
"""Of a bound, in standard errors."""

FARTHEST = 50.0
"""Standard errors from the estimate, beyond which there is no bound; more, where the estimate itself is."""


@dataclass(frozen=True, slots=True)
class Profiler:
    """
    Finds a bound of a coefficient.

    z : normal quantile
    """

    design: DesignMatrices
    fit: GlmmFit
    z: float

    def __call__(self, job: tuple[int, int]) -> float:
        """Return the bound of coefficient j on a side, -1 or 1; NaN where a fit on the way can't be computed."""
        j, side = job
        unit = side * self._unit(j)
        try:
            farthest = max(FARTHEST, 3 * abs(float(self.fit.beta[j])) / abs(unit))
            return float(self.fit.beta[j] + unit * self._steps(self._excess(j, unit), farthest))
        except FitError:
            return np.nan

    def _unit(self, j: int) -> float:
        """Return the standard error of a coefficient; where it is infinite, what moves a row's predictor by one."""
        if self.fit.flat[j].any():
            return 1 / float(np.abs(self.design.X[:, j]).max())
        return float(np.sqrt(self.fit.vcov[j, j]))

    def _steps(self, excess: Callable[[float], float], farthest: float) -> float:
        """Return where the excess is zero, in units; infinity where the likelihood never falls so far."""
        from scipy.optimize import brentq

        inner, outer = 0.0, self.z
        while excess(outer) < 0.0:
            inner, outer = outer, 1.5 * outer
            if outer > farthest:
                return np.inf
        return float(brentq(excess, inner, outer, xtol=PRECISION))

    def _excess(self, j: int, unit: float) -> Callable[[float], float]:
        """Return the function by which the root of the deviance's rise exceeds z, so many units from the estimate."""
        design, own = self.design, self.fit
        others = [i for i in range(design.n_fixed) if i != j]
        smaller = replace(
            design,
            X=np.asfortranarray(design.X[:, others]),
            fixed_names=tuple(design.fixed_names[i] for i in others),
            fixed_assign=tuple(design.fixed_assign[i] for i in others),
        )
        offset = 0.0 if design.offset is None else design.offset

        def excess(steps: float) -> float:
            if not steps:
                return -self.z
            held = replace(smaller, offset=offset + design.X[:, j] * (own.beta[j] + unit * steps))
            again = own.again(held, start=own.theta)
            return float(np.sqrt(max(again.criterion - own.criterion, 0.0))) - self.z

        return excess


def profile_intervals(
    result: GeneralizedMixedResult,
    parameters: str | Sequence[str] | None = None,
    *,
    level: float = 0.95,
    progress: Progress = True,
    workers: int | None = None,
) -> Intervals:
    """
    Return profile likelihood intervals of fixed effects; None and "fixed" are all of them.

    >>> import lmmformula as lf
    >>> formula = "cbind(incidence, size - incidence) ~ period + (1 | herd)"
    >>> fit = lf.glmer(formula, lf.datasets.load("cbpp"), family="binomial")
    >>> print(profile_intervals(fit, "period2"))
    95 % intervals (profile likelihood)
             estimate  conf_low  conf_high
    period2   -0.9923    -1.617    -0.4078
    """
    wanted = chosen(result, "fixed" if parameters is None else parameters)
    for p in wanted:
        if p.part != "fixed":
            raise FitError(
                f"likelihoods of other families are profiled for fixed effects, not for {p.label}",
                hint='method="wald" and method="boot" have intervals for it',
            )
    names = list(result.design.fixed_names)
    jobs = [(1, (names.index(p.name), side)) for p in wanted for side in (-1, 1)]
    work = Profiler(result.design, result.fit, normal_quantile(level))
    found = each(work, jobs, len(jobs), running=Running(progress, workers), what="bounds")
    bounds = np.array(found, dtype=np.float64).reshape(-1, 2)
    values = np.array([p.of(result) for p in wanted])
    return Intervals(tuple(p.label for p in wanted), values, bounds[:, 0], bounds[:, 1], level, "profile likelihood")
