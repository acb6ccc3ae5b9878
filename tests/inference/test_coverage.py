"""Do the tests keep what they promise? Simulated from a small unbalanced design, where it matters."""

import numpy as np
import pandas as pd
import pytest

import lmmformula as lf
from lmmformula.inference.tests import Ddf, method_of, t_tests

SIMULATIONS = 1500
SIZES = [2, 2, 3, 3, 4, 5, 6, 7, 8, 8]
"""Rows of each of ten groups."""


@pytest.fixture(scope="module")
def shares() -> pd.DataFrame:
    """Return the share of tests of a true null that reject at 5 %: a row per coefficient, a column per method."""
    rng = np.random.default_rng(20)
    groups = np.repeat(np.arange(len(SIZES)), SIZES)
    data = pd.DataFrame(
        {
            "g": groups.astype(str),
            "between": rng.standard_normal(len(SIZES))[groups],
            "within": rng.standard_normal(len(groups)),
            "y": 0.0,
        }
    )
    data["y"] = rng.standard_normal(len(data))
    model = lf.Model("y ~ between + within + (1 | g)", data)
    fit = model.fit()
    methods: tuple[Ddf, ...] = ("satterthwaite", "kenward-roger", "asymptotic")
    rejected = np.zeros((len(methods), 3))
    for _ in range(SIMULATIONS):
        effects = rng.standard_normal(len(SIZES))
        again = fit.refit(effects[groups] + rng.standard_normal(len(groups)))
        for i, name in enumerate(methods):
            rejected[i] += t_tests(method_of(again, name), np.eye(3), again.fit.beta).p_value < 0.05
    return pd.DataFrame(rejected.T / SIMULATIONS, index=list(fit.fixef.index), columns=list(methods))


@pytest.mark.slow
@pytest.mark.parametrize("ddf", ["satterthwaite", "kenward-roger"])
def test_tests_reject_as_often_as_they_say(shares: pd.DataFrame, ddf: str) -> None:
    """Both approximations reject a true null in 3 to 7 % of the simulations, between groups and within."""
    assert shares[ddf].between(0.03, 0.07).all(), shares


@pytest.mark.slow
def test_z_rejects_too_often_between_groups(shares: pd.DataFrame) -> None:
    """With ten groups a normal reference is wrong for what varies between them: that is why df matter."""
    assert shares["asymptotic"]["between"] > 0.07
    assert (shares["asymptotic"] > shares["kenward-roger"]).all()
