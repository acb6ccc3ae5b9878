"""Every accessor of a fit against R's numbers, at R's theta."""

from typing import Any

import numpy as np
import pytest

import lmmformula as lf
from corpus import dataset, record, records
from fits import fit_of, usable
from lmmformula.fit.lmm import evaluate_at
from lmmformula.inference.intervals.parameters import parameters_of

RECORDS = usable("lmm")
CLOSE = {"rtol": 1e-6, "atol": 1e-8}
"""R's theta is given to 15 digits, but where some variance ratio is huge both sides lose half of theirs."""


@pytest.mark.parametrize("identifier", RECORDS)
def test_fixed_effects_and_their_covariance_are_lme4s(identifier: str) -> None:
    """Names, estimates, standard errors and the covariance matrix of the fixed effects."""
    fit, expected = fit_of(identifier), record("lmm", identifier)
    assert list(fit.fixef.index) == expected["fixef"]["names"]
    np.testing.assert_allclose(fit.fixef, expected["fixef"]["values"], **CLOSE)
    np.testing.assert_allclose(fit.std_errors, expected["se"], **CLOSE)
    scale = np.outer(expected["se"], expected["se"])
    np.testing.assert_allclose(fit.vcov / scale, np.array(expected["vcov"]) / scale, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("identifier", RECORDS)
def test_likelihoods_and_criteria_are_lme4s(identifier: str) -> None:
    """Log likelihood of either kind, AIC, BIC and degrees of freedom."""
    fit, expected = fit_of(identifier), record("lmm", identifier)
    assert fit.loglik == pytest.approx(expected["logLik"], rel=1e-9)
    assert (fit.aic, fit.bic) == pytest.approx((expected["AIC"], expected["BIC"]), rel=1e-9)
    assert (fit.n_parameters, fit.df_residual) == (expected["df"], expected["df_residual"])
    other = fit.deviance if expected["logLik_other"]["type"] == "ML" else fit.reml_criterion
    assert -0.5 * other == pytest.approx(expected["logLik_other"]["value"], rel=1e-9)
    assert (fit.nobs, fit.ngroups) == (expected["n"], expected["ngrps"])


@pytest.mark.filterwarnings("ignore:ar1\\(\\) takes:lmmformula.FitWarning")  # some have months as text, as R had them
@pytest.mark.parametrize("about", records("lmm_structured"), ids=lambda about: about["id"])
def test_parameters_of_structures_are_counted_as_lme4_counts_them(about: dict[str, Any]) -> None:
    """Standard deviations and correlations, not entries of theta: degrees of freedom, AIC and BIC."""
    model = lf.Model(about["formula"], dataset(about["dataset"]))
    fit = evaluate_at(model.design, about["theta"], reml=about["REML"])
    result = lf.LinearMixedFit(model.ir, model.schema, model.design, fit, model.table)
    assert (result.n_parameters, result.df_residual) == (about["df"], about["df_residual"])
    assert about["df"] == about["n_par"] + about["p"] + 1
    assert (result.aic, result.bic) == pytest.approx((about["AIC"], about["BIC"]), rel=1e-9)
    assert len(parameters_of(result)) == about["df"]
    assert result.glance()["df_residual"].item() == about["df_residual"]


@pytest.mark.parametrize("identifier", RECORDS)
def test_variance_components_are_lme4s(identifier: str) -> None:
    """Labels, names, standard deviations and correlations of each random term, sigma, theta and singularity."""
    fit, expected = fit_of(identifier), record("lmm", identifier)
    assert fit.sigma == pytest.approx(expected["sigma"], rel=1e-7)
    assert fit.is_singular == expected["isSingular"]
    np.testing.assert_allclose(fit.theta, expected["theta"], rtol=1e-10, atol=1e-10)
    assert list(fit.theta.index) == expected["theta_names"]
    for term, known in zip(fit.varcorr, expected["varcorr"], strict=True):
        assert list(term.names) == known["names"]
        # The script that wrote the records let R replace the colon of some names.
        assert term.label.replace(":", ".") == known["group"].replace(":", ".")
        np.testing.assert_allclose(term.sds, known["sd"], rtol=1e-6, atol=1e-9)
        np.testing.assert_allclose(term.covariance, known["cov"], rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("identifier", RECORDS)
def test_fitted_values_and_residuals_are_lme4s(identifier: str) -> None:
    """Fitted values, residuals, and their sums of squares, weighted and not."""
    fit, expected = fit_of(identifier), record("lmm", identifier)
    residuals = fit.residuals().to_numpy()
    np.testing.assert_allclose(fit.fitted.to_numpy()[:10], expected["fitted_head"], rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(residuals[:10], expected["resid_head"], rtol=1e-5, atol=1e-6)
    assert fit.fitted.sum() == pytest.approx(expected["fitted_sum"], rel=1e-7, abs=1e-5)
    assert np.sum(residuals**2) == pytest.approx(expected["rss"], rel=1e-6)
    assert np.sum(fit.residuals("pearson") ** 2) == pytest.approx(expected["wrss"], rel=1e-6)
    assert np.sum(fit.residuals("scaled") ** 2) == pytest.approx(expected["wrss"] / expected["sigma"] ** 2, rel=1e-6)


@pytest.mark.parametrize("identifier", RECORDS)
def test_random_effects_are_lme4s(identifier: str) -> None:
    """Conditional modes: names, levels, the first ten levels, column sums and sums of squares."""
    fit, expected = fit_of(identifier), record("lmm", identifier)
    modes = fit.ranef()
    for known in expected["ranef"]:
        frame = modes[known["group"]]
        assert list(frame.columns) == known["names"]
        assert list(frame.index[: len(known["levels_head"])]) == known["levels_head"]
        scale = np.sqrt(known["sumsq"] / frame.size) + 1e-6
        np.testing.assert_allclose(frame[:10] / scale, np.array(known["values_head"]) / scale, rtol=1e-5, atol=1e-5)
        assert np.sum(frame.to_numpy() ** 2) == pytest.approx(known["sumsq"], rel=1e-5, abs=1e-9)


@pytest.mark.parametrize("identifier", RECORDS)
def test_conditional_variances_are_lme4s(identifier: str) -> None:
    """`ranef(condvar=True)`: covariance matrices of the first three levels of each term."""
    fit, expected = fit_of(identifier), record("lmm", identifier)
    _, variances = fit.ranef(condvar=True)
    for known in expected["ranef"]:
        start = 0
        terms = known["condvar_terms_first3"]
        for term in terms.values() if isinstance(terms, dict) else terms:
            block = np.array(term)
            stop = start + block.shape[-1]
            ours = variances[known["group"]][: len(block), start:stop, start:stop]
            np.testing.assert_allclose(ours, block, rtol=1e-5, atol=1e-8 * np.max(np.abs(block)) + 1e-12)
            start = stop


def test_coefficients_add_fixed_and_random_effects_of_one_name() -> None:
    """`coef()` of a level is fixef + ranef, and a coefficient without a fixed effect stands alone."""
    fit = fit_of("lmm-003r")
    frame = fit.coef()["Subject"]
    assert list(frame.columns) == ["(Intercept)", "Days"]
    np.testing.assert_allclose(frame.loc["308"], fit.fixef + fit.ranef()["Subject"].loc["308"])


def test_explained_variance_of_the_coffee_example() -> None:
    """The share of the summed variances that the published analysis of these data reports."""
    assert fit_of("lmm-077r").explained_variance() == pytest.approx(0.988435, abs=5e-7)


def test_intraclass_correlation() -> None:
    """One random intercept: sd^2 / (sd^2 + sigma^2), and the shares of crossed factors add up."""
    fit = fit_of("lmm-001r")
    assert fit.icc() == pytest.approx(35.753848**2 / (35.753848**2 + 44.259069**2))
    crossed = fit_of("lmm-024r")
    assert crossed.icc() == pytest.approx(crossed.icc("plate") + crossed.icc("sample"))


def test_frames_of_a_fit() -> None:
    """`tidy`, `glance` and `augment` hold the same numbers as the accessors."""
    fit = fit_of("lmm-003r")
    tidy = fit.tidy().set_index("term")
    assert list(tidy.index) == [
        "(Intercept)",
        "Days",
        "sd__(Intercept)",
        "sd__Days",
        "cor__(Intercept).Days",
        "sd__Observation",
    ]
    assert tidy.loc["Days", "statistic"] == pytest.approx(6.771, abs=1e-3)
    assert tidy.loc["cor__(Intercept).Days", "estimate"] == pytest.approx(0.066, abs=1e-3)
    assert fit.glance().loc[0, "reml_criterion"] == pytest.approx(1743.62827, abs=1e-4)
    frame = fit.augment()
    assert list(frame.columns) == ["Reaction", "Days", "Subject", "fitted", "population", "residual", "scaled"]
    np.testing.assert_allclose(frame["fitted"] + frame["residual"], frame["Reaction"])


def test_simulated_responses_have_the_moments_of_the_model() -> None:
    """The mean of many simulations is the population part, their variance that of the model."""
    fit = fit_of("lmm-001r")
    draws = fit.simulate(4000, seed=1).to_numpy()
    sd = np.hypot(35.753848, 44.259069)
    assert abs(draws.mean() - fit.fixef.iloc[0]) < 4 * 35.75 / np.sqrt(18 * 4000)
    assert draws[0].std() == pytest.approx(sd, rel=0.05)
    assert np.corrcoef(draws[0], draws[1])[0, 1] == pytest.approx(fit.icc(), abs=0.07)
    assert fit.simulate(2, seed=3).equals(fit.simulate(2, seed=3))


def test_refit_to_its_own_response_is_the_fit() -> None:
    """Refitting another response keeps the model, and the response of the fit gives the fit again."""
    fit = fit_of("lmm-003r")
    again = fit.refit(fit.design.y)
    assert type(again) is type(fit)
    assert again.reml_criterion == pytest.approx(fit.reml_criterion, abs=1e-7)
    double = fit.refit(2 * fit.design.y)
    np.testing.assert_allclose(double.fixef, 2 * fit.fixef, rtol=1e-5)


def test_excluded_rows_are_missing_in_results() -> None:
    """`na_action="exclude"` keeps the length of the data: fitted values, residuals and predictions of the old rows."""
    data = dataset("toy_na")
    formula = "y ~ x + lgl + (1 | h)"
    omitted, excluded = lf.Model(formula, data).fit(), lf.Model(formula, data, na_action="exclude").fit()
    for values in (excluded.fitted, excluded.residuals("scaled"), excluded.predict(random="population")):
        assert len(values) == len(data)
        assert values.notna().sum() == excluded.nobs
    np.testing.assert_allclose(excluded.fitted.dropna(), omitted.fitted)
    assert str(excluded) == str(omitted)
    assert len(excluded.augment()) == len(data)
    assert len(omitted.augment()) == omitted.nobs
    assert lf.Model("y ~ x", data, na_action="exclude").fit().r_squared > 0
