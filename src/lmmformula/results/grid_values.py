"""What a reference grid needs of the data: of each variable its levels, or its mean and range; from rows, or kept."""

from dataclasses import replace
from typing import NoReturn, Protocol

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.data.columns import FactorColumn
from lmmformula.data.table import Table
from lmmformula.design import summaries
from lmmformula.design.fixed import fixed_matrix
from lmmformula.design.rank import independent_columns
from lmmformula.design.summaries import ColumnSummary, Values
from lmmformula.errors import FitError, LmmFormulaError, printable
from lmmformula.results.kept import GridValues, kept_of
from lmmformula.results.rows import Estimates


class FixedModel(Estimates, Protocol):
    """A fit or a posterior, with the data it was made of."""

    @property
    def table(self) -> Table: ...  # noqa: D102


def column_summary(model: FixedModel, name: str) -> ColumnSummary:
    """Sum up a variable: what was kept of it, or what its column says."""
    grid = kept_of(model.design).grid
    if grid is not None and name in grid.columns:
        return grid.columns[name]
    known = model.design.summaries
    if known is not None:
        return known[name] if name in known else _refuse(name)
    column = model.table[name]  # which says of itself that it is not here, if it is not
    order = column.levels if isinstance(column, FactorColumn) else ()
    as_levels = name in used_as_levels(model)
    found = Values.of(column, model.design.kept_rows, as_levels=as_levels).summary(order, as_levels=as_levels)
    return found or _refuse(name)


def _refuse(name: str) -> NoReturn:
    message = f"'{printable(name)}' is used as levels and has too many values to keep of data that come in parts"
    raise FitError(message, hint="give the model a data frame that fits in memory")


def aliases(model: FixedModel) -> FloatArray:
    """Return (p, dropped) coefficients a for which the dropped columns of X are X a."""
    grid = kept_of(model.design).grid
    if grid is not None:
        return grid.aliases
    dropped = list(model.schema.aliased)
    if not dropped:
        return np.empty((model.design.n_fixed, 0))
    table, X = some_rows(model)
    columns = fixed_matrix(model.ir, replace(model.schema, aliased=()), table)[:, dropped]
    return np.asarray(np.linalg.lstsq(X, columns, rcond=None)[0], dtype=np.float64)


def some_rows(model: FixedModel) -> tuple[Table, FloatArray]:
    """
    Return rows from which it can be told how columns depend on one another, and their X.

    They are all rows used, or a sample of those that have passed by; FitError where X is not of full rank in that.
    """
    design = model.design
    if design.has_rows or design.sample_table is None:
        rows = design.kept_rows
        return model.table if len(rows) == model.table.n_rows else model.table.take(rows), design.X
    X = design.sample.X
    if not independent_columns(X, intercept=model.ir.fixed.intercept).all():
        raise FitError(
            "some fixed effects are not in the sample of the rows that was kept of data in parts",
            hint="give the model a data frame that fits in memory",
        )
    return design.sample_table, X


def grid_values(model: FixedModel) -> GridValues | None:
    """Sum up all that a reference grid may be asked; None where the rows are not there to tell."""
    if not model.design.has_rows and model.design.summaries is None:
        return kept_of(model.design).grid
    try:
        return GridValues({name: column_summary(model, name) for name in predictors(model)}, aliases(model))
    except (LmmFormulaError, np.linalg.LinAlgError):  # nor would a grid be made of these data
        return None


def fixed_variables(model: Estimates) -> list[str]:
    """List the columns of the data that the fixed part reads, offsets included."""
    return summaries.fixed_variables(model.ir, model.schema.offset)


def predictors(model: Estimates) -> list[str]:
    """List the columns that the fixed and the random terms read; those that do but name groups are not among them."""
    return summaries.predictors(model.ir, model.schema.offset)


def used_as_levels(model: Estimates) -> set[str]:
    """Return the variables that a call such as factor(k) turns into levels."""
    return summaries.used_as_levels(model.ir)
