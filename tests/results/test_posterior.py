"""Accessors of a posterior: the same names as a fit's, and the numbers they must agree on."""

import numpy as np
import pandas as pd
import pytest

import lmmformula as lf
from corpus import dataset
from fits import fit_of, model_of, posterior_of

SLEEPSTUDY = "lmm-003r"
PUBLISHED = {"sd[group, (Intercept)]": (9.14, 8.12, 10.3), "sd[group, x]": (0.908, 0.790, 1.04)}
"""Mean, q5 and q95 of the coffee example under uniform(0, 100) priors on the standard deviations: a CmdStan run."""


def test_the_published_posterior_of_the_coffee_example() -> None:
    """Within the Monte Carlo error of both sides, and the rounding of the published one."""
    model = lf.Model("y ~ x + (x | group)", dataset("coffee"), priors="sd ~ uniform(0, 100); cor ~ lkj(1)")
    posterior = model.sample(seed=5, progress=False)
    table = posterior.summary()
    assert posterior.diagnostics().ok
    for name, (mean, low, high) in PUBLISHED.items():
        found = table.loc[name]
        assert found["mean"] == pytest.approx(mean, abs=4 * found["mcse"] + 0.006 * mean)
        assert (found["q5"], found["q95"]) == pytest.approx((low, high), rel=0.015)
    assert posterior.explained_variance() == pytest.approx(0.9885, abs=0.001)


def test_means_are_the_means_of_the_draws() -> None:
    """fixef, std_errors, vcov, sigma and varcorr of a posterior are moments of `draws`."""
    posterior = posterior_of(SLEEPSTUDY)
    beta = posterior.draws.beta.reshape(-1, 2)
    np.testing.assert_allclose(posterior.fixef, beta.mean(axis=0))
    np.testing.assert_allclose(posterior.std_errors, np.sqrt(np.diag(posterior.vcov)))
    assert posterior.sigma == pytest.approx(posterior.draws.sigma.mean())
    np.testing.assert_allclose(posterior.varcorr["Subject"].sds, posterior.draws.sds[0].mean(axis=(0, 1)))
    assert posterior.varcorr["Subject"].correlation[0, 0] == pytest.approx(1)


def test_the_intraclass_correlation_is_the_mean_over_the_draws() -> None:
    """As a fit's for the values of each draw, all groups together or one; other families have none."""
    posterior, days = posterior_of(SLEEPSTUDY), np.arange(10.0)
    draws = posterior.draws_frame()
    first, second, r = (
        draws[f"{name}]"] for name in ("sd[Subject, (Intercept)", "sd[Subject, Days", "cor[Subject, (Intercept), Days")
    )
    between = first**2 + 2 * days.mean() * r * first * second + (days**2).mean() * second**2
    assert posterior.icc() == pytest.approx((between / (between + draws["sigma"] ** 2)).mean())
    assert posterior.icc("Subject") == posterior.icc()
    with pytest.raises(lf.FitError, match="not a grouping factor"):
        posterior.icc("Days")


def test_random_effects_and_coefficients_have_a_fits_shape() -> None:
    """The same labels as a fit's, so that one table can be taken from the other."""
    posterior, fit = posterior_of(SLEEPSTUDY), fit_of(SLEEPSTUDY)
    for ours, theirs in ((posterior.ranef(), fit.ranef()), (posterior.coef(), fit.coef())):
        pd.testing.assert_index_equal(ours["Subject"].index, theirs["Subject"].index)
        pd.testing.assert_index_equal(ours["Subject"].columns, theirs["Subject"].columns)
    total = posterior.fixef + posterior.ranef()["Subject"]
    pd.testing.assert_frame_equal(posterior.coef()["Subject"], total)


def test_the_summary_names_every_parameter() -> None:
    """One row per parameter as priors name them; with `random`, one more per random effect."""
    table = posterior_of(SLEEPSTUDY).summary()
    assert list(table.index) == [
        "(Intercept)",
        "Days",
        "sd[Subject, (Intercept)]",
        "sd[Subject, Days]",
        "cor[Subject, (Intercept), Days]",
        "sigma",
    ]
    assert list(table.columns) == ["mean", "sd", "mcse", "q5", "q95", "ess_bulk", "ess_tail", "rhat"]
    assert (table["mcse"] < table["sd"] / 10).all()
    assert (table["rhat"] < 1.02).all()
    assert len(posterior_of(SLEEPSTUDY).summary(random=True)) == 6 + 36


def test_draws_as_a_data_frame() -> None:
    """One row per draw, indexed by chain and draw, with the means of the summary."""
    posterior = posterior_of(SLEEPSTUDY)
    frame = posterior.draws_frame()
    assert frame.shape == (4 * 500, 6)
    assert frame.index.names == ["chain", "draw"]
    np.testing.assert_allclose(frame.mean(), posterior.summary()["mean"])


def test_predictions_are_posterior_means() -> None:
    """Fitted values of old rows, new rows, new levels; the mean is linear in the parameters."""
    posterior = posterior_of(SLEEPSTUDY)
    np.testing.assert_allclose(posterior.predict(), posterior.fitted)
    np.testing.assert_allclose(posterior.predict(dataset("sleepstudy")), posterior.fitted)
    rows = pd.DataFrame({"Days": [0.0, 5.0], "Subject": ["308", "new"]})
    with pytest.raises(lf.DataError, match="has not seen: new"):
        posterior.predict(rows)
    values = posterior.predict(rows, new_levels="population")
    assert values[0] == pytest.approx(posterior.coef()["Subject"].loc["308", "(Intercept)"])
    assert values[1] == pytest.approx(posterior.fixef.iloc[0] + 5 * posterior.fixef.iloc[1])


def test_posterior_predictive_draws_look_like_the_data() -> None:
    """Their mean over draws is the fitted value of each row, their spread around it sigma's; the seed decides."""
    posterior = posterior_of(SLEEPSTUDY)
    replicated = posterior.posterior_predictive(seed=1)
    assert replicated.shape == (2000, 180)
    error = (replicated.mean(axis=0) - posterior.fitted) / (replicated.std(axis=0) / np.sqrt(2000))
    assert np.abs(error).max() < 5
    assert np.mean(replicated.std(axis=0)) == pytest.approx(np.hypot(25.8, 11), rel=0.1)
    assert np.array_equal(posterior.posterior_predictive(3, draws=5), posterior.posterior_predictive(3, draws=5))
    with pytest.raises(lf.FitError, match="2000 draws"):
        posterior.posterior_predictive(draws=2001)


@pytest.mark.filterwarnings("ignore::lmmformula.SamplingWarning")
def test_the_same_seed_gives_the_same_draws() -> None:
    """And another seed others."""
    model = model_of("lmm-022r")
    first, again, other = (model.sample(seed=s, chains=2, warmup=200, draws=50, progress=False) for s in (4, 4, 5))
    assert np.array_equal(first.draws.sigma, again.draws.sigma)
    assert not np.array_equal(first.draws.sigma, other.draws.sigma)


def test_the_start_does_not_matter_to_the_posterior() -> None:
    """With and without the REML fit's start and metric: the same means, within Monte Carlo error."""
    warm = posterior_of(SLEEPSTUDY).summary()
    cold = model_of(SLEEPSTUDY).sample(seed=21, draws=500, warm_start=False, progress=False).summary()
    distance = (warm["mean"] - cold["mean"]) / np.hypot(warm["mcse"], cold["mcse"])
    assert np.abs(distance).max() < 4.5


def test_a_posterior_of_a_linear_model() -> None:
    """No random term: the posterior of a regression, near its least squares under weak priors."""
    model = lf.Model("Reaction ~ Days", dataset("sleepstudy"))
    posterior, fit = model.sample(seed=2, draws=500, progress=False), model.fit()
    assert posterior.ranef() == {}
    np.testing.assert_allclose(posterior.fixef, fit.fixef, rtol=0.03)
    assert posterior.explained_variance() == pytest.approx(fit.explained_variance(), abs=0.02)


@pytest.mark.filterwarnings("ignore::FutureWarning")  # ArviZ announces its next version
def test_arviz_is_asked_for_by_name_when_it_is_missing() -> None:
    """ArviZ is an extra: without it the message says how to install it, with it the groups are there."""
    posterior = posterior_of(SLEEPSTUDY)
    try:
        import arviz  # noqa: F401
    except ImportError:
        with pytest.raises(lf.EngineError, match=r"lmmformula\[arviz\]"):
            posterior.to_arviz()
        return
    data = posterior.to_arviz()
    assert data["posterior"]["u_Subject"].shape == (4, 500, 18, 2)
    assert data["sample_stats"]["diverging"].shape == (4, 500)
