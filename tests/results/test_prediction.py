"""Predictions of new rows against R's."""

from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

import lmmformula as lf
from corpus import dataset, records
from fits import fit_of
from lmmformula.errors import DataError, FitError

WHOLE = {"NULL": "conditional", "NA": "population", "~0": "population"}
"""lme4's re.form -> our `random`; a formula there has no counterpart here."""


def new_rows(about: dict[str, Any]) -> pd.DataFrame:
    """Make the new data of a record, with R's kinds of columns: its factors are our text."""
    known = dataset(about["dataset"])
    columns = {}
    for name, values in about["newdata"].items():
        numeric = pd.api.types.is_numeric_dtype(known[name]) and not pd.api.types.is_bool_dtype(known[name])
        columns[name] = pd.Series(values, dtype=float if numeric else object)
    return pd.DataFrame(columns)


CASES = [
    pytest.param(about, wanted, id=f"{about['fit_id']}-{i}")
    for about in records("predict")
    if about["fit_id"]
    for i, wanted in enumerate(about["predictions"])
    if wanted["re_form"] in WHOLE and not wanted["random_only"] and wanted["na_action"] == "na.pass"
]


@pytest.mark.parametrize(("about", "wanted"), CASES)
def test_predictions_are_lme4s(about: dict[str, Any], wanted: dict[str, Any]) -> None:
    """Old and new levels, missing values, transformed variables, offsets: the values or the refusal of lme4."""
    fit, rows = fit_of(about["fit_id"]), new_rows(about)
    random = WHOLE[wanted["re_form"]]
    new_levels = "population" if wanted["allow_new_levels"] else "error"
    if wanted["error"]:
        with pytest.raises(DataError):
            fit.predict(rows, random=random, new_levels=new_levels)
        return
    expected = [np.nan if value is None else value for value in wanted["values"]]
    np.testing.assert_allclose(fit.predict(rows, random=random, new_levels=new_levels), expected, rtol=1e-6)


def test_prediction_of_the_old_rows_is_the_fitted_values() -> None:
    """Without new data, and with the old data given again."""
    fit = fit_of("lmm-003r")
    np.testing.assert_allclose(fit.predict(), fit.fitted)
    np.testing.assert_allclose(fit.predict(dataset("sleepstudy")), fit.fitted)
    np.testing.assert_allclose(
        fit.predict(dataset("sleepstudy"), random="population"), fit.predict(random="population")
    )


def test_predictions_keep_the_index_of_the_new_data() -> None:
    """So that they can be assigned to a column."""
    fit = fit_of("lmm-003r")
    rows = pd.DataFrame({"Days": [1.0, 2.0], "Subject": ["308", "309"]}, index=[7, 3])
    assert list(fit.predict(rows).index) == [7, 3]


def test_new_levels_are_named_in_the_refusal() -> None:
    """The message says which levels, and what to do."""
    fit = fit_of("lmm-003r")
    rows = pd.DataFrame({"Days": [1.0, 2.0], "Subject": ["308", "new"]})
    with pytest.raises(DataError, match=r"(?s)'Subject'.*has not seen: new.*new_levels"):
        fit.predict(rows)


def test_unknown_choices_are_refused() -> None:
    """A misspelt choice is an error, not a default."""
    fit = fit_of("lmm-003r")
    rows = pd.DataFrame({"Days": [1.0], "Subject": ["308"]})
    with pytest.raises(FitError, match="conditional, population"):
        fit.predict(rows, random="none")  # type: ignore[arg-type]
    with pytest.raises(FitError, match="error, population"):
        fit.predict(rows, new_levels="zero")  # type: ignore[arg-type]


def test_an_offset_given_as_an_array_is_not_known_for_new_rows() -> None:
    """Predicting as if it were zero would be wrong without a word."""
    data = dataset("toy")
    fit = lf.Model("y ~ x + (1 | g)", data, offset=data["off"].to_numpy()).fit()
    np.testing.assert_allclose(fit.predict(), fit.fitted)
    with pytest.raises(FitError, match="given as an array"):
        fit.predict(data)


def test_new_data_may_be_of_any_kind() -> None:
    """polars, or a mapping; without the group's column where random effects are left out."""
    fit = fit_of("lmm-003r")
    rows = {"Days": [1.0, 2.0], "Subject": ["308", "309"]}
    np.testing.assert_allclose(fit.predict(pl.DataFrame(rows)), fit.predict(rows))
    assert fit.predict({"Days": [0.0]}, random="population")[0] == pytest.approx(fit.fixef.iloc[0])
    with pytest.raises(DataError, match="no column named 'Subject'"):
        fit.predict({"Days": [0.0]})
