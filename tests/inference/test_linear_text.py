"""The reader of linear functions: what it accepts, what it refuses and where it points."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lmmformula as lf
from lmmformula.inference.tests.linear_text import read_linear

NAMES = ("(Intercept)", "x", "xz", "log(x + 1)", "VarietyGolden Rain", "f2b:x", "cond-1", "f2b", "1st")
READ = {
    "x-xz": ({"x": 1, "xz": -1}, 0),
    "x++xz": ({"x": 1, "xz": 1}, 0),
    "- -x": ({"x": 1}, 0),
    "-(x - 3*xz)/2": ({"x": -0.5, "xz": 1.5}, 0),
    "2 * 3 * x / 4": ({"x": 1.5}, 0),
    "x * (1 + 1)": ({"x": 2}, 0),
    "(Intercept) + 2*x": ({"(Intercept)": 1, "x": 2}, 0),
    "(((x)))": ({"x": 1}, 0),
    "log(x + 1) - x": ({"log(x + 1)": 1, "x": -1}, 0),
    "VarietyGolden Rain/2": ({"VarietyGolden Rain": 0.5}, 0),
    "f2b:x - f2b": ({"f2b:x": 1, "f2b": -1}, 0),
    "cond-1-x": ({"cond-1": 1, "x": -1}, 0),
    "`f2b` + `cond-1`": ({"f2b": 1, "cond-1": 1}, 0),
    "x = 1e-3": ({"x": 1}, -0.001),
    "1 = x + .5": ({"x": -1}, 0.5),
    "  x  ": ({"x": 1}, 0),
    "1st": ({"1st": 1}, 0),
}


@pytest.mark.parametrize("text", READ)
def test_readings(text: str) -> None:
    """Weights and constant of each text; of names that begin alike the longest is meant."""
    weights, constant = READ[text]
    found = read_linear(text, NAMES)
    np.testing.assert_allclose(found.weights, [weights.get(name, 0) for name in NAMES])
    assert found.constant == pytest.approx(constant)


REFUSED = {
    "x*xz": ("a product of coefficients is no linear function of them", " ^"),
    "x/0": ("only numbers other than zero can stand behind '/'", " ^"),
    "1/x": ("only numbers other than zero can stand behind '/'", " ^"),
    "x + ": ("something is missing at the end", ""),
    "": ("something is missing at the end", ""),
    "(x": ("a bracket is not closed", ""),
    "x)": ("')' can't stand here", " ^"),
    "x x": ("'x' can't stand here", "  ^"),
    "2x": ("'x' can't stand here", " ^"),
    "x = 1 = 2": ("'=' can't stand here", "      ^"),
    "x - f2c": ("no coefficient is named 'f2c'", "    ^^^"),
    "x ** 2": ("'*' can't stand here", "   ^"),
    "__import__('os')": ("no coefficient is named '__import__'", "^^^^^^^^^^"),
    "x; y": ("';' can't stand here", " ^"),
    "`x": ("'`' can't stand here", "^"),
}


@pytest.mark.parametrize("text", REFUSED)
def test_refusals(text: str) -> None:
    """One sentence that says what is wrong, and a caret where."""
    message, caret = REFUSED[text]
    with pytest.raises(lf.FormulaError, match=re.escape(message)) as caught:
        read_linear(text, NAMES)
    if caret:
        assert str(caught.value).splitlines()[2] == "    " + caret


@pytest.mark.parametrize("text", ["(" * 5000 + "x", "-" * 5000 + "x"])
def test_no_text_is_too_deep(text: str) -> None:
    """Thousands of brackets or signs inside one another are refused with a message."""
    with pytest.raises(lf.FormulaError, match="stand inside one another"):
        read_linear(text, NAMES)


def test_sums_may_be_long() -> None:
    """Thousands of terms are no depth."""
    assert read_linear("x" + "+x" * 5000, NAMES).weights[1] == 5001


@pytest.mark.parametrize("text", ["1e999*x", "x/1e-320", "1e200*1e200*x", "x = 1e999"])
def test_numbers_beyond_doubles_are_refused(text: str) -> None:
    """Nothing infinite comes out."""
    with pytest.raises(lf.FormulaError, match="too large"):
        read_linear(text, NAMES)


@given(st.text(alphabet="x z()+-*/=1.e`f2b:", max_size=20))
def test_any_text_is_read_or_refused(text: str) -> None:
    """No text raises anything but a FormulaError, or gives what is not finite."""
    try:
        found = read_linear(text, NAMES)
    except lf.FormulaError:
        return
    assert np.isfinite(found.weights).all()
