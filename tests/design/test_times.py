"""What `ar1()` and `cs()` may stand over: a factor, or numbers that are times."""

import warnings

import numpy as np
import pandas as pd
import pytest

import lmmformula as lf
from corpus import dataset
from lmmformula.data.table import read_table
from lmmformula.repl.typing.facts import Facts


@pytest.mark.parametrize("term", ["ar1(Days | Subject)", "ar1(0 + Days | Subject)"])
def test_numbers_are_times(term: str) -> None:
    """One coefficient for each day, not an intercept and a slope; the model says how it was read."""
    data = dataset("sleepstudy")
    model = lf.Model(f"Reaction ~ Days + {term}", data)
    assert model.ir.formula == "Reaction ~ Days + ar1(0 + factor(Days) | Subject)"
    fit, same = model.fit(), lf.lmer(model.ir.formula, data)
    assert model.design.random_terms[0].n_coefficients == 10
    assert (fit.n_parameters, fit.fit.criterion) == (5, pytest.approx(same.fit.criterion, rel=1e-12))
    assert fit.predict({"Days": [3], "Subject": [308]}).item() == pytest.approx(fit.fitted.iloc[3])


def test_a_factor_of_the_same_times_is_the_same_model() -> None:
    """Fractions of an hour are as good as text in the right order."""
    data = dataset("sleepstudy").assign(hour=lambda d: d["Days"] / 4, step=lambda d: "t" + d["Days"].astype(str))
    numbers = lf.lmer("Reaction ~ Days + ar1(hour | Subject, hom = FALSE)", data)
    levels = lf.lmer("Reaction ~ Days + ar1(0 + step | Subject, hom = FALSE)", data)
    assert numbers.fit.criterion == pytest.approx(levels.fit.criterion, rel=1e-10)
    assert numbers.n_parameters == levels.n_parameters == 2 + 10 + 1 + 1


REFUSED = [
    ("ar1(0 + late | Subject)", "the times `late` do not follow", "ar1(0 + factor(late) | Subject) takes each value"),
    ("ar1(0 + I(Days / 2) | Subject)", "one factor of times", "as in ar1(0 + factor(I(Days/2)) | Subject)"),
    ("ar1(Days + late | Subject)", "one factor of times", "without a structure, (Days + late | Subject)"),
    ("ar1(1 | Subject)", "one factor of times", "without a structure, (1 | Subject)"),
    ("ar1(0 + f:h | Subject)", "one factor of times", "without a structure, (0 + f:h | Subject)"),
    ("cs(0 + Days | Subject)", "two columns to correlate", "as in cs(0 + factor(Days) | Subject)"),
    ("cs(1 | Subject)", "two columns to correlate", "without a structure, (1 | Subject)"),
]


@pytest.mark.parametrize(("term", "message", "hint"), REFUSED)
def test_what_is_no_time_is_refused_with_the_right_form(term: str, message: str, hint: str) -> None:
    """Never silently a slope: the place is marked, and the preview of the formula says the same."""
    data = dataset("sleepstudy").assign(late=lambda d: d["Days"] ** 2, f="a", h="u")
    data.loc[::2, "f"], data.loc[::3, "h"] = "b", "v"
    formula = f"Reaction ~ Days + {term}"
    with pytest.raises(lf.LmmFormulaError, match=message) as caught:
        lf.Model(formula, data)
    assert hint in str(caught.value)
    assert formula[caught.value.span.start : caught.value.span.end] in term
    with pytest.raises(lf.LmmFormulaError) as early:
        Facts(read_table(data)).preview(lf.parse(formula))
    assert str(early.value) == str(caught.value)


def test_a_time_that_is_never_used_leaves_a_gap() -> None:
    """Equal steps are judged by the rows in use: without day 4, day 5 is two steps from day 3."""
    data = dataset("sleepstudy").assign(Reaction=lambda d: d["Reaction"].where(d["Days"] != 4, np.nan))
    with pytest.raises(lf.LmmFormulaError, match="equal steps"):
        lf.Model("Reaction ~ Days + ar1(Days | Subject)", data)


def test_in_data_that_come_in_parts_times_are_a_factor() -> None:
    """What a column holds is known after the first pass only, so numbers are not read as times there."""
    data = dataset("sleepstudy")
    parts = [data.iloc[:90], data.iloc[90:]]
    with pytest.raises(lf.LmmFormulaError, match="one factor of times"):
        lf.Model("Reaction ~ Days + ar1(Days | Subject)", parts, progress=False)
    summed = lf.Model("Reaction ~ Days + ar1(0 + factor(Days) | Subject)", parts, progress=False).fit()
    whole = lf.lmer("Reaction ~ Days + ar1(Days | Subject)", data)
    assert summed.fit.criterion == pytest.approx(whole.fit.criterion, rel=1e-9)


def test_a_correlation_of_intercept_and_slope_stays_lme4s() -> None:
    """cs() over numbers beside the intercept has two standard deviations and their correlation."""
    data = dataset("sleepstudy")
    structured = lf.lmer("Reaction ~ Days + cs(Days | Subject)", data)
    plain = lf.lmer("Reaction ~ Days + (Days | Subject)", data)
    assert structured.fit.criterion == pytest.approx(plain.fit.criterion, rel=1e-10)
    assert structured.n_parameters == plain.n_parameters


ALPHABETICAL = [(["1", "2", "10"], "'2'", "'10'"), (["w9", "w10"], "'w9'", "'w10'"), (["-1", "-2"], "'-2'", "'-1'")]


@pytest.mark.parametrize(("times", "second", "first"), ALPHABETICAL)
def test_text_in_alphabetical_order_is_no_order_of_times(times: list[str], second: str, first: str) -> None:
    """Ten stands before two: that is said; an order that somebody gave is taken."""
    rng = np.random.default_rng(1)
    i = np.arange(120)
    data = pd.DataFrame({"y": rng.normal(size=120), "g": i // 12, "t": np.array(times)[i % len(times)]})
    with pytest.warns(lf.FitWarning, match=rf"ar1\(\) takes {second} as one step after {first}"):
        lf.Model("y ~ 1 + ar1(0 + t | g)", data)
    ordered = data.assign(t=pd.Categorical(data["t"], sorted(times, key=lambda t: float(t.removeprefix("w")))))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        lf.Model("y ~ 1 + ar1(0 + t | g)", ordered)
        lf.Model("y ~ 1 + ar1(0 + t | g)", data.assign(t=np.array(list("abc"))[i % 3]))
