"""Analysis of variance of one fit: a test for each fixed term."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.errors import FitError
from lmmformula.inference.means.model_columns import without_term
from lmmformula.inference.table import ResultTable
from lmmformula.inference.tests.anova_contrasts import AnovaType, hypotheses
from lmmformula.inference.tests.f_statistic import FStatistic
from lmmformula.inference.tests.linear_functions import (
    NAMES,
    Ddf,
    Method,
    chosen_ddf,
    joint_test,
    method_of,
    wald_table,
)
from lmmformula.ir.terms import Term
from lmmformula.results.glmm import GeneralizedMixedResult, MixedResult
from lmmformula.results.lmm import LinearMixedResult

if TYPE_CHECKING:
    import pandas as pd

NOTHING = FStatistic(np.nan, 0, np.inf)
"""The test of a term without a column of its own."""

TYPES: dict[str, AnovaType] = {"I": "I", "II": "II", "III": "III", "1": "I", "2": "II", "3": "III"}


def anova(result: MixedResult, kind: AnovaType = "III", ddf: Ddf | None = None) -> ResultTable:
    """
    Test each fixed term: by F, of other families than the Gaussian by Wald's chi-squared.

    kind : "I" tests a term after those before it; "II" after all that don't contain it; "III" with its effects averaged
        over the levels of the factors it interacts with
    ddf : where denominator degrees of freedom come from; None for Satterthwaite's, of other families for infinity

    >>> import lmmformula as lf
    >>> fit = lf.lmer("yield ~ Variety * nitroF + (1 | Block/Variety)", lf.datasets.load("Oats_f"))
    >>> print(anova(fit))
    Type III analysis of variance, Satterthwaite's degrees of freedom
                    sum_sq  mean_sq  num_df  den_df       f  p_value
    Variety            526    263.0       2      10   1.485   0.2724
    nitroF           20021   6673.5       3      45  37.686  <0.0001
    Variety:nitroF     322     53.6       6      45   0.303   0.9322
    >>> formula = "cbind(incidence, size - incidence) ~ period + (1 | herd)"
    >>> print(anova(lf.glmer(formula, lf.datasets.load("cbpp"), family="binomial")))
    Type III analysis of variance, Wald's chi-squared tests
             chisq  df  p_value
    period  24.949   3  <0.0001
    """
    chosen = anova_type(kind)
    return _table(result, f"Type {chosen} analysis of variance", hypotheses(result, chosen), ddf)


def anova_type(kind: object) -> AnovaType:
    """
    Return the type that a user means.

    >>> anova_type(2)
    'II'
    """
    chosen = TYPES.get(str(kind))
    if chosen is None:
        raise FitError(f"type={kind!r} is not known", hint='the types are "I", "II" and "III"')
    return chosen


def single_deletions(result: MixedResult, ddf: Ddf | None = None) -> ResultTable:
    """Test each fixed term that no other one contains, as lmerTest's `drop1`: nothing is fitted again."""
    rows = {term.label: _restriction(result, term) for term in droppable(result.ir.fixed.terms)}
    return _table(result, "Single term deletions", rows, ddf)


def _table(result: MixedResult, title: str, rows: Mapping[str, FloatArray], ddf: Ddf | None) -> ResultTable:
    """Test the functions of each row's name."""
    ddf = chosen_ddf(result, ddf)
    method = method_of(result, ddf)
    if isinstance(result, GeneralizedMixedResult):
        tests = {name: joint_test(result, method, L) if len(L) else NOTHING for name, L in rows.items()}
        return wald_table(f"{title}, Wald's chi-squared tests", tests)
    return ResultTable(f"{title}, {NAMES[ddf]}", _tested(result, method, rows))


def droppable(terms: Sequence[Term]) -> list[Term]:
    """List the terms whose variables are not all in another one, R's `drop.scope`."""
    return [term for term in terms if not any(set(term.factors) < set(other.factors) for other in terms)]


def _restriction(result: MixedResult, term: Term) -> FloatArray:
    """Return the rows L by which L beta = 0 takes X's columns to those of the model without a term."""
    design = result.design
    if not design.dropped_names:
        number = design.fixed_terms.index(term.label) + 1
        return np.eye(design.n_fixed)[np.equal(design.fixed_assign, number)]
    reduced = without_term(result, term).X
    basis = np.linalg.qr(reduced)[0]
    left = design.X - basis @ (basis.T @ design.X)
    lengths = np.sqrt(np.einsum("ij,ij->j", design.X, design.X))
    values, rows = np.linalg.svd(left / lengths, full_matrices=False)[1:]
    L: FloatArray = rows[values > 1e-7] * lengths
    return L


def _residual_variance(result: LinearMixedResult) -> float:
    """Return sigma^2; in a linear model RSS / (n - p), whatever the criterion of the fit."""
    if result.is_linear_model:
        return result.fit.pwrss / (result.nobs - result.design.n_fixed)
    return result.sigma**2


def _tested(result: LinearMixedResult, method: Method, rows: Mapping[str, FloatArray]) -> "pd.DataFrame":
    import pandas as pd

    tests = [method.f_test(L, L @ result.fit.beta) if len(L) else FStatistic(np.nan, 0, np.nan) for L in rows.values()]
    mean_squares = np.array([test.wald for test in tests]) * _residual_variance(result)
    numerators = np.array([test.num_df for test in tests])
    return pd.DataFrame(
        {
            "sum_sq": mean_squares * numerators,
            "mean_sq": mean_squares,
            "num_df": numerators,
            "den_df": [test.den_df for test in tests],
            "f": [test.f for test in tests],
            "p_value": [test.p_value for test in tests],
        },
        index=pd.Index(list(rows), dtype=object),
    )
