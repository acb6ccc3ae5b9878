"""What a model has learned of its data makes the same columns of new data, one row at a time if need be."""

import json
import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest

from corpus import dataset, record, records
from designs import data_of, design, design_of, model
from lmmformula.data.table import read_table
from lmmformula.design.fixed import fixed_matrix, offset_values
from lmmformula.design.random import random_columns, unseen_levels
from lmmformula.design.schema import Schema
from lmmformula.errors import DataError, FitWarning

FORMULAS = [("lformula", r["id"]) for r in records("lformula") if r["dataset"] != "InstEval"]
SAME = {"rtol": 1e-11, "atol": 1e-12}
"""A basis of one row is the same sum in another order."""


def through_json(schema: Schema) -> Schema:
    """Return the schema as it comes back from JSON."""
    return Schema.from_dict(json.loads(json.dumps(schema.to_dict())))


@pytest.mark.parametrize(("kind", "identifier"), FORMULAS)
def test_the_schema_rebuilds_the_columns_row_by_row(kind: str, identifier: str) -> None:
    """X and the random terms' columns of the training rows come back, together and one by one, also through JSON."""
    expected = record(kind, identifier)
    data = data_of(expected)
    schema, made = design_of(expected)
    schema = through_json(schema)
    ir = model(expected["formula"], tuple(data.columns))
    table = read_table(data.iloc[made.kept_rows])
    np.testing.assert_allclose(fixed_matrix(ir, schema, table), made.X, **SAME)
    for (covariates, codes), term in zip(random_columns(ir, schema, table), made.random_terms, strict=True):
        np.testing.assert_allclose(covariates, term.covariates, **SAME)
        np.testing.assert_array_equal(codes, term.codes)
    for i in (0, made.nobs // 2, made.nobs - 1):
        one = read_table(data.iloc[made.kept_rows[i : i + 1]])
        np.testing.assert_allclose(fixed_matrix(ir, schema, one), made.X[i : i + 1], **SAME)
        for (covariates, codes), term in zip(random_columns(ir, schema, one), made.random_terms, strict=True):
            np.testing.assert_allclose(covariates, term.covariates[i : i + 1], **SAME)
            assert codes[0] == term.codes[i]


@pytest.mark.parametrize(("kind", "identifier"), FORMULAS[::7])
def test_a_schema_is_json(kind: str, identifier: str) -> None:
    """A schema equals what comes back from JSON, and prints alike."""
    schema, _ = design_of(record(kind, identifier))
    assert through_json(schema) == schema
    assert str(through_json(schema)) == str(schema)


PREDICTIONS = [
    (r["id"], found)
    for r in records("predict")
    if r["fit_id"] is not None
    for found in r["predictions"]
    if found["re_form"] == "NA" and found["type"] == "link" and not found["random_only"] and found["values"] is not None
]


@pytest.mark.parametrize(
    ("identifier", "prediction"), PREDICTIONS, ids=[f"{p[0]}-{i}" for i, p in enumerate(PREDICTIONS)]
)
def test_population_predictions_are_those_of_lme4(identifier: str, prediction: dict[str, Any]) -> None:
    """X of new data times lme4's fixed effects, plus the offset, is what predict(re.form = NA) gives."""
    asked = record("predict", identifier)
    fit = record("lmm", asked["fit_id"])
    schema, _ = design_of(fit)
    new = {name: np.array(values, dtype=object) for name, values in asked["newdata"].items()}
    table = read_table(pd.DataFrame(new))
    ir = model(fit["formula"])
    beta = np.array(fit["fixef"]["values"])
    found = fixed_matrix(ir, schema, table) @ beta + offset_values(ir, schema, table)
    wanted = np.array([np.nan if value is None else value for value in prediction["values"]])
    np.testing.assert_allclose(found, wanted, rtol=1e-8)


def toy_schema() -> tuple[str, Schema]:
    """Return a formula with many kinds of variables, and its schema."""
    formula = "y ~ x + f3 + lgl + poly(z, 2) + offset(off) + (x | g:f2) + (1 | k)"
    return formula, design(formula, dataset("toy"))[0]


def toy_row(**changes: Any) -> Any:
    """Return one row of new data."""
    row = {"x": 0.5, "f3": "b", "lgl": True, "z": 2.0, "off": 1.0, "g": "g01", "f2": "lo", "k": 3}
    return read_table({name: [value] for name, value in (row | changes).items()})


@pytest.mark.parametrize("changes", [{"f3": "new"}, {"f3": "new", "x": None}])
def test_a_level_that_the_model_has_not_seen_is_an_error(changes: dict[str, Any]) -> None:
    """A fixed factor has no coefficient for a new level; the message lists those it has."""
    formula, schema = toy_schema()
    with pytest.raises(DataError) as caught:
        fixed_matrix(model(formula), schema, toy_row(**changes))
    assert caught.value.message == "`f3` has a level that the model has not seen: new"
    assert caught.value.hint == "the levels are: a, b, c"
    assert "^^" in str(caught.value)


@pytest.mark.parametrize("name", ["x", "f3", "lgl", "z"])
def test_a_missing_predictor_makes_a_missing_row(name: str) -> None:
    """What is missing in new data is missing in its row of X, and in no other way."""
    formula, schema = toy_schema()
    assert np.isnan(fixed_matrix(model(formula), schema, toy_row(**{name: None}))).any()
    assert not np.isnan(fixed_matrix(model(formula), schema, toy_row())).any()


def test_a_missing_value_of_a_basis_is_missing() -> None:
    """Bases of new data are missing where the data are, also those that refuse gaps while they learn."""
    formula = "y ~ poly(x, 2) + poly(x, 3, raw = TRUE) + bs(z) + ns(z, df = 3) + scale(x) + cut(z, 3) + (1 | g)"
    schema, _ = design(formula, dataset("toy"))
    found = fixed_matrix(model(formula), through_json(schema), read_table({"x": [None, 0.5], "z": [2.0, 2.0]}))
    assert np.isnan(found[0]).any()
    assert np.isfinite(found[1]).all()


def test_new_groups_are_told_from_missing_ones() -> None:
    """A new level has code -1 and is listed; a missing one has code -1 and no covariates."""
    formula, schema = toy_schema()
    ir = model(formula)
    (crossed, codes), (_, k_codes) = random_columns(ir, schema, toy_row(g="nobody", k=3))
    assert codes[0] == -1
    assert k_codes[0] == 2
    assert not np.isnan(crossed).any()
    assert unseen_levels(ir, schema, toy_row(g="nobody")) == {"g:f2": ("nobody:lo",)}
    assert unseen_levels(ir, schema, toy_row()) == {}
    (crossed, codes), _ = random_columns(ir, schema, toy_row(g=None))
    assert codes[0] == -1
    assert np.isnan(crossed).all()
    assert unseen_levels(ir, schema, toy_row(g=None)) == {}


def test_groups_are_matched_by_label() -> None:
    """A group trained as text is found where new data have a number, and the other way round."""
    schema, _ = design("Reaction ~ Days + (1 | Subject)", dataset("sleepstudy"))
    ir = model("Reaction ~ Days + (1 | Subject)")
    for subject in (308, 308.0, "308"):
        ((_, codes),) = random_columns(ir, schema, read_table({"Days": [1], "Subject": [subject]}))
        assert codes.tolist() == [0]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"x": "a"}, "column 'x' was numeric in the data of the model, and is text here"),
        ({"lgl": 1}, "`lgl` has a level that the model has not seen: 1"),
    ],
)
def test_a_column_keeps_its_kind(changes: dict[str, Any], message: str) -> None:
    """A column that has become something else in new data is an error."""
    formula, schema = toy_schema()
    with pytest.raises(DataError) as caught:
        fixed_matrix(model(formula), schema, toy_row(**changes))
    assert caught.value.message == message


def test_a_column_that_new_data_lack_is_named() -> None:
    """New data need the columns that the model reads, but not the response."""
    formula, schema = toy_schema()
    with pytest.raises(DataError, match="no column named 'x'"):
        fixed_matrix(model(formula), schema, read_table({"f3": ["a"]}))


def test_an_offset_argument_is_read_from_new_data_by_name() -> None:
    """The column that the argument named is added to the offset() terms."""
    schema, _ = design("y ~ x + offset(z) + (1 | g)", dataset("toy"), offset="off")
    ir = model("y ~ x + offset(z) + (1 | g)")
    assert offset_values(ir, schema, read_table({"z": [1.0, 2.0], "off": [10.0, 20.0]})).tolist() == [11.0, 22.0]


def test_factors_that_new_data_hold_in_part_keep_their_levels() -> None:
    """One row of text, of numbers or of an interval is coded by the levels of the model, not by its own."""
    formula = "y ~ chr + factor(k) + cut(z, 3) + relevel(f3, ref = 'c') + C(f4, contr.sum) + ord + (1 | g)"
    schema, made = design(formula, dataset("toy"))
    schema = through_json(schema)
    for i in (0, 7, 100):
        row = dataset("toy").iloc[[i]].astype(dict.fromkeys(("f3", "f4", "ord"), str))
        np.testing.assert_allclose(fixed_matrix(model(formula), schema, read_table(row)), made.X[[i]], **SAME)


def test_bases_go_on_outside_the_range_of_the_model() -> None:
    """Outside the boundary, bs() continues its polynomials and ns() is linear."""
    x = np.linspace(0, 1, 21)
    data = {"y": np.sin(9 * x), "x": x, "g": np.arange(21) % 3}
    formula = "y ~ bs(x, knots = c(0.3, 0.7)) + (1 | g)"
    schema, _ = design(formula, data)
    with pytest.warns(FitWarning, match=r"bs\(\): 6 of 9 values are beyond the boundary knots, 0 and 1"):
        beyond = fixed_matrix(model(formula), schema, read_table({"x": np.linspace(0.8, 1.6, 9)}))
    np.testing.assert_allclose(np.diff(beyond, n=4, axis=0), 0, atol=1e-9)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # at the boundary nothing is beyond it
        fixed_matrix(model(formula), schema, read_table({"x": [0.0, 1.0]}))
    formula = "y ~ ns(x, df = 4) + (1 | g)"
    schema, _ = design(formula, data)
    for outside in (np.linspace(1, 3, 9), np.linspace(-2, 0, 9)):
        beyond = fixed_matrix(model(formula), schema, read_table({"x": outside}))
        np.testing.assert_allclose(np.diff(beyond, n=2, axis=0), 0, atol=1e-12)


def test_a_schema_prints_what_each_thing_is() -> None:
    """The printed schema names variables, kinds, levels, columns and groups."""
    _, schema = toy_schema()
    assert str(schema).splitlines() == [
        "response: y",
        "variable: x (numeric)",
        "variable: f3 (factor, 3 levels, treatment)",
        "variable: lgl (logical, 2 levels, treatment)",
        "variable: poly(z, 2) (numeric, 2 columns)",
        "fixed: (Intercept) -> (Intercept)",
        "fixed: x -> x",
        "fixed: f3 -> f3b, f3c",
        "fixed: lgl -> lglTRUE",
        "fixed: poly(z, 2) -> poly(z, 2)1, poly(z, 2)2",
        "group: g:f2 (factor, 40 levels)",
        "random: (Intercept) -> (Intercept)",
        "random: x -> x",
        "group: k (factor, 8 levels)",
        "random: (Intercept) -> (Intercept)",
    ]
