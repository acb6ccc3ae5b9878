"""Data that don't fit a formula end in a message that says what, where and what to try."""

from typing import Any

import numpy as np
import pytest

from corpus import dataset, records
from designs import design, model
from lmmformula.data.table import read_table
from lmmformula.design.build import build_design
from lmmformula.errors import DataError, FitWarning, LmmFormulaError, mark

ROWS = 30
GAUSSIAN = [r for r in records("reject") if r.get("family") in {None, "gaussian"}]
WEIGHTS = {"neg": -1.0 * np.arange(240), "short": np.ones(3), None: None}

TAKEN_HERE = {
    "rej-001": "a model without random terms is least squares",
    "rej-002": "a model without random terms is least squares",
    "rej-046": "an option of lme4 makes this an error; by default columns are dropped",
}
"""Rejections of lme4 1.1 that are models here."""


@pytest.mark.parametrize("record", GAUSSIAN, ids=lambda r: r["id"])
def test_what_lme4_rejects_is_rejected(record: dict[str, Any]) -> None:
    """A model that lme4 refuses ends in one of our errors, and what it takes is a design with its columns."""
    weights = WEIGHTS[record.get("weights_note")]
    if record["kind"] == "reject" and record["id"] not in TAKEN_HERE:
        with pytest.raises(LmmFormulaError) as caught:
            design(record["formula"], dataset(record["dataset"]), weights=weights)
        assert caught.value.message
        return
    _, made = design(record["formula"], dataset(record["dataset"]), weights=weights)
    expected = record.get("result")
    if expected:
        assert list(made.fixed_names) == expected["fixef_names"]
        assert made.nobs == expected["n"]
        assert {term.group: term.n_levels for term in made.random_terms} == expected["ngrps"]


TEXT = "text stands by itself, f, or in an interaction, f1:f2; f == 'a' compares it"


def sample(**columns: Any) -> dict[str, Any]:
    """Return a small data set, with some columns put in."""
    rng = np.random.default_rng(1)
    data = {"y": rng.normal(size=ROWS), "x": rng.normal(size=ROWS), "g": np.repeat(list("abcdef"), 5)}
    return {**data, "f": np.tile(list("uvw"), 10), "w": np.ones(ROWS), **columns}


NAN = float("nan")
DAY = np.arange(ROWS).astype("M8[D]")

BAD: list[tuple[str, dict[str, Any], dict[str, Any], str, str, str]] = [
    # formula, data, options, what is marked, message, hint
    ("y ~ X + (1 | g)", sample(), {}, "X", "no column named 'X'", "did you mean 'x'?"),
    ("y ~ x + (1 | gg)", sample(), {}, "gg", "no column named 'gg'", "the columns are: y, x, g, f, w"),
    ("y ~ x + (xx | g)", sample(), {}, "xx", "no column named 'xx'", "the columns are: y, x, g, f, w"),
    ("f ~ x + (1 | g)", sample(), {}, "f", "the response `f` must be numeric, but holds text", ""),
    ("d ~ x + (1 | g)", sample(d=DAY), {}, "d", "the response `d` must be numeric, but holds dates", ""),
    (
        "x ~ f + (1 | g)",
        sample(x=np.ones(ROWS)),
        {},
        "x",
        "the response `x` is constant in the rows used",
        "there is nothing to explain",
    ),
    ("y ~ x + (1 | g)", sample(y=[NAN] * ROWS), {}, "", "none of the 30 rows is complete; missing: y in 30 rows", ""),
    (
        "y ~ x + (1 | g)",
        sample(x=[1.0, *[NAN] * 29], g=[None, *"ab" * 14, "a"]),
        {},
        "",
        "none of the 30 rows is complete; missing: x in 29 rows, g in 1 rows",
        "",
    ),
    ("y ~ x + (1 | g)", {"y": [], "x": [], "g": []}, {}, "", "the data have no rows", ""),
    ("y ~ x + (1 | g)", {}, {}, "", "the data have no rows", ""),
    (
        "y ~ x + (1 | g)",
        sample(g=["a"] * ROWS),
        {},
        "1 | g",
        "the grouping factor 'g' has only one level in the rows used",
        "a variance between groups needs at least two groups; leave this term out",
    ),
    (
        "y ~ x + (1 | g)",
        sample(g=range(ROWS)),
        {},
        "1 | g",
        "the grouping factor 'g' has as many levels as there are rows (30)",
        "the residual does already what this term would do; leave it out",
    ),
    (
        "y ~ x + (x | g:f)",
        sample(),
        {},
        "x | g:f",
        "the term with group 'g:f' has 36 random effects (18 levels x 2 coefficients) for 30 rows",
        "its variances and that of the residual can't be told apart; simplify the term",
    ),
    (
        "y ~ f + (1 | g)",
        sample(f=["u"] * ROWS),
        {},
        "f",
        "the factor `f` has only one level in the rows used: u",
        "contrasts need at least two levels; leave it out",
    ),
    (
        "y ~ x + (1 | g)",
        sample(x=[np.inf, *range(29)]),
        {},
        "x",
        "`x` is infinite in 1 row (0, counted from 0)",
        "drop these rows, or mend the column",
    ),
    (
        "y ~ log(x) + (1 | g)",
        sample(x=np.arange(30) // 6),
        {},
        "log(x)",
        "`log(x)` is infinite in 6 rows (0, 1, 2, 3, 4, ..., counted from 0)",
        "drop these rows, or mend the column",
    ),
    ("y ~ log(f) + (1 | g)", sample(), {}, "log(f)", "text stands where numbers are needed", TEXT),
    (
        "y ~ d + (1 | g)",
        sample(d=DAY),
        {},
        "d",
        "`d` holds dates, which are neither numbers nor levels",
        "make a column of days since some day, or of text",
    ),
    (
        "y ~ I(d^2) + (1 | g)",
        sample(d=DAY),
        {},
        "d^2",
        "dates stand where numbers are needed",
        "make a column of days since some day, and use that",
    ),
    (
        "y ~ scale(w) + (1 | g)",
        sample(),
        {},
        "scale(w)",
        "a constant column can't be scaled",
        "leave it out, or use scale = FALSE",
    ),
    (
        "y ~ poly(x, 2) + (1 | g)",
        sample(x=[NAN, *range(29)]),
        {},
        "poly(x, 2)",
        "missing values are not allowed in poly()",
        "drop these rows before",
    ),
    (
        "y ~ poly(k, 3) + (1 | g)",
        sample(k=np.arange(30) % 3),
        {},
        "poly(k, 3)",
        "the degree of poly() must be below the number of different values, 3",
        "",
    ),
    (
        "y ~ bs(x, df = 2) + (1 | g)",
        sample(),
        {},
        "bs(x, df = 2)",
        "bs() of this degree has at least 3 degrees of freedom",
        "use df = 3",
    ),
    (
        "y ~ relevel(f, 'q') + (1 | g)",
        sample(),
        {},
        "relevel(f, 'q')",
        "there is no level 'q'",
        "the levels are: u, v, w",
    ),
    ("y ~ I(1) + (1 | g)", sample(), {}, "I(1)", "`I(1)` is a constant, not a column of the data", ""),
    (
        "y ~ x + offset(f) + (1 | g)",
        sample(),
        {},
        "f",
        "the offset must be numeric: text stands where numbers are needed",
        "",
    ),
    (
        "cbind(x, y) ~ f + (1 | g)",
        sample(),
        {},
        "cbind(x, y)",
        "a response of two columns needs a family of counts",
        "name one column, or choose a binomial family",
    ),
    (
        "y ~ x + (1 | g:f)",
        sample(g=["a", "a:b"] * 15, f=["b:c", "c"] * 15),
        {},
        "",
        "two levels of the interaction are both called 'a:b:c'",
        "rename levels that have a colon in them",
    ),
    ("y ~ x + (1 | g)", sample(), {"weights": "W"}, "", "weights: no column named 'W'", "did you mean 'w'?"),
    ("y ~ x + (1 | g)", sample(), {"weights": [1.0]}, "", "weights has shape (1,), but the data have 30 rows", ""),
    (
        "y ~ x + (1 | g)",
        sample(w=[0.0, *[1.0] * 29]),
        {"weights": "w"},
        "",
        "weights must be positive and finite: 1 are not, the first 0 in row 0",
        "leave out the rows whose weight is zero",
    ),
    ("y ~ x + (1 | g)", sample(), {"weights": "f"}, "", "weights: text stands where numbers are needed", TEXT),
    ("y ~ x + (1 | g)", sample(), {"offset": "f"}, "", "offset: text stands where numbers are needed", TEXT),
    ("y ~ x + (1 | g)", sample(), {"offset": 3}, "", "offset must be the name of a column or an array of numbers", ""),
    (
        "y ~ x + (1 | g)",
        sample(),
        {"na_action": "drop"},
        "",
        "na_action is 'drop'",
        "it can be 'omit', 'exclude' or 'fail'",
    ),
    (
        "y ~ x + (1 | g)",
        sample(x=[NAN, *range(29)]),
        {"na_action": "fail"},
        "",
        "values are missing: x in 1 rows",
        "na_action='omit' drops these rows",
    ),
    (
        "y ~ f + (1 | g)",
        sample(),
        {"contrasts": {"F": "sum"}},
        "",
        "contrasts are given for 'F', which is no factor of the model",
        "did you mean 'f'?",
    ),
    (
        "y ~ f + x + (1 | g)",
        sample(),
        {"contrasts": {"x": "sum"}},
        "",
        "contrasts are given for 'x', which is no factor of the model",
        "the factors are: f",
    ),
    (
        "y ~ poly(x, w, degree = 200) + (1 | g)",
        sample(),
        {},
        "poly(x, w, degree = 200)",
        "poly() would have 20300 columns",
        "",
    ),
    (
        "y ~ cut(x, 99999999) + (1 | g)",
        sample(),
        {},
        "cut(x, 99999999)",
        "a whole number of at most 10000 is needed here",
        "",
    ),
    (
        "y ~ cut(x, 3, dig.lab = -1) + (1 | g)",
        sample(),
        {},
        "cut(x, 3, dig.lab = -1)",
        "dig.lab is a number of digits, at least 1",
        "",
    ),
    (
        "y ~ bs(x, degree = 0) + (1 | g)",
        sample(),
        {},
        "bs(x, degree = 0)",
        "the degree of bs() must be at least 1",
        "",
    ),
    (
        "y ~ x + (1 | g)",
        sample(x=np.arange(30) * 1e-320),
        {},
        "",
        "`x` is too small for a float in some rows",
        "rescale its variables",
    ),
    (
        "y ~ x + (x | g)",
        sample(x=np.arange(30) * 1e160),
        {},
        "",
        "`x` is too large for a float in some rows",
        "rescale its variables",
    ),
    (
        "y ~ x + (1 | g)",
        sample(y=np.arange(30) * 1e-200),
        {},
        "y",
        "the numbers of the response `y` are too small or too large for a float",
        "rescale its variables",
    ),
    (
        "y ~ f + (1 | g)",
        sample(f=["a\ud800", "b"] * 15),
        {},
        "f",
        "column 'f' has text that is no Unicode",
        "read the data with the right encoding",
    ),
    (
        "y ~ I(f > 'u') + (1 | g)",
        sample(),
        {},
        "f > 'u'",
        "text stands where numbers are needed",
        TEXT,
    ),
    (
        "y ~ f + (1 | g)",
        sample(),
        {"contrasts": {"f": "sums"}},
        "",
        "'sums' is no kind of contrasts",
        "the kinds are: treatment, SAS, sum, helmert, poly",
    ),
    (
        "y ~ f + (1 | g)",
        sample(),
        {"contrasts": {"f": [[1.0], [2.0]]}},
        "",
        "the contrast matrix has 2 rows, but the factor has 3 levels in the rows used",
        "",
    ),
    (
        "y ~ f + (1 | g)",
        sample(),
        {"contrasts": {"f": [1, 2]}},
        "",
        "contrasts of 'f' must be a name or a matrix of numbers with one row per level",
        "the names are: treatment, SAS, sum, helmert, poly",
    ),
    (
        "y ~ f + (1 | g)",
        sample(),
        {"contrasts": "sum"},
        "",
        "contrasts must be a dictionary",
        "for example contrasts={'f': 'sum'}",
    ),
]


@pytest.mark.parametrize(
    ("formula", "data", "options", "marked", "message", "hint"), BAD, ids=[f"{case[0]} {case[4][:40]}" for case in BAD]
)
def test_data_that_do_not_fit_say_so(
    formula: str, data: dict[str, Any], options: dict[str, Any], marked: str, message: str, hint: str
) -> None:
    """Each mistake has its message, the place in the formula, and a hint."""
    with pytest.raises(DataError) as caught:
        design(formula, data, **options)
    error = caught.value
    assert error.message == message
    assert error.hint == hint
    if marked:
        assert mark(error.text, error.span).endswith("^" * len(marked))
        assert formula[error.span.start : error.span.end] == marked


@pytest.mark.parametrize(
    ("formula", "data", "warning", "rows"),
    [
        (
            "y ~ log(x) + (1 | g)",
            sample(x=[-1.0, *range(1, 30)]),
            "`log(x)` has no value where its columns have one, in 1 row (0, counted from 0)",
            29,
        ),
        (
            "sqrt(x) ~ w + (1 | g)",
            sample(x=[-1.0, -2.0, *range(28)]),
            "`sqrt(x)` has no value where its columns have one, in 2 rows (0, 1, counted from 0)",
            28,
        ),
        (
            "y ~ cut(x, c(0, 10, 20)) + (1 | g)",
            sample(x=range(30)),
            "`cut(x, c(0, 10, 20))` has no value where its columns have one, in 10 rows",
            20,
        ),
        (
            "y ~ x + I(2 * x) + (1 | g)",
            sample(),
            "the fixed effects are linearly dependent: 1 of 3 columns dropped: `I(2 * x)`",
            30,
        ),
    ],
)
def test_nothing_vanishes_unannounced(formula: str, data: dict[str, Any], warning: str, rows: int) -> None:
    """Rows that a function empties and columns that depend on others are dropped with a warning."""
    with pytest.warns(FitWarning) as caught:
        _, made = build_design(model(formula), read_table(data))
    assert any(str(w.message).startswith(warning) for w in caught)
    assert made.nobs == rows


@pytest.mark.parametrize(
    ("formula", "read", "marked", "instead"),
    [
        ("y ~ x + (x + f || g)", "(1 | g) + (0 + x | g) + (0 + f | g)", "x + f || g", "diag(x + f | g)"),
        ("y ~ x + (0 + h || f/h)", "(0 + h | h:f) + (0 + h | f)", "0 + h || f/h", "diag(0 + h | f/h)"),
        ("y ~ (poly(x, 2) || g)", "(1 | g) + (0 + poly(x, 2) | g)", "poly(x, 2) || g", "diag(poly(x, 2) | g)"),
    ],
)
def test_columns_that_a_double_bar_leaves_correlated_are_told(
    formula: str, read: str, marked: str, instead: str
) -> None:
    """lme4 splits terms and not a factor's columns; who writes || should know."""
    with pytest.warns(FitWarning) as caught:
        build_design(model(formula), read_table(sample(h=np.tile(list("pq"), 15))))
    (text,) = [str(w.message) for w in caught if "||" in str(w.message)]
    message, typed, carets, hint = text.split("\n")
    assert message.endswith(f"this is read, as in lme4, as {read}")
    assert typed.strip() == formula
    assert len(carets.strip()) == len(marked)
    assert hint == f"{instead} makes all columns independent"


@pytest.mark.parametrize("other", ["diag(x | k)", "cs(x | k)", "diag(x | k, hom = TRUE)"])
def test_a_structure_elsewhere_leaves_the_check_of_effects_on(other: str) -> None:
    """Each unstructured term is checked against the rows, whatever stands beside it; lme4 checks none then."""
    data = sample(k=np.arange(ROWS) % 5, p=np.arange(ROWS) // 2)
    with pytest.raises(DataError, match="30 random effects"):
        design(f"y ~ x + {other} + (x | p)", data)
    _, made = design("y ~ x + diag(x | p) + (1 | k)", data)
    assert max(term.n_levels * term.n_coefficients for term in made.random_terms) == ROWS


def test_a_double_bar_between_numbers_is_no_reason_to_warn() -> None:
    """Each term has one column: what was meant is what is read."""
    build_design(model("y ~ x + (x + w || g)"), read_table(sample(w=np.arange(30.0) ** 2)))


def test_missing_values_are_counted_by_column() -> None:
    """Rows with a missing value in any used column are dropped, and the design says how many of which."""
    data = sample(x=[NAN, *range(29)], g=["a", None, *["b", "c"] * 14], w=[1.0, 1.0, NAN, *[2.0] * 27])
    _, made = design("y ~ x + (1 | g)", data, weights="w")
    assert made.missing == {"x": 1, "g": 1, "(weights)": 1}
    assert made.kept_rows.tolist() == list(range(3, 30))
    assert made.n_given == 30
    assert made.weights is not None
    assert len(made.weights) == made.nobs == 27


def test_unused_columns_with_missing_values_cost_no_row() -> None:
    """A column that the model does not read loses no rows."""
    _, made = design("y ~ f + (1 | g)", sample(x=[NAN] * ROWS))
    assert made.nobs == ROWS
    assert made.missing == {}
