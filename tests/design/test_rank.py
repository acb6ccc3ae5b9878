"""Which columns of X are dropped: the later ones that depend on earlier ones, to R's tolerance."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from designs import design
from lmmformula.design.rank import SAMPLE, independent_columns

RNG = np.random.default_rng(5)
N = 60
ONES, A, B = np.ones(N), RNG.normal(size=N), RNG.normal(size=N)


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ([ONES, A, B], [True, True, True]),
        ([ONES, A, 2 * A], [True, True, False]),
        ([ONES, A, A + B, B], [True, True, True, False]),
        ([ONES, 3 * ONES, A], [True, False, True]),
        ([ONES, np.zeros(N), A], [True, False, True]),
        ([ONES, A, 1e-6 * A, B], [True, True, False, True]),
        ([ONES, A, A + 1e-5 * B], [True, True, True]),
        ([ONES, A, A + 1e-9 * B], [True, True, False]),
        ([ONES, 1e8 + A, B], [True, True, True]),
        ([ONES, 1e8 + A, 1e8 + A + B, B], [True, True, True, False]),
        ([ONES, 1e-12 * A, 1e12 * B], [True, True, True]),
        ([ONES, 0.1 * ONES, 1e9 * ONES], [True, False, False]),
        ([ONES, A, 1.0 + 3e-4 * A + B, 1.0 + 3e-4 * A + B + 2e-5 * A**2], [True, True, True, True]),
        ([ONES, A, B, A + 1e-5 * B, A - B, A * B], [True, True, True, False, False, True]),
        ([ONES, A, A + 1e-5 * A * B, A * B, B], [True, True, True, False, True]),
        ([ONES, A, A + 1e-5 * A * B, A + 3e-8 * B, A * B, B], [True, True, True, False, False, True]),
        ([ONES], [True]),
        ([], []),
    ],
)
def test_dependent_columns_are_told_from_others(columns: list[np.ndarray], expected: list[bool]) -> None:
    """A column is dropped if earlier ones leave less than 1e-7 of it; neither its scale nor its mean matters."""
    X = np.asfortranarray(np.column_stack(columns)) if columns else np.empty((N, 0))
    assert independent_columns(X, intercept=True).tolist() == expected


def test_more_columns_than_rows_leave_as_many_as_rows() -> None:
    """At most n columns are independent."""
    X = RNG.normal(size=(5, 8))
    assert independent_columns(X, intercept=False).tolist() == [True] * 5 + [False] * 3


def test_many_rows_and_a_rare_column() -> None:
    """A column that a sample of the rows does not see is judged by all rows."""
    n = 5 * SAMPLE
    rare = np.zeros(n)
    rare[1] = 1.0
    X = np.column_stack([np.ones(n), np.arange(n) / n, rare, 2 * rare])
    assert independent_columns(X, intercept=True).tolist() == [True, True, True, False]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.lists(st.integers(-2, 2), min_size=3, max_size=3), min_size=1, max_size=6))
def test_as_many_columns_stay_as_the_rank(combinations: list[list[int]]) -> None:
    """Of any small combinations of three columns, as many stay as are independent, and they span the rest."""
    X = np.column_stack([ONES, A, B]) @ np.array(combinations, dtype=float).T
    kept = independent_columns(X, intercept=False)
    rank = np.linalg.matrix_rank(X)
    assert kept.sum() == rank
    assert np.linalg.matrix_rank(X[:, kept]) == rank if rank else not kept.any()


def test_empty_cells_are_dropped_by_name() -> None:
    """An interaction's cell that no row is in gives a column of zeros, which is dropped and named."""
    data = {"y": np.arange(12.0) ** 2, "f": list("aabbaabbaabb"), "g": list("pppqpppqpppq")}
    _, made = design("y ~ f * g", data)
    assert made.fixed_names == ("(Intercept)", "fb", "gq")
    assert made.dropped_names == ("fb:gq",)
