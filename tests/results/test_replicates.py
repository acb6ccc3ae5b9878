"""Responses drawn for new rows: levels that were not seen, missing values, trials."""

import numpy as np
import pytest

import lmmformula as lf
import programs
from corpus import dataset
from fits import posterior_of

pytestmark = [
    pytest.mark.filterwarnings("ignore::lmmformula.SamplingWarning"),
    pytest.mark.filterwarnings("ignore:.*trials:lmmformula.FitWarning"),
]
"""Few draws are enough for what is tested here."""

SLEEPSTUDY = "lmm-003r"
BAD = {
    "draws": ({"draws": 0}, "2000 draws"),
    "draws of text": ({"draws": "a"}, "2000 draws"),
    "seed": ({"seed": "a"}, "seed"),
    "levels": ({"new_levels": "zero"}, "not known"),
    "random": ({"random": "all"}, "not known"),
    "trials": ({"trials": 3}, "own trials"),
    "trials of new rows": ({"trials": 3, "newdata": {"Days": [1.0], "Subject": ["308"]}}, "no trials"),
}


def rows(*subjects: object) -> dict[str, list[object]]:
    """Return rows at day 5 of some subjects."""
    return {"Days": [5.0] * len(subjects), "Subject": list(subjects)}


def test_old_levels_of_new_rows_are_those_of_the_data() -> None:
    """Means and spreads agree with what `predict` says of the same rows, within Monte Carlo error."""
    posterior = posterior_of(SLEEPSTUDY)
    drawn = posterior.posterior_predictive(1, newdata=rows("308", "309"))
    assert drawn.shape == (2000, 2)
    expected = posterior.predict(rows("308", "309"), interval="prediction", level=0.9)
    error = (drawn.mean(axis=0) - expected["prediction"]) / (drawn.std(axis=0) / np.sqrt(2000))
    assert np.abs(error).max() < 4.5
    np.testing.assert_allclose(np.quantile(drawn, 0.95, axis=0), expected["conf_high"], rtol=0.03)


def test_new_levels_share_their_effect() -> None:
    """Rows of one new level go together, those of another don't; the spread is that of the levels and the residual."""
    posterior = posterior_of(SLEEPSTUDY)
    drawn = posterior.posterior_predictive(1, newdata=rows("a", "a", "b"), new_levels="sample")
    same, other = np.corrcoef(drawn.T)[0, 1:]
    at = np.array([1.0, 5.0])
    covariance = posterior.varcorr["Subject"].covariance
    between = at @ covariance @ at
    assert same == pytest.approx(between / (between + posterior.sigma**2), abs=0.1)
    assert abs(other) < 0.1
    flat = posterior.posterior_predictive(1, newdata=rows("a", "a", "b"), new_levels="population")
    assert flat.std() < 0.8 * drawn.std()
    with pytest.raises(lf.DataError, match="has not seen: a"):
        posterior.posterior_predictive(1, newdata=rows("a"))


def test_the_population_needs_no_group() -> None:
    """Without random effects: the spread is that of the fixed effects and the residual."""
    posterior = posterior_of(SLEEPSTUDY)
    drawn = posterior.posterior_predictive(1, newdata={"Days": [0.0]}, random="population")
    assert drawn.mean() == pytest.approx(posterior.fixef.iloc[0], abs=4)
    assert drawn.std() == pytest.approx(np.hypot(posterior.sigma, posterior.std_errors.iloc[0]), rel=0.1)


def test_missing_values_stay_missing() -> None:
    """In a variable, and in the group."""
    newdata = {"Days": [5.0, np.nan, 5.0], "Subject": ["308", "308", None]}
    drawn = posterior_of(SLEEPSTUDY).posterior_predictive(1, newdata=newdata, draws=10, new_levels="sample")
    assert np.isnan(drawn).tolist() == [[False, True, True]] * 10


@pytest.mark.parametrize("name", BAD)
def test_wrong_requests_are_refused(name: str) -> None:
    """By name, and not by numpy."""
    arguments, message = BAD[name]
    with pytest.raises(lf.FitError, match=message):
        posterior_of(SLEEPSTUDY).posterior_predictive(**arguments)


@pytest.mark.parametrize("name", [name for name in programs.FAMILIES if name != "poisson_prior"])
def test_every_family_draws_for_new_rows(name: str) -> None:
    """Also where a variable is missing and the level is new."""
    case = programs.FAMILIES[name]
    data = programs.frame(case.data)
    model = lf.Model(case.text, data, family=case.family, weights=case.weights, offset=case.offset)
    posterior = model.sample(seed=1, draws=20, warmup=50, chains=1, progress=False, warm_start=False)
    new = data.head(4).assign(x=[np.nan, 1.0, 1.0, 1.0], a=["a0", "a1", "new", "newer"])
    trials = 6 if case.weights == "trials" else None
    drawn = posterior.posterior_predictive(1, newdata=new, new_levels="sample", trials=trials)
    expected = ["no_predictors" not in name, False, False, False]
    assert np.isnan(drawn).any(axis=0).tolist() == expected


def test_trials_of_new_rows() -> None:
    """They come from the response's columns, or are given; else nobody knows them."""
    posterior = lf.Model(
        "cbind(incidence, size - incidence) ~ period + (1 | herd)", dataset("cbpp"), family="binomial"
    ).sample(seed=1, draws=20, warmup=100, chains=1, progress=False)
    new = {"period": ["1", "2"], "herd": ["1", "1"]}
    drawn = posterior.posterior_predictive(1, newdata=new | {"incidence": [0, 0], "size": [2, 4]})
    assert (drawn * [2, 4] % 1 == 0).all()
    assert (posterior.posterior_predictive(1, newdata=new, trials=3) * 3 % 1 < 1e-9).all()
    for trials in (None, 0.5, [1, 2, 3], "many"):
        with pytest.raises(lf.FitError, match="trials"):
            posterior.posterior_predictive(1, newdata=new, trials=trials)


def test_means_of_new_levels_on_a_curved_scale() -> None:
    """With a logarithmic link the mean over new levels lies above that of the typical one; intervals are the same."""
    data = programs.frame("counts")
    posterior = lf.Model("count ~ x + (1 | a)", data, family="poisson").sample(seed=1, draws=200, progress=False)
    new = {"x": [2.0], "a": ["new"]}
    typical, sampled = (
        posterior.predict(new, new_levels=levels, interval="confidence") for levels in ("population", "sample")
    )
    assert sampled["prediction"].iloc[0] > typical["prediction"].iloc[0]
    assert typical[["conf_low", "conf_high"]].equals(sampled[["conf_low", "conf_high"]])
    eta = posterior.draws.beta.reshape(-1, 2) @ [1.0, 2.0]
    assert typical["prediction"].iloc[0] == pytest.approx(np.exp(eta).mean())
