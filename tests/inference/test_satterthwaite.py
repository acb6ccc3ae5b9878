"""Satterthwaite's t and F tests against lmerTest's, at R's theta."""

import numpy as np
import pytest

import lmmformula as lf
from corpus import dataset, record, records
from fits import fit_of
from lmmformula.fit.variance import variance_parameters
from lmmformula.inference.tests.anova import anova
from lmmformula.inference.tests.linear_functions import coefficient_tests
from lmmformula.inference.tests.satterthwaite import Satterthwaite, joint_df

RECORDS = [r["id"] for r in records("satterthwaite")]
DF = 1e-6
"""lmerTest differentiates numerically, twice: about seven digits of its degrees of freedom are digits."""
COLUMNS = {"sum_sq": "Sum Sq", "mean_sq": "Mean Sq", "den_df": "DenDF", "f": "F value", "p_value": "Pr(>F)"}


@pytest.mark.parametrize("identifier", RECORDS)
def test_coefficients_have_lmertests_degrees_of_freedom(identifier: str) -> None:
    """Estimates, standard errors, df, t and p of each coefficient."""
    expected = record("satterthwaite", identifier)
    table = coefficient_tests(fit_of(expected["fit_id"])).frame
    known = expected["coef"]
    assert list(table.index) == known["rows"]
    np.testing.assert_allclose(table["estimate"], known["Estimate"], rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(table["std_error"], known["Std. Error"], rtol=1e-7)
    np.testing.assert_allclose(table["df"], known["df"], rtol=DF)
    np.testing.assert_allclose(table["statistic"], known["t value"], rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(table["p_value"], known["Pr(>|t|)"], rtol=2e-5)


@pytest.mark.parametrize("kind", ["I", "II", "III"])
@pytest.mark.parametrize("identifier", RECORDS)
def test_each_type_of_anova_is_lmertests(identifier: str, kind: str) -> None:
    """Sums of squares, degrees of freedom, F and p of each term; empty for a term whose columns were all dropped."""
    expected = record("satterthwaite", identifier)
    known = expected["anova"][kind]
    table = anova(fit_of(expected["fit_id"]), kind).frame
    assert sorted(table.index) == sorted(known["rows"])
    if not known["rows"]:
        return
    table = table.loc[known["rows"]]
    np.testing.assert_array_equal(table["num_df"], np.nan_to_num(np.array(known["NumDF"], float)))
    for name, theirs in COLUMNS.items():
        # lmerTest rounds the entries of type III hypotheses to seven digits
        np.testing.assert_allclose(table[name], np.array(known[theirs], float), rtol=5e-6, err_msg=name)


SINGULAR = {
    "lmm-055r": [123.24825, 34.30873, 308.99996],
    "lmm-056m": [387.9438, 58.61824, 312.14327],
    "lmm-102r": [11.63552, 11.3041, 13.62723, 14.18702, 216.31614],
    "lmm-106r": [18.95196, 25.96329, 18.14186, 49.08859],
    "lmm-124r": [8.44352, 23.40674, 7.46817],
}
"""
`coef(summary(m))[, "df"]` of lmerTest 3.1-3 (lme4 1.1-31, R 4.2.2), fitted with
`lmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-10), calc.derivs = FALSE)`.
"""


@pytest.mark.parametrize("identifier", SINGULAR)
def test_singular_fits_have_lmertests_degrees_of_freedom(identifier: str) -> None:
    """At a boundary what counts is the curvature along it, for correlations of one as for variances of zero."""
    fit = fit_of(identifier)
    assert fit.is_singular
    np.testing.assert_allclose(coefficient_tests(fit).frame["df"], SINGULAR[identifier], rtol=1e-5)


def test_a_variance_of_zero_drops_out() -> None:
    """Where the only variance is estimated as zero, tests are those of the linear model: n - p degrees of freedom."""
    fit = lf.lmer("Yield ~ 1 + (1 | Batch)", dataset("Dyestuff2"))
    assert fit.is_singular
    plain = lf.lmer("Yield ~ 1", dataset("Dyestuff2"))
    np.testing.assert_allclose(coefficient_tests(fit).frame, coefficient_tests(plain).frame, rtol=1e-9)


def test_a_variance_of_zero_leaves_the_others_alone() -> None:
    """A term estimated as zero changes no degrees of freedom."""
    data = dataset("sim_nested").assign(random_label=np.arange(353) % 7)
    fits = [lf.lmer(f"y ~ x + (1 | a){more}", data) for more in ("", " + (1 | random_label)")]
    assert fits[1].is_singular
    np.testing.assert_allclose(*(coefficient_tests(fit).frame for fit in fits), rtol=1e-6)


@pytest.mark.parametrize(
    ("df", "expected"),
    [([5.0, 5.0], 5.0), ([2.0, 9.0], 2.0), ([1.0, 1.0, 30.0], 2.0), ([np.inf, np.inf], np.inf), ([4.0, np.inf], 6.0)],
)
def test_joint_degrees_of_freedom(df: list[float], expected: float) -> None:
    """Equal ones stay; without a mean of F there are 2; known variances count as infinitely many."""
    assert joint_df(np.array(df)) == pytest.approx(expected)


def test_degrees_of_freedom_do_not_depend_on_scale() -> None:
    """L and 1000 L have the same degrees of freedom, and so has any basis of the same hypothesis, for F alone."""
    fit = fit_of("lmm-063r")
    method = Satterthwaite(fit.fit.vcov, variance_parameters(fit.design, fit.fit))
    L = np.eye(fit.design.n_fixed)[1:3]
    np.testing.assert_allclose(method.t_df(1000 * L), method.t_df(L))
    turned = np.array([[0.6, 0.8], [-0.8, 0.6]]) @ L
    one, other = method.f_test(L, L @ fit.fit.beta), method.f_test(turned, turned @ fit.fit.beta)
    assert one.f == pytest.approx(other.f)
    assert one.den_df == pytest.approx(other.den_df)
