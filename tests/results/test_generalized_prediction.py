"""Standard errors and intervals of predictions of generalised linear mixed models."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.linalg import block_diag

import lmmformula as lf
from corpus import dataset
from lmmformula.arrays import FloatArray
from lmmformula.families.table import family as distribution_of
from lmmformula.results.predict.new_responses import response_quantiles

CBPP = "cbind(incidence, size - incidence)"
MODELS = {
    # formula, data, family: one term; two of one factor; crossed; a working weight that may be negative; an offset
    "cbpp": (f"{CBPP} ~ period + (1 | herd)", "cbpp", "binomial"),
    "two terms": (f"{CBPP} ~ period + (1 | herd) + (0 + as.numeric(period) | herd)", "cbpp", "binomial"),
    "crossed": ("TICKS ~ YEAR + (1 | BROOD) + (1 | LOCATION)", "grouseticks", "poisson"),
    "shape": ("TICKS ~ YEAR + (1 | LOCATION)", "grouseticks", "negbinomial"),
}


def fit_of(case: str) -> lf.GeneralizedMixedFit:
    """Fit one of the models."""
    formula, data, family = MODELS[case]
    frame = dataset(data)
    if case == "two terms":
        frame, formula = frame.assign(k=frame["period"].astype(int)), formula.replace("as.numeric(period)", "k")
    return lf.glmer(formula, frame, family=family)


def brute_force(fit: lf.GeneralizedMixedFit) -> FloatArray:
    """Variances of x'beta + z'b over the rows: b given beta by its second derivatives, beta by `vcov`; all dense."""
    Z, w, X = fit.design.Zt.T.toarray(), fit.fit.weights, fit.design.X
    terms = zip(fit.design.random_terms, fit.fit.relative_covariance, strict=True)
    G = block_diag(*(np.kron(np.eye(term.n_levels), S) for term, S in terms))
    W = G @ np.linalg.inv(np.eye(len(G)) + Z.T @ (w[:, None] * Z) @ G)
    rest = X - Z @ W @ Z.T @ (w[:, None] * X)
    out: FloatArray = np.einsum("np,pq,nq->n", rest, fit.vcov.to_numpy(), rest) + np.einsum("nq,qr,nr->n", Z, W, Z)
    return out


@pytest.mark.parametrize("case", MODELS)
def test_errors_by_brute_force(case: str) -> None:
    """On the scale of the link; on that of the response they are the slope's multiple, and bounds go with the link."""
    fit = fit_of(case)
    link = fit.predict(scale="link", interval="confidence", level=0.9)
    np.testing.assert_allclose(link["std_error"], np.sqrt(brute_force(fit)), rtol=1e-5)
    np.testing.assert_allclose(link["conf_high"] - link["prediction"], 1.6448536 * link["std_error"])
    response = fit.predict(interval="confidence", level=0.9)
    back = (lambda x: 1 / (1 + np.exp(-x))) if fit.family.name == "binomial" else np.exp
    for name in ("prediction", "conf_low", "conf_high"):
        np.testing.assert_allclose(response[name], back(link[name]))
    mean = response["prediction"]
    slope = mean * (1 - mean) if fit.family.name == "binomial" else mean
    np.testing.assert_allclose(response["std_error"], slope * link["std_error"], rtol=1e-8)
    pd.testing.assert_series_equal(response["prediction"], fit.predict())
    some = fit.predict(dataset(MODELS[case][1]).head(3), se_fit=True) if case != "two terms" else response.head(3)
    np.testing.assert_allclose(some["std_error"], response["std_error"].head(3), rtol=1e-6)


def test_the_population_and_strangers() -> None:
    """Without random effects only beta is unsure; a herd that was not seen brings all of its variance."""
    fit = fit_of("cbpp")
    new = {"period": ["2"], "herd": ["nobody"]}
    x = np.array([1.0, 1.0, 0.0, 0.0])
    known = float(x @ fit.vcov.to_numpy() @ x)
    population = fit.predict(new, random="population", se_fit=True, scale="link")
    assert population["std_error"].item() == pytest.approx(np.sqrt(known))
    stranger = fit.predict(new, new_levels="population", se_fit=True, scale="link")
    assert stranger["std_error"].item() == pytest.approx(np.sqrt(known + fit.varcorr["herd"].sds[0] ** 2))


def test_missing_rows_stay_missing() -> None:
    """NaN for a row without its period, in new data and in those of the fit."""
    data = dataset("cbpp").astype({"period": object})
    data.loc[2, "period"] = None
    fit = lf.Model(f"{CBPP} ~ period + (1 | herd)", data, family="binomial", na_action="exclude").fit()
    for found in (fit.predict(se_fit=True), fit.predict(data, se_fit=True)):
        assert len(found) == 56
        assert found.index[found["std_error"].isna()].tolist() == [2]


SPREAD = {
    # family, link: what it has of its own, trials
    ("poisson", "log"): ({}, 1.0),
    ("poisson", "sqrt"): ({}, 1.0),
    ("negbinomial", "log"): ({"shape": 2.0}, 1.0),
    ("zero_inflated_poisson", "log"): ({"zi": 0.3}, 1.0),
    ("binomial", "cloglog"): ({}, 9.0),
    ("Gamma", "log"): ({"shape": 2.0}, 1.0),
    ("beta", "logit"): ({"phi": 5.0}, 1.0),
    ("lognormal", "identity"): ({"sigma": 0.5}, 1.0),
    ("student", "identity"): ({"sigma": 0.5, "nu": 3.0}, 1.0),
}


@pytest.mark.parametrize("named", SPREAD, ids=str)
def test_quantiles_of_new_responses_are_those_of_draws(named: tuple[str, str]) -> None:
    """Around a linear predictor that is known up to a standard error: as many draws lie below as the quantile says."""
    own, trials = SPREAD[named]
    distribution, n = distribution_of(*named), 40_000
    rng = np.random.default_rng(1)
    drawn = distribution.draw(1.0 + 0.3 * rng.standard_normal(n), own, rng, trials)
    for p in (0.025, 0.5, 0.9):
        (found,) = response_quantiles(distribution, np.array([1.0]), np.array([0.3]), own, trials, p)
        rounding = 4 * np.sqrt(p * (1 - p) / n)
        assert (drawn < found).mean() - rounding < p < (drawn <= found).mean() + rounding


@pytest.mark.parametrize(("error", "sigma"), [(0.0, 1.0), (1.0, 1.0), (1.0, 0.2), (0.01, 3.0)])
def test_quantiles_of_a_normal_response_are_normal(error: float, sigma: float) -> None:
    """A normal error around a normal mean: the variances add up."""
    at = (distribution_of("gaussian", "identity"), np.array([2.0, np.nan]), np.array([error, 1.0]))
    found = response_quantiles(*at, {"sigma": sigma}, 1.0, 0.9)
    assert found[0] == pytest.approx(2.0 + stats.norm.ppf(0.9) * np.hypot(error, sigma), rel=1e-6)
    assert np.isnan(found[1])


def test_new_responses_of_a_fit() -> None:
    """Bounds are shares of the trials that rows have; of a population they have the herds' variance, too."""
    fit, data = fit_of("cbpp"), dataset("cbpp")
    here = fit.predict(interval="prediction", level=0.9)
    bounds = here[["conf_low", "conf_high"]].to_numpy() * fit.design.weights[:, None]
    np.testing.assert_allclose(bounds, np.rint(bounds), atol=1e-9)
    link = fit.predict(scale="link", se_fit=True)
    low = response_quantiles(
        distribution_of("binomial", "logit"), link["prediction"].to_numpy(), link["std_error"].to_numpy(), {},
        fit.design.weights, 0.05,
    )  # fmt: skip
    np.testing.assert_array_equal(here["conf_low"], low)
    pd.testing.assert_frame_equal(fit.predict(data, interval="prediction", level=0.9), here)
    population = fit.predict(data, random="population", interval="prediction")
    stranger = fit.predict(data.assign(herd="nobody"), new_levels="population", interval="prediction")
    pd.testing.assert_frame_equal(population[["conf_low", "conf_high"]], stranger[["conf_low", "conf_high"]])
    inside = fit.design.y >= population["conf_low"]
    assert (inside & (fit.design.y <= population["conf_high"])).mean() > 0.9
    with pytest.raises(lf.FitError, match="number of trials of new rows is not known"):
        fit.predict(data[["period", "herd"]], interval="prediction")
    with pytest.raises(lf.FitError, match="not on the scale of the link"):
        fit.predict(interval="prediction", scale="link")


def test_new_responses_of_a_gaussian_model_fitted_either_way() -> None:
    """By Laplace's method, which is exact there, and by maximum likelihood: the same bounds."""
    data, formula = dataset("sleepstudy"), "Reaction ~ Days + (Days | Subject)"
    exact = lf.Model(formula, data).fit(reml=False)
    laplace = lf.Model(formula, data, loglik_weights=np.ones(len(data))).fit()
    for random in ("conditional", "population", "~ (1 | Subject)"):
        mine, theirs = (fit.predict(interval="prediction", random=random) for fit in (laplace, exact))
        np.testing.assert_allclose(mine, theirs, rtol=1e-5)


def test_predictions_without_a_finite_estimate_have_no_errors() -> None:
    """A period without a case: its mean is 0 to all digits, how well that is known can't be said; a warning counts."""
    data = dataset("cbpp").copy()
    data.loc[data["period"].astype(str) == "4", "incidence"] = 0
    with pytest.warns(lf.FitWarning, match="separation"):
        fit = lf.glmer(f"{CBPP} ~ period + (1 | herd)", data, family="binomial")
    new = {"period": ["3", "4"], "herd": ["1", "1"]}
    with pytest.warns(lf.FitWarning, match=r"flat \(separation\) in 1 of the 2 rows predicted") as caught:
        found = fit.predict(new, interval="confidence")
    assert caught[0].filename == __file__
    assert found.loc[0].notna().all()
    assert found.loc[1, "prediction"] < 1e-6
    assert found.loc[1].drop("prediction").isna().all()
    assert fit.predict(new).notna().all()
    with pytest.warns(lf.FitWarning, match="in 1 of the 2 rows predicted: their linear predictors can't be estimated"):
        assert fit.predict(new, scale="link").isna().tolist() == [False, True]
