"""A frequentist fit as a user holds it: the numbers of `results`, printed."""

from dataclasses import dataclass
from functools import partial

from lmmformula.api.after import AnalysedFit
from lmmformula.api.engine import ExaminedFit
from lmmformula.api.hypotheses import HypothesisTests
from lmmformula.api.newcomers import answers_newcomers
from lmmformula.inference.tests.linear_functions import NAMES, Ddf
from lmmformula.present import linear, summary
from lmmformula.present.report import fit_report
from lmmformula.present.text import Summary
from lmmformula.results.arguments import check_choice
from lmmformula.results.tables.sheets import Report, Reported


@answers_newcomers()
@dataclass(frozen=True, eq=False, repr=False)
class LinearMixedFit(Reported, AnalysedFit, HypothesisTests, ExaminedFit):
    """
    A linear mixed model fitted by REML or ML; ordinary least squares where it has no random term.

    `print(fit)` shows the summary that lme4's users know; all numbers are attributes under lme4's names.

    >>> import lmmformula as lf
    >>> fit = lf.Model("Yield ~ 1 + (1 | Batch)", lf.datasets.load("Dyestuff")).fit()
    >>> round(fit.sigma, 3), fit.ngroups, fit.is_singular
    (49.51, {'Batch': 6}, False)
    """

    def summary(self, ddf: Ddf = "satterthwaite") -> Summary:
        """
        Summarise like lmerTest's `summary`; like lm's, where there is no random term.

        ddf : "satterthwaite", "kenward-roger" or "asymptotic"; "none" for lme4's summary, which `print(fit)` shows

        The result is a text; `.to_latex()` and `.to_markdown()` give its tables for a paper.
        """
        check_choice("ddf", ddf, tuple(NAMES))
        if not self.design.n_fixed or (ddf == "satterthwaite" and not self.knows_variances):
            ddf = "none"  # nothing to test, or the file of an older version
        text = linear.linear_summary(self) if self.is_linear_model else summary.summary(self, ddf=ddf)
        return Summary(text, partial(fit_report, self, ddf))

    def __str__(self) -> str:
        return self.summary(ddf="none")

    def __repr__(self) -> str:
        return linear.linear_brief(self) if self.is_linear_model else summary.brief(self)

    def _report(self) -> Report:
        return fit_report(self)
