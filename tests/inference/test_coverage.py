"""How often intervals hold what they are to hold, on a small unbalanced design: minutes, so in the slow tier."""

from functools import cache

import numpy as np
import pandas as pd
import pytest

import lmmformula as lf
from lmmformula.inference.intervals.interval_table import Intervals

pytestmark = pytest.mark.slow

GROUPS = 30
TRUTH = {"(Intercept)": 1.0, "x": 0.5, "sd[g, (Intercept)]": 1.0, "sigma": 1.0}
DATASETS = 600
"""A coverage of 95 % is then seen with a standard error of 0.9 %."""


def simulated_fit(rng: np.random.Generator) -> lf.LinearMixedFit:
    """Fit data drawn from the truth: 30 groups of 2 to 9 rows."""
    g = np.repeat(np.arange(GROUPS), rng.integers(2, 10, GROUPS))
    x = rng.normal(size=len(g))
    y = 1 + 0.5 * x + rng.normal(size=GROUPS)[g] + rng.normal(size=len(g))
    return lf.lmer("y ~ x + (1 | g)", pd.DataFrame({"y": y, "x": x, "g": g.astype(str)}))


@cache
def fits() -> list[lf.LinearMixedFit]:
    """Fit all data sets once."""
    rng = np.random.default_rng(2026)
    return [simulated_fit(rng) for _ in range(DATASETS)]


@pytest.mark.parametrize("label", ["(Intercept)", "x"])
def test_satterthwaites_intervals_cover_fixed_effects(label: str) -> None:
    """Bounds with Satterthwaite's degrees of freedom hold the truth in 93 to 97 of 100 data sets."""
    rows = [fit.tidy("fixed", conf_int=True).set_index("term").loc[label] for fit in fits()]
    assert 0.93 <= np.mean([row.conf_low < TRUTH[label] < row.conf_high for row in rows]) <= 0.97


def test_profile_intervals_cover() -> None:
    """Likelihood intervals of fixed effects, standard deviation and sigma hold them in 93 to 97 of 100."""
    coverage = coverage_of([fit.confint(method="profile") for fit in fits()], list(TRUTH))
    assert 0.93 <= np.mean(list(coverage.values())) <= 0.97
    assert all(0.92 <= share <= 0.98 for share in coverage.values()), coverage


def test_bootstrap_intervals_cover() -> None:
    """Percentile intervals of 400 refits hold fixed effects in 93 to 97 of 100."""
    found = [fit.confint("fixed", method="boot", n=400, seed=i) for i, fit in enumerate(fits())]
    coverage = coverage_of(found, ["(Intercept)", "x"])
    assert 0.93 <= np.mean(list(coverage.values())) <= 0.97
    assert all(0.92 <= share <= 0.98 for share in coverage.values()), coverage


def coverage_of(found: list[Intervals], labels: list[str]) -> dict[str, float]:
    """Return how often the intervals of each parameter hold the truth."""
    return {label: float(np.mean([one[label][0] < TRUTH[label] < one[label][1] for one in found])) for label in labels}


TESTED = 1000
"""Data sets without an effect: a level of 5 % is then seen with a standard error of 0.7 %."""


@cache
def found_where_nothing_is() -> dict[str, float]:
    """Return how often each method finds a difference between groups where there is none."""
    rng = np.random.default_rng(7)
    found: dict[str, list[bool]] = {"satterthwaite": [], "kenward-roger": [], "asymptotic": []}
    for _ in range(TESTED):
        g = np.repeat(np.arange(8), rng.integers(2, 6, 8))
        y = rng.normal(size=8)[g] + rng.normal(size=len(g))
        data = pd.DataFrame({"y": y, "f": np.where(g % 2 == 0, "a", "b"), "g": g.astype(str)})
        fit = lf.lmer("y ~ f + (1 | g)", data)
        for ddf, ones in found.items():
            ones.append(bool(fit.contrast("fb", ddf=ddf)["p_value"].iloc[0] < 0.05))  # type: ignore[arg-type]
    return {ddf: float(np.mean(ones)) for ddf, ones in found.items()}


@pytest.mark.parametrize("ddf", ["satterthwaite", "kenward-roger"])
def test_tests_keep_their_level(ddf: str) -> None:
    """With 4 groups of 2 to 5 rows on each side, tests at 5 % find what is not there in 3 to 7 of 100 data sets."""
    assert 0.03 <= found_where_nothing_is()[ddf] <= 0.07


def test_z_tests_find_too_much() -> None:
    """With infinite degrees of freedom the same data give half as many again: what the others are for."""
    found = found_where_nothing_is()
    assert found["asymptotic"] > 1.5 * max(found["satterthwaite"], found["kenward-roger"])


def test_prediction_intervals_cover_responses_of_new_groups() -> None:
    """95 % intervals of the population hold responses of groups that were not there."""
    rng = np.random.default_rng(1)
    inside = []
    for fit in fits():
        x = rng.normal()
        y = 1 + 0.5 * x + rng.normal() + rng.normal()
        bounds = fit.predict({"x": [x]}, random="population", interval="prediction")
        inside.append(bounds.conf_low[0] < y < bounds.conf_high[0])
    assert 0.925 <= np.mean(inside) <= 0.975
