"""Tests and marginal means as methods: each gives what the function below it gives."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import lmmformula as lf
from corpus import dataset
from fits import fit_of, posterior_of
from lmmformula.inference.means import marginal_means
from lmmformula.inference.tests import anova as anovas
from lmmformula.inference.tests import contrasts, likelihood_ratio
from lmmformula.inference.tests import linear_functions as tests

METHODS: dict[str, tuple[Any, Any]] = {
    "anova": (
        lambda fit: fit.anova(type="II", ddf="kenward-roger"),
        lambda fit: anovas.anova(fit, "II", "kenward-roger"),
    ),
    "lf.anova": (lf.anova, anovas.anova),
    "drop1": (lambda fit: fit.drop1(), likelihood_ratio.drop_fixed_terms),
    "drop1 by F": (lambda fit: fit.drop1(test="f"), anovas.single_deletions),
    "ranova": (lambda fit: fit.ranova(), likelihood_ratio.reduce_random_terms),
    "contrast": (
        lambda fit: fit.contrast(["TypeT2", "TypeT3"], adjust="holm"),
        lambda fit: contrasts.contrast(fit, ["TypeT2", "TypeT3"], adjust="holm"),
    ),
    "linear_hypothesis": (
        lambda fit: fit.linear_hypothesis(["TypeT2", "TypeT3"]),
        lambda fit: contrasts.linear_hypothesis(fit, ["TypeT2", "TypeT3"]),
    ),
    "emmeans": (lambda fit: fit.emmeans("Type"), lambda fit: marginal_means.emmeans(fit, "Type")),
}


@pytest.mark.parametrize("name", METHODS)
def test_methods_are_calls_downwards(name: str) -> None:
    """The table is the function's, title and notes included."""
    method, function = METHODS[name]
    fit = fit_of("lmm-049r")
    ours, below = method(fit), function(fit)
    pd.testing.assert_frame_equal(ours.frame, below.frame)
    assert (ours.title, ours.notes) == (below.title, below.notes)


def test_fits_compare_as_a_method_or_a_function() -> None:
    """`fit.anova(other)` and `lf.anova(fit, other)` are likelihood ratio tests; what is no fit is refused."""
    data = dataset("sleepstudy")
    small, large = (lf.lmer(f"Reaction ~ Days + {r}", data) for r in ("(1 | Subject)", "(Days | Subject)"))
    known = likelihood_ratio.compare_fits([small, large]).frame
    pd.testing.assert_frame_equal(small.anova(large).frame, known)
    pd.testing.assert_frame_equal(lf.anova(small, large).frame, known)
    restricted = lf.anova(small, large, refit=False).frame
    assert restricted["loglik"].iloc[0] == pytest.approx(small.loglik)
    for wrong in (lf.anova, type(small).anova):
        with pytest.raises(lf.FitError, match="one is a str"):
            wrong(small, "large")
    with pytest.raises(lf.FitError, match="given a Model"):
        lf.anova(lf.Model("Reaction ~ Days + (1 | Subject)", data))
    with pytest.raises(lf.FitError, match="test='chisq' is not known"):
        small.drop1(test="chisq")


def test_fits_and_posteriors_have_marginal_means_and_slopes() -> None:
    """Under the same names and arguments."""
    for model in (fit_of("lmm-062r"), posterior_of("lmm-062r")):
        assert len(model.emmeans("Diet", at={"Time": [1, 30]}).pairs()) == 3
        assert len(model.slopes("Time", "Diet")) == 3
    means = posterior_of("lmm-062r").slopes("Time", "Diet")["mean"]
    np.testing.assert_allclose(means, fit_of("lmm-062r").slopes("Time", "Diet")["slope"], atol=0.05)


SUMMARIES = {
    "satterthwaite": [
        "            Estimate Std. Error      df t value Pr(>|t|)",
        "(Intercept)  251.405      6.825  17.000  36.838  < 2e-16",
        "Days          10.467      1.546  17.000   6.771 3.26e-06",
    ],
    "none": [
        "            Estimate Std. Error t value",
        "(Intercept)  251.405      6.825  36.838",
        "Days          10.467      1.546   6.771",
    ],
}


@pytest.mark.parametrize("ddf", SUMMARIES)
def test_summaries_have_the_layout_of_lmertest(ddf: tests.Ddf) -> None:
    """The coefficients as lmerTest prints them, and as lme4 does; the heading says which tests they are."""
    lines = fit_of("lmm-003r").summary(ddf).splitlines()
    start = lines.index("Fixed effects:") + 1
    assert lines[start : start + 3] == SUMMARIES[ddf]
    said = ". t-tests use Satterthwaite's method ['lmerModLmerTest']" if ddf == "satterthwaite" else " ['lmerMod']"
    assert lines[0] == "Linear mixed model fit by REML" + said


def test_a_summary_has_tests_by_default_and_print_has_not() -> None:
    """`fit.summary()` is lmerTest's, `print(fit)` lme4's."""
    fit = fit_of("lmm-003r")
    assert fit.summary() == fit.summary("satterthwaite")
    assert str(fit) == fit.summary("none")
    assert "Kenward-Roger's method" in fit.summary("kenward-roger")
    assert "z-tests" in fit.summary("asymptotic")


def test_a_summary_without_fixed_effects() -> None:
    """Says that there are none, as lme4's does."""
    fit = lf.lmer("y ~ 0 + (1 | g)", dataset("toy"))
    assert "No fixed effect coefficients" in fit.summary()
    assert len(fit.anova()) == 0


def test_summaries_of_linear_models_are_those_of_lm() -> None:
    """Whatever the method: their tests are exact."""
    fit = lf.lmer("y ~ x", dataset("toy"))
    assert fit.summary() == fit.summary("none") == str(fit)


NEED_ROWS = {"anova", "drop1", "ranova"}
"""Kenward-Roger's method, and refits."""


@pytest.mark.parametrize("name", METHODS)
def test_a_fit_without_its_data_says_so(name: str, tmp_path: Path) -> None:
    """What needs the rows is refused with a message; the rest gives what it gave before."""
    fit = fit_of("lmm-049r")
    fit.save(tmp_path / "fit.json")
    loaded = lf.load(tmp_path / "fit.json")
    method, _ = METHODS[name]
    if name in NEED_ROWS:
        with pytest.raises(lf.LmmFormulaError, match="data"):
            method(loaded)
    elif name == "emmeans":  # by Kenward and Roger's method where there are rows
        pd.testing.assert_frame_equal(loaded.emmeans("Type").frame, fit.emmeans("Type", ddf="satterthwaite").frame)
    else:
        pd.testing.assert_frame_equal(method(loaded).frame, method(fit).frame)
