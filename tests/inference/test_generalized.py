"""Tests, marginal means, slopes and deletions of generalised models against R's; the bootstrap; what is refused."""

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chi2

import lmmformula as lf
from corpus import dataset, record
from lmmformula.fit.glmm import GlmmFit

CBPP = "cbind(incidence, size - incidence) ~ period + (1 | herd)"
MODELS = {
    "poisson_crossed": ("TICKS ~ cHEIGHT + YEAR * HIGH + (1 | BROOD)", "poisson"),
    "poisson_sloped": ("TICKS ~ cHEIGHT * YEAR + (1 | BROOD)", "poisson"),
    "binomial": (CBPP, "binomial"),
}
CLOSE = {"rtol": 1e-4, "atol": 1e-7}
"""lme4's optimiser stops where the criterion of poisson_crossed is 1e-5 above our least."""


@cache
def fit_of(name: str) -> lf.GeneralizedMixedFit:
    """Return a fit with the covariance of the fixed effects that R's numbers rest on: that for known theta."""
    formula, family = MODELS[name]
    data = dataset("cbpp" if name == "binomial" else "grouseticks")
    if "HIGH" in formula:
        data = data.assign(HIGH=np.where(data["cHEIGHT"] > 0, "yes", "no"))
    fit = lf.glmer(formula, data, family=family)
    assert isinstance(fit, lf.GeneralizedMixedFit)
    return replace(fit, fit=replace(fit.fit, vcov=fit.fit.vcov_conditional))


def numbers(table: dict[str, Any], name: str) -> np.ndarray:
    """Return a column of R's table."""
    return np.array([np.nan if x is None else np.inf if x == "Inf" else x for x in np.atleast_1d(table[name])], float)


def known(name: str, table: str) -> dict[str, Any]:
    """Return a table of a record."""
    found: dict[str, Any] = record("glmm_inference", name)[table]
    return found


@pytest.mark.parametrize("name", MODELS)
def test_the_fits_are_those_of_the_records(name: str) -> None:
    """Estimates and standard errors."""
    about, fit = record("glmm_inference", name), fit_of(name)
    np.testing.assert_allclose(fit.fixef, about["fixef"], **CLOSE)
    np.testing.assert_allclose(fit.std_errors, about["se"], **CLOSE)


@pytest.mark.parametrize("kind", ["I", "II"])
@pytest.mark.parametrize("name", MODELS)
def test_sequential_and_marginal_tests(name: str, kind: Any) -> None:
    """A term and those above it together, less those above it: car's type II; all later ones above it: type I."""
    table, wald = fit_of(name).anova(type=kind), known(name, f"type_{kind}")
    assert table.frame.index.tolist() == list(np.atleast_1d(wald["term"]))
    np.testing.assert_allclose(table["chisq"], numbers(wald, "chisq"), **CLOSE)
    assert table["df"].tolist() == wald["df"]
    np.testing.assert_allclose(table["p_value"], chi2.sf(numbers(wald, "chisq"), wald["df"]), rtol=1e-3)


@pytest.mark.parametrize("name", ["poisson_crossed", "binomial"])
def test_averaged_tests_are_those_of_joint_tests(name: str) -> None:
    """Type III of emmeans' `joint_tests`, whatever the contrasts; `lf.anova` gives them by default."""
    joint = known(name, "joint_tests")
    table = lf.anova(fit_of(name))  # type: ignore[arg-type]
    np.testing.assert_allclose(table["p_value"], numbers(joint, "p.value"), rtol=1e-3)
    assert table["df"].tolist() == joint["df1"]
    assert table.title == "Type III analysis of variance, Wald's chi-squared tests"


def test_averaged_tests_do_not_depend_on_contrasts() -> None:
    """Sums to zero give what treatment contrasts give."""
    data = dataset("grouseticks").assign(HIGH=np.where(dataset("grouseticks")["cHEIGHT"] > 0, "yes", "no"))
    formula, family = MODELS["poisson_crossed"]
    fits = [
        lf.Model(formula, data, family=family, contrasts=contrasts).fit()
        for contrasts in ({}, {"YEAR": "sum", "HIGH": "sum"})
    ]
    np.testing.assert_allclose(fits[0].anova()["chisq"], fits[1].anova()["chisq"], rtol=1e-4)


@pytest.mark.parametrize("name", MODELS)
def test_deletions_are_those_of_drop1(name: str) -> None:
    """Likelihood ratios of fits without a term."""
    table, dropped = fit_of(name).drop1(), known(name, "drop1")
    assert table.frame.index.tolist() == dropped["term"]
    for ours, theirs in {"aic": "AIC", "lrt": "LRT", "p_value": "p"}.items():
        np.testing.assert_allclose(table[ours], numbers(dropped, theirs), rtol=1e-4, atol=1e-6)


RATES = {"response": "rate", "std_error": "SE", "df": "df", "conf_low": "asymp.LCL", "conf_high": "asymp.UCL"}
LINK = RATES | {"emmean": "emmean"}
TABLES: dict[str, tuple[str, Any, dict[str, str]]] = {
    "means": ("poisson_crossed", lambda fit: fit.emmeans("~ YEAR | HIGH", type="response"), RATES),
    "pairs": (
        "poisson_crossed",
        lambda fit: fit.emmeans("~ YEAR | HIGH", type="response").pairs(level=0.95),
        RATES | {"ratio": "ratio", "statistic": "z.ratio", "p_value": "p.value"},
    ),
    "proportional": ("poisson_crossed", lambda fit: fit.emmeans("YEAR", weights="proportional"), LINK),
    "slopes": ("poisson_sloped", lambda fit: fit.slopes("cHEIGHT", "YEAR"), RATES | {"slope": "cHEIGHT.trend"}),
    "pairs of slopes": (
        "poisson_sloped",
        lambda fit: fit.slopes("cHEIGHT", "YEAR").pairs(level=0.95),
        RATES | {"estimate": "estimate", "statistic": "z.ratio", "p_value": "p.value"},
    ),
    "at": ("poisson_sloped", lambda fit: fit.emmeans("YEAR", at={"cHEIGHT": 10}), LINK),
    "binomial means": (
        "binomial",
        lambda fit: fit.emmeans("period", type="response"),
        RATES | {"response": "prob"},
    ),
    "holm": (
        "binomial",
        lambda fit: fit.emmeans("period").pairs("holm"),
        RATES | {"estimate": "estimate", "statistic": "z.ratio", "p_value": "p.value"},
    ),
    "contrast": (
        "binomial",
        lambda fit: fit.contrast({"later": "(period2 + period3 + period4)/3"}),
        RATES | {"estimate": "estimate", "statistic": "z.ratio", "p_value": "p.value"},
    ),
}


@pytest.mark.parametrize("case", TABLES)
def test_means_slopes_and_contrasts_are_those_of_emmeans(case: str) -> None:
    """Estimates, standard errors, bounds, z, probabilities; on the link's scale or the response's."""
    name, asked, columns = TABLES[case]
    table, theirs = asked(fit_of(name)), known(name, case.removeprefix("binomial ").removesuffix(" of slopes"))
    compared = {ours: column for ours, column in columns.items() if column in theirs and ours in table.frame}
    assert len(compared) >= 5
    for ours, column in compared.items():
        np.testing.assert_allclose(table[ours], numbers(theirs, column), rtol=2e-4, atol=1e-6, err_msg=ours)


def test_joint_hypotheses() -> None:
    """The chi-squared of all coefficients of the only term is the term's; one alone is the square of its z."""
    fit = fit_of("binomial")
    table = fit.linear_hypothesis(["period2", "period3", "period4"])
    assert table["chisq"].iloc[0] == pytest.approx(fit.anova()["chisq"].iloc[0])
    assert table["df"].tolist() == [3]
    one = fit.linear_hypothesis("period2 = -1")
    assert one["chisq"].iloc[0] == pytest.approx(fit.contrast("period2 = -1")["statistic"].iloc[0] ** 2)
    with pytest.raises(lf.FitError, match="contradict"):
        fit.linear_hypothesis(["period2 = 0", "period2 = 1"])


def test_arguments_of_gaussian_fits() -> None:
    """Deletions within the fit are Wald's tests; tidy has bounds by any method; degrees of freedom are infinite."""
    fit = fit_of("binomial")
    assert fit.drop1(test="f")["chisq"].iloc[0] == pytest.approx(fit.anova()["chisq"].iloc[0])
    tidied = fit.tidy(method="profile")
    assert tidied["conf_low"].tolist() == pytest.approx(fit.confint(method="profile").low.tolist())
    assert fit.tidy("fixed", ddf="none")["p_value"].isna().all()
    assert fit.summary(ddf="none") == fit.summary()
    refused: list[Any] = [fit.anova, fit.summary, fit.tidy, lambda ddf: fit.drop1(test="f", ddf=ddf)]
    refused += [lambda ddf: lf.anova(fit, ddf=ddf), lambda ddf: fit.contrast("period2", ddf=ddf)]  # type: ignore[arg-type]
    for call in (*refused, lambda ddf: fit.linear_hypothesis("period2", ddf=ddf)):
        with pytest.raises(lf.FitError, match="Satterthwaite's degrees of freedom are of gaussian models"):
            call(ddf="satterthwaite")


def test_random_terms_are_left_out() -> None:
    """Each refit's likelihood is that of the smaller model, quadrature or not."""
    data = dataset("grouseticks")
    fit = lf.Model("TICKS ~ YEAR + (1 | BROOD) + (1 | LOCATION)", data, family="poisson").fit()
    smaller = lf.Model("TICKS ~ YEAR + (1 | BROOD)", data, family="poisson").fit()
    table = fit.ranova()
    assert table.frame.index.tolist() == ["<none>", "(1 | BROOD)", "(1 | LOCATION)"]
    assert table["loglik"].iloc[2] == pytest.approx(smaller.loglik, abs=1e-6)
    better = lf.Model(CBPP, dataset("cbpp"), family="binomial").fit(nagq=5).ranova()
    without = lf.Model("cbind(incidence, size - incidence) ~ period", dataset("cbpp"), family="binomial").fit()
    assert better["loglik"].iloc[1] == pytest.approx(without.loglik)
    with pytest.raises(lf.FitError, match="no random terms"):
        without.ranova()


@pytest.mark.parametrize(
    ("formula", "name", "family"),
    [
        ("ynb ~ x + tr + (1 | grp)", "sim_glmm", "negbinomial"),
        ("yig ~ x + tr + (1 | grp)", "sim_glmm", "Gamma(log)"),
        ("ybeta ~ x + tr + (1 | grp)", "sim_glmm", "beta"),
        ("yzip ~ x + tr + (1 | grp)", "sim_glmm", "zero_inflated_poisson"),
        ("ybin ~ x + tr", "sim_glmm", "binomial"),
    ],
)
def test_every_family_has_them(formula: str, name: str, family: str) -> None:
    """With one degree of freedom all of them agree: z of the coefficient, of the difference, Wald's chi-squared."""
    fit = lf.Model(formula, dataset(name), family=family).fit()
    z = fit.fixef["trT"] / fit.std_errors["trT"]
    assert fit.emmeans("tr").pairs()["statistic"].iloc[0] == pytest.approx(-z)
    assert fit.contrast("trT")["statistic"].iloc[0] == pytest.approx(z)
    for kind in ("I", "II", "III"):
        assert fit.anova(type=kind)["chisq"].iloc[1] == pytest.approx(z**2)
    assert fit.slopes("x")["slope"].iloc[0] == pytest.approx(fit.fixef["x"])
    response = fit.emmeans("tr", at={"x": 0}, type="response")["response"].iloc[0]
    if "zi" not in fit.fit.parameters:  # the mean of counts that are not inflated
        there = pd.DataFrame({"x": [0.0], "tr": ["C"], "grp": ["s01"]})
        assert response == pytest.approx(fit.predict(there, random="population").iloc[0])


def test_bootstrap() -> None:
    """The same seed gives the same replicates, in helpers, too; they are what refits of drawn responses give."""
    fit = fit_of("binomial")
    seen: list[tuple[int, int]] = []
    found = fit.bootstrap(n=6, seed=4, progress=lambda done, total: seen.append((done, total)), workers=1)
    assert found.labels == tuple(fit.confint().labels)
    assert seen[-1] == (6, 6)
    again = fit.refit(fit.simulate(6, seed=4)["sim_6"])
    np.testing.assert_allclose(found.replicates[5, :4], again.fixef, atol=1e-5)
    helped = fit.bootstrap(n=6, seed=4, progress=False, workers=2)
    np.testing.assert_array_equal(found.replicates, helped.replicates)
    own = fit.bootstrap(lambda f: {"aic": f.aic}, n=2, seed=4)
    assert own.labels == ("aic",)
    assert own.replicates[0, 0] == pytest.approx(fit.refit(fit.simulate(1, seed=4)).aic)


def test_bootstrap_intervals_are_near_walds() -> None:
    """Percentiles of 60 refits lie where normal bounds do, to a standard error."""
    fit = fit_of("binomial")
    boot = fit.confint("fixed", method="boot", n=60, seed=2, progress=False)
    wald = fit.confint("fixed")
    assert boot.method == "parametric bootstrap, percentile, 60 refits"
    assert (np.abs(boot.low - wald.low) < fit.std_errors).all()
    assert (np.abs(boot.high - wald.high) < fit.std_errors).all()


PROFILED = [
    (-1.901170505, -0.9477890965),
    (-1.616739000, -0.4078061486),
    (-1.800975940, -0.5115810599),
    (-2.500694039, -0.8008034494),
]
"""`confint(m, "beta_", "profile", delta = 0.1)` of lme4 1.1-31, m that of the record binomial."""

PROFILED_SD = (0.3460732, 1.0999743)
"""The first row of lme4's `confint(m)`."""


def test_profile_intervals_are_those_of_lme4() -> None:
    """To what a spline through its profile leaves; `workers` don't change them."""
    fit = fit_of("binomial")
    found = fit.confint(method="profile")
    np.testing.assert_allclose(found.frame[["conf_low", "conf_high"]], [*PROFILED, PROFILED_SD], rtol=1e-4)
    assert found.labels == (*fit.design.fixed_names, "sd[herd, (Intercept)]")
    one = fit.confint(["period3"], method="profile", level=0.5)
    assert PROFILED[2][0] < one["period3"][0] < fit.fixef["period3"] < one["period3"][1] < PROFILED[2][1]


@pytest.mark.parametrize("family", ["lognormal", "student"])
def test_profile_intervals_with_parameters_of_the_family(family: str) -> None:
    """Of log y they are a linear mixed model's; of y, with offset, those of y less the offset."""
    data = dataset("sleepstudy").assign(L=np.log(dataset("sleepstudy")["Reaction"]), o=1.0)
    if family == "lognormal":
        linear = lf.Model("L ~ Days + (1 | Subject)", data).fit(reml=False).confint("fixed", method="profile")
        fit = lf.Model("Reaction ~ Days + (1 | Subject)", data, family=family).fit()
        np.testing.assert_allclose(fit.confint("fixed", method="profile").low, linear.low, rtol=1e-4)
    else:
        plain, moved = (
            lf.Model(f"Reaction ~ Days{o} + (1 | Subject)", data, family=family).fit() for o in ("", " + offset(o)")
        )
        low = plain.confint(["(Intercept)"], method="profile").low - 1.0
        np.testing.assert_allclose(moved.confint(["(Intercept)"], method="profile").low, low, atol=1e-2)


def test_a_likelihood_that_does_not_fall_has_no_bound() -> None:
    """A column that tells the response exactly: what can't be computed is NaN, what has no end infinite."""
    separated = {"y": [0, 0, 0, 1, 1, 1] * 4, "x": [0, 0, 0, 1, 1, 1] * 4, "g": list("abcdef") * 4}
    with pytest.warns(lf.FitWarning, match="separation"):
        fit = lf.glmer("y ~ x + (1 | g)", separated, family="binomial")
    assert not np.isfinite(fit.confint("x", method="profile").high).any()


def test_a_response_that_cannot_be_fitted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counts as one that did not converge, and leaves the others as they are."""
    fits = iter([True, False, True])
    real = GlmmFit.again

    def sometimes(*arguments: Any, **options: Any) -> Any:
        if next(fits):
            return real(*arguments, **options)
        raise lf.FitError("not this one")

    monkeypatch.setattr(GlmmFit, "again", sometimes)
    found = fit_of("binomial").bootstrap(n=3, seed=1, workers=1)
    assert np.isnan(found.replicates).all(axis=1).tolist() == [False, True, False]
    assert found.n_failed == 1
    assert np.isfinite(found.confint().low).all()


REFUSED: dict[str, tuple[Any, str]] = {
    "Satterthwaite": (lambda f: f.emmeans("period", ddf="satterthwaite"), "Satterthwaite's degrees of freedom are of"),
    "Kenward-Roger": (lambda f: f.slopes("size", ddf="kenward-roger"), "'size' is no variable"),
    "type": (lambda f: f.anova(type="IV"), "type='IV' is not known"),
    "hypothesis": (lambda f: f.contrast("perod2"), "did you mean"),
    "adjust": (lambda f: f.contrast("period2", adjust="tukey"), "tukey"),
    "parameters": (lambda f: f.confint(0.9), "by a label or a list of labels, not by 0.9"),
    "level": (lambda f: f.confint(level=2), "no probability"),
    "statistic": (lambda f: f.bootstrap("aic"), "a function of a fit"),
    "n": (lambda f: f.bootstrap(n=0), "n must be"),
    "intervals": (lambda f: f.confint(method="score"), "no intervals by 'score'"),
    "power": (lambda f: f.power("period2", test="t"), "t tests are of gaussian models, not of the family binomial"),
    "r_squared": (lambda f: f.r_squared, "multiple R.2 is defined for gaussian models"),
    "influence": (lambda f: f.influence("heard"), "'heard' is not a grouping factor"),
    "variance_vcov": (lambda f: f.variance_vcov("log_sd"), "covariance of variance parameters"),
    "variance_parameters": (lambda f: f.variance_parameters, "covariance of variance parameters"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused(name: str) -> None:
    """Says so in words, with what there is instead."""
    call, message = REFUSED[name]
    with pytest.raises(lf.LmmFormulaError, match=message):
        call(fit_of("binomial"))


def test_no_method_of_a_linear_mixed_model_is_missing() -> None:
    """Each public name of the one is a name of the other, and has a sentence."""
    for name in dir(lf.LinearMixedFit):
        if not name.startswith("_"):
            assert hasattr(lf.GeneralizedMixedFit, name), name
            assert getattr(lf.GeneralizedMixedFit, name).__doc__, name


def without_success() -> lf.GeneralizedMixedFit:
    """Fit cbpp with no case in its fourth period: that coefficient has no finite estimate."""
    data = dataset("cbpp").copy()
    data.loc[data["period"].astype(str) == "4", "incidence"] = 0
    with pytest.warns(lf.FitWarning, match=r"flat in 'period4'.*separation"):
        return lf.glmer(CBPP, data, family="binomial")


def test_what_has_no_finite_estimate_is_empty_and_all_else_is_not() -> None:
    """Means, differences, contrasts, intervals and tests that touch a separated level are NaN, and say why."""
    fit = without_success()
    means = fit.emmeans("period")
    pairs = means.pairs()
    assert means.frame["emmean"].isna().tolist() == means.frame["conf_low"].isna().tolist() == [False] * 3 + [True]
    assert "can't be estimated" in str(means)
    lost = pairs.frame["contrast"].str.contains("4")
    assert pairs.frame["std_error"].isna().tolist() == pairs.frame["p_value"].isna().tolist() == lost.tolist()
    assert fit.emmeans("period", type="response").frame["response"].isna().tolist() == [False] * 3 + [True]
    found = fit.contrast(["period3 - period2", "period4 - period2"])
    assert found.frame.loc["period4 - period2"].drop("df").isna().all()
    assert found.frame.loc["period3 - period2"].notna().all()
    assert "(separation)" in str(found)
    intervals = fit.confint(["period3", "period4"])
    assert np.isfinite(intervals["period3"]).all()
    assert np.isnan(intervals["period4"]).all()
    assert "can't be estimated" in str(intervals)
    tidied = fit.tidy("fixed").set_index("term").loc["period4"]
    assert np.isinf(tidied["std_error"])
    assert tidied[["statistic", "p_value"]].tolist() == [0.0, 1.0]


def test_tests_of_separated_terms_refer_to_likelihoods() -> None:
    """Wald's statistics know nothing of a limit; the likelihood at it is finite, and its ratio tests the term."""
    fit = without_success()
    for kind in ("I", "II", "III"):
        table = fit.anova(type=kind)
        assert table.frame.loc["period"].isna().tolist() == [True, False, True]
        assert "drop1() compares likelihoods" in str(table)
    assert fit.linear_hypothesis(["period2", "period3"]).frame["p_value"].notna().all()
    assert fit.linear_hypothesis(["period2", "period4"]).frame["p_value"].isna().all()
    assert fit.drop1().frame.loc["period", "lrt"] > 20


def test_the_profile_of_a_separated_coefficient_has_one_bound() -> None:
    """The likelihood stays flat on one side for ever and falls on the other."""
    low, high = without_success().confint("period4", method="profile", progress=False)["period4"]
    assert low == -np.inf
    assert -6 < high < 0
