"""What default priors of coefficients are scaled by: the part of a column that the others don't explain."""

import numpy as np
import pandas as pd
import pytest

import lmmformula as lf
from lmmformula.arrays import FloatArray
from lmmformula.stan.program.scales import LEAST_OWN, own_parts, spread

RNG = np.random.default_rng(90)
KELVIN = RNG.uniform(275, 305, 200)
FRAME = pd.DataFrame({
    "K": KELVIN,
    "z": RNG.normal(size=200),
    "f": RNG.choice(list("abc"), 200),
    "g": np.repeat(np.arange(20), 10),
    "y": -0.03 * (KELVIN - 292) ** 2 + RNG.normal(size=20).repeat(10) + RNG.normal(size=200),
})  # fmt: skip


def scales(formula: str, frame: object = FRAME, **options: object) -> dict[str, float]:
    """Return the scales of the default priors of b."""
    program = lf.Model(formula, frame).stan(**options)
    numbers = np.broadcast_to(program.data["prior_b_scale"], program.program.fixed.K)
    return dict(zip(program.program.fixed.labels, numbers.tolist(), strict=True))


def unexplained(X: FloatArray, j: int, *, centred: bool) -> float:
    """Return sqrt(1 - R^2) of a column, by least squares."""
    others = np.delete(X, j, axis=1)
    others = np.column_stack([others, np.ones((len(X), int(centred)))])
    left = X[:, j] - others @ np.linalg.lstsq(others, X[:, j])[0]
    return float(min(np.linalg.norm(left) / np.linalg.norm(X[:, j] - X[:, j].mean()), 1.0))


@pytest.mark.parametrize("centred", [True, False])
def test_parts_are_those_of_regressions(centred: bool) -> None:  # noqa: FBT001
    """Of each column on all the others, and on a constant beside an intercept."""
    X = RNG.normal(size=(50, 4)) @ RNG.normal(size=(4, 4)) + [0, 3, 0, 10]
    expected = [unexplained(X, j, centred=centred) for j in range(4)]
    np.testing.assert_allclose(own_parts(X, centred=centred), expected, rtol=1e-6, atol=1e-8)


def test_parts_have_no_units() -> None:
    """Columns in any unit have the same parts."""
    X = np.column_stack([KELVIN, KELVIN**2])
    np.testing.assert_array_equal(own_parts(X, centred=True), own_parts(X * [1e200, 1e-200], centred=True))


def test_a_power_far_from_zero_has_a_wide_prior() -> None:
    """K and its square say nearly the same: what each coefficient can be is wider by what little they add."""
    alone, both = scales("y ~ K + (1 | g)"), scales("y ~ K + I(K^2) + (1 | g)")
    part = unexplained(np.column_stack([KELVIN, KELVIN**2]), 0, centred=True)
    assert both["K"] == pytest.approx(alone["K"] / part, rel=1e-4)
    assert part < 0.02


def test_no_prior_is_wider_than_ten_thousand_times() -> None:
    """The floor, which third powers of years reach."""
    year = np.arange(1990.0, 2021)
    np.testing.assert_array_equal(own_parts(np.column_stack([year, year**2, year**3]), centred=True), LEAST_OWN)


def test_uncorrelated_columns_have_the_prior_that_they_have_alone() -> None:
    """To the last digit: those of poly(), and the cells of a factor without an intercept."""
    model = lf.Model("y ~ poly(K, 3) + (1 | g)", FRAME)
    alone = [2.5 * spread(FRAME["y"].to_numpy()) / spread(column) for column in model.design.X[:, 1:].T]
    assert list(scales("y ~ poly(K, 3) + (1 | g)").values()) == alone
    cells = lf.Model("y ~ 0 + f + (1 | g)", FRAME)
    assert set(cells.stan().program.fixed.own) == {1.0}


def test_intercepts_of_cells_reach_as_far_as_a_covariate_is_from_zero() -> None:
    """Beside a covariate in kelvins they are means at 0 K, and beside its deviations means at its mean."""
    far = scales("y ~ 0 + f + K + (1 | g)")
    near = scales("y ~ 0 + f + I(K - 290) + (1 | g)")
    assert far["fa"] > 10 * near["fa"]
    assert far["K"] == pytest.approx(near["I(K - 290)"], rel=0.05)


@pytest.mark.parametrize("data_form", ["rows", "crossproducts"])
def test_rows_in_another_order_or_in_parts_have_the_same_priors(data_form: str) -> None:
    """Every digit: another machine or another way of reading must not change a model."""
    formula = "y ~ K + I(K^2) + f + (1 | g)"
    expected = scales(formula)
    shuffled = FRAME.sample(frac=1, random_state=1)
    assert scales(formula, data_form=data_form) == expected
    assert scales(formula, shuffled, data_form=data_form) == pytest.approx(expected, rel=1e-12)
    assert scales(formula, [FRAME[:70], FRAME[70:]]) == pytest.approx(expected, rel=1e-12)


def test_columns_that_depend_on_others_in_these_rows_count_as_free() -> None:
    """A sample of the rows may not show what tells two columns apart, or a column that is not zero."""
    x = RNG.normal(size=20)
    assert own_parts(np.column_stack([x, 2 * x, np.zeros(20)]), centred=True).tolist() == [1, 1, 1]
    assert own_parts(np.empty((20, 0)), centred=True).tolist() == []
