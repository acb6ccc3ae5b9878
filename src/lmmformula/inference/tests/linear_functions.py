"""Tests of linear functions of the fixed effects, L beta, by one of four methods for their degrees of freedom."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, assert_never

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.errors import FitError
from lmmformula.inference.table import ResultTable
from lmmformula.inference.tests.f_statistic import (
    FStatistic,
    principal_components,
    t_p_values,
    t_quantiles,
    wald_squares,
)
from lmmformula.results.arguments import check_choice, check_level
from lmmformula.results.glmm import GeneralizedMixedResult, MixedResult
from lmmformula.results.lmm import LinearMixedResult

if TYPE_CHECKING:
    import pandas as pd

Ddf = Literal["satterthwaite", "kenward-roger", "asymptotic", "none"]
"""Where denominator degrees of freedom come from: infinity for "asymptotic"; "none" gives no probabilities."""

NAMES = {
    "satterthwaite": "Satterthwaite's degrees of freedom",
    "kenward-roger": "Kenward-Roger's covariance and degrees of freedom",
    "asymptotic": "infinite degrees of freedom",
    "none": "no degrees of freedom",
}


class Method(Protocol):
    """A covariance of the fixed effects, and the degrees of freedom that go with it."""

    @property
    def vcov(self) -> FloatArray:
        """(p, p) covariance of the fixed effects."""

    def t_df(self, L: FloatArray) -> FloatArray:
        """(r,) degrees of freedom of the t statistics of the rows of L, (r, p)."""

    def f_test(self, L: FloatArray, estimate: FloatArray) -> FStatistic:
        """Test that L beta is zero, given its (r,) estimate."""


@dataclass(frozen=True, slots=True)
class Constant:
    """
    The same degrees of freedom for everything: n - p in a linear model, infinity, or none (NaN).

    vcov : (p, p) covariance of the fixed effects
    """

    vcov: FloatArray
    df: float

    def t_df(self, L: FloatArray) -> FloatArray:
        """(r,) copies."""
        return np.full(len(L), self.df)

    def f_test(self, L: FloatArray, estimate: FloatArray) -> FStatistic:
        """Test that L beta is zero, given its (r,) estimate."""
        rows, variances = principal_components(L @ self.vcov @ L.T)
        squares = wald_squares(rows, variances, estimate)
        return FStatistic(float(squares.mean()) if len(squares) else np.nan, len(squares), self.df)


def chosen_ddf(result: MixedResult, ddf: Ddf | None) -> Ddf:
    """Return where degrees of freedom come from: what was said, or what is usual for the family."""
    if ddf is None:
        return "asymptotic" if isinstance(result, GeneralizedMixedResult) else "satterthwaite"
    check_choice("ddf", ddf, tuple(NAMES))
    return ddf


def method_of(result: MixedResult, ddf: Ddf | None) -> Method:
    """
    Return the method of a name, at a fit; of other families than the gaussian the tests are asymptotic.

    A linear model has exact tests, which both approximations agree with: n - p, and s^2 = RSS / (n - p) even after ML.
    """
    ddf = chosen_ddf(result, ddf)
    vcov = result.fit.vcov
    if ddf == "none" or not result.design.n_fixed:
        return Constant(vcov, np.nan)
    if ddf == "asymptotic":
        return Constant(vcov, np.inf)
    if isinstance(result, GeneralizedMixedResult):
        raise FitError(
            f"{NAMES[ddf]} are of gaussian models, not of the family {result.family.name}",
            hint='leave `ddf` out, or say ddf="asymptotic": z tests',
        )
    return _approximate(result, ddf)


def _approximate(result: LinearMixedResult, ddf: Literal["satterthwaite", "kenward-roger"]) -> Method:
    fit, design = result.fit, result.design
    if result.is_linear_model:
        left = design.nobs - design.n_fixed
        return Constant(fit.vcov * (1.0 if fit.reml else design.nobs / left), left)
    match ddf:
        case "satterthwaite":
            from lmmformula.inference.tests.satterthwaite import Satterthwaite

            return Satterthwaite(fit.vcov, result.variance_parameters)
        case "kenward-roger":
            from lmmformula.fit.moments import moments
            from lmmformula.inference.tests.kenward_roger import KenwardRoger

            if not fit.reml:
                raise FitError(
                    "Kenward-Roger's method is one for REML fits, and this one is ML",
                    hint='fit again with reml=True, or use ddf="satterthwaite"',
                )
            if not design.has_criterion:
                design.need_rows("Kenward-Roger's method", 'use ddf="satterthwaite"')
            return KenwardRoger(moments(design, fit))
    assert_never(ddf)


def with_estimate(result: object, L: FloatArray) -> FloatArray:
    """Return (r, p) functions of beta, NaN where they have no finite estimate: the likelihood is flat (separation)."""
    if not isinstance(result, GeneralizedMixedResult) or not result.fit.flat.size:
        return L
    return np.where(result.fit.unestimable(L)[:, None], np.nan, L)


FLAT = "what is empty has no finite estimate: the likelihood is flat there (separation)"
"""A note below tables."""


def joint_test(result: MixedResult, method: Method, L: FloatArray, null: FloatArray | float = 0.0) -> FStatistic:
    """Test all rows of L beta = null together; NaN where one of them has no finite estimate."""
    if np.isnan(with_estimate(result, L)).any():
        return FStatistic(np.nan, len(L), np.inf)
    return method.f_test(L, L @ result.fit.beta - null)


def wald_table(title: str, tests: Mapping[str, FStatistic]) -> ResultTable:
    """Lay out joint tests as Wald's chi-squared tests, and say why one of them is empty."""
    import pandas as pd

    columns = {
        "chisq": [test.num_df * test.f for test in tests.values()],
        "df": [test.num_df for test in tests.values()],
        "p_value": [test.p_value for test in tests.values()],
    }
    frame = pd.DataFrame(columns, index=pd.Index(list(tests), dtype=object))
    lost = any(np.isnan(test.f) and test.num_df for test in tests.values())
    return ResultTable(title, frame, (f"{FLAT}; drop1() compares likelihoods",) * lost)


@dataclass(frozen=True, slots=True)
class TTests:
    """
    Estimates L beta (less what they are compared with) and their t tests.

    estimate, std_error, df, statistic, p_value : (r,)
    """

    estimate: FloatArray
    std_error: FloatArray
    df: FloatArray
    statistic: FloatArray
    p_value: FloatArray

    def interval(self, level: float) -> tuple[FloatArray, FloatArray]:
        """Return lower and upper (r,) bounds of confidence intervals, each of that level."""
        check_level(level)
        half = t_quantiles(level, self.df) * self.std_error
        return self.estimate - half, self.estimate + half


def t_tests(method: Method, L: FloatArray, beta: FloatArray, null: FloatArray | float = 0.0) -> TTests:
    """
    Test each row of L beta = null.

    L : (r, p); a row of NaN is not estimable, and gives NaN
    """
    known = np.isfinite(L).all(axis=1)
    estimate, se, df = (np.full(len(L), np.nan) for _ in range(3))
    rows = L[known]
    estimate[known] = rows @ beta
    se[known] = np.sqrt(np.einsum("rp,pq,rq->r", rows, method.vcov, rows))
    df[known] = method.t_df(rows) if len(rows) else 0.0
    with np.errstate(divide="ignore", invalid="ignore"):
        t = (estimate - null) / se
    return TTests(estimate, se, df, t, t_p_values(t, df))


def fixed_tests(result: MixedResult, ddf: Ddf) -> TTests:
    """Test each fixed effect; the error of one without a finite estimate is infinite."""
    beta = result.fit.beta
    tests = t_tests(method_of(result, ddf), np.eye(len(beta)), beta)
    if not isinstance(result, GeneralizedMixedResult) or not result.fit.flat.size:
        return tests
    errors = np.array(result.std_errors, dtype=np.float64)
    return TTests(beta, errors, tests.df, beta / errors, t_p_values(beta / errors, tests.df))


def coefficient_tests(result: LinearMixedResult, ddf: Ddf = "satterthwaite") -> ResultTable:
    """
    Test each fixed effect.

    >>> import lmmformula as lf
    >>> fit = lf.lmer("Reaction ~ Days + (Days | Subject)", lf.datasets.load("sleepstudy"))
    >>> print(coefficient_tests(fit))
    Fixed effects, Satterthwaite's degrees of freedom
                 estimate  std_error  df  statistic  p_value
    (Intercept)    251.41     6.8246  17     36.838  <0.0001
    Days            10.47     1.5458  17      6.771  <0.0001
    """
    tests = fixed_tests(result, ddf)
    return ResultTable(f"Fixed effects, {NAMES[ddf]}", frame_of(tests, list(result.design.fixed_names)))


def frame_of(tests: TTests, names: Sequence[str]) -> "pd.DataFrame":
    """Lay out t tests: estimate, std_error, df, statistic, p_value."""
    import pandas as pd

    columns = ("estimate", "std_error", "df", "statistic", "p_value")
    return pd.DataFrame({name: getattr(tests, name) for name in columns}, index=pd.Index(names))
