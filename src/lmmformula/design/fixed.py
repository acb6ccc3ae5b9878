"""The fixed part of a design: X, offset and weights, of the model's data and of new data."""

from collections.abc import Sequence

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.data.table import Table
from lmmformula.design.coding.model_matrix import matrix
from lmmformula.design.columns.evaluated import Categorical, Numbers, column_of_numbers, of_column, recode
from lmmformula.design.columns.frame import Frame, at
from lmmformula.design.schema import FactorVariable, Schema
from lmmformula.errors import DataError, look_alike, printable
from lmmformula.ir.expressions import Expression, label
from lmmformula.ir.model import ModelIR
from lmmformula.ir.terms import Term


@np.errstate(all="ignore")
def fixed_matrix(ir: ModelIR, schema: Schema, table: Table) -> FloatArray:
    """
    Make the columns of X, (n, p), of new data; rows with something missing are NaN.

    Raises
    ------
    DataError
        A column is missing, or holds a level that the model has not seen.
    """
    frame = Frame(table, ir.source, known=schema.columns, states=schema.states)
    values = known_values(frame, schema, ir.fixed.terms)
    n_rows = table.n_rows
    full = matrix(schema.fixed, schema.variables, values, n=n_rows, random=False)
    return np.asfortranarray(full[:, list(schema.kept)]) if schema.aliased else full


@np.errstate(all="ignore")
def offset_values(ir: ModelIR, schema: Schema, table: Table) -> FloatArray:
    """
    Return the offset of new data, (n,): offset() terms, and the column that the argument named.

    An offset that was given as an array is known for the model's own rows only, and counts as zero.
    """
    frame = Frame(table, ir.source, known=schema.columns, states=schema.states)
    total = np.zeros(table.n_rows)
    for expression in ir.offsets:
        total = total + offset_of(frame, expression)
    if schema.offset is not None:
        total = total + column_of_numbers(Numbers(named_numbers(table, schema.offset, "offset")))
    return total


def known_values(frame: Frame, schema: Schema, terms: Sequence[Term]) -> dict[str, Numbers | Categorical]:
    """Evaluate the variables of terms on new data, factors in the levels of the model."""
    values: dict[str, Numbers | Categorical] = {}
    for expression in distinct(terms):
        name = label(expression)
        value = frame.column(expression)
        variable = schema.variables[name]
        if isinstance(variable, FactorVariable) and isinstance(value, Categorical):
            value, unseen = recode(value, variable.levels)
            if unseen:
                known = ", ".join(map(printable, variable.levels[:12]))
                listed = f"the levels are: {known}" + (", ..." if len(variable.levels) > 12 else "")
                error = DataError(
                    f"`{name}` has a level that the model has not seen: {', '.join(map(printable, unseen[:5]))}",
                    hint=look_alike(unseen[0], variable.levels) or listed,
                )
                raise at(error, expression.span, frame.source)
        values[name] = value
    return values


def distinct(terms: Sequence[Term]) -> list[Expression]:
    """List the expressions of terms, each once, in order of appearance."""
    return list(dict.fromkeys(expression for term in terms for expression in term.factors))


def term_expressions(ir: ModelIR) -> list[Expression]:
    """List the variables of all terms of a model, each once."""
    return distinct([*ir.fixed.terms, *(term for random in ir.random for term in random.terms)])


def offset_of(frame: Frame, expression: Expression) -> FloatArray:
    """Return the numbers of an offset; a constant stands for all rows."""
    value = frame.evaluate(expression)
    try:
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return np.full(frame.table.n_rows, float(value))
        return column_of_numbers(value)
    except DataError as error:
        raise at(DataError(f"the offset must be numeric: {error.message}"), expression.span, frame.source) from None


def named_numbers(table: Table, given: object, what: str) -> FloatArray:
    """Return the column that an argument such as `weights` names, or holds, as (n,) numbers."""
    if isinstance(given, str):
        try:
            return column_of_numbers(of_column(table[given]))
        except DataError as error:
            computed = "compute it first: it is a column's name, or numbers" if "(" in given or "/" in given else ""
            raise DataError(f"{what}: {error.message}", hint=computed or error.hint) from None
    if isinstance(given, (int, float)) or given is None:
        raise DataError(f"{what} must be the name of a column or an array of numbers")
    try:
        array = np.asarray(given, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        raise DataError(f"{what} must be the name of a column or an array of numbers") from None
    if array.shape != (table.n_rows,):
        raise DataError(f"{what} has shape {array.shape}, but the data have {table.n_rows} rows")
    return array
