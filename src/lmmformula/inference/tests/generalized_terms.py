"""Tests of the terms of a generalised linear mixed model: Wald's chi-squared, and likelihood ratios by refits."""

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from lmmformula.design.design import Design
from lmmformula.errors import FitError
from lmmformula.inference.means.model_columns import without_term
from lmmformula.inference.table import ResultTable
from lmmformula.inference.tests.anova import anova_type, droppable
from lmmformula.inference.tests.anova_contrasts import AnovaType, hypotheses
from lmmformula.inference.tests.contrasts import Hypothesis, joint_hypothesis
from lmmformula.inference.tests.f_statistic import FStatistic
from lmmformula.inference.tests.likelihood_ratio import BOUNDARY, Likelihood, deletions
from lmmformula.inference.tests.linear_functions import FLAT, joint_test, method_of
from lmmformula.inference.tests.reduced_random_terms import reductions
from lmmformula.results.glmm import GeneralizedMixedResult

if TYPE_CHECKING:
    import pandas as pd

NOTHING = FStatistic(np.nan, 0, np.inf)
"""The test of a term without a column of its own."""


def wald_anova(result: GeneralizedMixedResult, kind: AnovaType = "III") -> ResultTable:
    """
    Test each fixed term by Wald's chi-squared: (L beta)' (L V L')^-1 (L beta).

    kind : "I" tests a term after those before it; "II" after all that don't contain it, as car's `Anova`; "III" with
        its effects averaged over the levels of the factors it interacts with, whatever their contrasts

    >>> import lmmformula as lf
    >>> formula = "cbind(incidence, size - incidence) ~ period + (1 | herd)"
    >>> print(wald_anova(lf.glmer(formula, lf.datasets.load("cbpp"), family="binomial")))
    Type III analysis of variance, Wald's chi-squared tests
             chisq  df  p_value
    period  24.949   3  <0.0001
    """
    chosen = anova_type(kind)
    method = method_of(result, "asymptotic")
    tests = {
        name: joint_test(result, method, L) if len(L) else NOTHING for name, L in hypotheses(result, chosen).items()
    }
    title = f"Type {chosen} analysis of variance, Wald's chi-squared tests"
    return ResultTable(title, _frame(tests.items()), _notes(tests.values()))


def wald_hypothesis(result: GeneralizedMixedResult, hypothesis: Hypothesis) -> ResultTable:
    """Test several linear functions of the fixed effects together, by Wald's chi-squared."""
    label, test = joint_hypothesis(result, hypothesis, "asymptotic")
    return ResultTable("Joint linear hypothesis, Wald's chi-squared test", _frame([(label, test)]), _notes([test]))


def _notes(tests: Iterable[FStatistic]) -> tuple[str, ...]:
    """Say why a test of some columns is empty."""
    return (f"{FLAT}; drop1() compares likelihoods",) if any(np.isnan(t.f) and t.num_df for t in tests) else ()


def _frame(tests: Iterable[tuple[str, FStatistic]]) -> "pd.DataFrame":
    import pandas as pd

    found = dict(tests)
    columns = {
        "chisq": [test.num_df * test.f for test in found.values()],
        "df": [test.num_df for test in found.values()],
        "p_value": [test.p_value for test in found.values()],
    }
    return pd.DataFrame(columns, index=pd.Index(list(found), dtype=object))


def drop_fixed_terms(result: GeneralizedMixedResult) -> ResultTable:
    """
    Fit without each fixed term that no other one contains, as lme4's `drop1`, and compare likelihoods.

    >>> import lmmformula as lf
    >>> formula = "cbind(incidence, size - incidence) ~ period + (1 | herd)"
    >>> print(drop_fixed_terms(lf.glmer(formula, lf.datasets.load("cbpp"), family="binomial")))
    Single term deletions, likelihood ratio tests
            npar     aic     lrt  df  p_value
    <none>     5  194.05
    period     2  213.66  25.610   3  <0.0001
    """
    terms = droppable(result.ir.fixed.terms)
    smaller = {term.label: _fitted(result, without_term(result, term)) for term in terms}
    frame = deletions(_likelihood(result), smaller).drop(columns="loglik")
    return ResultTable("Single term deletions, likelihood ratio tests", frame)


def reduce_random_terms(result: GeneralizedMixedResult) -> ResultTable:
    """Fit without each random term, or without each of its slopes, and compare likelihoods."""
    if not result.design.random_terms:
        raise FitError("the model has no random terms to test")
    smaller = {
        r.label: _fitted(result, replace(result.design, random_terms=r.random_terms)) for r in reductions(result)
    }
    return ResultTable("Random terms, likelihood ratio tests", deletions(_likelihood(result), smaller), BOUNDARY)


def _likelihood(result: GeneralizedMixedResult) -> Likelihood:
    return Likelihood(result.loglik, result.n_parameters)


def _fitted(result: GeneralizedMixedResult, design: Design) -> Likelihood:
    """Fit another design to the same response, by the same approximation; without random terms there is none."""
    fit = result.fit.again(design)
    return Likelihood(-fit.criterion / 2, design.n_fixed + design.n_variance_parameters + len(fit.parameters))
