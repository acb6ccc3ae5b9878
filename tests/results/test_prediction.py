"""Predictions of new rows against R's."""

from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

import fits
import lmmformula as lf
from corpus import dataset, record, records
from fits import fit_of, posterior_of
from lmmformula.errors import DataError, FitError
from lmmformula.results.predict import uncertainty

WHOLE = {"NULL": "conditional", "NA": "population", "~0": "population"}
"""lme4's re.form -> our `random`; a formula is the same in both."""


def new_rows(about: dict[str, Any]) -> pd.DataFrame:
    """Make the new data of a record, with R's kinds of columns: its factors are our text."""
    known = dataset(about["dataset"])
    columns = {}
    for name, values in about["newdata"].items():
        numeric = pd.api.types.is_numeric_dtype(known[name]) and not pd.api.types.is_bool_dtype(known[name])
        columns[name] = pd.Series(values, dtype=float if numeric else object)
    return pd.DataFrame(columns)


CASES = [
    pytest.param(about, wanted, id=f"{about['fit_id']}-{i}")
    for about in records("predict")
    if about["fit_id"]
    for i, wanted in enumerate(about["predictions"])
    if not wanted["random_only"] and wanted["na_action"] == "na.pass"
]


@pytest.mark.parametrize(("about", "wanted"), CASES)
def test_predictions_are_lme4s(about: dict[str, Any], wanted: dict[str, Any]) -> None:
    """Old and new levels, missing values, transformed variables, offsets: the values or the refusal of lme4."""
    fit, rows = fit_of(about["fit_id"]), new_rows(about)
    random = WHOLE.get(wanted["re_form"], wanted["re_form"])
    new_levels = "population" if wanted["allow_new_levels"] else "error"
    if wanted["error"]:
        with pytest.raises(DataError):
            fit.predict(rows, random=random, new_levels=new_levels)
        return
    expected = [np.nan if value is None else value for value in wanted["values"]]
    np.testing.assert_allclose(fit.predict(rows, random=random, new_levels=new_levels), expected, rtol=1e-6)


def test_prediction_of_the_old_rows_is_the_fitted_values() -> None:
    """Without new data, and with the old data given again."""
    fit = fit_of("lmm-003r")
    np.testing.assert_allclose(fit.predict(), fit.fitted)
    np.testing.assert_allclose(fit.predict(dataset("sleepstudy")), fit.fitted)
    np.testing.assert_allclose(
        fit.predict(dataset("sleepstudy"), random="population"), fit.predict(random="population")
    )


def test_predictions_keep_the_index_of_the_new_data() -> None:
    """So that they can be assigned to a column."""
    fit = fit_of("lmm-003r")
    rows = pd.DataFrame({"Days": [1.0, 2.0], "Subject": ["308", "309"]}, index=[7, 3])
    assert list(fit.predict(rows).index) == [7, 3]


def test_new_levels_are_named_in_the_refusal() -> None:
    """The message says which levels, and what to do."""
    fit = fit_of("lmm-003r")
    rows = pd.DataFrame({"Days": [1.0, 2.0], "Subject": ["308", "new"]})
    with pytest.raises(DataError, match=r"(?s)'Subject'.*has not seen: new.*new_levels"):
        fit.predict(rows)


def test_unknown_choices_are_refused() -> None:
    """A misspelt choice is an error, not a default."""
    fit = fit_of("lmm-003r")
    rows = pd.DataFrame({"Days": [1.0], "Subject": ["308"]})
    with pytest.raises(FitError, match="conditional, population, or a formula"):
        fit.predict(rows, random="none")  # type: ignore[arg-type]
    with pytest.raises(FitError, match="error, population"):
        fit.predict(rows, new_levels="zero")  # type: ignore[arg-type]


def test_an_offset_given_as_an_array_is_not_known_for_new_rows() -> None:
    """Predicting as if it were zero would be wrong without a word."""
    data = dataset("toy")
    fit = lf.Model("y ~ x + (1 | g)", data, offset=data["off"].to_numpy()).fit()
    np.testing.assert_allclose(fit.predict(), fit.fitted)
    with pytest.raises(FitError, match="given as an array"):
        fit.predict(data)


def test_days_are_found_again_whatever_else_is_asked() -> None:
    """Groups that are dates: as a list, as a series, and where the fit had a time of day among its midnights."""
    days = pd.Series(pd.to_datetime(np.repeat(["2014-01-15", "2014-01-16", "2014-02-17"], 6)))
    y = np.random.default_rng(0).normal(size=18) + np.repeat([0, 3, 6], 6)
    timed = days.copy()
    timed[0] += pd.Timedelta(hours=12)
    day = pd.Timestamp("2014-01-16")
    for own in (days, timed):
        fit = lf.lmer("y ~ 1 + (1 | day)", pd.DataFrame({"y": y, "day": own}))
        wanted = fit.fitted[6]
        for asked in ([day], pd.Series([day]), [day.date()], ["2014-01-16"], np.array([day], "M8[s]")):
            assert fit.predict({"day": asked})[0] == pytest.approx(wanted)


def test_new_data_may_be_of_any_kind() -> None:
    """polars, or a mapping; without the group's column where random effects are left out."""
    fit = fit_of("lmm-003r")
    rows = {"Days": [1.0, 2.0], "Subject": ["308", "309"]}
    np.testing.assert_allclose(fit.predict(pl.DataFrame(rows)), fit.predict(rows))
    assert fit.predict({"Days": [0.0]}, random="population")[0] == pytest.approx(fit.fixef.iloc[0])
    with pytest.raises(DataError, match="no column named 'Subject'"):
        fit.predict({"Days": [0.0]})


def dense_variances(fit: lf.LinearMixedFit, X: np.ndarray, Z: np.ndarray) -> np.ndarray:
    """Return prediction error variances by the inverse of Henderson's equations, written down as one dense matrix."""
    design, q = fit.design, fit.design.n_random
    weights = np.ones(fit.nobs) if design.weights is None else design.weights
    G = np.zeros((q, q))
    start = 0
    for term, S in zip(design.random_terms, fit.fit.relative_covariance, strict=True):
        block = np.kron(np.eye(term.n_levels), S)
        G[start : start + len(block), start : start + len(block)] = block
        start += len(block)
    W = np.hstack([design.X, design.Zt.T.toarray()])
    lhs = W.T @ (weights[:, None] * W)
    p = design.n_fixed
    lhs[p:, p:] += np.linalg.inv(G)
    both = np.hstack([X, Z])
    return fit.sigma**2 * np.einsum("mi,ij,mj->m", both, np.linalg.inv(lhs), both)


@pytest.mark.parametrize("identifier", ["lmm-003r", "lmm-024m", "lmm-041r", "lmm-107r", "lmm-087m"])
def test_standard_errors_are_those_of_the_mixed_model_equations(identifier: str) -> None:
    """Correlated, crossed, weighted and several terms: errors of the fitted means, and of the fixed part."""
    fit = fit_of(identifier)
    Z = fit.design.Zt.T.toarray()
    conditional = fit.predict(se_fit=True)
    np.testing.assert_allclose(conditional["std_error"] ** 2, dense_variances(fit, fit.design.X, Z), rtol=1e-7)
    np.testing.assert_allclose(conditional["prediction"], fit.fitted)
    population = fit.predict(random="population", se_fit=True)
    X, V = fit.design.X, fit.vcov.to_numpy()
    np.testing.assert_allclose(population["std_error"] ** 2, np.einsum("ij,jk,ik->i", X, V, X))


@pytest.mark.parametrize("identifier", ["lmm-024m", "lmm-087m"])
def test_crossed_factors_have_the_same_errors_by_solving_and_by_the_whole_matrix(
    identifier: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Few rows are solved for, many are looked up in all of W; both agree, for unseen levels too."""
    fit = fit_of(identifier)
    rows = fits.data_of(record("lmm", identifier)).head(fit.design.n_random)
    for group in fit.ngroups:
        rows = rows.assign(**{group: ["new", *rows[group].astype(str)[1:]]})
    options = {"se_fit": True, "new_levels": "population"}
    by_matrix = fit.predict(rows, **options)
    monkeypatch.setattr(uncertainty, "MOST_DENSE", 0)
    np.testing.assert_allclose(fit.predict(rows, **options), by_matrix, rtol=1e-9)


def test_standard_errors_condition_on_the_terms_of_a_formula() -> None:
    """With some random effects only, the error is that of the fixed part and these."""
    fit = fit_of("lmm-003r")
    Z = fit.design.Zt.T.toarray()
    Z[:, 1::2] = 0.0  # the slopes
    found = fit.predict(random="~ (1 | Subject)", se_fit=True)
    np.testing.assert_allclose(found["std_error"] ** 2, dense_variances(fit, fit.design.X, Z), rtol=1e-8)


def test_old_rows_given_again_have_the_same_uncertainty() -> None:
    """Standard errors and bounds of new data that are the old data are those without new data."""
    fit = fit_of("lmm-003r")
    for random in ("conditional", "population", "~ (1 | Subject)"):
        old = fit.predict(random=random, se_fit=True, interval="prediction")
        new = fit.predict(dataset("sleepstudy"), random=random, se_fit=True, interval="prediction")
        np.testing.assert_allclose(new, old, rtol=1e-10)


def test_a_new_level_has_all_the_variance_of_its_random_effects() -> None:
    """Its mean is the population's; the variance is that of the fixed part plus z' Cov(b) z."""
    fit = fit_of("lmm-003r")
    rows = {"Days": [3.0], "Subject": ["new"]}
    found = fit.predict(rows, new_levels="population", se_fit=True)
    population = fit.predict(rows, random="population", se_fit=True)
    z, covariance = np.array([1.0, 3.0]), fit.varcorr["Subject"].covariance
    assert found["prediction"][0] == population["prediction"][0]
    expected = population["std_error"][0] ** 2 + z @ covariance @ z
    assert found["std_error"][0] ** 2 == pytest.approx(expected)


def test_intervals_are_normal_and_those_of_responses_have_the_residual_on_top() -> None:
    """Confidence: 1.96 standard errors; prediction: with sigma^2, and for the population with z' Cov(b) z as well."""
    fit = fit_of("lmm-003r")
    rows = {"Days": [0.0, 9.0], "Subject": ["308", "309"]}
    mean = fit.predict(rows, interval="confidence", level=0.9)
    np.testing.assert_allclose(mean["conf_high"] - mean["prediction"], 1.6448536 * mean["std_error"])
    response = fit.predict(rows, interval="prediction")
    spread = np.sqrt(response["std_error"] ** 2 + fit.sigma**2)
    np.testing.assert_allclose(response["conf_high"] - response["prediction"], 1.959964 * spread, rtol=1e-6)
    anyone = fit.predict({"Days": [0.0, 9.0]}, random="population", interval="prediction")
    z, covariance = np.array([[1.0, 0.0], [1.0, 9.0]]), fit.varcorr["Subject"].covariance
    spread = np.sqrt(anyone["std_error"] ** 2 + fit.sigma**2 + np.einsum("ij,jk,ik->i", z, covariance, z))
    np.testing.assert_allclose(anyone["conf_high"] - anyone["prediction"], 1.959964 * spread, rtol=1e-6)


def test_a_linear_model_predicts_as_r_does() -> None:
    """`predict(lm(dist ~ speed, cars), interval = )` has Student's t; here checked by its formula."""
    fit = lf.Model("Reaction ~ Days", dataset("sleepstudy")).fit()
    found = fit.predict({"Days": [4.0]}, interval="prediction")
    days = dataset("sleepstudy").Days
    error = fit.sigma * np.sqrt(1 + 1 / 180 + (4 - days.mean()) ** 2 / ((days - days.mean()) ** 2).sum())
    assert found["conf_high"][0] - found["prediction"][0] == pytest.approx(1.9733809 * error, rel=1e-6)


def test_missing_values_stay_missing() -> None:
    """A row with a missing variable has neither mean nor error nor bounds; the others have theirs."""
    fit = fit_of("lmm-003r")
    found = fit.predict({"Days": [1.0, np.nan], "Subject": ["308", "308"]}, se_fit=True, interval="confidence")
    assert found.loc[0].notna().all()
    assert found.loc[1].isna().all()


def test_a_formula_of_terms_that_the_model_lacks_is_refused() -> None:
    """An unknown group, an unknown slope, and columns of a factor that mean another thing without the intercept."""
    for identifier, formula in (
        ("lmm-003r", "~ (1 | Item)"),
        ("lmm-003r", "~ (Reaction | Subject)"),
        ("lmm-041r", "~ (0 + Machine | Worker)"),
    ):
        with pytest.raises(FitError, match="the model has no random"):
            fit_of(identifier).predict(random=formula)


def test_terms_of_a_formula_are_found_wherever_the_model_has_them() -> None:
    """Intercepts and slopes of one group may stand in several terms of the model, and in one of the formula."""
    apart = fit_of("lmm-004r")  # (Days || Subject)
    np.testing.assert_allclose(apart.predict(random="~ (Days | Subject)"), apart.fitted)
    np.testing.assert_allclose(apart.predict(random="~ (1 | Subject) + (0 + Days | Subject)"), apart.fitted)
    intercepts = apart.predict(random="~ (1 | Subject)") - apart.predict(random="population")
    np.testing.assert_allclose(intercepts[::10], apart.ranef()["Subject"]["(Intercept)"])
    nested = fit_of("lmm-035r")  # (1 | Block/Variety)
    np.testing.assert_allclose(nested.predict(random="~ (1 | Block/Variety)"), nested.fitted)


def test_simulated_responses_fall_into_prediction_intervals() -> None:
    """95 % of responses of new subjects, drawn from the model, lie in the intervals for the population."""
    fit = fit_of("lmm-003r")
    bounds = fit.predict(random="population", interval="prediction")
    inside = [
        ((y > bounds["conf_low"]) & (y < bounds["conf_high"])).mean() for y in fit.simulate(400, seed=1).T.to_numpy()
    ]
    assert np.mean(inside) == pytest.approx(0.955, abs=0.01)


def test_a_posterior_predicts_with_the_same_arguments() -> None:
    """Means are exact; standard deviations and bounds are near those of the REML fit, wider for a new level."""
    fit, posterior = fit_of("lmm-003r"), posterior_of("lmm-003r")
    rows = {"Days": [0.0, 9.0, 9.0], "Subject": ["308", "309", "new"]}
    for random in ("conditional", "population", "~ (1 | Subject)"):
        options = {"random": random, "new_levels": "population"}
        mine = posterior.predict(rows, se_fit=True, interval="prediction", **options)
        theirs = fit.predict(rows, se_fit=True, interval="prediction", **options)
        np.testing.assert_allclose(mine["prediction"], posterior.predict(rows, **options))
        np.testing.assert_allclose(mine["std_error"], theirs["std_error"], rtol=0.25)
        np.testing.assert_allclose(
            mine["conf_high"] - mine["conf_low"], theirs["conf_high"] - theirs["conf_low"], rtol=0.2
        )
    old = posterior.predict(se_fit=True)
    np.testing.assert_allclose(old["prediction"], posterior.fitted)
    np.testing.assert_allclose(old["std_error"], fit.predict(se_fit=True)["std_error"], rtol=0.25)


@pytest.mark.parametrize("least", [1, 10**9])
def test_any_order_of_the_random_effects_solves_alike(least: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The largest factor first, or in an order that keeps a sparse matrix sparse: the errors are those of all of M."""
    monkeypatch.setattr(uncertainty, "SPARSE_EFFECTS", least)
    monkeypatch.setattr(uncertainty, "SPARSE_PAIRS", 1e9)
    fit = lf.Model("y ~ x + (1 | h) + (x | g) + (0 + z | g)", dataset("toy")).fit()
    joint = fit.joint_covariance
    half = joint.Lambdat.toarray() @ fit.design.Zt.toarray()
    M = half @ half.T + np.eye(len(half))
    np.testing.assert_allclose(joint.solve(np.eye(len(M))) @ M, np.eye(len(M)), atol=1e-9)
    assert (joint.order == np.arange(len(M))).all() == (least == 1)
