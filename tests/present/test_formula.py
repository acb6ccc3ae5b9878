"""Formulas in headings: whole on a line where they fit, else in several."""

import pytest

import lmmformula as lf
from corpus import dataset
from lmmformula.present.formula import MOST_LINES, wrapped

LONG = "y ~ " + " + ".join(f"variable_{i}" for i in range(12)) + " + (1 + variable_1 + variable_2 | group)"

WRAPPED = {
    "y ~ x + (x | group)": ["y ~ x + (x | group)"],
    "response ~ treatment + (1 | hospital)": ["response ~ treatment +", "    (1 | hospital)"],
    "response~treatment+(1|hospital:department)": ["response~treatment+", "    (1|hospital:department)"],
    "y ~ `a + b + c + d + e` + (1 | `g h`)": ["y ~ `a + b + c + d + e` +", "    (1 | `g h`)"],
    "y ~ x + (first + second + third | group)": ["y ~ x + (first + second +", "    third | group)"],
    "y ~ poly(a_long_variable, degree = 2)": ["y ~ poly(a_long_variable,", "    degree = 2)"],
    "y ~ cut(z, c('a + b', 'c ~ d')) + x1 + x2": ["y ~ cut(z, c('a + b',", "    'c ~ d')) + x1 + x2"],
    "y ~ " + 60 * "x": ["y ~ xxxxxxxxxxxx...xxxxxxxxxxx"],
}
"""Formula -> its lines of 30 characters."""


@pytest.mark.parametrize("formula", WRAPPED)
def test_a_formula_is_cut_behind_its_operators(formula: str) -> None:
    """Between its terms where that is enough, never in quotes; a name that is wider than a line is shortened."""
    found = wrapped("", formula, width=30)
    assert found == WRAPPED[formula]


def test_all_of_a_formula_is_there() -> None:
    """But for blanks at the ends of lines; no line is wider than 80 characters."""
    lines = wrapped("Formula: ", LONG)
    assert max(map(len, lines)) <= 80
    assert " ".join(line.strip() for line in lines) == f"Formula: {LONG}"
    assert lines[-1].endswith("(1 + variable_1 + variable_2 | group)")


def test_very_long_formulas_are_cut() -> None:
    """Ten thousand terms are no heading; they are all in `ir.formula`."""
    lines = wrapped("Formula: ", "y ~ " + " + ".join(f"x{i}" for i in range(10_000)))
    assert len(lines) == MOST_LINES
    assert lines[-1] == "    ..."


def test_headings_are_wrapped() -> None:
    """Those of fits of all kinds, and of what a model is."""
    data = dataset("toy").rename(columns={"x": 40 * "x", "z": 40 * "z"})
    formula = f"y ~ {40 * 'x'} + {40 * 'z'}"
    linear, mixed = lf.Model(formula, data).fit(), lf.Model(f"{formula} + (1 | g)", data)
    for text in (str(linear), repr(linear), str(mixed.fit()), repr(mixed.fit())):
        assert f"Formula: y ~ {40 * 'x'} +\n    {40 * 'z'}" in text
    assert f"Model      y ~ {40 * 'x'} +\n           {40 * 'z'} + (1 | g)\n" in mixed.explain()
