"""Linear functions of beta, L beta + offset, as a fit or a posterior estimates them, laid out in columns."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from lmmformula.arrays import FloatArray, IntArray
from lmmformula.errors import FitError
from lmmformula.inference.means.response_scale import ResponseScale
from lmmformula.inference.tests.linear_functions import NAMES, Ddf, Method, method_of, t_tests
from lmmformula.inference.tests.multiplicity import Adjustment, adjusted, half_widths, tukey
from lmmformula.results.arguments import check_choice, check_level
from lmmformula.results.glmm import GeneralizedMixedResult, MixedResult
from lmmformula.results.posteriors.posterior import PosteriorResult

Columns = dict[str, Any]


class Estimator(Protocol):
    """A fit with a method for its degrees of freedom, or draws."""

    @property
    def description(self) -> str:
        """What the intervals rest on."""

    def estimates(
        self, L: FloatArray, offset: FloatArray, *, name: str, level: float, scale: ResponseScale | None = None
    ) -> Columns:
        """
        Return estimates, (r,) each, with intervals of that level.

        scale : the way back to the response, where it is wanted
        """

    def differences(self, L: FloatArray, offset: FloatArray, comparison: "Comparison") -> Columns:
        """Return differences, or ratios, with tests where there are such."""


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """
    How means are compared.

    families : (r, 2) number of the family of comparisons that each belongs to, and how many means it compares
    adjust : how probabilities are corrected
    level : of intervals; None for tests without them
    scale : whose ratios are wanted; None for differences
    """

    families: IntArray
    adjust: Adjustment
    level: float | None
    scale: ResponseScale | None


@dataclass(frozen=True, slots=True, eq=False)
class Frequentist:
    """
    Estimates with t tests.

    beta : (p,)
    method : their covariance and degrees of freedom
    ddf : its name
    """

    beta: FloatArray
    method: Method
    ddf: Ddf

    @property
    def description(self) -> str:
        """What the intervals rest on."""
        return NAMES[self.ddf]

    def estimates(
        self, L: FloatArray, offset: FloatArray, *, name: str, level: float, scale: ResponseScale | None = None
    ) -> Columns:
        """Return name, std_error, df, conf_low, conf_high."""
        tests = t_tests(self.method, L, self.beta)
        estimate, error = tests.estimate + offset, tests.std_error
        low, high = (bound + offset for bound in tests.interval(level))
        if scale is not None:
            with np.errstate(all="ignore"):  # what has no way back is NaN
                low, high = np.sort([scale.back(low), scale.back(high)], axis=0)
                estimate, error = scale.back(estimate), np.abs(scale.slope(estimate)) * error
        return {name: estimate, "std_error": error, "df": tests.df, "conf_low": low, "conf_high": high}

    def differences(self, L: FloatArray, offset: FloatArray, comparison: Comparison) -> Columns:
        """Return estimate (or ratio), std_error, df, statistic, p_value, and with a level conf_low, conf_high."""
        adjust, level, families = comparison.adjust, comparison.level, comparison.families
        tests = t_tests(self.method, L, self.beta, -offset)
        p, widths = tests.p_value.copy(), np.full(len(L), np.nan)
        for family, means in np.unique(families, axis=0):
            own = families[:, 0] == family
            if adjust == "tukey":
                p[own] = tukey(tests.statistic[own], tests.df[own], int(means))
            else:
                p[own] = adjusted(adjust, p[own])
            if level is not None:
                widths[own] = half_widths(adjust, level, tests.df[own], int(means)) * tests.std_error[own]
        estimate, error = tests.estimate + offset, tests.std_error
        bounds = {} if level is None else {"conf_low": estimate - widths, "conf_high": estimate + widths}
        name, scale = "estimate", comparison.scale
        if scale is not None:
            name, estimate = scale.ratio, scale.ratios(estimate)
            error = np.log(scale.base) * estimate * error
            bounds = {bound: scale.ratios(values) for bound, values in bounds.items()}
        shown = {name: estimate, "std_error": error, "df": tests.df, "statistic": tests.statistic}
        return {**shown, "p_value": p, **bounds}


@dataclass(frozen=True, slots=True, eq=False)
class Bayesian:
    """
    Draws of the fixed effects.

    beta : (S, p)
    """

    beta: FloatArray
    level: float = 0.95

    @property
    def description(self) -> str:
        """What the intervals rest on."""
        return f"{len(self.beta)} posterior draws"

    def draws(self, L: FloatArray, offset: FloatArray) -> FloatArray:
        """(S, r) draws of L beta + offset."""
        drawn: FloatArray = self.beta @ L.T + offset
        return drawn

    def estimates(
        self,
        L: FloatArray,
        offset: FloatArray,
        *,
        name: str,  # noqa: ARG002 (a mean of draws, whatever they are of)
        level: float,
        scale: ResponseScale | None = None,
    ) -> Columns:
        """Return mean, sd, and two quantiles."""
        drawn = self.draws(L, offset)
        return summarised(drawn if scale is None else scale.back(drawn), level)

    def differences(self, L: FloatArray, offset: FloatArray, comparison: Comparison) -> Columns:
        """Return mean, sd, two quantiles, and the share of draws above zero (of ratios, above one)."""
        drawn, scale = self.draws(L, offset), comparison.scale
        shown = differences_of(drawn, comparison.level or self.level)
        return shown if scale is None else shown | summarised(scale.ratios(drawn), comparison.level or self.level)


def summarised(drawn: FloatArray, level: float) -> Columns:
    """Return mean, sd, and two quantiles of (S, r) draws."""
    tail = (1 - level) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail], axis=0)
    names = [f"q{100 * part:.4g}" for part in (tail, 1 - tail)]
    return {"mean": drawn.mean(axis=0), "sd": drawn.std(axis=0, ddof=1), names[0]: low, names[1]: high}


def differences_of(drawn: FloatArray, level: float) -> Columns:
    """Return mean, sd, two quantiles, and the share above zero of (S, r) draws of differences; NaN where they are."""
    above = np.where(np.isnan(drawn).any(axis=0), np.nan, (drawn > 0).mean(axis=0))
    return {**summarised(drawn, level), "p_above": above}


QUICK = 1000
"""Number of random effects, with several grouping factors, up to which Kenward-Roger is the default."""


def estimator_of(model: MixedResult | PosteriorResult, ddf: Ddf | None, level: float) -> Estimator:
    """
    Return the estimator of a fit or a posterior.

    ddf : None for Kenward-Roger where it is defined (REML) and quick, else Satterthwaite; infinity for other families
    """
    check_level(level)
    check_choice("ddf", ddf, (None, *NAMES))
    if isinstance(model, PosteriorResult):
        if ddf is not None:
            raise FitError("a posterior has draws, and no degrees of freedom", hint="leave `ddf` out")
        return Bayesian(model.draws.beta.reshape(-1, model.design.n_fixed), level)
    chosen = ddf or _default(model)
    return Frequentist(model.fit.beta, method_of(model, chosen), chosen)


def _default(result: MixedResult) -> Ddf:
    if isinstance(result, GeneralizedMixedResult):
        return "asymptotic"
    several = len(result.ngroups) > 1
    design = result.design
    quick = (design.n_random if several else design.n_fixed * design.n_variance_parameters) <= QUICK
    defined = result.fit.reml and design.has_criterion  # whose sums over rows a file does not hold
    return "kenward-roger" if defined and quick else "satterthwaite"


def all_pairs(groups: Sequence[Sequence[int]]) -> tuple[IntArray, IntArray]:
    """
    List the pairs within each group, (r, 2), and the number and size of the group of each, (r, 2).

    >>> all_pairs([[0, 1, 2]])[0].tolist()
    [[0, 1], [0, 2], [1, 2]]
    """
    pairs, families = [], []
    for number, members in enumerate(groups):
        for i, first in enumerate(members):
            for second in members[i + 1 :]:
                pairs.append((first, second))
                families.append((number, len(members)))
    return np.array(pairs, dtype=np.intp).reshape(-1, 2), np.array(families, dtype=np.intp).reshape(-1, 2)
