"""Linear hypotheses: how they are read, and what their tests are."""

from typing import Any

import numpy as np
import pytest

import lmmformula as lf
from corpus import dataset
from fits import fit_of, posterior_of
from lmmformula.inference.tests.anova import anova
from lmmformula.inference.tests.contrasts import contrast, label_of, linear_hypothesis, read_hypothesis

NAMES = ("(Intercept)", "x", "z", "f2b", "f2b:x")
WAYS = {
    "a text": "x - z",
    "a text with blanks": "  x - z ",
    "weights by name": {"x": 1, "z": -1},
    "weights of numpy": {"x": np.float64(1), "z": np.int64(-1)},
    "a list of texts": ["x - z"],
    "a list of weights": [{"x": 1, "z": -1}],
    "texts by label": {"difference": "x - z"},
    "a row": [0, 1, -1, 0, 0],
    "an array": np.array([[0.0, 1.0, -1.0, 0.0, 0.0]]),
    "rows": [[0, 1, -1, 0, 0]],
}


@pytest.mark.parametrize("way", WAYS)
def test_a_hypothesis_can_be_given_in_many_ways(way: str) -> None:
    """Texts, weights by name and numbers all mean the same row."""
    L, null, labels = read_hypothesis(WAYS[way], NAMES)
    np.testing.assert_array_equal(L, [[0, 1, -1, 0, 0]])
    assert null.tolist() == [0.0]
    assert labels == ["difference" if way == "texts by label" else "x - z"]


REFUSED: dict[str, tuple[Any, str]] = {
    "a name that is not there": ("x - zz", "no coefficient is named 'zz'"),
    "weights of a name that is not there": ({"zz": 1}, "no coefficient is named 'zz'"),
    "nothing": ("x - x", "no coefficient is left"),
    "an empty list": ([], "a hypothesis is"),
    "an empty dict": ({}, "no coefficient is left"),
    "too few numbers": ([1, 0], "finite numbers in 5 columns"),
    "numbers that are not": ([[0, np.nan, 0, 0, 0]], "finite numbers in 5 columns"),
    "three dimensions": (np.zeros((1, 1, 5)), "finite numbers in 5 columns"),
    "ragged rows": ([[1, 0], [1]], "finite numbers in 5 columns"),
    "a weight that is no number": ([{"x": "1"}], "must be a number"),
    "an infinite weight": ({"x": np.inf}, "must be a number"),
    "something else": (3.5, "finite numbers in 5 columns"),
    "nothing at all": (None, "finite numbers in 5 columns"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_hypothesis_is_refused(case: str) -> None:
    """Each with a message that says what is wrong."""
    given, message = REFUSED[case]
    with pytest.raises(lf.LmmFormulaError, match=message):
        read_hypothesis(given, NAMES)


def test_contradictions_are_refused() -> None:
    """`x = 0` and `2 x = 1` have no test; `x = 1` and `2 x = 2` are one hypothesis."""
    fit = fit_of("lmm-003r")
    with pytest.raises(lf.FitError, match="contradict"):
        linear_hypothesis(fit, ["Days", "2*Days = 1"])
    twice = linear_hypothesis(fit, ["Days = 1", "2*Days = 2"]).frame
    np.testing.assert_allclose(twice, linear_hypothesis(fit, "Days = 1").frame)


def test_levels_are_probabilities() -> None:
    """95 is none."""
    with pytest.raises(lf.FitError, match="level=95 is no probability"):
        contrast(fit_of("lmm-003r"), "Days", level=95)


def test_labels_read_back() -> None:
    """The label of weights is a text that means them."""
    weights = np.array([-1.0, 0.5, 0.0, -2.0, 1.0])
    label = label_of(weights, NAMES)
    assert label == "-(Intercept) + 0.5*x - 2*f2b + f2b:x"
    np.testing.assert_array_equal(read_hypothesis(label, NAMES)[0][0], weights)


@pytest.mark.parametrize("ddf", ["satterthwaite", "kenward-roger", "asymptotic"])
def test_a_joint_test_of_a_terms_columns_is_its_anova(ddf: str) -> None:
    """All coefficients of a term zero: the type II test of a term that nothing contains."""
    fit = fit_of("lmm-049r")
    table = linear_hypothesis(fit, ["TypeT2", "TypeT3", "TypeT4"], ddf=ddf).frame
    known = anova(fit, "II", ddf).frame
    for name in ("num_df", "den_df", "f", "p_value"):
        assert table[name].iloc[0] == pytest.approx(known[name].iloc[0])


def test_a_hypothesis_may_name_a_value() -> None:
    """`x = 1` compares with 1: the t statistic and the probability, not the estimate or its interval."""
    fit = fit_of("lmm-003r")
    zero, ten = (contrast(fit, text).frame.iloc[0] for text in ("Days", "Days = 10"))
    assert ten["estimate"] == zero["estimate"]
    assert (ten["conf_low"], ten["conf_high"]) == (zero["conf_low"], zero["conf_high"])
    assert ten["statistic"] == pytest.approx((zero["estimate"] - 10) / zero["std_error"])
    joint = linear_hypothesis(fit, "Days = 10").frame.iloc[0]
    assert joint["f"] == pytest.approx(ten["statistic"] ** 2)


def test_a_posterior_has_draws_of_a_contrast() -> None:
    """Mean, sd and quantiles of L beta, and the share of draws above the value that the hypothesis names."""
    posterior = posterior_of("lmm-049r")
    table = posterior.contrast(["TypeT2 - TypeT3", "TypeT4 = 1"]).frame
    beta = posterior.draws.beta.reshape(-1, 4)
    np.testing.assert_allclose(table["mean"].iloc[0], (beta[:, 1] - beta[:, 2]).mean())
    np.testing.assert_allclose(table["q2.5"].iloc[1], np.quantile(beta[:, 3], 0.025))
    np.testing.assert_allclose(table["p_above"], [(beta[:, 1] > beta[:, 2]).mean(), (beta[:, 3] > 1).mean()])
    assert list(table.index) == ["TypeT2 - TypeT3", "TypeT4 = 1"]


def test_adjusted_probabilities() -> None:
    """Bonferroni multiplies by the number of tests; Tukey is for pairs of means only."""
    fit = fit_of("lmm-049r")
    texts = ["TypeT2", "TypeT3", "TypeT4"]
    plain, adjusted = (contrast(fit, texts, adjust=how) for how in ("none", "bonferroni"))
    np.testing.assert_allclose(adjusted["p_value"], np.minimum(3 * plain["p_value"], 1))
    assert adjusted.notes == ("p values adjusted by bonferroni for 3 tests",)
    with pytest.raises(lf.FitError, match="adjust='tukey' is not known here"):
        contrast(fit, texts, adjust="tukey")


def test_coefficients_of_transformations_need_no_quotes() -> None:
    """Names with brackets, commas and operators are read as the coefficients they are."""
    names = lf.Model("y ~ poly(x, 2) + I(z^2) + log(z + 9) + f2*f3 + (1 | g)", dataset("toy")).design.fixed_names
    for i, name in enumerate(names):
        np.testing.assert_array_equal(read_hypothesis(name, names)[0][0], np.eye(len(names))[i])
    L = read_hypothesis("2*poly(x, 2)1 - log(z + 9)/4 + (Intercept) = I(z^2)", names)[0]
    np.testing.assert_array_equal(L[0, :5], [1, 2, 0, -1, -0.25])
