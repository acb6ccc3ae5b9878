"""Generalised fits written to a file and read back."""

import copy
import json
import pickle
import warnings
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import lmmformula as lf
from corpus import dataset
from damage import WRONG, damaged, places
from lmmformula.results.files.fits import checksum


@cache
def frame() -> pd.DataFrame:
    """Responses of many kinds in 12 groups crossed with 5 others, 120 rows."""
    rng = np.random.default_rng(11)
    n, g, h = 120, np.arange(120) % 12, np.arange(120) // 2 % 5
    x, f = rng.normal(size=n), np.array(["a", "b", "c"])[np.arange(n) // 40]
    eta = 0.5 + 0.4 * x + 0.6 * rng.normal(size=12)[g] + 0.4 * rng.normal(size=5)[h]
    mu = np.exp(eta)
    share = np.clip(rng.beta(4 / (1 + np.exp(-eta)), 4 / (1 + np.exp(eta))), 1e-3, 1 - 1e-3)
    count = rng.poisson(mu)
    return pd.DataFrame(
        {
            "x": x, "f": f, "g": [f"g{i}" for i in g], "h": [f"h{i}" for i in h], "e": np.exp(rng.normal(size=n)),
            "w": 1.0 + np.arange(n) % 3, "count": count, "many": rng.poisson(mu * rng.gamma(2.0, 0.5, n)),
            "zeros": count * (rng.random(n) > 0.3), "positive": mu * rng.gamma(3.0, 1 / 3, n), "share": share,
            "heavy": eta + 0.3 * rng.standard_t(4, n), "binary": (rng.random(n) < 1 / (1 + np.exp(-eta))).astype(float),
        }
    )  # fmt: skip


MODELS: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "poisson, crossed, offset": ("count ~ x * f + offset(log(e)) + (1 | g) + (1 | h)", {"family": "poisson"}, {}),
    "poisson, slopes": ("count ~ x + f + (x | g)", {"family": "poisson"}, {}),
    "poisson, slopes apart": ("count ~ x + (x || g)", {"family": "poisson"}, {}),
    "poisson, no groups": ("count ~ x + f", {"family": "poisson"}, {}),
    "binomial, quadrature": ("binary ~ x + (1 | g)", {"family": "binomial"}, {"nagq": 7}),
    "binomial, expected": ("binary ~ scale(x) + (1 | g)", {"family": "binomial(probit)"}, {"curvature": "expected"}),
    "negbinomial": ("many ~ x + (1 | g)", {"family": "negbinomial"}, {}),
    "zero-inflated": ("zeros ~ x + (1 | g)", {"family": "zero_inflated_poisson"}, {}),
    "gamma": ("positive ~ x + (1 | g)", {"family": "Gamma(log)"}, {}),
    "lognormal": ("positive ~ f + (1 | g)", {"family": "lognormal", "weights": "w"}, {}),
    "beta": ("share ~ x + (1 | g)", {"family": "beta"}, {}),
    "student": ("heavy ~ x + f + (1 | g)", {"family": "student"}, {}),
    "gaussian, factors": ("heavy ~ x + (1 | g)", {"loglik_weights": "w"}, {}),
}  # fmt: skip
each = pytest.mark.parametrize("name", MODELS)


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Some of these fits are singular, or have a parameter at infinity."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", lf.FitWarning)
        yield


@cache
def fit_of(name: str) -> lf.GeneralizedMixedFit:
    """Fit a model."""
    formula, options, how = MODELS[name]
    fit = lf.Model(formula, frame(), **options).fit(**how)
    assert isinstance(fit, lf.GeneralizedMixedFit)
    return fit


def reloaded(fit: Any, folder: Path) -> Any:
    """Save a fit and load it."""
    fit.save(folder / "fit.json")
    return lf.load(folder / "fit.json")


TABLES: dict[str, Callable[[Any], object]] = {
    "summary": lambda fit: fit.summary(),
    "report": lambda fit: fit.summary().to_markdown(),
    "print": repr,
    "tidy": lambda fit: fit.tidy(("fixed", "ran_pars", "ran_vals")).to_string(),
    "glance": lambda fit: fit.glance().to_string(),
    "confint": lambda fit: fit.confint(),
    "contrast": lambda fit: fit.contrast(np.eye(len(fit.fixef))),
    "linear hypothesis": lambda fit: fit.linear_hypothesis(np.eye(len(fit.fixef))),
    "anova I": lambda fit: fit.anova(type="I"),
    "anova II": lambda fit: fit.anova(type="II"),
    "anova III": lambda fit: fit.anova(type="III"),
    "varcorr": lambda fit: fit.varcorr.frame.to_string(),
    "family": lambda fit: fit.family_parameters.to_string(),
    "numbers": lambda fit: [fit.aic, fit.bic, fit.nobs, fit.ngroups, fit.df_residual, fit.is_singular, fit.converged],
}


@each
def test_what_needs_no_rows_is_the_same_to_the_character(name: str, tmp_path: Path) -> None:
    """Estimates, tests and tables; effects of groups with their covariances; a second file equals the first."""
    fit = fit_of(name)
    again = reloaded(fit, tmp_path)
    assert isinstance(again, lf.GeneralizedMixedFit)
    assert again.ir == fit.ir
    for label, table in TABLES.items():
        assert str(table(again)) == str(table(fit)), label
    for (group, modes), (_, V) in zip(fit.ranef().items(), fit.ranef(condvar=True)[1].items(), strict=True):
        assert again.ranef()[group].equals(modes)
        np.testing.assert_array_equal(again.ranef(condvar=True)[1][group], V)
    again.save(tmp_path / "again.json")
    assert (tmp_path / "again.json").read_bytes() == (tmp_path / "fit.json").read_bytes()


@each
def test_new_rows_and_marginal_means_are_those_of_the_fit(name: str, tmp_path: Path) -> None:
    """Predictions with bounds, of levels that were seen and of others, on both scales; means and slopes."""
    fit = fit_of(name)
    again = reloaded(fit, tmp_path)
    strangers = frame().head(20).assign(g="nobody", h="nobody")
    for new, random in ((frame(), "conditional"), (frame(), "population"), (strangers, "conditional")):
        for scale in ("response", "link"):
            options = {"random": random, "interval": "confidence", "new_levels": "population", "scale": scale}
            np.testing.assert_allclose(again.predict(new, **options), fit.predict(new, **options), rtol=1e-9)
    for random in ("conditional", "population"):
        mine, theirs = (f.predict(frame().head(5), random=random, interval="prediction") for f in (again, fit))
        np.testing.assert_allclose(mine, theirs, rtol=1e-6)
    for variable in {"x", "f"} & set(fit.schema.columns):
        assert str(again.emmeans(variable, type="response")) == str(fit.emmeans(variable, type="response"))
    if "x" in fit.schema.columns:
        assert str(again.slopes("x")) == str(fit.slopes("x"))


@pytest.mark.parametrize(
    "ask",
    [
        lambda fit: fit.fitted,
        lambda fit: fit.residuals("deviance"),
        lambda fit: fit.simulate(),
        lambda fit: fit.refit(np.arange(120.0)),
        lambda fit: fit.predict(),
        lambda fit: fit.drop1(),
        lambda fit: fit.bootstrap(n=2),
        lambda fit: fit.confint("x", method="profile"),
        lambda fit: fit.augment(),
    ],
)
def test_what_needs_the_rows_says_so(ask: Callable[[Any], object], tmp_path: Path) -> None:
    """Not an attribute error, and no table of NaN."""
    again = reloaded(fit_of("poisson, crossed, offset"), tmp_path)
    with pytest.raises(lf.LmmFormulaError, match="loaded from a file"):
        ask(again)


@pytest.mark.parametrize("how", [lambda fit: pickle.loads(pickle.dumps(fit)), copy.copy, copy.deepcopy])  # noqa: S301
def test_loaded_fits_are_copied(how: Callable[[Any], Any], tmp_path: Path) -> None:
    """Also after an interval has been asked for, which leaves a factor behind."""
    fit = fit_of("poisson, crossed, offset")
    for one in (fit, reloaded(fit, tmp_path)):
        expected = one.predict(frame(), se_fit=True)
        again = how(one)
        assert str(again) == str(fit)
        np.testing.assert_allclose(again.predict(frame(), se_fit=True), expected, rtol=1e-12)


def test_trials_and_data_of_binomial_shares(tmp_path: Path) -> None:
    """Trials come from columns that new rows need not have."""
    formula = "cbind(incidence, size - incidence) ~ period + (1 | herd)"
    fit = lf.glmer(formula, dataset("cbpp"), family="binomial")
    again = reloaded(fit, tmp_path)
    assert again.design.has_weights
    new = {"period": ["1", "2"], "herd": ["1", "2"]}
    np.testing.assert_array_equal(again.predict(new), fit.predict(new))
    rows = dataset("cbpp").head(4)
    np.testing.assert_array_equal(again.predict(rows, interval="prediction"), fit.predict(rows, interval="prediction"))


def test_a_separated_fit_keeps_what_it_does_not_know(tmp_path: Path) -> None:
    """The flat directions are in the file: standard errors stay infinite, tests empty."""
    data = {"y": [0.0, 0, 0, 0, 1, 1, 1, 1] * 3, "x": [0.0, 0, 0, 0, 1, 1, 1, 1] * 3, "g": list("abcdefgh") * 3}
    fit = lf.glmer("y ~ x + (1 | g)", data, family="binomial")
    again = reloaded(fit, tmp_path)
    assert fit.fit.flat.size
    assert str(again) == str(fit)
    assert np.isinf(again.std_errors).tolist() == np.isinf(fit.std_errors).tolist()
    assert str(again.confint()) == str(fit.confint())


def test_the_file_holds_no_rows(tmp_path: Path) -> None:
    """Nothing as long as the data is in the file, working weights included."""
    reloaded(fit_of("binomial, quadrature"), tmp_path)

    def longest(value: object) -> int:
        inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
        return max([len(value) if isinstance(value, list) else 0, *map(longest, inner)])

    assert longest(json.loads((tmp_path / "fit.json").read_text())) < 120


def test_a_laid_out_anew_file_is_the_same(tmp_path: Path) -> None:
    """Another order of the keys changes nothing, the family's parameters among them."""
    fit = fit_of("student")
    reloaded(fit, tmp_path)
    content = json.loads((tmp_path / "fit.json").read_text())
    turned = {name: dict(reversed(part.items())) if name == "fit" else part for name, part in content.items()}
    turned["fit"]["parameters"] = dict(reversed(content["fit"]["parameters"].items()))
    (tmp_path / "fit.json").write_text(json.dumps(turned))
    assert str(lf.load(tmp_path / "fit.json")) == str(fit)


ASK: list[Callable[[Any], object]] = [
    *TABLES.values(),
    lambda fit: fit.ranef(condvar=True),
    lambda fit: fit.predict(frame().head(3), interval="confidence"),
    lambda fit: fit.predict(frame().head(3), random="population"),
    lambda fit: fit.emmeans("x"),
]


@pytest.mark.parametrize("name", ["poisson, crossed, offset", "zero-inflated", "student", "binomial, quadrature"])
def test_a_damaged_file_is_refused_at_once(name: str, tmp_path: Path) -> None:
    """Though its checksum is right: what is loaded answers, or says what it lacks."""
    path = tmp_path / "fit.json"
    fit_of(name).save(path)
    content = json.loads(path.read_text())
    del content["checksum"]
    everything = [(where, i) for where in places(content) for i in range(len(WRONG))]
    of_fit = [case for case in everything if case[0][0] in ("fit", "version", "kept")]
    rng, refused = np.random.default_rng(2), 0
    for c in rng.choice(len(of_fit), 120, replace=False):
        where, i = of_fit[c]
        wrong = damaged(content, where, WRONG[i])
        try:
            path.write_text(json.dumps(wrong | {"checksum": checksum(wrong)}))
        except (TypeError, ValueError):  # no JSON
            continue
        try:
            found = lf.load(path)
        except lf.FitError:
            refused += 1
            continue
        with np.errstate(all="ignore"):
            for ask in ASK:
                try:
                    ask(found)
                except lf.LmmFormulaError:
                    continue
                except Exception as error:
                    raise AssertionError(f"{where}: {error!r}") from error
    assert refused > 60


CRAFTED: dict[str, Callable[[dict[str, Any]], object]] = {
    "a family without a fit": lambda c: c["model"]["family"].update(name="cumulative", link="logit"),
    "the other version": lambda c: c.update(version=1),
    "a shape that is negative": lambda c: c["fit"]["parameters"].update(shape=-1.0),
    "a shape that is no number": lambda c: c["fit"]["parameters"].update(shape=float("nan")),
    "another family's parameter": lambda c: c["fit"]["parameters"].update(phi=1.0),
    "no nodes": lambda c: c["fit"].update(nagq=0),
    "a direction too long": lambda c: c["fit"].update(flat=[[0.0, 0, 0]] * 2),
    "modes of another level": lambda c: c["fit"]["mode_covariances"][0].append([[1.0]]),
    "what is known of a gaussian model": lambda c: c["kept"].update(
        variance={name: {"shape": [0], "numbers": []} for name in ("values", "gradient", "hessian", "vcov")}
    ),
    "a shape that asks for all memory": lambda c: c["kept"]["modes"]["W"].update(shape=[2**40, 2**40]),
}


@pytest.mark.parametrize("what", CRAFTED)
def test_what_was_crafted_is_refused(what: str, tmp_path: Path) -> None:
    """Parts that are well-formed each, and don't fit the model."""
    path = tmp_path / "fit.json"
    fit_of("negbinomial").save(path)
    content = json.loads(path.read_text())
    del content["checksum"]
    CRAFTED[what](content)
    path.write_text(json.dumps(content | {"checksum": checksum(content)}))
    with pytest.raises(lf.FitError, match="is damaged"):
        lf.load(path)
