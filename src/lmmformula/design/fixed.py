"""The fixed part of a design: response, X, offset, weights, and which columns of X depend on others."""

from collections.abc import Sequence

import numpy as np

from lmmformula.arrays import BoolArray, FloatArray, IntArray
from lmmformula.data.table import Table
from lmmformula.design.coding import matrix
from lmmformula.design.frame import Frame, at
from lmmformula.design.schema import FactorVariable, Schema
from lmmformula.design.values import Factor, Numbers, column_of_numbers, recode
from lmmformula.errors import DataError, printable
from lmmformula.ir.model import ModelIR
from lmmformula.ir.terms import Expression, Term, label

DEPENDENT = 1e-7
"""A column depends on earlier ones if less than this part of its length is left beside them: R's qr(tol = 1e-7)."""

SAFE = 1e-4
"""Parts above this are told from cross-products, whose rounding errors are far smaller; others need more care."""

CONSTANT = 1e-13
"""A column is constant if centring leaves less than this part of its length: that is rounding."""

FAR = 1e140
"""Numbers beyond this, or below its inverse, are rescaled before they are squared."""

SAMPLE = 2048
"""Rows from which the independence of all columns is shown first: what is independent there is so everywhere."""


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


def known_values(frame: Frame, schema: Schema, terms: Sequence[Term]) -> dict[str, Numbers | Factor]:
    """Evaluate the variables of terms on new data, factors in the levels of the model."""
    values: dict[str, Numbers | Factor] = {}
    for expression in distinct(terms):
        name = label(expression)
        value = frame.column(expression)
        variable = schema.variables[name]
        if isinstance(variable, FactorVariable) and isinstance(value, Factor):
            value, unseen = recode(value, variable.levels)
            if unseen:
                known = ", ".join(map(printable, variable.levels[:12]))
                error = DataError(
                    f"`{name}` has a level that the model has not seen: {', '.join(map(printable, unseen[:5]))}",
                    hint=f"the levels are: {known}" + (", ..." if len(variable.levels) > 12 else ""),
                )
                raise at(error, expression.span, frame.source)
        values[name] = value
    return values


def distinct(terms: Sequence[Term]) -> list[Expression]:
    """List the expressions of terms, each once, in order of appearance."""
    return list(dict.fromkeys(expression for term in terms for expression in term.factors))


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
        from lmmformula.design.values import of_column

        try:
            return column_of_numbers(of_column(table[given]))
        except DataError as error:
            raise DataError(f"{what}: {error.message}", hint=error.hint) from None
    if isinstance(given, (int, float)) or given is None:
        raise DataError(f"{what} must be the name of a column or an array of numbers")
    try:
        array = np.asarray(given, dtype=np.float64)
    except (TypeError, ValueError):
        raise DataError(f"{what} must be the name of a column or an array of numbers") from None
    if array.shape != (table.n_rows,):
        raise DataError(f"{what} has shape {array.shape}, but the data have {table.n_rows} rows")
    return array


def check_weights(weights: FloatArray, rows: IntArray | None) -> None:
    """Refuse weights that are not positive and finite in the rows used."""
    used = weights if rows is None else weights[rows]
    bad = ~(used > 0) | np.isinf(used)
    if bad.any():
        first = int(np.flatnonzero(bad)[0])
        row = first if rows is None else int(rows[first])
        raise DataError(
            f"weights must be positive and finite: {int(bad.sum())} are not, the first {used[first]:g} in row {row}",
            hint="leave out the rows whose weight is zero",
        )


def independent_columns(X: FloatArray, *, intercept: bool) -> BoolArray:
    """
    Tell which columns of X do not depend linearly on earlier ones, (p,).

    Of column j, the columns before it leave the part |r_jj| / |x_j|, of the QR decomposition. Beside an intercept all
    others are centred first, so that a large mean (a year, a time in seconds) makes no column look dependent.
    """
    n, p = X.shape
    if p == 0:
        return np.ones(0, dtype=np.bool_)
    norms = np.sqrt(np.einsum("ij,ij->j", X, X))
    if norms.max() > FAR or norms.min() < 1 / FAR:  # their squares may over- or underflow
        largest = np.maximum(X.max(axis=0), -X.min(axis=0))
        if largest.max() > FAR or np.any((largest > 0) & (largest < 1 / FAR)):
            return independent_columns(X / np.where(largest > 0, largest, 1.0), intercept=intercept)
    is_large = n > 4 * SAMPLE and p < SAMPLE // 8
    if (is_large and _all_independent(X[:: n // SAMPLE], norms)) or _all_independent(X, norms):
        return np.ones(p, dtype=np.bool_)
    return _independent_by_qr(X, norms, intercept=intercept)


def _all_independent(X: FloatArray, norms: FloatArray) -> bool:
    """
    Show by the Cholesky factor of X'X that all columns are far from dependent; False says nothing.

    norms : (p,) lengths of the columns; if X is a sample of the rows, those of all rows: what other columns leave of a
        column can only grow with more rows
    """
    if X.shape[0] < X.shape[1] or not norms.all():
        return False
    gram = X.T @ X / np.outer(norms, norms)
    try:
        diagonal = np.linalg.cholesky(gram).diagonal()
    except np.linalg.LinAlgError:
        return False
    return bool(diagonal.min() > SAFE)


def _independent_by_qr(X: FloatArray, norms: FloatArray, *, intercept: bool) -> BoolArray:
    """Tell dependent columns by orthogonal decomposition: of X once, then of its small factor R column by column."""
    p = X.shape[1]
    lengths = np.where(norms > 0, 1.0, 0.0)
    scaled = X / np.where(norms > 0, norms, 1.0)
    if intercept:
        scaled[:, 1:] -= scaled[:, 1:].mean(axis=0)
        lengths = np.sqrt(np.einsum("ij,ij->j", scaled, scaled))
        lengths[lengths < CONSTANT] = 0.0
        scaled /= np.where(lengths > 0, lengths, 1.0)
    R: FloatArray = np.linalg.qr(scaled)[1]
    independent = np.zeros(p, dtype=np.bool_)
    basis = np.empty((len(R), 0))
    for j in range(p):
        rest = R[:, j].copy()
        for _ in range(2):  # a second pass removes what rounding left of the first
            rest -= basis @ (basis.T @ rest)
        left = float(np.linalg.norm(rest))
        if lengths[j] > 0 and left > DEPENDENT and basis.shape[1] < len(R):
            independent[j] = True
            basis = np.column_stack([basis, rest / left])
    return independent
