"""What is said of a formula while it is typed: it equals what the model's design turns out to be."""

import numpy as np
import pandas as pd
import pytest

import lmmformula as lf
from corpus import dataset, record, records
from fits import data_of, model_of, usable
from lmmformula.data.table import read_table
from lmmformula.ir.written.text import random_text
from lmmformula.repl.typing.facts import ROWS_LOOKED_AT, Facts, can_group, column_text

PLAIN = [i for i in usable("lmm") if not any(record("lmm", i)[name] for name in ("weights", "offset", "contrasts"))]


def preview(formula: str, data: object) -> "lf.repl.facts.Preview":
    """Look at one formula."""
    return Facts(read_table(data)).preview(lf.parse(formula))


@pytest.mark.parametrize("identifier", PLAIN)
def test_sizes_are_those_of_the_design(identifier: str) -> None:
    """Rows, columns (before any is dropped), levels, coefficients and parameters of each model that R fitted."""
    about, design = record("lmm", identifier), model_of(identifier).design
    seen = preview(about["formula"], data_of(about))
    dropped = len(design.dropped_names)
    assert (seen.n, seen.p) == (design.nobs, design.n_fixed + dropped)
    assert len([w for w in seen.warnings if "depends on earlier ones" in w]) == dropped
    assert sum(term.n_parameters for term in seen.terms) == len(design.theta_names) == about["n_theta"]
    assert sum(term.n_coefficients * term.n_levels for term in seen.terms) == design.n_random
    assert [term.text for term in seen.terms] == [random_text(term) for term in lf.parse(about["formula"]).random]


def test_records_are_enough() -> None:
    """The test above would not hold for want of cases."""
    assert len(PLAIN) > 50 < len(records("lmm"))


WARNINGS = [
    ("y ~ x + x2 + (1 | g)", "column `x2` depends on earlier ones, and would be dropped"),
    ("y ~ x + (w | g)", "`w` is constant within each level of `g`: its slope can't vary there"),
    ("y ~ x + (f | g)", "`f` is constant within each level of `g`: its slope can't vary there"),
]


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    """Forty rows of eight groups; w and f are of groups, x2 is twice x."""
    g = np.repeat(np.arange(8), 5)
    x = np.tile([0.0, 1, 2, 3, 4], 8)
    columns = {"y": x + g % 3, "x": x, "x2": 2 * x, "g": g.astype(str), "w": g * 1.5, "f": np.where(g < 4, "a", "b")}
    return pd.DataFrame(columns)


@pytest.mark.parametrize(("formula", "warning"), WARNINGS)
def test_doubts(formula: str, warning: str, table: pd.DataFrame) -> None:
    """What a writer may not have meant is said, in one sentence."""
    assert preview(formula, table).warnings == (warning,)


def test_structures_have_few_parameters(table: pd.DataFrame) -> None:
    """Those of the covariance matrix are counted, as the model counts them, and not the entries of theta."""
    formula = "y ~ x + cs(0 + f | g, hom = TRUE)"
    (term,) = preview(formula, table).terms
    assert term.n_parameters == lf.Model(formula, table).design.n_variance_parameters == 2


def test_no_doubts(table: pd.DataFrame) -> None:
    """A sound model has no warnings."""
    assert preview("y ~ x + (x | g)", table).warnings == ()


ERRORS = [
    ("y ~ x + (1 | x:g)", "the grouping factor 'x:g' has as many levels as there are rows (40)", "1 | x:g"),
    ("y ~ x + (x + I(x^2) + I(x^3) + I(x^4) | g)", "40 random effects (8 levels x 5 coefficients) for 40 rows", ""),
    ("y ~ xx + (1 | g)", "no column named 'xx'", "xx"),
    ("f ~ x", "the response `f` must be numeric", "f"),
]


@pytest.mark.parametrize(("formula", "message", "marked"), ERRORS)
def test_errors_are_those_of_the_model(formula: str, message: str, marked: str, table: pd.DataFrame) -> None:
    """What the model would refuse is told with its place, the same as the model says it."""
    with pytest.raises(lf.LmmFormulaError) as early:
        preview(formula, table)
    with pytest.raises(lf.LmmFormulaError) as late:
        lf.Model(formula, table)
    assert message in early.value.message
    assert str(early.value) == str(late.value)
    assert marked in formula[early.value.span.start : early.value.span.end]


def test_missing_values_are_left_out() -> None:
    """As the model does, for each formula anew, although values are kept."""
    data = dataset("sleepstudy").assign(x=lambda d: d["Days"].where(d.index % 7 > 0))
    facts = Facts(read_table(data))
    for formula in ("Reaction ~ Days + (1 | Subject)", "Reaction ~ x + (1 | Subject)", "Reaction ~ Days"):
        assert facts.preview(lf.parse(formula)).n == lf.Model(formula, data).design.nobs


def test_of_many_rows_only_some_are_looked_at_for_dependence() -> None:
    """All levels are among them, so that no rare level is called dependent; how many there were is said."""
    n = 50_000
    x = np.arange(n, dtype=float)
    rare = np.where(np.arange(n) == 12_345, "rare", np.where(np.arange(n) % 2 == 0, "even", "odd"))
    data = {"y": np.sin(x), "x": x, "f": rare, "twice": 2 * x}
    assert preview("y ~ x + f", data).warnings == ()
    (warning,) = preview("y ~ x + twice + f", data).warnings
    assert "column `twice` depends on earlier ones in the 2,0" in warning
    assert ROWS_LOOKED_AT < 2_010


def test_half_typed_expressions_do_not_pile_up(table: pd.DataFrame) -> None:
    """Values are forgotten when there are too many of them."""
    facts = Facts(read_table(table))
    for i in range(300):
        facts.preview(lf.parse(f"y ~ I(x + {i})"))
    assert len(facts._frame.values) < 300


def test_columns_in_words() -> None:
    """Kind and levels, and whether a column can group."""
    data = read_table({"x": [0.5, 1.5, 2.5], "g": ["a", "b", "a"], "k": [1, 1, 2], "id": [1, 2, 3], "z": [1j, 2j, 3j]})
    assert [column_text(data, name) for name in data] == [
        "numeric", "string, 2 levels", "numeric", "numeric", "unusable",
    ]  # fmt: skip
    assert [name for name in data if can_group(data, name)] == ["g", "k"]
