"""What parts of the data know of variables, put together, is what one table knows."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

import lmmformula as lf
from lmmformula.design.coding.levels import Levels
from lmmformula.design.parts.second_pass import FirstPass

RNG = np.random.default_rng(11)
N = 400
NUMBER = RNG.integers(0, 30, N)
DATA = pd.DataFrame(
    {
        "y": RNG.normal(size=N) + NUMBER / 10,
        "x": RNG.normal(size=N),
        "z": RNG.uniform(1, 9, N),
        "g": NUMBER,  # 10 is behind 9, not behind 1
        "h": RNG.integers(0, 6, N) / 2,
        "big": 2**60 + NUMBER.astype(np.int64),
        "text": np.array(["b", "B", "a", "10", "9"])[RNG.integers(0, 5, N)],
        "flag": RNG.random(N) < 0.3,
        "sizes": pd.Categorical.from_codes(RNG.integers(0, 3, N), ["small", "medium", "large"]),
        "grade": pd.Categorical.from_codes(RNG.integers(0, 4, N), ["d", "c", "b", "a", "never"], ordered=True),
        "day": pd.Timestamp("2020-01-30") + pd.to_timedelta(RNG.integers(0, 8, N), unit="D"),
        "w": RNG.uniform(0.5, 2, N),
    }
)  # fmt: skip
DATA.loc[[3, 77], "x"] = np.nan
DATA.loc[DATA["text"] == "9", "z"] = np.nan  # that level occurs in no complete row

FORMULAS = [
    "y ~ x + (1 | g)",
    "y ~ x + (x | big)",
    "y ~ z + text + (1 | text)",
    "y ~ 0 + sizes * x + (1 | g)",
    "y ~ grade + (1 | h)",
    "y ~ flag * x + (1 | day)",
    "y ~ x + (1 | text/g)",
    "y ~ x + (1 | sizes:flag) + (1 | g)",
    "y ~ relevel(text, ref = 'b') + (1 | g)",
    "y ~ factor(h) + (1 | g)",
    "y ~ ordered(h) + (1 | g)",
    "y ~ factor(sizes, levels = c('large', 'small', 'medium')) + (1 | g)",
    "y ~ as.numeric(sizes) + (1 | g)",
    "y ~ I(text == 'b') + C(sizes, contr.sum) + (1 | g)",
    "y ~ cut(z, c(0, 2, 5, 10)) + (1 | g)",
    "y ~ scale(x) * center(z) + (scale(x) | g)",
    "y ~ scale(log(z), scale = FALSE) + scale(x, center = FALSE) + (1 | g)",
    "scale(y) ~ scale(x, center = 1, scale = 3) + (1 | g)",
    "y ~ poly(x, 2, raw = TRUE) + (1 | g)" ,
    "y ~ bs(w, knots = c(1, 1.5), Boundary.knots = c(0, 3)) + (1 | g)",
    "y ~ x + offset(log(z)) + (1 | g)",
]  # fmt: skip


def parts(data: pd.DataFrame, seed: int) -> list[pd.DataFrame]:
    """Scatter rows over nine parts; rows of any level may be in any part."""
    place = np.random.default_rng(seed).integers(0, 9, len(data))
    return [data[place == i] for i in range(10)]


def _complete(data: pd.DataFrame, formula: str) -> pd.DataFrame:
    return data.dropna(subset=["x"]) if "poly" in formula else data  # poly() takes no missing values


@pytest.mark.filterwarnings("ignore::lmmformula.FitWarning")
@pytest.mark.parametrize(("seed", "formula"), list(enumerate(FORMULAS)))
def test_the_schema_is_that_of_one_table(seed: int, formula: str) -> None:
    """Levels and their order, states, names of columns: all is equal; means and spreads but for rounding."""
    data = _complete(DATA, formula)
    whole = lf.Model(formula, data)
    model = lf.Model(formula, parts(data, seed), progress=False)
    one, other = whole.schema.to_dict(), model.schema.to_dict()
    states, found = one.pop("states"), other.pop("states")
    assert other == one
    assert found.keys() == states.keys()
    for name, state in states.items():
        assert found[name] == (pytest.approx(state, rel=1e-13, abs=1e-15) if "scale" in state else state)
    assert model.fit().reml_criterion == pytest.approx(whole.fit().reml_criterion, rel=1e-10)


@pytest.mark.filterwarnings("ignore::lmmformula.FitWarning")
def test_weights_and_offset_are_columns() -> None:
    """Weights and offset by name are those of one table; arrays are refused."""
    options: dict[str, Any] = {"weights": "w", "offset": "z"}
    whole = lf.Model("y ~ x + (1 | g)", DATA, **options).fit()
    fit = lf.Model("y ~ x + (1 | g)", parts(DATA, 1), progress=False, **options).fit()
    assert fit.reml_criterion == pytest.approx(whole.reml_criterion, rel=1e-10)
    assert fit.loglik == pytest.approx(whole.loglik, rel=1e-10)
    with pytest.raises(lf.DataError, match="weights must be the name of a column"):
        lf.Model("y ~ x + (1 | g)", parts(DATA, 1), weights=np.ones(N))


LAWS = [
    (Levels("numbers", ("9", "10")), Levels("numbers", ("2.5", "10")), ("2.5", "9", "10")),
    (Levels("string", ("9", "b")), Levels("string", ("10", "a")), ("10", "9", "a", "b")),
    (Levels("factor", ("b", "a")), Levels("factor", ("b", "a")), ("b", "a")),
    (Levels("factor", ("b", "a")), Levels("factor", ("a", "c")), ("a", "b", "c")),
    (Levels("factor", ("d", "b"), ordered=True), Levels("factor", ("d", "c", "b"), ordered=True), ("d", "c", "b")),
    (Levels("nothing"), Levels("string", ("a",)), ("a",)),
    (Levels("date", ("2020-01-02",)), Levels("date", ("2019-12-31",)), ("2019-12-31", "2020-01-02")),
    (Levels("date", ("2020-01-02",)), Levels("date", ("2020-01-01 10:00:00",)), ("2020-01-01 10:00:00", "2020-01-02")),
    (Levels("date", ("3 days",)), Levels("date", ("10 seconds",)), ("10 seconds", "3 days")),
]


@pytest.mark.parametrize(("a", "b", "both"), LAWS)
def test_levels_add_up_in_either_order(a: Levels, b: Levels, both: tuple[str, ...]) -> None:
    """Numbers in their order, text sorted, categories as declared if all declare the same, else sorted."""
    assert (a + b).labels == both
    assert (b + a).labels == both
    assert (a + a) == a


CLASHES = [
    ({"f": ["a", "b"]}, {"f": [1.0, 2.0]}, "column 'f': it holds text in one part of the data and numbers in another"),
    (
        {"f": pd.Categorical(["a", "b"], ["a", "b"], ordered=True)},
        {"f": pd.Categorical(["b", "a"], ["b", "a"], ordered=True)},
        "its ordered categories differ",
    ),
]


@pytest.mark.parametrize(("a", "b", "message"), CLASHES)
def test_parts_that_contradict_each_other_are_refused(a: dict[str, Any], b: dict[str, Any], message: str) -> None:
    """What one part says of a column must be what the others say."""
    frames = [pd.DataFrame({"y": [1.0, 2.0]} | part) for part in (a, b)]
    with pytest.raises(lf.DataError, match=message):
        lf.Model("y ~ f", frames, progress=False)


@pytest.mark.filterwarnings("ignore::lmmformula.FitWarning")
def test_a_first_pass_reads_back_from_json() -> None:
    """What the second pass must know of the first survives JSON, number by number."""
    import json

    from lmmformula.data.chunks.sources import as_chunks
    from lmmformula.design.parts.first_pass import Plan
    from lmmformula.design.parts.passes import Passes, StreamSettings
    from lmmformula.design.parts.two_passes import first_pass

    chunks = as_chunks(parts(DATA, 2))
    assert chunks is not None
    plan = Plan(lf.parse("y ~ scale(x) * sizes + (x | text/g)"), weights="w")
    found = first_pass(plan, Passes(chunks, plan.columns, StreamSettings(progress=False)), None, "omit")
    text = json.dumps(found.to_dict())
    back = FirstPass.read(json.loads(text), found.arrays())
    assert json.dumps(back.to_dict()) == text
    assert (back.ir, back.schema) == (found.ir, found.schema)
    np.testing.assert_array_equal(back.sample().X, found.sample().X)


def test_columns_that_a_double_bar_leaves_correlated_are_told_of() -> None:
    """`(f || g)` warns of data in parts as it does of a frame."""
    rng = np.random.default_rng(1)
    columns = {"y": rng.standard_normal(90), "f": list("abc") * 30, "g": [f"g{i % 9}" for i in range(90)]}
    frame = pd.DataFrame(columns)
    with pytest.warns(lf.FitWarning, match="separates terms, not the columns"):
        lf.Model("y ~ f + (f || g)", [frame.iloc[:50], frame.iloc[50:]])
