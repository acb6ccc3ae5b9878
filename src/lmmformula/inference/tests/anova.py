"""Analysis of variance of one fit: an F test for each fixed term."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.errors import FitError
from lmmformula.inference.means.model_columns import without_term
from lmmformula.inference.table import ResultTable
from lmmformula.inference.tests.anova_contrasts import AnovaType, hypotheses
from lmmformula.inference.tests.f_statistic import FStatistic
from lmmformula.inference.tests.linear_functions import NAMES, Ddf, Method, method_of
from lmmformula.ir.terms import Term
from lmmformula.results.lmm import LinearMixedResult

if TYPE_CHECKING:
    import pandas as pd

TYPES: dict[str, AnovaType] = {"I": "I", "II": "II", "III": "III", "1": "I", "2": "II", "3": "III"}


def anova(result: LinearMixedResult, kind: AnovaType = "III", ddf: Ddf = "satterthwaite") -> ResultTable:
    """
    Test each fixed term.

    kind : "I" tests a term after those before it; "II" after all that don't contain it; "III" with its effects averaged
        over the levels of the factors it interacts with
    ddf : where denominator degrees of freedom come from

    >>> import lmmformula as lf
    >>> fit = lf.lmer("yield ~ Variety * nitroF + (1 | Block/Variety)", lf.datasets.load("Oats_f"))
    >>> print(anova(fit))
    Type III analysis of variance, Satterthwaite's degrees of freedom
                    sum_sq  mean_sq  num_df  den_df       f  p_value
    Variety            526    263.0       2      10   1.485   0.2724
    nitroF           20021   6673.5       3      45  37.686  <0.0001
    Variety:nitroF     322     53.6       6      45   0.303   0.9322
    """
    chosen = anova_type(kind)
    frame = _tested(result, method_of(result, ddf), hypotheses(result, chosen))
    return ResultTable(f"Type {chosen} analysis of variance, {NAMES[ddf]}", frame)


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


def single_deletions(result: LinearMixedResult, ddf: Ddf = "satterthwaite") -> ResultTable:
    """Test each fixed term that no other one contains, as lmerTest's `drop1`: nothing is fitted again."""
    method = method_of(result, ddf)
    rows = {term.label: _restriction(result, term) for term in droppable(result.ir.fixed.terms)}
    return ResultTable(f"Single term deletions, {NAMES[ddf]}", _tested(result, method, rows))


def droppable(terms: Sequence[Term]) -> list[Term]:
    """List the terms whose variables are not all in another one, R's `drop.scope`."""
    return [term for term in terms if not any(set(term.factors) < set(other.factors) for other in terms)]


def _restriction(result: LinearMixedResult, term: Term) -> FloatArray:
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
