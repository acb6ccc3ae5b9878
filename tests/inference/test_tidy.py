import sys
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import fits
import lmmformula as lf
from corpus import dataset
from lmmformula.inference.intervals.confint import confint
from lmmformula.inference.tidy import tidy

COLUMNS = [
    "effect", "group", "term", "estimate", "std_error", "statistic", "df", "p_value", "conf_low", "conf_high",
]  # fmt: skip


def test_the_columns_are_those_of_broom() -> None:
    """Estimate, error, test and bounds, for fixed effects, variance parameters and random effects."""
    fit = fits.fit_of("lmm-003r")
    assert list(tidy(fit)) == COLUMNS
    assert list(tidy(fit, conf_int=False)) == COLUMNS[:-2]
    assert list(tidy(fit, "ran_vals")) == [*COLUMNS[:2], "level", *COLUMNS[2:]]
    assert list(tidy(fit, ["ran_pars"]).term) == [
        "sd__(Intercept)", "sd__Days", "cor__(Intercept).Days", "sd__Observation",
    ]  # fmt: skip


def test_fixed_effects_have_satterthwaites_tests() -> None:
    """Sleepstudy as in lmerTest, and bounds by Student's t with these degrees of freedom."""
    row = tidy(fits.fit_of("lmm-003r"), "fixed", conf_int=True).set_index("term").loc["Days"]
    assert row.df == pytest.approx(17.0, abs=1e-3)
    assert row.p_value == pytest.approx(3.264e-6, rel=1e-3)
    assert row.conf_high - row.estimate == pytest.approx(2.109816 * row.std_error, rel=1e-4)


def test_bounds_are_those_of_the_method() -> None:
    """Profile and Wald bounds of each row are the ones that confint gives."""
    fit = fits.fit_of("lmm-003r")
    for method in ("wald", "profile"):
        found = tidy(fit, "ran_pars", conf_int=True, method=method)
        expected = confint(fit, "ran_pars", method=method)
        np.testing.assert_allclose(found.conf_low, expected.low)
        np.testing.assert_allclose(found.conf_high, expected.high)
    none = tidy(fit, "fixed", conf_int=True, ddf="none")
    np.testing.assert_allclose(none.conf_low, confint(fit, "fixed").low)
    assert none.p_value.isna().all()


def test_random_effects_have_conditional_errors() -> None:
    """One row per level and coefficient, with the conditional standard deviations of ranef(condvar=True)."""
    fit = fits.fit_of("lmm-003r")
    found = tidy(fit, "ran_vals", conf_int=True)
    modes, covariances = fit.ranef(condvar=True)
    np.testing.assert_allclose(found.estimate, modes["Subject"].to_numpy().ravel())
    np.testing.assert_allclose(found.std_error[0], np.sqrt(covariances["Subject"][0, 0, 0]))
    assert found.level[1] == "308"


def test_augment_adds_influence_when_asked() -> None:
    """Leverage and Cook's distance stand beside the residuals."""
    fit = fits.fit_of("lmm-003r")
    assert "leverage" not in fit.augment()
    assert fit.augment(influence=True).leverage.sum() == pytest.approx(29.022, abs=1e-3)


def test_unknown_choices_are_refused() -> None:
    """Effects and methods that there are not."""
    fit = fits.fit_of("lmm-003r")
    with pytest.raises(lf.FitError, match="fixed, ran_pars, ran_vals"):
        tidy(fit, "random")  # type: ignore[arg-type]
    with pytest.raises(lf.FitError, match="wald, profile, boot"):
        confint(fit, method="lrt")  # type: ignore[arg-type]


def sleepstudy() -> pd.DataFrame:
    """Sleepstudy with a column that no model needs, and a missing response in the fourth row."""
    data = dataset("sleepstudy").assign(night=pd.date_range("2020-01-01", periods=180))
    data.loc[3, "Reaction"] = np.nan
    return data


LIBRARIES = {
    "pandas": (lambda data: data, pd.DataFrame),
    "polars": (pl.from_pandas, pl.DataFrame),
    "pyarrow": (lambda data: pa.Table.from_pandas(data, preserve_index=False), pa.Table),
    "mapping": (lambda data: {name: data[name].tolist() for name in data}, pd.DataFrame),
    "a list of polars frames": (lambda data: [pl.from_pandas(data[:90]), pl.from_pandas(data[90:])], pl.DataFrame),
    "a lazy query": (lambda data: pl.from_pandas(data).lazy(), pl.DataFrame),
}


@pytest.mark.parametrize("source", LIBRARIES)
def test_frames_are_of_the_library_that_the_data_came_in(source: str) -> None:
    """Polars in, polars out; what is no data frame gives pandas; any library can be asked for."""
    convert, kind = LIBRARIES[source]
    fit = lf.Model("Reaction ~ Days + (Days | Subject)", convert(sleepstudy())).fit()
    for made in (fit.tidy(), fit.glance(), fit.tidy("fixed"), fit.tidy("ran_pars", conf_int=False)):
        assert isinstance(made, kind)
    expected = fit.tidy(frame="pandas")
    assert list(expected) == COLUMNS
    for library, wanted in (("polars", pl.DataFrame), ("pyarrow", pa.Table)):
        found = fit.tidy(frame=library)  # type: ignore[arg-type]
        assert type(found) is wanted
        again = found.to_pandas()
        assert list(again) == COLUMNS
        np.testing.assert_array_equal(again.estimate, expected.estimate)
        missing = found["p_value"].null_count
        assert (missing() if callable(missing) else missing) == 4


@pytest.mark.parametrize("na_action", ["omit", "exclude"])
@pytest.mark.parametrize("source", ["pandas", "polars", "pyarrow", "mapping"])
def test_augment_keeps_the_columns_of_the_data(source: str, na_action: Any) -> None:
    """All of them, in their order and of their types; rows that were left out too, where they are excluded."""
    convert, kind = LIBRARIES[source]
    data = convert(sleepstudy())
    fit = lf.Model("Reaction ~ Days + (Days | Subject)", data, na_action=na_action).fit()
    found = fit.augment()
    assert type(found) is kind
    names = list(found.column_names if source == "pyarrow" else found.columns)
    assert names == ["Reaction", "Days", "Subject", "night", "fitted", "population", "residual", "scaled"]
    as_pandas = found if kind is pd.DataFrame else found.to_pandas()
    rows = [i for i in range(180) if na_action == "exclude" or i != 3]
    np.testing.assert_array_equal(as_pandas["night"], sleepstudy()["night"][rows])
    np.testing.assert_allclose(as_pandas["fitted"], fit.fitted)
    assert as_pandas["fitted"].isna().sum() == (na_action == "exclude")
    if source == "pandas":
        assert list(found.index) == rows
        assert found["Subject"].dtype == data["Subject"].dtype
    if source == "polars":
        assert found["Subject"].dtype == data["Subject"].dtype
        assert found["fitted"].null_count() == (na_action == "exclude")
    assert type(fit.augment(frame="polars")) is pl.DataFrame
    assert type(fit.augment(influence=True, frame="pandas")) is pd.DataFrame


@pytest.mark.parametrize("source", ["pandas", "polars", "pyarrow"])
@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_numbers_stay_numbers_in_another_library(source: str, library: Any) -> None:
    """A pandas frame of polars' columns once held objects."""
    data = sleepstudy().assign(good=lambda d: d["Days"] > 3, count=range(180))
    fit = lf.Model("Reaction ~ Days + (Days | Subject)", LIBRARIES[source][0](data)).fit()
    found = fit.augment(frame=library)
    to_arrow = {"pandas": pa.Table.from_pandas, "polars": pl.DataFrame.to_arrow, "pyarrow": lambda table: table}
    table = to_arrow[library](found)
    types = [str(table.schema.field(name).type) for name in ("Reaction", "Days", "good", "count")]
    assert types == ["double", "double", "bool", "int64"]


def test_a_computed_column_wins_over_one_of_the_data() -> None:
    """Data with a column `fitted`, and two of one name: the one gives way, of the others there is none."""
    data = dataset("Dyestuff").assign(fitted="mine", extra=1)
    data = pd.concat([data, data[["extra"]]], axis=1)
    found = lf.Model("Yield ~ 1 + (1 | Batch)", data).fit().augment()
    assert sorted(found) == ["Batch", "Yield", "fitted", "population", "residual", "scaled"]
    assert found["fitted"].dtype == np.float64


def test_a_posterior_is_tidied_alike() -> None:
    """Means, standard deviations and quantiles under a fit's names; ran_vals by level."""
    fit, posterior = fits.fit_of("lmm-003r"), fits.posterior_of("lmm-003r")
    found = posterior.tidy()
    keys = ["effect", "group", "term"]
    pd.testing.assert_frame_equal(found[keys], fit.tidy()[keys])
    assert list(found) == COLUMNS
    draws = posterior.draws_frame()["Days"]
    row = found.set_index("term").loc["Days"]
    assert (row.estimate, row.std_error) == pytest.approx((draws.mean(), draws.std()))
    assert (row.conf_low, row.conf_high) == pytest.approx(tuple(draws.quantile([0.025, 0.975])))
    assert found[["statistic", "df", "p_value"]].isna().all(axis=None)
    levels = posterior.tidy("ran_vals", level=0.5, frame="polars")
    assert levels.columns == fit.tidy("ran_vals").columns.tolist()
    assert levels["level"].to_list() == fit.tidy("ran_vals")["level"].tolist()
    assert list(posterior.tidy("fixed", conf_int=False)) == COLUMNS[:-2]


@pytest.mark.parametrize("na_action", ["omit", "exclude"])
@pytest.mark.filterwarnings("ignore::lmmformula.SamplingWarning")
def test_rows_and_verdict_of_a_posterior(na_action: Any) -> None:
    """`augment` and `glance` as of a fit, from the draws, in the library of the data."""
    data = LIBRARIES["polars"][0](sleepstudy())
    model = lf.Model("Reaction ~ Days + (Days | Subject)", data, na_action=na_action)
    posterior = model.sample(chains=2, draws=100, warmup=100, seed=1, progress=False)
    found = posterior.augment()
    assert type(found) is pl.DataFrame
    own = ["Reaction", "Days", "Subject", "night"]
    assert found.columns == [*own, "fitted", "std_error", "population", "residual"]
    as_pandas = posterior.augment(frame="pandas")
    np.testing.assert_allclose(as_pandas["fitted"], posterior.fitted)
    np.testing.assert_allclose(as_pandas["std_error"], posterior.predict(se_fit=True)["std_error"])
    np.testing.assert_allclose(as_pandas["population"], posterior.predict(random="population"))
    np.testing.assert_allclose(as_pandas["residual"], as_pandas["Reaction"] - posterior.fitted)
    assert len(found) == (180 if na_action == "exclude" else 179)
    row = posterior.glance()
    assert type(row) is pl.DataFrame
    assert row.columns == ["nobs", "sigma", "chains", "draws", "rhat", "ess_bulk", "ess_tail", "divergent", "converged"]
    assert row.row(0)[:4] == (179, posterior.sigma, 2, 100)
    assert row["converged"].item() == posterior.diagnostics().ok


@pytest.mark.filterwarnings("ignore::lmmformula.SamplingWarning")
def test_rows_of_an_ordinal_posterior() -> None:
    """What is fitted is the number of a category."""
    data = {"y": ["a", "b", "c"] * 8, "x": list(range(24)), "g": list("wxyz") * 6}
    model = lf.Model("ordered(y) ~ x + (1 | g)", data, family="cumulative")
    found = model.sample(chains=1, draws=50, warmup=50, seed=1, progress=False).augment()
    assert found["fitted"].between(1, 3).all()
    np.testing.assert_allclose(found["residual"], [1, 2, 3] * 8 - found["fitted"])


def test_unknown_libraries_are_refused() -> None:
    """By name, with those there are; one that is not installed is named, too."""
    fit = fits.fit_of("lmm-003r")
    for call in (fit.tidy, fit.glance, fit.augment):
        with pytest.raises(lf.FitError, match="data frames of 'spark'") as refused:
            call(frame="spark")
        assert "pandas, polars, pyarrow" in refused.value.hint


def test_a_library_that_is_not_installed_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says how to install it."""
    monkeypatch.setitem(sys.modules, "polars", None)
    with pytest.raises(lf.FitError, match="polars is not installed"):
        fits.fit_of("lmm-003r").tidy(frame="polars")
