"""The inverse metric with covariances: when there is one, what is in it, and what it is worth."""

from functools import cache

import numpy as np
import pandas as pd
import pytest

import lmmformula as lf
from lmmformula.results.posteriors.warmstart import estimates_of
from lmmformula.stan.draws import Draws
from lmmformula.stan.engines.choice import sample
from lmmformula.stan.engines.run import Run
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
    return program, starting_point(program, estimates_of(model.pilot.fit)), model


MODELS = {
    "correlated": (0.9, {}),
    "correlated, from sums": (0.9, {"data_form": "crossproducts"}),
    "correlated, conditional": (0.9, {"form": "conditional"}),
    "correlated, another factor is sampled": (0.9, {"right": "(1 | g) + (x0 | h)"}),
    "correlated less": (0.6, {}),
    "less, conditional": (0.6, {"form": "conditional"}),
    "less, another factor is sampled": (0.6, {"right": "(1 | g) + (x0 | h)"}),
    "uncorrelated": (0.0, {}),
}


@pytest.mark.parametrize("about", MODELS)
def test_covariances_are_used_where_they_are_worth_it(about: str) -> None:
    """Correlated predictors are; beside effects that are sampled only those that share most of their spread."""
    correlation, options = MODELS[about]
    assert (parts(correlation, **options)[1].dense is not None) == about.startswith("correlated")


def test_a_dense_metric_stays_affordable(monkeypatch: pytest.MonkeyPatch) -> None:
    """A step costs the number of parameters squared, so with very many the metric is diagonal whatever they share."""
    assert parts(0.9, form="conditional")[1].dense is not None
    monkeypatch.setattr("lmmformula.stan.metric.MOST", 20)
    assert parts(0.9, form="conditional")[1].dense is None


@pytest.mark.parametrize("data_form", ["rows", "crossproducts"])
def test_the_metric_holds_the_covariances_of_the_fixed_effects(data_form: str) -> None:
    """Its block of the fixed effects is vcov, of the intercept at the predictors' means; the rest is diagonal."""
    _, start, model = parts(0.9, data_form=data_form)
    assert start.dense is not None
    p = COLUMNS + 1
    at = np.eye(p)
    at[0, 1:] = model.design.X[:, 1:].mean(axis=0)
    np.testing.assert_allclose(start.dense[:p, :p], at @ model.pilot.fit.vcov @ at.T, rtol=1e-9)
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
    program, start, _ = parts(0.6)
    assert start.dense is not None
    short = {"chains": 1, "warmup": 100, "draws": 20, "seed": 7, "progress": False}
    chosen, diagonal = (sample(program, start=start, **short, **own)["sigma"] for own in ({}, {"metric": "diag_e"}))
    np.testing.assert_array_equal(chosen, diagonal)


def years(family: str = "gaussian") -> lf.Model:
    """300 rows of 30 years, with the year and its square as they stand."""
    rng = np.random.default_rng(81)
    year, group = rng.integers(1990, 2021, 300), rng.integers(0, 20, 300)
    t = (year - 2005) / 15
    mean = 1 + t - 2 * t**2 + rng.normal(size=20)[group] / 2
    y = mean + rng.normal(size=300) if family == "gaussian" else rng.poisson(np.exp(mean / 2))
    frame = pd.DataFrame({"year": year, "y": y, "g": pd.Categorical(group)})
    return lf.Model("y ~ year + I(year^2) + (1 | g)", frame, family=family)


def incomes() -> lf.Model:
    """A predictor in units in which its coefficient is of the size of 1e-6."""
    rng = np.random.default_rng(82)
    income, group = rng.normal(5e5, 2e5, size=300), rng.integers(0, 20, 300)
    y = income / 1e5 + rng.normal(size=20)[group] + rng.normal(size=300)
    return lf.Model("y ~ income + (1 | g)", pd.DataFrame({"income": income, "y": y, "g": pd.Categorical(group)}))


@pytest.mark.filterwarnings("ignore::lmmformula.SamplingWarning")  # few draws: what counts is how long steps take
@pytest.mark.parametrize("model", [years(), years("poisson"), incomes()], ids=["years", "counts of years", "incomes"])
def test_axes_that_adaptation_would_blur_are_kept(model: lf.Model) -> None:
    """What Stan adds to the variances of a metric is many times the narrowest one here; draws need few steps."""
    posterior = model.sample(chains=2, warmup=500, draws=500, seed=5, progress=False)
    assert posterior.raw.statistics["n_leapfrog"].mean() < 40
    assert posterior.diagnostics().rhat < 1.05
    compared = lf.compare(model.fit(), posterior).fixed
    np.testing.assert_array_less(np.abs(compared["in_sds"]), 0.5)


def test_only_a_metric_of_a_start_is_kept() -> None:
    """Only where warm-up adapts a metric that a start has given, and nobody has said how."""
    program = years().stan()
    start = starting_point(program, estimates_of(years().pilot.fit))
    runs: list[Run] = []

    class Recorder:
        name = "recorder"

        def sample(self, program: StanProgram, run: Run) -> Draws:
            runs.append(run)
            return sample(program, chains=1, warmup=20, draws=4, seed=1, progress=False)

    for own, options in [(start, {}), (None, {}), (start, {"metric": "unit_e"}), (start, {"adapt_engaged": False})]:
        sample(program, engine=Recorder(), start=own, **options)
    assert [run.keep_metric for run in runs] == [True, False, False, False]
