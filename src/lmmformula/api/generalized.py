"""Generalised linear mixed models: fits by Laplace's method as a user holds them, and as a sampler needs them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from lmmformula.api.marginal import MarginalEffects
from lmmformula.api.newcomers import answers_newcomers
from lmmformula.api.refusals import Refusals
from lmmformula.design.matrices import DesignMatrices
from lmmformula.errors import FitError
from lmmformula.fit.glmm import GlmmFit, fit_glmm
from lmmformula.fit.lmm import Fit
from lmmformula.fit.response import can_fit
from lmmformula.fit.work import OutOfWork, work_of
from lmmformula.ir.family import Family
from lmmformula.present.text import Summary, Text
from lmmformula.results.arguments import check_choice, check_flag
from lmmformula.results.frames import in_library
from lmmformula.results.glmm import GeneralizedMixedResult
from lmmformula.results.tables.sheets import Report, Reported

if TYPE_CHECKING:
    import numpy.typing as npt

    from lmmformula.api.power import PowerCurve
    from lmmformula.arrays import FloatArray
    from lmmformula.data.table import Library
    from lmmformula.inference.influence import Influence
    from lmmformula.inference.intervals.confint import Method
    from lmmformula.inference.intervals.interval_table import Intervals
    from lmmformula.inference.intervals.profile import Profile
    from lmmformula.inference.refits.bootstrap import Bootstrap, Statistic
    from lmmformula.inference.refits.jobs import Progress
    from lmmformula.inference.refits.power import Sizes, Test
    from lmmformula.inference.table import ResultTable
    from lmmformula.inference.tests.anova_contrasts import AnovaType
    from lmmformula.inference.tests.contrasts import Hypothesis
    from lmmformula.inference.tests.linear_functions import Ddf
    from lmmformula.inference.tests.multiplicity import Adjustment
    from lmmformula.inference.tidy import Effects


@answers_newcomers()
@dataclass(frozen=True, eq=False, repr=False)
class GeneralizedMixedFit(Reported, MarginalEffects, GeneralizedMixedResult, Refusals):
    """
    A generalised linear mixed model, fitted by maximum likelihood with Laplace's approximation.

    `print(fit)` shows the summary that lme4's users know; the accessors have the names of a linear mixed model's.

    >>> import lmmformula as lf
    >>> fit = lf.glmer("cbind(incidence, size - incidence) ~ period + (1 | herd)", lf.datasets.load("cbpp"),
    ...                family="binomial")
    >>> round(fit.loglik, 3), fit.varcorr["herd"].sds.round(4).tolist()
    (-92.026, [0.6423])
    """

    def summary(self, ddf: "Ddf" = "asymptotic") -> Summary:
        """
        Summarise like lme4's `summary`, with z tests.

        ddf : "asymptotic", or "none" for lme4's summary, which is the same; there are no others

        The result is a text; `.to_latex()` and `.to_markdown()` give its tables for a paper.
        """
        from lmmformula.inference.tests.linear_functions import method_of
        from lmmformula.present.generalized import report, summary

        method_of(self, ddf)
        return Summary(summary(self), partial(report, self))

    def confint(
        self,
        parameters: str | Sequence[str] | None = None,
        *,
        method: "Method" = "wald",
        level: float = 0.95,
        n: int = 1000,
        seed: int | None = None,
        progress: "Progress" = True,
        workers: int | None = None,
    ) -> "Intervals":
        """
        Return intervals for fixed effects, standard deviations, correlations and the family's parameters.

        parameters : labels such as "period2", "sd[herd, (Intercept)]", "shape", or "fixed" or "ran_pars"; None for all
        method : "wald" (standard deviations by their logarithm), "profile" (likelihood) or
            "boot" (percentiles of `n` refits, drawn by `seed`)
        progress, workers : as in `bootstrap`
        """
        from lmmformula.inference.intervals.confint import confint

        return confint(self, parameters, method=method, level=level, n=n, seed=seed, progress=progress, workers=workers)

    def profile(
        self,
        parameters: str | Sequence[str] | None = None,
        *,
        level: float = 0.99,
        points: int = 12,
        progress: "Progress" = True,
        workers: int | None = None,
    ) -> "Profile":
        """
        Trace the deviance as one parameter after the other moves, out to the bounds of a `level` interval.

        progress, workers : as in `bootstrap`
        """
        from lmmformula.inference.intervals.profile import profile

        return profile(self, parameters, level=level, points=points, progress=progress, workers=workers)

    def bootstrap(
        self,
        statistic: "Statistic | None" = None,
        *,
        n: int = 1000,
        seed: int | None = None,
        parameters: str | Sequence[str] | None = None,
        progress: "Progress" = True,
        workers: int | None = None,
    ) -> "Bootstrap":
        """
        Refit `n` simulated responses, and keep the parameters or any statistic of each refit.

        statistic : a function of a fit that returns a number or a mapping, `lambda fit: fit.aic`
        progress : whether to draw a bar on a terminal; or a function of the numbers of refits done and of all
        workers : number of processes; None for as many as pay, 1 for this one alone: the numbers are the same
        """
        from lmmformula.inference.refits.bootstrap import bootstrap

        return bootstrap(self, statistic, n=n, seed=seed, parameters=parameters, progress=progress, workers=workers)

    def power(  # noqa: PLR0913 (each is a question that a plan must answer)
        self,
        effect: str | Mapping[str, float],
        *,
        n_groups: "Sizes" = None,
        assume: Mapping[str, float] | None = None,
        n: int = 500,
        alpha: float = 0.05,
        test: "Test" = "z",
        seed: int | None = None,
        progress: "Progress" = True,
        workers: int | None = None,
    ) -> "PowerCurve":
        """
        Simulate how often a test would find a fixed effect of a given size; `.plot()` of the result draws that.

        effect : its name, or {name: size}, on the scale of the link
        n_groups : numbers of levels of the grouping factor to try, or {factor: numbers}
        assume : other assumed parameters, {"sd[herd, (Intercept)]": 1, "shape": 2}
        n, alpha, test : simulations per size; level; "z" or "lrt"
        progress, workers : as in `bootstrap`
        """
        from lmmformula.api.power import PowerCurve
        from lmmformula.inference.refits.power import power

        found = power(
            self,
            effect,
            n_groups=n_groups,
            assume=assume,
            n=n,
            alpha=alpha,
            test=test,
            seed=seed,
            progress=progress,
            workers=workers,
        )
        return PowerCurve.of(found)

    def anova(
        self,
        *others: GeneralizedMixedResult,
        type: "AnovaType" = "III",  # noqa: A002 (its name everywhere)
        ddf: "Ddf" = "asymptotic",
        refit: bool = True,
        names: Sequence[str] | None = None,
    ) -> "ResultTable":
        """
        Test each fixed term by Wald's chi-squared; or, with other fits, compare them by likelihood ratios.

        type : "I" after the terms before it, "II" after all that don't contain it, "III" averaged over other factors
        ddf : "asymptotic", the only one there is here, or "none" for no probabilities
        refit : says nothing here: no likelihood of these is restricted
        names : of the fits that are compared, this one's first
        """
        check_flag("refit", refit)
        if others:
            from lmmformula.inference.tests.likelihood_ratio import compare_fits

            return compare_fits([self, *others], names=names)
        from lmmformula.inference.tests.anova import anova

        return anova(self, type, ddf)

    def drop1(self, *, test: Literal["lrt", "f"] = "lrt", ddf: "Ddf" = "asymptotic") -> "ResultTable":
        """
        Leave out each fixed term that no other one contains.

        test : "lrt" fits again and compares likelihoods; "f" tests within this fit, here by Wald's chi-squared
        """
        check_choice("test", test, ("lrt", "f"))
        if test == "lrt":
            from lmmformula.inference.tests.likelihood_ratio import drop_fixed_terms

            return drop_fixed_terms(self)
        from lmmformula.inference.tests.anova import single_deletions

        return single_deletions(self, ddf)

    def ranova(self) -> "ResultTable":
        """Leave out each random term, or each of its slopes, fit again, and compare likelihoods."""
        from lmmformula.inference.tests.likelihood_ratio import reduce_random_terms

        return reduce_random_terms(self)

    def contrast(
        self,
        hypothesis: "Hypothesis",
        *,
        ddf: "Ddf" = "asymptotic",
        adjust: "Adjustment" = "none",
        level: float = 0.95,
    ) -> "ResultTable":
        """
        Estimate linear functions of the fixed effects, each with its z test and interval.

        hypothesis : `"period4 - period3"`, `"x = 1"`, `{"x": 1, "z": -1}`, a list of such, or a matrix
        adjust : "holm" or "bonferroni" correct the probabilities for several tests
        """
        from lmmformula.inference.tests.contrasts import contrast

        return contrast(self, hypothesis, ddf=ddf, adjust=adjust, level=level)

    def linear_hypothesis(self, hypothesis: "Hypothesis", *, ddf: "Ddf" = "asymptotic") -> "ResultTable":
        """Test several linear functions of the fixed effects together, by Wald's chi-squared."""
        from lmmformula.inference.tests.contrasts import linear_hypothesis

        return linear_hypothesis(self, hypothesis, ddf=ddf)

    def tidy(
        self,
        effects: "Effects | Sequence[Effects]" = ("fixed", "ran_pars"),
        *,
        conf_int: bool = True,
        level: float = 0.95,
        method: "Method" = "wald",
        ddf: "Ddf" = "asymptotic",
        frame: "Library | None" = None,
    ) -> Any:  # noqa: ANN401 (a data frame of the library)
        """
        One row per estimate: effect, group, term, estimate, std_error, statistic, df, p_value, conf_low, conf_high.

        effects : "fixed", "ran_pars" (with the family's own), "ran_vals", or several of them
        conf_int : whether to give bounds, by `method`
        ddf : "asymptotic" for z tests, "none" for no tests
        frame : "pandas", "polars" or "pyarrow"; None for the library that the data came in
        """
        from lmmformula.inference.tidy import tidy

        found = tidy(self, effects, conf_int=conf_int, level=level, method=method, ddf=ddf)
        return in_library(self, found, frame)

    def augment(self, *, influence: bool = False, frame: "Library | None" = None) -> Any:  # noqa: ANN401 (as above)
        """
        One row per observation: the columns of the data, fitted values, residuals; with `influence` Cook's distance.

        Rows that were left out are there, with missing values beside them, where `na_action` is "exclude".
        """
        from lmmformula.inference.tidy import augment

        check_flag("influence", influence)
        return augment(self, influence=influence, library=frame)

    def leverage(self) -> "FloatArray":
        """Return (n,) diagonal of the matrix that maps working responses to linear predictors, at the modes."""
        from lmmformula.inference.influence import leverage

        return leverage(self)

    def cooks_distance(self) -> "FloatArray":
        """Return (n,) Cook's distances of the rows, as lme4 defines them."""
        from lmmformula.inference.influence import cooks_distance

        return cooks_distance(self)

    def influence(self, group: str | None = None) -> "Influence":
        """
        Say how the fixed effects change when each level of a grouping factor, or each row, is left out.

        That is the first Newton step from the estimates, the parameters of the variances and of the family held.
        """
        from lmmformula.inference.influence import influence

        return influence(self, group)

    def plot(self, kind: str = "fit", **options: Any) -> Any:  # noqa: ANN401 (matplotlib's Axes, or an array of them)
        """
        Draw the fit; needs matplotlib (`pip install 'lmmformula[plot]'`).

        kind : "fit" (data by group with fitted means), "ranef" (random effects with intervals), "residuals"
            (against fitted values, and QQ), "profile" (zeta of each parameter), "predictions" (means with bands)
        """
        from lmmformula.present.pictures.table import fit_plot

        return fit_plot(self, kind, **options)

    def refit(self, y: "npt.ArrayLike") -> Any:  # noqa: ANN401 (a fit for one response, a frame for many)
        """
        Fit the same model to another response, or to many.

        y : (n,) one value per row used, or per row of the data that were given: returns a fit; or (n, m), a matrix or
            data frame of m responses: returns a data frame with a row of estimates for each. Of a binomial family they
            are shares of the trials, as `simulate` gives them
        """
        if np.ndim(y) != 2:
            return super().refit(y)
        from lmmformula.inference.refits.refitter import estimates_of_each

        return estimates_of_each(self, y)

    @property
    def trace(self) -> Text:
        """What the optimiser did: each evaluation of the criterion, and why it stopped."""
        return Text(str(self.fit.log))

    def __str__(self) -> str:
        return self.summary()

    def __repr__(self) -> str:
        from lmmformula.present.generalized import brief

        return brief(self)

    def _report(self) -> Report:
        from lmmformula.present.generalized import report

        return report(self)


PILOT_WORK = 1e8
"""Work, as `lmmformula.fit.work` counts it, that a fit to start a sampler from may take: about a second ..."""
PILOT_PASSES = 200
"""... and as many passes over the rows more, so that data of millions of rows get a fair share."""


@dataclass(frozen=True)
class Pilot:
    """
    A fit to start a sampler from, and to choose its geometry by.

    fit : None where there is none, or none to be trusted: then the sampler starts by itself
    stopped : whether there is none because it would have taken too much work
    """

    fit: Fit | GlmmFit | None
    stopped: bool = False


def laplace_pilot(design: DesignMatrices, family: Family) -> Pilot:
    """Fit by Laplace's method, within an amount of work that is the same on every machine."""
    if not can_fit(family) or not design.has_rows:
        return Pilot(None)
    columns = sum(term.n_coefficients for term in design.random_terms)
    try:
        fit = fit_glmm(design, family, most_work=PILOT_WORK + PILOT_PASSES * work_of(design.nobs, columns))
    except OutOfWork:
        return Pilot(None, stopped=True)
    except FitError:
        return Pilot(None)
    return Pilot(None if fit.verdict == "failed" else fit)
