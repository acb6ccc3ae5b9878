"""Ordinal responses: what can be one, what it is called, and what a posterior of one gives."""

from functools import cache

import numpy as np
import pandas as pd
import polars as pl
import pytest

import lmmformula as lf
from lmmformula.ir.family import Family
from lmmformula.results.families import category_probability, draw_from, mean_of

pytestmark = pytest.mark.filterwarnings("ignore::lmmformula.SamplingWarning")

CATEGORIES = ("poor", "fair", "good", "best")
BETWEEN = ("poor|fair", "fair|good", "good|best")
CUTPOINTS = np.array([0.5, 1.8, 3.5])
LINKS = ("logit", "probit", "cloglog")
each_link = pytest.mark.parametrize("link", LINKS)


@cache
def ratings(n: int = 500) -> pd.DataFrame:
    """Draw ratings from a model with a slope of 0.7 and a standard deviation of 0.8 between groups."""
    rng = np.random.default_rng(4)
    x, g = rng.normal(3.0, 2.0, n), rng.integers(0, 25, n)
    latent = 0.7 * x + rng.normal(0.0, 0.8, 25)[g] + rng.logistic(size=n)
    rating = pd.Categorical.from_codes(np.digitize(latent, CUTPOINTS), CATEGORIES, ordered=True)
    return pd.DataFrame({"x": x, "g": g, "rating": rating})


@cache
def posterior() -> lf.Posterior:
    """Return the posterior of the model of these ratings."""
    model = lf.Model("rating ~ x + (1 | g)", ratings(), family="cumulative")
    return model.sample(seed=1, warmup=500, draws=500, progress=False)


# --- responses ------------------------------------------------------------------------------------------------------


def small(**columns: object) -> pd.DataFrame:
    """Return nine rows with x, and other columns."""
    return pd.DataFrame({"x": np.arange(9) % 4.0} | columns)


TEXT = ["lo", "mid", "hi"] * 3
ORDER = ["lo", "mid", "hi"]
ACCEPTED = {
    "an ordered categorical": ("y", small(y=pd.Categorical(TEXT, ORDER, ordered=True)), ORDER),
    "text put in order": ('ordered(y, levels = c("lo", "mid", "hi"))', small(y=TEXT), ORDER),
    "whole numbers": ("y", small(y=[1, 2, 3] * 3), ["1", "2", "3"]),
    "floats that are whole": ("y", small(y=[1.0, 2.0, 3.0] * 3), ["1", "2", "3"]),
    "numbers put in order": ("ordered(y)", small(y=[10, 20, 50] * 3), ["10", "20", "50"]),
    "whole numbers of polars": ("y", pl.DataFrame({"x": [0.0, 1.0, 2.0], "y": [3, 1, 2]}), ["1", "2", "3"]),
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_responses_with_an_order_are_read(name: str) -> None:
    """Categories in their order, numbered from 1, with no intercept beside their cutpoints."""
    response, data, categories = ACCEPTED[name]
    design = lf.Model(f"{response} ~ x", data, family="cumulative").design
    assert list(design.categories) == categories
    assert design.fixed_names == ("x",)
    assert set(design.y) == {1.0, 2.0, 3.0}


@pytest.mark.parametrize(
    "data",
    [
        small(y=pd.Categorical(TEXT, ORDER)),
        pl.DataFrame({"x": [0.0, 1.0, 2.0], "y": ORDER}).with_columns(pl.col("y").cast(pl.Enum(ORDER))),
    ],
    ids=["pandas", "polars"],
)
def test_factors_without_an_order_are_read_with_a_warning(data: object) -> None:
    """Levels are taken in the order that they were given, and that order is said."""
    with pytest.warns(lf.FitWarning, match="read as lo < mid < hi"):
        model = lf.Model("y ~ x", data, family="cumulative")
    assert model.design.categories == tuple(ORDER)


REFUSED = {
    "y ~ x": (small(y=TEXT), "holds text, whose categories have no order"),
    "y ~ x + 1": (small(y=pd.Categorical(TEXT, [*ORDER, "top"], ordered=True)), "no row used has the category top"),
    "y ~ 1": (small(y=["no", "yes", "no"] * 3).astype({"y": "category"}), "has 2 categories"),
    "(y) ~ x": (small(y=[True, False, True] * 3), "has 2 categories"),
    "I(y) ~ x": (small(y=[0, 1, 2] * 3), "whole numbers from 1, or a factor .*: 3 values are not, the first is 0"),
    "I(2*y) ~ x": (small(y=[0.5, 1.0, 1.75] * 3), "the first is 3.5"),
    "y ~ I(x)": (small(y=[1, 2, 4] * 3), "no row used has the category 3"),
    "y ~ I(2*x)": (small(y=[1000, 2000, 3000] * 3), "must be numbered 1, 2, 3, ..., but there is a 3000 in 9 rows"),
    "y ~ I(3*x)": (small(y=pd.date_range("2020-01-01", periods=9)), "holds dates"),
    "cbind(y, x) ~ 1": (small(y=[1, 2, 3] * 3), "has two columns"),
    "y/x ~ 1": (small(y=[1, 2, 3] * 3), "has two columns"),
    "poly(y, 2) ~ 1": (small(y=[1, 2, 3] * 3), "has several columns"),
    "y ~ 0 + x": (small(y=[1, 2, 3] * 3), "cutpoints in the place of its intercept"),
    "y ~ 0": (small(y=[1, 2, 3] * 3), "(?s)cutpoints in the place of its intercept.*write y ~ 1"),
    "y ~ x - 1": (small(y=[1, 2, 3] * 3), "cutpoints in the place of its intercept"),
}


@pytest.mark.parametrize("formula", REFUSED)
def test_other_responses_are_refused(formula: str) -> None:
    """Text without an order, two categories, empty ones, other numbers, dates, and a formula without its intercept."""
    data, message = REFUSED[formula]
    with pytest.raises(lf.DataError, match=message):
        lf.Model(formula, data, family="cumulative")


def test_rows_with_a_missing_category_are_left_out() -> None:
    """A missing category drops its row, and is counted."""
    data = small(y=pd.Categorical(["lo", "mid", None, "hi", "lo", "mid", "hi", "lo", None], ORDER, ordered=True))
    design = lf.Model("y ~ x", data, family="cumulative").design
    assert (design.nobs, design.missing) == (7, {"y": 2})


def test_contrasts_are_those_beside_an_intercept() -> None:
    """Factors have treatment contrasts, dependent columns are dropped, and terms keep their numbers."""
    data = small(y=[1, 2, 3] * 3, f=list("aabbccabc"))
    with pytest.warns(lf.FitWarning, match="linearly dependent"):
        design = lf.Model("y ~ x + I(2*x) + f", data, family="cumulative").design
    assert design.fixed_names == ("x", "fb", "fc")
    assert design.fixed_assign == (1, 3, 3)
    assert design.dropped_names == ("I(2 * x)",)


# --- the model in words ---------------------------------------------------------------------------------------------


def test_the_model_is_said_in_maths() -> None:
    """Cutpoints stand on the right-hand side, and no intercept among the effects."""
    model = lf.Model("rating ~ x + (1 | g)", ratings(), family="cumulative(probit)")
    assert "probit(P(rating ≤ k)) = cutpoint[k] - (β1·x + b1[g])" in str(model.explain())
    assert r"\gamma_k - \left(\beta_{1}" in model.ir.latex()
    assert "cutpoint[k]\n" in str(lf.Model("rating ~ 1", ratings(), family="cumulative").explain()) + "\n"


@pytest.mark.parametrize(
    ("statement", "given"),
    [
        ("Intercept ~ normal(0, 2)", [True, True, True]),
        ("cutpoint ~ normal(0, 2)", [True, True, True]),
        ("cutpoint[2] ~ normal(0, 2)", [False, True, False]),
        ("cutpoint[fair|good] ~ normal(0, 2)", [False, True, False]),
        ('cutpoint["good|best"] ~ logistic(0, 2)', [False, False, True]),
    ],
)
def test_priors_of_cutpoints(statement: str, given: list[bool]) -> None:
    """All cutpoints at once, as `Intercept` or by their own name; or one, by its number or its name."""
    model = lf.Model(f"rating ~ x\n{statement}", ratings(), family="cumulative")
    rows = model.stan().priors[:3]
    assert [row.target for row in rows] == [f"cutpoint[{name}]" for name in BETWEEN]
    assert [not row.default for row in rows] == given


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("cutpoint ~ uniform(0, 1)", "lies between its neighbours"),
        ("cutpoint ~ exponential(1)", "can be negative"),
        ("cutpoint[4] ~ normal(0, 1)", "no parameter 'cutpoint\\[4\\]'"),
        ("sigma ~ exponential(1)", "it has cutpoint\\[poor|fair\\]"),
    ],
)
def test_priors_that_cutpoints_can_not_have(statement: str, message: str) -> None:
    """Bounds, positive distributions, a cutpoint too many, and parameters of other families."""
    with pytest.raises(lf.FormulaError, match=message):
        lf.Model(f"rating ~ x\n{statement}", ratings(), family="cumulative").stan()


@each_link
def test_default_priors_stand_where_the_categories_are(link: str) -> None:
    """At each cutpoint's prior location the link's inverse is the share of the categories below it, nearly."""
    from lmmformula.families.calculus.links import LINKS

    model = lf.Model("rating ~ x", ratings(), family=f"cumulative({link})")
    locations = model.stan().data["prior_cutpoint_location"]
    shares = [np.mean(model.design.y <= k) for k in (1, 2, 3)]
    np.testing.assert_allclose(LINKS[link].inverse(locations), shares, atol=0.002)


# --- results --------------------------------------------------------------------------------------------------------


@each_link
def test_probabilities_of_categories(link: str) -> None:
    """They add up to 1, have the mean that is said, and are the shares of draws."""
    family, own, eta = Family("cumulative", link), {"cutpoint": CUTPOINTS}, np.array([-800.0, -2.0, 1.0, 2.5, 800.0])
    chances = np.array([category_probability(family, eta, own, k) for k in (1, 2, 3, 4)])
    np.testing.assert_allclose(chances.sum(axis=0), 1.0)
    np.testing.assert_allclose(np.arange(1, 5) @ chances, mean_of(family, eta, own))
    assert chances[0, 0] == chances[3, -1] == 1.0
    drawn = draw_from(family, np.full(20_000, 1.0), own, np.random.default_rng(1))
    shares = np.array([np.mean(drawn == k) for k in (1, 2, 3, 4)])
    assert np.abs(shares - chances[:, 2]).max() < 4 * np.sqrt(0.25 / 20_000)


def test_what_the_data_were_made_from_is_found() -> None:
    """Slope, standard deviation and cutpoints within 4 posterior standard deviations of the truth, and not far off."""
    found = posterior().summary()
    truth = {"x": 0.7, "sd[g, (Intercept)]": 0.8} | dict(zip(BETWEEN, CUTPOINTS, strict=True))
    assert list(found.index) == list(truth)
    assert posterior().diagnostics().divergent == 0
    assert (np.abs(found["mean"] - pd.Series(truth)) < 4 * found.sd).all()
    assert found.sd.max() < 0.4


@cache
def of_two_factors() -> lf.Posterior:
    """Return a posterior with two factors beside x."""
    data = ratings().assign(f=lambda d: np.where(d["x"] % 1 < 0.3, "a", "b"), h=lambda d: d["g"] % 3)
    model = lf.Model("rating ~ f + factor(h) + x + (1 | g)", data, family="cumulative")
    return model.sample(seed=1, warmup=200, draws=100, chains=2, progress=False)


@pytest.mark.parametrize("kind", ["prob", "response"])
def test_marginal_probabilities_are_averages_of_predictions(kind: str) -> None:
    """A row for each category: means, deviations and quantiles of the draws of predictions, averaged over h alike."""
    found = of_two_factors()
    means = found.emmeans("f", type=kind)
    assert list(means["f"]) == ["a"] * 4 + ["b"] * 4
    assert list(means["rating"]) == [*CATEGORIES, *CATEGORIES]
    x = ratings()["x"].mean()
    for level in "ab":
        rows = {"f": [level] * 3, "h": [0, 1, 2], "x": [x] * 3, "g": [1] * 3}
        expected = found.predict(rows, random="population").mean()
        np.testing.assert_allclose(means.frame.loc[means["f"] == level, "mean"], expected, rtol=1e-12)
    np.testing.assert_allclose(means.draws.reshape(-1, 2, 4).sum(axis=2), 1.0)
    np.testing.assert_allclose(means["sd"], means.draws.std(axis=0, ddof=1))
    pairs = means.pairs(level=0.9)
    assert list(pairs["rating"]) == list(CATEGORIES)
    np.testing.assert_allclose(pairs["mean"], (means.draws[:, :4] - means.draws[:, 4:]).mean(axis=0))
    assert pairs["mean"].sum() == pytest.approx(0.0, abs=1e-12)


def test_the_mean_category_is_that_of_the_probabilities() -> None:
    """Its numbers are 1, 2, ..; comparisons stay within `by`."""
    found = of_two_factors()
    means, chances = (found.emmeans("~ f | h", type=kind) for kind in ("mean.class", "prob"))
    np.testing.assert_allclose(means.draws, chances.draws.reshape(len(chances.draws), -1, 4) @ [1, 2, 3, 4])
    np.testing.assert_allclose(means["mean"], means.draws.mean(axis=0))
    pairs = means.pairs()
    assert list(pairs["contrast"]) == ["a - b"] * 3
    assert "p_above" in pairs.frame
    latent = found.emmeans("f")
    np.testing.assert_allclose(latent.pairs()["mean"], -found.fixef["fb"])


def test_predictions_are_probabilities() -> None:
    """A column for each category; standard errors and bounds in groups of columns; draws agree with them."""
    found, data = posterior(), ratings()
    chances = found.predict()
    assert tuple(chances.columns) == CATEGORIES
    np.testing.assert_allclose(chances.sum(axis=1), 1.0)
    np.testing.assert_allclose(chances @ [1, 2, 3, 4], found.fitted)
    np.testing.assert_allclose(found.predict(data), chances)
    bounds = found.predict(data.head(3), interval="confidence")
    assert tuple(bounds["best"].columns) == ("prediction", "std_error", "conf_low", "conf_high")
    assert (bounds["best"].conf_low < bounds["best"].prediction).all()
    assert found.predict(scale="link").ndim == 1
    with pytest.raises(lf.FitError, match="has no interval"):
        found.predict(interval="prediction")
    replicated = found.posterior_predictive(seed=1)
    shares = np.array([np.mean(replicated == k) for k in (1, 2, 3, 4)])
    np.testing.assert_allclose(shares, chances.mean(), atol=0.005)
    new = found.predict(data.head(2).assign(g=999), new_levels="population")
    np.testing.assert_allclose(new.sum(axis=1), 1.0)


def test_cutpoints_are_named_by_their_categories() -> None:
    """In the printed summary, the frames of draws and the data set for ArviZ."""
    found = posterior()
    assert "Standard deviations and correlations; cutpoints:" in str(found)
    assert list(found.draws_frame().columns)[-3:] == list(BETWEEN)
    assert np.all(np.diff(found.draws.family["cutpoint"], axis=-1) > 0)
    assert found.fixef.index.tolist() == ["x"]
    assert np.isnan(found.sigma)


def test_fits_and_weights_are_refused() -> None:
    """There is no frequentist fit of the family, and weights mean nothing in it."""
    with pytest.raises(lf.FitError, match="cumulative"):
        lf.Model("rating ~ x + (1 | g)", ratings(), family="cumulative").fit()
    with pytest.raises(lf.FitError, match="weights have no meaning"):
        lf.Model("rating ~ x", ratings().assign(w=2.0), family="cumulative", weights="w").stan()


@pytest.mark.filterwarnings("ignore::lmmformula.SamplingWarning")
def test_the_prior_gives_every_category() -> None:
    """Draws from the prior predictive distribution are categories, each of them at times."""
    model = lf.Model("rating ~ x + (1 | g)", ratings(), family="ordinal")
    prior = model.sample_prior(seed=1, chains=2, draws=200, progress=False)
    assert set(np.unique(prior.posterior_predictive(seed=1, draws=50))) == {1.0, 2.0, 3.0, 4.0}


def test_the_mode_has_cutpoints() -> None:
    """The posterior mode is printed with its cutpoints, near the posterior means of a model without groups."""
    model = lf.Model("rating ~ x", ratings(), family="cumulative")
    mode = model.optimize(seed=1)
    assert "Cutpoints:\npoor|fair  fair|good  good|best" in str(mode)
    cutpoints = mode.point.draws.family["cutpoint"][0, 0]
    shares = [(model.design.y <= k).mean() for k in (1, 2, 3)]
    above = np.exp(cutpoints[:, None] - float(mode.fixef["x"]) * ratings().x.to_numpy())
    np.testing.assert_allclose((above / (1 + above)).mean(axis=1), shares, atol=0.02)


@pytest.mark.parametrize(
    "names",
    [["a\nb */ }", "// \u2028 {", "温度"], [f"category number {k} of many" for k in range(40)], ["|", "||", "|||"]],
    ids=["hostile", "many", "bars"],
)
def test_any_names_of_categories_make_a_program(names: list[str]) -> None:
    """Names that would end a comment, forty of them, or bars: Stan accepts the program, and its lines are short."""
    import stanli

    codes = np.arange(200) % len(names)
    data = pd.DataFrame({"x": np.sin(codes), "y": pd.Categorical.from_codes(codes, names, ordered=True)})
    program = lf.Model("y ~ x", data, family="cumulative").stan(log_lik=True, y_rep=True)
    assert stanli.stan_to_mir(program.code)
    assert max(map(len, program.code.splitlines())) <= 80
    assert len({row.target for row in program.priors}) == len(names)
