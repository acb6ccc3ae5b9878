"""Posteriors of other families: near R's Laplace estimates, and predictions on both scales."""

from functools import cache

import numpy as np
import pytest

import lmmformula as lf
from corpus import dataset, records
from lmmformula.ir.family import Family
from lmmformula.results.families import draw_from, mean_of
from lmmformula.stan.likelihood import LIKELIHOODS

RECORDS = {record["id"]: record for record in records("glmm")}


@cache
def posterior(name: str) -> lf.Posterior:
    """Return the posterior of the model of a record."""
    record = RECORDS[name]
    family = f"{record['family']}({record['link']})"
    model = lf.Model(record["formula"], dataset(record["dataset"]), family=family)
    return model.sample(seed=1, draws=400, warmup=400, progress=False)


@pytest.mark.parametrize("name", ["glmm-001", "glmm-006", "glmm-040", "glmm-037"])
def test_posterior_means_are_near_laplace_estimates(name: str) -> None:
    """Fixed effects within one posterior standard deviation of lme4's, and so the random effects' where it has them."""
    found, record = posterior(name), RECORDS[name]
    assert (np.abs(found.fixef - record["fixef"]["values"]) / found.std_errors).max() < 1
    assert found.diagnostics().divergent == 0
    if record["family"] != "Gamma":  # whose lme4 estimate is of another quantity, relative to the residual
        row = found.summary().filter(like="sd[", axis=0).iloc[0]
        assert abs(row["mean"] - record["varcorr"][0]["sd"][0]) < row["sd"]


def test_there_is_no_residual_where_a_family_has_none() -> None:
    """No sigma in summary, variance components or text."""
    found = posterior("glmm-001")
    assert np.isnan(found.sigma)
    assert "sigma" not in found.summary().index
    assert "Residual" not in str(found.varcorr)
    assert "shape" in posterior("glmm-040").summary().index
    assert "cbind(incidence, size - incidence)" in str(found)
    with pytest.raises(lf.FitError, match="explained variance"):
        found.explained_variance()


def test_predictions_on_both_scales() -> None:
    """The mean response is the mean of the inverse link over draws; new responses spread wider."""
    found = posterior("glmm-001")
    link, response = found.predict(scale="link"), found.predict()
    assert response.between(0, 1).all()
    assert np.corrcoef(link, response)[0, 1] > 0.95
    np.testing.assert_allclose(found.fitted, response)
    data = dataset("cbpp")
    np.testing.assert_allclose(found.predict(data), response)
    confidence, new = found.predict(interval="confidence"), found.predict(interval="prediction")
    assert (new.conf_high - new.conf_low).sum() > (confidence.conf_high - confidence.conf_low).sum()
    replicated = found.posterior_predictive(seed=2)
    np.testing.assert_allclose(replicated.mean(axis=0), response, atol=0.03)
    for arguments in ({"scale": "link"}, {"newdata": data}, {"random": "population"}):
        with pytest.raises(lf.FitError):
            found.predict(interval="prediction", **arguments)
    with pytest.raises(lf.FitError, match="scale"):
        found.predict(scale="odds")


@pytest.mark.parametrize("family", LIKELIHOODS, ids=str)
def test_draws_have_the_mean_that_is_said(family: Family) -> None:
    """Draws from each family average to `mean_of`."""
    own = {"sigma": 0.3, "nu": 8.0, "shape": 2.0, "phi": 5.0}
    if "zero" in family.name:
        own = {"shape": 2.0, "zi": 0.3} if "neg" in family.name else {"zi": 0.3}
    elif family.name == "poisson":
        own = {}
    values = {name: np.asarray(value) for name, value in own.items()}
    eta = np.full(40_000, 0.4)
    draws = draw_from(family, eta, values, np.random.default_rng(3), 5.0)
    assert draws.mean() == pytest.approx(mean_of(family, eta, values).mean(), abs=5 * draws.std() / 200)


def test_the_prior_is_sampled_without_the_data() -> None:
    """Draws of `sample_prior` have the priors' quantiles, and give a prior predictive distribution."""
    model = lf.Model(
        "Reaction ~ Days + (1 | Subject)", dataset("sleepstudy"), priors="b ~ normal(0, 2); sigma ~ exponential(0.1)"
    )
    prior = model.sample_prior(seed=1, draws=500, progress=False)
    assert prior.draws.beta[..., 1].std() == pytest.approx(2, rel=0.1)
    assert prior.sigma == pytest.approx(10, rel=0.15)
    assert str(prior).startswith("Prior of")
    assert prior.posterior_predictive(seed=1, draws=20).shape == (20, 180)
