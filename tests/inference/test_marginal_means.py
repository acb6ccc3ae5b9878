"""Marginal means and slopes against emmeans', at R's theta, and by what they mean."""

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest

import lmmformula as lf
from corpus import dataset, record, records
from fits import fit_of
from lmmformula.inference.means.marginal_means import emmeans, slopes
from lmmformula.inference.tests.contrasts import contrast

LINEAR = [r["id"] for r in records("emmeans") if "family" not in r]
MEANS = {"emmean": "emmean", "std_error": "SE", "df": "df", "conf_low": "lower.CL", "conf_high": "upper.CL"}
ASYMPTOTIC = MEANS | {"conf_low": "asymp.LCL", "conf_high": "asymp.UCL"}


def column(table: dict[str, Any], name: str) -> np.ndarray:
    """Numbers of a column of R's table."""
    return np.array([np.inf if value == "Inf" else value for value in table[name]], float)


@pytest.mark.parametrize("identifier", LINEAR)
def test_means_are_those_of_emmeans(identifier: str) -> None:
    """Combinations and their order, functions of the coefficients, means, standard errors, df, intervals."""
    about = record("emmeans", identifier)
    means = emmeans(fit_of(about["fit_id"]), about["specs"], ddf=about["mode"])
    known = about["means"]
    np.testing.assert_allclose(means.L, about["linfct"], atol=1e-12)
    names = ASYMPTOTIC if about["mode"] == "asymptotic" else MEANS
    for ours, theirs in names.items():
        np.testing.assert_allclose(means[ours], column(known, theirs), rtol=1e-6, err_msg=ours)
    for name in set(known) - set(names.values()):
        assert list(means[name]) == known[name]


@pytest.mark.parametrize("identifier", LINEAR)
def test_pairs_are_those_of_emmeans(identifier: str) -> None:
    """Labels and their order, differences, standard errors, df, t, and Tukey's probabilities within `by`."""
    about = record("emmeans", identifier)
    pairs = emmeans(fit_of(about["fit_id"]), about["specs"], ddf=about["mode"]).pairs()
    known = about["pairs_tukey"]
    assert list(pairs["contrast"]) == known["contrast"]
    statistic = "z.ratio" if about["mode"] == "asymptotic" else "t.ratio"
    for ours, theirs in {"estimate": "estimate", "std_error": "SE", "df": "df", "statistic": statistic}.items():
        np.testing.assert_allclose(pairs[ours], column(known, theirs), rtol=1e-6, atol=1e-8, err_msg=ours)
    np.testing.assert_allclose(pairs["p_value"], column(known, "p.value"), atol=1e-7)
    for name in set(known) - {"contrast", "estimate", "SE", "df", statistic, "p.value"}:
        assert list(pairs[name]) == known[name]


INTERVALS = {
    "tukey": [(-38.99579613, 1.995796125), (-55.16246279, -14.170870542), (-65.32912946, -24.337537208)],
    "bonferroni": [(-39.70439348, 2.704393482), (-55.87106015, -13.462273185), (-66.03772682, -23.628939852)],
    "none": [(-33.97425143, -3.025748566), (-50.14091810, -19.192415233), (-60.30758477, -29.359081899)],
}
"""`confint(pairs(emmeans(m, ~ nitroF | Variety), adjust))[1:3, ]` of emmeans 1.8.4, m that of record lmm-036r."""


@pytest.mark.parametrize("adjust", INTERVALS)
def test_intervals_of_pairs_are_those_of_emmeans(adjust: str) -> None:
    """Adjusted intervals cover all differences of a family together."""
    pairs = emmeans(fit_of("lmm-036r"), "~ nitroF | Variety", ddf="kenward-roger").pairs(adjust, level=0.95)
    np.testing.assert_allclose(pairs.frame[["conf_low", "conf_high"]][:3], INTERVALS[adjust], rtol=1e-5)


def test_intervals_of_asymptotic_pairs() -> None:
    """With infinite degrees of freedom the studentized range has its limit."""
    pairs = emmeans(fit_of("lmm-036r"), "Variety", ddf="asymptotic").pairs(level=0.95)
    np.testing.assert_allclose(pairs["conf_low"], [-21.882493802, -9.715827136, -4.424160469], rtol=1e-5)
    with pytest.raises(lf.FitError, match="no probability"):
        emmeans(fit_of("lmm-036r"), "Variety").pairs(level=95)


WEIGHTED = {
    "proportional": ([6.419051736, 5.991340546, 5.563182819], [0.105367840, 0.106566010, 0.147312603]),
    "outer": ([6.419051736, 5.991340546, 5.563182819], [0.105367840, 0.106566010, 0.147312603]),
    "cells": ([6.442406932, 5.975956211, 5.556064758], [0.105287698, 0.106444685, 0.147286520]),
    "flat": ([6.406266400, 5.981159736, 5.553721184], [0.105480868, 0.106472270, 0.147287671]),
}
"""`emmeans(m, ~ Treatment, weights = ..)` of emmeans 1.8.4, m that of the test, of nlme's RatPupWeight."""


@pytest.mark.parametrize("weights", WEIGHTED)
def test_weights_are_those_of_emmeans(weights: Any) -> None:
    """Means and standard errors where the other factor's levels count by their rows."""
    fit = lf.lmer("weight ~ Treatment * sex + Lsize + (1 | Litter)", dataset("RatPupWeight"))
    found = emmeans(fit, "Treatment", ddf="satterthwaite", weights=weights)
    for name, expected in zip(("emmean", "std_error"), WEIGHTED[weights], strict=True):
        np.testing.assert_allclose(found[name], expected, rtol=1e-5)
    assert ("weights" in found.title) == (weights != "equal")
    with pytest.raises(lf.FitError, match=r"weights='rows' is not known"):
        emmeans(fit, "Treatment", weights="rows")  # type: ignore[arg-type]


def test_weights_of_cells_without_rows() -> None:
    """A mean over an empty cell is that of the others; where nothing is averaged, weights say nothing."""
    data = dataset("toy").query("not (f2 == 'hi' and f3 == 'c')").reset_index(drop=True)
    fit = lf.lmer("y ~ f2 + f3 + x + (1 | g)", data)
    alone = emmeans(fit, "f2 * f3")
    for weights in ("cells", "flat"):
        means = emmeans(fit, "f3", weights=weights)  # type: ignore[arg-type]
        assert means["emmean"].iloc[2] == pytest.approx(alone["emmean"][(alone["f2"] == "lo") & (alone["f3"] == "c")])
        np.testing.assert_array_equal(emmeans(fit, "f2 * f3", weights=weights)["emmean"], alone["emmean"])  # type: ignore[arg-type]
    by_rows = slopes(lf.lmer("y ~ f2 * x + (1 | g)", data), "x", weights="cells")["slope"].iloc[0]
    share = (data["f2"] == "hi").mean()
    own = slopes(lf.lmer("y ~ f2 * x + (1 | g)", data), "x", "f2").frame.set_index("f2")["slope"]
    assert by_rows == pytest.approx(share * own["hi"] + (1 - share) * own["lo"])


SPECS = {
    "a text": ("nitroF", "Variety"),
    "lists": (["nitroF"], ["Variety"]),
    "a formula": ("~ nitroF | Variety", ()),
    "no tilde": ("nitroF | Variety", ()),
    "backticks": ("~ `nitroF` | `Variety`", ()),
}


@pytest.mark.parametrize("case", SPECS)
def test_variables_can_be_given_in_many_ways(case: str) -> None:
    """All of these mean nitroF within each Variety."""
    spec, by = SPECS[case]
    fit = fit_of("lmm-036r")
    found = emmeans(fit, spec, by=by)
    assert list(found.frame.columns[:2]) == ["nitroF", "Variety"]
    assert found.by == ("Variety",)
    assert len(found.pairs()) == 3 * 6


def test_numeric_variables_stand_at_their_means() -> None:
    """Means are predictions at the mean of the rows used; `at` moves them, and gives a row per value."""
    fit = fit_of("lmm-063r")
    litter = dataset("RatPupWeight")["Lsize"].mean()
    frame = emmeans(fit, "Treatment * sex").frame
    there = pd.DataFrame({"Treatment": frame["Treatment"], "sex": frame["sex"], "Lsize": litter})
    np.testing.assert_allclose(frame["emmean"], fit.predict(there, random="population"))
    moved = emmeans(fit, "Lsize", at={"Lsize": [5, 10]}).frame
    slope = fit.fixef["Lsize"]
    assert moved["emmean"].diff().iloc[1] == pytest.approx(5 * slope)


def test_transformations_are_taken_of_the_mean() -> None:
    """`x + I(x^2)` and `poly(x, 2)` stand at the mean of x and its square, not at the mean of the squares."""
    data = dataset("toy")
    fits = [lf.lmer(f"y ~ f3 + {x} + (1 | g)", data) for x in ("x + I(x^2)", "poly(x, 2)")]
    first, second = (emmeans(fit, "f3")["emmean"] for fit in fits)
    np.testing.assert_allclose(first, second)
    at = pd.DataFrame({"f3": ["a", "b", "c"], "x": data["x"].mean()})
    np.testing.assert_allclose(first, fits[0].predict(at, random="population"))


def test_numbers_used_as_levels_stand_at_each() -> None:
    """`factor(k)` makes k a factor; a variable of two values stands at both, as in emmeans."""
    data = dataset("toy").assign(two=lambda d: (d["x"] > 0).astype(float))
    found = emmeans(lf.lmer("y ~ factor(k) + two + (1 | g)", data), "k")
    assert list(found["k"]) == sorted(data["k"].unique())
    whole = emmeans(lf.lmer("y ~ two + (1 | g)", data), "1")
    both = emmeans(lf.lmer("y ~ two + (1 | g)", data), "two")
    assert whole["emmean"].iloc[0] == pytest.approx(both["emmean"].mean())


def test_a_logical_variable_has_two_levels() -> None:
    """Booleans stand at FALSE and TRUE, and `at` takes True."""
    fit = lf.lmer("y ~ lgl + x + (1 | g)", dataset("toy"))
    assert list(emmeans(fit, "lgl")["lgl"]) == ["FALSE", "TRUE"]
    assert len(emmeans(fit, "lgl", at={"lgl": True})) == 1


def test_titles_say_what_is_averaged() -> None:
    """Over factors with several levels; not over numeric variables, which stand at one value."""
    fit = fit_of("lmm-063r")
    assert emmeans(fit, "sex").title.startswith("Marginal means averaged over Treatment, Kenward")
    assert emmeans(fit, "Treatment * sex").title.startswith("Marginal means, Kenward")


def test_labels_with_operators_are_in_brackets() -> None:
    """A level such as `barley+lupins` stays apart from the minus sign of a difference."""
    pairs = emmeans(lf.lmer("protein ~ Diet + Time + (1 | Cow)", dataset("Milk")), "Diet").pairs()
    assert list(pairs["contrast"])[:2] == ["barley - (barley+lupins)", "barley - lupins"]


def test_offsets_are_part_of_the_mean() -> None:
    """`offset(off)` stands at the mean of off, and cancels in differences of equal offsets."""
    data = dataset("sleepstudy_x")
    fit = lf.lmer("Reaction ~ DaysF + offset(off) + (1 | Subject)", data)
    at = pd.DataFrame({"DaysF": data["DaysF"].cat.categories, "off": data["off"].mean()})
    means = emmeans(fit, "DaysF")
    np.testing.assert_allclose(means["emmean"], fit.predict(at, random="population"))
    first = fit.fixef.iloc[1]
    assert means.pairs()["estimate"].iloc[0] == pytest.approx(-first)


def exposed() -> pd.DataFrame:
    """Return counts at exposures of one to eight, which more rows have low than high."""
    rng = np.random.default_rng(4)
    data = pd.DataFrame({"g": np.repeat(np.arange(16), 10), "f": np.tile(list("ab"), 80)})
    data["e"] = np.exp(rng.exponential(0.5, 160))
    data["twice"] = np.where(rng.random(160) < 0.2, 2.0, 1.0)
    means = data["e"] * np.exp(0.5 * (data["f"] == "b") + rng.normal(0, 0.3, 16)[data["g"]])
    return data.assign(n=rng.poisson(means), z=np.log(data["e"]) + (data["f"] == "b") + rng.normal(size=160))


WAYS: dict[str, tuple[str, Any]] = {
    "a term": ("z ~ f + offset(log(e)) + (1 | g)", lambda _: None),
    "a column": ("z ~ f + (1 | g)", lambda _: "loge"),
    "an array": ("z ~ f + (1 | g)", lambda data: data["loge"].to_numpy()),
    "two parts": ("z ~ f + offset(0.25 * log(e)) + (1 | g)", lambda data: 0.75 * data["loge"].to_numpy()),
}


@pytest.mark.parametrize("way", WAYS)
def test_offsets_stand_at_their_mean_however_they_are_given(way: str) -> None:
    """The mean of log(e) over the rows, as in emmeans, and not the logarithm of the mean of e."""
    formula, offset = WAYS[way]
    data = exposed().assign(loge=lambda d: np.log(d["e"]))
    fit = lf.Model(formula, data, offset=offset(data)).fit()
    expected = fit.fixef["(Intercept)"] + np.array([0.0, fit.fixef["fb"]]) + np.log(data["e"]).mean()
    np.testing.assert_allclose(fit.emmeans("f")["emmean"], expected, rtol=1e-12)
    np.testing.assert_allclose(fit.emmeans("f", offset=2)["emmean"], expected - np.log(data["e"]).mean() + 2)
    assert fit.emmeans([])["emmean"].iloc[0] == pytest.approx(expected.mean(), rel=1e-12)


def test_an_offset_is_computed_where_its_variable_is_named() -> None:
    """In `at`, or as a variable of the table; for one unit of exposure log(1) = 0."""
    data = exposed()
    fit = lf.glmer("n ~ f + offset(log(e)) + (1 | g)", data, family="poisson")
    per_unit = fit.emmeans("f", type="response", at={"e": 1})["response"]
    np.testing.assert_allclose(per_unit, np.exp(fit.fixef["(Intercept)"] + np.array([0.0, fit.fixef["fb"]])))
    np.testing.assert_allclose(per_unit, fit.emmeans("f", type="response", offset=0)["response"])
    pairs = fit.emmeans("e", at={"e": [1, 8]}).pairs()
    assert pairs["estimate"].iloc[0] == pytest.approx(-np.log(8))
    assert fit.slopes("e", at={"e": 4})["slope"].iloc[0] == pytest.approx(1 / 4, rel=1e-9)
    assert fit.slopes("e", at={"e": 4}, offset=1)["slope"].iloc[0] == pytest.approx(0.0, abs=1e-12)


def test_an_offset_of_two_values_counts_rows() -> None:
    """Its variable is none of the reference grid, in which both values would count the same."""
    data = exposed()
    fit = lf.lmer("z ~ f + offset(log(twice)) + (1 | g)", data)
    means = fit.emmeans("f")
    assert "averaged" not in means.title
    assert means["emmean"].iloc[0] == pytest.approx(fit.fixef["(Intercept)"] + np.log(data["twice"]).mean())
    assert fit.emmeans("twice").pairs()["estimate"].iloc[0] == pytest.approx(-np.log(2))


@pytest.mark.parametrize("offset", [np.nan, "e", True, [1.0, 2.0]])
def test_an_offset_that_is_no_number_is_refused(offset: Any) -> None:
    """One finite number stands for all rows of a table."""
    with pytest.raises(lf.FitError, match="`offset` must be a finite number"):
        emmeans(fit_of("lmm-049r"), "Type", offset=offset)


def test_categories_are_of_ordinal_responses() -> None:
    """A mean has no categories; the message says what there is."""
    with pytest.raises(lf.FitError, match="categories of an ordinal response"):
        emmeans(fit_of("lmm-049r"), "Type", type="prob")


def test_what_the_data_do_not_tell_is_left_empty() -> None:
    """A mean over a cell without rows can't be estimated, nor can differences with it; the others can."""
    data = dataset("toy").query("not (f2 == 'hi' and f3 == 'c')").reset_index(drop=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", lf.FitWarning)
        fit = lf.lmer("y ~ f2 * f3 + (1 | g)", data)
    means = emmeans(fit, "f2", by="f3")
    empty = (means["f2"] == "hi") & (means["f3"] == "c")
    assert means["emmean"].isna().to_list() == empty.to_list()
    assert emmeans(fit, "f3")["emmean"].isna().to_list() == [False, False, True]
    assert means.pairs()["p_value"].isna().to_list() == [False, False, True]
    assert "can't be estimated" in str(means)


def test_slopes_are_coefficients_where_the_mean_is_linear() -> None:
    """With treatment contrasts the slope in the first level is the coefficient; the others add interactions."""
    fit = fit_of("lmm-062r")
    table = slopes(fit, "Time", "Diet")
    names = {"1": "Time", "2": "Time + Time:Diet2", "3": "Time + Time:Diet3"}
    known = contrast(fit, names, ddf="kenward-roger").frame
    for column_name in ("estimate", "std_error", "df"):
        ours = table["slope" if column_name == "estimate" else column_name]
        np.testing.assert_allclose(ours, known[column_name], rtol=1e-7)
    pairs = table.pairs("holm")
    assert pairs["estimate"].iloc[0] == pytest.approx(-fit.fixef["Time:Diet2"])


def test_slopes_of_curves_are_derivatives() -> None:
    """Of a polynomial, a logarithm and an offset, at a point."""
    data = dataset("toy").assign(positive=lambda d: d["z"] - d["z"].min() + 1)
    fit = lf.lmer("y ~ x + I(x^3) + log(positive) + offset(0.5 * positive) + (1 | g)", data)
    b = fit.fixef
    cubic = slopes(fit, "x", at={"x": 1.5})["slope"].iloc[0]
    assert cubic == pytest.approx(b["x"] + 3 * b["I(x^3)"] * 1.5**2, rel=1e-9)
    logarithm = slopes(fit, "positive", at={"positive": [2.0, 4.0]}, spec="positive")["slope"]
    np.testing.assert_allclose(logarithm, b["log(positive)"] / np.array([2.0, 4.0]) + 0.5, rtol=1e-9)


def test_default_degrees_of_freedom() -> None:
    """Kenward-Roger for REML fits, Satterthwaite for ML fits and large ones, as the title says."""
    formula, data = "effort ~ Type + (1 | Subject)", dataset("ergoStool")
    assert "Kenward" in emmeans(lf.lmer(formula, data), "Type").title
    assert "Satterthwaite" in emmeans(lf.lmer(formula, data, reml=False), "Type").title
    exact = emmeans(lf.lmer("effort ~ Type", data), "Type")
    assert set(exact["df"]) == {32}


def test_intervals_have_the_level_asked_for() -> None:
    """A 68 % interval is about a standard error to either side; a level that is no probability is refused."""
    fit = fit_of("lmm-049r")
    frame = emmeans(fit, "Type", ddf="asymptotic", level=0.6826894921370859).frame
    np.testing.assert_allclose(frame["conf_high"] - frame["emmean"], frame["std_error"])
    with pytest.raises(lf.FitError, match="level=95 is no probability"):
        emmeans(fit, "Type", level=95)


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "an unknown variable": ({"spec": "Tipe"}, "'Tipe' is no variable of the fixed effects"),
    "a grouping factor": ({"spec": "Subject"}, "'Subject' is no variable of the fixed effects"),
    "an unknown variable in at": ({"spec": "Type", "at": {"x": 1}}, "'x' is no variable"),
    "a number for a name": ({"spec": 5}, "named by a text or a list of texts, not by a int"),
    "no name": ({"spec": None}, "not by a NoneType"),
    "no level": ({"spec": "Type", "at": {"Type": []}}, "`at` gives no level of 'Type'"),
    "a level that is a text": ({"spec": "Type", "level": "95"}, "is no probability"),
    "an unknown level": ({"spec": "Type", "at": {"Type": "T9"}}, "'T9' is no level of 'Type'"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_in_the_model_is_refused(case: str) -> None:
    """Each with a message that says what is wrong."""
    arguments, message = REFUSED[case]
    with pytest.raises(lf.FitError, match=message):
        emmeans(fit_of("lmm-049r"), **arguments)


def test_a_variable_named_twice_counts_once() -> None:
    """In a list as in a text, and among the rows as among those within which comparisons stay."""
    fit = fit_of("lmm-049r")
    once = emmeans(fit, "Type", ddf="asymptotic").frame
    for spec in (["Type", "Type"], "~ Type + Type"):
        pd.testing.assert_frame_equal(emmeans(fit, spec, ddf="asymptotic").frame, once)
    pd.testing.assert_frame_equal(emmeans(fit, "~ 1 | Type", by=["Type", "Type"], ddf="asymptotic").frame, once)


@pytest.mark.parametrize(("by", "within"), [((), ""), ("Type", " for each value of Type")])
def test_nothing_to_compare(by: Any, within: str) -> None:
    """A table without pairs says why."""
    found = emmeans(fit_of("lmm-049r"), (), by=by, ddf="asymptotic").pairs()
    assert len(found) == 0
    assert found.notes == (f"there is but one row{within}, and no pair to compare",)


def test_slopes_need_numbers() -> None:
    """There is no slope in a factor, and `at` needs finite numbers."""
    fit = fit_of("lmm-062r")
    with pytest.raises(lf.FitError, match="'Diet' is not numeric"):
        slopes(fit, "Diet")
    with pytest.raises(lf.FitError, match="'k' is not numeric"):
        slopes(fit_of("lmm-117r"), "k")
    for wrong in ("late", np.nan, [], [[1, 2]]):
        with pytest.raises(lf.FitError, match="`at` must give finite numbers"):
            slopes(fit, "Time", at={"Time": wrong})


def test_grids_too_large_are_refused() -> None:
    """The message says what to do."""
    fit = fit_of("lmm-065r")
    with pytest.raises(lf.FitError, match="would have") as caught:
        emmeans(fit, "Sex", at={"SES": np.linspace(0, 1, 400), "MEANSES": np.linspace(0, 1, 400)})
    assert "`at`" in caught.value.hint


def test_a_posterior_has_draws_of_its_means() -> None:
    """Means, sds and quantiles of L beta; pairs with the share of draws above zero; slopes alike."""
    from fits import posterior_of

    posterior = posterior_of("lmm-049r")
    means = emmeans(posterior, "Type")
    drawn = posterior.draws.beta.reshape(-1, 4) @ emmeans(fit_of("lmm-049r"), "Type").L.T
    np.testing.assert_allclose(means.draws, drawn)
    np.testing.assert_allclose(means["mean"], drawn.mean(axis=0))
    np.testing.assert_allclose(means["q97.5"], np.quantile(drawn, 0.975, axis=0))
    pairs = means.pairs()
    np.testing.assert_allclose(pairs["p_above"].iloc[0], (drawn[:, 0] > drawn[:, 1]).mean())
    assert "2000 posterior draws" in means.title
    with pytest.raises(lf.FitError, match="no degrees of freedom"):
        emmeans(posterior, "Type", ddf="satterthwaite")
    with pytest.raises(lf.FitError, match="no p values"):
        means.pairs("holm")
    with pytest.raises(lf.FitError, match="no draws"):
        _ = emmeans(fit_of("lmm-049r"), "Type").draws
