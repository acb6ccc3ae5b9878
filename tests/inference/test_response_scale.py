"""Marginal means on the scale of the response: against emmeans', and by what the transformations are."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import lmmformula as lf
from corpus import dataset
from fits import posterior_of
from lmmformula.inference.means.estimators import Bayesian, Comparison
from lmmformula.inference.means.response_scale import INVERSES, response_scale
from lmmformula.ir.family import Family

NUMBERS = {"log(weight)": ([6.37, 6.02, 6.03], [0.186, 0.176, 0.212], [6.00, 5.67, 5.60])}
NUMBERS["sqrt(weight)"] = ([6.40, 6.04, 6.05], [0.185, 0.181, 0.217], [6.02, 5.67, 5.61])
"""`emmeans(lmer(.. ~ Treatment + sex + (1 | Litter), RatPupWeight), ~ Treatment, type = "response")`, emmeans 1.8.4."""

RATIOS = ([1.06, 1.06, 1.00], [0.0437, 0.0483, 0.0458], [0.953, 0.943, 0.891], [0.3810, 0.4539, 1.0000])
"""`pairs(.., infer = TRUE)` of the first, and of log10(weight), too."""


def means_of(response: str) -> Any:
    """Return marginal means of litters' treatments on the scale of the response."""
    fit = lf.lmer(f"{response} ~ Treatment + sex + (1 | Litter)", dataset("RatPupWeight"))
    return fit.emmeans("Treatment", ddf="satterthwaite", type="response")


@pytest.mark.parametrize("response", NUMBERS)
def test_means_are_those_of_emmeans(response: str) -> None:
    """Mean, standard error by the delta method, and bound, as R prints them."""
    table = means_of(response)
    for name, expected in zip(("response", "std_error", "conf_low"), NUMBERS[response], strict=True):
        np.testing.assert_allclose(table[name], expected, atol=0.0051 if name != "std_error" else 0.00051)
    assert "taken back from the scale" in str(table)


@pytest.mark.parametrize("response", ["log(weight)", "log10(weight)", "log2(weight)"])
def test_differences_of_logarithms_are_ratios(response: str) -> None:
    """Whatever the base: ratio, standard error, bounds and probability of emmeans."""
    table = means_of(response).pairs(level=0.95)
    for name, expected in zip(("ratio", "std_error", "conf_low", "p_value"), RATIOS, strict=True):
        np.testing.assert_allclose(table[name], expected, atol={"ratio": 0.0051, "p_value": 6e-5}.get(name, 6e-4))
    assert table["contrast"].iloc[0] == "Control / Low"
    assert table.title.startswith("Pairwise ratios")


def test_other_differences_stay_on_the_scale_of_the_model() -> None:
    """There is no ratio in a difference of roots, and the table says so."""
    table = means_of("sqrt(weight)").pairs()
    assert "differences on the scale of sqrt(weight)" in str(table)
    assert table["contrast"].iloc[0] == "Control - Low"


def test_bounds_stay_in_order() -> None:
    """Of a decreasing function the lower bound comes from the upper one."""
    table = means_of("I(1/weight)")
    assert (table["conf_low"] < table["response"]).all()
    assert (table["response"] < table["conf_high"]).all()


@pytest.mark.parametrize(
    ("response", "value"),
    {
        "log(y + 1)": np.log(4.0),
        "log1p(y)": np.log(4.0),
        "I(y / 2)": 1.5,
        "2 * sqrt(y)": 2 * np.sqrt(3.0),
        "1/y": 1 / 3,
        "I(y^2)": 9.0,
        "exp(y - 1)": np.exp(2.0),
        "log(1/y)": np.log(1 / 3),
    }.items(),
)
def test_transformations_are_undone(response: str, value: float) -> None:
    """What becomes of 3 goes back to 3, with the derivative of that."""
    scale = response_scale(lf.parse(f"{response} ~ x + (1 | g)"))
    assert scale is not None
    z = np.array([value, value + 1e-6])
    back = scale.back(z)
    assert back[0] == pytest.approx(3.0)
    assert scale.slope(z[:1])[0] == pytest.approx((back[1] - back[0]) / 1e-6, rel=1e-4)


@pytest.mark.parametrize("name", INVERSES)
def test_derivatives_are_those_of_the_inverses(name: str) -> None:
    """Against difference quotients."""
    back, slope = INVERSES[name]
    z = np.array([0.3, 0.7])
    quotient = (back(z + 1e-6) - back(z - 1e-6)) / 2e-6
    np.testing.assert_allclose(slope(z), quotient, rtol=1e-6)


def test_the_response_itself_needs_no_way_back() -> None:
    """`type="response"` is then the same as the other."""
    fit = lf.lmer("effort ~ Type + (1 | Subject)", dataset("ergoStool"))
    assert fit.emmeans("Type", type="response").frame.equals(fit.emmeans("Type").frame)
    assert response_scale(lf.parse("I(y) ~ x + (1 | g)")) is None


@pytest.mark.parametrize("response", ["sin(y)", "y * z", "round(y, 1)"])
def test_where_there_is_no_way_back(response: str) -> None:
    """It is said, with what to leave."""
    with pytest.raises(lf.FitError, match="no way back"):
        response_scale(lf.parse(f"I({response}) ~ x + (1 | g)"))


@pytest.mark.parametrize("link", ["log", "logit", "probit", "cloglog", "inverse"])
def test_links_are_undone(link: str) -> None:
    """Of a family's mean; differences of logits are odds ratios."""
    model = replace(lf.parse("cbind(a, b) ~ x + (1 | g)"), family=Family("binomial", link))
    scale = response_scale(model)
    assert scale is not None
    assert scale.name == link
    assert scale.ratio == {"log": "ratio", "logit": "odds_ratio"}.get(link, "")
    with pytest.raises(lf.FitError, match="no way back from the link odd"):
        response_scale(replace(model, family=Family("binomial", "odd")))


def test_draws_are_taken_back() -> None:
    """Mean and quantiles of the response's draws, not the response of their mean; ratios above one are counted."""
    scale = response_scale(lf.parse("log(y) ~ x + (1 | g)"))
    drawn = np.random.default_rng(1).normal(size=(500, 2))
    estimator, rows, nothing = Bayesian(drawn), np.eye(2), np.zeros(2)
    found = estimator.estimates(rows, nothing, name="response", level=0.9, scale=scale)
    np.testing.assert_allclose(found["mean"], np.exp(drawn).mean(axis=0))
    np.testing.assert_allclose(found["q95"], np.quantile(np.exp(drawn), 0.95, axis=0))
    families = np.array([[0, 2]])
    pair = estimator.differences(np.array([[1.0, -1.0]]), nothing[:1], Comparison(families, "none", None, scale))
    np.testing.assert_allclose(pair["mean"], np.exp(drawn[:, 0] - drawn[:, 1]).mean())
    np.testing.assert_allclose(pair["p_above"], (drawn[:, 0] > drawn[:, 1]).mean())


def test_a_posterior_has_the_same_argument() -> None:
    """Of a response that is not transformed nothing is taken back."""
    posterior = posterior_of("lmm-049r")
    np.testing.assert_array_equal(posterior.emmeans("Type").draws, posterior.emmeans("Type", type="response").draws)
