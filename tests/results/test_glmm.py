"""Fits of generalised linear mixed models under the accessor names of the field, against R."""

import warnings
from functools import cache

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import lmmformula as lf
from corpus import dataset, record, records, weights_of
from lmmformula.ir.family import Family
from lmmformula.results.families import slope_of, variance_of

NAMES = {"negative.binomial": "negbinomial"}
RECORDS = [
    r["id"]
    for r in records("glmm")
    if r["nAGQ"] == 1 and r["family"] not in ("inverse.gaussian", "gaussian") and r["id"] != "glmm-053"
]
"""All that are fitted; record 053 has contrasts set on a column."""

fits = pytest.mark.parametrize("identifier", RECORDS)


@cache
def fit_of(identifier: str) -> lf.GeneralizedMixedFit:
    """Fit the model of a record, by lme4's criterion."""
    about = record("glmm", identifier)
    family = Family(NAMES.get(about["family"], about["family"]), about["link"])
    options = {"offset": about.get("offset")} | weights_of(about)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", lf.FitWarning)
        fit = lf.glmer(about["formula"], dataset(about["dataset"]), family=family, curvature="expected", **options)
    assert isinstance(fit, lf.GeneralizedMixedFit)
    return fit


@fits
def test_criteria(identifier: str) -> None:
    """Log likelihood, AIC, BIC and degrees of freedom are lme4's; of glmer.nb the shape counts as a parameter."""
    about, fit = record("glmm", identifier), fit_of(identifier)
    assert fit.loglik == pytest.approx(about["logLik"], abs=1e-4)
    extra = fit.n_parameters - about["df"]
    assert extra in ((0, 1) if fit.fit.parameters else (0,))
    assert fit.aic == pytest.approx(about["AIC"] + 2 * extra, abs=2e-4)
    assert fit.bic == pytest.approx(about["BIC"] + extra * np.log(about["n"]), abs=2e-4)
    assert (fit.nobs, fit.ngroups) == (about["n"], {name: int(n) for name, n in about["ngrps"].items()})
    assert fit.is_singular == about["isSingular"]
    assert fit.converged


@fits
def test_fitted_values_and_residuals(identifier: str) -> None:
    """Fitted values, deviance residuals and Pearson's sum of squares are lme4's."""
    about, fit = record("glmm", identifier), fit_of(identifier)
    np.testing.assert_allclose(fit.fitted.iloc[:10], about["fitted_head"], rtol=2e-4)
    assert fit.fitted.sum() == pytest.approx(about["fitted_sum"], rel=1e-5)
    np.testing.assert_allclose(fit.residuals("deviance").iloc[:10], about["deviance_resid_head"], rtol=1e-3, atol=1e-4)
    assert fit.conditional_deviance == pytest.approx(about["deviance_cond"], rel=1e-4)
    assert np.square(fit.residuals("pearson")).sum() == pytest.approx(about["pearson_sumsq"], rel=1e-4)
    np.testing.assert_allclose(fit.predict(scale="link").iloc[:10], about["linpred_head"], rtol=2e-4, atol=1e-4)


@fits
def test_predictions_of_the_rows_of_the_fit(identifier: str) -> None:
    """The data of the fit given as new data have its fitted values; without random effects these are g^-1(X beta)."""
    about, fit = record("glmm", identifier), fit_of(identifier)
    if about["offset"] is None:
        np.testing.assert_allclose(fit.predict(dataset(about["dataset"])).dropna(), fit.predict(), rtol=1e-10)
    population = fit.predict(random="population", scale="link")
    offset = 0.0 if fit.design.offset is None else fit.design.offset
    np.testing.assert_allclose(population, fit.design.X @ fit.fixef.to_numpy() + offset)


FAMILIES = [
    (Family("binomial", "logit"), {}, stats.bernoulli),
    (Family("poisson", "log"), {}, stats.poisson),
    (Family("negbinomial", "log"), {"shape": 2.5}, lambda m: stats.nbinom(2.5, 2.5 / (2.5 + m))),
    (Family("beta", "logit"), {"phi": 3.0}, lambda m: stats.beta(3 * m, 3 * (1 - m))),
    (Family("lognormal", "identity"), {"sigma": 0.5}, lambda m: stats.lognorm(0.5, scale=m * np.exp(-0.125))),
    (Family("student", "identity"), {"sigma": 2.0, "nu": 5.0}, lambda m: stats.t(5.0, m, 2.0)),
]


@pytest.mark.parametrize(("family", "own", "distribution"), FAMILIES, ids=[family.name for family, _, _ in FAMILIES])
def test_variances(family: Family, own: dict[str, float], distribution) -> None:  # noqa: ANN001 (a frozen distribution)
    """The variance of a response is that of its distribution."""
    means = np.array([0.2, 0.7])
    np.testing.assert_allclose(variance_of(family, means, own), distribution(means).var(), rtol=1e-10)


def test_variances_of_zero_inflated_counts() -> None:
    """A mixture with zeros: E y^2 - (E y)^2 by summation."""
    y, zi, mean = np.arange(400.0), 0.3, 2.0
    for counts, own, base in (
        ("poisson", {"zi": zi}, stats.poisson(mean)),
        ("negbinomial", {"zi": zi, "shape": 1.5}, stats.nbinom(1.5, 1.5 / (1.5 + mean))),
    ):
        p = (1 - zi) * base.pmf(y)
        first, second = (p * y).sum(), (p * y**2).sum()
        family = Family(f"zero_inflated_{counts}", "log")
        assert variance_of(family, np.array([first]), own) == pytest.approx([second - first**2], rel=1e-8)


@pytest.mark.parametrize("link", ["log", "logit", "probit", "cloglog", "identity", "sqrt"])
def test_slopes_of_means(link: str) -> None:
    """Each is the derivative of the inverse link."""
    from lmmformula.families.calculus.links import LINKS

    eta, h = np.array([-1.0, 0.3, 1.2]), 1e-6
    numeric = (np.asarray(LINKS[link].inverse(eta + h)) - np.asarray(LINKS[link].inverse(eta - h))) / (2 * h)
    np.testing.assert_allclose(slope_of(link, eta), numeric, rtol=1e-7)


def test_random_effects_and_coefficients() -> None:
    """Conditional modes with their variances, and their sums with the fixed effects."""
    fit = fit_of("glmm-001")
    modes, variances = fit.ranef(condvar=True)
    assert modes["herd"].shape == (15, 1)
    assert variances["herd"].shape == (15, 1, 1)
    weights = np.bincount(fit.design.random_terms[0].codes, fit.fit.weights)
    np.testing.assert_allclose(variances["herd"][:, 0, 0], 1 / (weights + fit.theta.iloc[0] ** -2), rtol=1e-8)
    coef = fit.coef()["herd"]
    np.testing.assert_allclose(coef["(Intercept)"], modes["herd"]["(Intercept)"] + fit.fixef["(Intercept)"])
    assert (coef["period2"] == fit.fixef["period2"]).all()


def test_variance_components() -> None:
    """No residual where the family has none, its standard deviation where it has one."""
    assert np.isnan(fit_of("glmm-001").sigma)
    assert len(fit_of("glmm-001").varcorr.frame) == 1
    fit = lf.Model("Reaction ~ Days + (Days | Subject)", dataset("sleepstudy"), family="lognormal").fit()
    assert fit.varcorr.frame["group"].tolist() == ["Subject", "Subject", "Residual"]
    assert fit.sigma == fit.family_parameters.loc["sigma", "estimate"]


def test_new_rows() -> None:
    """Levels that were not seen are an error, or predicted without a random effect; missing values stay missing."""
    fit = fit_of("glmm-001")
    new = pd.DataFrame({"period": ["1", "2", None], "herd": ["1", "new", "2"]}, index=[7, 8, 9])
    with pytest.raises(lf.DataError, match="has not seen: new"):
        fit.predict(new)
    found = fit.predict(new, new_levels="population", scale="link")
    assert found.index.tolist() == [7, 8, 9]
    assert found[8] == pytest.approx(fit.fixef["(Intercept)"] + fit.fixef["period2"])
    assert np.isnan(found[9])


def test_simulations_and_refits() -> None:
    """Responses are drawn from the model, the same for a seed; a refit finds what they were made of."""
    fit = fit_of("glmm-015")
    draws = fit.simulate(3, seed=1)
    pd.testing.assert_frame_equal(draws, fit.simulate(3, seed=1))
    counts = draws.mul(fit.design.weights, axis=0)
    np.testing.assert_allclose(counts, counts.round(), atol=1e-9)
    again = fit.refit(draws["sim_1"])
    assert isinstance(again, lf.GeneralizedMixedFit)
    assert (np.abs(again.fixef - fit.fixef) < 5 * fit.std_errors).all()
    np.testing.assert_allclose(fit.refit(fit.design.y).fixef, fit.fixef, rtol=1e-6)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        ([1.0, 2.0], "refit needs 360 values"),
        (["a"] * 360, "must be numbers"),
        (np.full(360, np.nan), "missing or infinite"),
        (np.full(360, 1.5), "must be between 0 and 1"),
    ],
)
def test_responses_that_can_t_be_refitted(y: object, message: str) -> None:
    """They are refused in words."""
    with pytest.raises(lf.LmmFormulaError, match=message):
        fit_of("glmm-015").refit(y)


def test_rows_with_missing_values() -> None:
    """They are left out, or have NaN in their place."""
    data = dataset("cbpp").copy()
    data.loc[3, "period"] = None
    formula = "cbind(incidence, size - incidence) ~ period + (1 | herd)"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", lf.FitWarning)
        omitted, excluded = (
            lf.glmer(formula, data, family="binomial", na_action=action) for action in ("omit", "exclude")
        )
    assert (len(omitted.fitted), len(excluded.fitted)) == (55, 56)
    assert np.isnan(excluded.residuals("pearson")[3])
    assert np.isnan(excluded.predict()[3])


def test_a_fit_that_failed_warns() -> None:
    """Separation is a warning, and the summary says it again."""
    data = {"y": [0.0, 0, 0, 0, 1, 1, 1, 1] * 3, "x": [0.0, 0, 0, 0, 1, 1, 1, 1] * 3, "g": list("abcdefgh") * 3}
    with pytest.warns(lf.FitWarning, match="separation"):
        fit = lf.glmer("y ~ x + (1 | g)", data, family="binomial")
    assert not fit.converged
    assert "separation" in str(fit)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda fit: fit.residuals("scale"), "kind='scale' is not known"),
        (lambda fit: fit.predict(scale="log"), "scale='log' is not known"),
        (lambda fit: fit.predict(new_levels="sample"), "new_levels='sample' is not known"),
        (lambda fit: fit.simulate(0), "n must be a whole number"),
        (lambda fit: fit.icc("nothing"), "nothing"),
        (lambda fit: fit.r2("exact"), "method='exact' is not known"),
        (lambda fit: fit.r_squared, r"multiple R\^2"),
        (lambda fit: fit.power("period2", test="t"), "t tests are of gaussian models"),
        (lambda fit: fit.reml_criterion, "no REML criterion"),
        (lambda fit: fit.confint(method="score"), "no intervals by 'score'"),
        (lambda fit: fit.confint("nothing"), "no parameter 'nothing'"),
        (lambda fit: fit.tidy("all"), "no effects 'all'"),
    ],
)
def test_what_is_refused(call, message: str) -> None:  # noqa: ANN001 (a function of a fit)
    """What a generalised fit can't say, it says in words."""
    with pytest.raises(lf.FitError, match=message):
        call(fit_of("glmm-001"))
