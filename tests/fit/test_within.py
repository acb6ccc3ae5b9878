"""Responses that the levels of a grouping factor tell but for very little."""

import numpy as np
import pandas as pd
import pytest

import lmmformula as lf

RNG = np.random.default_rng(1)
G = np.repeat(np.arange(20), 12)
U, V = RNG.normal(size=20), RNG.normal(size=20)
TABLE = pd.DataFrame(
    {"g": G, "h": np.tile(np.arange(12), 20), "x": RNG.normal(size=240), "w": RNG.uniform(0.5, 2, 240)}
)
NOISE = RNG.normal(size=240)


def response(size: float, slope: float = 0.0) -> pd.DataFrame:
    """Return data whose levels are whole numbers, and a little noise."""
    levels = np.round(1000 + 5 * U)[G] + slope * np.round(3 * V)[G] * TABLE["x"]
    return TABLE.assign(y=levels + size * NOISE / np.sqrt(TABLE["w"]))


@pytest.mark.parametrize("size", [1e-4, 1e-6, 1e-8, 1e-10])
@pytest.mark.parametrize("formula", ["y ~ x + (1 | g)", "y ~ 1 + (1 | g)", "y ~ x + (x | g)", "y ~ x + (x || g)"])
def test_a_residual_far_above_rounding_is_estimated(formula: str, size: float) -> None:
    """The residual is the noise, as small as it is, and the rest does not depend on it."""
    data = response(size, slope=float("(x" in formula))
    fit = lf.lmer(formula, data, weights=data["w"])
    assert fit.converged
    assert fit.sigma == pytest.approx(size, rel=0.1)
    assert fit.std_errors["(Intercept)"] == pytest.approx(np.std(np.round(1000 + 5 * U), ddof=1) / 20**0.5, rel=1e-4)
    assert fit.fitted.to_numpy() == pytest.approx(data["y"].to_numpy(), abs=6 * size)


@pytest.mark.parametrize("size", [1e-5, 1e-9])
def test_balanced_levels_have_closed_forms(size: float) -> None:
    """The mean of all rows, and the root mean square within levels."""
    data = response(size).assign(w=1.0)
    fit = lf.lmer("y ~ 1 + (1 | g)", data)
    left = data["y"] - data.groupby("g")["y"].transform("mean")
    assert fit.sigma == pytest.approx(np.sqrt((left**2).sum() / (240 - 20)), rel=1e-3)
    assert fit.fixef["(Intercept)"] == pytest.approx(data["y"].mean(), rel=1e-14)


def test_what_is_rounding_is_no_residual() -> None:
    """Levels alone are refused; noise below the last digit of the response is a verdict."""
    with pytest.raises(lf.FitError, match="fit the response exactly"):
        lf.lmer("y ~ x + (1 | g)", response(0.0))
    data = response(1e-8)
    with pytest.warns(lf.FitWarning, match="below the precision of the response"):
        lf.lmer("y ~ x + (1 | g)", data.assign(y=data["y"] + 1e9))


def test_crossed_factors_say_that_sums_do_not_reach_so_far() -> None:
    """There the message does not claim that nothing is left."""
    data = response(1e-8)
    with pytest.raises(lf.FitError, match="or all but a ten-millionth"):
        lf.lmer("y ~ x + (1 | g) + (1 | h)", data.assign(y=data["y"] + data["h"]))
