"""Generalised linear mixed models: fits by Laplace's method as a user holds them, and as a sampler needs them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from lmmformula.api.marginal import MarginalEffects
from lmmformula.api.newcomers import answers_newcomers
from lmmformula.api.refusals import Refusals
from lmmformula.design.matrices import DesignMatrices
from lmmformula.errors import FitError, is_text
from lmmformula.fit.glmm import GlmmFit, fit_glmm
from lmmformula.fit.lmm import Fit, fit_lmm
from lmmformula.fit.response import can_fit
from lmmformula.fit.work import OutOfWork
from lmmformula.ir.family import Family
from lmmformula.present.text import Summary, Text
from lmmformula.results.arguments import check_level
from lmmformula.results.frames import augment, in_library
from lmmformula.results.glmm import GeneralizedMixedResult
from lmmformula.results.tables.sheets import Report, Reported

if TYPE_CHECKING:
    from lmmformula.data.table import Library
    from lmmformula.inference.intervals.confint import Method
    from lmmformula.inference.intervals.interval_table import Intervals
    from lmmformula.inference.refits.bootstrap import Bootstrap
    from lmmformula.inference.refits.generalized_bootstrap import Statistic
    from lmmformula.inference.refits.jobs import Progress
    from lmmformula.inference.table import ResultTable
    from lmmformula.inference.tests.anova_contrasts import AnovaType
    from lmmformula.inference.tests.contrasts import Hypothesis
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

    def summary(self) -> Summary:
        """
        Summarise like lme4's `summary`, with z tests.

        The result is a text; `.to_latex()` and `.to_markdown()` give its tables for a paper.
        """
        from lmmformula.present.generalized import report, summary

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
        method : "wald" (standard deviations by their logarithm), "profile" (likelihood; fixed effects alone have it) or
            "boot" (percentiles of `n` refits, drawn by `seed`)
        progress, workers : as in `bootstrap`
        """
        from lmmformula.inference.generalized import wald_intervals

        check_level(level)
        match method if is_text(method) else repr(method):
            case "wald":
                return wald_intervals(self, parameters, level=level)
            case "profile":
                from lmmformula.inference.intervals.generalized_profile import profile_intervals

                return profile_intervals(self, parameters, level=level, progress=progress, workers=workers)
            case "boot":
                found = self.bootstrap(n=n, seed=seed, parameters=parameters, progress=progress, workers=workers)
                return found.confint(level)
        raise FitError(
            f"there are no intervals by {method!r:.60} for the family {self.family.name}",
            hint="the methods are: wald, profile, boot",
        )

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
        from lmmformula.inference.refits.generalized_bootstrap import bootstrap

        return bootstrap(self, statistic, n=n, seed=seed, parameters=parameters, progress=progress, workers=workers)

    def anova(
        self,
        *others: GeneralizedMixedResult,
        type: "AnovaType" = "III",  # noqa: A002 (its name everywhere)
        names: Sequence[str] | None = None,
    ) -> "ResultTable":
        """
        Test each fixed term by Wald's chi-squared; or, with other fits, compare them by likelihood ratios.

        type : "I" after the terms before it, "II" after all that don't contain it, "III" averaged over other factors
        names : of the fits that are compared, this one's first
        """
        if others:
            from lmmformula.inference.generalized import compare_fits

            return compare_fits([self, *others], names)
        from lmmformula.inference.tests.generalized_terms import wald_anova

        return wald_anova(self, type)

    def drop1(self) -> "ResultTable":
        """Leave out each fixed term that no other one contains, fit again, and compare likelihoods."""
        from lmmformula.inference.tests.generalized_terms import drop_fixed_terms

        return drop_fixed_terms(self)

    def ranova(self) -> "ResultTable":
        """Leave out each random term, or each of its slopes, fit again, and compare likelihoods."""
        from lmmformula.inference.tests.generalized_terms import reduce_random_terms

        return reduce_random_terms(self)

    def contrast(
        self, hypothesis: "Hypothesis", *, adjust: "Adjustment" = "none", level: float = 0.95
    ) -> "ResultTable":
        """
        Estimate linear functions of the fixed effects, each with its z test and interval.

        hypothesis : `"period4 - period3"`, `"x = 1"`, `{"x": 1, "z": -1}`, a list of such, or a matrix
        adjust : "holm" or "bonferroni" correct the probabilities for several tests
        """
        from lmmformula.inference.tests.contrasts import contrast

        return contrast(self, hypothesis, ddf="asymptotic", adjust=adjust, level=level)

    def linear_hypothesis(self, hypothesis: "Hypothesis") -> "ResultTable":
        """Test several linear functions of the fixed effects together, by Wald's chi-squared."""
        from lmmformula.inference.tests.generalized_terms import wald_hypothesis

        return wald_hypothesis(self, hypothesis)

    def tidy(
        self,
        effects: "Effects | Sequence[Effects]" = ("fixed", "ran_pars"),
        *,
        conf_int: bool = True,
        level: float = 0.95,
        frame: "Library | None" = None,
    ) -> Any:  # noqa: ANN401 (a data frame of the library)
        """
        One row per estimate: effect, group, term, estimate, std_error, statistic, df, p_value, conf_low, conf_high.

        effects : "fixed", "ran_pars" (with the family's own), "ran_vals", or several of them
        conf_int : whether to give Wald bounds
        frame : "pandas", "polars" or "pyarrow"; None for the library that the data came in
        """
        from lmmformula.inference.generalized import tidy

        return in_library(self, tidy(self, effects, conf_int=conf_int, level=level), frame)

    def augment(self, *, frame: "Library | None" = None) -> Any:  # noqa: ANN401 (a data frame of the library)
        """
        One row per observation: the columns of the data, fitted values, residuals.

        Rows that were left out are there, with missing values beside them, where `na_action` is "exclude".
        """
        return augment(self, library=frame)

    def plot(self, kind: str = "fit", **options: Any) -> Any:  # noqa: ANN401 (matplotlib's Axes, or an array of them)
        """
        Draw the fit; needs matplotlib (`pip install 'lmmformula[plot]'`).

        kind : "fit" (data by group with fitted means), "ranef" (random effects with intervals) or "residuals"
        """
        from lmmformula.present.pictures.table import fit_plot

        return fit_plot(self, kind, **options)

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


PILOT_WORK = 8e8
"""Work, as `lmmformula.fit.work` counts it, that a fit to start a sampler from may take: about a second ..."""
PILOT_WORK_OF_ROW = 1e4
"""... with as much for each row, so that data of millions of rows, which take long to sample, get a fair share."""


@dataclass(frozen=True)
class Pilot:
    """
    A fit to start a sampler from, and to choose its geometry by.

    fit : None where there is none, or none to be trusted: then the sampler starts by itself
    stopped : whether there is none because it would have taken too much work
    """

    fit: Fit | GlmmFit | None
    stopped: bool = False


def pilot_of(design: DesignMatrices, family: Family, *, exact: bool) -> Pilot:
    """
    Fit within an amount of work that is the same on every machine.

    exact : whether there is a fit by REML; else it is by Laplace's method
    """
    most = PILOT_WORK + PILOT_WORK_OF_ROW * design.nobs
    try:
        if exact:
            return Pilot(fit_lmm(design, most_work=most))
        if not can_fit(family) or not design.has_rows:
            return Pilot(None)
        fit = fit_glmm(design, family, most_work=most)
    except OutOfWork:
        return Pilot(None, stopped=True)
    except FitError:
        if exact:
            raise
        return Pilot(None)
    return Pilot(None if fit.verdict == "failed" else fit)
