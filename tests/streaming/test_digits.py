"""Sums in parts keep their digits: large means, tiny scales, nearly dependent columns, rare levels, many parts."""

import numpy as np
import pandas as pd
import pytest

import lmmformula as lf
from lmmformula.design.parts import first_pass as learning

EXACT = 1e-9


def rows(n: int = 600, seed: int = 5) -> pd.DataFrame:
    """Rows of a plain model with intercepts and slopes by 20 groups."""
    rng = np.random.default_rng(seed)
    g = rng.integers(0, 20, n)
    x, z = rng.normal(size=n), rng.normal(size=n)
    y = 1 + 0.5 * x - 0.3 * z + rng.normal(size=20)[g] + 0.5 * rng.normal(size=20)[g] * x + rng.normal(size=n)
    return pd.DataFrame({"y": y, "x": x, "z": z, "g": g})


def cut(data: pd.DataFrame, k: int, *, by: str | None = None) -> list[pd.DataFrame]:
    """Cut into k parts; sorted by a column, so that every part differs from the others."""
    data = data if by is None else data.sort_values(by)
    return [data.iloc[own] for own in np.array_split(np.arange(len(data)), k)]


MOVES = {
    "mean 1e8": lambda d: d.assign(x=d["x"] + 1e8),
    "mean 1e8, both and the response": lambda d: d.assign(x=d["x"] + 1e8, z=d["z"] - 1e8, y=d["y"] + 1e8),
    "scale 1e-9": lambda d: d.assign(x=d["x"] * 1e-9),
    "scale 1e12": lambda d: d.assign(x=d["x"] * 1e12, y=d["y"] * 1e12),
    "a year and seconds": lambda d: d.assign(x=2000 + np.round(10 * d["x"]), z=1.6e9 + 1e4 * d["z"]),
    "nearly dependent": lambda d: d.assign(z=d["x"] + 1e-5 * d["z"]),
}


@pytest.mark.parametrize("by", [None, "x", "g", "y"])
@pytest.mark.parametrize("move", MOVES)
def test_columns_far_from_zero_lose_no_digit(move: str, by: str | None) -> None:
    """Criterion and standardised estimates agree with those of one table, however the rows are sorted."""
    data = MOVES[move](rows())
    whole = lf.Model("y ~ x + z + (x | g)", data).fit()
    fit = lf.Model("y ~ x + z + (x | g)", cut(data, 7, by=by), progress=False).fit()
    assert fit.reml_criterion == pytest.approx(whole.reml_criterion, rel=EXACT)
    steps = (fit.fixef - whole.fixef) / whole.std_errors
    np.testing.assert_allclose(steps, 0, atol=1e-6)


def test_a_sample_without_the_rare_levels_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """Coordinates come from few rows; levels, products and shifts that they lack are summed all the same."""
    monkeypatch.setattr(learning, "SAMPLE", 40)
    data = rows()
    data["f"] = np.where(np.arange(len(data)) < 3, "rare", np.where(data["z"] > 0, "up", "down"))
    data["v"] = 1e7 * (np.arange(len(data)) % 200 == 0)
    formula = "y ~ x * f + v + (x | g)"
    whole = lf.Model(formula, data).fit()
    fit = lf.Model(formula, cut(data, 5), progress=False).fit()
    np.testing.assert_allclose(fit.fixef, whole.fixef, rtol=1e-7)
    assert fit.reml_criterion == pytest.approx(whole.reml_criterion, rel=EXACT)


@pytest.mark.filterwarnings("ignore::lmmformula.FitWarning")
def test_dependent_columns_that_the_sample_lacks_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty cell of an interaction, and copies of columns, are found in the sums over all rows."""
    monkeypatch.setattr(learning, "SAMPLE", 40)
    data = rows()
    data["f"] = np.where(np.arange(len(data)) < 3, "rare", np.where(data["z"] > 0, "up", "down"))
    data["e"] = np.where(data["f"] == "rare", "q", np.where(data["x"] > 0, "p", "q"))
    data["copy"] = 3 - 2 * data["x"]
    formula = "y ~ x + copy + e * f + (1 | g)"
    whole = lf.Model(formula, data).fit()
    model = lf.Model(formula, cut(data, 5), progress=False)
    assert model.design.dropped_names == whole.design.dropped_names
    assert model.design.fixed_names == whole.design.fixed_names
    np.testing.assert_allclose(model.fit().fixef, whole.fixef, rtol=1e-7)


def test_the_order_of_summation_is_fixed() -> None:
    """Two runs over the same parts give the same bits."""
    frames = cut(rows(), 13)
    a, b = (lf.Model("y ~ x + z + (x | g)", frames, progress=False).fit() for _ in range(2))
    assert a.fixef.tolist() == b.fixef.tolist()
    assert a.reml_criterion == b.reml_criterion


@pytest.mark.parametrize(
    ("formula", "message"),
    [("I(2 * x) ~ x + (1 | g)", "fit the response exactly"), ("I(x * 0) ~ z + (1 | g)", "constant")],
)
def test_a_response_without_variation_left_is_refused(formula: str, message: str) -> None:
    """As in one table: there is nothing to estimate."""
    with pytest.raises(lf.LmmFormulaError, match=message):
        lf.Model(formula, cut(rows(), 4), progress=False)
