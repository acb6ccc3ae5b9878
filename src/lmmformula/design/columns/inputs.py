"""All that a model reads, evaluated and cut to the rows in which nothing is missing."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from lmmformula.arrays import BoolArray, FloatArray, IntArray
from lmmformula.data.columns import FactorColumn
from lmmformula.data.table import Table
from lmmformula.design.columns.evaluated import Categorical, Numbers, missing, restrict
from lmmformula.design.columns.frame import Frame, at
from lmmformula.design.fixed import named_numbers, offset_of, term_expressions
from lmmformula.design.random import GroupedRows, group_column, grouping
from lmmformula.design.response import categories_of, check_support, response_name, response_values
from lmmformula.design.weights import check_trials, check_weights, in_rows, prior_weights
from lmmformula.errors import DataError, is_text, printable, warn
from lmmformula.ir.expressions import Expression, Variable, label
from lmmformula.ir.model import ModelIR

SHOWN = 5
"""Rows or names that a message lists before it says '...'."""

Masks = dict[str, BoolArray]
"""Column or expression -> the rows in which it is missing, for those that are missing anywhere."""


@dataclass(frozen=True, slots=True, eq=False)
class Inputs:
    """
    A model's ingredients on the n rows used.

    frame : the expressions on all rows
    rows : positions of the rows used, None for all
    y, weights, loglik_weights, offset : (n,)
    values : the variables of the terms, by label
    groups : grouping factors, by their variables
    missing : column or expression -> number of rows in which it is missing
    categories : of an ordinal response, numbered from 1 in y
    """

    frame: Frame
    rows: IntArray | None
    y: FloatArray
    weights: FloatArray | None
    offset: FloatArray | None
    values: dict[str, Numbers | Categorical]
    groups: dict[tuple[Variable, ...], GroupedRows]
    missing: dict[str, int]
    categories: tuple[str, ...] = ()
    loglik_weights: FloatArray | None = None


def read_inputs(
    ir: ModelIR, table: Table, weights: object, offset: object, na_action: str, loglik_weights: object = None
) -> Inputs:
    """Evaluate all that a model reads, and keep the rows in which nothing is missing; there must be some."""
    if not is_text(na_action) or na_action not in {"omit", "exclude", "fail"}:
        raise DataError(f"na_action is {na_action!r:.60}", hint="it can be 'omit', 'exclude' or 'fail'")
    if not table.n_rows:
        raise DataError("the data have no rows")
    frame = Frame(table, ir.source)
    inputs = complete_cases(frame, ir, weights, offset, loglik_weights)
    refuse_missing(inputs.missing, len(inputs.y), table.n_rows, na_action)
    for expression in (*ir.response.expressions, *term_expressions(ir)):
        _tell_of_invented(frame, expression)
    return inputs


def complete_cases(frame: Frame, ir: ModelIR, weights: object, offset: object, loglik_weights: object = None) -> Inputs:
    """Evaluate all that a model reads, and keep the rows in which nothing is missing; there may be none."""
    table = frame.table
    y, trials = response_values(frame, ir.response, ir.family)
    values = {expression: frame.column(expression) for expression in term_expressions(ir)}
    prior = prior_weights(table, weights, trials, ir.response, ir.family)
    factors = None if loglik_weights is None else named_numbers(table, loglik_weights, "loglik_weights")
    known_part = total_offset(frame, ir, offset)
    columns = {v: group_column(table, v, ir.source) for term in ir.random for v in term.group}

    arguments = {"(weights)": prior, "(loglik_weights)": factors, "(offset)": known_part}
    masks = _masks(y, ir, values, columns, arguments)
    rows = np.flatnonzero(~np.logical_or.reduce(list(masks.values()))) if masks else None
    if prior is not None:
        check_weights(prior, rows)
    if factors is not None:
        check_weights(factors, rows, "loglik_weights")

    used = {label(expression): restrict(value, rows) for expression, value in values.items()}
    y = in_rows(y, rows)
    _refuse_infinite(frame, ir.response.expressions[0], y, rows)
    check_support(y, ir.response, ir.family)
    if ir.family.name == "binomial":
        check_trials(y, prior, rows, ir.response)
    categories = categories_of(frame, ir.response, y) if ir.family.ordinal else ()
    for expression in values:
        value = used[label(expression)]
        if isinstance(value, Numbers):
            _refuse_infinite(frame, expression, value.values, rows)
    return Inputs(
        frame=frame,
        rows=rows,
        y=y,
        weights=None if prior is None else in_rows(prior, rows),
        offset=None if known_part is None else in_rows(known_part, rows),
        values=used,
        groups={t.group: grouping([columns[variable] for variable in t.group], rows) for t in ir.random},
        missing={name: int(mask.sum()) for name, mask in masks.items()},
        categories=categories,
        loglik_weights=None if factors is None else in_rows(factors, rows),
    )


def refuse_missing(missing: Mapping[str, int], n_used: int, n_rows: int, na_action: str) -> None:
    """Refuse missing values where that was asked for, and data without a complete row."""
    if not missing:
        return
    counts = ", ".join(f"{printable(name)} in {count} rows" for name, count in missing.items())
    if na_action == "fail":
        raise DataError(f"values are missing: {counts}", hint="na_action='omit' drops these rows")
    if not n_used:
        raise DataError(f"none of the {n_rows} rows is complete; missing: {counts}")


def total_offset(frame: Frame, ir: ModelIR, given: object) -> FloatArray | None:
    """Add up the offset() terms and the argument `offset`, (n,); None if there is neither."""
    parts = [offset_of(frame, expression) for expression in ir.offsets]
    if given is not None:
        parts.append(named_numbers(frame.table, given, "offset"))
    total = np.add.reduce(parts) if parts else None
    if total is not None and np.isinf(total).any():
        raise DataError("the offset is infinite in some rows", hint="drop these rows, or mend the column")
    return total


def _masks(
    y: FloatArray,
    ir: ModelIR,
    values: Mapping[Expression, Numbers | Categorical],
    columns: Mapping[Variable, FactorColumn],
    arguments: Mapping[str, FloatArray | None],
) -> Masks:
    """Find what is missing where."""
    everything: dict[str, Numbers | Categorical] = {response_name(ir.response): Numbers(y)}
    everything |= {label(expression): value for expression, value in values.items()}
    everything |= {label(variable): Categorical(column.codes, column.levels) for variable, column in columns.items()}
    everything |= {name: Numbers(array) for name, array in arguments.items() if array is not None}
    return {name: mask for name, value in everything.items() if (mask := missing(value)) is not None}


def _tell_of_invented(frame: Frame, expression: Expression) -> None:
    """Warn of rows that are dropped although no value of theirs was missing in the data."""
    invented = frame.invented(expression)
    if invented is not None:
        rows = _listed(np.flatnonzero(invented))
        name = printable(label(expression))
        warn(f"`{name}` has no value where its columns have one, in {rows}; they are dropped")


def _refuse_infinite(frame: Frame, expression: Expression, values: FloatArray, rows: IntArray | None) -> None:
    if np.isfinite(values.sum()):
        return
    infinite = np.isinf(values) if values.ndim == 1 else np.isinf(values).any(axis=1)
    if infinite.any():
        places = np.flatnonzero(infinite) if rows is None else rows[infinite]
        message = f"`{printable(label(expression))}` is infinite in {_listed(places)}"
        raise at(DataError(message, hint="drop these rows, or mend the column"), expression.span, frame.source)


def _listed(places: IntArray) -> str:
    """Write how many rows there are, and the first of them."""
    return f"{len(places)} row{'s' if len(places) > 1 else ''} ({listed(places)})"


def listed(places: IntArray) -> str:
    """
    Write the first of some rows.

    >>> listed(np.arange(7))
    '0, 1, 2, 3, 4, ..., counted from 0'
    """
    return ", ".join(map(str, places[:SHOWN].tolist())) + (", ..." if len(places) > SHOWN else "") + ", counted from 0"
