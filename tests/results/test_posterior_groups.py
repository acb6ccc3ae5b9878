"""Draws as xarray and ArviZ hold them, log likelihoods, and leave-one-out cross-validation; on ArviZ 0.x and 1.x."""

import warnings
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

import lmmformula as lf
import programs
from corpus import dataset
from fits import model_of, posterior_of

pytestmark = [
    pytest.mark.filterwarnings("ignore::lmmformula.SamplingWarning"),
    pytest.mark.filterwarnings("ignore:.*trials:lmmformula.FitWarning"),
]
"""Few draws are enough for what is tested here."""

SLEEPSTUDY = "lmm-003r"
EXACT = 1e-10
"""Between our log densities and Stan's, relative to their size; gamma functions of large arguments lose most."""

xarray = pytest.importorskip("xarray")


@cache
def sampled(name: str) -> lf.Posterior:
    """Sample a model of the table of programs, with log_lik and y_rep."""
    case = programs.FAMILIES[name]
    options = {"family": case.family, "weights": case.weights, "offset": case.offset}
    model = lf.Model(case.text, programs.frame(case.data), **options)
    run = {"seed": 1, "draws": 50, "warmup": 100, "chains": 2, "progress": False, "warm_start": False}
    return model.sample(log_lik=True, y_rep=True, form=case.form, **run)


def without_rows(posterior: lf.Posterior) -> lf.Posterior:
    """Forget what the program generated of rows."""
    arrays = {name: values for name, values in posterior.raw.arrays.items() if name not in {"log_lik", "y_rep"}}
    return replace(posterior, raw=replace(posterior.raw, arrays=arrays))


@pytest.mark.parametrize("name", [name for name in programs.FAMILIES if name != "poisson_prior"])
def test_log_likelihoods_of_draws_are_those_of_the_program(name: str) -> None:
    """Worked out from the draws they equal Stan's `log_lik`, for each family, link, weights and offset."""
    posterior = sampled(name)
    mine = without_rows(posterior).log_likelihood()
    np.testing.assert_allclose(mine, posterior.raw["log_lik"], rtol=EXACT, atol=EXACT)
    assert posterior.log_likelihood() is posterior.raw["log_lik"]


def test_a_tree_has_named_coordinates() -> None:
    """A coefficient of a level is found by its names; numbers are those of the draws."""
    posterior = posterior_of(SLEEPSTUDY)
    tree = posterior.to_xarray()
    assert set(tree.children) == {"posterior", "sample_stats", "observed_data"}
    group = tree["posterior"]
    assert set(group.data_vars) == {"b", "sigma", "sd_Subject", "cor_Subject", "u_Subject"}
    found = group["u_Subject"].sel(Subject_level="309", Subject_coefficient="Days")
    level = posterior.design.random_terms[0].levels.index("309")
    np.testing.assert_array_equal(found, posterior.draws.modes[0][:, :, level, 1])
    assert float(group["b"].sel(coefficient="Days").mean()) == pytest.approx(posterior.fixef["Days"])
    stats = tree["sample_stats"]
    names = {"acceptance_rate", "diverging", "energy", "lp", "n_steps", "step_size", "tree_depth"}
    assert set(stats.data_vars) == names
    assert stats["diverging"].shape == (4, 500)
    assert stats["diverging"].dtype == bool  # ArviZ picks draws by it
    np.testing.assert_array_equal(tree["observed_data"]["Reaction"], dataset("sleepstudy").Reaction)
    assert tree["posterior"].attrs["inference_library"] == "stanli"


def test_groups_of_rows_come_on_request_or_with_the_program() -> None:
    """log_likelihood and posterior_predictive: (chain, draw, row), rows by their position in the data."""
    posterior = posterior_of(SLEEPSTUDY)
    tree = posterior.to_xarray(log_likelihood=True, posterior_predictive=True)
    np.testing.assert_array_equal(tree["log_likelihood"]["Reaction"], posterior.log_likelihood())
    assert tree["posterior_predictive"]["Reaction"].dims == ("chain", "draw", "row")
    generated = sampled("binomial_cloglog").to_xarray()
    shares = generated["posterior_predictive"]["cbind(successes, failures)"]
    assert float(shares.max()) <= 1
    assert "log_likelihood" in generated.children


def test_draws_from_the_prior_have_groups_of_their_own() -> None:
    """Alone, and beside those of the posterior."""
    prior = model_of(SLEEPSTUDY).sample_prior(seed=1, draws=50, chains=2, progress=False)
    assert set(prior.to_xarray().children) == {"prior", "sample_stats_prior", "observed_data"}
    both = posterior_of(SLEEPSTUDY).to_xarray(prior=prior)
    names = {"posterior", "sample_stats", "observed_data", "prior", "prior_predictive", "sample_stats_prior"}
    assert set(both.children) == names
    assert both["prior_predictive"]["Reaction"].shape == (2, 50, 180)
    assert both["prior"]["b"].shape == (2, 50, 2)


def test_names_that_a_tree_refuses() -> None:
    """A slash separates the groups of a tree, so a name of the model has another sign for it."""
    data = dataset("toy").rename(columns={"g": "a/b"})
    posterior = lf.Model("I(y/2) ~ x + (1 | `a/b`)", data).sample(seed=1, draws=20, chains=1, progress=False)
    tree = posterior.to_xarray()
    assert set(tree["posterior"].data_vars) == {"b", "sigma", "sd_a_b", "u_a_b"}  # one coefficient has no correlation
    assert "I(y_2)" in tree["observed_data"]


def arviz_or_skip() -> object:
    """Import ArviZ, whose 0.x announces 1.0 as it is imported."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("arviz")


def test_arviz_gets_what_it_works_on() -> None:
    """Its own summary finds the parameters, under their coordinates."""
    arviz = arviz_or_skip()
    data = posterior_of(SLEEPSTUDY).to_arviz()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of ArviZ's own dependencies
        table = arviz.summary(data, var_names=["b", "sigma"])  # type: ignore[attr-defined]
    assert [str(name) for name in table.index] == ["b[(Intercept)]", "b[Days]", "sigma"]
    assert float(table["mean"].iloc[1]) == pytest.approx(posterior_of(SLEEPSTUDY).fixef["Days"], abs=0.06)


@pytest.mark.filterwarnings("ignore")  # ArviZ warns of rows with much influence, and of its dependencies
def test_leave_one_out_compares_models() -> None:
    """The slopes of sleepstudy are worth their while; ArviZ reads the results of `loo`."""
    arviz = arviz_or_skip()
    slopes = posterior_of(SLEEPSTUDY)
    intercepts = lf.Model("Reaction ~ Days + (1 | Subject)", dataset("sleepstudy")).sample(
        seed=3, draws=500, progress=False, log_lik=True
    )
    table = arviz.compare({"slopes": slopes.loo(), "intercepts": intercepts.loo()})  # type: ignore[attr-defined]
    assert list(table.index) == ["slopes", "intercepts"]
    found = slopes.loo()
    elpd = float(getattr(found, "elpd", None) or found.elpd_loo)
    density = slopes.log_likelihood().reshape(-1, 180)
    lppd = float(np.log(np.exp(density).mean(axis=0)).sum())
    p = float(getattr(found, "p", None) or found.p_loo)
    assert lppd - elpd == pytest.approx(p, abs=1e-6)
    assert 0 < p < 18 * 2 + 3


def test_wrong_requests_are_refused() -> None:
    """A posterior is no prior, and a prior has no cross-validation."""
    posterior = posterior_of(SLEEPSTUDY)
    for prior in (posterior, 3):
        with pytest.raises(lf.FitError, match="sample_prior"):
            posterior.to_xarray(prior=prior)  # type: ignore[arg-type]
    with pytest.raises(lf.FitError, match="left out"):
        model_of(SLEEPSTUDY).sample_prior(seed=1, draws=20, chains=1, progress=False).loo()


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both are extras: without them the message says how to install them."""
    monkeypatch.setitem(__import__("sys").modules, "xarray", None)
    with pytest.raises(lf.EngineError, match=r"xarray is not installed(?s:.*)lmmformula\[xarray\]"):
        posterior_of(SLEEPSTUDY).to_xarray()
    monkeypatch.setitem(__import__("sys").modules, "arviz", None)
    with pytest.raises(lf.EngineError, match=r"ArviZ is not installed(?s:.*)lmmformula\[arviz\]"):
        posterior_of(SLEEPSTUDY).loo()


def test_options_that_arviz_lacks_are_our_error() -> None:
    """What it says of them is told."""
    pytest.importorskip("arviz")
    posterior = lf.Model("Yield ~ 1 + (1 | Batch)", dataset("Dyestuff")).sample(
        chains=1, draws=20, warmup=50, seed=1, progress=False
    )
    with pytest.raises(lf.LmmFormulaError, match="refuses the options of loo"):
        posterior.loo(nothing=1)
