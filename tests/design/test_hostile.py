"""Any formula of the corpus on columns of any kind: a design or one of our errors, and nothing else."""

import datetime as dt
import decimal
import warnings
from contextlib import suppress
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from corpus import records
from designs import design
from lmmformula.errors import DataError, FitWarning, LmmFormulaError

N = 24
NAN = float("nan")
FORMULAS = sorted({r["formula"] for r in records("lformula") if r["dataset"] == "toy"})
NAMES = ["y", "x", "z", "f2", "f3", "f4", "ord", "chr", "lgl", "g", "h", "k", "x2", "site", "plot", "sub", "f3e", "xz"]

COLUMNS: dict[str, Any] = {
    "numbers": np.linspace(-2, 3, N),
    "constant": np.ones(N),
    "zeros": np.zeros(N),
    "huge": np.linspace(1e300, 1.7e308, N),
    "tiny": np.linspace(1e-320, 1e-310, N),
    "shifted": 1e15 + np.arange(N),
    "whole": np.arange(N) % 5,
    "bytes": np.arange(N, dtype=np.uint8) * 10,
    "two values": np.arange(N) % 2,
    "gaps": np.where(np.arange(N) % 7 == 0, np.nan, np.arange(N) % 4),
    "infinite": np.where(np.arange(N) % 7 == 0, np.inf, np.arange(N) % 4),
    "nothing": [None] * N,
    "all NaN": [NAN] * N,
    "logical": np.arange(N) % 3 == 0,
    "all true": np.ones(N, dtype=bool),
    "text": ["abc"[i % 3] for i in range(N)],
    "one text": ["a"] * N,
    "texts": [f"t{i}" for i in range(N)],
    "text with gaps": [None if i % 5 == 0 else "ab"[i % 2] for i in range(N)],
    "ordered": pd.Categorical(["abc"[i % 3] for i in range(N)], categories=list("cabd"), ordered=True),
    "hostile text": [["\n\x1b[0m", "\u202e", "", "`a:b`"][i % 4] for i in range(N)],
    "unused": pd.Categorical(["a"] * N, categories=["a", "b"]),
    "days": [dt.date(2024, 1, 1 + i % 9) for i in range(N)],
    "decimals": [decimal.Decimal(i) / 3 for i in range(N)],
    "huge integers": [10**30 + i % 3 for i in range(N)],
    "mixed": [1, "a"] * (N // 2),
    "objects": [object()] * N,
    "matrix": np.zeros((N, 2)),
}


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_any_formula_on_any_columns_is_a_design_or_an_error_of_ours(data: st.DataObject) -> None:
    """No exception of a library, and no warning but ours, reaches the user; a design is finite."""
    formula = data.draw(st.sampled_from(FORMULAS))
    kinds = data.draw(st.lists(st.sampled_from(sorted(COLUMNS)), min_size=len(NAMES), max_size=len(NAMES)))
    columns = {name: COLUMNS[kind] for name, kind in zip(NAMES, kinds, strict=True)}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            warnings.simplefilter("ignore", FitWarning)
            _, made = design(formula, columns)
    except LmmFormulaError:
        return
    assert np.isfinite(made.X).all()
    assert np.isfinite(made.y).all()
    assert np.isfinite(made.Zt.data).all()
    if made.n_fixed:
        X = made.X / np.abs(made.X).max(axis=0)
        assert np.linalg.matrix_rank(X, tol=1e-13) == made.n_fixed


@pytest.mark.parametrize("kind", sorted(COLUMNS))
def test_a_column_of_any_kind_stands_anywhere(kind: str) -> None:
    """A column of each kind as response, slope, factor, group, offset or weights gives a design or our error."""
    good = {"y": COLUMNS["numbers"] ** 2, "x": COLUMNS["numbers"], "f": COLUMNS["text"], "g": COLUMNS["whole"]}
    for name, formula in [
        ("y", "y ~ x + (1 | g)"),
        ("x", "y ~ x + (x | g)"),
        ("x", "y ~ x * f + poly(x, 2) + (0 + x | g)"),
        ("x", "y ~ scale(x) + log(x) + I(x > 1) + cut(x, 3) + factor(x) + (1 | g)"),
        ("f", "y ~ f + C(f, contr.sum) + (f | g)"),
        ("g", "y ~ x + (1 | g) + (1 | f:g)"),
        ("x", "y ~ 1 + offset(x) + (1 | g)"),
    ]:
        for weights in (None, COLUMNS[kind]):
            with suppress(LmmFormulaError):
                design(formula, {**good, name: COLUMNS[kind]}, weights=weights)


def sample(**columns: Any) -> dict[str, Any]:
    """Return a small data set, with some columns put in."""
    return {"y": np.arange(30.0) ** 2, "x": np.linspace(0, 1, 30), "g": np.repeat(list("abcdef"), 5), **columns}


@pytest.mark.parametrize(
    "label",
    ["a\nb", "\x1b[31mred", "\u202edrawkcab", "x" * 10_000, "", " ", "f2", "(Intercept)", "TRUE", "`", "a:b", "NA"],
)
def test_hostile_labels_are_only_labels(label: str) -> None:
    """Whatever a level is called, the design has its column and its group."""
    data = sample(f=np.tile([label, "zz"], 15), g=np.repeat([label, "q", "r"], 10))
    schema, made = design("y ~ 0 + f + (1 | g)", data)
    assert set(made.fixed_names) == {"f" + label, "fzz"}
    assert label in made.random_terms[0].levels
    assert "\n" not in str(schema).split("variable: f ")[1].split("\n")[0]


@pytest.mark.parametrize(("formula", "limit"), [("y ~ a:b + (1 | g)", 10_000), ("y ~ x + (a:b | g)", 500)])
def test_too_many_columns_are_refused_before_they_are_made(formula: str, limit: int) -> None:
    """An interaction of two large factors is refused by the number of its columns."""
    data = {"y": np.arange(400.0), "x": np.arange(400.0), "g": np.arange(400) % 7}
    data |= {"a": np.arange(400).astype(str), "b": np.arange(400).astype(str)}
    with pytest.raises(DataError) as caught:
        design(formula, data)
    assert caught.value.message.startswith(f"the model has more than {limit} columns")
    assert caught.value.hint == "`a:b` alone has 160000"


def test_too_much_memory_is_refused_before_it_is_taken() -> None:
    """A matrix of thousands of columns for millions of rows is refused by its size."""
    n = 4_000_000
    data = {"y": np.broadcast_to(np.arange(2.0), (n // 2, 2)).ravel(), "a": np.arange(n) % 1500}
    with pytest.raises(DataError, match="would have 4000000 rows and 1500 columns: 48 GB"):
        design("y ~ factor(a)", data)


def test_deep_arithmetic_does_not_exhaust_the_stack() -> None:
    """An expression as deep as formulas may be is evaluated."""
    formula = "y ~ I(" + " + ".join(["x"] * 190) + ") + (1 | g)"
    _, made = design(formula, sample())
    np.testing.assert_allclose(made.X[:, 1], 190 * np.asarray(sample()["x"]))


def test_an_error_of_a_frame_library_is_ours() -> None:
    """What a frame library raises of its own frame is told as a DataError."""
    with pytest.raises(DataError):
        design("y ~ x + (1 | g)", pd.DataFrame({"y": [1.0, 2.0], "x": [1.0, 2.0], "g": [object(), object()]}))
