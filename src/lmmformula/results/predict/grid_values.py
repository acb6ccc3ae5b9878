"""What a reference grid needs of the data: of each variable its levels, or its mean and range; from rows, or kept."""

from typing import NoReturn

import numpy as np

from lmmformula.arrays import FloatArray
from lmmformula.data.columns import FactorColumn
from lmmformula.design.columns import summaries
from lmmformula.design.columns.frame import Frame
from lmmformula.design.columns.summaries import ColumnSummary, PartialSummary
from lmmformula.design.fixed import offset_of
from lmmformula.errors import FitError, LmmFormulaError, printable
from lmmformula.ir.expressions import variables
from lmmformula.results.estimates import Specified
from lmmformula.results.files.kept_numbers import GridValues, kept_of
from lmmformula.results.predict.rows import aliases


def column_summary(model: Specified, name: str) -> ColumnSummary:
    """Sum up a variable: what was kept of it, or what its column says."""
    grid = kept_of(model.design).grid
    if grid is not None and name in grid.columns:
        return grid.columns[name]
    if (sums := model.design.sums) is not None:
        known = sums.summaries
        return known[name] if name in known else _refuse(name)
    column = model.table[name]  # which says of itself that it is not here, if it is not
    order = column.levels if isinstance(column, FactorColumn) else ()
    as_levels = name in used_as_levels(model)
    found = PartialSummary.of(column, model.design.kept_rows, as_levels=as_levels).summary(order, as_levels=as_levels)
    return found or _refuse(name)


def _refuse(name: str) -> NoReturn:
    message = f"'{printable(name)}' is used as levels and has too many values to keep of data that come in parts"
    raise FitError(message, hint="give the model a data frame that fits in memory")


def offset_variables(model: Specified) -> list[frozenset[str]]:
    """List the variables of each offset() term, and last those of the argument `offset`."""
    terms = [frozenset(variable.name for variable in variables(term)) for term in model.ir.offsets]
    return [*terms, frozenset() if model.schema.offset is None else frozenset([model.schema.offset])]


def offset_means(model: Specified) -> FloatArray | None:
    """Return the means over the rows of each offset() term and, last, of the argument; None where nobody knows them."""
    if not model.design.has_rows:
        grid = kept_of(model.design).grid
        return None if grid is None else grid.offsets
    frame = Frame(model.table, model.ir.source, known=model.schema.columns, states=model.schema.states)
    rows = model.design.kept_rows
    terms = [float(offset_of(frame, term)[rows].mean()) for term in model.ir.offsets]
    total = 0.0 if model.design.offset is None else float(model.design.offset.mean())
    return np.array([*terms, total - sum(terms)])


def grid_values(model: Specified) -> GridValues | None:
    """Sum up all that a reference grid may be asked; None where the rows are not there to tell."""
    if not model.design.has_criterion:
        return kept_of(model.design).grid
    try:
        columns = {name: column_summary(model, name) for name in predictors(model)}
        return GridValues(columns, aliases(model), offset_means(model))
    except (LmmFormulaError, np.linalg.LinAlgError):  # nor would a grid be made of these data
        return None


def fixed_variables(model: Specified) -> list[str]:
    """List the columns of the data that the fixed part reads, offsets included."""
    return summaries.fixed_columns_read(model.ir, model.schema.offset)


def term_variables(model: Specified) -> list[str]:
    """List the columns of the data that the terms of the fixed part read."""
    factors = (factor for term in model.ir.fixed.terms for factor in term.factors)
    return list(dict.fromkeys(variable.name for factor in factors for variable in variables(factor)))


def predictors(model: Specified) -> list[str]:
    """List the columns that the fixed and the random terms read; those that do but name groups are not among them."""
    return summaries.term_columns_read(model.ir, model.schema.offset)


def used_as_levels(model: Specified) -> set[str]:
    """Return the variables that a call such as factor(k) turns into levels."""
    return summaries.columns_read_as_levels(model.ir)
