"""Frequentist fits as a user holds them: the numbers of `results`, printed."""

from dataclasses import dataclass
from functools import partial

from lmmformula.api.methods.abilities import lacking, named
from lmmformula.api.methods.after import AnalysedFit
from lmmformula.api.methods.engine import ExaminedFit
from lmmformula.api.methods.hypotheses import HypothesisTests
from lmmformula.inference.tests.linear_functions import Ddf, chosen_ddf, method_of
from lmmformula.newcomers import answers_newcomers
from lmmformula.present import linear, summary
from lmmformula.present.report import fit_report
from lmmformula.present.text import Summary
from lmmformula.results.glmm import GeneralizedMixedResult
from lmmformula.results.lmm import LinearMixedResult
from lmmformula.results.tables.sheets import Report, Reported


@answers_newcomers(made="lmer() or Model(...).fit()", lacking=lacking)
@dataclass(frozen=True, eq=False, repr=False)
class LinearMixedFit(Reported, AnalysedFit, HypothesisTests, ExaminedFit, LinearMixedResult):
    """
    A linear mixed model fitted by REML or ML; ordinary least squares where it has no random term.

    `print(fit)` shows the summary that lme4's users know; all numbers are attributes under lme4's names.

    >>> import lmmformula as lf
    >>> fit = lf.Model("Yield ~ 1 + (1 | Batch)", lf.datasets.load("Dyestuff")).fit()
    >>> round(fit.sigma, 3), fit.ngroups, fit.is_singular
    (49.51, {'Batch': 6}, False)
    """

    def summary(self, ddf: Ddf | None = None) -> Summary:
        """
        Summarise like lmerTest's `summary`; like lm's, where there is no random term.

        ddf : "satterthwaite" (None), "kenward-roger" or "asymptotic"; "none" for lme4's summary, which `print(fit)`
            shows

        The result is a text; `.to_latex()` and `.to_markdown()` give its tables for a paper.
        """
        chosen = chosen_ddf(self, ddf)
        if not self.design.n_fixed or (chosen == "satterthwaite" and not self.knows_variances):
            chosen = "none"  # nothing to test, or the file of an older version
        text = linear.linear_summary(self) if self.is_linear_model else summary.summary(self, ddf=chosen)
        return Summary(text, partial(fit_report, self, chosen))

    def __str__(self) -> str:
        return self.summary(ddf="none")

    def __repr__(self) -> str:
        return linear.linear_brief(self) if self.is_linear_model else summary.brief(self)

    def _report(self) -> Report:
        return fit_report(self)


@named
@answers_newcomers(made="glmer() or Model(...).fit()", lacking=lacking)
@dataclass(frozen=True, eq=False, repr=False)
class GeneralizedMixedFit(Reported, AnalysedFit, HypothesisTests, ExaminedFit, GeneralizedMixedResult):
    """
    A generalised linear mixed model, fitted by maximum likelihood with Laplace's approximation.

    `print(fit)` shows the summary that lme4's users know; the accessors have the names of a linear mixed model's. What
    they can't say is in one table, `lmmformula.api.methods.abilities`.

    >>> import lmmformula as lf
    >>> fit = lf.glmer("cbind(incidence, size - incidence) ~ period + (1 | herd)", lf.datasets.load("cbpp"),
    ...                family="binomial")
    >>> round(fit.loglik, 3), fit.varcorr["herd"].sds.round(4).tolist()
    (-92.026, [0.6423])
    """

    def summary(self, ddf: Ddf | None = None) -> Summary:
        """
        Summarise like lme4's `summary`, with z tests.

        ddf : "asymptotic" (None), or "none" for lme4's summary, which is the same; there are no others

        The result is a text; `.to_latex()` and `.to_markdown()` give its tables for a paper.
        """
        method_of(self, ddf)
        return Summary(summary.summary(self), partial(fit_report, self))

    def __str__(self) -> str:
        return self.summary()

    def __repr__(self) -> str:
        return summary.brief(self)

    def _report(self) -> Report:
        return fit_report(self)
