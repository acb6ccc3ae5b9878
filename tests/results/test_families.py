"""Posteriors of families: against importance sampling without Stan; predictions on both scales; the prior."""

from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import lmmformula as lf
from corpus import dataset, records
from importance import SmallModel, Weighted, importance_sample, z_scores
from lmmformula.ir.family import GAUSSIAN, Family
from lmmformula.results.families import draw_from, mean_of
from lmmformula.stan.program.responses import SAMPLED, own_parameters

pytestmark = pytest.mark.filterwarnings("ignore::lmmformula.SamplingWarning")

RECORDS = {record["id"]: record for record in records("glmm")}

# --- posteriors of small models -------------------------------------------------------------------------------------

PRIORS = {
    "Intercept_c": ("Intercept ~ normal(0.2, 1.5)", stats.norm(0.2, 1.5).logpdf),
    "cutpoint_c": ("cutpoint ~ normal(0.5, 2)", stats.norm(0.5, 2.0).logpdf),
    "b": ("b ~ normal(0.1, 0.8)", stats.norm(0.1, 0.8).logpdf),
    "sd_g": ("sd ~ exponential(1.5)", stats.expon(scale=1 / 1.5).logpdf),
    "sigma": ("sigma ~ gamma(3, 4)", stats.gamma(3.0, scale=1 / 4.0).logpdf),
    "nu": ("nu ~ gamma(4, 0.5)", stats.gamma(4.0, scale=1 / 0.5).logpdf),
    "shape": ("shape ~ lognormal(0.5, 0.6)", stats.lognorm(0.6, scale=np.exp(0.5)).logpdf),
    "phi": ("phi ~ lognormal(1.5, 0.7)", stats.lognorm(0.7, scale=np.exp(1.5)).logpdf),
    "zi": ("zi ~ uniform(0, 1)", stats.uniform(0, 1).logpdf),
}
"""Parameter -> its prior as it is typed, and by scipy."""

SMALL = {
    **{str(family): family for family in SAMPLED if family != GAUSSIAN},
    **{f"bernoulli {link}": Family("binomial", link) for link in ("logit", "probit", "cloglog")},
    "weighted student": Family("student", "identity"),
    "weighted lognormal": Family("lognormal", "identity"),
}
"""Models whose posteriors are compared."""


def parameters_of(family: Family) -> list[str]:
    """List the parameters of a small model."""
    first = "cutpoint_c" if family.ordinal else "Intercept_c"
    return [first, "b", "sd_g", *own_parameters(family)]


@cache
def small_data(name: str) -> pd.DataFrame:
    """Draw 40 rows of 8 groups from a model of the family; x is far from 0."""
    family = SMALL[name]
    rng = np.random.default_rng(sorted(SMALL).index(name))
    n = 40
    frame = pd.DataFrame({"x": rng.normal(2.0, 1.0, n), "g": np.arange(n) % 8, "w": rng.uniform(0.3, 3.0, n)})
    eta = (0.3 + 0.6 * (frame.x - 2.0) + 0.5 * rng.normal(size=8)[frame.g]).to_numpy()
    own = {"sigma": 0.6, "nu": 5.0, "shape": 2.0, "phi": 6.0, "zi": 0.3, "cutpoint": np.array([-0.5, 0.6, 1.5])}
    own = {key: np.asarray(value) for key, value in own.items() if key in (*parameters_of(family), "cutpoint")}
    if name.startswith("weighted"):
        own["sigma"] = own["sigma"] / np.sqrt(frame.w.to_numpy())
    trials = 4.0 if "Family" in name else 1.0
    frame["y"] = draw_from(family, eta, own, rng, trials)
    if family.name == "binomial":
        frame["y"] *= trials
    return frame.assign(left=trials - frame.y)


def small_model(name: str) -> tuple[lf.Model, SmallModel]:
    """Make the model of the package, and the one written for this test."""
    family, frame = SMALL[name], small_data(name)
    names = parameters_of(family)
    counted, weighted = name.startswith("Family(name='binomial'"), name.startswith("weighted")
    text = "\n".join([f"{'cbind(y, left)' if counted else 'y'} ~ x + (1 | g)", *(PRIORS[p][0] for p in names)])
    model = lf.Model(text, frame, family=family, weights="w" if weighted else None)
    known = {"trials": np.full(len(frame), 4.0)} if counted else {}
    known |= {"root_weights": np.sqrt(frame.w.to_numpy())} if weighted else {}
    y, x, g = (frame[column].to_numpy() for column in "yxg")
    return model, SmallModel(family, y, x, g, {p: PRIORS[p][1] for p in names}, known)


@cache
def small_posterior(name: str, draws: int = 500) -> dict[str, np.ndarray]:
    """Sample the posterior of a small model by Stan."""
    found = small_model(name)[0].sample(seed=1, warmup=500, draws=draws, progress=False)
    return dict(found.raw)


@cache
def reference(name: str) -> Weighted:
    """Sample the posterior of a small model without Stan."""
    return importance_sample(small_model(name)[1], np.random.default_rng(7))


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.filterwarnings("ignore::lmmformula.SamplingWarning")
def test_posteriors_are_those_of_importance_sampling(name: str) -> None:
    """Means and variances of all parameters agree within 4 Monte Carlo standard errors."""
    theirs = reference(name)
    assert theirs.effective > 1000
    scores = z_scores(small_posterior(name), theirs)
    assert max(map(abs, scores.values())) < 4, scores


@pytest.mark.parametrize("mistake", ["link", "prior", "sign", "jacobian"])
def test_the_comparison_finds_mistakes(mistake: str) -> None:
    """Had the program another link, prior or sign, or a Jacobian too many, the scores would say so."""
    name = "Family(name='binomial', link='logit')"
    right = small_model(name)[1]

    class TwoJacobians(SmallModel):
        def constrained(self, free: np.ndarray) -> tuple[dict[str, np.ndarray], np.ndarray]:
            values, jacobian = super().constrained(free)
            return values, 2 * jacobian

    wrong = {
        "link": replace(right, family=Family("binomial", "probit")),
        "prior": replace(right, priors=right.priors | {"sd_g": stats.expon(scale=1.5).logpdf}),
        "sign": replace(right, x=-right.x),
        "jacobian": TwoJacobians(right.family, right.y, right.x, right.g, right.priors, right.known),
    }[mistake]
    scores = z_scores(small_posterior(name, 2500), importance_sample(wrong, np.random.default_rng(7)))
    assert max(map(abs, scores.values())) > 4


# --- results -------------------------------------------------------------------------------------------------------


@cache
def posterior(name: str) -> lf.Posterior:
    """Return the posterior of the model of a record."""
    record = RECORDS[name]
    family = f"{record['family']}({record['link']})"
    model = lf.Model(record["formula"], dataset(record["dataset"]), family=family)
    return model.sample(seed=1, draws=400, warmup=400, progress=False)


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
    pd.testing.assert_frame_equal(found.predict(data, interval="prediction"), new)  # the response's columns know trials
    for arguments in ({"scale": "link"}, {"newdata": data[["period", "herd"]]}, {"random": "population"}):
        with pytest.raises(lf.FitError):
            found.predict(interval="prediction", **arguments)
    with pytest.raises(lf.FitError, match="scale"):
        found.predict(scale="odds")


@pytest.mark.parametrize("family", SAMPLED, ids=str)
def test_draws_have_the_mean_that_is_said(family: Family) -> None:
    """Draws from each family average to `mean_of`."""
    own = {"sigma": 0.3, "nu": 8.0, "shape": 2.0, "phi": 5.0}
    if "zero" in family.name:
        own = {"shape": 2.0, "zi": 0.3} if "neg" in family.name else {"zi": 0.3}
    elif family.ordinal:
        own = {"cutpoint": [-1.0, 0.0, 2.0]}
    elif family.name == "poisson":
        own = {}
    values = {name: np.asarray(value) for name, value in own.items()}
    eta = np.full(40_000, 0.4)
    draws = draw_from(family, eta, values, np.random.default_rng(3), 5.0)
    assert draws.mean() == pytest.approx(mean_of(family, eta, values).mean(), abs=5 * draws.std() / 200)


@pytest.mark.parametrize("own", [1e-310, 1e-8, 1.0, 1e308])
@pytest.mark.parametrize("family", SAMPLED, ids=str)
def test_draws_are_numbers_however_far_a_prior_goes(family: Family, own: float) -> None:
    """No linear predictor and no parameter of the family is too large or too small to draw from."""
    names = {"sigma": min(own, 100.0), "nu": max(own, 1.0), "shape": own, "phi": own, "zi": 0.3}
    values = {name: np.asarray(value) for name, value in names.items()}
    if "zero" not in family.name:
        del values["zi"]
    if family.name in {"zero_inflated_poisson", "poisson"}:
        del values["shape"]
    values["cutpoint"] = np.array([-own, 0.0, own])
    eta = np.array([-1e300, -800.0, -40.0, 0.0, 40.0, 800.0, 1e300])
    for some in (draw_from(family, eta, values, np.random.default_rng(1)), mean_of(family, eta, values)):
        assert not np.isnan(some).any()


@pytest.mark.parametrize("family", ["poisson", "negbinomial"])
@pytest.mark.filterwarnings("ignore::lmmformula.SamplingWarning")
def test_a_prior_may_have_infinite_means(family: str) -> None:
    """Predictions, bounds and densities of draws whose mean no float can hold come without a warning of numpy."""
    frame = {"y": [0, 3, 1, 4, 2, 5] * 4, "x": np.linspace(0.0, 50.0, 24), "g": list("abcdef") * 4}
    model = lf.Model("y ~ x + (1 | g)\nb ~ normal(0, 100)", frame, family=family)
    prior = model.sample_prior(chains=2, draws=100, seed=1, progress=False)
    assert np.isinf(prior.fitted).any()
    assert prior.predict(interval="confidence").conf_low.notna().all()
    assert not np.isnan(prior.log_likelihood()).any()


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
