"""What must not change a design: the order of rows, of columns and of levels, the library, other columns."""

from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus import dataset
from designs import design
from lmmformula.covariances.table import covariance
from lmmformula.data.columns import FactorColumn
from lmmformula.data.table import read_table
from lmmformula.design.coding.model_matrix import full_factors
from lmmformula.design.design import Design, RandomTermDesign
from lmmformula.design.random import grouping, lme4_order
from lmmformula.design.rows import TermRows

FORMULA = "y ~ f2 * f3 + poly(x, 2) + chr + (x | h) + (1 | g:f2)"
TOY = dataset("toy")


def same(found: Design, expected: Design) -> None:
    """Compare two designs."""
    assert found.fixed_names == expected.fixed_names
    np.testing.assert_allclose(found.X, expected.X, rtol=1e-12, atol=1e-13)
    np.testing.assert_array_equal(found.y, expected.y)
    for one, other in zip(found.random_terms, expected.random_terms, strict=True):
        assert (one.group, one.levels, one.coefficient_names) == (other.group, other.levels, other.coefficient_names)
        np.testing.assert_array_equal(one.codes, other.codes)
        np.testing.assert_allclose(one.covariates, other.covariates, rtol=1e-12, atol=1e-13)


@settings(max_examples=10, deadline=None)
@given(st.randoms(use_true_random=False))
def test_the_order_of_rows_orders_rows_only(random: Any) -> None:
    """A permutation of the rows permutes the rows of the design."""
    rows = list(range(len(TOY)))
    random.shuffle(rows)
    _, expected = design(FORMULA, TOY)
    _, found = design(FORMULA, TOY.iloc[rows])
    assert found.fixed_names == expected.fixed_names
    np.testing.assert_allclose(found.X, expected.X[rows], rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(found.Zt.toarray(), expected.Zt.toarray()[:, rows], rtol=1e-10, atol=1e-12)


def test_the_order_of_columns_changes_nothing() -> None:
    """The columns of the frame can be in any order, and there may be others."""
    same(design(FORMULA, TOY[sorted(TOY.columns, reverse=True)])[1], design(FORMULA, TOY)[1])


@pytest.mark.parametrize("terms", ["f2 + f3", "f2 * f3", "0 + f2:f3", "f3 + f3:f4 + x:f3", "f2 + C(f3, contr.sum)"])
def test_the_order_of_levels_does_not_change_what_X_spans(terms: str) -> None:
    """Other reference levels are another basis of the same space."""
    turned = TOY.assign(
        **{f: pd.Categorical(TOY[f], categories=list(TOY[f].cat.categories)[::-1]) for f in ("f2", "f3", "f4")}
    )
    _, one = design(f"y ~ {terms}", TOY)
    _, other = design(f"y ~ {terms}", turned)
    for X, Y in ((one.X, other.X), (other.X, one.X)):
        np.testing.assert_allclose(X @ np.linalg.lstsq(X, Y, rcond=None)[0], Y, atol=1e-10)


@pytest.mark.parametrize("library", ["polars", "pyarrow", "mapping", "lazy"])
def test_every_library_gives_the_same_design(library: str) -> None:
    """A frame of another library makes the same design, levels declared where the library can."""
    text = TOY.astype({name: str for name in TOY.columns if isinstance(TOY[name].dtype, pd.CategoricalDtype)})
    plain = {name: text[name].tolist() for name in text.columns}
    frames = {"polars": pl.DataFrame, "pyarrow": pa.table, "mapping": dict, "lazy": pl.LazyFrame}
    same(design(FORMULA, frames[library](plain))[1], design(FORMULA, text)[1])


def test_a_column_named_like_an_interaction_is_another_group() -> None:
    """The groups of a column called a:b are not those of a crossed with b."""
    data = {"y": np.arange(12.0) ** 2, "a": list("pqr") * 4, "b": list("stuv") * 3, "a:b": list("kkkkll") * 2}
    _, made = design("y ~ 1 + (1 | `a:b`) + (1 | a)", data)
    _, other = design("y ~ 1 + (1 | `a:b`) + (1 | a)", {**data, "y": np.sqrt(np.arange(12.0))})
    assert [term.n_levels for term in made.random_terms] == [3, 2]
    assert other.random_terms[1].levels == ("k", "l")
    n_rows = 4 * 12
    large = {name: list(values) * 4 for name, values in data.items()}
    _, both = design("y ~ 1 + (1 | `a:b`) + (1 | a:b)", large)
    assert both.nobs == n_rows
    assert [term.n_levels for term in both.random_terms] == [12, 2]


def test_integer_powers_do_not_overflow() -> None:
    """Numbers are floats before anything is computed of them."""
    data = {"y": np.arange(8.0), "x": np.arange(250, 258).astype(np.uint16)}
    _, made = design("y ~ I(x^9) + I(x - 300)", data)
    np.testing.assert_allclose(made.X[:, 1], np.arange(250.0, 258.0) ** 9)
    np.testing.assert_allclose(made.X[:, 2], np.arange(-50.0, -42.0))


@pytest.mark.parametrize(
    ("n_levels", "order"),
    [
        ([3, 2, 1], (0, 1, 2)),
        ([2, 2, 1], (0, 1, 2)),
        ([1, 2, 2], (2, 1, 0)),
        ([165, 20, 165, 20], (2, 0, 3, 1)),
        ([], ()),
    ],
)
def test_random_terms_are_in_the_order_of_lme4(n_levels: list[int], order: tuple[int, ...]) -> None:
    """Terms are sorted by decreasing number of levels only if they are not, and then ties are reversed."""
    assert lme4_order(n_levels) == order


factors = st.lists(st.integers(-1, 3), min_size=1, max_size=40)


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 3), st.integers(1, 40), st.integers(0, 2**32 - 1), st.booleans())
def test_crossing_is_sorted_by_levels_and_keeps_what_occurs(k: int, n: int, seed: int, nested: bool) -> None:  # noqa: FBT001
    """The levels of an interaction are the cells that occur, the first variable varying slowest."""
    rng = np.random.default_rng(seed)
    codes = [rng.integers(0, 200, n) for _ in range(k)]
    if nested and k > 1:
        codes[1] = codes[0] // 7
    columns = [
        FactorColumn(str(i), c.astype(np.intp), tuple(f"{j:03d}" for j in range(200))) for i, c in enumerate(codes)
    ]
    found = grouping(columns, None)
    labels = [":".join(f"{c[i]:03d}" for c in codes) for i in range(n)]
    assert list(found.levels) == sorted(set(labels))
    assert [found.levels[code] for code in found.codes] == labels


@pytest.mark.parametrize(
    ("terms", "intercept", "expected"),
    [
        # (terms, intercept, which factors are coded in full), factors are capitals
        (["A"], True, ["A"]),
        (["A"], False, ["A*"]),
        (["x", "A"], False, ["x", "A*"]),
        (["A", "B"], False, ["A*", "B"]),
        (["A", "B", "AB"], True, ["A", "B", "AB"]),
        (["AB"], True, ["A*B*"]),
        (["A", "AB"], True, ["A", "A*B"]),
        (["B", "AB"], True, ["B", "AB*"]),
        (["Ax"], True, ["A*x"]),
        (["x", "Ax"], True, ["x", "Ax"]),
        (["Ax", "Bx"], True, ["A*x", "Bx"]),
        (["Ax"], False, ["A*x"]),
        (["A", "B", "C", "AB", "AC", "ABC"], True, ["A", "B", "C", "AB", "AC", "A*BC"]),
        (["AB", "ABC"], True, ["A*B*", "A*B*C"]),
    ],
)
def test_factors_are_coded_by_the_rule_of_r(terms: list[str], intercept: bool, expected: list[str]) -> None:  # noqa: FBT001
    """A factor of a term is coded by contrasts if the rest of the term is inside an earlier term."""
    flags = full_factors(terms, str.isupper, intercept=intercept)
    written = [
        "".join(v + "*" * full for v, full in zip(t, fs, strict=True)) for t, fs in zip(terms, flags, strict=True)
    ]
    assert written == expected


def term(structure: Any, k: int, *, homogeneous: bool = False) -> RandomTermDesign:
    """Make a random term of k coefficients for two levels."""
    names = tuple("abc"[:k])
    codes, covariates = np.array([0, 1]), np.ones((2, k))
    rows = TermRows(codes, covariates)
    return RandomTermDesign("g", ("1", "2"), names, rows, covariance(structure, homogeneous=homogeneous))


@pytest.mark.parametrize(
    ("structure", "homogeneous", "k", "names"),
    [
        ("us", False, 2, ("g.a", "g.b.a", "g.b")),
        ("diag", False, 2, ("g.a", "g.b")),
        ("diag", True, 2, ("g.*",)),
        ("cs", False, 2, ("g.a", "g.b.a", "g.b")),
        ("cs", True, 3, ("g.a", "g.*.a", "g.b", "g.*.b", "g.c")),
        ("ar1", True, 3, ("g.a", "g.b.a", "g.c.a", "g.b", "g.c.b")),
        ("ar1", False, 2, ("g.a", "g.b.a", "g.b")),
        ("ar1", True, 1, ("g.a",)),
    ],
)
def test_theta_is_named_as_lme4_names_it(structure: str, homogeneous: bool, k: int, names: tuple[str, ...]) -> None:  # noqa: FBT001
    """Each distinct entry of the relative covariance factor has a name."""
    assert term(structure, k, homogeneous=homogeneous).theta_names == names


def test_a_model_without_random_terms_has_an_empty_zt() -> None:
    """Least squares is a model with no random effects."""
    _, made = design("y ~ x", TOY)
    assert made.Zt.shape == (0, 240)
    assert made.theta_names == ()
    assert made.n_random == 0


def test_a_table_is_read_once() -> None:
    """Design and table share the memory of a column that is used as it is."""
    table = read_table({"y": np.arange(6.0), "x": np.arange(6.0)[::-1].copy()})
    _, made = design("y ~ x", table)
    assert np.shares_memory(made.y, np.asarray(getattr(table["y"], "values", None)))
