"""The inverse metric with covariances: when there is one, what is in it, and what it is worth."""

from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pytest

import lmmformula as lf
from lmmformula.results.warmstart import estimates_of
from lmmformula.stan.engines import sample
from lmmformula.stan.generate import StanProgram
from lmmformula.stan.start import StartingPoint, starting_point

COLUMNS = 8


@cache
def frame(correlation: float) -> pd.DataFrame:
    """300 rows in 20 groups, with predictors that have one correlation."""
    rng = np.random.default_rng(80)
    common, own = rng.normal(size=(300, 1)), rng.normal(size=(300, COLUMNS))
    X = 3 + np.sqrt(correlation) * common + np.sqrt(1 - correlation) * own
    data = pd.DataFrame(X, columns=[f"x{i}" for i in range(COLUMNS)])
    group = np.arange(300) % 20
    y = X.sum(axis=1) + rng.normal(size=20)[group] + rng.normal(size=300)
    return data.assign(y=y, g=pd.Categorical(group), h=pd.Categorical(np.arange(300) // 5 % 10))


def parts(correlation: float, right: str = "(1 | g)", **options: object) -> tuple[StanProgram, StartingPoint, lf.Model]:
    """Return program and start of a model with all predictors."""
    slopes = " + ".join(f"x{i}" for i in range(COLUMNS))
    model = lf.Model(f"y ~ {slopes} + {right}", frame(correlation))
    program = model.stan(**options)
    return program, starting_point(program, estimates_of(model.reml_fit)), model


MODELS = {
    "correlated": (0.9, {}),
    "correlated, from sums": (0.9, {"data_form": "crossproducts"}),
    "uncorrelated": (0.0, {}),
    "conditional": (0.9, {"form": "conditional"}),
    "another factor is sampled": (0.9, {"right": "(1 | g) + (x0 | h)"}),
}


@pytest.mark.parametrize("about", MODELS)
def test_covariances_are_used_where_they_are_worth_it(about: str) -> None:
    """Strongly correlated predictors are, uncorrelated ones are not, and nothing is beside effects that are sampled."""
    correlation, options = MODELS[about]
    assert (parts(correlation, **options)[1].dense is not None) == about.startswith("correlated")


@pytest.mark.parametrize("data_form", ["rows", "crossproducts"])
def test_the_metric_holds_the_covariances_of_the_fixed_effects(data_form: str) -> None:
    """Its block of the fixed effects is vcov, of the intercept at the predictors' means; the rest is diagonal."""
    _, start, model = parts(0.9, data_form=data_form)
    assert start.dense is not None
    p = COLUMNS + 1
    at = np.eye(p)
    at[0, 1:] = model.design.X[:, 1:].mean(axis=0)
    np.testing.assert_allclose(start.dense[:p, :p], at @ model.reml_fit.vcov @ at.T, rtol=1e-9)
    np.testing.assert_allclose(np.diag(start.dense), start.inverse_metric, rtol=1e-9)
    rest = start.dense.copy()
    rest[:p, :p] = np.diag(np.diag(rest[:p, :p]))
    np.testing.assert_array_equal(rest, np.diag(np.diag(rest)))
    np.linalg.cholesky(start.dense)


def test_without_covariances_the_matrix_is_diagonal() -> None:
    """A dense metric that a user asks for starts from the variances where there are no covariances."""
    _, start, _ = parts(0.0)
    assert start.inverse_metric is not None
    np.testing.assert_array_equal(start.matrix, np.diag(start.inverse_metric))


STEPS = {"chains": 2, "warmup": 400, "draws": 300, "seed": 5, "progress": False}


def test_correlated_predictors_take_few_steps() -> None:
    """With the metric that is chosen a draw takes a few leapfrog steps; with a diagonal one, several times as many."""
    program, start, _ = parts(0.9)
    chosen, diagonal = (
        sample(program, start=start, **STEPS, **options).statistics["n_leapfrog"].mean()
        for options in ({}, {"metric": "diag_e"})
    )
    assert chosen < 12
    assert diagonal > 2 * chosen


@pytest.mark.parametrize("metric", ["diag_e", "dense_e", "unit_e"])
@pytest.mark.parametrize("correlation", [0.0, 0.9])
def test_every_metric_starts_warm(metric: str, correlation: float) -> None:
    """Each kind of metric is taken with a start, with covariances and without."""
    program, start, _ = parts(correlation)
    draws = sample(program, start=start, metric=metric, chains=1, warmup=160, draws=20, seed=6, progress=False)
    assert np.isfinite(draws.statistics["lp"]).all()


def test_a_short_warm_up_leaves_the_metric_diagonal() -> None:
    """Where there are too few iterations to adapt a dense metric in, it is not chosen: the draws are those without."""
    program, start, _ = parts(0.9)
    short = {"chains": 1, "warmup": 100, "draws": 20, "seed": 7, "progress": False}
    chosen, diagonal = (sample(program, start=one, **short)["sigma"] for one in (start, replace(start, dense=None)))
    np.testing.assert_array_equal(chosen, diagonal)
