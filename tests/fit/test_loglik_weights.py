"""Factors of the log density, in both engines, and what `weights` means beside them."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

import lmmformula as lf
from lmmformula.results.families import log_density
from lmmformula.stan.program.responses import counted

pytestmark = pytest.mark.filterwarnings("ignore::lmmformula.SamplingWarning")


def counted_rows() -> pd.DataFrame:
    """Make rows of several kinds of response, each of which stands for w rows."""
    rng = np.random.default_rng(1)
    g, x = np.repeat(np.arange(12), 8), rng.normal(size=96)
    eta = 0.4 + 0.5 * x + 0.5 * rng.normal(size=12)[g]
    columns = {
        "g": g,
        "x": x,
        "y": eta + rng.normal(size=96),
        "c": rng.poisson(np.exp(eta)),
        "w": 1 + rng.integers(3, size=96),
    }
    return pd.DataFrame(columns | {"b": (rng.random(96) < 1 / (1 + np.exp(-eta))) * 1, "p": np.exp(columns["y"] / 2)})


ROWS = counted_rows()
REPEATED = ROWS.loc[ROWS.index.repeat(ROWS["w"])].reset_index(drop=True)
FAMILIES = {
    "gaussian": "y", "student": "y", "lognormal": "p", "Gamma(log)": "p", "binomial": "b", "poisson": "c",
    "negbinomial": "c", "zero_inflated_poisson": "c",
}  # fmt: skip


@pytest.mark.parametrize(("family", "response"), FAMILIES.items())
def test_a_factor_counts_rows(family: str, response: str) -> None:
    """A row with a factor of 3 is three rows: likelihood, estimates and standard errors."""
    formula = f"{response} ~ x + (1 | g)"
    factors = lf.Model(formula, ROWS, family=family, loglik_weights="w").fit()
    rows = lf.Model(formula, REPEATED, family=family).fit(reml=False)
    assert factors.loglik == pytest.approx(rows.loglik, abs=1e-8)
    np.testing.assert_allclose(factors.fixef, rows.fixef, atol=1e-6)
    np.testing.assert_allclose(
        factors.theta if family != "gaussian" else factors.theta / factors.sigma, rows.theta, atol=1e-5
    )
    np.testing.assert_allclose(factors.std_errors, rows.std_errors, rtol=1e-3)


@pytest.mark.parametrize(("family", "response"), [("cumulative", "k"), *FAMILIES.items()])
def test_a_factor_multiplies_the_density_of_the_program(family: str, response: str) -> None:
    """The program's log_lik has the factor, its likelihood is the sum of that, and so is what Python works out."""
    data = ROWS.assign(k=np.minimum(ROWS["c"], 3) + 1)
    model = lf.Model(f"{response} ~ x + (1 | g)", data, family=family, loglik_weights="w")
    program = model.stan(log_lik=True)
    np.testing.assert_array_equal(program.data["loglik_weights"], ROWS["w"])
    told: dict[str, Any] = {"chains": 1, "draws": 20, "warmup": 50, "seed": 1, "progress": False}
    post = model.sample(log_lik=True, **told)
    own = {
        name: draws.reshape(20, -1) if draws.ndim > 2 else draws.reshape(20, 1)
        for name, draws in post.draws.own.items()
    }
    if family == "cumulative":
        own["cutpoint"] = own["cutpoint"][:, None, :]
    y, trials = counted(model.design.y, model.design.weights, model.ir.family)
    eta = post.raw["b"].reshape(20, 1) * ROWS["x"].to_numpy() + (
        0 if family == "cumulative" else post.raw["Intercept"].reshape(20, 1)
    )
    eta = eta + post.raw["u_g"].reshape(20, 12)[:, ROWS["g"]]
    expected = ROWS["w"].to_numpy() * log_density(model.ir.family, y, eta, own, 1.0 if trials is None else trials)
    np.testing.assert_allclose(post.raw["log_lik"][0], expected, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize(
    "family", ["poisson", "negbinomial", "Gamma(log)", "beta", "zero_inflated_poisson", "cumulative"]
)
def test_weights_are_refused_where_they_have_no_meaning(family: str) -> None:
    """One sentence, before any engine is chosen, and it names what is meant."""
    with pytest.raises(lf.FitError, match="weights have no meaning in the family") as caught:
        lf.Model("c ~ x + (1 | g)", ROWS, family=family, weights="w")
    assert "loglik_weights=" in caught.value.hint


@pytest.mark.parametrize(
    ("formula", "weights", "message"),
    [
        ("cbind(b, 1 - b) ~ x", "w", r"`cbind\(b, 1 - b\)` has its own"),
        ("b/w ~ x", "g", "`b/w` has its own"),
        ("b ~ x", "x2", "the trials of `b` must be whole numbers: 96 are not, the first 1.5 in row 0"),
    ],
)
def test_weights_of_a_binomial_family_are_trials(formula: str, weights: str, message: str) -> None:
    """Neither factors beside trials of the response's own, nor numbers that count nothing."""
    with pytest.raises(lf.LmmFormulaError, match=message) as caught:
        lf.Model(formula, ROWS.assign(x2=1.5), family="binomial", weights=weights)
    assert "loglik_weights=" in caught.value.hint


@pytest.mark.parametrize(
    ("weights", "message"),
    [(None, "`s` has shares without trials"), ("w", "`s` times its trials is no whole number in 3 rows")],
)
def test_shares_that_are_no_successes_warn(weights: str | None, message: str) -> None:
    """As R does."""
    data = ROWS.assign(s=np.where(np.arange(96) < 3, 0.4, ROWS["b"]))
    with pytest.warns(lf.FitWarning, match=message):
        lf.Model("s ~ x", data, family="binomial", weights=weights)


def test_loglik_weights_are_checked_and_kept() -> None:
    """Bad ones are refused by name; rows without one are left out; `update` keeps them, and `anova` minds them."""
    with pytest.raises(lf.DataError, match="loglik_weights must be positive and finite: 1 are not"):
        lf.Model("y ~ x", ROWS, loglik_weights=[0.0, *[1.0] * 95])
    model = lf.Model("c ~ x + (1 | g)", ROWS.assign(w=[np.nan, *[2.0] * 95]), family="poisson", loglik_weights="w")
    assert model.design.nobs == 95
    assert model.design.missing == {"(loglik_weights)": 1}
    smaller = model.update(". ~ 1 + (1 | g)")
    assert smaller.design.has_loglik_weights
    other = lf.Model("c ~ 1 + (1 | g)", ROWS[1:], family="poisson")
    with pytest.raises(lf.FitError, match="different responses or weights"):
        lf.anova(model.fit(), other.fit())
    with pytest.raises(lf.FitError, match="are not summed part by part"):
        lf.Model("y ~ x + (1 | g)", [ROWS, ROWS], loglik_weights="w", progress=False)


def test_loglik_weights_outlive_a_saved_posterior(tmp_path: Any) -> None:
    """With the data they are all there, without them it is known that there were some."""
    model = lf.Model("c ~ x + (1 | g)", ROWS, family="poisson", loglik_weights="w")
    post = model.sample(chains=1, draws=10, warmup=20, seed=1, progress=False)
    for data in (True, False):
        post.save(tmp_path / "a.nc", data=data)
        loaded = lf.load(tmp_path / "a.nc")
        assert loaded.design.has_loglik_weights
        if data:
            np.testing.assert_allclose(loaded.log_likelihood(), post.log_likelihood())
