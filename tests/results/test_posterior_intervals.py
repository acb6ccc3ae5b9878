"""Intervals of a posterior, under the labels of its summary."""

import warnings
from typing import Any

import numpy as np
import pytest

import lmmformula as lf
import programs
from corpus import dataset
from fits import fit_of, posterior_of
from lmmformula.results.posteriors.intervals import bounds

pytestmark = pytest.mark.filterwarnings("ignore::lmmformula.SamplingWarning")
"""Few draws are enough for what is tested here."""

SLEEPSTUDY = "lmm-003r"


def test_all_parameters_have_intervals() -> None:
    """Those of the summary, with its means, and the quantiles that were asked for."""
    posterior = posterior_of(SLEEPSTUDY)
    found, table = posterior.confint(level=0.9).frame, posterior.summary()
    assert list(found.index) == list(table.index)
    assert list(found.columns) == list(fit_of(SLEEPSTUDY).confint().frame.columns)
    np.testing.assert_allclose(found, table[["mean", "q5", "q95"]])


def test_words_are_those_of_a_fit() -> None:
    """Words, labels, and several of them, each once."""
    posterior, fit = posterior_of(SLEEPSTUDY), fit_of(SLEEPSTUDY)
    for wanted in ("fixed", "ran_pars", "sigma", ["Days", "sd[Subject, Days]"], ["sigma", "ran_pars"]):
        assert set(posterior.confint(wanted).labels) == set(fit.confint(wanted).labels)
    assert posterior.confint(["sigma", "sigma", "fixed"]).labels == ("sigma", "(Intercept)", "Days")
    assert posterior.confint("family").labels == ()


def test_effects_of_levels_have_intervals() -> None:
    """Means are those of `ranef()` and `coef()`; the coefficients' are narrower than their parts would add up to."""
    posterior = posterior_of(SLEEPSTUDY)
    random, whole = posterior.confint("ran_vals").frame, posterior.confint("coef").frame
    assert len(random) == len(whole) == 36
    for frame, effects, word in ((random, posterior.ranef(), "random"), (whole, posterior.coef(), "coef")):
        own = effects["Subject"].loc["308", "Days"]
        assert frame.loc[f"{word}[Subject, 308, Days]", "estimate"] == pytest.approx(own)
    one = posterior.confint("coef[Subject, 308, Days]")
    assert one["coef[Subject, 308, Days]"] == tuple(whole.loc["coef[Subject, 308, Days]", ["conf_low", "conf_high"]])


def test_coefficients_of_several_terms() -> None:
    """As `coef()` lays them out: two terms of one factor, crossed factors, an effect without a fixed counterpart."""
    model = lf.Model("y ~ x + (x || a) + (0 + z | a) + (1 | b)", programs.frame("small"))
    posterior = model.sample(seed=1, draws=50, warmup=100, chains=1, progress=False)
    found = posterior.confint("coef").frame["estimate"]
    for group, frame in posterior.coef().items():
        for level in frame.index:
            for name in frame.columns:
                assert found[f"coef[{group}, {level}, {name}]"] == pytest.approx(frame.loc[level, name])
    assert lf.Model("Reaction ~ Days", dataset("sleepstudy")).sample(
        seed=1, draws=20, chains=1, progress=False
    ).confint("coef").labels == ()  # fmt: skip


def test_shortest_intervals() -> None:
    """They hold their share of the draws, are no longer than those of quantiles, and ArviZ has the same."""
    posterior = posterior_of(SLEEPSTUDY)
    shortest, tails = posterior.confint(method="hdi", level=0.8), posterior.confint(level=0.8)
    assert ((shortest.high - shortest.low) <= (tails.high - tails.low) * (1 + 1e-3)).all()
    draws = posterior.draws_frame().to_numpy()
    share = ((draws >= shortest.low) & (draws <= shortest.high)).mean(axis=0)
    np.testing.assert_allclose(share, 0.8, atol=0.002)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        arviz = pytest.importorskip("arviz")
    if not hasattr(arviz, "hdi") or int(arviz.__version__[0]) > 0:
        return
    theirs = arviz.hdi(posterior.draws.sigma.ravel(), hdi_prob=0.8)
    np.testing.assert_allclose(shortest["sigma"], theirs)
    assert "highest posterior density" in str(shortest)


def test_bounds_of_known_draws() -> None:
    """Of a skewed sample the shortest interval starts at its end."""
    draws = np.arange(1000.0)[:, None] ** 2
    assert bounds(draws, "hdi", 0.5).ravel().tolist() == [0.0, 500.0**2]


@pytest.mark.parametrize("name", ["negbinomial", "zero_inflated_negbinomial", "student", "cumulative"])
def test_parameters_of_a_family_have_intervals(name: str) -> None:
    """By their word, and by their label."""
    case = programs.FAMILIES[name]
    model = lf.Model(case.text, programs.frame(case.data), family=case.family)
    posterior = model.sample(seed=1, draws=20, warmup=50, chains=1, progress=False)
    own = [name for name in posterior.draws.own if name != "sigma"]
    labels = posterior.confint("family").labels
    assert len(labels) == sum(int(np.prod(posterior.draws.own[name].shape[2:])) for name in own)
    assert posterior.confint(labels[0]).labels == labels[:1]


BAD: dict[str, tuple[tuple[Any, ...], dict[str, Any], str]] = {
    "label": (("Dayz",), {}, "no parameter 'Dayz'"),
    "number": ((3,), {}, "named by text"),
    "numbers": (([1, 2],), {}, "named by text"),
    "level of a group": (("random[Subject, 1, Days]",), {}, "no parameter"),
    "level": ((), {"level": 95}, "not between 0 and 1"),
    "level of text": ((), {"level": "a"}, "not between 0 and 1"),
    "nan": ((), {"level": float("nan")}, "not between 0 and 1"),
    "method": ((), {"method": "profile"}, "the methods are: quantile, hdi"),
    "method of no text": ((), {"method": [1]}, "the methods are: quantile, hdi"),
}


@pytest.mark.parametrize("case", BAD)
def test_wrong_requests_are_refused(case: str) -> None:
    """With what there is."""
    arguments, options, message = BAD[case]
    with pytest.raises(lf.FitError, match=message):
        posterior_of(SLEEPSTUDY).confint(*arguments, **options)
